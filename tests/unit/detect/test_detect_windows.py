"""When windows stand: cron's five fields, and the two nights on which the clocks change."""

import itertools
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentienguard.model.window import Comparison, Matcher, Purpose, Recurrence, Window, WindowId
from sentienguard.stages.detect import cron, windows

BERLIN = "Europe/Berlin"
NEW_YORK = "America/New_York"


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def every(expression: str, zone: str = "UTC", minutes: int = 60) -> Recurrence:
    return Recurrence(expression, zone, timedelta(minutes=minutes))


def window(starts: str, ends: str, recurrence: Recurrence | None = None) -> Window:
    matchers = (Matcher("host", Comparison.EQUAL, "web-1"),)
    return Window(
        WindowId("sil_1"), Purpose.SILENCE, matchers, utc(starts), utc(ends), "anna", "why",
        recurrence,
    )  # fmt: skip


DAYS = [
    ("0 2 * * *", date(2026, 2, 12), True),
    ("0 2 * * sun", date(2026, 2, 15), True),
    ("0 2 * * 7", date(2026, 2, 15), True),
    ("0 2 * * 0", date(2026, 2, 16), False),
    ("0 2 * * mon-fri", date(2026, 2, 14), False),
    ("0 2 * * 1-5/2", date(2026, 2, 16), True),
    ("0 2 * * 1-5/2", date(2026, 2, 17), False),
    ("0 2 1,15 * *", date(2026, 2, 15), True),
    ("0 2 1,15 * *", date(2026, 2, 16), False),
    ("0 2 */10 * *", date(2026, 2, 11), True),
    ("0 2 * jan,MAR *", date(2026, 2, 11), False),
    ("0 2 * jan,MAR *", date(2026, 3, 11), True),
    ("0 2 13 * fri", date(2026, 2, 6), True),  # either day field is enough
    ("0 2 13 * fri", date(2026, 3, 13), True),
    ("0 2 13 * fri", date(2026, 3, 14), False),
    ("0 2 29 2 *", date(2028, 2, 29), True),
]


@pytest.mark.parametrize(("expression", "day", "is_one"), DAYS)
def test_an_expression_names_its_days(expression: str, day: date, *, is_one: bool) -> None:
    assert cron.parse(expression).on(day) is is_one


@pytest.mark.parametrize(
    ("expression", "minutes", "hours"),
    [
        ("*/15 1-3 * * *", (0, 15, 30, 45), (1, 2, 3)),
        ("5/20 22,4 * * *", (5, 25, 45), (4, 22)),
        ("0 */12 * * *", (0,), (0, 12)),
    ],
)
def test_an_expression_names_its_times(expression, minutes, hours) -> None:
    found = cron.parse(expression)
    assert (found.minutes, found.hours) == (minutes, hours)


@pytest.mark.parametrize(
    "wrong",
    ["", "0 2 * *", "0 2 * * * *", "60 2 * * *", "0 24 * * *", "0 2 0 * *", "0 2 * 13 *",
     "0 2 * * 8", "0 2 * * son", "0 2 * * 5-1", "*/0 2 * * *", "0 2 * * mon-", "-1 2 * * *",
     "0 2 ٣ * *", "0 2 * * " + "1," * 60 + "1", "1,,2 2 * * *", "@daily", "0 2 * * */x"],
)  # fmt: skip
def test_what_is_no_expression_is_refused_with_its_field(wrong: str) -> None:
    with pytest.raises(cron.CronWrong, match="expected"):
        cron.parse(wrong)


