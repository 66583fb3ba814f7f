"""The deviation lane in the running detector: what it says, when, and what a restart keeps."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from sentienguard.model.anomaly import Baseline, Ground
from sentienguard.model.ids import AgentId
from sentienguard.model.telemetry import Sample, Series
from sentienguard.stages.detect import cohorts, deviations
from sentienguard.stages.detect.detector import Detector
from sentienguard.stages.detect.deviations import Deviations
from sentienguard.stages.detect.lanes.deviation import Deviation
from sentienguard.stages.detect.settings import DetectSettings

NOW = datetime(2026, 2, 12, 11, 26, tzinfo=UTC)
CPU, DISK = ("system.cpu_percent", ""), ("system.disk_usage_percent", "/")
EARLY = Baseline(12.0, 40.0, 12.0, 20.0, 30.0, 500, seasonal=False)  # its spread says nothing yet
SEASONAL = Baseline(12.0, 40.0, 12.0, 20.0, 30.0, 20_000, seasonal=True)


class Host:
    """A host that samples each thirty seconds, its lane and its detector."""

    def __init__(self, baseline=None):
        self.lane, self.detector, self.baseline = Deviations(), Detector(DetectSettings()), baseline
        self.number, self.random = 0, np.random.default_rng(3)

    def say(self, times=1, **changes):
        """Sample some times and return what was new and what was over."""
        new, over = [], []
        for _ in range(times):
            self.number += 1
            at = NOW + timedelta(seconds=30 * self.number)
            noise = self.random.normal(0, 1, 2)
            values = {CPU: 12 + noise[0], DISK: 40 + noise[1] / 10}
            values |= {(f"system.{name}_percent", ""): value for name, value in changes.items()}
            sample = Sample(AgentId("a"), "web-1", "drill", {}, self.number, at, values)
            judged = self.detector.judge(
                sample,
                lambda _: self.baseline,
                lambda _: (),
                self.lane.judge(sample.at, sample.values),
            )
            new += judged.anomalies
            over += judged.cleared
        return new, over


def test_a_host_without_a_baseline_is_judged_by_its_means_after_a_while():
    host = Host()
    assert host.say(100) == ([], [])
    assert host.say(20, cpu=80.0)[0] == [], "the means are young"
    host = Host()
    host.say(200)
    assert host.say(3, cpu=80.0)[0] == [], "believed after four readings and ninety seconds"
    (found,), _ = host.say(1, cpu=80.0)
    assert (found.ground, found.series.metric) == (Ground.DEVIATION, "system.cpu_percent")
    assert 10 < found.sigma < 14, "by the floor of the kind: (80 - 12) / 5"
    assert "standard deviations from its means" in found.reason
    assert host.say(5)[1] == [found.fingerprint]


@pytest.mark.parametrize(
    ("baseline", "cpu", "finds"),
    [
        (EARLY, 80.0, [Ground.DEVIATION]),
        (SEASONAL, 80.0, []),  # the baseline knows this time of day, and explains it
        (None, 38.0, []),  # not material, by the table of kinds
        (None, 0.0, []),  # not the bad direction
        (None, 98.0, [Ground.LIMIT, Ground.DEVIATION]),  # the certain one first, then how bad it is
    ],
)
def test_a_deviation_counts_where_the_baseline_is_young_and_the_kind_says_that_it_is_bad(
    baseline, cpu, finds
):
    host = Host(baseline)
    host.say(200)
    found = [one.ground for one in host.say(8, cpu=cpu)[0]]
    assert found == finds


def test_steady_noise_raises_nothing():
    host = Host()
    assert host.say(3000) == ([], [])


def test_a_series_that_appears_later_is_judged_by_its_own_age():
    host = Host()
    host.say(300)
    assert host.say(60, swap=20.0)[0] == []
    assert host.say(10, swap=80.0)[0] == [], "sixty readings are too few"
    host.say(150, swap=20.0)
    (found,), _ = host.say(4, swap=80.0)
    assert found.series.metric == "system.swap_percent"


def test_a_restart_goes_on_with_the_same_numbers():
    host, other = Host(), Host()
    host.say(400)
    other.say(400)
    other.lane.restore(host.lane.state())
    for one in (host, other):
        one.found = one.say(10, cpu=77.0)[0]
    assert [one.sigma for one in host.found] == [one.sigma for one in other.found]
    assert host.found


@pytest.mark.parametrize("series", [1, 7])
@pytest.mark.parametrize("rows", [0, 1, 100, 4000])
def test_a_lane_that_was_saved_and_one_that_went_on_say_the_same(rows, series):
    random = np.random.default_rng(5)
    readings = random.normal(50, 3, (rows + 300, series))
    lane = Deviation(series)
    for row in range(rows):
        lane.judge(row * 90.0, readings[row])
    again = Deviation(series)
    again.restore(lane.state())
    for row in range(rows, rows + 300):
        at_s = row * 90.0
        assert lane.judge(at_s, readings[row]).tolist() == again.judge(at_s, readings[row]).tolist()
    assert len(lane.state()) <= 480 + 300 * series


@pytest.mark.parametrize(
    "damage",
    [
        lambda state: state[:-1],
        lambda state: b"X" + state[1:],
        lambda state: state[:4] + b"\x09" + state[5:],
        lambda _: b"",
    ],
)
def test_a_state_of_another_shape_or_release_is_refused(damage):
    lane = Deviation(3)
    with pytest.raises(ValueError, match="a lane's state"):
        lane.restore(damage(lane.state()))
    with pytest.raises(ValueError, match="a lane's state"):
        Deviation(2).restore(lane.state())


@pytest.mark.parametrize("text", ["", "no", "e30=", "eJyrrgUAAXUA+Q=="])
def test_a_hosts_state_that_cannot_be_read_is_refused(text):
    with pytest.raises(ValueError, match=r".*"):
        Deviations().restore(text)


def test_a_late_or_repeated_sample_teaches_nothing_and_says_nothing():
    lane, values = Deviations(), {CPU: 3.0}
    for number in range(300):
        lane.judge(NOW + timedelta(seconds=30 * number), values)
    before = lane.state()
    for late in (NOW, NOW - timedelta(days=400), NOW + timedelta(seconds=30 * 299)):
        assert lane.judge(late, {CPU: 99.0})(Series("web-1", *CPU)) is None
    assert lane.state() == before


def test_what_is_kept_of_a_host_is_bounded_whatever_names_it_makes_up():
    lane = Deviations()
    for number in range(60):
        names = {(f"app.job_{number}_{one}_percent", ""): 1.0 for one in range(200)}
        lane.judge(NOW + timedelta(seconds=30 * number), names)
    assert lane._cohorts.series <= deviations.MOST_SERIES
    assert len(lane._cohorts) <= cohorts.MOST_COHORTS
