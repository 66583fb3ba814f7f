"""The ramp lane of one series without numpy: the same definition, number for number.

For whoever judges one series at a time. The rules stand in `ramp_definition`; tests compare this
with `ramp` reading by reading.
"""

import itertools
import math
from collections import deque
from typing import Final

from sentienguard.stages.detect.lanes import definition
from sentienguard.stages.detect.lanes import ramp_definition as given

_MOST: Final = definition.MOST
_THIRD: Final = given.STEPS // 3


class Ramp:
    """One series with a limit. State: about 1 kB of numbers."""

    __slots__ = (
        "_age_s",
        "_at_s",
        "_holds_until",
        "_limit",
        "_quiet_until",
        "_seen",
        "_windows",
        "shown",
    )

    def __init__(self, limit: float) -> None:
        """Begin knowing nothing; `limit` is in the unit of the readings."""
        self._limit = limit
        self._windows = [_Window(length) for length in given.LENGTHS]
        self._seen = 0
        self._quiet_until = 0
        self._holds_until = 0
        self.shown: given.Ahead | None = None  # by the last reading, told before or not
        self._at_s = math.nan
        self._age_s = 0.0

    def judge(self, at_s: float, reading: float) -> given.Ahead | None:
        """Return when the limit is reached where a ramp begins to show; else None."""
        passed = at_s - self._at_s
        if passed > 0:
            self._age_s += min(passed, given.GAP_S)
        self._at_s = at_s
        self._seen += 1
        value = min(max(reading, -_MOST), _MOST) if math.isfinite(reading) else math.nan
        told = self._quiet_until >= self._seen
        nearest: given.Ahead | None = None
        for window in self._windows:
            if value < window.low or window.low != window.low:  # NaN: nothing in this block yet
                window.low = value
            if self._seen % window.length:
                continue
            ahead = window.fold(self._age_s, self._limit, self._seen)
            if ahead is None:
                continue
            self._quiet_until = max(self._quiet_until, self._seen + given.QUIET * window.length)
            self._holds_until = max(self._holds_until, self._seen + given.HOLDS * window.length)
            if nearest is None or ahead.left_s < nearest.left_s:
                nearest = ahead
        self.shown = nearest
        return None if told else nearest

    @property
    def climbs(self) -> bool:
        """Tell whether a ramp was seen lately (rule 5)."""
        return self._holds_until >= self._seen > 0


class _Window:
    """The blocks of one length: their last floors, and how high floors lay before."""

    __slots__ = ("_ages", "_blocks", "_count", "_floors", "_highest", "_mean", "length", "low")

    def __init__(self, length: int) -> None:
        self.length = length
        self.low = math.nan  # of the running block
        self._blocks: deque[float] = deque(maxlen=given.FLOOR)
        self._floors: deque[float] = deque(maxlen=given.STEPS + 1)
        self._ages: deque[float] = deque([0.0], maxlen=given.STEPS + 1)
        self._count = 0  # of floors
        self._mean = 0.0
        self._highest = 0.0  # above the mean, before the rise

    def fold(self, age_s: float, limit: float, seen: int) -> given.Ahead | None:
        """End a block, and say when the limit is reached where this window shows a ramp."""
        lasted = min((age_s - self._ages[-1]) / given.MEMORY_S, 1.0)
        self._ages.append(age_s)
        if self.low == self.low:
            self._blocks.append(self.low)
        elif self._blocks:
            self._blocks.append(self._blocks[-1])
        self.low = math.nan
        if len(self._blocks) < given.FLOOR:
            return None
        floor = min(self._blocks)
        self._learn(floor, lasted)
        if len(self._floors) <= given.STEPS or seen < given.KNOWN or age_s < given.KNOWN_S:
            return None
        return self._look(floor, limit)

    def _learn(self, floor: float, lasted: float) -> None:
        self._count += 1
        self._mean += max(1.0 / self._count, lasted) * (floor - self._mean)
        self._highest *= 1.0 - lasted
        self._floors.append(floor)
        if len(self._floors) > given.STEPS:
            self._highest = max(self._highest, self._floors[0] - self._mean)

    def _look(self, floor: float, limit: float) -> given.Ahead | None:
        way, above = limit - floor, floor - self._mean
        usual = max(given.FACTOR * self._highest, given.LEAST_RISE * (way + above))
        rise = floor - self._floors[0]
        if way <= 0 or above <= usual or rise * given.HORIZON <= way * given.STEPS:
            return None
        flattest_step = min(self._steps(1)) * given.STEPS
        thirds = self._steps(_THIRD)
        flattest, steepest = min(thirds) * 3.0, max(thirds) * 3.0
        sure = above > given.SURE * self._highest and flattest > given.LEAST_THIRD * rise
        lasted = self._ages[-1] - self._ages[0]
        if not (sure or flattest_step > given.LEAST_STEP * rise) or lasted <= 0:
            return None
        # A rising floor is the oldest reading of its blocks: the series itself is further on.
        behind = lasted * given.FLOOR / given.STEPS
        return given.Ahead(
            left_s=max(way / rise * lasted - behind, 0.0),
            soonest_s=max(way / (steepest * given.SPREAD) * lasted - behind, 0.0),
            latest_s=max(way / (flattest / given.SPREAD) * lasted - behind, 0.0),
            per_s=rise / lasted,
            rise=rise,
            floor=floor,
        )

    def _steps(self, blocks: int) -> list[float]:
        """Return by how much the floor rose in each `blocks` blocks."""
        floors = list(self._floors)[::blocks]
        return [later - earlier for earlier, later in itertools.pairwise(floors)]
