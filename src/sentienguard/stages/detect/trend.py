"""Where a series is going, and when it gets there.

The rate is the median of the slopes between all pairs of readings (Theil 1950, Sen 1968): up to 29
in 100 readings may be wild without moving it. A way towards the end is only claimed on monotone
evidence: nearly all pairs of readings rise (Kendall's count), and the rise is material. So noise
and a jump have a rate and no time to exhaustion.

The interval is of the rate: the slopes that lie as far from the median one as noise alone would
put Kendall's count (95 %). Readings that follow each other are not independent, so it is narrow.
"""

import math
from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np

from sentienguard.model.anomaly import Trend
from sentienguard.stages.detect.settings import DetectSettings

_HOUR = timedelta(hours=1)
_POINTS = (
    32  # readings are folded into at most this many medians: 496 pairs, a quarter of a millisecond
)
_RISING_PAIRS = 0.85  # of all pairs; a jump has at most 52 in 100, noise 50
_LEAST_RISE = 0.01  # of the ceiling, over the window: less is nobody's incident
_SIGMAS = 1.96  # of the interval


def estimate(
    recent: Sequence[tuple[datetime, float]],
    ceiling: float | None,
    settings: DetectSettings,
) -> Trend | None:
    """Return where these readings (oldest first) are going; None where they are too few to say.

    `ceiling` is in the unit of the readings. The rate is in that unit per hour; hours are counted
    from the last reading.
    """
    if not recent:
        return None
    points = _within(recent, settings.trend_window)
    if len(points) < settings.trend_readings:
        return None
    if points[-1][0] - points[0][0] < settings.trend_span:
        return None
    hours, values = _folded(points)
    later, earlier = np.triu_indices(len(hours), k=1)[::-1]
    rises = values[later] - values[earlier]
    slopes = np.sort(rises / (hours[later] - hours[earlier]))
    slope = float(np.median(slopes))
    if ceiling is None or not _climbs(hours, rises, slope, ceiling):
        return Trend(slope, None)
    way = max(ceiling - points[-1][1], 0.0)
    flattest, steepest = _interval(slopes, len(hours))
    latest = way / flattest if flattest > 0 else None
    return Trend(slope, way / slope, soonest_hours=way / steepest, latest_hours=latest)


def _within(
    recent: Sequence[tuple[datetime, float]], window: timedelta
) -> Sequence[tuple[datetime, float]]:
    since = recent[-1][0] - window
    first = next(index for index, (at, _) in enumerate(recent) if at >= since)
    return recent[first:]


def _folded(
    points: Sequence[tuple[datetime, float]],
) -> tuple[np.ndarray, np.ndarray]:
    """Return hours since the first reading and values, folded to block medians."""
    start = points[0][0]
    hours = np.array([(at - start) / _HOUR for at, _ in points])
    values = np.array([value for _, value in points])
    hours, first_of_each = np.unique(hours, return_index=True)
    values = values[first_of_each]
    if len(hours) <= _POINTS:
        return hours, values
    kept = len(hours) // _POINTS * _POINTS  # the oldest few fill no block
    return (
        np.median(hours[-kept:].reshape(_POINTS, -1), axis=1),
        np.median(values[-kept:].reshape(_POINTS, -1), axis=1),
    )


def _climbs(hours: np.ndarray, rises: np.ndarray, slope: float, ceiling: float) -> bool:
    """Tell whether the evidence is monotone and the rise material."""
    rise = slope * float(hours[-1] - hours[0])
    material = slope > 0 and rise >= _LEAST_RISE * ceiling
    return material and float(np.mean(rises > 0)) >= _RISING_PAIRS


def _interval(slopes: np.ndarray, points: int) -> tuple[float, float]:
    """Return the least and the largest slope that the count of pairs does not rule out."""
    spread = _SIGMAS * math.sqrt(points * (points - 1) * (2 * points + 5) / 18)
    least = max(math.floor((len(slopes) - spread) / 2), 0)
    return float(slopes[least]), float(slopes[len(slopes) - 1 - least])
