"""Who calls whom, as traces of other systems tell; their log lines; and who sends how much."""

from datetime import datetime, timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel

from sentienguard.controlplane.api.caller import Caller, needs
from sentienguard.model.access import Permission

router = APIRouter(prefix="/api/v1", tags=["telemetry"])
Viewer = Annotated[Caller, Depends(needs(Permission.VIEW))]


class EdgeView(BaseModel):
    """One service that calls another."""

    environment: str
    caller: str
    callee: str
    kind: Literal["request", "message", "database"]
    first_seen: datetime
    last_seen: datetime
    calls: int  # spans that told of it; less than there were where traces are sampled


class Topology(BaseModel):
    """Calls between services, by environment and name."""

    items: list[EdgeView]


class OutsideLogView(BaseModel):
    """One log line of another system, redacted before it was kept."""

    number: int
    environment: str
    host: str
    service: str
    at: datetime
    severity: str
    text: str


class OutsideLogList(BaseModel):
    """One page of log lines, newest first."""

    items: list[OutsideLogView]
    before: int | None  # ask for the next page with it; null: this was the last


class SenderPlace(BaseModel):
    """What one host, or what names none, sends to one environment."""

    environment: str
    host: str
    series: int  # that count against the limit now
    refused: int  # points of series beyond a limit, since the start
    limit: int


class SenderPlaces(BaseModel):
    """Places with the most refused points first, then with the most series; at most 1,000."""

    items: list[SenderPlace]


def _seen(caller: Caller) -> list[str]:
    return [one for one in caller.centre.environments if caller.may(Permission.VIEW, one)]


@router.get("/topology")
def topology(
    caller: Viewer,
    environment: Annotated[str | None, Query(max_length=64)] = None,
    hours: Annotated[int, Query(ge=1, le=24 * 90)] = 24,
) -> Topology:
    """List the calls between services that traces told of in the last hours."""
    places = [one for one in _seen(caller) if environment in {None, one}]
    since = caller.centre.clock.now() - timedelta(hours=hours)
    found = caller.centre.topology.edges(places, since=since)
    return Topology(
        items=[
            EdgeView(
                environment=one.environment,
                caller=one.edge.caller,
                callee=one.edge.callee,
                kind=one.edge.kind.value,
                first_seen=one.first_seen,
                last_seen=one.last_seen,
                calls=one.calls,
            )
            for one in found
        ]
    )


@router.get("/outside-logs")
def outside_logs(
    caller: Viewer,
    host: Annotated[str | None, Query(max_length=256)] = None,
    before: Annotated[int | None, Query(ge=1, lt=2**63)] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> OutsideLogList:
    """List log lines of other systems in the environments that the caller may see."""
    found = caller.centre.outside_logs.list(_seen(caller), host=host, before=before, limit=limit)
    items = [
        OutsideLogView(
            number=one.number,
            environment=one.line.environment,
            host=one.line.host,
            service=one.line.service,
            at=one.line.at,
            severity=one.line.severity,
            text=one.line.text,
        )
        for one in found
    ]
    return OutsideLogList(items=items, before=items[-1].number if len(items) == limit else None)


@router.get("/senders")
def senders(caller: Viewer, request: Request) -> SenderPlaces:
    """List who sends how many series, and what was refused beyond the limit."""
    seen = set(_seen(caller))
    limit = caller.centre.settings.series_per_host
    places = request.app.state.telemetry_door.limits.places()
    return SenderPlaces(
        items=[
            SenderPlace(environment=one.environment, host=one.host, series=one.series,
                        refused=one.refused, limit=limit)
            for one in places
            if one.environment in seen
        ]
    )  # fmt: skip
