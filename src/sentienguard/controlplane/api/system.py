"""Health, the numbers at the top of the dashboard, and Prometheus metrics."""

import statistics
from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from sentienguard.controlplane.api import schemas
from sentienguard.controlplane.api.caller import Caller, centre_of, needs
from sentienguard.controlplane.api.hosts import is_silent
from sentienguard.model.access import Permission
from sentienguard.model.incident import Incident, Outcome, Status
from sentienguard.ports.incident_store import IncidentFilter

router = APIRouter(tags=["system"])
WEEK = timedelta(days=7)
MOST_COUNTED = 2_000  # incidents looked at for the week's numbers


@router.get("/healthz", include_in_schema=False)
def healthz() -> dict[str, str]:
    """Answer while the process lives."""
    return {"status": "ok"}


@router.get("/readyz", include_in_schema=False)
def readyz(request: Request) -> dict[str, str]:
    """Answer once incidents can run. Raises 503 before."""
    centre = centre_of(request)
    centre.messages.engine()
    centre.log.size()
    return {"status": "ready"}


@router.get("/metrics", include_in_schema=False)
def metrics(request: Request) -> Response:
    """Return counters in the Prometheus text format."""
    text = centre_of(request).counters.exposition()
    return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")


@router.get("/api/v1/overview")
def overview(caller: Annotated[Caller, Depends(needs(Permission.VIEW))]) -> schemas.Overview:
    """Return the numbers at the top of the dashboard."""
    centre = caller.centre
    since = centre.clock.now() - WEEK
    seen = [one for one in centre.incidents.unfinished() if _visible(caller, one)]
    closed = [one for one in _closed(caller) if one.opened_at >= since]
    resolved = [one for one in closed if one.outcome is Outcome.RESOLVED]
    durations = [
        (one.closed_at - one.opened_at).total_seconds() for one in resolved if one.closed_at
    ]
    hosts = [one for one in centre.agents.list() if caller.may(Permission.VIEW, one.environment)]
    return schemas.Overview(
        open=len(seen),
        awaiting_approval=sum(one.status is Status.AWAITING_APPROVAL for one in seen),
        closed_7d=len(closed),
        resolved_7d=len(resolved),
        unattended_7d=sum(centre.approvals.of(one.id) is None for one in resolved),
        median_seconds_to_resolve_7d=statistics.median(durations) if durations else None,
        hosts=len(hosts),
        silent_hosts=sum(is_silent(caller, one) for one in hosts),
        frozen=centre.switches.freeze() is not None,
    )


def _closed(caller: Caller) -> list[Incident]:
    where = IncidentFilter(status=Status.CLOSED)
    page = caller.centre.incidents.list(where, cursor=None, limit=MOST_COUNTED)
    return [one for one in page.incidents if _visible(caller, one)]


def _visible(caller: Caller, incident: Incident) -> bool:
    return caller.may(Permission.VIEW, incident.environment)
