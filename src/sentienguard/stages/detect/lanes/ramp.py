"""Whether series are on their way to their limits, unlike their usual ups and downs.

Called by lanes' users; one object judges all series that are read together. The rules stand in
`ramp_definition`, and `scalar_ramp` is the same for one series without numpy. A series is judged by
the floors below its readings, so no rhythm has to be learned and no model of its noise.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import fields
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from sentienguard.stages.detect.lanes import definition, snapshot
from sentienguard.stages.detect.lanes import ramp_definition as given

Floats: TypeAlias = NDArray[np.float64]

_MOST: Final = definition.MOST
_THIRD: Final = given.STEPS // 3
_FIELDS: Final = len(fields(given.Ahead))


class Ramp:
    """The lane of series with a limit each. State: about 1 kB a series."""

    def __init__(self, limits: Sequence[float] | Floats) -> None:
        """Begin knowing nothing; each limit is in the unit of its series' readings."""
        self._limits = np.asarray(limits, dtype=np.float64)
        series = len(self._limits)
        self._windows = [_Window(length, series) for length in given.LENGTHS]
        self._seen = 0
        self._quiet_until = np.zeros(series)
        self._holds_until = np.zeros(series)
        self.shown = np.full((_FIELDS, series), np.nan)  # by the last readings, told before or not
        self._at_s = np.nan
        self._age_s = 0.0

    def judge(self, at_s: float, readings: NDArray[np.floating]) -> Floats:
        """Return when limits are reached, in seconds, where a ramp begins to show; elsewhere NaN.

        Its rows are the fields of `ramp_definition.Ahead`; `readings` has one value a series.
        """
        passed = at_s - self._at_s
        if passed > 0:
            self._age_s += min(passed, given.GAP_S)
        self._at_s = at_s
        self._seen += 1
        values = np.clip(readings.astype(np.float64), -_MOST, _MOST)
        values[~np.isfinite(readings)] = np.nan
        told = self._quiet_until >= self._seen
        nearest = np.full((_FIELDS, len(values)), np.nan)
        for window in self._windows:
            np.fmin(window.low, values, out=window.low)
            if self._seen % window.length:
                continue
            ahead = window.fold(self._age_s, self._limits, self._seen)
            if ahead is None:
                continue
            shown = np.isfinite(ahead[0])
            for until, blocks in (
                (self._quiet_until, given.QUIET),
                (self._holds_until, given.HOLDS),
            ):
                until[shown] = np.maximum(until[shown], self._seen + blocks * window.length)
            nearer = shown & ~(nearest[0] <= ahead[0])
            nearest[:, nearer] = ahead[:, nearer]
        self.shown = nearest.copy()
        nearest[:, told] = np.nan
        return nearest

    @property
    def climbs(self) -> NDArray[np.bool_]:
        """Tell of each series whether a ramp was seen lately (rule 5)."""
        return (self._holds_until >= self._seen) & (self._holds_until > 0)

    def state(self) -> bytes:
        """Return all that was learned; 856 bytes a series, and some 500 more."""
        numbers = [self._seen, self._at_s, self._age_s]
        for window in self._windows:
            numbers += [*window.ages, *[np.nan] * (given.STEPS + 1 - len(window.ages))]
        return snapshot.pack(numbers, self._arrays(), len(self._limits), snapshot.FLOAT64)

    def restore(self, state: bytes) -> None:
        """Go on where the lane of as many series was that gave this state. Raises ValueError."""
        ages = given.STEPS + 1
        count = 3 + ages * len(self._windows)
        seen, *numbers = snapshot.unpack(state, count, self._arrays(), snapshot.FLOAT64)
        self._seen = int(seen)
        self._at_s, self._age_s, *rest = numbers
        for place, window in enumerate(self._windows):
            known = rest[place * ages : (place + 1) * ages]
            window.ages = deque([one for one in known if not np.isnan(one)], maxlen=ages)

    def _arrays(self) -> list[Floats]:
        own = [self._quiet_until, self._holds_until]
        return [*own, *[one for window in self._windows for one in window.arrays]]


class _Window:
    """The blocks of one length: their last floors, and how high floors lay before."""

    def __init__(self, length: int, series: int) -> None:
        self.length = length
        self.low = np.full(series, np.nan)  # of the running block
        self._blocks = np.full((given.FLOOR, series), np.nan)  # the latest is the last
        self._floors = np.full((given.STEPS + 1, series), np.nan)
        self.ages: deque[float] = deque([0.0], maxlen=given.STEPS + 1)
        self._count = np.zeros(series)  # of floors
        self._mean = np.zeros(series)
        self._highest = np.zeros(series)  # above the mean, before the rise

    @property
    def arrays(self) -> list[Floats]:
        """All that it knows of each series."""
        return [self.low, self._blocks, self._floors, self._count, self._mean, self._highest]

    def fold(self, age_s: float, limits: Floats, seen: int) -> Floats | None:
        """End a block, and say when limits are reached where this window shows a ramp."""
        lasted = min((age_s - self.ages[-1]) / given.MEMORY_S, 1.0)
        self.ages.append(age_s)
        self._blocks[:-1] = self._blocks[1:]
        np.copyto(self._blocks[-1], self.low, where=~np.isnan(self.low))
        self.low[:] = np.nan
        floor = self._blocks.min(axis=0)  # NaN where there are fewer blocks
        self._learn(floor, lasted)
        if seen < given.KNOWN or age_s < given.KNOWN_S:
            return None
        return self._look(floor, limits)

    def _learn(self, floor: Floats, lasted: float) -> None:
        known = ~np.isnan(floor)
        self._count += known
        share = np.maximum(1.0 / np.maximum(self._count, 1.0), lasted)
        np.add(self._mean, share * (floor - self._mean), out=self._mean, where=known)
        np.multiply(self._highest, 1.0 - lasted, out=self._highest, where=known)
        self._floors[:-1] = self._floors[1:]
        self._floors[-1] = floor
        np.fmax(self._highest, self._floors[0] - self._mean, out=self._highest)

    def _look(self, floor: Floats, limits: Floats) -> Floats | None:
        way, above = limits - floor, floor - self._mean
        usual = np.maximum(given.FACTOR * self._highest, given.LEAST_RISE * (way + above))
        rise = floor - self._floors[0]
        shown = (way > 0) & (above > usual) & (rise * given.HORIZON > way * given.STEPS)
        lasted = self.ages[-1] - self.ages[0]
        if lasted <= 0 or not shown.any():
            return None
        flattest_step = np.diff(self._floors, axis=0).min(axis=0) * given.STEPS
        thirds = np.diff(self._floors[::_THIRD], axis=0)
        flattest, steepest = thirds.min(axis=0) * 3.0, thirds.max(axis=0) * 3.0
        sure = (above > given.SURE * self._highest) & (flattest > given.LEAST_THIRD * rise)
        shown &= sure | (flattest_step > given.LEAST_STEP * rise)
        # A rising floor is the oldest reading of its blocks: the series itself is further on.
        behind = lasted * given.FLOOR / given.STEPS
        ahead = np.full((_FIELDS, len(floor)), np.nan)
        rates = (rise, steepest * given.SPREAD, flattest / given.SPREAD)
        for row, rate in zip(ahead, rates, strict=False):
            row[shown] = np.maximum(way[shown] / rate[shown] * lasted - behind, 0.0)
        for row, known in zip(ahead[len(rates) :], (rise / lasted, rise, floor), strict=True):
            row[shown] = known[shown]
        return ahead
