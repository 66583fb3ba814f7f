"""The deviation lane of one series without numpy: the same definition, number for number.

For the agent, and for whoever judges one series at a time. `deviation` is the definition, and tests
compare the two reading by reading; they differ by the rounding of float32 alone.
"""

import math
from typing import Final

from sentienguard.stages.detect.lanes import definition as given

_HOURS: Final = round(given.DAY_S / given.HOUR_S)
_SHARES: Final = tuple(2.0 / (span + 1.0) for span in given.SPANS)


class Deviation:
    """One series. State: 59 numbers of its own, and two for each hour of the day."""

    __slots__ = ("_day", "_largest", "_last", "_means", "_seen", "_variances")

    def __init__(self) -> None:
        """Begin knowing nothing."""
        self._means = [0.0] * len(given.SPANS)
        self._variances = [0.0] * len(given.SPANS)
        self._largest = 0.0
        self._last = 0.0
        self._seen = 0
        self._day = _Day()

    def judge(self, at_s: float, reading: float) -> float:
        """Return the deviation in standard deviations, and learn; NaN is a missing reading."""
        missing = not -given.LARGEST_READING < reading < given.LARGEST_READING
        value = self._last if missing else min(max(reading, -given.MOST), given.MOST)
        self._last = value
        size = value if value >= 0 else -value
        self._largest = max(self._largest, size)
        longest = abs(self._means[-1])
        floor = max(longest * given.RELATIVE, self._largest * given.FLOOR) + given.TINY
        least = min(self._by_levels(value, floor), self._day.judge(at_s, value, floor))
        return 0.0 if missing or self._seen <= given.MUTE else least

    def _by_levels(self, value: float, floor: float) -> float:
        means, variances = self._means, self._variances
        if self._seen == 0:
            means[:] = [value] * len(means)
        self._seen += 1
        least = math.inf
        for place, usual in enumerate(_SHARES):
            step = value - means[place]
            variance = variances[place]
            sigma = math.sqrt(variance)
            size = abs(step)
            least = min(least, size / max(sigma, floor))
            learned = step
            if self._seen > given.YOUNG and variance > 0 and size > given.CLIP * sigma:
                learned = math.copysign(given.CLIP * sigma, step)
            share = max(usual, 1.0 / self._seen)
            means[place] += share * learned
            variances[place] = (variance + share * learned * learned) * (1.0 - share)
        return least


class _Day:
    """What the series does at each hour of the day."""

    __slots__ = (
        "_base", "_began_s", "_hour", "_in_hour", "_mean", "_means", "_reach", "_readings",
        "_sigma", "_squares", "_sum", "_times", "_variances",
    )  # fmt: skip

    def __init__(self) -> None:
        self._means = [0.0] * _HOURS
        self._variances = [0.0] * _HOURS
        self._times = [0] * _HOURS
        self._readings = [0] * _HOURS
        self._began_s: float | None = None
        self._hour = -1
        self._in_hour = 0
        self._base = self._sum = self._squares = self._sigma = 0.0
        self._mean: float | None = None
        self._reach = math.inf

    def judge(self, at_s: float, value: float, floor: float) -> float:
        """Return the deviation from this hour, infinite where it is not known, and learn."""
        if self._began_s is None:
            self._began_s = at_s
        hour = int(at_s % given.DAY_S // given.HOUR_S) % _HOURS
        if hour != self._hour:
            self._fold()
            self._enter(hour, at_s, value)
        if self._mean is None:
            learned, far = value - self._base, math.inf
        else:
            step = value - self._mean
            far = abs(step) / max(self._sigma, floor)
            learned = min(max(step, -self._reach), self._reach)
        self._in_hour += 1
        self._sum += learned
        self._squares += learned * learned
        return far

    def _enter(self, hour: int, at_s: float, value: float) -> None:
        self._hour, self._in_hour = hour, 0
        self._sum = self._squares = 0.0
        self._mean, self._reach = None, math.inf
        known = [near for step in given.NEIGHBOURS if self._times[near := (hour + step) % _HOURS]]
        readings = sum(self._readings[near] for near in known)
        whole = self._began_s is not None and at_s - self._began_s >= given.DAY_S
        if not (whole and self._times[hour] and readings >= given.LEAST):
            self._base = value
            return
        means = [self._means[near] for near in known]
        self._mean = sum(means) / len(means)
        between = sum((one - self._mean) ** 2 for one in means) / len(means)
        within = sum(self._variances[near] for near in known) / len(known)
        self._sigma = math.sqrt(within + between)
        if readings > given.CLIPPED:
            self._reach = given.CLIP * self._sigma + given.TINY

    def _fold(self) -> None:
        if not self._in_hour:
            return
        hour = self._hour
        mean = self._sum / self._in_hour
        variance = max(self._squares / self._in_hour - mean * mean, 0.0)
        mean += self._base if self._mean is None else self._mean
        share = max(given.DAY_SHARE, 1.0 / (self._times[hour] + 1.0))
        step = mean - self._means[hour]
        self._means[hour] += share * step
        before = self._variances[hour] + share * step * step
        self._variances[hour] = before * (1.0 - share) + share * variance
        self._times[hour] += 1
        self._readings[hour] += self._in_hour
