"""Where orders and stops arrive: judged and journaled here, before anything acts.

Called by agent.order_intake, which adds threads, and by simulations. One call at a time. The rules
of admission are `admission`'s; here are the facts they are judged on, and what follows.

Rules:
1. A known order is never run again: its recorded state is the answer.
2. The intent is durable before the caller is told to start.
3. A nonce is used up by being asked about, whatever the answer.
4. An authentic order that is refused for good is told as `order.refused`. What is forged, stale or
   comes before the configuration is told as an alarm, since nothing in it may be believed; the
   centre delivers the order again with the next poll.
"""

from dataclasses import dataclass
from typing import Any, Protocol

from sentienguard.model import errors, ids, playbook
from sentienguard.model import order as nouns
from sentienguard.stages.execute import admission, parameters
from sentienguard.stages.execute import host as hosts
from sentienguard.stages.execute import ledger as ledgers
from sentienguard.stages.execute.report import events
from sentienguard.trust import catalogue as catalogues
from sentienguard.trust import dsse, freshness
from sentienguard.trust import order as orders
from sentienguard.trust import root as roots


class Trust(Protocol):
    """What this host trusts now, and the playbooks that it holds."""

    @property
    def root(self) -> roots.Root | None:
        """The current root; None before the first configuration."""

    @property
    def catalogue(self) -> catalogues.Catalogue | None:
        """The newest catalogue; None before the first configuration."""

    @property
    def catalogue_envelope(self) -> Any:
        """The catalogue as it was signed."""

    @property
    def newest(self) -> admission.Newest:
        """The newest catalogue ever accepted."""

    @property
    def problem(self) -> str:
        """Why what was kept cannot be used; empty while it can."""

    def stored(self, digest: ids.Digest) -> bytes | None:
        """Return the bytes kept under a digest, whatever they are; None where there are none."""

    def read(self, stored: bytes | None) -> tuple[playbook.Playbook | None, str]:
        """Read a playbook's bytes; where that cannot be done, say why."""


@dataclass(frozen=True, slots=True)
class Start:
    """What is to be executed now; its intent is durable."""

    order: nouns.Order
    remedy: playbook.Playbook
    bound: parameters.Bound


@dataclass(frozen=True, slots=True)
class Answer:
    """What the collector is told of an order, and what follows here."""

    order: str
    refusal: admission.Refusal | None = None  # None: admitted, now or before
    start: Start | None = None  # None: nothing is to be started


class Desk:
    """Judges what arrives at one host."""

    def __init__(
        self,
        agent: ids.AgentId,
        environment: str,
        host: hosts.Host,
        ledger: ledgers.Ledger,
        trust: Trust,
    ) -> None:
        """Take what is judged on."""
        self._agent = agent
        self._environment = environment
        self._host = host
        self._ledger = ledger
        self._trust = trust
        self._orders = freshness.NonceBook()
        self._stops = freshness.NonceBook()  # one ticket may bring an order and a stop

    @property
    def busy(self) -> ids.OrderId | None:
        """Return the order that runs."""
        running = self._ledger.memory.running
        return None if running is None else ids.OrderId(running.intent["order"]["id"])

    def ticket(self, entropy: bytes) -> str:
        """Give out a nonce for the next poll, made of 16 random bytes."""
        now = self._host.clock.monotonic()
        self._stops.issue(now, entropy)
        return self._orders.issue(now, entropy)

    def order(self, envelope: Any) -> Answer:
        """Judge an order and, if it is admitted, write down its intent.

        Raises execution_journal.JournalBroken.
        """
        try:
            signed = orders.claimed_order(envelope)
        except dsse.NotTrusted as error:
            return self._not_believed("", admission.Refusal("form", str(error)))
        case = self._case(envelope, signed)
        if case is None:
            reason = self._trust.problem or "no root and catalogue have arrived yet"
            return self._not_believed(signed.order.id, admission.Refusal("configured", reason))
        refusal = admission.judge(case)
        if refusal is not None:
            return self._refused(signed, refusal)
        boot = self._host.commands.boot()
        self._ledger.intend(signed, case.stored or b"", case.bound, boot)
        return Answer(signed.order.id, start=Start(signed.order, case.playbook, case.bound))

    def stop(self, envelope: Any) -> orders.SignedStop | str:
        """Judge a stop; return it, or why it stops nothing. Raises JournalBroken."""
        root = self._trust.root
        if root is None:
            return "no root has arrived yet"
        try:
            root.require_current(self._host.clock.now())
            wanted = orders.open_stop(envelope, root)
            self._stops.redeem(wanted.nonce, self._host.clock.monotonic())
            freshness.SequenceMark(self._ledger.memory.seq).raised_to(wanted.seq)
            if wanted.agent != self._agent:
                return f"the stop is for agent {wanted.agent}"
            self._ledger.accept_sequence(wanted.seq)
        except errors.Rejected as error:
            self._alarm("stop_refused", "", "", str(error))
            return str(error)
        if self.busy != wanted.order:
            return f"order {wanted.order} does not run"
        return wanted

    def _case(self, envelope: Any, signed: orders.SignedOrder) -> admission.Case | None:
        root, catalogue = self._trust.root, self._trust.catalogue
        if root is None or catalogue is None:
            return None
        stored = self._trust.stored(signed.order.digest)
        remedy, unread = self._trust.read(stored)
        return admission.Case(
            envelope=envelope,
            signed=signed,
            agent=self._agent,
            environment=self._environment,
            now=self._host.clock.now(),
            root=root,
            catalogue=catalogue,
            catalogue_envelope=self._trust.catalogue_envelope,
            newest=self._trust.newest,
            stored=stored,
            remedy=remedy,
            unread=unread,
            stale=self._redeemed(signed.nonce),
            memory=self._ledger.memory,
            now_ms=self._ledger.now_ms(),
            broken=self._ledger.broken,
            host=self._host,
        )

    def _redeemed(self, nonce: str) -> str | None:
        try:
            self._orders.redeem(nonce, self._host.clock.monotonic())
        except freshness.NotFresh as error:
            return str(error)
        return None

    def _refused(self, signed: orders.SignedOrder, refusal: admission.Refusal) -> Answer:
        order = signed.order
        if refusal.rule == "order_never_seen":  # rule 1
            known = self._ledger.memory.orders[order.id]
            if known["state"] != "refused":
                return Answer(order.id)
            return Answer(order.id, admission.Refusal(known["rule"], known["reason"]))
        if refusal.rule in {admission.AUTHENTICATES, "root_current", *admission.TRANSIENT}:
            return self._not_believed(order.id, refusal)
        self._ledger.refuse(order, signed.seq, refusal.rule, refusal.reason)
        return Answer(order.id, refusal)

    def _not_believed(self, order: str, refusal: admission.Refusal) -> Answer:
        if refusal.rule not in {"one_at_a_time", "journal_works"}:  # rule 4; those two are no news
            self._alarm("order_refused", order, refusal.rule, refusal.reason)
        return Answer(order, refusal)

    def _alarm(self, what: str, order: str, rule: str, reason: str) -> None:
        more = {"order_id": order, "rule": rule} if order or rule else {}
        if not self._ledger.failed:
            self._ledger.tell(
                events.alarm(what, reason, self._ledger.now_ms(), **more), durable=False
            )
