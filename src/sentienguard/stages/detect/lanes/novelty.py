"""How unlike anything before: the distance of a series' state to the nearest state of its past.

Called by lanes' users. A state is a reading with its short and long averages, so that a familiar
value on an unfamiliar way counts as new. Rules:

1. Each series is looked at on every scale of SCALES: its readings, and the means of so many.
2. Eight channels look at a state; each is a logarithm, the highest of a block of BLOCK states,
   against the running mean and spread of those maxima. A scale is the root mean square of its
   channels, the lane that of its scales.
3. The past is kept as a cover of at most KEPT states (`cover`): what repeats is kept once.
4. After an alarm the lane is silent for a while and then asks for more, because people were told.

One object judges all series that are read together. The state does not grow.
"""

from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from sentienguard.stages.detect.lanes import levels
from sentienguard.stages.detect.lanes.cover import Cover, Nearest

Floats: TypeAlias = NDArray[np.float32]
Wide: TypeAlias = NDArray[np.float64]

THRESHOLD: Final = 0.9  # of the root mean square; chosen on the development half of NAB
SCALES: Final = (1, 2)  # readings that make a state
BLOCK: Final = 20  # states
RECENT: Final = 20  # readings that are no past yet
CHANNELS: Final = 8
_FLOOR: Final = np.float32(0.1)  # of a channel before its logarithm: below, differences are noise
_LEAST_SPREAD: Final = np.float32(0.4)  # of a channel's block maxima
_MOST: Final = np.float32(8.0)  # spreads; beyond, more says nothing
_BLOCKS: Final = 3  # before anything is judged
_WEIGHTS: Final = (0.5, 0.3, 0.1, 0.01)  # of the averages, the shortest first
_SHORT, _LONG = 2, 3  # of the averages, whose distance and variances are channels
_SILENT_SHARE: Final = 0.05  # of the readings so far
_SILENT: Final = (40, 200)  # readings, at least and at most
_WIDEST: Final = float(levels.MOST)  # readings beyond are taken for this
_FADING: Final = 500.0  # readings in which a habit fades to a third


