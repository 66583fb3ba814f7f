"""The deviation lane without numpy says what the vectorised one says, and needs no numpy for it."""

import subprocess
import sys

import numpy as np
import pytest

from sentienguard.stages.detect.lanes import deviation, scalar

ROWS = 2000


def noise(random):
    return random.normal(50, 3, ROWS)


def daily(random):
    return 30 + 20 * np.sin(np.arange(ROWS) * 300 / 86_400 * 2 * np.pi) + random.normal(0, 2, ROWS)


def outage(random):
    values = noise(random)
    values[1000:1060] = 0
    values[1500:] += 40
    return values


def still(_random):
    values = np.full(ROWS, 40.0)
    values[::997] += 0.5
    return values


def broken(random):
    values = noise(random)
    values[random.integers(0, ROWS, 100)] = np.nan
    values[100:103] = [np.inf, -np.inf, 1e300]
    values[1700] = -1e20
    return values


def rare(random):
    return np.where(random.random(ROWS) < 0.01, 100.0, 0.0)


def large(random):
    return 1e9 + random.normal(0, 1e7, ROWS)


@pytest.mark.parametrize("step_s", [300.0, 30.0, 5400.0])
@pytest.mark.parametrize("made", [noise, daily, outage, still, broken, rare, large])
def test_both_forms_give_the_same_numbers(made, step_s):
    values = made(np.random.default_rng(11))
    one, many = scalar.Deviation(), deviation.Deviation(1)
    with np.errstate(over="ignore"):
        for row, value in enumerate(values.tolist()):
            at_s = 1_770_000_000 + row * step_s
            expected = float(many.judge(at_s, np.array([value]))[0])
            assert one.judge(at_s, value) == pytest.approx(expected, rel=2e-3, abs=2e-3), row


def test_it_needs_no_numpy():
    code = (
        "import sys; sys.modules['numpy'] = None\n"
        "from sentienguard.stages.detect.lanes import scalar\n"
        "lane = scalar.Deviation()\n"
        "print([round(lane.judge(30.0 * row, 50 + row % 3)) for row in range(200)][-1])\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() in {"0", "1"}
