"""Backtests: what would have been raised and decided over the history of the owner's Prometheus.

Only the server that the settings name is read: an address that a person could give would let the
control plane ask for anything near it. Its hosts belong to no environment of ours, so reading a
report takes the right to see all of them.
"""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path
from fastapi import status as http
from pydantic import BaseModel, ConfigDict, Field

from sentienguard.controlplane import errands
from sentienguard.controlplane.api import settings_view, views
from sentienguard.controlplane.api.caller import Caller, needs
from sentienguard.controlplane.errands import Errand, Errands, Kind
from sentienguard.controlplane.settings import may_be_private
from sentienguard.model import errors
from sentienguard.model.access import Permission

router = APIRouter(prefix="/api/v1/backtests", tags=["backtests"])
Reader = Annotated[Caller, Depends(needs(Permission.VIEW, everywhere=True))]
Asker = Annotated[Caller, Depends(needs(Permission.CHANGE_SETTINGS, everywhere=True))]
BacktestId = Annotated[str, Path(max_length=64, pattern=r"^btt_[0-9a-z_]+$")]
StateName = Literal["waiting", "working", "done", "failed", "stopped"]
MOST_INCIDENTS = 1000  # of one answer; the newest


class NoSource(errors.Rejected):
    """The settings name no server whose history could be judged."""


class BacktestRequest(BaseModel):
    """What is judged, and as what."""

    days: int = Field(default=7, ge=1, le=366)
    environment: str = Field(default="production", min_length=1, max_length=64)
    sensitivity: Literal["low", "medium", "high"] = "medium"
    minutes: float = Field(default=30, ge=0, le=10_000, description="a person's work on one")


class BacktestView(BaseModel):
    """One backtest and how far it is."""

    id: str
    state: StateName
    by: str
    asked_at: datetime
    ended_at: datetime | None
    days: int
    environment: str
    sensitivity: str
    minutes: float
    doing: str = Field(description="what is being done now")
    done: int = Field(description="how much of it")
    of: int = Field(description="0: nobody knows")
    detail: str = Field(description="why it failed, or who stopped it")


class BacktestList(BaseModel):
    """Backtests, newest first."""

    items: list[BacktestView]
    source: str | None = Field(description="the server that is read; null: none is set")


class FromReport(BaseModel):
    """A part of the report; what a later release adds is left out here."""

    model_config = ConfigDict(extra="ignore")


class BacktestTotals(FromReport):
    """The numbers of a report."""

    hosts: int
    host_days: float
    incidents: int
    per_host_week: float
    routes_first_day: dict[views.RouteName, int]
    routes_earned: dict[views.RouteName, int]
    with_playbook: int
    unattended_once_earned: int
    minutes_saved: float


class NotRaised(FromReport):
    """An alert that fired where nothing was raised."""

    alert: str
    episodes: int


class BacktestAlerts(FromReport):
    """How it compares with the alerts that fired."""

    episodes: int
    of_hosts: int = Field(description="those on hosts that were judged")
    same_symptom: int
    same_host: int
    unconfirmed: int = Field(description="incidents without an alert near")
    unconfirmed_per_host_week: float
    met: int = Field(description="alerts that had an incident near")
    not_raised: list[NotRaised]


class BacktestPlaybook(FromReport):
    """One playbook over all incidents."""

    playbook: str
    incidents: int
    hosts: int
    routes_earned: dict[views.RouteName, int]
    minutes_saved: float


class BacktestMissing(FromReport):
    """What keeps incidents from being dealt with unattended, and the way there."""

    kind: str
    about: str = Field(alias="for")
    way: str
    incidents: int


class BacktestIncident(FromReport):
    """One incident that would have been."""

    host: str
    metric: str
    subject: str
    value: float
    severity: str
    reason: str
    opened_at: datetime
    minutes: float
    playbook: str | None
    route_first_day: views.RouteName
    route_earned: views.RouteName
    alerts: str | None = Field(description="how it compares; null: no alert fired in this time")
    alert_names: list[str]


