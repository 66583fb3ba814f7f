"""Sums that are sent as what was added: added up, so that they are counters like all others.

Called by controlplane.telemetry_desk. A point that is not newer than the last one of its series is
one that was sent again, and adds nothing. After a restart a sum begins at what comes first, which
queries see as a counter that was reset.
"""

import math
from collections.abc import Sequence
from typing import Final

from sentienguard.model.telemetry import Series

MOST: Final = 200_000  # series that are remembered; then the one that was quiet longest goes


class DeltaSums:
    """Sums by series."""

    def __init__(self) -> None:
        """Start with none."""
        self._sums: dict[Series, tuple[int, float]] = {}

    def add(self, series: Series, points: Sequence[tuple[int, float]]) -> list[tuple[int, float]]:
        """Return the same points as readings of a counter; those that were sent before are gone."""
        last, total = self._sums.pop(series, (-1, 0.0))
        found: list[tuple[int, float]] = []
        for at_ms, added in sorted(points):
            if at_ms <= last or not math.isfinite(added):
                continue
            last, total = at_ms, total + added
            found.append((at_ms, total))
        self._sums[series] = (last, total)
        if len(self._sums) > MOST:
            del self._sums[next(iter(self._sums))]
        return found
