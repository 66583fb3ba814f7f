import math

import numpy as np
import pytest

from sentienguard.stages.detect.lanes.ramp import Ramp

STEP = 300.0
A_DAY = 288  # readings
LIMIT = 100.0


def warnings(values, *, limit=LIMIT):
    lane = Ramp(limit)
    found = {}
    for at, value in enumerate(values):
        left = lane.judge(at * STEP, float(value))
        if left is not None:
            found[at] = left
    return found


def noise(days=12, seed=1):
    return np.random.default_rng(seed).normal(40, 1, days * A_DAY)


def wave(days=12):
    minutes = np.arange(days * A_DAY)
    return 40 - 20 * np.cos(minutes / A_DAY * 2 * np.pi) + noise(days) - 40


def ramped(values, start, rows):
    """Let a series climb to its limit within so many rows."""
    put = values.copy()
    put[start:] += (LIMIT - put[start]) * np.minimum(np.arange(len(put) - start) / rows, 1)
    return np.minimum(put, LIMIT)


@pytest.mark.parametrize("make", [noise, wave])
def test_a_background_alone_raises_nothing(make):
    assert warnings(make()) == {}


@pytest.mark.parametrize("rows", [A_DAY, 3 * A_DAY])
def test_a_ramp_on_noise_is_warned_of_with_nine_tenths_of_the_time_left(rows):
    start = 8 * A_DAY
    found = warnings(ramped(noise(), start, rows))
    assert found
    assert start <= min(found) <= start + rows / 10


def test_a_ramp_on_a_daily_wave_is_warned_of_while_most_of_the_time_is_left():
    start, rows = 8 * A_DAY, A_DAY
    found = [at for at in warnings(ramped(wave(), start, rows)) if at >= start]
    assert found
    assert min(found) <= start + rows / 3


def test_the_time_left_is_about_right():
    start, rows = 8 * A_DAY, A_DAY
    found = warnings(ramped(noise(), start, rows))
    first = min(found)
    assert found[first] == pytest.approx((start + rows - first) * STEP, rel=0.5)


def test_what_is_full_at_once_is_no_ramp():
    values = noise()
    values[8 * A_DAY :] += 45
    assert warnings(values) == {}


def test_one_ramp_is_one_warning():
    assert len(warnings(ramped(noise(), 8 * A_DAY, 3 * A_DAY))) <= 2


def test_a_warning_depends_on_no_later_reading():
    values = ramped(noise(), 8 * A_DAY, A_DAY)
    whole = warnings(values)
    end = min(whole) + 1
    assert warnings(values[:end]) == {at: left for at, left in whole.items() if at < end}


def test_missing_infinite_and_backward_readings_break_nothing():
    lane = Ramp(LIMIT)
    for at, value in enumerate([math.nan, 1.0, math.inf, -math.inf, 2.0, math.nan] * 60):
        left = lane.judge(STEP * (at if at % 7 else at - 10_000), value)
        assert left is None or math.isfinite(left)
