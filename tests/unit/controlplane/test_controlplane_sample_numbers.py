"""Sample numbers that were taken, against a plain set."""

from hypothesis import given
from hypothesis import strategies as st

from sentienguard.controlplane.sample_numbers import MOST_GAPS, Numbers


@given(st.lists(st.integers(0, 60)))
def test_it_knows_what_a_set_knows(added):
    numbers, known = Numbers(), set()
    for one in added:
        numbers.add(one)
        known.add(one)
        assert [number in numbers for number in range(-1, 63)] == [
            number in known for number in range(-1, 63)
        ]


def test_the_oldest_stretch_goes_and_the_newest_number_stays():
    numbers = Numbers()
    for number in range(0, 4 * MOST_GAPS, 2):
        numbers.add(number)
    assert 0 not in numbers
    assert 4 * MOST_GAPS - 2 in numbers
    assert len(numbers._firsts) == MOST_GAPS + 1


def test_a_million_numbers_in_a_row_are_one_stretch():
    numbers = Numbers()
    for number in range(100_000):
        numbers.add(number)
    assert len(numbers._firsts) == 1
