"""Take in what a host signed about its own doings, and let the incident know how its order ended.

Called by the agents' API and by simulations. Rules:

 1. An event is durable in the audit log before anything follows from it, and before it is
    acknowledged.
 2. The host's numbering has no gaps: from the first event that is missing on, nothing is taken, and
    the host sends again from there.
 3. The second time an event comes, the log knows it; what follows from it is idempotent.
 4. A host speaks for its own orders. What it says of another's, or of none that was ever made, is
    in the log as its word and told to people, and nothing follows from it.
 5. What a host says in a way that is not understood is an unknown end, never a failure to listen:
    everything it has to say behind it would be lost.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sentienguard.flow import further, reports
from sentienguard.flow import incident as flow
from sentienguard.flow.centre import Centre
from sentienguard.model.ids import IncidentId, OrderId
from sentienguard.model.order import ExecutionOutcome, ExecutionReport
from sentienguard.ports import audit_log
from sentienguard.ports.agent_store import Agent
from sentienguard.ports.order_store import NoSuchOrder
from sentienguard.trust import canonical

_OF_ORDERS = frozenset({"order.admitted", "order.refused", "order.finished"})


class BlobWrong(audit_log.EntryRefused):
    """Bytes that came with an event are not the ones that it names."""


@dataclass(frozen=True, slots=True)
class Event:
    """One entry as the host wrote and signed it, with the bytes that it refers to."""

    leaf: bytes
    signature: bytes
    blobs: tuple[tuple[str, str, bytes], ...]  # sha256 hex, media type, plain bytes


class Receipts:
    """Events in, acknowledgements out."""

    def __init__(self, centre: Centre) -> None:
        """Record in this centre's log."""
        self._centre = centre

    def take(self, agent: Agent, events: Sequence[Event]) -> int:
        """Keep events and return the number up to which the log holds this agent's.

        Raises audit_log.EntryRefused where the first one cannot be taken.
        """
        through = agent.events_through
        for event in events:
            fields = canonical.decode_object(event.leaf)
            if fields.get("src") != f"agent:{agent.id}":
                message = f"event of {fields.get('src')!r} came from agent {agent.id}"
                raise audit_log.EntryRefused(message)
            self._keep_blobs(fields, event)
            self._centre.log.append(audit_log.SignedEntry(event.leaf, event.signature))  # rule 1
            self._follow(agent, fields)
            through = max(through, int(fields["src_seq"]))
            self._centre.agents.events_through(agent.id, through)
        self._centre.counters.add("agent_events_total", "accepted", len(events))
        return through

    def _keep_blobs(self, fields: dict[str, Any], event: Event) -> None:
        named = {blob["sha256"] for blob in fields.get("blobs", [])}
        for sha256, media_type, plain in event.blobs:
            found = hashlib.sha256(plain).hexdigest()
            if found != sha256 or sha256 not in named:
                message = f"blob {sha256}: expected bytes of that digest, found {found}"
                raise BlobWrong(message)
            self._centre.log.put_blob(plain, media_type)

    def _follow(self, agent: Agent, fields: dict[str, Any]) -> None:
        incident = IncidentId(fields["incident"])
        # Without an incident, the host could not believe the order and tells only that.
        if incident and fields["kind"] in _OF_ORDERS:
            self._follow_order(agent, fields, incident)
        if incident:
            self._centre.live.changed("incident", incident, self._centre.clock.now())

    def _follow_order(self, agent: Agent, fields: dict[str, Any], incident: IncidentId) -> None:
        data: dict[str, Any] = fields["data"]
        order = OrderId(str(data.get("order_id", "")))
        why_not = self._foreign(agent, order, incident)
        if why_not is not None:  # rule 4
            self._alarm(agent, fields, why_not)
            return
        match fields["kind"]:
            case "order.admitted":
                self._centre.orders.admitted(order)
            case "order.refused":
                self._refused(agent, incident, order, data)
            case _:
                self._finished(incident, order, data)

    def _foreign(self, agent: Agent, order: OrderId, incident: IncidentId) -> str | None:
        try:
            made = self._centre.orders.get(order).order
        except NoSuchOrder:
            return f"it was never given an order {order[:64]}"
        if made.agent != agent.id:
            return f"order {order} was another host's"
        if made.incident != incident:
            return f"order {order} was for incident {made.incident}, not for {incident}"
        return None

    def _alarm(self, agent: Agent, fields: dict[str, Any], why: str) -> None:
        """Tell people, once for each such entry."""
        self._centre.counters.add("agent_events_total", "foreign")
        self._centre.audit.append(
            kind="agent.alarm",
            env=agent.environment,
            key=f"{agent.id}/{fields['src_seq']}/foreign",
            data={
                "agent": agent.id,
                "host": agent.host,
                "rule": "speaks_for_itself",
                "reason": f"{agent.host} sent {fields['kind']}, but {why}",
            },
        )

    def _refused(
        self, agent: Agent, incident: IncidentId, order: OrderId, data: dict[str, Any]
    ) -> None:
        reason, refused = str(data.get("reason", "")), ExecutionOutcome.REFUSED
        self._centre.orders.refused(order, because=reason)
        end = flow.OrderEnded(
            self._centre.clock.now(),
            order,
            refused,
            f"{agent.host} refused: {reason}",
            not_for_this=further.is_not_for_this(self._centre, incident, order, refused, data),
        )
        self._centre.tell(incident, end, key=f"ended/{order}")

    def _finished(self, incident: IncidentId, order: OrderId, data: dict[str, Any]) -> None:
        outcome, reason = _outcome(data), str(data.get("reason", ""))
        left = data.get("left_behind", [])
        left_behind = tuple(str(name) for name in left) if isinstance(left, list) else ()
        self._centre.orders.finished(
            ExecutionReport(
                order=order,
                incident=incident,
                outcome=outcome,
                reason=reason,
                records=reports.steps(self._centre.log, incident, order),
                left_behind=left_behind,
                started_at=_moment(data, "started_ms", self._centre.clock.now()),
                finished_at=_moment(data, "finished_ms", self._centre.clock.now()),
            )
        )
        end = flow.OrderEnded(
            self._centre.clock.now(),
            order,
            outcome,
            reason,
            left_behind,
            not_for_this=further.is_not_for_this(self._centre, incident, order, outcome, data),
        )
        self._centre.tell(incident, end, key=f"ended/{order}")


def _outcome(data: dict[str, Any]) -> ExecutionOutcome:
    try:
        return ExecutionOutcome(str(data.get("outcome")))
    except ValueError:  # rule 5: an executor of a later version, or one that was tampered with
        return ExecutionOutcome.UNKNOWN


def _moment(data: dict[str, Any], name: str, otherwise: datetime) -> datetime:
    try:
        return datetime.fromtimestamp(int(data[name]) / 1000, UTC)
    except (KeyError, TypeError, ValueError, OverflowError, OSError):  # rule 5
        return otherwise
