"""What is usual of series that other systems send: learned from the store, counters left out."""

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from sentienguard.adapters.metric_blocks.store import BlockStore
from sentienguard.controlplane.baselines import Baselines
from sentienguard.model.telemetry import Series
from sentienguard.ports.metric_store import Readings
from sentienguard.stages.detect import baseline
from sentienguard.stages.detect.settings import DetectSettings

NOW = datetime(2026, 2, 12, 11, 26, tzinfo=UTC)
NOW_MS = int(NOW.timestamp() * 1000)
PLACE = ("drill", "web-1")


def outside(metric: str, environment: str = "drill", **labels: str) -> Series:
    pairs = tuple(sorted({"environment": environment, **labels}.items()))
    return Series("web-1", metric, "", pairs)


@pytest.fixture
def store(tmp_path: Any) -> Any:
    made = BlockStore(tmp_path / "metrics.db")
    yield made
    made.close()


def load(
    store: BlockStore, one: Series, *, hours: float = 160, every_s: int = 60, shift_ms: int = 0,
    rising: bool = False,
) -> None:  # fmt: skip
    count = int(hours * 3600 / every_s)
    times = NOW_MS - np.arange(count, 0, -1) * every_s * 1000 + shift_ms
    noise = np.random.default_rng(7).normal(50, 2, count)
    values = np.cumsum(np.abs(noise)) if rising else noise
    store.load(one, Readings(times.astype(np.int64), values))


def test_an_outside_series_has_the_baseline_of_its_own_readings(store: BlockStore) -> None:
    one, other = outside("node_load1", job="node"), outside("queue_depth", job="app")
    load(store, one)
    load(store, other, every_s=47, shift_ms=-1234)  # no moment is shared
    known = Baselines(store, DetectSettings())
    assert known.of(one, NOW) is None
    places = known.outside_series()
    assert {place: set(series) for place, series in places.items()} == {PLACE: {one, other}}
    assert known.learn_outside(PLACE, places[PLACE], NOW) == 2
    for series in (one, other):
        found = known.of(series, NOW)
        assert found is not None
        assert found.seasonal
        assert math.isclose(found.mean, 50, abs_tol=0.5)
        assert 1.5 < found.stddev < 3.5
    assert known.of(outside("node_load1", "production", job="node"), NOW) is None
    assert known.of(Series("web-1", "node_load1"), NOW) is None


def test_counters_have_no_baseline_by_name_or_by_what_they_do(store: BlockStore) -> None:
    by_name, by_deed, gauge = outside("http_total"), outside("app.requests"), outside("heap")
    load(store, by_name)
    load(store, by_deed, rising=True)
    load(store, gauge)
    known = Baselines(store, DetectSettings())
    assert known.learn_outside(PLACE, [by_name, by_deed, gauge], NOW) == 1
    assert known.of(gauge, NOW) is not None
    assert known.of(by_name, NOW) is known.of(by_deed, NOW) is None


def test_what_was_heard_for_minutes_alone_has_no_baseline_yet(store: BlockStore) -> None:
    one = outside("node_load1")
    load(store, one, hours=0.5, every_s=15)
    known = Baselines(store, DetectSettings())
    known.learn_outside(PLACE, [one], NOW)
    assert known.of(one, NOW) is None


def test_a_host_that_sends_nothing_any_more_is_forgotten(store: BlockStore) -> None:
    one = outside("node_load1")
    load(store, one)
    known = Baselines(store, DetectSettings())
    known.learn_outside(PLACE, [one], NOW)
    assert known.learn_outside(PLACE, [one], NOW + timedelta(days=30)) == 0
    assert known.of(one, NOW) is None


@pytest.mark.parametrize(
    ("metric", "values", "counts"),
    [
        ("x_bucket", [1.0, 1.0], True),
        ("x", list(range(100)), True),
        ("x", [*range(60), *range(60)], True),  # it was restarted once
        ("x", [1.0, 2.0, 3.0], False),  # too few to tell
        ("x", [5.0] * 100, False),
        ("x", [float(one % 7) for one in range(100)], False),
        ("x", [math.nan] * 100, False),
    ],
)
def test_a_counter_is_told_from_a_gauge(metric: str, values: list[float], counts: bool) -> None:
    assert baseline.counts_up(metric, np.array(values, dtype=np.float64)) is counts


def test_profiles_with_labels_come_back_from_bytes_and_those_of_before_too(
    store: BlockStore,
) -> None:
    one = outside("node_load1", job="node")
    load(store, one)
    found = store.range(one, NOW - timedelta(days=8), NOW)
    learned = baseline.learn_one(one, found.times_ms, found.values, DetectSettings())
    assert baseline.load(learned.dump()).at(one, NOW) == learned.at(one, NOW)


def test_a_span_of_an_outside_series_has_its_own_band(store: BlockStore) -> None:
    one = outside("node_load1", job="node")
    load(store, one)
    known = Baselines(store, DetectSettings())
    day_ago = NOW - timedelta(days=1)
    assert known.between(one, day_ago, NOW) == ()
    known.learn_outside(PLACE, [one], NOW)
    parts = known.between(one, day_ago, NOW)
    assert [parts[0][0], len(parts)] == [day_ago, 49]
    assert parts[-1][1] == known.of(one, NOW)
    assert known.between(replace(one, labels=()), day_ago, NOW) == ()
