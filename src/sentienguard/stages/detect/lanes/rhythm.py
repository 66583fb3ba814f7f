"""Whether series live by the day: where earlier days predict better than the last readings do.

Called by `host`.
"""

from typing import Final

import numpy as np

from sentienguard.stages.detect.lanes.levels import Floats

_BETTER: Final = 0.7  # error of earlier days as a part of the error of the last hundred readings
_THIRD: Final = 1 / 3
_LEARNED: Final = 5e-4  # of the errors: what one reading replaces


class Rhythm:
    """The errors of both predictions. State: 8 bytes a series."""

    def __init__(self, series: int) -> None:
        """Begin with no error known."""
        self._by_day = np.zeros(series, dtype=np.float32)
        self._by_level = np.zeros(series, dtype=np.float32)
        self._seen = 0

    def note(self, by_day: Floats, by_level: Floats) -> None:
        """Take up how wrong both were about one reading of each series."""
        self._seen += 1
        share = np.float32(max(_LEARNED, 1.0 / self._seen))
        self._by_day += share * (np.abs(by_day) - self._by_day)
        self._by_level += share * (np.abs(by_level) - self._by_level)

    @property
    def daily(self) -> bool:
        """Tell whether a third of the series, or more, live by the day."""
        better = self._by_day < np.float32(_BETTER) * self._by_level
        return bool(better.sum() >= _THIRD * len(better) > 0)
