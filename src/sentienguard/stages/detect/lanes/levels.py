"""Exponentially weighted means of several lengths, and how far readings are from each.

Called by `deviation` and `host`. A mean learns a reading only up to CLIP standard deviations, so an
outage moves it little and a new level is learned in the end. All arrays hold one value a series, so
that one call judges every series that was read at one moment.
"""

from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from sentienguard.stages.detect.lanes import definition

Floats: TypeAlias = NDArray[np.float32]

SPANS: Final = definition.SPANS
CLIP: Final = definition.CLIP
MOST: Final = np.float32(definition.MOST)
_FLOOR: Final = np.float32(definition.FLOOR)
_RELATIVE: Final = np.float32(definition.RELATIVE)
_TINY: Final = np.float32(definition.TINY)
_YOUNG: Final = definition.YOUNG


class Levels:
    """The means and variances of `series` series. State: 28 bytes a series."""

    def __init__(self, series: int) -> None:
        """Begin knowing nothing."""
        self._shares = 2.0 / (np.asarray(SPANS, dtype=np.float64) + 1.0)
        self._means = np.zeros((len(SPANS), series), dtype=np.float32)
        self._variances = np.zeros((len(SPANS), series), dtype=np.float32)
        self._largest = np.zeros(series, dtype=np.float32)
        self.seen = 0
        self.step = np.zeros(series, dtype=np.float32)  # last readings less the shortest mean

    @property
    def arrays(self) -> list[Floats]:
        """All that was learned beside `seen`, for snapshots."""
        return [self._means, self._variances, self._largest]

    def floor(self, values: Floats) -> Floats:
        """Return the least spread that is believed of each series, these readings included."""
        np.maximum(self._largest, np.abs(values), out=self._largest)
        relative: Floats = np.abs(self._means[-1])
        relative *= _RELATIVE
        np.maximum(relative, self._largest * _FLOOR, out=relative)
        relative += _TINY
        return relative

    def judge(self, values: Floats, floor: Floats) -> tuple[Floats, ...]:
        """Return the deviations from each mean, with their sign, and learn the readings."""
        if self.seen == 0:
            self._means[:] = values
        self.seen += 1
        return tuple(self._one(place, values, floor) for place in range(len(SPANS)))

    def _one(self, place: int, values: Floats, floor: Floats) -> Floats:
        mean, variance = self._means[place], self._variances[place]
        share = np.float32(max(self._shares[place], 1.0 / self.seen))
        step = values - mean
        if place == 0:
            self.step = step
        sigma = np.sqrt(variance)
        deviation: Floats = step / np.maximum(sigma, floor)
        if self.seen > _YOUNG:
            bounded = np.float32(CLIP) * sigma
            np.minimum(np.abs(step), bounded, out=bounded)
            # A series that was constant so far has no spread to be clipped by.
            learned = np.copysign(np.where(variance > 0, bounded, np.abs(step)), step)
        else:
            learned = step
        learned_share = learned * share
        mean += learned_share
        variance += learned_share * learned
        variance *= np.float32(1.0) - share
        return deviation
