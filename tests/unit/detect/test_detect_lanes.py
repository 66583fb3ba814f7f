import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentienguard.stages.detect.lanes import deviation, novelty

FIVE_MINUTES = 300.0
A_DAY = 288  # readings


def deviations(values, *, step=FIVE_MINUTES):
    lane = deviation.Deviation()
    return [
        deviation.score(lane.judge(at * step, np.array([value]))) for at, value in enumerate(values)
    ]


def novelties(values, *, step=FIVE_MINUTES):
    lane = novelty.Novelty()
    return [novelty.score(lane.judge(at * step, value)) for at, value in enumerate(values)]


def noise(count, seed=7):
    return np.random.default_rng(seed).normal(50, 2, count)


LANES = pytest.mark.parametrize("scores", [deviations, novelties])


@LANES
def test_a_score_depends_on_no_later_reading(scores):
    values = noise(900)
    values[700:710] = 95
    whole = scores(values)
    for end in (1, 40, 333, 705, 899):
        assert scores(values[:end]) == whole[:end]


@LANES
def test_a_first_outage_is_raised_and_noise_is_not(scores):
    values = noise(900)
    values[700:712] = 95
    found = scores(values)
    assert max(found[700:712]) >= 0.5
    assert sum(one >= 0.5 for one in found[200:700]) <= 3


def test_a_repeated_outage_deviates_each_time_while_people_are_told_less():
    values = noise(1600)
    outages = range(800, 1600, 150)
    for start in outages:
        values[start : start + 6] = 95
    acting, telling = deviations(values), novelties(values)
    acted = [max(acting[start : start + 6]) >= 0.5 for start in outages]
    told = [max(telling[start : start + 6]) >= 0.5 for start in outages]
    assert all(acted)
    assert sum(told) < len(told) / 2


def test_a_nightly_peak_is_no_deviation_once_earlier_days_had_it():
    values = noise(A_DAY * 8)
    for day in range(8):
        values[day * A_DAY + 24 : day * A_DAY + 36] += 40
    found = deviations(values)
    last = 7 * A_DAY
    assert max(found[last + 24 : last + 36]) < 0.5
    assert max(found[24:36]) >= 0.5


@LANES
@given(
    st.lists(
        st.floats(allow_nan=True, allow_infinity=True, width=32) | st.just(0.0),
        max_size=60,
    )
)
def test_whatever_is_read_the_score_is_between_0_and_1(scores, values):
    with np.errstate(all="raise", under="ignore"):
        for one in scores(values):
            assert 0.0 <= one <= 1.0


@LANES
def test_a_missing_reading_is_no_anomaly_and_teaches_nothing(scores):
    values = noise(600)
    values[500:503] = math.nan
    found = scores(values)
    assert max(found[500:503]) < 0.5


@LANES
def test_a_clock_that_jumps_a_year_either_way_breaks_nothing(scores):
    lane = novelty.Novelty() if scores is novelties else deviation.Deviation()
    year = 365 * 86_400.0
    for at, value in enumerate(noise(400)):
        jump = year if 100 <= at < 200 else -year if at >= 300 else 0.0
        given_value = value if scores is novelties else np.array([value])
        assert np.all(np.isfinite(lane.judge(at * 60.0 + jump, given_value)))


def test_the_state_does_not_grow_with_the_series():
    lane = novelty.Novelty()
    sizes = set()
    for at in range(2 * novelty.KEPT + 2):
        lane.judge(at * 60.0, float(at % 7))
        if at % novelty.KEPT == 0:
            sizes.add(lane._states.nbytes + lane._times.nbytes)
    assert len(sizes) == 1


def test_a_host_is_raised_when_many_of_its_series_are_off_together():
    lane = deviation.Deviation(10)
    readings = np.random.default_rng(3).normal(50, 2, (700, 10))
    readings[650:655, :6] += 40
    found = [deviation.score(lane.judge(at * 60.0, row)) for at, row in enumerate(readings)]
    assert max(found[650:655]) >= 0.5
    assert max(found[100:650]) < 0.5
