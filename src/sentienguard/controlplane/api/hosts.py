"""Hosts: who is there, what they last said, and their series with the baseline."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field, StringConstraints

from sentienguard.controlplane.api import schemas, views
from sentienguard.controlplane.api.caller import Caller, needs
from sentienguard.controlplane.api.figures import seen_by
from sentienguard.flow import departures, host_budgets, outlook
from sentienguard.model.access import Permission
from sentienguard.model.ids import AgentId
from sentienguard.model.order import HOST_PER_HOUR
from sentienguard.model.telemetry import Series
from sentienguard.ports.agent_store import Agent, AgentFilter, Health, NoSuchAgent
from sentienguard.stages.decide.outlook import Outlook

router = APIRouter(prefix="/api/v1/hosts", tags=["hosts"])
Viewer = Annotated[Caller, Depends(needs(Permission.VIEW))]
# Who keeps the accounts of people keeps those of hosts.
Keeper = Annotated[Caller, Depends(needs(Permission.MANAGE_USERS, fresh=True))]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]
SILENT_AFTER_INTERVALS = 3
MOST_METRICS = 20  # that a list of hosts may be asked for by name
LARGEST_PAGE = 500


class IdentityRequest(BaseModel):
    """Why a host's identity is judged anew."""

    reason: str = Field(min_length=1, max_length=500)


class HostCounts(BaseModel):
    """How many hosts stand how, whatever `health` and the page leave out of `items`."""

    quarantine: int
    silent: int
    heard: int = Field(description="neither; one that is both counts in both of them")
    all: int


class HostList(BaseModel):
    """Hosts, those in quarantine first, then by name."""

    items: list[schemas.HostView]
    next_cursor: str | None = Field(description="of the next page; null: this was the last")
    counts: HostCounts


class StoppedSeries(BaseModel):
    """A series that its host once sent and leaves out now."""

    metric: str
    subject: str
    last_at: datetime
    value: float


class HostDetail(schemas.HostView):
    """One host, with what only its own page shows."""

    stopped: list[StoppedSeries] = Field(
        description="series that are three sampling intervals behind the host's newest reading"
    )
    centre_root_version: int = Field(
        description="of the root document that the control plane goes by and hands to hosts"
    )


class RuleView(BaseModel):
    """What one rule of policy would allow at most, and why."""

    rule: str
    route: views.RouteName
    reason: str
    deciding: bool = Field(description="nothing else restricts more")


class MayRunView(BaseModel):
    """One playbook and the most that policy would permit of it on a host."""

    playbook: str
    version: str
    risk: Literal["SAFE", "WARNING", "CRITICAL"]
    symptom: str
    route: views.RouteName = Field(description="at most; an incident's own rules restrict further")
    rules: list[RuleView]
    starts: int = Field(description="of the last hour there, of any version, as the host told")
    max_per_hour: int = Field(description="starts that its signed bytes allow a host in an hour")


class MayRunList(BaseModel):
    """Playbooks, those that may do most first, then by name."""

    items: list[MayRunView]
    heard_at: datetime | None = Field(
        description="when the host was heard last: starts that it has not told yet are in no number"
    )
    starts: int = Field(description="of all playbooks in the last hour, as the host told")
    max_per_hour: int = Field(description="starts of all playbooks that a host takes in an hour")


