"""Health, the numbers at the top of the dashboard, and Prometheus metrics."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from sentienguard.controlplane.api import hosts, schemas, views
from sentienguard.controlplane.api.caller import Caller, centre_of, needs
from sentienguard.controlplane.api.figures import seen_by
from sentienguard.model.access import Permission
from sentienguard.ports.agent_store import AgentFilter, Health

router = APIRouter(tags=["system"])
WEEK = timedelta(days=7)
MOST_LEFT = 5  # of what waits for people; the list of incidents has the others


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
    places = seen_by(caller)
    now = centre.figures.now(places)
    since = centre.clock.now() - WEEK
    (week,) = centre.figures.tallies(places, start=since, width=WEEK, count=1)
    left = centre.figures.left_to_people(places, since=since, limit=MOST_LEFT)
    seen = AgentFilter(frozenset(places), hosts.silent_before(caller))
    stand, all_hosts = centre.agents.counts(seen)
    return schemas.Overview(
        open=now.open,
        awaiting_approval=now.awaiting_approval,
        closed_7d=week.closed,
        resolved_7d=week.resolved,
        unattended_7d=week.unattended,
        median_seconds_to_resolve_7d=week.median_s,
        hosts=all_hosts,
        silent_hosts=stand[Health.SILENT],
        quarantined_hosts=stand[Health.QUARANTINE],
        left_to_people_7d=[views.summary(centre.incidents.get(one)) for one in left],
        frozen=centre.switches.freeze() is not None,
    )
