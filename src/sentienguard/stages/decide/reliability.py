"""How far confidence was right: what was said beside what came of it.

Called by the API and by benchmarks. Pure: pairs in, figures out; which outcomes count as resolved
is the caller's to say (`crediting` says it for incidents that ended).

A value is calibrated where of all incidents with confidence p a share p was resolved. Per band the
share comes with its 95 % Wilson interval, because a handful of incidents says little; the expected
calibration error is the mean distance of said and seen, weighted by how many there were.
"""

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from sentienguard.model import errors

BANDS: Final = (0.0, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0)  # the lines of policy are among them
FEW: Final = 10  # remedies in a band, below which nothing is said of it
_Z: Final = 1.959964  # of the normal distribution, for 95 %


class NotAProbability(errors.Rejected):
    """A confidence outside 0..1 was never one."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was said of one incident, and what came of it."""

    said: float  # confidence when it was decided, 0..1
    resolved: bool  # by this remedy


@dataclass(frozen=True, slots=True)
class Band:
    """Incidents whose confidence lay in [start, end); the last band holds its end too."""

    start: float
    end: float
    count: int
    resolved: int
    said: float | None  # mean confidence; None: no incident was in this band
    seen: float | None  # share that was resolved
    low: float | None  # 95 % Wilson interval of that share
    high: float | None

    @property
    def is_off(self) -> bool:
        """Tell whether what was said lies outside of what chance explains.

        Never of fewer than FEW: of so few the interval is narrower than chance.
        """
        if self.said is None or self.low is None or self.high is None or self.count < FEW:
            return False
        return not self.low <= self.said <= self.high


@dataclass(frozen=True, slots=True)
class Reliability:
    """How confidence and outcomes go together."""

    count: int
    resolved: int
    bands: tuple[Band, ...]
    error: float | None  # expected calibration error, 0..1; None: nothing to judge by
    brier: float | None  # mean squared distance of confidence and outcome; 0 is perfect


def judge(outcomes: Iterable[Outcome], edges: Sequence[float] = BANDS) -> Reliability:
    """Return the reliability of what was said; `edges` rise from 0 to 1.

    Raises NotAProbability.
    """
    found = tuple(outcomes)
    for one in found:
        if not 0.0 <= one.said <= 1.0:  # false for NaN as well
            raise NotAProbability(f"confidence {one.said}: expected a number from 0 to 1")
    pairs = tuple(itertools.pairwise(edges))
    bands = tuple(
        _band(start, end, [one for one in found if _within(one.said, start, end, edges[-1])])
        for start, end in pairs
    )
    if not found:
        return Reliability(0, 0, bands, None, None)
    off = math.fsum(
        band.count * abs(band.said - band.seen)
        for band in bands
        if band.said is not None and band.seen is not None
    )
    squares = math.fsum((one.said - one.resolved) ** 2 for one in found)
    resolved = sum(one.resolved for one in found)
    return Reliability(len(found), resolved, bands, off / len(found), squares / len(found))


def wilson(resolved: int, count: int) -> tuple[float, float]:
    """Return the 95 % Wilson interval of a share; (0, 1) where there is nothing."""
    if count == 0:
        return 0.0, 1.0
    share, square = resolved / count, _Z * _Z
    middle = (share + square / (2 * count)) / (1 + square / count)
    spread = _Z / (1 + square / count)
    spread *= math.sqrt(share * (1 - share) / count + square / (4 * count * count))
    # At 0 of n and n of n the formula meets the border; rounding must not push it past the share.
    return min(max(0.0, middle - spread), share), max(min(1.0, middle + spread), share)


def _within(value: float, start: float, end: float, last: float) -> bool:
    return start <= value < end or (value == end == last)


def _band(start: float, end: float, inside: Sequence[Outcome]) -> Band:
    if not inside:
        return Band(start, end, 0, 0, None, None, None, None)
    resolved = sum(one.resolved for one in inside)
    low, high = wilson(resolved, len(inside))
    said = math.fsum(one.said for one in inside) / len(inside)
    return Band(start, end, len(inside), resolved, said, resolved / len(inside), low, high)
