import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentienguard.stages.detect.lanes import deviation, host, novelty

FIVE_MINUTES = 300.0
A_DAY = 288  # readings


def deviations(values, *, step=FIVE_MINUTES):
    lane = deviation.Deviation()
    return [
        deviation.score(float(lane.judge(at * step, np.array([value]))[0]))
        for at, value in enumerate(values)
    ]


def novelties(values, *, step=FIVE_MINUTES):
    lane = novelty.Novelty()
    return [
        novelty.score(float(lane.judge(at * step, np.array([value]))[0]))
        for at, value in enumerate(values)
    ]


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


@pytest.mark.parametrize("make", [deviation.Deviation, novelty.Novelty, host.Host])
def test_a_clock_that_jumps_a_year_either_way_breaks_nothing(make):
    lane = make(1)
    year = 365 * 86_400.0
    for at, value in enumerate(noise(400)):
        jump = year if 100 <= at < 200 else -year if at >= 300 else 0.0
        assert np.all(np.isfinite(lane.judge(at * 60.0 + jump, np.array([value]))))


@pytest.mark.parametrize("make", [deviation.Deviation, novelty.Novelty])
def test_series_that_are_judged_together_get_the_scores_that_each_gets_alone(make):
    """One definition: what is vectorised for the centre is what one series is judged by."""
    rng = np.random.default_rng(11)
    readings = np.stack([noise(1300, 1), rng.exponential(1e-3, 1300), np.full(1300, 7.0)], axis=1)
    readings[900:910, 2] = 9.0
    readings[rng.integers(0, 1300, 40), 1] = np.nan
    together, alone = make(3), [make(1) for _ in range(3)]
    for at, row in enumerate(readings):
        found = together.judge(at * FIVE_MINUTES, row)
        expected = [
            lane.judge(at * FIVE_MINUTES, row[k : k + 1])[0] for k, lane in enumerate(alone)
        ]
        assert found == pytest.approx(expected, rel=1e-5, abs=1e-6)


def size(lane):
    """Return the bytes of all arrays that a lane holds."""
    found, todo = {}, [lane]
    while todo:
        one = todo.pop()
        if isinstance(one, np.ndarray):
            found[id(one)] = one.nbytes
        elif isinstance(one, (list, tuple)):
            todo += one
        elif type(one).__module__.startswith("sentienguard"):
            todo += vars(one).values()
    return sum(found.values())


@pytest.mark.parametrize(
    ("make", "most"), [(deviation.Deviation, 320), (novelty.Novelty, 4000), (host.Host, 2600)]
)
def test_the_state_of_a_series_is_small_and_does_not_grow(make, most):
    lane, rng = make(50), np.random.default_rng(5)
    sizes = []
    for at in range(700):
        lane.judge(at * FIVE_MINUTES, rng.normal(0, 1, 50))
        if at in {350, 699}:
            sizes.append(size(lane) / 50)
    assert sizes[0] == pytest.approx(sizes[1], rel=0.02)
    assert sizes[1] <= most


def hosts(readings, *, step=60.0):
    lane = host.Host(readings.shape[1])
    return [
        (host.score(lane.judge(at * step, row)), lane.leading()) for at, row in enumerate(readings)
    ]


def test_a_host_is_raised_and_the_metrics_that_are_off_are_named():
    readings = np.random.default_rng(3).normal(50, 2, (700, 10))
    readings[650:655, [2, 7]] += 60
    found = hosts(readings)
    assert max(score for score, _ in found[650:655]) >= 0.5
    assert set(found[651][1]) == {2, 7}
    assert max(score for score, _ in found[100:650]) < 0.5


def test_a_host_that_lives_by_the_day_is_raised_where_its_day_is_missing():
    minutes = np.arange(A_DAY * 10)
    rng = np.random.default_rng(4)
    wave = 50 - 30 * np.cos(minutes / A_DAY * 2 * np.pi)
    readings = wave[:, None] + rng.normal(0, 2, (len(minutes), 8))
    fault = 9 * A_DAY + A_DAY // 2
    readings[fault : fault + 12, :5] = 20 + rng.normal(0, 2, (12, 5))  # as at night, at noon
    found = [score for score, _ in hosts(readings, step=FIVE_MINUTES)]
    assert max(found[fault : fault + 12]) >= 0.5
    assert max(found[5 * A_DAY : fault]) < 0.5


def test_a_host_s_score_depends_on_no_later_reading():
    readings = np.random.default_rng(6).normal(50, 2, (A_DAY * 3, 4))
    readings[600:610] += 30
    whole = hosts(readings, step=FIVE_MINUTES)
    assert hosts(readings[:640], step=FIVE_MINUTES) == whole[:640]
