"""Whether a series is on its way to its limit, unlike its usual ups and downs.

Called by lanes' users, one object a series. Rules:

1. It looks through windows of several lengths, each folded to BLOCKS means. A ramp rises from block
   to block (nearly all pairs do, Kendall's count; no two blocks make most of it, as a jump would),
   and its rate is the median of the pairs' slopes (Theil 1950, Sen 1968).
2. A rise is news only where it is steeper than what this series did before by itself: more than
   FACTOR times its steepest earlier rise through the same window.
3. What an hour of the day usually adds is taken off first, where earlier days predict well.
4. A way to the limit is only claimed where it is over within HORIZON windows: what was seen for an
   hour says nothing of next month.
5. After a warning there is silence until the rise has ended.
"""

import math
from typing import Final

import numpy as np

from sentienguard.stages.detect.lanes import levels, seasons
from sentienguard.stages.detect.lanes.rhythm import Rhythm

BLOCKS: Final = 8
LENGTHS: Final = (1, 2, 4, 8, 16, 32)  # readings in a block
FACTOR: Final = 1.5
HORIZON: Final = 25.0  # windows
_RISING: Final = 24  # of the 28 pairs of blocks
_LEAST_RISE: Final = 0.02  # of the way from the usual level to the limit
_SUDDEN: Final = 0.6  # of the rise, within two blocks: a jump, not a ramp
_KNOWN: Final = 10 * BLOCKS  # blocks before what a series usually does is known
_FADING: Final = 3e-4  # of the steepest rise, a block: what was once is not for ever


class Ramp:
    """The lane of one series with a limit. State: about 1 kB."""

    def __init__(self, limit: float) -> None:
        """Begin knowing nothing; `limit` is in the unit of the readings."""
        self._limit = limit
        self._windows = [_Window(length) for length in LENGTHS]
        self._levels = levels.Levels(1)
        self._day = seasons.Season(1, seasons.DAY_S)
        self._rhythm = Rhythm(1)
        self._last = math.nan
        self._rising = False

    def judge(self, at_s: float, reading: float) -> float | None:
        """Return the seconds to the limit where a ramp begins to show; else None."""
        value = reading if math.isfinite(reading) else self._last
        if not math.isfinite(value):
            return None
        self._last = value
        values = np.array([value], dtype=np.float32)
        floor = self._levels.floor(values)
        self._levels.judge(values, floor)
        day = self._day.judge(at_s, values, floor)
        if day is not None:
            self._rhythm.note(self._day.step, self._levels.step)
        daily = day is not None and self._rhythm.daily
        flat = float(self._day.step[0]) if daily else value
        left = [window.judge(at_s, flat, daily, self._limit - value) for window in self._windows]
        found = [one for one in left if one is not None]
        told, self._rising = self._rising, bool(found) or self._still()
        return min(found) if found and not told else None

    def _still(self) -> bool:
        return self._rising and any(window.rising for window in self._windows)


class _Window:
    """One window of a series: its blocks, and the steepest rise that they showed before."""

    def __init__(self, length: int) -> None:
        self._length = length
        self._sum, self._count = 0.0, 0
        self._means: list[float] = []
        self._ends: list[float] = []
        self._rises: list[float] = []  # of the windows that still overlap this one
        self._steepest = 0.0
        self._seen = 0
        self._daily = False
        self.rising = False

    def judge(self, at_s: float, value: float, daily: bool, way: float) -> float | None:  # noqa: FBT001  a fact, not a switch
        """Return the seconds that are left of the way, where this window shows a ramp."""
        if daily is not self._daily:  # other numbers from here on: what was gathered does not fit
            self._means, self._ends, self._rises = [], [], []
            self._sum, self._count, self._steepest, self._seen = 0.0, 0, 0.0, 0
            self._daily, self.rising = daily, False
        self._sum += value
        self._count += 1
        if self._count < self._length:
            return None
        self._means = [*self._means, self._sum / self._count][-BLOCKS:]
        self._ends = [*self._ends, at_s][-BLOCKS:]
        self._sum, self._count = 0.0, 0
        self._seen += 1
        return self._whole(way) if len(self._means) == BLOCKS else None

    def _whole(self, way: float) -> float | None:
        rise = self._means[-1] - self._means[0]
        self._rises.append(rise)
        if len(self._rises) > BLOCKS:
            self._steepest = max(self._steepest * (1 - _FADING), self._rises.pop(0))
        up = sum(
            later > earlier
            for place, later in enumerate(self._means)
            for earlier in self._means[:place]
        )
        sudden = max(
            later - earlier for earlier, later in zip(self._means, self._means[2:], strict=False)
        )
        self.rising = rise > 0 and up >= _RISING and sudden <= _SUDDEN * rise
        usual = max(FACTOR * self._steepest, _LEAST_RISE * abs(way + rise))
        if not self.rising or rise <= usual or self._seen < _KNOWN or way <= 0:
            return None
        slope = self._slope()
        span = self._ends[-1] - self._ends[0]
        left = way / slope if slope > 0 else math.inf
        return left if left <= HORIZON * span else None

    def _slope(self) -> float:
        means, ends = np.array(self._means), np.array(self._ends)
        later, earlier = np.triu_indices(BLOCKS, k=1)[::-1]
        apart = np.maximum(ends[later] - ends[earlier], 1e-9)
        return float(np.median((means[later] - means[earlier]) / apart))
