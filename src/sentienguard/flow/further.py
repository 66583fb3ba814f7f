"""Whether an incident is decided again after its host ruled a remedy out, and on what.

Called by `receipts` when an order ends, and by `deciding`. Rules, beside those of
`stages.decide.further`:

 1. Only what the log holds counts: the entries of the order are durable when its end is looked at.
 2. Nothing of the order has begun: no step and no undo of it was reported, and nothing was left.
 3. Nobody asked for a stop, and nobody had asked for the playbook by name.
 4. The order is the one of the incident's last decision, and that decision lists another one.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sentienguard.flow.centre import Centre
from sentienguard.model.decision import Decision, Route
from sentienguard.model.ids import IncidentId, OrderId, PlaybookName, order_id
from sentienguard.model.incident import Incident
from sentienguard.model.order import ExecutionOutcome, StepStatus
from sentienguard.stages.audit import record as records
from sentienguard.stages.decide import further
from sentienguard.stages.decide.facts import Before, RuledOut

_UNTOUCHED = frozenset({ExecutionOutcome.REFUSED, ExecutionOutcome.ABORTED})
_ACTED = frozenset({"step.done", "undo.done"})
_HELD = frozenset({StepStatus.SUCCESS.value, StepStatus.WARNED.value})


def is_not_for_this(
    centre: Centre,
    incident: IncidentId,
    order: OrderId,
    outcome: ExecutionOutcome,
    data: Mapping[str, Any],
) -> bool:
    """Tell whether the host ruled the order's remedy out untouched, and another one is left.

    `data` is the entry that ended it, `order.refused` or `order.finished`.
    """
    guarded = data.get("rule") == further.GUARD
    if outcome not in _UNTOUCHED or (outcome is ExecutionOutcome.REFUSED and not guarded):
        return False
    decision = centre.incidents.decision(incident)
    if decision is None or _order_of(decision) != order or not further.is_left(decision):  # rule 4
        return False
    asked = decision.evidence.anomaly.request is not None
    if asked or centre.orders.get(order).stop_requested_by:  # rule 3
        return False
    told = _told(centre, incident, order)
    if any(one["kind"] in _ACTED for one in told):  # rule 2
        return False
    if outcome is ExecutionOutcome.REFUSED:
        return True
    return _measured(centre, decision, told, str(data.get("reason", "")))


def before(centre: Centre, incident: Incident, ruled_out: Sequence[OrderId]) -> Before:
    """Return what another decision about the incident has to know of those before it."""
    found = [centre.orders.get(one).order for one in ruled_out]
    last = centre.incidents.decision(incident.id)
    known = last is not None and _order_of(last) == ruled_out[-1]
    return Before(
        ruled_out=tuple(RuledOut(one.playbook, one.digest, one.id) for one in found),
        # Without the decision before there is nothing to choose from.
        listed=tuple(one.digest for one in last.candidates) if last is not None and known else (),
        at_most=last.route if last is not None and known else Route.ESCALATE,
        symptom_stands=any(
            one.incident == incident.id for one in centre.episodes.standing(incident.agent)
        ),
    )


def playbook_of(centre: Centre, order: OrderId) -> PlaybookName:
    """Return the playbook of an order."""
    return centre.orders.get(order).order.playbook


def _order_of(decision: Decision) -> OrderId | None:
    if decision.digest is None:
        return None
    dry_run = decision.route is Route.DRY_RUN
    return order_id(decision.incident, decision.digest, dry_run=dry_run)


def _told(centre: Centre, incident: IncidentId, order: OrderId) -> list[dict[str, Any]]:
    """Return what the incident's host said of this order (rule 1)."""
    return [
        one
        for one in records.believed(centre.log.by_incident(incident))
        if one["src"].startswith("agent:") and one["data"].get("order_id") == order
    ]


def _measured(
    centre: Centre, decision: Decision, told: Sequence[Mapping[str, Any]], reason: str
) -> bool:
    shelved = centre.library.named(decision.playbook or "")
    if shelved is None or shelved.playbook.digest != decision.digest:
        return False
    ended = [one["data"] for one in told if one["kind"] == "precheck.done"]
    # One that was stopped did not measure: it counts as a check of no known kind.
    failed = [
        str(one.get("name", "")) if one.get("status") == StepStatus.FAILED.value else ""
        for one in ended
        if one.get("status") not in _HELD
    ]
    return further.measured(shelved.playbook, failed, reason)
