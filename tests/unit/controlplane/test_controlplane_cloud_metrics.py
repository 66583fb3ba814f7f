"""Pulling readings of another system: windows, what is kept twice, and how long to wait."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from sentienguard.controlplane import cloud_metrics
from sentienguard.controlplane.cloud_metrics import CloudMetrics, Plan
from sentienguard.controlplane.counters import Counters
from sentienguard.controlplane.settings import Settings
from sentienguard.controlplane.telemetry_desk import TelemetryDesk
from sentienguard.model import errors
from sentienguard.ports.metric_source import (
    Page,
    Query,
    SourceAway,
    SourceRefused,
    SourceThrottled,
)
from sentienguard.ports.metric_store import Moment

NOW = datetime(2026, 2, 12, 11, 26, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
CPU = Query("aws_ec2_cpu", {"host": "web-1"}, "AWS/EC2", "CPU", {}, "Average", 60)
HOURLY = Query("aws_s3_bytes", {}, "AWS/S3", "Bytes", {}, "Sum", 3600)


def ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)


class Source:
    """Has a reading for each minute; remembers what was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[datetime, datetime]] = []
        self.trouble: Exception | None = None
        self.value: Callable[[int], float] = lambda at_ms: float(at_ms // 60_000 % 100)
        self.also: list[tuple[int, float]] = []

    def read(self, queries: Sequence[Query], start: datetime, end: datetime) -> Any:
        self.asked.append((start, end))
        if self.trouble is not None:
            raise self.trouble
        for number, one in enumerate(queries):
            times = range(ms(start), ms(end), one.period_s * 1000)
            yield Page([(number, [(at, self.value(at)) for at in times])])
            yield Page([(number, self.also)], ("InternalError one minute",) if self.also else ())


class World:
    """A puller, its source, and the store behind its desk."""

    def __init__(self, *queries: Query, **plan: Any) -> None:
        self.now = NOW
        self.source = Source()
        self.kept: list[Moment] = []
        self.full: Exception | None = None
        self.counters = Counters()
        centre: Any = SimpleNamespace(
            settings=Settings(),
            clock=SimpleNamespace(now=lambda: self.now, monotonic=lambda: 0.0),
            counters=self.counters,
            entropy=SimpleNamespace(bytes=lambda _: b"\xff"),
            metrics=SimpleNamespace(append_all=self._append),
        )
        self.desk = TelemetryDesk(centre, lambda *_: None)
        self.desk.start()
        made = Plan("production", queries or (CPU,), **plan)
        self.pull = CloudMetrics(centre, self.source, made, self.desk)

    def _append(self, moments: Sequence[Moment]) -> None:
        if self.full is not None:
            raise self.full
        self.kept += moments

    def round(self) -> list[tuple[int, float]]:
        """Return what one round kept: minute and value."""
        self.kept.clear()

        async def here(work: Callable[[], Any]) -> Any:
            return work()

        asyncio.run(self.pull.round(here))
        return [(ms(one.at), value) for one in self.kept for _, value in one.values]


@pytest.fixture
def world():
    made = World()
    yield made
    made.desk.stop()


def test_the_first_round_looks_back_and_leaves_what_has_not_settled(world):
    found = world.round()
    newest = datetime(2026, 2, 12, 11, 23, tzinfo=UTC)  # the minute 11:24 is over since 11:25
    assert [at for at, _ in (found[0], found[-1])] == [
        ms(NOW.replace(second=0) - timedelta(hours=1) - timedelta(minutes=15)),
        ms(newest),
    ]
    assert world.source.asked[0][1] == newest + MINUTE
    series = world.kept[0].values[0][0]
    assert (series.host, series.metric) == ("web-1", "aws_ec2_cpu")
    assert dict(series.labels)["environment"] == "production"


def test_rounds_overlap_and_keep_each_reading_once(world):
    first = world.round()
    assert world.round() == [], "nothing has settled since"
    world.now += 3 * MINUTE
    second = world.round()
    assert len(second) == 3
    assert not {at for at, _ in first} & {at for at, _ in second}
    start, end = world.source.asked[-1]
    assert end - start == timedelta(minutes=18)
    assert world.counters.get("pulled_points_total", "repeated") == 15


def test_a_reading_that_came_late_or_was_corrected_is_kept(world):
    missing = ms(NOW.replace(second=0) - timedelta(minutes=6))
    whole = world.source.value
    world.source.value = lambda at: float("nan") if at == missing else whole(at)
    world.round()
    world.source.value = lambda at: 77.0 if at == missing else whole(at)
    world.now += MINUTE
    assert (missing, 77.0) in world.round()


def test_what_could_not_be_kept_is_read_again(world):
    world.full = errors.Unavailable("the disk is full")
    assert world.round() == []
    assert world.counters.get("pulls_total", "away") == 1
    world.full = None
    assert len(world.round()) == 73


def test_an_outage_is_made_up_in_stretches_and_no_further_back_than_a_day(world):
    world.round()
    world.now += timedelta(days=3)
    world.source.asked.clear()
    found = world.round()
    spans = [end - start for start, end in world.source.asked]
    assert max(spans) <= cloud_metrics.STRETCH + cloud_metrics.OVERLAP
    minutes = {at for at, _ in found}
    assert max(minutes) == ms(world.now.replace(second=0) - 3 * MINUTE)
    assert timedelta(hours=23) < timedelta(milliseconds=max(minutes) - min(minutes)) <= (
        timedelta(hours=24))  # fmt: skip
    assert len(minutes) == len(found), "no minute twice"


@pytest.mark.parametrize(
    ("trouble", "counted"),
    [
        (SourceThrottled("Rate exceeded"), "throttled"),
        (SourceAway("nobody there"), "away"),
        (SourceRefused("AccessDenied"), "refused"),
    ],
)
def test_after_a_refusal_rounds_come_less_often_until_one_is_answered(world, trouble, counted):
    world.source.trouble = trouble
    pauses = []
    for _ in range(8):
        world.round()
        pauses.append(world.pull.pause_s)
    assert pauses[:3] == [60 * 2 * 1.25, 60 * 4 * 1.25, 60 * 8 * 1.25]
    assert pauses[-1] == cloud_metrics.MOST_PAUSE_S * 1.25
    assert world.counters.get("pulls_total", counted) == 8
    world.source.trouble = None
    assert len(world.round()) == 73
    assert world.pull.pause_s == 60


@pytest.mark.parametrize("days", [-366, 366])
def test_a_reading_of_another_year_is_no_answer_to_the_question(world, days):
    world.source.also = [(ms(NOW + timedelta(days=days)), 1.0)]
    assert len(world.round()) == 73
    assert world.counters.get("pulled_points_total", "beyond_window") == 1
    assert world.counters.get("pulls_total", "partial") == 1


@pytest.mark.parametrize("days", [-366, 366])
def test_a_clock_that_was_a_year_off_does_not_end_the_pulling(world, days):
    world.now += timedelta(days=days)
    world.round()
    world.now = NOW
    world.round()
    world.now += MINUTE
    assert world.round(), "goes on from now"


def test_queries_of_one_period_are_asked_together():
    world = World(CPU, HOURLY)
    try:
        world.round()
        assert len(world.source.asked) == 2
        start, end = world.source.asked[1]
        assert (end - start) % timedelta(hours=1) == timedelta(0)
        assert end == NOW.replace(minute=0, second=0)
    finally:
        world.desk.stop()
