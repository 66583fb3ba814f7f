"""Labels, reading many series at once, and readings that are too old to be kept singly."""

import sqlite3
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from sentienguard.adapters.metric_blocks import store
from sentienguard.model import errors
from sentienguard.model.ids import AgentId
from sentienguard.model.telemetry import Series
from sentienguard.ports.metric_store import Aspect, Moment, Readings, Retention

pytestmark = pytest.mark.integration

START = datetime(2026, 2, 12, tzinfo=UTC)
AGENT = AgentId("8f9b")
CPU = Series("web-01", "system.cpu_percent")
OUTSIDE = Series("web-01", "node_load1", "", (("environment", "drill"), ("job", "node")))
OTHER = Series("web-01", "node_load1", "", (("environment", "drill"), ("job", "other")))
FOREVER = datetime(2100, 1, 1, tzinfo=UTC)
DAYS = 4
EVERY_S = 60
KEPT = Retention(timedelta(days=1), timedelta(days=2), timedelta(days=30))


@pytest.fixture
def metrics(tmp_path):
    opened = store.BlockStore(tmp_path / "metrics.db")
    yield opened
    opened.close()


def at(number, step_s=EVERY_S):
    return START + timedelta(seconds=step_s * number)


def loaded(metrics, series=CPU, count=DAYS * 1440):
    times = np.array([round(at(number).timestamp() * 1000) for number in range(count)])
    values = np.round(np.sin(np.arange(count) / 50) * 40 + 50, 1)
    metrics.load(series, Readings(times, values))
    return times, values


def whole(metrics, series=CPU, aspect=Aspect.LAST):
    (found,) = metrics.read([series], START - timedelta(days=1), FOREVER, aspect)
    return found


def test_series_of_other_systems_are_told_apart_by_their_labels_and_kept_apart(metrics, tmp_path):
    metrics.append_all(
        [
            Moment(at(0), [(CPU, 1.0), (OUTSIDE, 2.0), (OTHER, 3.0)]),
            Moment(at(1), [(OUTSIDE, 4.0)]),
        ]
    )
    assert metrics.series("web-01") == (CPU,)
    assert set(metrics.latest("web-01")) == {CPU}
    assert metrics.metrics() == ("node_load1", "system.cpu_percent")
    assert set(metrics.find("node_load1")) == {OUTSIDE, OTHER}
    metrics.close()
    again = store.BlockStore(tmp_path / "metrics.db")
    found = again.read([OTHER, OUTSIDE, CPU, Series("no", "one")], START, FOREVER)
    assert [one.values.tolist() for one in found] == [[3.0], [2.0, 4.0], [1.0], []]
    again.close()


def test_moments_are_kept_together_or_not_at_all(metrics):
    with pytest.raises(errors.Rejected):
        metrics.append_all([Moment(at(0), [(CPU, 1.0)]), Moment(at(1), [(CPU, float("inf"))])])
    assert len(whole(metrics)) == 0


def test_a_stretch_that_is_loaded_replaces_what_lies_there(metrics):
    metrics.append(AGENT, at(5), [(CPU, -1.0)])
    times, values = loaded(metrics, count=10)
    found = whole(metrics)
    assert found.times_ms.tolist() == times.tolist()
    assert found.values.tolist() == [*values[:5], -1.0, *values[6:]]  # the tail is newer
    with pytest.raises(errors.Rejected):
        metrics.load(CPU, Readings(np.array([0]), np.array([np.nan])))


def test_a_file_from_before_labels_is_read_and_goes_on(tmp_path):
    path = tmp_path / "old.db"
    with sqlite3.connect(path) as raw:
        raw.executescript(
            "CREATE TABLE series (id INTEGER PRIMARY KEY, host TEXT NOT NULL, metric TEXT NOT NULL,"
            " subject TEXT NOT NULL, UNIQUE (host, metric, subject));"
            "INSERT INTO series VALUES (7, 'web-01', 'system.cpu_percent', '');"
        )
    raw.close()
    opened = store.BlockStore(path)
    opened.append_all([Moment(at(0), [(CPU, 1.0), (OUTSIDE, 2.0)])])
    assert opened.find("system.cpu_percent") == (CPU,)
    assert whole(opened, OUTSIDE).values.tolist() == [2.0]
    opened.close()


