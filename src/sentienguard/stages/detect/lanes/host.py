"""One score for a host: its metrics judged together, and which of them stand out.

Called by lanes' users. Rules:

1. Whether a host lives by the day is measured: it does where, for a third of its metrics, earlier
   days predict better than the last hundred readings do.
2. A host that lives by the day is judged by this hour of the day, this hour of the week, the step
   since the reading before, and a slow drift. Each counts up to BOUND standard deviations, so that
   one metric cannot drown the others.
3. Any other host is judged by its levels, a short and a longer one, smoothed against noise. Each
   metric counts by the cube of a logarithm: a few that are far off are enough, one that is absurd
   does not drown the rest.
4. A host's score is the mean over its metrics; those with the largest shares are named.
5. While an alarm goes on it wears off, and comes back as sharp within some hundred readings.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from sentienguard.stages.detect.lanes import deviation, levels, seasons
from sentienguard.stages.detect.lanes.levels import Floats
from sentienguard.stages.detect.lanes.rhythm import Rhythm

BY_DAY: Final = 2.1  # threshold of a host that lives by the day; both chosen on development hosts
BY_LEVEL: Final = 3.9  # threshold of any other host
BOUND: Final = np.float32(6.0)  # rule 2, standard deviations
NAMED: Final = 3  # metrics that are named with a host's score, at most
_CLOSE: Final = 0.5  # of the largest share: below, a metric is not named
_SHORT, _MIDDLE = 0, 1  # of levels.SPANS
_SPREAD_SPAN: Final = 5000.0  # readings that a smoothed deviation's own spread looks back on
_LEAST_SPREAD: Final = np.float32(0.2)
_WILD: Final = np.float32(30.0)  # a deviation beyond counts as this before it is smoothed
_HABIT: Final = 0.13  # of the threshold, for each reading that is raised
_FADING: Final = 100.0  # readings in which a habit fades to a third


class Host:
    """The joint lane of a host's `series` metrics. State: 2.1 kB a series."""

    def __init__(self, series: int) -> None:
        """Begin knowing nothing."""
        self._last = np.zeros(series, dtype=np.float32)
        self._levels = levels.Levels(series)
        self._day = seasons.Season(series, seasons.DAY_S)
        self._week = seasons.Season(series, seasons.WEEK_S)
        self._steps = seasons.Season(series, seasons.DAY_S)
        self._step_levels = levels.Levels(series)
        self._noise = [_Smoothed(series, share) for share in (0.5, 0.5)]
        self._drift = _Smoothed(series, 0.15)
        self._rhythm = Rhythm(series)
        self._habit = 0.0
        self.shares = np.zeros(series, dtype=np.float32)  # of the last score, one a series

    def judge(self, at_s: float, readings: NDArray[np.floating]) -> float:
        """Return how far the host is from normal, as a multiple of its threshold, and learn."""
        values, missing = deviation.filled(readings, self._last)
        step = values - self._last
        self._last = values
        floor = self._levels.floor(values)
        short, middle, _ = self._levels.judge(values, floor)
        by_level = [
            smoothed.judge(one) for smoothed, one in zip(self._noise, (short, middle), strict=True)
        ]
        by_day = self._by_day(at_s, values, floor, step, self._drift.judge(middle))
        if by_day is not None and self._rhythm.daily:
            threshold = BY_DAY
            shares = _mean([np.minimum(one, BOUND) for one in by_day])
        else:
            threshold = BY_LEVEL
            shares = _mean([np.log1p(one) ** 3 for one in by_level])
        if missing is not None:
            shares[missing] = 0
        if self._levels.seen <= deviation.MUTE:
            shares[:] = 0
        self.shares = shares
        return self._worn(float(shares.mean()) / threshold if len(shares) else 0.0)

    def leading(self) -> list[int]:
        """Return which metrics the last score is made of, the largest share first."""
        order = np.argsort(-self.shares, kind="stable")[:NAMED]
        least = float(self.shares[order[0]]) * _CLOSE
        return [int(one) for one in order if self.shares[one] > 0 and self.shares[one] >= least]

    def _by_day(
        self, at_s: float, values: Floats, floor: Floats, step: Floats, drift: Floats
    ) -> list[Floats] | None:
        day = self._day.judge(at_s, values, floor)
        week = self._week.judge(at_s, values, floor)
        step_floor = self._step_levels.floor(step)
        steps = self._steps.judge(at_s, step, step_floor)
        if day is None:
            return None
        self._rhythm.note(self._day.step, self._levels.step)
        far = np.abs(day)
        return [
            far,
            far if week is None else np.abs(week),
            far if steps is None else np.abs(steps),
            drift,
        ]

    def _worn(self, standing: float) -> float:
        self._habit *= 1.0 - 1.0 / _FADING
        left = max(standing - self._habit, 0.0)
        if left >= 1.0:
            self._habit += _HABIT
        return left


def _mean(parts: list[Floats]) -> Floats:
    total = parts[0].copy()
    for one in parts[1:]:
        total += one
    total /= np.float32(len(parts))
    return total


class _Smoothed:
    """Deviations with their sign, smoothed, against the spread that they usually have."""

    def __init__(self, series: int, share: float) -> None:
        self._share = np.float32(share)
        self._mean = np.zeros(series, dtype=np.float32)
        self._variance = np.ones(series, dtype=np.float32)
        self._seen = 0

    def judge(self, signed: Floats) -> Floats:
        """Return how unusual the smoothed deviations are, without their sign."""
        bounded = np.clip(signed, -_WILD, _WILD)
        self._mean += self._share * (bounded - self._mean)
        spread: Floats = np.sqrt(self._variance)
        far: Floats = np.abs(self._mean)
        wide: Floats = np.maximum(spread, _LEAST_SPREAD)
        standing: Floats = far / wide
        learned: Floats = np.minimum(far, np.float32(4.0) * spread)
        share = np.float32(max(2.0 / (_SPREAD_SPAN + 1.0), 1.0 / (self._seen + 10.0)))
        self._variance += share * (learned * learned - self._variance)
        self._seen += 1
        return standing


def score(standing: float) -> float:
    """Map what `Host.judge` returns to 0..1, with 0.5 at the threshold."""
    return standing / (standing + 1.0)
