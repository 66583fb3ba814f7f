"""Perform what the flow of an incident asks for. Every method can run twice with one effect.

Called by the engine. Audit entries have keys derived from the incident, rows are unique, moves to a
status that is there already are no-ops.
"""

from datetime import datetime
from typing import Any, assert_never

from sentienguard.flow import answers, crediting, departures
from sentienguard.flow import incident as flow
from sentienguard.flow.centre import Centre
from sentienguard.flow.deciding import HOUR, Deciding
from sentienguard.flow.ledger import SYSTEM
from sentienguard.model.approval import Approval, ApprovalStatus
from sentienguard.model.ids import IncidentId
from sentienguard.model.incident import Incident, Outcome, Status
from sentienguard.model.order import ExecutionOutcome, Order
from sentienguard.ports.approval_store import AlreadyDecided
from sentienguard.ports.incident_store import WrongTransition
from sentienguard.ports.order_store import Budget, NoRoom


class IncidentWork:
    """The engine's hands."""

    def __init__(self, centre: Centre, deciding: Deciding) -> None:
        """Work on this centre."""
        self._centre = centre
        self._deciding = deciding

    def now(self) -> datetime:
        """Return the time, UTC."""
        return self._centre.clock.now()

    def load(self, incident: IncidentId) -> Incident:
        """Return the incident as it is."""
        return self._centre.incidents.get(incident)

    def opened(self, incident: Incident) -> None:
        """Record that it was opened, and on which reading."""
        anomaly, base = incident.anomaly, incident.anomaly.baseline
        self._centre.audit.once(
            "incident.opened",
            incident,
            "opened",
            {
                "host": incident.host,
                "agent": incident.agent,
                "tags": dict(incident.tags),
                "metric": anomaly.series.metric,
                "subject": anomaly.series.subject,
                "value": f"{anomaly.value:.6g}",
                "sigma": "" if anomaly.sigma is None else f"{anomaly.sigma:.2f}",
                "baseline_mean": "" if base is None else f"{base.mean:.6g}",
                "baseline_stddev": "" if base is None else f"{base.stddev:.6g}",
                "severity": anomaly.severity.value,
                "ground": anomaly.ground.value,
                "reason": anomaly.reason,
                "alert": anomaly.alert or "",
                "opened_ms": _ms(incident.opened_at),
                "earlier": list(incident.earlier[:10]),
                **_asked_for(incident),
            },
            actor=SYSTEM if anomaly.request is None else anomaly.request.by,
        )

    def perform(self, incident: IncidentId, deed: flow.Deed) -> None:
        """Do what the flow asks for."""
        match deed:
            case flow.Move():
                self._move(incident, deed)
            case flow.OpenApproval():
                self._open_approval(deed)
            case flow.CloseApproval():
                self._close_approval(deed)
            case flow.RecordIntent():
                self._record_intent(deed.order)
            case flow.Close():
                self._close(incident, deed)
            case never:
                assert_never(never)

    def decide(self, incident: IncidentId, question: flow.Decide) -> flow.Decided:
        """Gather evidence and decide; a decision that was made before stands."""
        return self._deciding.decide(self._centre.incidents.get(incident), question.ruled_out)

    def release(self, question: flow.Release) -> flow.Released | flow.OrderEnded:
        """Make the order available to its agent, once; one that was struck off gets none.

        The fleet's budget is counted again here: what was decided or approved beside others saw
        none of them started. What finds no room goes to people, as policy has it (`fleet_budget`).
        """
        order, now = question.order, self.now()
        budget = Budget(self._centre.settings.fleet_budget_per_hour, now - HOUR)
        try:
            is_new = self._centre.orders.release(order, at=now, within=budget)
        except NoRoom as full:
            refused = ExecutionOutcome.REFUSED
            return flow.OrderEnded(now, order.id, refused, f"the fleet's budget is used up: {full}")
        if is_new:
            self._centre.counters.add("orders_released_total")
        agent = self._centre.agents.get(order.agent)  # after it is kept, see departures
        ended = departures.never_fetched(self._centre, agent, order) if agent.struck_off else None
        if ended is not None:
            return ended
        self._centre.bells.ring(order.agent)
        return flow.Released(now if is_new else self._centre.orders.get(order.id).released_at)

    def withdraw(self, question: flow.Withdraw) -> flow.Withdrawn:
        """Take the order back if no agent has it."""
        taken_back = self._centre.orders.withdraw(question.order)
        return flow.Withdrawn(self.now(), taken_back)

    def silence(self, incident: IncidentId) -> flow.Event:
        """Return what a wait that brought nothing means.

        A person may have answered in time while the centre could not tell the incident any more: it
        died, or its log was read-only. The store ends the question here, so an answer that it takes
        is never one that comes too late for its incident.
        """
        if self._centre.incidents.get(incident).status is Status.AWAITING_APPROVAL:
            asked = answers.present(self._centre, incident)
            if asked is not None:
                ended = self._ended(asked, ApprovalStatus.EXPIRED)
                if ended.status in answers.OF_PEOPLE:
                    return answers.follow(self._centre, ended)
        return flow.NothingCame()

    def _move(self, incident: IncidentId, deed: flow.Move) -> None:
        try:
            self._centre.incidents.move(incident, deed.status, summary=deed.summary)
        except WrongTransition:
            if self._centre.incidents.get(incident).status is not Status.CLOSED:
                raise
            return  # recorded before a crash, performed again after it
        self._centre.live.changed("incident", incident, self.now())

    def _open_approval(self, deed: flow.OpenApproval) -> None:
        asked = deed.approval
        self._centre.audit.once(
            "approval.requested",
            asked,
            "requested",
            {
                "approval_id": asked.id,
                "playbook": asked.playbook,
                "digest": asked.digest,
                "question": asked.question[:1500],
                "reason": asked.reason[:500],
                "expires_ms": _ms(asked.expires_at),
            },
        )
        self._centre.approvals.open(asked)
        self._centre.live.changed("approval", asked.id, self.now())

    def _close_approval(self, deed: flow.CloseApproval) -> None:
        ended = self._ended(deed.approval, deed.status)
        if ended.status in answers.OF_PEOPLE:  # in time, but the symptom ended first
            answers.follow(self._centre, ended)
            return
        self._centre.audit.once(
            "approval.decided",
            ended,
            "decided",
            {"approval_id": ended.id, "decision": ended.status.value},
        )
        self._centre.live.changed("approval", ended.id, self.now())

    def _ended(self, asked: Approval, status: ApprovalStatus) -> Approval:
        """End a question that nobody answered; return how it ended, now or before."""
        try:
            return self._centre.approvals.decide(
                asked.id, status, by=SYSTEM, at=self.now(), note=""
            )
        except AlreadyDecided:  # performed before a crash, or a person was a moment earlier
            return self._centre.approvals.get(asked.id)

    def _record_intent(self, order: Order) -> None:
        self._centre.audit.once(
            "order.intent",
            order,
            "intent",
            {
                "order_id": order.id,
                "agent": order.agent,
                "playbook": order.playbook,
                "version": order.version,
                "digest": order.digest,
                "parameters": dict(order.parameters),
                "dry_run": order.dry_run,
            },
        )

    def _close(self, incident: IncidentId, deed: flow.Close) -> None:
        found, now = self._centre.incidents.get(incident), self.now()
        if found.status is Status.VERIFYING:
            self._centre.audit.once(
                "incident.verified",
                found,
                "verified",
                {"passed": deed.outcome is Outcome.RESOLVED, "detail": deed.summary[:500]},
            )
        if deed.outcome is Outcome.RESOLVED:
            crediting.closed(self._centre, found, now)
        self._centre.audit.once(
            "incident.closed",
            found,
            "closed",
            {
                "outcome": deed.outcome.value,
                "summary": deed.summary[:1000],
                "escalated": deed.escalate,
                "closed_ms": _ms(now),
                "duration_ms": _ms(now) - _ms(found.opened_at),
            },
            actor=deed.by or SYSTEM,
        )
        self._centre.incidents.move(
            incident, Status.CLOSED, summary=deed.summary, outcome=deed.outcome, at=now
        )
        self._centre.live.changed("incident", incident, now)
        self._centre.bells.ring(found.agent)  # so that its host co-signs the end soon


def _asked_for(incident: Incident) -> dict[str, Any]:
    """Return what the record says of a person's request; nothing where nobody asked."""
    asked = incident.anomaly.request
    if asked is None:
        return {}
    return {
        "requested_by": asked.by,
        "requested_role": asked.role,
        "requested_from": asked.address,
        "requested_playbook": asked.playbook,
        "requested_digest": asked.digest,
        "requested_parameters": dict(asked.parameters),
        "requested_dry_run": asked.dry_run,
        "requested_note": asked.note,
    }


def _ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)
