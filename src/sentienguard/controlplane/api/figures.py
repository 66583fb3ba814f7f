"""How well it goes: the numbers of the dashboard, over time, and whether confidence was right.

All are counted by the database over the environments that the caller may see.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from sentienguard.controlplane.api.caller import Caller, needs
from sentienguard.model.access import Permission
from sentienguard.ports.incident_figures import Said, Tally
from sentienguard.stages.decide import reliability

router = APIRouter(prefix="/api/v1", tags=["figures"])
Viewer = Annotated[Caller, Depends(needs(Permission.VIEW))]
Days = Annotated[int, Query(ge=1, le=365)]
MOST_SPANS = 31
MOST_SAID = 20_000  # decisions of one reliability figure, the newest


class TrendSpan(BaseModel):
    """How the incidents that closed within one span of time ended."""

    starts_at: datetime
    ends_at: datetime = Field(description="not included")
    closed: int
    resolved: int = Field(description="host and centre both saw the symptom gone after a remedy")
    unattended: int = Field(description="resolved with no person involved")
    ran: int = Field(description="a remedy changed something, or may have")
    rolled_back: int = Field(description="of those: failed, and undone wholly")
    harmed: int = Field(description="of those: something was left behind, or nobody knows")
    mean_seconds_to_resolve: float | None = Field(
        description="from opened to closed, of what a remedy resolved"
    )
    median_seconds_to_resolve: float | None
    recovered: int = Field(
        description="whose symptom went, whoever ended it: a remedy, a person, or nobody"
    )
    mean_seconds_to_recover: float | None = Field(
        description="from opened to closed, of those that recovered"
    )
    by_people: int = Field(
        description="that people ended in this span: closed by hand, also long after a remedy gave "
        "up, or mended by a run that a person asked for"
    )
    mean_seconds_by_people: float | None = Field(
        description="of those, from opened to when somebody closed them"
    )
    median_seconds_by_people: float | None


class Trends(BaseModel):
    """A span of time, the one of the same length before it, and its parts."""

    days: int
    now: TrendSpan
    before: TrendSpan
    spans: list[TrendSpan] = Field(description="parts of `now` of equal length, oldest first")


class BandView(BaseModel):
    """Remedies whose confidence lay in a band, and how many of them resolved their incident."""

    start: float
    end: float = Field(description="not included, but for the last band")
    count: int
    resolved: int
    said: float | None = Field(description="mean confidence; null: none was in this band")
    seen: float | None = Field(description="share that was resolved")
    low: float | None = Field(description="95 % Wilson interval of that share")
    high: float | None
    off: bool = Field(description="what was said lies outside of that interval")


class PlaybookReliability(BaseModel):
    """One playbook's part of it."""

    playbook: str
    count: int
    resolved: int
    said: float
    seen: float
    low: float
    high: float


class Calibration(BaseModel):
    """What confidence was said of remedies that ran, beside what came of them."""

    days: int
    playbook: str | None
    count: int
    resolved: int
    error: float | None = Field(description="expected calibration error, 0 to 1")
    brier: float | None = Field(description="mean squared distance of said and seen; 0 is perfect")
    bands: list[BandView]
    playbooks: list[PlaybookReliability] = Field(description="most runs first")
    truncated: bool = Field(description="there were more; the newest are counted")


@router.get("/overview/trends")
def trends(caller: Viewer, days: Days = 30) -> Trends:
    """Return how incidents ended in the last days, and in as many days before those."""
    now = caller.centre.clock.now()
    whole = timedelta(days=days)
    start = now - whole
    count = min(MOST_SPANS, days if days > 1 else 24)
    width = whole / count
    places, figures = seen_by(caller), caller.centre.figures
    before, last = figures.tallies(places, start=start - whole, width=whole, count=2)
    parts = figures.tallies(places, start=start, width=width, count=count)
    return Trends(
        days=days,
        now=_span(last, start, whole),
        before=_span(before, start - whole, whole),
        spans=[_span(one, start + number * width, width) for number, one in enumerate(parts)],
    )


@router.get("/calibration")
def calibration(
    caller: Viewer,
    days: Days = 90,
    playbook: Annotated[str | None, Query(max_length=64)] = None,
) -> Calibration:
    """Compare the confidence of decisions whose remedy ran with what was verified afterwards."""
    since = caller.centre.clock.now() - timedelta(days=days)
    said = caller.centre.figures.said(
        seen_by(caller), since=since, playbook=playbook, limit=MOST_SAID + 1
    )
    counted = said[:MOST_SAID]
    found = reliability.judge(reliability.Outcome(one.confidence, one.resolved) for one in counted)
    return Calibration(
        days=days,
        playbook=playbook,
        count=found.count,
        resolved=found.resolved,
        error=found.error,
        brier=found.brier,
        bands=[_band(one) for one in found.bands],
        playbooks=_by_playbook(counted),
        truncated=len(said) > MOST_SAID,
    )


def seen_by(caller: Caller) -> list[str]:
    """Return the environments that the caller may see."""
    return [one for one in caller.centre.environments if caller.may(Permission.VIEW, one)]


def _span(tally: Tally, start: datetime, width: timedelta) -> TrendSpan:
    return TrendSpan(
        starts_at=start,
        ends_at=start + width,
        closed=tally.closed,
        resolved=tally.resolved,
        unattended=tally.unattended,
        ran=tally.ran,
        rolled_back=tally.rolled_back,
        harmed=tally.harmed,
        mean_seconds_to_resolve=tally.mean_s,
        median_seconds_to_resolve=tally.median_s,
        recovered=tally.recovered,
        mean_seconds_to_recover=tally.recovered_mean_s,
        by_people=tally.by_people,
        mean_seconds_by_people=tally.by_people_mean_s,
        median_seconds_by_people=tally.by_people_median_s,
    )


def _band(band: reliability.Band) -> BandView:
    return BandView(
        start=band.start,
        end=band.end,
        count=band.count,
        resolved=band.resolved,
        said=band.said,
        seen=band.seen,
        low=band.low,
        high=band.high,
        off=band.is_off,
    )


def _by_playbook(said: Sequence[Said]) -> list[PlaybookReliability]:
    grouped: dict[str, list[Said]] = {}
    for one in said:
        grouped.setdefault(one.playbook, []).append(one)
    found = []
    for name, group in grouped.items():
        resolved = sum(one.resolved for one in group)
        low, high = reliability.wilson(resolved, len(group))
        found.append(
            PlaybookReliability(
                playbook=name,
                count=len(group),
                resolved=resolved,
                said=sum(one.confidence for one in group) / len(group),
                seen=resolved / len(group),
                low=low,
                high=high,
            )
        )
    return sorted(found, key=lambda one: (-one.count, one.playbook))
