"""What an agent's poll is answered with: an order, a stop, a checkpoint.

Called by `controlplane.poll_desk` and by simulations. Rules:

 1. An order is signed for one poll: its nonce is the one that the host issued with this poll.
 2. An order or a stop is given again until the host says what became of it, though not more often
    than every REDELIVER_AFTER_S; the host runs it at most once.
 3. One order at a time for one host.
 4. A frozen system gives nothing but stops. Throwing the kill switch asks for a stop of every order
    that a host was given and has not ended (`stop_all`); one that was handed over just then is
    stopped by the host's next poll. What was asked to stop stays so after the thaw.
 5. A host in maintenance gets no order, whoever approved it before; the order is taken back when
    nobody fetched it in time.
 6. The same for a host in quarantine, which may be two, and for one that was struck off.
 7. Polls may be answered together: one look at the stores, one commit for the numbers, one for the
    deliveries, one for their entries. Each is durable before any of the answers exists, in the
    order in which a single poll has them, and each poll gets what it would get alone.
"""

import contextlib
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from sentienguard.flow import log_growth
from sentienguard.flow.centre import Centre
from sentienguard.model import ids
from sentienguard.model.order import Order, OrderStatus
from sentienguard.model.window import Purpose, Window
from sentienguard.ports.agent_store import Agent
from sentienguard.ports.audit_log import EntryRefused
from sentienguard.ports.order_store import KeptOrder
from sentienguard.ports.switches import Freeze
from sentienguard.stages.detect import silencing

REDELIVER_AFTER_S = 5.0  # a host that refused one delivery for a passing reason gets another
MOST_REMEMBERED = 10_000  # deliveries; forgetting one only makes the next come sooner
_AT_ONCE = 500  # agents that the store is asked about together
_WAITING = frozenset({OrderStatus.RELEASED, OrderStatus.DELIVERED})
_UNDER_WAY = frozenset({OrderStatus.DELIVERED, OrderStatus.ADMITTED})


@dataclass(frozen=True, slots=True)
class Poll:
    """What an agent said when it asked."""

    nonce: str
    busy: str | None  # order id that it is working on
    tree_size: int  # size of the audit log that its witness saw last
    cosigned: str | None  # the checkpoint it co-signed last
    root_version: int = 0  # of the root document that it goes by; 0: it did not say


@dataclass(frozen=True, slots=True)
class Answer:
    """What it gets."""

    order: dict[str, Any] | None
    stop: dict[str, Any] | None
    checkpoint: str | None
    consistency: tuple[str, ...]

    @property
    def has_work(self) -> bool:
        """Tell whether the poll has to be answered now."""
        return self.order is not None or self.stop is not None


@dataclass(frozen=True, slots=True)
class Look:
    """What holds for every host in a moment: polls that are answered together share one."""

    frozen: Freeze | None
    maintenance: Sequence[Window]  # under way or to come, of any host