SPANS = [
    # A Sunday as any other, in winter and in summer.
    ("0 2 * * sun", BERLIN, 120, "2026-02-12T00:00", "2026-02-15T01:00", "2026-02-15T03:00"),
    ("0 2 * * sun", BERLIN, 120, "2026-07-01T00:00", "2026-07-05T00:00", "2026-07-05T02:00"),
    # The clocks jump from 2 to 3 (01:00 UTC): 02:30 does not come, and begins as 03:30.
    ("30 2 * * *", BERLIN, 60, "2026-03-28T23:00", "2026-03-29T01:30", "2026-03-29T02:30"),
    ("0 2 * * *", BERLIN, 60, "2026-03-28T23:00", "2026-03-29T01:00", "2026-03-29T02:00"),
    # Two hours of passing time, though the wall shows three.
    ("0 1 * * *", BERLIN, 120, "2026-03-28T23:00", "2026-03-29T00:00", "2026-03-29T02:00"),
    # The clocks show 2 to 3 twice (00:00 and 01:00 UTC): once, the first time.
    ("30 2 * * *", BERLIN, 30, "2026-10-24T23:00", "2026-10-25T00:30", "2026-10-25T01:00"),
    ("30 2 * * *", BERLIN, 30, "2026-10-25T01:00", "2026-10-26T01:30", "2026-10-26T02:00"),
    ("0 1 * * *", BERLIN, 120, "2026-10-24T22:00", "2026-10-24T23:00", "2026-10-25T01:00"),
    # Every hour is every hour, also the repeated one.
    ("0 * * * *", BERLIN, 10, "2026-10-25T00:30", "2026-10-25T01:00", "2026-10-25T01:10"),
    ("0 * * * *", BERLIN, 10, "2026-03-29T00:30", "2026-03-29T01:00", "2026-03-29T01:10"),
    # West of Greenwich, over midnight.
    ("30 23 * * fri", NEW_YORK, 90, "2026-11-06T12:00", "2026-11-07T04:30", "2026-11-07T06:00"),
    ("0 0 29 2 *", "UTC", 60, "2026-03-01T00:00", "2028-02-29T00:00", "2028-02-29T01:00"),
]  # fmt: skip


@pytest.mark.parametrize(("expression", "zone", "minutes", "at", "starts", "ends"), SPANS)
def test_a_span_is_where_the_clock_on_the_wall_says(  # noqa: PLR0917  # one for each column
    expression: str, zone: str, minutes: int, at: str, starts: str, ends: str
) -> None:
    found = window("2026-01-01T00:00", "2030-01-01T00:00", every(expression, zone, minutes))
    span = windows.Span(utc(starts), utc(ends))
    assert windows.next_span(found, utc(at)) == span
    for moment, stands in [
        (span.starts_at - timedelta(seconds=1), False),
        (span.starts_at, True),
        (span.ends_at - timedelta(seconds=1), True),
        (span.ends_at, False),
    ]:
        assert windows.stands(found, moment) is stands
    assert windows.next_span(found, span.starts_at) == span


def test_a_window_stands_from_its_start_until_before_its_end() -> None:
    found = window("2026-02-12T10:00", "2026-02-12T11:00")
    at = [utc(f"2026-02-12T{hour}") for hour in ("09:59", "10:00", "10:59", "11:00")]
    assert [windows.stands(found, one) for one in at] == [False, True, True, False]
    assert windows.next_span(found, at[3]) is None


def test_a_recurring_window_stands_only_within_its_own_limits() -> None:
    night = every("0 2 * * *", minutes=240)
    found = window("2026-02-12T03:00", "2026-02-13T04:00", night)
    moments = {"02-12T02:30": False, "02-12T03:00": True, "02-12T07:00": False,
               "02-13T03:59": True, "02-13T04:00": False}  # fmt: skip
    for moment, stands in moments.items():
        assert windows.stands(found, utc(f"2026-{moment}")) is stands
    first = windows.next_span(found, utc("2026-02-12T00:00"))
    assert first == windows.Span(utc("2026-02-12T03:00"), utc("2026-02-12T06:00"))
    assert windows.next_span(found, utc("2026-02-13T04:00")) is None


