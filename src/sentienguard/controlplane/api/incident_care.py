"""What people do about an incident besides answering: have it, give it away, note, close, reopen.

Every act is recorded with the person as its actor. Rules:

 1. Closing by hand ends what waits for people or for the symptom to go, through the incident's own
    flow. What is under way has to be stopped first. An incident that ended in people's hands keeps
    its outcome: what the system did is not rewritten, and no playbook is credited.
 2. Reopening is a new incident of the same symptom, linked to the old one. A playbook that ran for
    the old one does not run again alone (flow.deciding).
 3. A note is kept in the audit log alone.
"""

from dataclasses import replace
from datetime import timedelta
from http import HTTPStatus
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends
from fastapi import status as http

from sentienguard.controlplane.api import care_schemas, incident_schemas, schemas, views
from sentienguard.controlplane.api.caller import Caller, needs
from sentienguard.controlplane.problems import ProblemError
from sentienguard.flow import incident as flow
from sentienguard.model import care as cares
from sentienguard.model import errors, ids
from sentienguard.model.access import Permission
from sentienguard.model.anomaly import Anomaly
from sentienguard.model.care import Signed
from sentienguard.model.ids import IncidentId
from sentienguard.model.incident import Incident, Status
from sentienguard.ports.audit_log import Appended
from sentienguard.ports.episode_store import Episode
from sentienguard.ports.incident_care import AlreadySettled
from sentienguard.ports.incident_store import NoSuchIncident
from sentienguard.ports.user_store import NoSuchUser

router = APIRouter(prefix="/api/v1/incidents", tags=["incidents"])
# Observers reach the handler, so that a denial is recorded with the environment it was tried in.
Handler = Annotated[Caller, Depends(needs(Permission.VIEW))]

OWN_READING: Final = timedelta(hours=1)  # an older reading of the host says nothing of now
MOST_NOTE_BYTES: Final = 1500  # of a note, so that it fits an entry however it is written
CONFLICT: Final[dict[int | str, dict[str, Any]]] = {
    409: {"model": schemas.Problem, "description": "it is not in a state for this; read it again"}
}


@router.post("/{incident_id}/acknowledge", responses=CONFLICT)
def acknowledge(
    incident_id: str, answer: schemas.AnswerNote, caller: Handler
) -> care_schemas.CareView:
    """Say that you have it in hand: nobody is reminded of it any more. The first one counts."""
    incident = _handled(caller, incident_id, "acknowledge")
    found = caller.centre.care.of(incident.id)
    if incident.status is Status.CLOSED and not cares.needs_people(incident, found):
        raise _conflict(f"{incident.id} is closed and in nobody's hands; reopen it to go on")
    found = caller.centre.care.acknowledge(incident.id, _me(caller))
    if found.acknowledged is not None and found.acknowledged.by == caller.user.name:
        _record(
            caller,
            incident,
            "incident.acknowledged",
            {"note": answer.note[:500]},
            key="acknowledged",
        )
    return views.care(incident, found)


@router.post("/{incident_id}/assign")
def assign(
    incident_id: str, wanted: care_schemas.AssignRequest, caller: Handler
) -> care_schemas.CareView:
    """Give it to a person who may see it, or to nobody."""
    incident = _handled(caller, incident_id, "assign")
    if wanted.to is not None:
        _require_person(caller, wanted.to, incident)
    _record(caller, incident, "incident.assigned", {"to": wanted.to or ""})
    return views.care(incident, caller.centre.care.assign(incident.id, wanted.to, _me(caller)))


@router.post("/{incident_id}/notes", status_code=http.HTTP_201_CREATED)
def note(
    incident_id: str, wanted: care_schemas.NoteRequest, caller: Handler
) -> care_schemas.NoteAnswer:
    """Write a note into its story; it stays as it is."""
    incident = _handled(caller, incident_id, "note")
    said = wanted.text.strip()
    if not said or len(said.encode()) > MOST_NOTE_BYTES:
        message = f"a note has 1 to {MOST_NOTE_BYTES} bytes, this one {len(said.encode())}"
        raise errors.Rejected(message)
    kept = _record(caller, incident, "incident.noted", {"text": said})
    return care_schemas.NoteAnswer(index=kept.index)