class Dispatch:
    """Answers polls."""

    def __init__(self, centre: Centre) -> None:
        """Answer from this centre's stores."""
        self._centre = centre
        self._given: dict[str, float] = {}  # monotonic time of the last delivery
        self._taking = threading.Lock()  # several threads answer polls
        self._growth = log_growth.Growth(centre)

    def look(self) -> Look:
        """Return what holds for every host now."""
        switches = self._centre.switches
        now = self._centre.clock.now()
        return Look(switches.freeze(), switches.windows(Purpose.MAINTENANCE, at=now))

    def answer(self, agent: Agent, poll: Poll, look: Look | None = None) -> Answer:
        """Return what there is for this agent now; `look` is of a moment ago, None: of now."""
        (found,) = self.answer_all([(agent, poll)], look or self.look())
        if isinstance(found, Exception):
            raise found
        return found

    def answer_all(
        self, asked: Sequence[tuple[Agent, Poll]], look: Look
    ) -> Sequence[Answer | Exception]:
        """Return the same for each of several, or why it has none; for a few dozen at a time.

        What all of them need is read and made durable together (rule 7). Raises what that raises;
        nothing was given then, and who asks again is given it.
        """
        asking = [_Asking(agent, poll) for agent, poll in asked]
        standing = self._centre.orders.standing({agent.id for agent, _ in asked})
        for one in asking:
            with _alone(one):
                self._sort(one, standing.get(one.agent.id, ()), look)
        self._give([one for one in asking if one.waiting], look)
        for one in asking:
            with _alone(one):
                one.checkpoint, one.consistency = self._checkpoint(one.poll)
        return [one.problem or one.answer() for one in asking]

    def nothing(self, poll: Poll) -> Answer:
        """Return what an agent gets for whom no order waits or is under way; as `answer` would."""
        checkpoint, consistency = self._checkpoint(poll)
        return Answer(None, None, checkpoint, consistency)

    def witnessed(self, poll: Poll) -> None:
        """Keep the co-signature that came with a poll."""
        if poll.cosigned:
            self._centre.log.add_cosignature(poll.cosigned)

    def _sort(self, one: "_Asking", standing: Sequence[KeptOrder], look: Look) -> None:
        """Find out whether a stop is due for who asks, and which orders are."""
        running = next((kept for kept in standing if _is_running(kept, one.poll)), None)
        frozen = look.frozen
        if running is not None and frozen is not None and not running.stop_requested_by:  # rule 4
            _stop(self._centre, [running], frozen)
            running = self._centre.orders.get(running.order.id)
        if running is not None and running.stop_requested_by:
            if self._due(f"stop of {running.order.id}"):  # rule 2
                seq = self._centre.orders.next_seq(one.agent.id)
                by = running.stop_requested_by
                one.stop = self._centre.trust.seal_stop(running.order, one.poll.nonce, seq, by)
        elif not one.poll.busy and frozen is None:  # rules 3 and 4
            one.waiting = [
                kept
                for kept in standing
                if kept.status in _WAITING and self._is_due(kept.order.id)  # nearly always none is
            ]

    def _give(self, asking: Sequence["_Asking"], look: Look) -> None:
        """Give each the oldest of its orders that is due; the next where that was taken back."""
        left = [one for one in asking if not self._in_maintenance(one.agent, look)]  # rule 5
        left = self._undoubted(left)
        while chosen := [(one, kept) for one in left for kept in self._chosen(one)]:
            try:
                given = self._delivered(self._sealed(chosen))
                self._record(given)
            except Exception:
                for _, kept in chosen:  # nobody has it yet
                    self._given.pop(kept.order.id, None)
                raise

    def _chosen(self, one: "_Asking") -> Iterator[KeptOrder]:
        """Yield the next order that nobody else was a moment earlier to take (rule 2)."""
        while one.waiting and one.order is None and one.problem is None:
            kept = one.waiting.pop(0)
            one.is_first = kept.order.id not in self._given
            if self._due(kept.order.id):
                yield kept
                return

    def _sealed(
        self, chosen: Sequence[tuple["_Asking", KeptOrder]]
    ) -> list[tuple["_Asking", KeptOrder, dict[str, Any]]]:
        """Sign each order for its poll (rule 1); who cannot have it takes no other with them."""
        numbers = self._centre.orders.next_seqs([one.agent.id for one, _ in chosen])
        questions = {kept.order.id: _question(kept.order) for _, kept in chosen}
        agreed = self._centre.approvals.agreements_of(set(questions.values()))
        found = []
        for (one, kept), seq in zip(chosen, numbers, strict=True):
            # What approvers signed; hosts judge it by their root.
            yeses = agreed.get(questions[kept.order.id], ())
            signed = [yes.signature for yes in yeses if yes.signature is not None]
            with _alone(one):
                sealed = self._centre.trust.seal_order(kept.order, one.poll.nonce, seq, signed)
                found.append((one, kept, sealed))
        return found

    def _delivered(
        self, sealed: Sequence[tuple["_Asking", KeptOrder, dict[str, Any]]]
    ) -> list[tuple["_Asking", KeptOrder]]:
        """Mark them as handed over; left out is what was taken back just now."""
        if not sealed:
            return []
        orders = [kept.order.id for _, kept, _ in sealed]
        marked = self._centre.orders.delivered(orders, at=self._centre.clock.now())
        given = []
        for one, kept, envelope in sealed:
            if kept.order.id in marked:
                one.order = envelope
                given.append((one, kept))
        return given

    def _record(self, given: Sequence[tuple["_Asking", KeptOrder]]) -> None:
        """Record who was given what, once; again is a no-op where a crash fell before the entry."""
        news = [
            (one, kept.order)
            for one, kept in given
            if kept.status is OrderStatus.RELEASED or one.is_first
        ]
        if news:
            facts = [(order, {"order_id": order.id, "agent": order.agent}) for _, order in news]
            told = self._centre.audit.once_all("order.delivered", "delivered", facts)
            for (one, _), outcome in zip(news, told, strict=True):
                if isinstance(outcome, EntryRefused):
                    one.order, one.problem = None, outcome
        for one, _ in given:
            if one.order is not None:
                self._centre.counters.add("orders_delivered_total")

    def _in_maintenance(self, agent: Agent, look: Look) -> bool:
        place = silencing.place(agent.host, agent.environment, agent.tags)
        return bool(silencing.covering(look.maintenance, place, self._centre.clock.now()))

    def _undoubted(self, asking: Sequence["_Asking"]) -> list["_Asking"]:
        """Look again: who asks was looked up when its poll came, which may be a minute ago."""
        if not asking:
            return []
        known = self._centre.agents.by_pins({one.agent.tls_pin for one in asking})
        found = ((one, known.get(one.agent.tls_pin)) for one in asking)
        return [one for one, now in found if now is not None and not now.quarantined]  # rule 6

    def _is_due(self, message: str) -> bool:
        last = self._given.get(message)
        return last is None or self._centre.clock.monotonic() - last >= REDELIVER_AFTER_S

    def _due(self, message: str) -> bool:
        """Tell whether a message is due, and take it for given from here on."""
        with self._taking:
            if not self._is_due(message):
                return False
            if len(self._given) > MOST_REMEMBERED:
                self._given.clear()
            self._given[message] = self._centre.clock.monotonic()
            return True

    def _checkpoint(self, poll: Poll) -> tuple[str | None, tuple[str, ...]]:
        note = self._centre.log.checkpoint()
        size = log_growth.size(note)
        if poll.tree_size in {0, size} or poll.tree_size > size:
            return note, ()
        return note, self._growth.proof(poll.tree_size, size)