class BacktestReport(FromReport):
    """What came of a backtest."""

    first: datetime = Field(alias="from")
    last: datetime = Field(alias="to")
    days: int
    step_s: int
    totals: BacktestTotals
    alerts: BacktestAlerts | None
    playbooks: list[BacktestPlaybook]
    missing: list[BacktestMissing]
    days_raised: list[int] = Field(description="incidents of each judged day, oldest first")
    incidents: list[BacktestIncident] = Field(description=f"the newest {MOST_INCIDENTS}")
    assumptions: list[str]


class BacktestDetail(BacktestView):
    """A backtest with its report."""

    report: BacktestReport | None = Field(description="null: it is not done")


@router.get("")
def list_backtests(caller: Reader) -> BacktestList:
    """List the backtests that wait, run or are kept."""
    source = caller.centre.settings.prometheus_url
    return BacktestList(
        items=[_view(_desk(caller), one) for one in _desk(caller).list(Kind.BACKTEST)],
        source=_shown(source) or None,
    )


@router.post("", status_code=http.HTTP_202_ACCEPTED)
def ask(wanted: BacktestRequest, caller: Asker) -> BacktestView:
    """Ask for a backtest; it runs in the background and changes nothing."""
    centre = caller.centre
    settings = centre.settings
    if not settings.prometheus_url:
        raise NoSource("no server to read: name one in the setting prometheus_url, and restart")
    if wanted.environment not in centre.environments:
        known = ", ".join(centre.environments)
        raise errors.Rejected(f"environment: expected one of {known}")
    words = [
        "backtest",
        f"--prometheus={settings.prometheus_url}",
        f"--days={wanted.days}",
        f"--environment={wanted.environment}",
        f"--sensitivity={wanted.sensitivity}",
        f"--minutes={wanted.minutes:g}",
        f"--rate={settings.prometheus_rate:g}",
        "--out={out}",
    ]
    name = settings.prometheus_token or settings.prometheus_password
    if name:
        words += [f"--secret={name}", "--secrets={home}"]
    if not may_be_private(settings, settings.prometheus_url):
        words.append("--public")
    if settings.prometheus_token_file:
        words.append(f"--token-file={settings.prometheus_token_file}")
    if settings.prometheus_user:
        words.append(f"--user={settings.prometheus_user}")
    if settings.prometheus_password_file:
        words.append(f"--password-file={settings.prometheus_password_file}")
    made = _desk(caller).ask(Kind.BACKTEST, words, wanted.model_dump(), caller.user.name)
    return _view(_desk(caller), made)


@router.get("/{backtest_id}")
def backtest(backtest_id: BacktestId, caller: Reader) -> BacktestDetail:
    """Return one, with its report once it is done."""
    desk = _desk(caller)
    found = desk.get(Kind.BACKTEST, backtest_id)
    report = None
    if found.state is errands.State.DONE:
        report = BacktestReport.model_validate(desk.answer(found))
        report.incidents = report.incidents[: -MOST_INCIDENTS - 1 : -1]
    return BacktestDetail(**dict(_view(desk, found)), report=report)


@router.delete("/{backtest_id}", status_code=http.HTTP_204_NO_CONTENT)
def end(backtest_id: BacktestId, caller: Asker) -> None:
    """Stop one that waits or runs; forget one that has ended."""
    _desk(caller).end(Kind.BACKTEST, backtest_id, caller.user.name)


def _desk(caller: Caller) -> Errands:
    desk = caller.centre.errands
    if desk is None:
        raise errors.Unavailable("this control plane runs no backtests")
    return desk


def _view(desk: Errands, one: Errand) -> BacktestView:
    how = desk.progress(one)
    return BacktestView(
        id=one.id,
        state=one.state.value,
        by=one.by,
        asked_at=one.asked_at,
        ended_at=one.ended_at,
        days=one.asked["days"],
        environment=one.asked["environment"],
        sensitivity=one.asked["sensitivity"],
        minutes=one.asked["minutes"],
        doing=_shown(how.doing),
        done=how.done,
        of=how.of,
        detail=_shown(one.detail),
    )


def _shown(text: str) -> str:
    """Return text of a child, which may name the server, without a password in it."""
    return str(settings_view.without_password(text))
