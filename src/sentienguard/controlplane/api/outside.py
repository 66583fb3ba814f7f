"""What other systems say of an enrolled host: their series, which stopped, and what is usual.

Only series of the host's own environment are shown: the environment is the sender's token's, so a
token of one environment cannot name a host of another.
"""

from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from pydantic import AwareDatetime, BaseModel, Field

from sentienguard.controlplane.api import incident_schemas, schemas, views
from sentienguard.controlplane.api.caller import Caller, needs
from sentienguard.controlplane.outside_watch import Heard, OutsideWatch
from sentienguard.model import errors
from sentienguard.model.access import Permission
from sentienguard.model.ids import AgentId
from sentienguard.model.telemetry import Series
from sentienguard.ports.agent_store import Agent, NoSuchAgent

router = APIRouter(prefix="/api/v1/hosts", tags=["hosts"])
Viewer = Annotated[Caller, Depends(needs(Permission.VIEW))]
MOST_ITEMS = 1000  # of one answer


class LabelsWrong(errors.Rejected):
    """The labels are not NAME=VALUE, each name once."""


class OutsideSeries(BaseModel):
    """One series of another system."""

    metric: str
    labels: dict[str, str]
    value: float
    at: datetime = Field(description="of its newest reading")
    stopped_since: datetime | None = Field(
        description="its newest reading, where it stays away for ten minutes although its host "
        "goes on; null: it goes on"
    )
    baseline: incident_schemas.Baseline | None = Field(
        description="for this time of day; null: not learned, or a counter"
    )


class OutsideSeriesList(BaseModel):
    """Series of one host, those that stopped first, then by name."""

    items: list[OutsideSeries]
    total: int = Field(description="that match; `items` has the first of them")
    stopped: int = Field(description="of those")


class BaselineItem(BaseModel):
    """What one series normally does."""

    metric: str
    subject: str
    labels: dict[str, str] = Field(description="of other systems; empty: the agent's own")
    baseline: incident_schemas.Baseline


class BaselineList(BaseModel):
    """What is normal on one host at one time of day; series without a baseline are left out."""

    at: datetime
    items: list[BaselineItem]
    total: int = Field(description="that match; `items` has the first of them")


@router.get("/{agent_id}/outside")
def outside(
    agent_id: str,
    request: Request,
    caller: Viewer,
    *,
    text: Annotated[str, Query(max_length=200, description="part of a name")] = "",
    stopped: Annotated[bool, Query(description="true: only those that stopped")] = False,
    limit: Annotated[int, Query(ge=1, le=MOST_ITEMS)] = 100,
) -> OutsideSeriesList:
    """List what other systems send of a host since the control plane started."""
    agent = _agent(caller, agent_id)
    found = [
        one
        for one in _heard(request, agent)
        if text.lower() in str(one.series).lower() and (one.stopped or not stopped)
    ]
    found.sort(key=lambda one: (not one.stopped, one.series))
    now = caller.centre.clock.now()
    return OutsideSeriesList(
        items=[
            OutsideSeries(
                metric=one.series.metric,
                labels=dict(one.series.labels),
                value=one.value,
                at=one.at,
                stopped_since=one.at if one.stopped else None,
                baseline=views.baseline(caller.centre.baselines.of(one.series, now)),
            )
            for one in found[:limit]
        ],
        total=len(found),
        stopped=sum(one.stopped for one in found),
    )


@router.get("/{agent_id}/outside/readings")
def outside_readings(
    agent_id: str,
    request: Request,
    caller: Viewer,
    *,
    metric: Annotated[str, Query(max_length=200)],
    label: Annotated[list[str], Query(max_length=64, description="NAME=VALUE, all it has")],
    minutes: Annotated[int, Query(ge=1, le=7 * 24 * 60)] = 60,
) -> schemas.SeriesView:
    """Return the readings of one series of another system, and its baseline."""
    agent = _agent(caller, agent_id)
    labels = dict(_pair(one) for one in label)
    if len(labels) != len(label):
        raise LabelsWrong("label: expected each name once")
    known = {series.host for series in (one.series for one in _heard(request, agent))}
    # The agent's environment, whatever was asked for: nobody reads another one by its label.
    told = tuple(sorted({**labels, "environment": agent.environment}.items()))
    now = caller.centre.clock.now()
    since = now - timedelta(minutes=minutes)
    candidates = [Series(host, metric, "", told) for host in sorted(known | {agent.host})]
    ranges = [(one, caller.centre.metrics.range(one, since, now)) for one in candidates]
    wanted, readings = max(ranges, key=lambda one: len(one[1]))
    return schemas.SeriesView(
        metric=metric,
        subject="",
        points=[
            (datetime.fromtimestamp(int(at) / 1000, UTC), float(value))
            for at, value in zip(readings.times_ms, readings.values, strict=True)
        ],
        baseline=views.baseline(caller.centre.baselines.of(wanted, now)),
        band=views.band(caller.centre.baselines.between(wanted, since, now)),
    )


@router.get("/{agent_id}/baselines")
def baselines(
    agent_id: str,
    request: Request,
    caller: Viewer,
    *,
    text: Annotated[str, Query(max_length=200, description="part of a name")] = "",
    at: Annotated[AwareDatetime | None, Query(description="which time of day; now")] = None,
    limit: Annotated[int, Query(ge=1, le=MOST_ITEMS)] = MOST_ITEMS,
) -> BaselineList:
    """Return what each series of a host normally does at a time of day: its own and others'."""
    agent = _agent(caller, agent_id)
    when = at or caller.centre.clock.now()
    series = [
        *caller.centre.metrics.series(agent.host),
        *sorted(one.series for one in _heard(request, agent)),
    ]
    found = []
    for one in series:
        if text.lower() in str(one).lower():
            known = views.baseline(caller.centre.baselines.of(one, when))
            if known is not None:
                found.append((one, known))
    items = [
        BaselineItem(
            metric=one.metric, subject=one.subject, labels=dict(one.labels), baseline=known
        )
        for one, known in found[:limit]
    ]
    return BaselineList(at=when, items=items, total=len(found))


def _agent(caller: Caller, agent_id: str) -> Agent:
    agent = caller.centre.agents.get(AgentId(agent_id))
    if not caller.may(Permission.VIEW, agent.environment):
        raise NoSuchAgent.called(agent_id)
    return agent


def _heard(request: Request, agent: Agent) -> list[Heard]:
    door = getattr(request.app.state, "telemetry_door", None)
    watch: OutsideWatch | None = getattr(door, "watch", None)
    return watch.heard(agent.environment, agent.host) if watch else []


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise LabelsWrong(f"label {text[:100]!r}: expected NAME=VALUE")
    return name, value
