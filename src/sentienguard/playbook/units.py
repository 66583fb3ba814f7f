"""Numbers with units, as people write them: 85%, 90s, 7d, 500MB, 2GiB.

Called by `conditions`, by the parser, and by the executor for parameters whose text comes with an
order. Percent stays as it is (85% is 85), durations become seconds, sizes become bytes.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from sentienguard.model import errors

_NUMBER = re.compile(r"(?P<number>[0-9]{1,15}(?:\.[0-9]{1,9})?)\s?(?P<unit>%|[A-Za-z]*)", re.ASCII)


class Dimension(StrEnum):
    """What a number measures."""

    PLAIN = "plain"
    PERCENT = "percent"
    DURATION = "duration"  # in seconds
    SIZE = "size"  # in bytes


UNITS: Mapping[str, tuple[Dimension, float]] = {
    "": (Dimension.PLAIN, 1),
    "%": (Dimension.PERCENT, 1),
    "ms": (Dimension.DURATION, 0.001),
    "s": (Dimension.DURATION, 1),
    "m": (Dimension.DURATION, 60),
    "h": (Dimension.DURATION, 3_600),
    "d": (Dimension.DURATION, 86_400),
    "B": (Dimension.SIZE, 1),
    "KB": (Dimension.SIZE, 10**3),
    "MB": (Dimension.SIZE, 10**6),
    "GB": (Dimension.SIZE, 10**9),
    "TB": (Dimension.SIZE, 10**12),
    "KiB": (Dimension.SIZE, 2**10),
    "MiB": (Dimension.SIZE, 2**20),
    "GiB": (Dimension.SIZE, 2**30),
    "TiB": (Dimension.SIZE, 2**40),
}


class NotAQuantity(errors.Rejected):
    """The text is not a number with a unit that we know."""


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number, brought to the base unit of what it measures."""

    value: float  # percent as written, seconds or bytes
    dimension: Dimension


def quantity(text: str) -> Quantity:
    """Read one non-negative number with an optional unit.

    Raises NotAQuantity for anything else.
    """
    match = _NUMBER.fullmatch(text)
    if match is None:
        raise NotAQuantity(f"expected a number such as 85%, 90s or 500MB, found {text!r}")
    unit = match["unit"]
    if unit not in UNITS:
        known = ", ".join(name for name in UNITS if name)
        raise NotAQuantity(f"{text!r}: unknown unit {unit!r}; known units are {known}")
    dimension, factor = UNITS[unit]
    return Quantity(float(match["number"]) * factor, dimension)


def seconds(value: str | float) -> float:
    """Read a duration; a number without a unit is seconds. Raises NotAQuantity."""
    return _measured(value, Dimension.DURATION, "a duration such as 90s, 5m, 1h or 7d")


def bytes_of(value: str | float) -> int:
    """Read a size; a number without a unit is bytes. Raises NotAQuantity."""
    return int(_measured(value, Dimension.SIZE, "a size such as 500MB or 2GiB"))


def percent(value: str | float) -> float:
    """Read a percentage from 0 to 100; the sign may be left out. Raises NotAQuantity."""
    number = _measured(value, Dimension.PERCENT, "a percentage from 0% to 100%")
    if number > 100:  # noqa: PLR2004 - the whole
        raise NotAQuantity(f"expected a percentage from 0% to 100%, found {value!r}")
    return number


def _measured(value: str | float, dimension: Dimension, expected: str) -> float:
    if isinstance(value, bool) or (not isinstance(value, str) and not 0 <= value < float("inf")):
        raise NotAQuantity(f"expected {expected}, found {value!r}")
    if not isinstance(value, str):
        return float(value)
    try:
        found = quantity(value)
    except NotAQuantity as error:
        raise NotAQuantity(f"expected {expected}, found {value!r}") from error
    if found.dimension not in {dimension, Dimension.PLAIN}:
        raise NotAQuantity(f"expected {expected}, found the {found.dimension} {value!r}")
    return found.value
