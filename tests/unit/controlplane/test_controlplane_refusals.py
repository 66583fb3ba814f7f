"""Which refusals are recorded: enough of everybody, and no flood of anybody."""

from datetime import UTC, datetime, timedelta

from sentienguard.controlplane.refusals import MOST_RECORDED, STRANGERS, Refusals

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def taken(refusals: Refusals, person: str, times: int, now: datetime = NOW) -> int:
    return sum(refusals.take(person, now) is not None for _ in range(times))


def test_of_one_person_so_many_are_recorded_in_a_minute() -> None:
    refusals = Refusals()
    assert taken(refusals, "ann", 5000) == MOST_RECORDED
    assert taken(refusals, "ann", 5000, NOW + timedelta(minutes=1)) == MOST_RECORDED


def test_one_s_flood_hides_nobody_else() -> None:
    refusals = Refusals()
    taken(refusals, STRANGERS, 5000)
    taken(refusals, "ann", 5000)
    assert taken(refusals, "bob", 3) == 3


def test_a_name_written_otherwise_has_no_share_of_its_own() -> None:
    refusals = Refusals()
    assert taken(refusals, "ann", 5000) + taken(refusals, "ANN", 5000) == MOST_RECORDED


def test_the_next_record_says_how_many_were_left_out() -> None:
    refusals = Refusals()
    taken(refusals, "ann", MOST_RECORDED + 7)
    assert refusals.take("ann", NOW + timedelta(minutes=1)) == {"left_out": 7}
    assert refusals.take("ann", NOW + timedelta(minutes=1)) == {}


def test_a_clock_that_is_set_back_silences_nothing() -> None:
    refusals = Refusals()
    taken(refusals, "ann", 5000)
    assert taken(refusals, "ann", 1, NOW - timedelta(days=365)) == 1
