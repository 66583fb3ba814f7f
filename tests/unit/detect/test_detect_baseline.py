"""What a series normally does at a time of day: robust, seasonal, never dividing by zero."""

from dataclasses import astuple
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from sentienguard.model.anomaly import Severity
from sentienguard.model.telemetry import Series
from sentienguard.stages.detect import baseline, scoring
from sentienguard.stages.detect.kinds import Direction
from sentienguard.stages.detect.settings import DetectSettings

SETTINGS = DetectSettings()
START = datetime(2026, 2, 5, tzinfo=UTC)
DISK = Series("db-03", "system.disk_usage_percent", "/var")


def week(step_s=60, days=7):
    times = int(START.timestamp() * 1000) + np.arange(days * 86_400 // step_s) * step_s * 1000
    hours = np.arange(len(times)) * step_s / 3600 % 24
    return times.astype(np.int64), hours


def learned(times, values, series=DISK):
    return baseline.learn_one(series, times, np.asarray(values, dtype=float), SETTINGS)


def at(hour, minute=0):
    return START + timedelta(days=7, hours=hour, minutes=minute)


@pytest.mark.parametrize("minutes", [5, 20, 40])
def test_a_nightly_backup_is_normal_at_night_and_not_at_noon(minutes):
    times, hours = week()
    rng = np.random.default_rng(1)
    values = 71 + rng.normal(0, 0.5, len(times))
    values[(hours >= 2) & (hours < 2 + minutes / 60)] += 21
    profiles = learned(times, values)
    night, noon = profiles.at(DISK, at(2, 2)), profiles.at(DISK, at(12))
    assert night.seasonal
    assert scoring.sigma(92.5, night) < 3
    assert scoring.sigma(92.5, noon) > 5
    assert noon.mean == pytest.approx(71, abs=0.2)


def test_a_span_has_what_is_usual_at_each_time_of_day():
    times, hours = week()
    profiles = learned(times, np.where(hours < 6, 20.0, 50.0))  # quiet until six in the morning
    judged = profiles.lookup(at(12))
    noon = judged(DISK)
    parts = profiles.between(DISK, at(1, 10), at(9, 50))
    moments = [moment.strftime("%H:%M") for moment, _ in parts]
    assert moments[:3] == ["01:10", "01:30", "02:00"]
    assert (moments[-1], len(moments)) == ("09:30", 18)
    for moment, usual in parts:
        assert usual == profiles.at(DISK, moment), moment
    assert (parts[0][1].mean, parts[-1][1].mean) == pytest.approx((20, 50), abs=1)
    assert profiles.lookup(at(12))(DISK) == noon
    days = profiles.between(DISK, at(12) - timedelta(days=7), at(12))
    assert len(days) == 7 * SETTINGS.buckets + 1
    assert days[0][1] == days[SETTINGS.buckets][1] == noon
    assert profiles.between(Series("other", "x", ""), at(1), at(2)) == []


def test_one_bad_night_is_not_learned():
    times, hours = week()
    values = np.full(len(times), 71.0)
    days = np.arange(len(times)) // (len(times) // 7)
    values[(days == 3) & (hours >= 2) & (hours < 3)] = 92
    assert scoring.sigma(92, learned(times, values).at(DISK, at(2, 10))) > 5


def test_outliers_do_not_mask_themselves():
    times, _ = week(days=1)
    values = np.full(len(times), 50.0)
    values[::10] = 5000.0  # a tenth: a 3-sigma trim of these keeps every one
    found = learned(times, values, Series("h", "queue.depth")).at(Series("h", "queue.depth"), at(0))
    assert found.mean == pytest.approx(50)


def test_a_constant_series_has_a_spread():
    times, _ = week()
    found = learned(times, np.full(len(times), 40.0)).at(DISK, at(12))
    assert found.stddev >= 2
    assert np.isfinite(scoring.sigma(41, found))
    assert scoring.sigma(41, found) < 3


@pytest.mark.parametrize("every", [2, 3, 4, 5, 6, 10])
@pytest.mark.parametrize("dropped", [0, 1, 2])
def test_a_job_that_repeats_with_the_readings_is_learned_whole(every, dropped):
    times, _ = week()
    values = np.where(np.arange(len(times)) % every == 0, 90.0, 30.0)
    end = len(times) - dropped  # the minute at which somebody looks
    found = learned(times[:end], values[:end], Series("h", "x")).at(Series("h", "x"), at(12))
    average = 30 + 60 / every
    # a rare one may be an outlier, but what is learned does not hang on the minute
    assert found.mean == pytest.approx(average, abs=6) or found.mean == pytest.approx(30, abs=0.1)
    again = learned(times, values, Series("h", "x")).at(Series("h", "x"), at(12))
    assert found.mean == pytest.approx(again.mean, abs=3)


def test_series_that_take_turns_both_have_a_baseline():
    times, _ = week(step_s=30)
    turns = np.arange(len(times)) % 5
    for turn in range(5):
        values = np.where(turns == turn, 40.0, np.nan)
        found = learned(times, values, Series("h", "x")).at(Series("h", "x"), at(12))
        assert found is not None, turn
        assert found.mean == pytest.approx(40)


@pytest.mark.parametrize("count", [0, 1, 59])
def test_too_little_history_gives_no_baseline(count):
    times, _ = week()
    assert learned(times[:count], np.full(count, 1.0)).at(DISK, at(1)) is None


def test_an_hour_of_history_gives_a_wide_baseline_that_knows_no_season():
    times, _ = week()
    rng = np.random.default_rng(2)
    values = 50 + rng.normal(0, 3, 120)
    found = learned(times[:120], values).at(DISK, at(1))
    assert not found.seasonal
    assert found.stddev == pytest.approx(6, rel=0.3)


def test_missing_readings_are_left_out_and_percentiles_are_right():
    times, _ = week()
    values = np.tile(np.arange(101.0), len(times) // 101 + 1)[: len(times)]
    values[::7] = np.nan
    series = Series("h", "queue.depth")
    found = learned(times, values, series).at(series, at(12))
    assert found.p50 == pytest.approx(50, abs=2)
    assert found.p95 == pytest.approx(95, abs=2)
    assert found.p99 == pytest.approx(99, abs=2)


def test_series_read_together_are_learned_as_if_alone():
    times, hours = week(step_s=300)
    rng = np.random.default_rng(3)
    series = [Series("h", f"queue.depth_{number}") for number in range(5)]
    values = np.stack(
        [10 * number + 5 * np.sin(hours) + rng.normal(size=len(times)) for number in range(5)]
    )
    together = baseline.learn(series, times, values, SETTINGS)
    for number, one in enumerate(series):
        alone = baseline.learn_one(one, times, values[number], SETTINGS)
        assert astuple(together.at(one, at(5))) == pytest.approx(astuple(alone.at(one, at(5))))


def test_what_is_older_than_the_window_is_forgotten():
    times, _ = week(days=14)
    values = np.where(np.arange(len(times)) < len(times) // 2, 10.0, 70.0)
    assert learned(times, values).at(DISK, at(12)).mean == pytest.approx(70, abs=1)


@pytest.mark.parametrize(
    ("sigma", "expected"),
    [
        (6.63, Severity.CRITICAL),
        (5.0, Severity.CRITICAL),
        (4.99, Severity.WARNING),
        (3.0, Severity.WARNING),
        (2.99, Severity.INFO),
        (2.0, Severity.INFO),
        (1.99, None),
    ],
)
def test_severity_follows_the_table(sigma, expected):
    assert scoring.severity(sigma) is expected


def test_the_pool_of_the_example_is_critical():
    pool = baseline.Baseline(42.3, 8.4, 42.0, 55.0, 60.0, 20_160, seasonal=True)
    distance = scoring.sigma(98, pool)
    assert distance == pytest.approx(6.63, abs=0.005)
    assert scoring.severity(distance) is Severity.CRITICAL
    assert scoring.sigma(10, pool, Direction.UP) == 0
    assert scoring.sigma(10, pool, Direction.DOWN) > 3


def test_profiles_that_are_written_are_read_again_equal():
    times, hours = week()
    profiles = learned(times, 50 + 10 * np.sin(hours))
    again = baseline.load(profiles.dump())
    assert again.readings == profiles.readings > 0
    for hour in range(24):
        assert again.at(DISK, at(hour)) == profiles.at(DISK, at(hour))
    assert again.at(Series("other", "x", ""), at(1)) is None


@pytest.mark.parametrize("content", [b"", b"junk", b"\x78\x9c\x03\x00\x00\x00\x00\x01"])
def test_bytes_that_are_no_profiles_are_refused(content):
    with pytest.raises(ValueError, match=r"profiles|unpack"):
        baseline.load(content)
