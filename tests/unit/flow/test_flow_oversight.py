"""What counts as odd about answers and logins, and what does not."""

from datetime import UTC, datetime, timedelta

import pytest

from sentienguard.flow import oversight
from sentienguard.flow.oversight import Yes

NOW = datetime(2026, 2, 12, 11, 26, tzinfo=UTC)


def yes(ago_s=0.0, *, by="ann", took_s=30.0, others=(), hour=None):
    at = NOW - timedelta(seconds=ago_s)
    at = at if hour is None else at.replace(hour=hour)
    return Yes(by, at - timedelta(seconds=took_s), at, tuple(others))


USUAL = [yes(86_400 * day) for day in range(1, 21)]  # at eleven, for twenty days
PAIR = [yes(3600 * n, others=["bob"], by="ann") for n in range(1, 10)]
CASES = {
    "read": (yes(), [], set()),
    "quick": (yes(took_s=1.9), [], {"quick_answer"}),
    "two seconds": (yes(took_s=2.0), [], set()),
    "five within a minute": (yes(), [yes(n) for n in (10, 20, 30, 60)], {"burst"}),
    "four within a minute": (yes(), [yes(n) for n in (10, 20, 30, 61)], set()),
    "five of two people": (yes(), [yes(n, by="bob") for n in (10, 20, 30, 40)], set()),
    "the same two": (yes(others=["bob"]), PAIR, {"same_pair"}),
    "the same two, the other way": (yes(by="bob", others=["ann"]), PAIR, {"same_pair"}),
    "another one once": (yes(others=["bob"]), [*PAIR[:-1], yes(9, others=["eve"])], set()),
    "too few to tell": (yes(others=["bob"]), PAIR[:-1], set()),
    "alone": (yes(), PAIR, set()),
    "at night": (yes(hour=3), USUAL, {"off_hours"}),
    "at night, hardly known": (yes(hour=3), USUAL[:-1], set()),
    "a little later": (yes(hour=13), USUAL, set()),
    "around midnight": (yes(hour=1), [yes(86_400 * n, hour=23) for n in range(1, 21)], set()),
    "another's hours": (yes(hour=3, by="bob"), USUAL, set()),
}


@pytest.mark.parametrize("name", CASES)
def test_an_answer_is_found_odd_by_its_rule_alone(name):
    given, before, expected = CASES[name]
    assert {one.rule for one in oversight.of_answer(given, before)} == expected


@pytest.mark.parametrize(
    ("address", "known", "odd"),
    [
        ("192.0.2.7", [], False),
        ("192.0.2.7", ["192.0.2.200"], False),
        ("::ffff:192.0.2.7", ["192.0.2.200"], False),
        ("198.51.100.1", ["192.0.2.200"], True),
        ("2001:db8:1:2::1", ["2001:db8:1:ffff::9"], False),
        ("2001:db8:2::1", ["2001:db8:1::9"], True),
        ("unknown", ["192.0.2.1"], True),
        ("unknown", ["unknown"], False),
    ],
)
def test_a_login_from_a_new_network_is_found(address, known, odd):
    assert bool(oversight.of_login(address, known)) is odd


@pytest.mark.parametrize(
    ("address", "known", "odd"),
    [
        ("203.0.113.7", ["198.51.100.0/24"], True),
        ("198.51.100.99", ["198.51.100.0/24"], False),
        ("2001:db8:1::7", ["2001:db8:2::/48"], True),
        ("203.0.113.7", [], False),  # nothing is known of this person yet
        ("slack", ["198.51.100.0/24"], False),  # a chat has no address of its own
        ("", ["198.51.100.0/24"], False),
    ],
)
def test_a_yes_from_a_network_that_nothing_of_this_person_came_from_is_odd(address, known, odd):
    given = oversight.Yes("ann", NOW - timedelta(minutes=1), NOW, (), address)
    rules = [one.rule for one in oversight.of_answer(given, [], known)]
    assert rules == (["new_network"] if odd else [])
