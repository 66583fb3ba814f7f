"""Both forms of the ramp lane on made-up series, and that they say the same."""

import dataclasses
import math
import subprocess
import sys

import numpy as np
import pytest

from sentienguard.stages.detect.lanes import ramp, ramp_definition, scalar_ramp

STEP = 300.0
A_DAY = 288  # readings
LIMIT = 100.0


def warnings(values, *, limit=LIMIT, step=STEP):
    lane = scalar_ramp.Ramp(limit)
    found = {}
    for at, value in enumerate(values):
        ahead = lane.judge(at * step, float(value))
        if ahead is not None:
            found[at] = ahead
    return found


def noise(days=12, seed=1):
    return np.random.default_rng(seed).normal(40, 1, days * A_DAY)


def wave(days=12):
    minutes = np.arange(days * A_DAY)
    return 40 - 20 * np.cos(minutes / A_DAY * 2 * np.pi) + noise(days) - 40


def bursts(days=12):
    """Let a series be busy for a quarter of an hour now and then, at no fixed time."""
    values = noise(days)
    for start in np.random.default_rng(2).integers(0, len(values), 20 * days):
        values[start : start + 3] += 45
    return values


def backup(days=12):
    """Let a series rise for two hours each night and fall at once."""
    values = noise(days)
    for day in range(days):
        start = day * A_DAY + 24 + int(np.random.default_rng(day).integers(-1, 2))
        values[start : start + 24] += np.linspace(0, 40, 24)
    return values


def outage(days=12):
    """Let a series fall to nothing for hours and come back over an hour: no news."""
    values = noise(days)
    for start in (3 * A_DAY, 7 * A_DAY):
        values[start : start + 60] = 1
        values[start + 60 : start + 72] = np.linspace(1, 40, 12)
    return values


def gaps(days=12):
    values = noise(days)
    random = np.random.default_rng(3)
    values[random.integers(0, len(values), 300)] = np.nan
    values[random.integers(0, len(values), 30)] = np.inf
    values[4 * A_DAY : 5 * A_DAY] = np.nan
    values[:50] = np.nan
    return values


def ramped(values, start, rows):
    """Let a series climb to its limit within so many rows."""
    put = values.copy()
    put[start:] += (LIMIT - put[start]) * np.minimum(np.arange(len(put) - start) / rows, 1)
    return np.minimum(put, LIMIT)


@pytest.mark.parametrize("make", [noise, wave, bursts, backup, outage, gaps])
def test_a_background_alone_raises_nothing(make):
    assert warnings(make()) == {}


@pytest.mark.parametrize("rows", [A_DAY, 3 * A_DAY])
def test_a_ramp_on_noise_is_warned_of_with_nine_tenths_of_the_time_left(rows):
    start = 8 * A_DAY
    found = warnings(ramped(noise(), start, rows))
    assert found
    assert start <= min(found) <= start + rows / 10


@pytest.mark.parametrize("make", [bursts, gaps])
@pytest.mark.parametrize("rows", [A_DAY, 3 * A_DAY])
def test_a_ramp_on_bursts_or_gaps_is_warned_of_with_four_fifths_of_the_time_left(make, rows):
    start = 8 * A_DAY
    found = warnings(ramped(make(), start, rows))
    assert found
    assert start <= min(found) <= start + rows / 5


@pytest.mark.parametrize("make", [wave, backup])
def test_a_ramp_on_a_daily_rhythm_is_warned_of_while_most_of_the_time_is_left(make):
    start, rows = 8 * A_DAY, A_DAY
    found = [at for at in warnings(ramped(make(), start, rows)) if at >= start]
    assert found
    assert min(found) <= start + rows / 3


@pytest.mark.parametrize("rows", [A_DAY, 3 * A_DAY])
def test_the_time_left_is_about_right_and_inside_its_interval(rows):
    start = 8 * A_DAY
    found = warnings(ramped(noise(), start, rows))
    first = min(found)
    left = (start + rows - first) * STEP
    assert found[first].left_s == pytest.approx(left, rel=0.5)
    assert found[first].soonest_s <= left <= found[first].latest_s


@pytest.mark.parametrize("make", [noise, wave, bursts, backup])
def test_a_slow_leak_of_ten_days_is_noticed_in_its_first_half(make):
    start, rows = 8 * A_DAY, 10 * A_DAY
    found = warnings(ramped(make(days=18), start, rows))
    assert found
    assert start <= min(found) <= start + rows / 2


