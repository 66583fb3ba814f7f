"""Read the five fields of cron: minute, hour, day of month, month, day of week.

Called by windows. Each field is `*`, a number, a name (mon, jan), a range `1-5`, either with a step
`*/15`, or a list of those with commas. 0 and 7 are both Sunday. Where both day fields are given,
one of them is enough, as in every cron.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

from sentienguard.model import errors

_DAYS: Final = {
    name: day for day, name in enumerate(("sun", "mon", "tue", "wed", "thu", "fri", "sat"))
}
_MONTHS: Final = {
    name: month
    for month, name in enumerate(
        ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), 1
    )
}
MAX_LENGTH: Final = 120  # characters; longer than any that people write


class CronWrong(errors.Rejected):
    """The text is not five fields of cron."""


@dataclass(frozen=True, slots=True)
class _Field:
    """What one of the five may say."""

    name: str
    least: int
    most: int
    names: Mapping[str, int]


_FIELDS: Final = (
    _Field("minute", 0, 59, {}),
    _Field("hour", 0, 23, {}),
    _Field("day of month", 1, 31, {}),
    _Field("month", 1, 12, _MONTHS),
    _Field("day of week", 0, 7, _DAYS),
)


@dataclass(frozen=True, slots=True)
class Cron:
    """The minutes of a calendar that an expression names."""

    minutes: tuple[int, ...]  # rising
    hours: tuple[int, ...]  # rising
    days: frozenset[int]  # of the month
    months: frozenset[int]
    weekdays: frozenset[int]  # 0: Sunday
    every_hour: bool  # the hour field is `*`
    any_day: bool  # the day of month is `*`
    any_weekday: bool

    def on(self, day: date) -> bool:
        """Tell whether this day is one of them."""
        if day.month not in self.months:
            return False
        in_month, in_week = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        if self.any_day or self.any_weekday:
            return in_month and in_week
        return in_month or in_week


def parse(text: str) -> Cron:
    """Read an expression. Raises CronWrong, naming the field."""
    parts = text.split()
    if len(text) > MAX_LENGTH or len(parts) != len(_FIELDS):
        message = (
            f"recurrence {text[:60]!r}: expected five fields (minute hour day-of-month month "
            "day-of-week), such as 0 2 * * sun"
        )
        raise CronWrong(message)
    read = [_values(part, field) for part, field in zip(parts, _FIELDS, strict=True)]
    minutes, hours, days, months, weekdays = read
    return Cron(
        minutes=tuple(sorted(minutes)),
        hours=tuple(sorted(hours)),
        days=days,
        months=months,
        weekdays=frozenset(day % 7 for day in weekdays),
        every_hour=parts[1] == "*",
        any_day=parts[2].startswith("*"),
        any_weekday=parts[4].startswith("*"),
    )


def _values(text: str, field: _Field) -> frozenset[int]:
    return frozenset(value for part in text.split(",") for value in _part(part, field))


def _part(text: str, field: _Field) -> range:
    span, has_step, step = text.partition("/")
    if span == "*":
        first, last = field.least, field.most
    else:
        low, has_end, high = span.partition("-")
        first = _number(low, field)
        last = _number(high, field) if has_end else (field.most if has_step else first)
    every = _count(step) if has_step else 1
    if last < first or not every:
        raise _wrong(text, field)
    return range(first, last + 1, every)


def _number(text: str, field: _Field) -> int:
    named = field.names.get(text.lower())
    value = _count(text) if named is None else named
    if value is None or not field.least <= value <= field.most:
        raise _wrong(text, field)
    return value


def _count(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 2 else None  # noqa: PLR2004  # digits of 59


def _wrong(text: str, field: _Field) -> CronWrong:
    return CronWrong(
        f"recurrence: {field.name} {text[:20]!r}: expected {field.least} to {field.most}, `*`, a "
        "range such as 1-5, a step such as */15, or a list with commas"
    )