@router.get("")
def list_hosts(  # noqa: PLR0917  # one argument for each query parameter
    caller: Viewer,
    metric: Annotated[
        list[Name],
        Query(max_length=MOST_METRICS, description="of which to tell the newest readings; all"),
    ] = [],  # noqa: B006 - copied by FastAPI
    text: Annotated[
        str, Query(max_length=200, description="in the name, the environment or a tag")
    ] = "",
    environment: Annotated[str, Query(max_length=200)] = "",
    health: Health | None = None,
    cursor: Annotated[str | None, Query(max_length=1000)] = None,
    limit: Annotated[
        int | None, Query(ge=1, le=LARGEST_PAGE, description="hosts of a page; left out: all")
    ] = None,
) -> HostList:
    """List the hosts of the environments that the caller may see.

    Thousands of hosts have hundreds of series each: name the metrics that are wanted, and ask for
    pages.
    """
    centre = caller.centre
    where = AgentFilter(
        frozenset(seen_by(caller)), silent_before(caller), text, environment, health
    )
    page = centre.agents.page(where, cursor=cursor, limit=limit)
    counts, every = centre.agents.counts(where)
    open_incidents = centre.incidents.open_by_agent()
    latest = centre.metrics.latest_of({one.host for one in page.agents}, metric)
    return HostList(
        items=[
            _shown(one, where.silent_before, open_incidents.get(one.id, 0), latest[one.host])
            for one in page.agents
        ],
        next_cursor=page.next_cursor,
        counts=HostCounts(all=every, **{one.value: counts[one] for one in Health}),
    )


@router.get("/{agent_id}")
def host(agent_id: str, caller: Viewer) -> HostDetail:
    """Return one host with its series that stopped."""
    centre = caller.centre
    agent = centre.agents.get(AgentId(agent_id))
    if not caller.may(Permission.VIEW, agent.environment):
        raise NoSuchAgent.called(agent_id)
    latest = centre.metrics.latest(agent.host)
    here = _shown(agent, silent_before(caller), _open(caller, agent), latest)
    newest = max((at for at, _ in latest.values()), default=None)
    patience = timedelta(seconds=SILENT_AFTER_INTERVALS * centre.settings.interval_s)
    return HostDetail(
        **dict(here),
        stopped=[
            StoppedSeries(metric=series.metric, subject=series.subject, last_at=at, value=value)
            for series, (at, value) in latest.items()
            if newest is not None and newest - at > patience
        ],
        centre_root_version=centre.trust.root.version,
    )


@router.post("/{agent_id}/release")
def release(agent_id: str, wanted: IdentityRequest, caller: Keeper) -> schemas.HostView:
    """Let orders go to a host in quarantine again: somebody looked, and it is one host."""
    agent, centre = _kept(caller, agent_id), caller.centre
    if agent.quarantined:
        _record(caller, agent, "agent.released", wanted.reason)
        centre.agents.release(agent.id)
        centre.live.changed("host", agent.id, caller.at)
    return _view(caller, caller.centre.agents.get(agent.id))


@router.post("/{agent_id}/strike-off")
def strike_off(agent_id: str, wanted: IdentityRequest, caller: Keeper) -> schemas.HostView:
    """Refuse a host's key from the next request on; its history stays. It may be enrolled anew.

    Orders that wait for it or are under way there end at once, and their incidents go to people.
    """
    agent, centre = _kept(caller, agent_id), caller.centre
    if agent.struck_off is None:
        _record(caller, agent, "agent.struck_off", wanted.reason)
        centre.agents.strike_off(agent.id, at=caller.at)
        centre.live.changed("host", agent.id, caller.at)
    departures.end_orders(centre, agent)  # also what an earlier request had no time for
    return _view(caller, caller.centre.agents.get(agent.id))


@router.get("/{agent_id}/playbooks")
def may_run(agent_id: str, caller: Viewer) -> MayRunList:
    """List what may run there at most, with the rules that decide; nothing has to be wrong yet."""
    centre = caller.centre
    agent = centre.agents.get(AgentId(agent_id))
    if not caller.may(Permission.VIEW, agent.environment):
        raise NoSuchAgent.called(agent_id)
    now = centre.clock.now()
    found = outlook.of_host(centre, agent, now)
    found.sort(key=lambda one: (-one.route, one.playbook.name))
    used = host_budgets.of_host(centre, agent, now)
    return MayRunList(
        items=[_may_run(one, used.starts.get(one.playbook.name, 0)) for one in found],
        heard_at=used.heard_at,
        starts=used.every,
        max_per_hour=HOST_PER_HOUR,
    )