def test_the_days_before_two_were_seen_say_nothing_of_what_is_usual():
    start = A_DAY
    found = warnings(ramped(noise(), start, A_DAY // 2))
    assert min(found, default=2 * A_DAY) >= 2 * A_DAY


def test_what_is_full_at_once_is_no_ramp():
    values = noise()
    values[8 * A_DAY :] += 45
    assert warnings(values) == {}


def test_a_series_at_its_limit_has_no_way_left():
    values = ramped(noise(), 8 * A_DAY, A_DAY)
    assert not [at for at in warnings(values) if at >= 9 * A_DAY + 2]


def test_one_ramp_is_one_warning():
    assert len(warnings(ramped(noise(), 8 * A_DAY, 3 * A_DAY))) <= 2


@pytest.mark.parametrize("make", [noise, wave, gaps])
def test_a_warning_depends_on_no_later_reading(make):
    values = ramped(make(), 8 * A_DAY, A_DAY)
    whole = warnings(values)
    assert whole
    for end in (min(whole), min(whole) + 1, 10 * A_DAY):
        assert warnings(values[:end]) == {at: left for at, left in whole.items() if at < end}


def test_missing_infinite_and_backward_readings_break_nothing():
    lane = scalar_ramp.Ramp(LIMIT)
    for at, value in enumerate([math.nan, 1.0, math.inf, -math.inf, 2.0, math.nan, 1e300] * 60):
        ahead = lane.judge(STEP * (at if at % 7 else at - 10_000), value)
        assert ahead is None or math.isfinite(ahead.latest_s)


def test_a_clock_that_jumps_a_year_makes_no_ramp():
    lane = scalar_ramp.Ramp(LIMIT)
    year = 365 * 86_400.0
    told = []
    for at, value in enumerate(noise().tolist()):
        jump = year if 1000 <= at < 1500 else -year if 2000 <= at < 2500 else 0.0
        told.append(lane.judge(at * STEP + jump, value))
    assert told == [None] * len(told)


def test_both_forms_give_the_same_numbers():
    start = 8 * A_DAY
    made = [noise(), wave(), bursts(), backup(), outage(), gaps()]
    made += [ramped(one, start, A_DAY) for one in made]
    made += [np.full(len(made[0]), np.nan), np.full(len(made[0]), 1e300), 1e-12 * noise()]
    limits = np.full(len(made), LIMIT)
    limits[-1] = 1e-10
    many = ramp.Ramp(limits)
    each = [scalar_ramp.Ramp(limit) for limit in limits.tolist()]
    told = 0
    for at, readings in enumerate(np.array(made).T):
        at_s = 1_770_000_000 + at * STEP - (50_000 if at == 2000 else 0)
        found = many.judge(at_s, readings)
        for place, lane in enumerate(each):
            ahead = lane.judge(at_s, float(readings[place]))
            assert bool(many.climbs[place]) == lane.climbs, (at, place)
            if ahead is None:
                assert np.isnan(found[:, place]).all(), (at, place)
                continue
            told += 1
            assert found[:, place].tolist() == list(dataclasses.astuple(ahead)), (at, place)
    assert told >= 6


def test_the_scalar_form_needs_no_numpy():
    code = (
        "import sys; sys.modules['numpy'] = None\n"
        "from sentienguard.stages.detect.lanes import scalar_ramp\n"
        "lane = scalar_ramp.Ramp(100.0)\n"
        "print(lane.judge(0.0, 1.0))\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "None"


def _numbers(one):
    """Return how many numbers an object of the lane holds."""
    if isinstance(one, np.ndarray):
        return one.size
    if one is None or isinstance(one, int | float):
        return 1
    if isinstance(one, ramp_definition.Ahead):
        return len(dataclasses.astuple(one))
    parts = one if isinstance(one, list | tuple) or hasattr(one, "maxlen") else None
    if parts is None:
        slots = getattr(type(one), "__slots__", ())
        parts = [getattr(one, name) for name in slots] or list(vars(one).values())
    return sum(_numbers(part) for part in parts)


@pytest.mark.parametrize("make", [lambda: scalar_ramp.Ramp(LIMIT), lambda: ramp.Ramp([LIMIT])])
def test_the_state_is_small_and_does_not_grow(make):
    lane = make()
    many = isinstance(lane, ramp.Ramp)
    sizes = []
    for at, value in enumerate(noise().tolist()):
        lane.judge(at * STEP, np.array([value]) if many else value)
        if at + 1 in {10 * A_DAY, 12 * A_DAY}:
            sizes.append(8 * _numbers(lane))
    assert sizes[0] == sizes[1] <= 4096


def test_lengths_of_blocks_are_whole_and_rising():
    assert list(ramp_definition.LENGTHS) == sorted(set(ramp_definition.LENGTHS))
