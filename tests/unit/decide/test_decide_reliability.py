"""What was said is set beside what came of it; a confidence that lies shows."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentienguard.stages.decide import reliability
from sentienguard.stages.decide.reliability import Outcome

PROBABILITY = st.floats(0, 1)
OUTCOMES = st.lists(st.builds(Outcome, PROBABILITY, st.booleans()), max_size=60)


def drawn(said, truth, count, seed=7):
    chance = random.Random(seed)
    return [Outcome(said, chance.random() < truth) for _ in range(count)]


@pytest.mark.parametrize(
    ("resolved", "count", "low", "high"),
    [  # by the formula's own published examples
        (0, 10, 0.0, 0.2775),
        (10, 10, 0.7225, 1.0),
        (81, 263, 0.2553, 0.3662),
        (0, 0, 0.0, 1.0),
    ],
)
def test_an_interval_is_wilson_s(resolved, count, low, high):
    assert reliability.wilson(resolved, count) == pytest.approx((low, high), abs=1e-4)


def test_nothing_known_is_no_figure():
    found = reliability.judge([])
    assert (found.count, found.error, found.brier) == (0, None, None)
    assert all(band.said is None and not band.is_off for band in found.bands)


def test_what_is_said_rightly_has_a_small_error():
    found = reliability.judge(
        [one for said in (0.55, 0.75, 0.92, 0.97) for one in drawn(said, said, 2000)]
    )
    assert found.error < 0.02
    assert not any(band.is_off for band in found.bands)


def test_a_boast_is_seen_in_its_band_and_in_the_error():
    found = reliability.judge(drawn(0.96, 0.7, 400))
    assert found.error == pytest.approx(0.26, abs=0.05)
    assert [band.is_off for band in found.bands if band.count] == [True]


@pytest.mark.parametrize(("count", "off"), [(2, False), (9, False), (10, True)])
def test_of_a_handful_nothing_is_called_off(count, off):
    found = reliability.judge([Outcome(0.97, resolved=number > 4) for number in range(count)])
    assert [band.is_off for band in found.bands if band.count] == [off]


def test_a_value_on_a_line_belongs_above_it_and_one_is_in_the_last_band():
    found = reliability.judge([Outcome(0.9, True), Outcome(1.0, True), Outcome(0.0, False)])
    where = {band.start: band.count for band in found.bands if band.count}
    assert where == {0.0: 1, 0.9: 1, 0.95: 1}


@pytest.mark.parametrize("said", [-0.01, 1.01, float("nan"), float("inf")])
def test_what_is_no_probability_is_refused(said):
    with pytest.raises(reliability.NotAProbability, match="from 0 to 1"):
        reliability.judge([Outcome(said, resolved=True)])


@given(OUTCOMES)
def test_every_incident_is_in_one_band_and_every_share_within_its_interval(outcomes):
    found = reliability.judge(outcomes)
    assert sum(band.count for band in found.bands) == len(outcomes) == found.count
    assert sum(band.resolved for band in found.bands) == found.resolved
    for band in found.bands:
        if band.count:
            assert 0 <= band.low <= band.seen <= band.high <= 1
    if outcomes:
        assert 0 <= found.error <= 1
        assert 0 <= found.brier <= 1


@given(OUTCOMES, st.randoms())
def test_the_order_is_nothing(outcomes, chance):
    mixed = list(outcomes)
    chance.shuffle(mixed)
    assert reliability.judge(mixed) == reliability.judge(outcomes)
