"""The past of many series, each as a small cover: states that lie apart by at least a radius.

Called by `novelty`. A state that is nearer than the radius to a kept one is not kept, only the hour
at which it was seen. Where there is no room, the radius grows and what is now too near is merged.
So nothing is forgotten because it is old: a state that comes once a week stays.

Layout: kept states lie as `[axis, place, series]`, so that one operation serves every series.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

KEPT: Final = 56  # states of a series
_GROWTH: Final = 2.0  # of the radius where there is no room
_FIRST: Final = 0.02  # the first radius, as a part of the standard deviation
_HOUR_S: Final = 3600.0
_HOURS: Final = 24
_FAR: Final = np.float32(1e18)  # where nothing is kept; its square is still finite


@dataclass(frozen=True, slots=True)
class Nearest:
    """Distances to the nearest kept state, one a series."""

    short: Floats  # by the reading and its two middle averages
    long: Floats  # by the reading and its two long averages
    brief: Floats  # by the reading and its shortest average
    same_time: Floats  # as short, among states of this time of day; as short where there are none


class Cover:
    """The covers of `series` series, whose states have `axes` numbers."""

    def __init__(self, series: int, axes: int, recent: int) -> None:
        """Begin with no past.

        The last `recent` states are no past yet: a state resembles the one just before it.
        """
        self._kept = np.full((axes, KEPT, series), _FAR, dtype=np.float32)
        self._hours = np.zeros((KEPT, series), dtype=np.uint32)  # a bit for each hour of the day
        self._used = np.zeros(series, dtype=np.int64)
        self._radius = np.zeros(series, dtype=np.float32)
        self._recent = np.zeros((recent, axes, series), dtype=np.float32)
        self._recent_hours = np.zeros(recent, dtype=np.uint32)
        self._seen = 0

    def judge(self, at_s: float, state: Floats, sigma: Floats) -> Nearest:
        """Return how near the past is, and keep the state once it is past itself.

        `state` is [axis, series]; `sigma` is each series' standard deviation.
        """
        place = self._seen % len(self._recent)
        if self._seen >= len(self._recent):
            self._admit(self._recent[place], self._recent_hours[place], sigma)
        hour = int(at_s // _HOUR_S) % _HOURS
        near = self._nearest(state, hour)
        self._recent[place] = state
        self._recent_hours[place] = 1 << hour
        self._seen += 1
        return near

    def _nearest(self, state: Floats, hour: int) -> Nearest:
        room = int(self._used.max(initial=0))
        if not room:
            none = np.zeros(state.shape[1], dtype=np.float32)
            return Nearest(none, none, none, none)
        squares = self._kept[:, :room] - state[:, None]
        squares *= squares
        reading, shortest, first, second, longest = squares
        middle = reading + second
        short = middle + first
        middle += longest
        reading += shortest
        mask = np.uint32(sum(1 << (hour + step) % _HOURS for step in (-1, 0, 1)))
        near = short.min(axis=0)
        same = np.where(self._hours[:room] & mask, short, np.float32(np.inf)).min(axis=0)
        same = np.where(np.isfinite(same), same, near)
        found = (near, middle.min(axis=0), reading.min(axis=0), same)
        nothing = self._used == 0
        roots = [np.sqrt(one) for one in found]
        for one in roots:
            one[nothing] = 0
        return Nearest(*roots)

    def _admit(self, state: Floats, hours: np.uint32, sigma: Floats) -> None:
        """Keep what is far enough from everything that is kept."""
        room = int(self._used.max(initial=0))
        if room:
            squares = self._kept[:, :room] - state[:, None]
            squares *= squares
            apart = squares.sum(axis=0)
            nearest = apart.argmin(axis=0)
            least = np.take_along_axis(apart, nearest[None], axis=0)[0]
            new = (least > self._radius * self._radius) | (self._used == 0)
            known = np.nonzero(~new)[0]
            self._hours[nearest[known], known] |= hours
            rows = np.nonzero(new)[0]
        else:
            rows = np.arange(len(self._used))
        for row in rows[self._used[rows] == KEPT]:
            self._merge(int(row), float(sigma[row]))
        places = self._used[rows]
        self._kept[:, places, rows] = state[:, rows]
        self._hours[places, rows] = hours
        self._used[rows] += 1

    def _merge(self, row: int, sigma: float) -> None:
        """Let the radius of a series grow until there is room."""
        kept, hours = self._kept[:, :, row].copy(), self._hours[:, row].copy()
        used = KEPT
        radius = float(self._radius[row])
        while used == KEPT:
            radius = max(radius * _GROWTH, _FIRST * sigma, 1e-12)
            used = _thinned(kept, hours, radius)
        self._radius[row] = radius
        self._used[row] = used
        kept[:, used:] = _FAR
        hours[used:] = 0
        self._kept[:, :, row] = kept
        self._hours[:, row] = hours


def _thinned(kept: Floats, hours: NDArray[np.uint32], radius: float) -> int:
    """Merge in place what is nearer than the radius, the older staying; return how many stay."""
    used = 0
    for place in range(kept.shape[1]):
        apart = kept[:, :used] - kept[:, place : place + 1]
        near = np.nonzero((apart * apart).sum(axis=0) < radius * radius)[0]
        if len(near):
            hours[near[0]] |= hours[place]
        else:
            kept[:, used] = kept[:, place]
            hours[used] = hours[place]
            used += 1
    return used
