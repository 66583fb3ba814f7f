"""How far readings are from every baseline that might explain them.

Called by lanes' users. Rules:

1. A reading is normal if *any* baseline explains it: the means of three lengths (`levels`) and this
   hour of earlier days (`seasons`). Its deviation is the least of all.
2. A missing reading is no deviation and teaches nothing.

One object judges all series that are read together; nothing in it depends on how many there are.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from sentienguard.stages.detect.lanes import definition, levels, seasons, snapshot
from sentienguard.stages.detect.lanes.levels import Floats

THRESHOLD: Final = definition.THRESHOLD
MUTE: Final = definition.MUTE


class Deviation:
    """The lane of `series` series that are read together. State: 256 bytes a series."""

    def __init__(self, series: int = 1) -> None:
        """Begin knowing nothing."""
        self._levels = levels.Levels(series)
        self._hours = seasons.Season(series, seasons.DAY_S)
        self._last = np.zeros(series, dtype=np.float32)

    def judge(self, at_s: float, readings: NDArray[np.floating]) -> Floats:
        """Return each series' deviation in standard deviations, and learn the readings.

        `readings` has one value a series; NaN stands for a missing one, and infinite ones count as
        missing.
        """
        values, missing = filled(readings, self._last)
        self._last = values
        floor = self._levels.floor(values)
        far = [np.abs(one) for one in self._levels.judge(values, floor)]
        by_hour = self._hours.judge(at_s, values, floor)
        if by_hour is not None:
            far.append(np.abs(by_hour))
        deviation: Floats = far[0]
        for one in far[1:]:
            np.minimum(deviation, one, out=deviation)
        if self._levels.seen <= MUTE:
            deviation[:] = 0
        elif missing is not None:
            deviation[missing] = 0
        return deviation

    @property
    def seen(self) -> int:
        """How many times it has judged."""
        return self._levels.seen

    @property
    def step(self) -> Floats:
        """Each series' last reading less its shortest mean: which way it went, and how far."""
        return self._levels.step

    def state(self) -> bytes:
        """Return all that was learned; 240 bytes a series, and a little more."""
        numbers = [self._levels.seen, *self._hours.numbers]
        return snapshot.pack(numbers, self._arrays(), len(self._last))

    def restore(self, state: bytes) -> None:
        """Go on where the lane of as many series was that gave this state. Raises ValueError."""
        counted = len(self._hours.numbers)
        seen, *numbers = snapshot.unpack(state, 1 + counted, self._arrays())
        self._levels.seen = int(seen)
        self._hours.resume(numbers)

    def _arrays(self) -> list[Floats]:
        return [*self._levels.arrays, *self._hours.arrays, self._last]


def filled(readings: NDArray[np.floating], last: Floats) -> tuple[Floats, NDArray[np.bool_] | None]:
    """Return readings that can be reckoned with, and which of them are missing (None: none)."""
    with np.errstate(over="ignore"):  # beyond a float of half the size: taken for infinite
        values: Floats = readings.astype(np.float32)
    missing: NDArray[np.bool_] | None = None
    # One sum tells whether any is missing; only then each is looked at.
    with np.errstate(invalid="ignore", over="ignore"):
        whole = np.isfinite(values.sum(dtype=np.float64))
    if not whole:
        missing = ~np.isfinite(values)
        values[missing] = last[missing]
    np.clip(values, -levels.MOST, levels.MOST, out=values)
    return values, missing


def score(deviation: float) -> float:
    """Map the deviation of a series to 0..1; 0.5 is the threshold."""
    return deviation / (deviation + THRESHOLD)
