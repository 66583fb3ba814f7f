"""What an incident comes from, as the engine said when it was decided; and what was changed."""

import json
from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from sentienguard.controlplane.api.caller import Caller, needs
from sentienguard.controlplane.problems import not_found
from sentienguard.flow import basis, deciding
from sentienguard.model import diagnosis as nouns
from sentienguard.model.access import Permission
from sentienguard.model.evidence import Changed
from sentienguard.model.ids import IncidentId
from sentienguard.model.incident import Incident
from sentienguard.ports.incident_store import NoSuchIncident

router = APIRouter(prefix="/api/v1", tags=["incidents"])
Viewer = Annotated[Caller, Depends(needs(Permission.VIEW))]


class SuspectView(BaseModel):
    """One object, or one change, that may be to blame."""

    object: str = Field(description="host:NAME, service:NAME or service:NAME@HOST; a change's id")
    cause: str
    score: float
    share: float = Field(description="Of the symptom that it explains, 0 to 1")
    path: list[str] = Field(description="From it to where the symptom is seen")
    evidence: list[str]
    against: list[str]


class BlameView(BaseModel):
    """Where measurements alone put the cause; policy looks at this and at no text."""

    object: str
    hosts: list[str]
    confidence: float
    is_here: bool = Field(description="A remedy on the incident's host can reach it")


class DiagnosisView(BaseModel):
    """What an incident comes from, or why nobody is blamed."""

    incident: str
    asked: bool = Field(description="Whether anybody looked; false before a decision")
    abstained: str = Field(description="Why nobody is blamed; empty if somebody is")
    absent: str = Field(description="Why there is no diagnosis at all; empty if there is one")
    confidence: float
    sure: bool = Field(description="Whether it is sure enough for policy to go by it; else a hint")
    first: SuspectView | None
    runner_up: SuspectView | None
    others: list[SuspectView]
    edges: list[tuple[str, str]] = Field(description="How it travelled, from cause to effect")
    changes: list[SuspectView] = Field(description="To look at first; `none`: nobody's change")
    blame: BlameView | None
    left_out: list[str] = Field(description="What was beyond a limit")
    snapshot: str | None = Field(description="Digest of the snapshot that it was made from")


class ChangedView(BaseModel):
    """Something that somebody changed. Untrusted text, redacted."""

    id: str
    environment: str
    at: datetime
    service: str
    kind: str
    version: str
    by: str
    summary: str


class ChangeList(BaseModel):
    """Changes, newest first."""

    items: list[ChangedView]


@router.get("/incidents/{incident_id}/diagnosis")
def diagnosis(incident_id: str, caller: Viewer) -> DiagnosisView:
    """Show what the incident comes from, as it was said when it was decided."""
    incident = _visible(caller, incident_id)
    made = caller.centre.incidents.decision(incident.id)
    known = made.evidence.diagnosis if made is not None else None
    verdict = known.verdict if known is not None else None
    ranked = [_suspect(one) for one in verdict.ranked] if verdict is not None else []
    blame = known.blame if known is not None else None
    confidence = verdict.confidence if verdict is not None else 0.0
    return DiagnosisView(
        incident=incident.id,
        asked=known is not None,
        abstained=verdict.abstained if verdict is not None else "",
        absent=known.absent if known is not None else "",
        confidence=confidence,
        sure=confidence >= deciding.settings_of(caller.centre.settings).blame_from,
        first=ranked[0] if ranked else None,
        runner_up=ranked[1] if len(ranked) > 1 else None,
        others=ranked[2:],
        edges=list(verdict.edges) if verdict is not None else [],
        changes=[_suspect(one) for one in verdict.changes] if verdict is not None else [],
        blame=None
        if blame is None
        else BlameView(
            object=blame.object,
            hosts=list(blame.hosts),
            confidence=blame.confidence,
            is_here=blame.is_here,
        ),
        left_out=list(known.left_out) if known is not None else [],
        snapshot=known.snapshot if known is not None else None,
    )


@router.get("/incidents/{incident_id}/snapshot")
def snapshot(incident_id: str, caller: Viewer) -> dict[str, Any]:
    """Return the snapshot that the diagnosis was made from, as `sentienguard diagnose` reads it."""
    incident = _visible(caller, incident_id)
    for entry in reversed(caller.centre.log.by_incident(incident.id)):  # the last decision's
        if entry.fields["kind"] != "decision.made":
            continue
        for blob in entry.fields["blobs"]:
            if blob["type"] == basis.SNAPSHOT_TYPE:
                found: dict[str, Any] = json.loads(caller.centre.log.get_blob(blob["sha256"]))
                return found
    raise not_found(f"{incident_id}: no diagnosis was made, so there is no snapshot")


@router.get("/changes")
def changes(
    caller: Viewer,
    environment: Annotated[str | None, Query(max_length=64)] = None,
    hours: Annotated[int, Query(ge=1, le=24 * 90)] = 24,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> ChangeList:
    """List what pipelines and people said that they changed, newest first."""
    now = caller.centre.clock.now()
    places = [
        one
        for one in caller.centre.environments
        if environment in {None, one} and caller.may(Permission.VIEW, one)
    ]
    found = [
        (place, one)
        for place in places
        for one in caller.centre.changes.between(
            place, now - timedelta(hours=hours), now, limit=limit
        )
    ]
    found.sort(key=lambda pair: (pair[1].at, pair[1].id), reverse=True)
    return ChangeList(items=[_changed(place, one) for place, one in found[:limit]])


def _changed(environment: str, one: Changed) -> ChangedView:
    return ChangedView(
        id=one.id,
        environment=environment,
        at=one.at,
        service=one.service,
        kind=one.kind,
        version=one.version,
        by=one.by,
        summary=one.summary,
    )


def _suspect(one: nouns.Suspect) -> SuspectView:
    return SuspectView(
        object=one.object,
        cause=one.cause,
        score=one.score,
        share=one.share,
        path=list(one.path),
        evidence=list(one.evidence),
        against=list(one.against),
    )


def _visible(caller: Caller, incident_id: str) -> Incident:
    incident = caller.centre.incidents.get(IncidentId(incident_id))
    if not caller.may(Permission.VIEW, incident.environment):
        raise NoSuchIncident.called(incident_id)
    return incident
