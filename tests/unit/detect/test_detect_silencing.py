"""What silences cover, as Alertmanager's matchers do, and what is refused."""

from datetime import UTC, datetime, timedelta

import pytest

from sentienguard.model.anomaly import Anomaly, Ground, Severity
from sentienguard.model.telemetry import Series
from sentienguard.model.window import Comparison, Matcher, Purpose, Window, WindowId
from sentienguard.stages.detect import silencing

NOW = datetime(2026, 2, 12, 11, 26, tzinfo=UTC)
PLACES = ("drill", "staging", "production")


def m(text: str) -> Matcher:
    """Read a matcher as the tests write it: `host =~ web-.*`."""
    label, comparison, value = (*text.split(" ", 2), "")[:3]
    return Matcher(label, Comparison(comparison), value)


def labels(**more: str) -> dict[str, str]:
    series = Series("web-1", "system.disk_usage_percent", "/var")
    anomaly = Anomaly(series, NOW, 97.0, Severity.CRITICAL, Ground.LIMIT, None, None, None, "full")
    place = silencing.place("web-1", "production", {"role": "db", **more})
    return silencing.symptom(place, anomaly)


MATCHES = [
    (["host = web-1"], True),
    (["host = web"], False),
    (["host != web-1"], False),
    (["host != web-2"], True),
    (["host =~ web-.*"], True),
    (["host =~ web"], False),  # the whole value
    (["host =~ web|web-1"], True),
    (["host !~ db-.*"], True),
    (["host !~ web-\\d"], False),
    (["metric = system.disk_usage_percent"], True),
    (["metric =~ system\\..+", "subject = /var"], True),
    (["metric =~ system\\..+", "subject = /srv"], False),  # all of them
    (["environment = production"], True),
    (["environment =~ drill|staging"], False),
    (["severity =~ warning|critical"], True),
    (["severity = info"], False),
    (["tag.role = db"], True),
    (["tag.role =~ (db|web)", "host = web-1"], True),
    (["tag.rack = "], True),  # what is not there is ""
    (["tag.rack != b7"], True),
    (["tag.rack =~ .+"], False),
    (["tag.rack !~ .+"], True),
]


@pytest.mark.parametrize(("matchers", "covered"), MATCHES)
def test_matchers_cover_as_they_say(matchers: list[str], *, covered: bool) -> None:
    assert silencing.covers([m(one) for one in matchers], labels()) is covered


REFUSED = [
    ([], "0 matchers"),
    (["host = web-1"] * 21, "21 matchers"),
    (["hostname = web-1"], "hostname"),
    (["tag. = x"], "tag."),
    (["host != web-1"], "hold for everything"),
    (["host =~ .*"], "hold for everything"),
    (["tag.rack = ", "host !~ web"], "hold for everything"),
    (["host =~ web-("], "missing"),
    (["host =~ (a+)+"], "repeat"),
    (["host =~ (ab|cd)*e"], "repeat"),
    (["host =~ (?:a*){3}"], "repeat"),
    (["host =~ .*a.*b.*c.*"], "too much open"),
    (["host =~ (a)\\1"], "no GROUPREF"),
    (["host =~ (?=a)b"], "no ASSERT"),
    ([f"host = {'x' * 301}"], "300 characters"),
]


@pytest.mark.parametrize(("matchers", "says"), REFUSED)
def test_matchers_that_cannot_be_used_are_refused(matchers: list[str], says: str) -> None:
    with pytest.raises(silencing.MatcherWrong, match=says):
        silencing.check(Purpose.SILENCE, [m(one) for one in matchers])


@pytest.mark.parametrize("fine", ["host =~ .+", "host =~ web-[0-9]{1,3}", "tag.role = db"])
def test_matchers_that_name_something_are_taken(fine: str) -> None:
    silencing.check(Purpose.SILENCE, [m(fine)])
    silencing.check(Purpose.MAINTENANCE, [m(fine)])


@pytest.mark.parametrize("label", ["metric", "subject", "severity"])
def test_maintenance_is_of_hosts_and_not_of_symptoms(label: str) -> None:
    wanted = [Matcher(label, Comparison.EQUAL, "x")]
    silencing.check(Purpose.SILENCE, wanted)
    with pytest.raises(silencing.MatcherWrong, match="environment, host"):
        silencing.check(Purpose.MAINTENANCE, wanted)


@pytest.mark.parametrize(
    ("pattern", "written", "matches", "not_matches"),
    [
        ("web-1", "=", ["web-1"], ["web-11", ""]),
        ("web-*", "=~", ["web-", "web-1.example"], ["web", "xweb-1"]),
        ("web.?", "=~", ["web.1"], ["webx1", "web.12"]),
        ("*", "=~", ["anything"], [""]),
    ],
)
def test_a_pattern_becomes_a_matcher(pattern, written, matches, not_matches) -> None:
    found = silencing.from_pattern("host", pattern)
    assert found.comparison == written
    for value, expected in [(one, True) for one in matches] + [(one, False) for one in not_matches]:
        assert silencing.covers([found], {"host": value}) is expected


@pytest.mark.parametrize(
    ("matchers", "reached"),
    [
        (["host = web-1"], PLACES),
        (["environment = drill", "host = x"], ("drill",)),
        (["environment != production"], ("drill", "staging")),
        (["environment =~ .*a.*"], ("staging",)),
        (["environment = moon"], ()),
    ],
)
def test_a_window_reaches_the_environments_that_its_matchers_leave(matchers, reached) -> None:
    assert silencing.reach([m(one) for one in matchers], PLACES) == reached


def test_only_what_stands_and_covers_counts() -> None:
    def window(name: str, matcher: str, starts: int, ends: int) -> Window:
        begin, end = NOW + timedelta(minutes=starts), NOW + timedelta(minutes=ends)
        return Window(WindowId(name), Purpose.SILENCE, (m(matcher),), begin, end, "anna", "why")

    found = [
        window("over", "host = web-1", -9, 0),
        window("stands", "host = web-1", -9, 9),
        window("comes", "host = web-1", 1, 9),
        window("other", "host = web-2", -9, 9),
    ]
    assert [one.id for one in silencing.covering(found, labels(), NOW)] == ["stands"]


def test_a_matcher_is_written_as_people_write_it() -> None:
    assert str(m("host =~ web-.*")) == 'host=~"web-.*"'
