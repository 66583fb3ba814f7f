"""Incidents: list them, tell one as a story, stop what is under way."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from fastapi import status as http
from pydantic import AwareDatetime

from sentienguard.controlplane import versions
from sentienguard.controlplane.api import (
    approvals,
    incident_advice,
    incident_schemas,
    replay_views,
    schemas,
    views,
)
from sentienguard.controlplane.api.caller import Caller, needs
from sentienguard.flow import replaying, reports, stopping
from sentienguard.model import errors
from sentienguard.model.access import Permission
from sentienguard.model.anomaly import Severity
from sentienguard.model.ids import IncidentId, order_id
from sentienguard.model.incident import Incident, Outcome, Status
from sentienguard.ports.incident_store import IncidentFilter, NoSuchIncident
from sentienguard.ports.order_store import KeptOrder, NoSuchOrder

router = APIRouter(prefix="/api/v1/incidents", tags=["incidents"])
Viewer = Annotated[Caller, Depends(needs(Permission.VIEW))]
Stopper = Annotated[Caller, Depends(needs(Permission.STOP_EXECUTION))]


@router.get("")
def list_incidents(  # noqa: PLR0917  # one argument for each query parameter
    caller: Viewer,
    status: Status | None = None,
    outcome: Outcome | None = None,
    environment: str | None = None,
    host: str | None = None,
    severity: Severity | None = None,
    since: Annotated[AwareDatetime | None, Query(description="opened then or later")] = None,
    until: Annotated[AwareDatetime | None, Query(description="opened before then")] = None,
    text: Annotated[str | None, Query(max_length=200)] = None,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> incident_schemas.IncidentPage:
    """List incidents of the environments that the caller may see, newest first."""
    # The store leaves the others out: a page that ends elsewhere tells what is there.
    where = IncidentFilter(
        status, outcome, environment, host, text, caller.sees(), severity, since, until
    )
    page = caller.centre.incidents.list(where, cursor=cursor, limit=limit)
    seen = [one for one in page.incidents if caller.may(Permission.VIEW, one.environment)]
    cares = caller.centre.care.of_many([one.id for one in seen])
    return incident_schemas.IncidentPage(
        items=[views.summary(one, cares[one.id]) for one in seen],
        next_cursor=page.next_cursor,
    )


@router.get("/{incident_id}")
def story(incident_id: str, caller: Viewer) -> incident_schemas.IncidentStory:
    """Tell one incident: the anomaly, the decision, the question, the order, every fact."""
    centre = caller.centre
    incident = _visible(caller, incident_id)
    kept = _order(caller, incident)
    approval = centre.approvals.of(incident.id)
    cared = centre.care.of(incident.id)
    return incident_schemas.IncidentStory(
        incident=views.summary(incident, cared),
        care=views.care(incident, cared),
        agent_id=incident.agent,
        tags=dict(incident.tags),
        anomaly=views.anomaly(incident.anomaly),
        decision=views.decision(centre.incidents.decision(incident.id)),
        approval=approvals.shown(caller, approval) if approval else None,
        order=views.order(kept, reports.steps(centre.log, incident.id, kept.order.id))
        if kept
        else None,
        advice=incident_advice.shown(
            centre.log, incident.id, centre.incidents.decision(incident.id)
        ),
        timeline=[views.timeline(entry) for entry in centre.log.by_incident(incident.id)],
    )


@router.get("/{incident_id}/alike")
def alike(
    incident_id: str, caller: Viewer, limit: Annotated[int, Query(ge=1, le=50)] = 5
) -> list[incident_schemas.AlikeView]:
    """List earlier incidents of its environment whose measured facts mean the same, or nearly.

    Empty where vectors are not kept in a database (setting `embedding_store`).
    """
    incident = _visible(caller, incident_id)
    meanings = caller.centre.meanings
    found = meanings.alike(incident.id, limit) if meanings else []
    kept = [(one, caller.centre.incidents.get(one.incident)) for one in found]
    return [
        incident_schemas.AlikeView(incident=views.summary(past), cosine=one.cosine)
        for one, past in kept
    ]


@router.get("/{incident_id}/record")
def record(incident_id: str, caller: Viewer) -> dict[str, Any]:
    """Return the incident record, rendered from the audit log alone."""
    incident = _visible(caller, incident_id)
    return reports.record(caller.centre.log, incident.id)


@router.get("/{incident_id}/replay")
def replay(incident_id: str, caller: Viewer) -> replay_views.ReplayView:
    """Make the decision again from what the audit log kept, and say where the two differ."""
    incident = _visible(caller, incident_id)
    again = replaying.Replaying(caller.centre, versions.deciding())
    return replay_views.replay(again.replay(incident))


@router.post("/{incident_id}/replay")
def replay_under(
    incident_id: str, asked: replay_views.ReplayUnder, caller: Viewer
) -> replay_views.ReplayView:
    """As GET, and show rule by rule what another policy would have decided; nothing is changed."""
    incident = _visible(caller, incident_id)
    again = replaying.Replaying(caller.centre, versions.deciding())
    return replay_views.replay(again.replay(incident, asked.policy))


@router.post("/{incident_id}/stop", status_code=http.HTTP_202_ACCEPTED)
def stop(
    incident_id: str, answer: schemas.AnswerNote, caller: Stopper
) -> incident_schemas.IncidentSummary:
    """Stop an execution in mid-flight: the host kills the step and undoes what ran."""
    incident = _visible(caller, incident_id)
    caller.require(Permission.STOP_EXECUTION, incident.environment, f"stop {incident_id}")
    kept = _order(caller, incident)
    why = {"note": answer.note, "ip_address": caller.address}
    if kept is None or not stopping.stop(caller.centre, kept, by=caller.user.name, data=why):
        message = f"{incident_id}: nothing is under way that could be stopped"
        raise errors.Rejected(message)
    return views.summary(incident)


def _visible(caller: Caller, incident_id: str) -> Incident:
    incident = caller.centre.incidents.get(IncidentId(incident_id))
    if not caller.may(Permission.VIEW, incident.environment):
        raise NoSuchIncident.called(incident_id)
    return incident


def _order(caller: Caller, incident: Incident) -> KeptOrder | None:
    made = caller.centre.incidents.decision(incident.id)
    if made is None or made.digest is None:
        return None
    for dry_run in (False, True):
        try:
            return caller.centre.orders.get(order_id(incident.id, made.digest, dry_run=dry_run))
        except NoSuchOrder:
            continue
    return None
