"""Take in what a host signed about its own doings, and let the incident know how its order ended.

Called by the agents' API and by simulations. Rules:

 1. An event is durable in the audit log before anything follows from it, and before it is
    acknowledged.
 2. The host's numbering has no gaps: from the first event that is missing on, nothing is taken, and
    the host sends again from there.
 3. The second time an event comes, the log knows it; what follows from it is idempotent.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sentienguard.flow import incident as flow
from sentienguard.flow import reports
from sentienguard.flow.centre import Centre
from sentienguard.model.ids import IncidentId, OrderId
from sentienguard.model.order import ExecutionOutcome, ExecutionReport
from sentienguard.ports import audit_log
from sentienguard.ports.agent_store import Agent
from sentienguard.trust import canonical


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
        data: dict[str, Any] = fields.get("data", {})
        incident = IncidentId(fields["incident"])
        order = OrderId(str(data.get("order_id", "")))
        match fields["kind"]:
            case "order.admitted":
                self._centre.orders.admitted(order)
            case "order.refused" if incident:  # without one, the host could not believe the order
                self._refused(agent, incident, order, str(data.get("reason", "")))
            case "order.finished":
                self._finished(incident, order, data)
            case _:
                pass
        if incident:
            self._centre.live.changed("incident", incident, self._centre.clock.now())

    def _refused(self, agent: Agent, incident: IncidentId, order: OrderId, reason: str) -> None:
        self._centre.orders.refused(order, because=reason)
        self._end(incident, order, ExecutionOutcome.REFUSED, f"{agent.host} refused: {reason}", ())

    def _finished(self, incident: IncidentId, order: OrderId, data: dict[str, Any]) -> None:
        outcome = ExecutionOutcome(data["outcome"])
        left_behind = tuple(str(name) for name in data.get("left_behind", []))
        reason = str(data.get("reason", ""))
        self._centre.orders.finished(
            ExecutionReport(
                order=order,
                incident=incident,
                outcome=outcome,
                reason=reason,
                records=reports.steps(self._centre.log, incident),
                left_behind=left_behind,
                started_at=_moment(data, "started_ms", self._centre.clock.now()),
                finished_at=_moment(data, "finished_ms", self._centre.clock.now()),
            )
        )
        self._end(incident, order, outcome, reason, left_behind)

    def _end(
        self,
        incident: IncidentId,
        order: OrderId,
        outcome: ExecutionOutcome,
        reason: str,
        left_behind: tuple[str, ...],
    ) -> None:
        event = flow.OrderEnded(self._centre.clock.now(), order, outcome, reason, left_behind)
        self._centre.tell(incident, event, key=f"ended/{order}")


def _moment(data: dict[str, Any], name: str, otherwise: datetime) -> datetime:
    ms = data.get(name)
    return datetime.fromtimestamp(ms / 1000, UTC) if isinstance(ms, int) else otherwise