@dataclass(slots=True)
class _Asking:
    """One poll while it is answered."""

    agent: Agent
    poll: Poll
    waiting: list[KeptOrder] = field(default_factory=list)  # that it may be given, oldest first
    order: dict[str, Any] | None = None
    stop: dict[str, Any] | None = None
    checkpoint: str | None = None
    consistency: tuple[str, ...] = ()
    problem: Exception | None = None  # why it has no answer
    is_first: bool = False  # this process has not given the order chosen last before

    def answer(self) -> Answer:
        """Return what it gets."""
        return Answer(self.order, self.stop, self.checkpoint, self.consistency)


@contextlib.contextmanager
def _alone(one: _Asking) -> Iterator[None]:
    """Let what goes wrong in the block be this poll's answer and no other one's."""
    try:
        yield
    except Exception as problem:  # noqa: BLE001  whoever asks is told
        one.problem = one.problem or problem


def _is_running(kept: KeptOrder, poll: Poll) -> bool:
    return kept.order.id == poll.busy and kept.status in _UNDER_WAY


def _question(order: Order) -> ids.ApprovalId:
    return ids.approval_id(order.incident, order.digest)


def stop_all(centre: Centre, standing: Freeze) -> Sequence[ids.AgentId]:
    """Ask for a stop of all that hosts were given and have not ended; return whose bells to ring.

    Called once the freeze stands, so that nothing is handed over behind it (rule 4).
    """
    found: list[KeptOrder] = []
    agents = [agent.id for agent in centre.agents.list()]
    for first in range(0, len(agents), _AT_ONCE):
        for agent in sorted(centre.orders.expecting(agents[first : first + _AT_ONCE])):
            found += centre.orders.under_way(agent)
    waiting = [kept for kept in found if not kept.stop_requested_by]
    _stop(centre, waiting, standing)
    return tuple(dict.fromkeys(kept.order.agent for kept in waiting))


def _stop(centre: Centre, found: Sequence[KeptOrder], standing: Freeze) -> None:
    """Ask for all the stops before any is recorded: a log that fails must hold none of them up."""
    by = f"{standing.by}, who threw the kill switch"
    asked = [kept.order for kept in found if centre.orders.request_stop(kept.order.id, by=by)]
    for order in asked:
        data = {"order_id": order.id, "note": f"the kill switch: {standing.reason}"}
        centre.audit.once("order.stop", order, "stop", data, actor=standing.by)
