"""How unlike anything before: the distance of a series' state to its nearest past state.

Called by lanes' users, one object a series. A state is the reading with its short and long
averages, so that a familiar value on an unfamiliar way counts as new. Eight channels look at it;
each is a logarithm, the highest of a block of BLOCK readings, against the running mean and spread
of those maxima; the lane is their root mean square. After an alarm it is silent for a while and
then asks for more, because people were told.

The state is bounded: KEPT readings with their averages, about 200 kB, and it does not grow.
"""

import math
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]

THRESHOLD: Final = 1.2  # of the root mean square; chosen on the development half of NAB
KEPT: Final = 4032  # past states, two weeks of readings each five minutes
BLOCK: Final = 20  # readings
_RECENT: Final = 20  # readings that are no past yet: a state resembles the one just before it
_FLOOR: Final = 0.1  # of a channel before its logarithm: below, differences are noise
_LEAST_SPREAD: Final = 0.4  # of a channel's block maxima
_MOST: Final = 8.0  # spreads; beyond, more says nothing
_BLOCKS: Final = 3  # before anything is judged
_WEIGHTS: Final = (0.5, 0.3, 0.1, 0.01)  # of the averages, the shortest first
_STATES: Final = ((0, 2, 3), (0, 3, 4), (0, 1))  # rows of a state: the reading and averages
_HOUR_S: Final = 3600.0
_DAY_S: Final = 86_400.0
_DAYS: Final = 14  # that the same time of day is looked for
_SILENT_SHARE: Final = 0.05  # of the readings so far
_SILENT: Final = (40, 200)  # readings, at least and at most
_FADING: Final = 500.0  # readings in which a habit fades to a third
_CHANNELS: Final = 8


class Novelty:
    """The lane of one series."""

    def __init__(self) -> None:
        """Begin knowing nothing."""
        self._averages = np.zeros(len(_WEIGHTS))
        self._times: Floats = np.zeros(2 * KEPT)
        self._states: Floats = np.zeros((1 + len(_WEIGHTS), 2 * KEPT))
        self._kept = 0  # states at the beginning of the arrays; the newest is the last
        self._seen = 0
        self._last = 0.0
        self._sum = self._squares = 0.0
        self._offset = 0.0  # of the sums, so that large readings lose no digits
        self._low, self._high = math.inf, -math.inf
        self._fast = self._slow = 0.0  # variances around the short and the long average
        self._blocks = _Blocks()
        self._habit = _Habit()

    def judge(self, at_s: float, reading: float) -> float:
        """Return how new this reading is, 0 in silence, and learn it. A missing one is NaN."""
        value = reading if math.isfinite(reading) else self._last
        self._note(value)
        state = np.concatenate(([value], self._averages))
        channels = self._channels(at_s, state)
        self._keep(at_s, state)
        return self._habit.judge(self._blocks.judge(channels), self._seen)

    def _note(self, value: float) -> None:
        if self._seen == 0:
            self._averages[:] = self._offset = value
        self._seen += 1
        for place, weight in enumerate(_WEIGHTS):
            share = max(weight, 1.0 / self._seen)
            self._averages[place] += share * (value - self._averages[place])
        self._low, self._high = min(self._low, value), max(self._high, value)
        self._sum += value - self._offset
        self._squares += (value - self._offset) ** 2
        for name, average, weight in (("_fast", 2, 0.1), ("_slow", 3, 0.01)):
            share = max(weight, 1.0 / self._seen)
            square = (value - self._averages[average]) ** 2
            setattr(self, name, getattr(self, name) + share * (square - getattr(self, name)))
        self._last = value

    def _channels(self, at_s: float, state: Floats) -> Floats:
        tiny = 1e-9 + 1e-6 * max(abs(self._low), abs(self._high))
        mean = self._sum / self._seen
        sigma = max(math.sqrt(max(self._squares / self._seen - mean * mean, 0.0)), tiny)
        reach = max(self._high - self._low, tiny)
        end = max(self._kept - _RECENT + 1, 0)
        past = self._states[:, max(end - KEPT, 0) : end]
        short, long, brief = _nearest(past, state, *_STATES)
        fast, slow = math.sqrt(self._fast), math.sqrt(self._slow)
        return np.array(
            [
                short / sigma,
                long / sigma,
                short / reach,
                long / reach,
                brief / reach,
                abs(self._averages[2] - self._averages[3]) / sigma,
                slow / max(fast, 1e-3 * sigma),
                self._same_time(at_s, state, end, short) / sigma,
            ]
        )

    def _same_time(self, at_s: float, state: Floats, end: int, otherwise: float) -> float:
        """Return the distance to the same time of earlier days; before the second day, to any."""
        times = self._times[:end]
        days = at_s - _DAY_S * np.arange(1, _DAYS + 1)
        starts = np.searchsorted(times, days - _HOUR_S)
        stops = np.searchsorted(times, days + _HOUR_S, side="right")
        near = [self._states[:, a:b] for a, b in zip(starts, stops, strict=True) if a < b]
        if not near:
            return otherwise
        (found,) = _nearest(np.concatenate(near, axis=1), state, _STATES[0])
        return found

    def _keep(self, at_s: float, state: Floats) -> None:
        if self._kept == len(self._times):  # move the newer half to the front, now and then
            self._times[:KEPT] = self._times[KEPT:]
            self._states[:, :KEPT] = self._states[:, KEPT:]
            self._kept = KEPT
        # A clock that went back must not hide what is behind it from the search by time.
        newest = self._times[self._kept - 1] if self._kept else at_s
        self._times[self._kept] = max(at_s, newest)
        self._states[:, self._kept] = state
        self._kept += 1


