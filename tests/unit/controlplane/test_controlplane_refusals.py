"""Which refusals are recorded: enough of everybody, and no flood of anybody."""

from datetime import UTC, datetime, timedelta

from sentienguard.controlplane import refusals as module
from sentienguard.controlplane.refusals import (
    AGAIN_AFTER,
    MOST_AT_A_DOOR,
    MOST_RECORDED,
    STRANGERS,
    Refusals,
)

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


def test_a_machine_that_tries_again_for_ever_is_recorded_once_in_a_while() -> None:
    refusals = Refusals()
    told = [
        refusals.at_door("unknown_agent", "192.0.2.7", NOW + timedelta(seconds=second))
        for second in range(0, 1200, 30)
    ]
    assert [one for one in told if one is not None] == [{}, {"left_out": 19}]
    assert told.index({"left_out": 19}) * 30 == AGAIN_AFTER.total_seconds()


def test_a_network_has_one_share_and_kinds_have_their_own() -> None:
    refusals = Refusals()
    assert refusals.at_door("a", "2001:db8::1", NOW) == {}
    assert refusals.at_door("a", "2001:db8::2", NOW) is None
    assert refusals.at_door("b", "2001:db8::2", NOW) == {}


def test_a_flood_from_everywhere_hides_no_other_kind_and_nobody_who_logs_in() -> None:
    refusals = Refusals()
    places = [f"10.{one // 250}.{one % 250}.1" for one in range(5000)]
    told = [refusals.at_door("a", place, NOW) for place in places]
    assert sum(one is not None for one in told) == MOST_AT_A_DOOR
    assert refusals.at_door("b", "192.0.2.7", NOW) == {}
    assert taken(refusals, STRANGERS, 3) == 3
    later = refusals.at_door("a", "192.0.2.7", NOW + timedelta(minutes=1))
    assert later == {"left_out": 5000 - MOST_AT_A_DOOR}


def test_a_clock_that_is_set_back_silences_no_door() -> None:
    refusals = Refusals()
    assert refusals.at_door("a", "192.0.2.7", NOW) == {}
    assert refusals.at_door("a", "192.0.2.7", NOW - timedelta(days=1)) == {}


def test_what_is_remembered_of_networks_is_bounded(monkeypatch) -> None:
    monkeypatch.setattr(module, "MOST_PLACES", 4)
    refusals = Refusals()
    for minute in range(20):
        refusals.at_door("a", f"10.0.{minute}.1", NOW + timedelta(minutes=minute))
    assert len(refusals._places) <= 4