@router.post("/{incident_id}/close", responses=CONFLICT)
def close(
    incident_id: str, wanted: care_schemas.ReasonRequest, caller: Handler
) -> care_schemas.CareView:
    """Close it by hand (rule 1): a person fixed it, and no playbook is credited."""
    incident = _handled(caller, incident_id, "close")
    centre = caller.centre
    found = centre.care.of(incident.id)
    if incident.status is Status.CLOSED and not cares.needs_people(incident, found):
        raise _conflict(f"{incident.id} is closed already: {incident.outcome}")
    if incident.status is not Status.CLOSED and incident.status not in flow.SETTLED_FROM:
        raise _conflict(
            f"{incident.id} is {incident.status}: stop what is under way first "
            f"(sentienguard incidents stop {incident.id}), or try again in a moment"
        )
    me = _me(caller)
    try:
        found = centre.care.settle(incident.id, me, wanted.reason)
    except AlreadySettled:
        if incident.status is Status.CLOSED or found.settled is None:
            raise
        me = found.settled  # a crash may have come before its flow heard of it
    said = {"reason": wanted.reason, "outcome": incident.outcome or ""}
    _record(caller, incident, "incident.settled", said, key="settled")
    if incident.status is not Status.CLOSED:
        settled = flow.Settled(me.at, me.by, found.settled_because or wanted.reason)
        centre.tell(incident.id, settled, key=f"settled/{incident.status.value}")
    return views.care(incident, found)


@router.post("/{incident_id}/reopen", status_code=http.HTTP_201_CREATED, responses=CONFLICT)
def reopen(
    incident_id: str, wanted: care_schemas.ReasonRequest, caller: Handler
) -> incident_schemas.IncidentSummary:
    """Go on with a closed incident as a new one, linked to it (rule 2)."""
    incident = _handled(caller, incident_id, "reopen")
    centre = caller.centre
    if incident.status is not Status.CLOSED:
        raise _conflict(f"{incident.id} is open still: {incident.status}")
    if incident.anomaly.request is not None:
        raise _conflict(f"{incident.id} was asked for by name: ask for the playbook again")
    now = centre.clock.now()
    name = ids.incident_id(now, centre.entropy.bytes(4))
    new = replace(
        incident,
        id=name,
        anomaly=_as_it_is_now(caller, incident.anomaly),
        opened_at=now,
        status=Status.OPEN,
        outcome=None,
        closed_at=None,
        summary=incident.anomaly.reason,
        earlier=(incident.id, *incident.earlier),
        reopens=incident.id,
    )
    opened = centre.incidents.open(new)
    if opened.id != name:
        raise _conflict(f"its symptom has an open incident already: {opened.id}")
    said = {"reason": wanted.reason, "as": name}
    _record(caller, incident, "incident.reopened", said, key=f"reopened/{name}")
    _take_over_the_symptom(caller, incident, name)
    centre.begin(name)
    centre.live.changed("incident", name, now)
    return views.summary(opened)


def _handled(caller: Caller, incident_id: str, what: str) -> Incident:
    """Return an incident that the caller may handle."""
    incident = caller.centre.incidents.get(IncidentId(incident_id))
    if not caller.may(Permission.VIEW, incident.environment):
        raise NoSuchIncident.called(incident_id)
    caller.require(Permission.HANDLE_INCIDENT, incident.environment, f"{what} {incident_id}")
    return incident


def _require_person(caller: Caller, name: str, incident: Incident) -> None:
    try:
        person = caller.centre.users.get(name)
    except NoSuchUser:
        person = None
    if person is None or not person.may(Permission.VIEW, incident.environment, caller.at):
        message = f"{name} is nobody who may see incidents of {incident.environment}"
        raise errors.Rejected(message)


def _take_over_the_symptom(caller: Caller, old: Incident, new: IncidentId) -> None:
    """Let the new incident's symptom end where the old one's would; it is over if that one is."""
    episodes, now = caller.centre.episodes, caller.centre.clock.now()
    stands = any(one.incident == old.id for one in episodes.standing(old.agent))
    text = episodes.sample_of(old.id) or ""
    episodes.start(Episode(new, old.agent, old.fingerprint, now, text))
    episodes.clear(old.id if stands else new, at=now)


def _as_it_is_now(caller: Caller, anomaly: Anomaly) -> Anomaly:
    """Return the anomaly with the newest reading of its series, where the host has one."""
    now = caller.centre.clock.now()
    found = caller.centre.metrics.range(anomaly.series, now - OWN_READING, now)
    value = float(found.values[-1]) if len(found.values) else anomaly.value
    return replace(anomaly, at=now, value=value)


def _record(
    caller: Caller, incident: Incident, kind: str, data: dict[str, str], *, key: str = ""
) -> Appended:
    centre = caller.centre
    kept = centre.audit.append(
        kind=kind,
        env=incident.environment,
        actor=caller.user.name,
        incident=incident.id,
        key=f"{incident.id}/{key}" if key else "",
        data={**data, "ip_address": caller.address},
    )
    centre.live.changed("incident", incident.id, centre.clock.now())
    return kept


def _me(caller: Caller) -> Signed:
    return Signed(caller.user.name, caller.centre.clock.now())


def _conflict(detail: str) -> ProblemError:
    return ProblemError(HTTPStatus.CONFLICT, "conflict", detail)
