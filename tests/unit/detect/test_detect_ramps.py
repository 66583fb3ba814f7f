"""Slow climbs in the running detector: who warns, when, how bad, and what a restart keeps."""

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from sentienguard.model.anomaly import Ground, Severity
from sentienguard.model.ids import AgentId
from sentienguard.model.telemetry import Sample, Series
from sentienguard.stages.detect import baseline, cohorts, kinds, ramps
from sentienguard.stages.detect.detector import Detector
from sentienguard.stages.detect.ramps import Ramps
from sentienguard.stages.detect.settings import DetectSettings

NOW = datetime(2026, 2, 12, tzinfo=UTC)
MEMORY, CPU, POOL = (
    ("system.memory_percent", ""),
    ("system.cpu_percent", ""),
    ("database.connections_utilization", "main"),
)
STEP_S = 300
A_DAY = 86_400 // STEP_S
SETTINGS = DetectSettings()


class Host:
    """A host with one series, judged as the intake does, with all that it said kept."""

    def __init__(self, series=MEMORY, step_s=STEP_S):
        self.key, self.step_s, self.began = series, step_s, NOW
        self.ramps, self.detector = Ramps(), Detector(SETTINGS)
        self.times, self.values, self.profiles = [], [], None
        self.told, self.cleared = [], []  # (row, anomaly or fingerprint)

    def say(self, values, after=timedelta()):
        self.began += after
        for value in values:
            row = len(self.values)
            at = self.began + timedelta(seconds=self.step_s * row)
            self.times.append(at)
            self.values.append(float(value))
            sample = Sample(AgentId("a"), "web-1", "drill", {}, row, at, {self.key: float(value)})
            judged = self.detector.judge(
                sample,
                self.profiles.lookup(at) if self.profiles else lambda _: None,
                self.recent,
                ramps=self.ramps.judge(at, sample.values),
            )
            self.told += [(row, one) for one in judged.anomalies]
            self.cleared += [(row, one) for one in judged.cleared]
        return self

    def recent(self, _series):
        since = -3600 // self.step_s - 1
        return tuple(zip(self.times[since:], self.values[since:], strict=True))

    def learn(self):
        """Learn its baseline from what it said, as the control plane does."""
        times = np.array([round(at.timestamp() * 1000) for at in self.times])
        series = Series("web-1", *self.key)
        self.profiles = baseline.learn_one(series, times, np.array(self.values), SETTINGS)

    def restart(self):
        """Go on in another process, from what was saved."""
        learned, state = self.ramps.state(), json.dumps(self.detector.state())
        self.ramps, self.detector = Ramps(), Detector(SETTINGS)
        self.ramps.restore(learned)
        self.detector.restore(json.loads(state))

    def trends(self):
        return [(row, one) for row, one in self.told if one.ground is Ground.TREND]


def noise(days, seed=1, mean=40.0):
    return np.random.default_rng(seed).normal(mean, 0.5, round(days * A_DAY))


def climb(days, start=40.0, end=100.0, seed=2):
    rows = round(days * A_DAY)
    spread = np.random.default_rng(seed).normal(0, 0.5, rows)
    return np.minimum(np.linspace(start, end, rows) + spread, 100.0)


def test_a_leak_of_a_day_is_foretold_early_and_then_gets_worse_until_it_is_there():
    host = Host().say(noise(4)).say(climb(1))
    began, ends = 4 * A_DAY, 5 * A_DAY
    (row, first), *later = host.told
    left = (ends - row) * STEP_S / 3600
    assert left >= 0.75 * 24, "three quarters of the time are left"
    assert (first.ground, first.severity, first.is_forecast) == (
        Ground.TREND, Severity.INFO, True,
    )  # fmt: skip
    assert first.trend.per_hour == pytest.approx(60 / 24, rel=0.5)
    assert first.trend.soonest_hours <= left <= first.trend.latest_hours
    assert first.trend.hours_to_exhaustion == pytest.approx(left, rel=0.5)
    assert row > began
    assert "full in" in first.reason
    assert " to " in first.reason
    assert [one.severity.rank for _, one in later] == sorted(one.severity.rank for _, one in later)
    assert later[-1][1].ground is Ground.LIMIT
    assert any(one.ground is Ground.TREND and not one.is_forecast for _, one in later)
    assert len({one.fingerprint for _, one in host.told}) == 1
    assert host.cleared == []


def nightly(days, seed=3):
    """Fill up to 92 % within two hours of each night, and be empty again at once."""
    values = noise(days, seed, 70.0)
    for day in range(days):
        start = day * A_DAY + 24 + int(np.random.default_rng(day).integers(-1, 2))
        values[start : start + 24] += np.linspace(0, 22, 24)
    return values


def test_a_slow_nightly_backup_raises_nothing_after_it_is_learned():
    host = Host()
    for night in np.split(nightly(10), 10):
        host.say(night)
        host.learn()
    late = [(row / A_DAY, one.reason) for row, one in host.told if row >= 4 * A_DAY]
    assert late == []


def test_a_fill_that_no_night_brought_is_warned_of_although_nights_are_learned():
    host = Host().say(nightly(6))
    host.learn()
    values = noise(1, 5, 70.0)
    values[150:] += np.minimum(10.0 * np.arange(len(values) - 150) * STEP_S / 3600, 30)
    host.say(values)
    found = [one for row, one in host.trends() if row >= 6 * A_DAY and not one.is_forecast]
    assert found[0].value < 90
    assert found[0].trend.hours_to_exhaustion > 1.0


def wave(days):
    turns = np.arange(days * A_DAY) / A_DAY * 2 * np.pi
    return 50 - 20 * np.cos(turns) + noise(days, 6, 0.0)


