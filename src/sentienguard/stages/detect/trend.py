"""Where a series is going, and when it gets there.

The rate is the median of the slopes between all pairs of readings (Theil 1950, Sen 1968): up to 29
in 100 readings may be wild without moving it. A way towards the end is only claimed on monotone
evidence: nearly all pairs of readings rise (Kendall's count), and the rise is material. So noise
and a jump have a rate and no time to exhaustion.
"""

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
    slope = float(np.median(rises / (hours[later] - hours[earlier])))
    left = _hours_left(
        hours=hours,
        rises=rises,
        slope=slope,
        last=points[-1][1],
        ceiling=ceiling,
    )
    return Trend(slope, left)


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


def _hours_left(
    *,
    hours: np.ndarray,
    rises: np.ndarray,
    slope: float,
    last: float,
    ceiling: float | None,
) -> float | None:
    if ceiling is None or slope <= 0:
        return None
    rise = slope * float(hours[-1] - hours[0])
    monotone = rise >= _LEAST_RISE * ceiling and float(np.mean(rises > 0)) >= _RISING_PAIRS
    return max(ceiling - last, 0.0) / slope if monotone else None
