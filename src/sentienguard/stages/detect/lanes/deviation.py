"""How far readings are from every baseline that might explain them.

Called by lanes' users. Each series has exponentially weighted baselines of several lengths and one
for each hour of the day. Rules:

1. A reading is normal if *any* baseline explains it: its deviation is the least of all.
2. A baseline learns a reading only up to CLIP standard deviations, so an outage moves it little and
   a new level is learned in the end.
3. A spread is never below a share of the largest reading: a constant series is allowed its noise.
4. A host's deviation is the mean of its series', each squared after its logarithm: many series a
   little off and a few far off both count, one absurd one does not drown the rest.
"""

from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]

THRESHOLD: Final = 2.8  # sigma; chosen on the development half of service metrics
HOST_THRESHOLD: Final = 1.0  # of `host`; chosen on the development half of whole hosts
SPANS: Final = (100, 500, 2000)  # readings that an exponentially weighted baseline looks back on
CLIP: Final = 4.0  # rule 2, standard deviations
FLOOR: Final = 0.01  # rule 3, of the largest reading so far
_RELATIVE: Final = 1e-3  # and of the mean
_TINY: Final = 1e-9
_YOUNG: Final = 30  # readings before anything is clipped
_MUTE: Final = 5  # readings before anything is judged
_HOURS: Final = 24
_DAY_S: Final = 86_400.0
_DAILY_SHARE: Final = 0.15  # how much of an hour's baseline one day replaces
_NEIGHBOURS: Final = (-1, 0, 1)  # jobs start a little early or late
_KNOWN_HOUR: Final = 3  # readings of these hours on earlier days before they explain anything


class Deviation:
    """The lane of `series` series that are read together. State: 480 bytes a series."""

    def __init__(self, series: int = 1) -> None:
        """Begin knowing nothing."""
        spans = np.asarray(SPANS, dtype=np.float64)[:, None]
        self._share = 2.0 / (spans + 1.0)
        self._mean: Floats = np.zeros((len(SPANS), series))
        self._variance: Floats = np.zeros((len(SPANS), series))
        self._largest: Floats = np.zeros(series)
        self._last: Floats = np.zeros(series)
        self._seen = 0
        self._hours = _Hours(series)

    def judge(self, at_s: float, readings: Floats) -> Floats:
        """Return each series' deviation in standard deviations, and learn the readings.

        `readings` has one value a series; NaN stands for a missing one, which is no deviation.
        Infinite ones count as missing.
        """
        finite = np.isfinite(readings)
        values = np.where(finite, readings, self._last)
        if self._seen == 0:
            self._mean[:] = values
        self._largest = np.maximum(self._largest, np.abs(values))
        floor = FLOOR * self._largest + _TINY

        sigma = np.sqrt(self._variance)
        spread = np.maximum(np.maximum(sigma, _RELATIVE * np.abs(self._mean)), floor)
        deviation: Floats = (np.abs(values - self._mean) / spread).min(axis=0)
        by_hour = self._hours.judge(at_s, values, floor)
        if by_hour is not None:
            deviation = np.minimum(deviation, by_hour)  # rule 1
        self._learn(values, sigma)
        muted = self._seen <= _MUTE
        return np.zeros_like(values) if muted else np.where(finite, deviation, 0.0)

    def _learn(self, values: Floats, sigma: Floats) -> None:
        learned = np.broadcast_to(values, self._mean.shape)
        if self._seen >= _YOUNG:  # rule 2
            bounded = np.clip(learned, self._mean - CLIP * sigma, self._mean + CLIP * sigma)
            learned = np.where(sigma > 0, bounded, learned)
        self._seen += 1
        share = np.maximum(self._share, 1.0 / self._seen)
        step = learned - self._mean
        self._mean = self._mean + share * step
        self._variance = (1 - share) * (self._variance + share * step * step)
        self._last = values


class _Hours:
    """Baselines for each hour of the day, pooled with their neighbours."""

    def __init__(self, series: int) -> None:
        self._mean: Floats = np.zeros((_HOURS, series))
        self._variance: Floats = np.zeros((_HOURS, series))
        self._count: Floats = np.zeros(_HOURS)
        self._began_s: float | None = None
        self._hour = -1
        self._in_hour = 0.0  # readings of the hour that runs
        self._an_hour = 1.0  # readings of the last whole one

    def judge(self, at_s: float, values: Floats, floor: Floats) -> Floats | None:
        """Return the deviation from this time of day; None where earlier days do not know it."""
        if self._began_s is None:
            self._began_s = at_s
        hour = int(at_s % _DAY_S // (_DAY_S / _HOURS))
        if hour != self._hour:
            self._an_hour, self._hour, self._in_hour = max(self._in_hour, 1.0), hour, 0.0
        self._in_hour += 1
        near = [(hour + step) % _HOURS for step in _NEIGHBOURS]
        weight = self._count[near]
        known = weight.sum()
        judged: Floats | None = None
        learned = values
        if at_s - self._began_s >= _DAY_S and self._count[hour] >= 1 and known >= _KNOWN_HOUR:
            share = weight[:, None] / known
            mean = (self._mean[near] * share).sum(axis=0)
            apart = self._mean[near] - mean
            sigma = np.sqrt(((self._variance[near] + apart * apart) * share).sum(axis=0))
            spread = np.maximum(np.maximum(sigma, _RELATIVE * np.abs(mean)), floor)
            judged = np.abs(values - mean) / spread
            if known > _KNOWN_HOUR * len(near):
                learned = np.clip(values, mean - CLIP * sigma - _TINY, mean + CLIP * sigma + _TINY)
        self._learn(hour, learned)
        return judged

    def _learn(self, hour: int, values: Floats) -> None:
        share = max(_DAILY_SHARE / self._an_hour, 1.0 / (self._count[hour] + 1.0))
        self._count[hour] += 1.0
        step = values - self._mean[hour]
        self._mean[hour] += share * step
        self._variance[hour] = (1 - share) * (self._variance[hour] + share * step * step)


def host(deviations: Floats) -> float:
    """Return one number for series that are read together (rule 4)."""
    return float((np.log1p(deviations) ** 2).mean())


def score(deviations: Floats) -> float:
    """Map the deviations of one series, or of those of a host, to 0..1; 0.5 is the threshold."""
    if len(deviations) == 1:
        sigma = float(deviations[0])
        return sigma / (sigma + THRESHOLD)
    together = host(deviations)
    return together / (together + HOST_THRESHOLD)
