"""Functions of a date: the value is seconds since 1970, in UTC."""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from sentienguard.stages.observe.promql.values import Floats, Ints

_LARGEST = 2.0**53  # seconds beyond which a float counts no single ones


def _whole(values: Floats) -> Ints:
    safe = np.where(np.abs(values) < _LARGEST, values, 0.0)
    return np.nan_to_num(safe).astype(np.int64)  # towards zero, as Go converts


def _days(values: Floats) -> NDArray[np.datetime64]:
    return _whole(values).astype("datetime64[s]").astype("datetime64[D]")


def _month(values: Floats) -> Floats:
    return (_days(values).astype("datetime64[M]").astype(np.int64) % 12 + 1).astype(np.float64)


def _year(values: Floats) -> Floats:
    return (_days(values).astype("datetime64[Y]").astype(np.int64) + 1970).astype(np.float64)


def _day_of_month(values: Floats) -> Floats:
    days = _days(values)
    found: Floats = ((days - days.astype("datetime64[M]")).astype(np.int64) + 1).astype(np.float64)
    return found


def _day_of_year(values: Floats) -> Floats:
    days = _days(values)
    found: Floats = ((days - days.astype("datetime64[Y]")).astype(np.int64) + 1).astype(np.float64)
    return found


def _day_of_week(values: Floats) -> Floats:
    thursday = 4  # the first of January 1970; Sunday is 0
    return ((_days(values).astype(np.int64) + thursday) % 7).astype(np.float64)


def _days_in_month(values: Floats) -> Floats:
    months = _days(values).astype("datetime64[M]")
    following = (months + np.timedelta64(1, "M")).astype("datetime64[D]")
    found: Floats = (following - months.astype("datetime64[D]")).astype(np.int64).astype(np.float64)
    return found


def _hour(values: Floats) -> Floats:
    return (_whole(values) // 3600 % 24).astype(np.float64)


def _minute(values: Floats) -> Floats:
    return (_whole(values) // 60 % 60).astype(np.float64)


def _of_dates(function: Callable[[Floats], Floats]) -> Callable[[Floats], Floats]:
    """Answer NaN for what is no date; Prometheus leaves that to the processor."""
    return lambda values: np.where(np.abs(values) < _LARGEST, function(values), np.nan)


FUNCTIONS: Mapping[str, Callable[[Floats], Floats]] = {
    "day_of_month": _of_dates(_day_of_month),
    "day_of_week": _of_dates(_day_of_week),
    "day_of_year": _of_dates(_day_of_year),
    "days_in_month": _of_dates(_days_in_month),
    "hour": _of_dates(_hour),
    "minute": _of_dates(_minute),
    "month": _of_dates(_month),
    "year": _of_dates(_year),
}
