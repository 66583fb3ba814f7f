"""When a window stands.

Called by silencing and by the API. Rules:

 1. A window stands from `starts_at` until before `ends_at`; one that recurs, within those, from
    each start that its expression names for as long as it `lasts`.
 2. A start is a time on the wall of its zone. One that the clocks skip begins when they have jumped
    (02:30 becomes 03:30); one that they show twice begins the first time, and both times where
    every hour is named. So it is in RFC 5545.
 3. It lasts a span of passing time: two hours are two hours, also in the night of the change.
"""

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sentienguard.model import errors
from sentienguard.model.window import Recurrence, Window
from sentienguard.stages.detect import cron

LONGEST_SPAN: Final = timedelta(days=7)  # of one occurrence; longer is a window that does not recur
LOOKS_AHEAD_DAYS: Final = 366 * 5  # 29 February comes within
_DAY: Final = timedelta(days=1)


class RecurrenceWrong(errors.Rejected):
    """The recurrence names no zone, no span or no time that ever comes."""


@dataclass(frozen=True, slots=True)
class Span:
    """One time during which a window stands."""

    starts_at: datetime  # UTC
    ends_at: datetime  # UTC


def stands(window: Window, at: datetime) -> bool:
    """Tell whether a window stands then."""
    span = next_span(window, at)
    return span is not None and span.starts_at <= at


def next_span(window: Window, at: datetime) -> Span | None:
    """Return the span that stands then, else the next one; None: it will not stand any more."""
    if at >= window.ends_at:
        return None
    if window.recurrence is None:
        return Span(window.starts_at, window.ends_at)
    looked = max(at, window.starts_at)
    start = latest_start(window.recurrence, looked) or next_start(window.recurrence, looked)
    if start is None or start >= window.ends_at:
        return None
    end = min(start + window.recurrence.lasts, window.ends_at)
    return Span(max(start, window.starts_at), end)


def latest_start(recurrence: Recurrence, at: datetime) -> datetime | None:
    """Return the start of the occurrence that stands then, UTC; None: none does."""
    expression, zone = cron.parse(recurrence.cron), _zone(recurrence.zone)
    day = at.astimezone(zone).date()
    oldest = (at - recurrence.lasts).astimezone(zone).date()
    while day >= oldest:
        if expression.on(day):
            before = [start for start in _starts(expression, zone, day) if start <= at]
            if before:
                newest = max(before)
                return newest if at < newest + recurrence.lasts else None
        day -= _DAY
    return None


def next_start(recurrence: Recurrence, after: datetime) -> datetime | None:
    """Return the first start after then, UTC; None: none within five years."""
    expression, zone = cron.parse(recurrence.cron), _zone(recurrence.zone)
    day = after.astimezone(zone).date()
    for _ in range(LOOKS_AHEAD_DAYS):
        if expression.on(day):
            later = [start for start in _starts(expression, zone, day) if start > after]
            if later:
                return min(later)
        day += _DAY
    return None


def check(recurrence: Recurrence, now: datetime) -> None:
    """Refuse what cannot be understood or never comes. Raises RecurrenceWrong, cron.CronWrong."""
    cron.parse(recurrence.cron)
    _zone(recurrence.zone)
    if not timedelta(minutes=1) <= recurrence.lasts <= LONGEST_SPAN:
        message = f"recurrence: it lasts {recurrence.lasts}; expected 1 minute to 7 days"
        raise RecurrenceWrong(message)
    if next_start(recurrence, now) is None:
        message = f"recurrence {recurrence.cron!r} names no day of the next five years"
        raise RecurrenceWrong(message)


def _starts(expression: cron.Cron, zone: ZoneInfo, day: date) -> Iterator[datetime]:
    """Yield the starts of one day, UTC (rule 2)."""
    folds = (0, 1) if expression.every_hour else (0,)
    for hour in expression.hours:
        for minute in expression.minutes:
            for fold in folds:
                wall = datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone, fold=fold)
                yield wall.astimezone(UTC)


@functools.lru_cache(maxsize=256)
def _zone(name: str) -> ZoneInfo:
    """Return a zone. Raises RecurrenceWrong."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        message = (
            f"time zone {name[:60]!r} is not known here; expected a name such as UTC or "
            "Europe/Berlin (and the package tzdata, where the system has no zones)"
        )
        raise RecurrenceWrong(message) from error
