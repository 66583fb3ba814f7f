"""What a series does at each hour of a day or of a week.

Called by `deviation` and `host`. An hour's readings are folded into its baseline when the hour is
over; an hour is judged by itself and its neighbours, because jobs start a little early or late.
Readings are learned only as far as CLIP standard deviations from what is known.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np

from sentienguard.stages.detect.lanes import definition, levels
from sentienguard.stages.detect.lanes.levels import Floats

DAY_S: Final = definition.DAY_S
WEEK_S: Final = 7 * DAY_S
_HOUR_S: Final = definition.HOUR_S
_NEIGHBOURS: Final = definition.NEIGHBOURS
_SHARES: Final = {
    DAY_S: definition.DAY_SHARE,
    WEEK_S: 0.3,
}  # how much of an hour its latest time replaces
_LEAST: Final = definition.LEAST
_CLIPPED: Final = definition.CLIPPED


class Season:
    """Baselines for the hours of a period. State: 8 bytes a series and hour, and 20 more."""

    def __init__(self, series: int, period_s: float) -> None:
        """Begin knowing nothing; the period is DAY_S or WEEK_S."""
        self._period_s = period_s
        self._hours = round(period_s / _HOUR_S)
        self._share = _SHARES[period_s]
        self._means = np.zeros((self._hours, series), dtype=np.float32)
        self._variances = np.zeros((self._hours, series), dtype=np.float32)
        self._times = np.zeros(self._hours)  # how often each hour was folded in
        self._readings = np.zeros(self._hours)  # how many readings that were
        self._began_s: float | None = None
        self._hour = -1
        self._in_hour = 0
        self._base = np.zeros(series, dtype=np.float32)  # of the sums, so that they stay exact
        self._sum = np.zeros(series, dtype=np.float32)
        self._squares = np.zeros(series, dtype=np.float32)
        self._mean: Floats | None = None  # of the running hour; None: not known yet
        self._sigma = np.zeros(series, dtype=np.float32)
        self._reach: Floats | None = None
        self.step = self._sum  # last readings less what is known of their hour

    @property
    def arrays(self) -> list[Floats]:
        """What was learned of each series, for snapshots."""
        return [self._means, self._variances, self._base, self._sum, self._squares]

    @property
    def numbers(self) -> list[float]:
        """What was counted: 4 numbers and two for each hour, for snapshots."""
        began = np.nan if self._began_s is None else self._began_s
        counts = [began, self._hour, self._in_hour, self._mean is not None]
        return [*counts, *self._times.tolist(), *self._readings.tolist()]

    def resume(self, numbers: Sequence[float]) -> None:
        """Go on from `numbers`, after `arrays` were filled."""
        began, hour, in_hour, known = numbers[:4]
        self._began_s = None if np.isnan(began) else began
        self._hour, self._in_hour = int(hour), int(in_hour)
        self._times[:] = numbers[4 : 4 + self._hours]
        self._readings[:] = numbers[4 + self._hours :]
        self._mean = self._reach = None
        if known:
            self._pool()

    def judge(self, at_s: float, values: Floats, floor: Floats) -> Floats | None:
        """Return the deviations from this hour, with their sign, and learn the readings.

        None where earlier days (weeks) do not know the hour yet.
        """
        if self._began_s is None:
            self._began_s = at_s
        hour = int(at_s % self._period_s // _HOUR_S) % self._hours
        if hour != self._hour:
            self._fold()
            self._enter(hour, at_s, values)
        step = values - (self._base if self._mean is None else self._mean)
        self.step = step
        deviation: Floats | None = None
        learned = step
        if self._mean is not None:
            deviation = (step / np.maximum(self._sigma, floor)).astype(np.float32, copy=False)
            if self._reach is not None:
                learned = np.clip(step, -self._reach, self._reach)
        self._in_hour += 1
        self._sum += learned
        self._squares += learned * learned
        return deviation

    def _enter(self, hour: int, at_s: float, values: Floats) -> None:
        """Begin an hour: pool what is known of it and its neighbours."""
        self._hour = hour
        self._in_hour = 0
        self._sum[:] = 0
        self._squares[:] = 0
        self._mean = self._reach = None
        readings = self._readings[self._near()].sum()
        whole = self._began_s is not None and at_s - self._began_s >= min(self._period_s, DAY_S)
        if not (whole and self._times[hour] and readings >= _LEAST):
            self._base = values.copy()
            return
        self._pool()

    def _near(self) -> list[int]:
        """Return this hour and its neighbours, as far as they are known."""
        near = [(self._hour + step) % self._hours for step in _NEIGHBOURS]
        return [one for one in near if self._times[one]]

    def _pool(self) -> None:
        known = self._near()
        means = self._means[known]
        self._mean = means.mean(axis=0)
        self._sigma = np.sqrt(self._variances[known].mean(axis=0) + means.var(axis=0))
        if self._readings[known].sum() > _CLIPPED:
            self._reach = np.float32(levels.CLIP) * self._sigma + np.float32(1e-9)

    def _fold(self) -> None:
        """Fold the hour that is over into its baseline."""
        if not self._in_hour:
            return
        hour = self._hour
        mean = self._sum / np.float32(self._in_hour)
        variance = np.maximum(self._squares / np.float32(self._in_hour) - mean * mean, 0.0)
        mean += self._base if self._mean is None else self._mean
        share = np.float32(max(self._share, 1.0 / (self._times[hour] + 1.0)))
        step = mean - self._means[hour]
        self._means[hour] += share * step
        self._variances[hour] += share * step * step
        self._variances[hour] *= np.float32(1.0) - share
        self._variances[hour] += share * variance
        self._times[hour] += 1
        self._readings[hour] += self._in_hour
