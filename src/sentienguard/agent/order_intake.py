"""Orders and stops as they arrive: judged, journaled, and set to work in one thread.

Called by the executor's socket, from several threads. The rules of admission are
`stages.execute.admission`'s; here are the facts they are judged on, and what follows.

Rules:
1. One order at a time; it runs in a thread of its own, so that tickets and stops are answered.
2. A known order is never run again: its recorded state is the answer.
3. The intent is durable before the thread starts.
4. A nonce is used up by being asked about, whatever the answer.
5. An authentic order that is refused for good is told as `order.refused`. What is forged, stale or
   comes before the configuration is told as an alarm, since nothing in it may be believed; the
   centre delivers the order again with the next poll.
"""

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sentienguard.adapters.local_host import interrupt as interrupts
from sentienguard.agent import settings, trust_store
from sentienguard.model import errors, ids
from sentienguard.stages.execute import admission, engine, parameters
from sentienguard.stages.execute import host as hosts
from sentienguard.stages.execute import ledger as ledgers
from sentienguard.stages.execute.report import events
from sentienguard.trust import dsse, freshness
from sentienguard.trust import order as orders

_ENTROPY_BYTES = 16


@dataclass(frozen=True, slots=True)
class Answer:
    """What the collector is told of an order."""

    order: str
    refusal: admission.Refusal | None = None  # None: admitted, now or before


@dataclass(slots=True)
class _Work:
    """The order that runs, and how to stop it."""

    order: ids.OrderId
    interrupt: interrupts.LocalInterrupt = field(default_factory=interrupts.LocalInterrupt)
    thread: threading.Thread | None = None


class Intake:
    """Takes orders in; safe to use from every thread."""

    def __init__(
        self,
        settings: settings.Settings,
        host: hosts.Host,
        ledger: ledgers.Ledger,
        trust: trust_store.TrustStore,
        failed: Callable[[BaseException], None],
    ) -> None:
        """Take what is judged on. `failed` hears of an execution that could not be finished."""
        self._settings = settings
        self._host = host
        self._ledger = ledger
        self._trust = trust
        self._failed = failed
        self._turn = threading.Lock()
        self._orders = freshness.NonceBook()
        self._stops = freshness.NonceBook()  # one ticket may bring an order and a stop
        self._work: _Work | None = None

    @property
    def busy(self) -> ids.OrderId | None:
        """Return the order that runs."""
        running = self._ledger.memory.running
        return None if running is None else ids.OrderId(running.intent["order"]["id"])

    def ticket(self) -> str:
        """Give out a nonce for the next poll."""
        with self._turn:
            now, entropy = self._host.clock.monotonic(), os.urandom(_ENTROPY_BYTES)
            self._stops.issue(now, entropy)
            return self._orders.issue(now, entropy)

    def order(self, envelope: Any) -> Answer:
        """Judge an order and, if it is admitted, start it."""
        try:
            signed = orders.claimed_order(envelope)
        except dsse.NotTrusted as error:
            return self._not_believed("", admission.Refusal("form", str(error)))
        with self._turn:
            case = self._case(envelope, signed)
            if case is None:
                reason = self._trust.problem or "no root and catalogue have arrived yet"
                return self._not_believed(signed.order.id, admission.Refusal("configured", reason))
            refusal = admission.judge(case)
            if refusal is not None:
                return self._refused(signed, refusal)
            boot = self._host.commands.boot()
            self._ledger.intend(signed, case.stored or b"", case.bound, boot)
            self._start(case, case.bound)
        return Answer(signed.order.id)

    def stop(self, envelope: Any) -> str | None:
        """Stop the running order; return why not, or None."""
        root = self._trust.root
        if root is None:
            return "no root has arrived yet"
        try:
            root.require_current(self._host.clock.now())
            wanted = orders.open_stop(envelope, root)
            with self._turn:
                self._stops.redeem(wanted.nonce, self._host.clock.monotonic())
                freshness.SequenceMark(self._ledger.memory.seq).raised_to(wanted.seq)
                if wanted.agent != self._settings.agent_id:
                    return f"the stop is for agent {wanted.agent}"
                self._ledger.accept_sequence(wanted.seq)
        except errors.Rejected as error:
            self._alarm("stop_refused", "", "", str(error))
            return str(error)
        work = self._work
        if work is None or work.order != wanted.order or self.busy != wanted.order:
            return f"order {wanted.order} does not run"
        work.interrupt.request(wanted.by)
        return None

    def run(self, order: ids.OrderId, work: Callable[[], object]) -> None:
        """Run something in the one worker thread: an order, or the recovery of one."""
        current = _Work(order)
        self._work = current
        self._launch(current, lambda _: work())

    def end(self, by: str, wait_s: float) -> bool:
        """Stop what runs and wait for it; tell whether nothing runs any more."""
        work = self._work
        if work is None or work.thread is None:
            return True
        work.interrupt.request(by)
        work.thread.join(wait_s)
        return not work.thread.is_alive()

    def _case(self, envelope: Any, signed: orders.SignedOrder) -> admission.Case | None:
        root, catalogue = self._trust.root, self._trust.catalogue
        if root is None or catalogue is None:
            return None
        stored = self._trust.stored(signed.order.digest)
        remedy, unread = self._trust.read(stored)
        return admission.Case(
            envelope=envelope,
            signed=signed,
            agent=self._settings.agent_id,
            environment=self._settings.environment,
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
        if refusal.rule == "order_never_seen":  # rule 2
            known = self._ledger.memory.orders[order.id]
            if known["state"] != "refused":
                return Answer(order.id)
            return Answer(order.id, admission.Refusal(known["rule"], known["reason"]))
        if refusal.rule in {admission.AUTHENTICATES, "root_current", *admission.TRANSIENT}:
            return self._not_believed(order.id, refusal)
        self._ledger.refuse(order, signed.seq, refusal.rule, refusal.reason)
        return Answer(order.id, refusal)

    def _not_believed(self, order: str, refusal: admission.Refusal) -> Answer:
        if refusal.rule not in {"one_at_a_time", "journal_works"}:  # rule 5; those two are no news
            self._alarm("order_refused", order, refusal.rule, refusal.reason)
        return Answer(order, refusal)

    def _alarm(self, what: str, order: str, rule: str, reason: str) -> None:
        more = {"order_id": order, "rule": rule} if order or rule else {}
        if not self._ledger.failed:
            self._ledger.tell(
                events.alarm(what, reason, self._ledger.now_ms(), **more), durable=False
            )

    def _start(self, case: admission.Case, bound: parameters.Bound) -> None:
        given, remedy = case.signed.order, case.playbook
        current = _Work(given.id)
        self._work = current
        self._launch(
            current,
            lambda interrupt: engine.execute(
                given, remedy, bound, self._host, ledger=self._ledger, interrupt=interrupt
            ),
        )

    def _launch(self, current: _Work, work: Callable[[interrupts.LocalInterrupt], object]) -> None:
        def guarded() -> None:
            try:
                work(current.interrupt)
            except BaseException as error:  # noqa: BLE001 - the executor ends and recovers the order
                self._failed(error)

        current.thread = threading.Thread(target=guarded, name=f"order {current.order}")
        current.thread.daemon = True
        current.thread.start()
