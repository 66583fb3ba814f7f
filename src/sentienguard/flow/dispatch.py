"""What an agent's poll is answered with: an order, a stop, a checkpoint.

Called by the agents' API and by simulations. Rules:

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
"""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sentienguard.flow.centre import Centre
from sentienguard.model import ids
from sentienguard.model.order import OrderStatus
from sentienguard.model.window import Purpose, Window
from sentienguard.ports.agent_store import Agent
from sentienguard.ports.order_store import KeptOrder
from sentienguard.ports.switches import Freeze
from sentienguard.stages.audit import checkpoint
from sentienguard.stages.detect import silencing

REDELIVER_AFTER_S = 5.0  # a host that refused one delivery for a passing reason gets another
MOST_REMEMBERED = 10_000  # deliveries; forgetting one only makes the next come sooner
_AT_ONCE = 500  # agents that the store is asked about together


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

    def look(self) -> Look:
        """Return what holds for every host now."""
        switches = self._centre.switches
        now = self._centre.clock.now()
        return Look(switches.freeze(), switches.windows(Purpose.MAINTENANCE, at=now))

    def answer(self, agent: Agent, poll: Poll, look: Look | None = None) -> Answer:
        """Return what there is for this agent now; `look` is of a moment ago, None: of now."""
        order, stop = self._work(agent, poll, look or self.look())
        checkpoint, consistency = self._checkpoint(poll)
        return Answer(order, stop, checkpoint, consistency)

    def nothing(self, poll: Poll) -> Answer:
        """Return what an agent gets for whom no order waits or is under way; as `answer` would."""
        checkpoint, consistency = self._checkpoint(poll)
        return Answer(None, None, checkpoint, consistency)

    def witnessed(self, poll: Poll) -> None:
        """Keep the co-signature that came with a poll."""
        if poll.cosigned:
            self._centre.log.add_cosignature(poll.cosigned)

    def _work(
        self, agent: Agent, poll: Poll, look: Look
    ) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
        running, frozen = self._running(agent, poll), look.frozen
        if running is not None and frozen is not None and not running.stop_requested_by:  # rule 4
            _stop(self._centre, [running], frozen)
            running = self._centre.orders.get(running.order.id)
        if running is not None and running.stop_requested_by:
            if not self._due(f"stop of {running.order.id}"):  # rule 2
                return None, None
            seq = self._centre.orders.next_seq(agent.id)
            by = running.stop_requested_by
            return None, self._centre.trust.seal_stop(running.order, poll.nonce, seq, by)
        if poll.busy or frozen is not None:  # rules 3 and 4
            return None, None
        waiting = [
            kept
            for kept in self._centre.orders.waiting(agent.id)
            if self._is_due(kept.order.id)  # nearly always none is: nothing else is asked then
        ]
        if waiting and (self._in_maintenance(agent, look) or self._is_doubted(agent)):
            return None, None  # rules 5 and 6
        for kept in waiting:
            if not self._due(kept.order.id):  # rule 2: another poll of it was a moment earlier
                continue
            seq = self._centre.orders.next_seq(agent.id)
            sealed = self._centre.trust.seal_order(  # rule 1
                kept.order, poll.nonce, seq, self._signed_for(kept)
            )
            if not self._centre.orders.delivered(kept.order.id, at=self._centre.clock.now()):
                continue  # it was taken back just now
            self._record_delivery(kept)
            self._centre.counters.add("orders_delivered_total")
            return sealed, None
        return None, None

    def _signed_for(self, kept: KeptOrder) -> list[Mapping[str, Any]]:
        """Return what approvers signed; hosts judge it by their root."""
        asked = ids.approval_id(kept.order.incident, kept.order.digest)
        agreed = self._centre.approvals.agreements(asked)
        return [one.signature for one in agreed if one.signature is not None]

    def _in_maintenance(self, agent: Agent, look: Look) -> bool:
        place = silencing.place(agent.host, agent.environment, agent.tags)
        return bool(silencing.covering(look.maintenance, place, self._centre.clock.now()))

    def _is_doubted(self, agent: Agent) -> bool:
        """Look again: who asks was looked up when its poll came, which may be a minute ago."""
        now = self._centre.agents.get(agent.id)
        return bool(now.quarantined) or now.struck_off is not None

    def _is_due(self, message: str) -> bool:
        last = self._given.get(message)
        return last is None or self._centre.clock.monotonic() - last >= REDELIVER_AFTER_S

    def _due(self, message: str) -> bool:
        """Tell whether a message is due, and take it for given from here on."""
        if not self._is_due(message):
            return False
        if len(self._given) > MOST_REMEMBERED:
            self._given.clear()
        self._given[message] = self._centre.clock.monotonic()
        return True

    def _running(self, agent: Agent, poll: Poll) -> KeptOrder | None:
        if not poll.busy:
            return None
        running = self._centre.orders.under_way(agent.id)
        return next((kept for kept in running if kept.order.id == poll.busy), None)

    def _record_delivery(self, kept: KeptOrder) -> None:
        if kept.status is not OrderStatus.RELEASED:
            return
        self._centre.audit.append(
            kind="order.delivered",
            env=kept.order.environment,
            incident=kept.order.incident,
            key=f"{kept.order.id}/delivered",
            data={"order_id": kept.order.id, "agent": kept.order.agent},
        )

    def _checkpoint(self, poll: Poll) -> tuple[str | None, tuple[str, ...]]:
        note = self._centre.log.checkpoint()
        size = checkpoint.read_text(checkpoint.read_note(note).text).size
        if poll.tree_size in {0, size} or poll.tree_size > size:
            return note, ()
        proof = self._centre.log.consistency(poll.tree_size, size)
        return note, tuple(base64.b64encode(node).decode() for node in proof)


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