def test_shapes_that_are_no_longer_used_go(metrics, tmp_path):
    many = [Series("web-01", f"m{number}") for number in range(40)]
    for number in range(600):
        metrics.append(AGENT, at(number), [(many[number % 40], 1.0), (many[number % 7], 2.0)])
    metrics.compact()
    with sqlite3.connect(tmp_path / "metrics.db") as raw:
        assert raw.execute("SELECT count(*) FROM shapes").fetchone()[0] == 1
    raw.close()
    metrics.append(AGENT, at(700), [(many[3], 5.0), (many[4], 6.0)])
    assert whole(metrics, many[3]).values[-1] == 5.0


def test_old_readings_become_windows_that_keep_last_least_most_sum_and_number(metrics):
    times, values = loaded(metrics)
    now = at(DAYS * 1440)
    gone = metrics.age(now, KEPT)
    assert gone == (DAYS - 1) * 1440
    found = {aspect: whole(metrics, aspect=aspect) for aspect in Aspect}
    narrow, wide = 24, 288  # windows of an hour for two days, of five minutes for one
    assert len(found[Aspect.LAST]) == 2 * narrow + wide + 1440
    sums = found[Aspect.SUM]
    assert int(sums.counts.sum()) == len(values)
    assert sums.values.sum() == pytest.approx(values.sum())
    for row, (width, first) in enumerate(((3_600_000, 0), (3_600_000, 60))):
        part = slice(first, first + width // 60_000)
        assert found[Aspect.LOWEST].values[row] == values[part].min()
        assert found[Aspect.HIGHEST].values[row] == values[part].max()
        assert found[Aspect.LAST].values[row] == values[part][-1]
        assert found[Aspect.LAST].times_ms[row] == times[part][-1]
        assert found[Aspect.LAST].widths_ms[row] == width
    assert found[Aspect.LAST].values[-1440:].tolist() == values[-1440:].tolist()


def test_ageing_again_changes_nothing_and_ageing_daily_gives_the_same(metrics, tmp_path):
    loaded(metrics)
    metrics.age(at(DAYS * 1440), KEPT)
    once = whole(metrics, aspect=Aspect.SUM)
    assert metrics.age(at(DAYS * 1440), KEPT) == 0
    assert metrics.age(at(DAYS * 1440) + timedelta(minutes=5), KEPT) == 0
    daily = store.BlockStore(tmp_path / "daily.db")
    loaded(daily)
    for day in range(DAYS + 1):
        daily.age(at(day * 1440), KEPT)
        daily.compact()
    for found in (whole(metrics, aspect=Aspect.SUM), whole(daily, aspect=Aspect.SUM)):
        assert found.times_ms.tolist() == once.times_ms.tolist()
        assert found.values == pytest.approx(once.values)
        assert found.counts.tolist() == once.counts.tolist()
    daily.close()


def test_readings_that_come_late_join_the_windows_of_their_time(metrics):
    loaded(metrics)
    metrics.age(at(DAYS * 1440), KEPT)
    before = whole(metrics, aspect=Aspect.SUM)
    metrics.append(AGENT, at(0) + timedelta(seconds=1), [(CPU, 1000.0)])
    metrics.age(at(DAYS * 1440), KEPT)
    after = whole(metrics, aspect=Aspect.SUM)
    assert len(after) == len(before)
    assert after.values[0] == pytest.approx(before.values[0] + 1000.0)
    assert after.counts[0] == before.counts[0] + 1
    assert whole(metrics, aspect=Aspect.HIGHEST).values[0] == 1000.0


def test_what_is_too_old_for_windows_goes_and_its_series_with_it(metrics):
    gone = Series("web-01", "system.swap_percent")
    loaded(metrics, gone, 10)
    loaded(metrics)
    assert metrics.age(at(0) + timedelta(days=300), KEPT) > 0
    assert metrics.age(at(0) + timedelta(days=400), KEPT) == 0
    assert metrics.find("system.swap_percent") == ()
    metrics.append(AGENT, at(9), [(gone, 1.0)])
    assert whole(metrics, gone).values.tolist() == [1.0]


def test_where_no_summaries_are_kept_older_readings_are_gone_and_newer_ones_stay(metrics):
    loaded(metrics)
    kept = timedelta(days=2)
    metrics.age(at(DAYS * 1440), Retention(raw=kept, five_minutes=kept, hours=kept))
    times = whole(metrics).times_ms
    oldest = START + timedelta(days=DAYS - 2)
    assert times[0] == round(oldest.timestamp() * 1000)
    assert len(times) == 2 * 1440