def test_overlapping_occurrences_are_one_long_one() -> None:
    found = window("2026-02-12T00:00", "2026-02-20T00:00", every("0 * * * *", minutes=90))
    assert all(
        windows.stands(found, utc("2026-02-12T05:00") + timedelta(minutes=minutes))
        for minutes in range(0, 600, 7)
    )


@pytest.mark.parametrize(
    ("recurrence", "says"),
    [
        (every("0 2 30 2 *"), "next five years"),
        (every("0 2 * * *", "Moon/Tycho"), "Moon/Tycho"),
        (every("0 2 * * *", "../../etc/passwd"), "time zone"),
        (every("0 2 * * *", ""), "time zone"),
        (every("0 2 * * *", minutes=0), "1 minute to 7 days"),
        (every("0 2 * * *", minutes=7 * 24 * 60 + 1), "1 minute to 7 days"),
        (every("0 2 * *"), "five fields"),
    ],
)
def test_a_recurrence_that_cannot_be_is_refused(recurrence: Recurrence, says: str) -> None:
    with pytest.raises((windows.RecurrenceWrong, cron.CronWrong), match=says):
        windows.check(recurrence, utc("2026-02-12T00:00"))


ZONES = st.sampled_from([BERLIN, NEW_YORK, "UTC", "Asia/Kolkata", "Australia/Lord_Howe"])
HOURS = st.sampled_from(["2", "1-3", "23", "*", "0,12"])
MINUTES = st.sampled_from(["0", "30", "*/15", "59"])
WEEKDAYS = st.sampled_from(["*", "sun", "sat,sun", "mon-fri"])
AROUND = st.sampled_from([utc("2026-03-08T00:00"), utc("2026-03-29T00:00"), utc("2026-04-04T12:00"),
                          utc("2026-10-24T20:00"), utc("2026-11-01T00:00")])  # fmt: skip


def named(recurrence: Recurrence, at: datetime) -> bool:
    """Tell whether a start falls on this minute, by looking at the wall and nothing else."""
    wall = at.astimezone(ZoneInfo(recurrence.zone))
    found = cron.parse(recurrence.cron)
    if not found.on(wall.date()) or wall.minute not in found.minutes:
        return False
    return wall.hour in found.hours and (found.every_hour or wall.fold == 0)


@given(ZONES, MINUTES, HOURS, WEEKDAYS, AROUND, st.integers(0, 3 * 24 * 60), st.integers(1, 300))
def test_a_window_stands_where_a_look_at_every_minute_says_so(  # noqa: PLR0917  # one for each part
    zone: str, minute: str, hour: str, weekday: str, near: datetime, offset: int, lasts: int
) -> None:
    again = every(f"{minute} {hour} * * {weekday}", zone, lasts)
    at = near + timedelta(minutes=offset - 24 * 60)
    found = window("2026-01-01T00:00", "2027-01-01T00:00", again)
    before = [at - timedelta(minutes=back) for back in range(lasts)]
    seen = any(named(again, one) for one in before)
    if seen:
        assert windows.stands(found, at)
    elif windows.stands(found, at):  # only a start that the clocks skipped is not on any wall
        start = windows.latest_start(again, at)
        assert start is not None
        wall = start.astimezone(ZoneInfo(zone))
        earlier = (start - timedelta(minutes=wall.minute + 61)).astimezone(ZoneInfo(zone))
        assert wall.utcoffset() != earlier.utcoffset()


@given(ZONES, MINUTES, HOURS, WEEKDAYS, AROUND)
def test_starts_rise_and_each_of_them_stands(zone, minute, hour, weekday, near) -> None:
    again = every(f"{minute} {hour} * * {weekday}", zone, 5)
    at, starts = near, []
    for _ in range(4):
        found = windows.next_start(again, at)
        assert found is not None
        starts.append(found)
        at = found
    assert all(one < other for one, other in itertools.pairwise(starts))
    assert all(windows.latest_start(again, one) == one for one in starts)