def bursts(days):
    values = noise(days, 7)
    for start in np.random.default_rng(8).integers(0, len(values), 12 * days):
        values[start : start + 3] = 75
    return values


def sawtooth(days):
    """Be cleaned once a day, after growing for the whole of it."""
    return 30 + 40 * (np.arange(days * A_DAY) % A_DAY) / A_DAY + noise(days, 9, 0.0)


@pytest.mark.parametrize("make", [noise, wave, bursts, sawtooth])
def test_what_a_series_does_by_itself_raises_nothing(make):
    assert Host().say(make(8)).told == []


def test_a_full_pool_is_told_from_a_filling_one():
    filled = Host(POOL).say(noise(4) / 100).say(np.full(A_DAY, 1.0))
    assert [one.ground for _, one in filled.told] == [Ground.LIMIT]
    filling = Host(POOL).say(noise(4) / 100).say(climb(1) / 100)
    first = filling.told[0][1]
    assert first.ground is Ground.TREND
    assert first.value < 0.6


def test_a_rate_that_climbs_fills_nothing():
    assert Host(CPU).say(noise(4)).say(climb(1, end=90.0)).told == []


def test_what_was_cleaned_up_is_over_at_once_and_stays_quiet():
    host = Host().say(noise(4)).say(climb(1)[: A_DAY // 2])
    assert len(host.told) == 1
    row = len(host.values)
    host.say(noise(2, 11))
    assert [at for at, _ in host.cleared] == [row + 1]
    assert len(host.told) == 1


def test_what_stops_climbing_is_over_although_it_stays_high():
    host = Host().say(noise(4)).say(climb(1)[: A_DAY // 2]).say(noise(3, 12, 70.0))
    assert len(host.told) == 1
    assert len(host.cleared) == 1


@pytest.mark.parametrize("days", [0.02, 0.5, 3.99, 4.1, 4.2, 4.3, 4.7])
def test_a_restart_at_any_moment_changes_nothing(days):
    values = np.concatenate([noise(4), climb(1)])
    whole, other = Host().say(values), Host()
    cut = round(days * A_DAY)
    other.say(values[:cut])
    other.restart()
    other.say(values[cut:])
    assert other.told == whole.told
    assert other.cleared == whole.cleared
    assert whole.told


def test_what_has_to_be_saved_at_once_is_a_ramp_that_began_or_ended():
    host = Host().say(noise(4))
    assert not host.ramps.unsaved
    rising = iter(climb(1))
    while not host.told:
        host.say([next(rising)])
    assert host.ramps.unsaved
    host.ramps.state()
    assert not host.ramps.unsaved
    host.say(noise(0.1, 13))
    assert host.ramps.unsaved


def test_the_cadence_of_samples_does_not_matter():
    values = np.concatenate([noise(2.5), climb(0.5)])
    slow = Host().say(values)
    finer = np.repeat(values, 10) + np.tile([3, 2, 0, 1, 5, 2, 3, 4, 1, 2], len(values))
    fast = Host(step_s=30).say(np.minimum(finer, 100.0))
    [first, second] = [host.trends()[0][0] * host.step_s for host in (slow, fast)]
    assert abs(first - second) <= 2 * STEP_S


def test_late_repeated_missing_and_absurd_readings_teach_nothing_bad():
    lane = Ramps()
    values = noise(5)
    for row, value in enumerate(values):
        lane.judge(NOW + timedelta(seconds=STEP_S * row), {MEMORY: value})
    before = lane.state()
    for late in (NOW, NOW - timedelta(days=400), NOW + timedelta(seconds=STEP_S * (row - 1))):
        assert lane.judge(late, {MEMORY: 99.0}) == {}
    assert lane.state() == before
    after = NOW + timedelta(seconds=STEP_S * row)
    absurd = [{MEMORY: value} for value in (np.nan, np.inf, -np.inf, 1e300, -1e300)]
    for number, said in enumerate([*absurd * 20, *[{}] * 20], 1):
        found = lane.judge(after + timedelta(seconds=STEP_S * number), said)
        assert found == {}


def test_a_host_that_was_away_for_days_does_not_ramp_for_that():
    host = Host().say(noise(4)).say(noise(2, 14, 42.0), after=timedelta(days=3))
    assert host.told == []


@pytest.mark.parametrize("text", ["", "no", "e30=", "eJyrrgUAAXUA+Q=="])
def test_a_state_that_cannot_be_read_is_refused(text):
    with pytest.raises(ValueError, match=r".*"):
        Ramps().restore(text)


def test_what_is_kept_of_a_host_is_small_and_bounded_whatever_names_it_makes_up():
    lane = Ramps()
    for number in range(60):
        names = {(f"app.job_{number}_{one}_used_percent", ""): 1.0 for one in range(200)}
        lane.judge(NOW + timedelta(seconds=STEP_S * number), names)
    assert lane._cohorts.series <= ramps.MOST_SERIES
    assert len(lane._cohorts) <= cohorts.MOST_COHORTS
    lane = Ramps()
    random = np.random.default_rng(5)
    mounts = {("system.disk_usage_percent", f"/{number}"): 1.0 for number in range(15)}
    for number in range(5 * A_DAY):
        noisy = {key: float(random.normal(50, 3)) for key in mounts}
        lane.judge(NOW + timedelta(seconds=STEP_S * number), noisy)
    assert len(lane.state()) / len(mounts) <= 1500


def test_every_kind_that_fills_up_says_where_it_ends_and_only_upwards():
    filling = {name: kind for name, kind in kinds.KINDS.items() if kind.by_trend}
    assert {"system.memory_percent", "system.disk_usage_percent", POOL[0]} <= set(filling)
    assert all(kind.ceiling and kind.direction is kinds.Direction.UP for kind in filling.values())