class _Blocks:
    """Channels against the maxima of the blocks before."""

    def __init__(self) -> None:
        self._current = np.full(_CHANNELS, -np.inf)
        self._in_block = 0
        self._sum = np.zeros(_CHANNELS)
        self._squares = np.zeros(_CHANNELS)
        self._count = 0

    def judge(self, channels: Floats) -> float:
        """Return the root mean square of the channels' standing."""
        if self._in_block == BLOCK:
            self._sum += self._current
            self._squares += self._current**2
            self._count += 1
            self._current, self._in_block = np.full(_CHANNELS, -np.inf), 0
        self._current = np.maximum(self._current, np.log(channels + _FLOOR))
        self._in_block += 1
        if self._count < _BLOCKS:
            return 0.0
        mean = self._sum / self._count
        sigma = np.sqrt(np.maximum(self._squares / self._count - mean * mean, 0.0))
        standing = (self._current - mean) / np.maximum(sigma, _LEAST_SPREAD)
        return float(np.sqrt((np.clip(standing, 0.0, _MOST) ** 2).mean()))


class _Habit:
    """Who was just told is not told again, and wants more the next time."""

    def __init__(self) -> None:
        self._habit = 0.0
        self._silent_until = -1

    def judge(self, standing: float, seen: int) -> float:
        """Return what is left of a reading's standing, 0 in silence."""
        self._habit *= 1.0 - 1.0 / _FADING
        if seen <= self._silent_until:
            return 0.0
        left = max(standing - self._habit, 0.0)
        if left >= THRESHOLD:
            least, most = _SILENT
            self._silent_until = seen + int(min(max(_SILENT_SHARE * seen, least), most))
            self._habit += 1.0
        return left


def score(standing: float) -> float:
    """Map what `judge` returns to 0..1, with 0.5 at THRESHOLD."""
    return standing / (standing + THRESHOLD)


def _nearest(past: Floats, state: Floats, *chosen: tuple[int, ...]) -> list[float]:
    """Return the distance to the nearest past state, by the columns of each choice."""
    if not past.shape[1]:
        return [0.0] * len(chosen)
    squares = (past - state[:, None]) ** 2
    return [math.sqrt(float(squares[list(columns)].sum(axis=0).min())) for columns in chosen]