class Novelty:
    """The lane of `series` series that are read together. State: 3.9 kB a series."""

    def __init__(self, series: int = 1) -> None:
        """Begin knowing nothing."""
        self._scales = [_Scale(series, RECENT // length) for length in SCALES]
        self._gathered = [np.zeros(series, dtype=np.float64) for _ in SCALES]
        self._standings = [np.zeros(series, dtype=np.float32) for _ in SCALES]
        self._last = np.zeros(series, dtype=np.float64)
        self._seen = 0
        self._habit = Habit(series)

    def judge(self, at_s: float, readings: NDArray[np.floating]) -> Floats:
        """Return how new each reading is, 0 in silence, and learn them. A missing one is NaN."""
        return self._habit.judge(self.standing(at_s, readings))

    def standing(self, at_s: float, readings: NDArray[np.floating]) -> Floats:
        """Return how new each reading is, whoever was told before, and learn them."""
        values = np.clip(np.asarray(readings, dtype=np.float64), -_WIDEST, _WIDEST)
        values = np.where(np.isfinite(readings), values, self._last)
        self._last = values
        self._seen += 1
        for place, (length, scale) in enumerate(zip(SCALES, self._scales, strict=True)):
            gathered = self._gathered[place]
            gathered += values / length
            if self._seen % length == 0:
                self._standings[place] = scale.judge(at_s, gathered)
                gathered[:] = 0
        squares = [one * one for one in self._standings]
        standing: Floats = np.sqrt(sum(squares[1:], squares[0]) / np.float32(len(squares)))
        return standing


class _Scale:
    """One scale of a series: its states and their channels."""

    def __init__(self, series: int, recent: int) -> None:
        self._averages: Wide = np.zeros((len(_WEIGHTS), series))
        self._seen = 0
        self._offset: Wide = np.zeros(series)  # of the sums, so that large readings keep digits
        self._sum: Wide = np.zeros(series)
        self._squares: Wide = np.zeros(series)
        self._low: Wide = np.full(series, np.inf)
        self._high: Wide = np.full(series, -np.inf)
        self._fast: Wide = np.zeros(series)  # variances around the short and the long average
        self._slow: Wide = np.zeros(series)
        self._cover = Cover(series, 1 + len(_WEIGHTS), recent)
        self._blocks = _Blocks(series)

    def judge(self, at_s: float, values: Wide) -> Floats:
        """Return the root mean square of the channels' standing, and learn the values."""
        if self._seen == 0:
            self._averages[:] = values
            self._offset[:] = values
        self._seen += 1
        shares = np.maximum(_WEIGHTS, 1.0 / self._seen)
        self._averages += shares[:, None] * (values - self._averages)
        apart = values - self._offset
        self._sum += apart
        self._squares += apart * apart
        np.minimum(self._low, values, out=self._low)
        np.maximum(self._high, values, out=self._high)
        short, long = self._averages[_SHORT], self._averages[_LONG]
        self._fast += max(0.1, 1.0 / self._seen) * ((values - short) ** 2 - self._fast)
        self._slow += max(0.01, 1.0 / self._seen) * ((values - long) ** 2 - self._slow)
        mean = self._sum / self._seen
        tiny = 1e-9 + 1e-6 * np.maximum(np.abs(self._low), np.abs(self._high))
        sigma = np.maximum(np.sqrt(np.maximum(self._squares / self._seen - mean * mean, 0)), tiny)
        state = np.vstack([apart[None], self._averages - self._offset]).astype(np.float32)
        near = self._cover.judge(at_s, state, sigma.astype(np.float32))
        channels = self._channels(near, sigma, np.maximum(self._high - self._low, tiny))
        return self._blocks.judge(channels)

    def _channels(self, near: Nearest, sigma: Wide, reach: Wide) -> Floats:
        drift = np.abs(self._averages[_SHORT] - self._averages[_LONG])
        quiet = np.sqrt(self._slow) / np.maximum(np.sqrt(self._fast), 1e-3 * sigma)
        channels = np.stack(
            [
                near.short / sigma,
                near.long / sigma,
                near.short / reach,
                near.long / reach,
                near.brief / reach,
                drift / sigma,
                quiet,
                near.same_time / sigma,
            ]
        )
        return channels.astype(np.float32)


class _Blocks:
    """Channels against the maxima of the blocks before."""

    def __init__(self, series: int) -> None:
        self._current = np.full((CHANNELS, series), -np.inf, dtype=np.float32)
        self._in_block = 0
        self._sum = np.zeros((CHANNELS, series), dtype=np.float32)
        self._squares = np.zeros((CHANNELS, series), dtype=np.float32)
        self._mean = self._sum
        self._spread = self._sum
        self._count = 0

    def judge(self, channels: Floats) -> Floats:
        """Return the root mean square of the channels' standing."""
        if self._in_block == BLOCK:
            self._fold()
        np.maximum(self._current, np.log(channels + _FLOOR), out=self._current)
        self._in_block += 1
        if self._count < _BLOCKS:
            return np.zeros(self._current.shape[1], dtype=np.float32)
        standing = (self._current - self._mean) / self._spread
        np.clip(standing, 0.0, _MOST, out=standing)
        together: Floats = np.sqrt((standing * standing).mean(axis=0))
        return together

    def _fold(self) -> None:
        self._sum += self._current
        self._squares += self._current**2
        self._count += 1
        count = np.float32(self._count)
        self._mean = self._sum / count
        variance = np.maximum(self._squares / count - self._mean**2, 0.0)
        self._spread = np.maximum(np.sqrt(variance), _LEAST_SPREAD)
        self._current[:] = -np.inf
        self._in_block = 0


class Habit:
    """Who was just told is not told again, and wants more the next time."""

    def __init__(self, series: int, threshold: float = THRESHOLD) -> None:
        """Begin with nobody told; `threshold` is what people are told from."""
        self._threshold = threshold
        self._seen = 0
        self._habit = np.zeros(series, dtype=np.float32)
        self._silent_until = np.full(series, -1.0)

    def judge(self, standing: Floats) -> Floats:
        """Return what is left of the readings' standing, 0 in silence."""
        self._seen += 1
        seen = self._seen
        self._habit *= np.float32(1.0 - 1.0 / _FADING)
        left: Floats = np.maximum(standing - self._habit, np.float32(0.0))
        left[seen <= self._silent_until] = 0
        raised = left >= self._threshold
        if raised.any():
            least, most = _SILENT
            self._silent_until[raised] = seen + int(min(max(_SILENT_SHARE * seen, least), most))
            self._habit[raised] += 1
        return left


def score(standing: float) -> float:
    """Map what `judge` returns to 0..1, with 0.5 at THRESHOLD."""
    return standing / (standing + THRESHOLD)