@router.get("/{agent_id}/series")
def series(
    agent_id: str,
    caller: Viewer,
    metric: Annotated[str, Query(max_length=200)],
    subject: Annotated[str, Query(max_length=500)] = "",
    minutes: Annotated[int, Query(ge=1, le=7 * 24 * 60)] = 60,
) -> schemas.SeriesView:
    """Return the readings of one series of one host, and its baseline for this time of day."""
    agent = caller.centre.agents.get(AgentId(agent_id))
    if not caller.may(Permission.VIEW, agent.environment):
        raise NoSuchAgent.called(agent_id)
    now = caller.centre.clock.now()
    since = now - timedelta(minutes=minutes)
    wanted = Series(agent.host, metric, subject)
    found = caller.centre.metrics.range(wanted, since, now)
    return schemas.SeriesView(
        metric=metric,
        subject=subject,
        points=[
            (datetime.fromtimestamp(int(at) / 1000, UTC), float(value))
            for at, value in zip(found.times_ms, found.values, strict=True)
        ],
        baseline=views.baseline(caller.centre.baselines.of(wanted, now)),
        band=views.band(caller.centre.baselines.between(wanted, since, now)),
    )


def silent_before(caller: Caller) -> datetime:
    """Return the moment three sampling intervals ago; who spoke last before it is silent."""
    patience = timedelta(seconds=SILENT_AFTER_INTERVALS * caller.centre.settings.interval_s)
    return caller.centre.clock.now() - patience


def _kept(caller: Caller, agent_id: str) -> Agent:
    """Return a host whose identity the caller may judge. Raises 404, 403."""
    agent = caller.centre.agents.get(AgentId(agent_id))
    if not caller.may(Permission.VIEW, agent.environment):
        raise NoSuchAgent.called(agent_id)
    caller.require(Permission.MANAGE_USERS, agent.environment, f"the identity of {agent.host}")
    return agent


def _open(caller: Caller, agent: Agent) -> int:
    return len(caller.centre.incidents.unfinished(agent.id))


def _record(caller: Caller, agent: Agent, kind: str, reason: str) -> None:
    """Record what is about to be done: where it cannot be recorded, it is not done."""
    caller.centre.audit.append(
        kind=kind,
        env=agent.environment,
        actor=caller.user.name,
        data={
            "agent": agent.id,
            "host": agent.host,
            "reason": " ".join(reason.split()),
            "ip_address": caller.address,
        },
    )


def _may_run(found: Outlook, starts: int) -> MayRunView:
    return MayRunView(
        playbook=found.playbook.name,
        version=found.playbook.version,
        risk=found.playbook.risk.value,
        symptom=found.playbook.slots.symptom,
        route=views.ROUTES[found.route],
        rules=[
            RuleView(
                rule=one.rule,
                route=views.ROUTES[one.route],
                reason=one.reason,
                deciding=one in found.deciding,
            )
            for one in found.verdicts
        ],
        starts=starts,
        max_per_hour=found.playbook.max_per_hour,
    )


def _view(caller: Caller, agent: Agent) -> schemas.HostView:
    """Show one host as its own page's answers do."""
    latest = caller.centre.metrics.latest(agent.host)
    return _shown(agent, silent_before(caller), _open(caller, agent), latest)


def _shown(
    agent: Agent,
    silent_since: datetime,
    open_incidents: int,
    latest: Mapping[Series, tuple[datetime, float]],
) -> schemas.HostView:
    """Show one host."""
    return schemas.HostView(
        agent_id=agent.id,
        host=agent.host,
        environment=agent.environment,
        tags=dict(agent.tags),
        enrolled_at=agent.enrolled_at,
        last_seen=agent.last_seen,
        silent=agent.last_seen is None or agent.last_seen < silent_since,
        certificate_ends=agent.certificate_ends,
        quarantined=agent.quarantined,
        struck_off=agent.struck_off,
        root_version=agent.root_version,
        open_incidents=open_incidents,
        metrics={
            series.metric + (f"[{series.subject}]" if series.subject else ""): reading
            for series, (_, reading) in latest.items()
        },
    )
