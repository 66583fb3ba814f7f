"""Functions of a range that follow a counter or a slope, with Prometheus's extrapolation.

Each takes windows of at least two readings, and returns a number for each.
"""

from collections.abc import Callable, Mapping
from typing import TypeAlias

import numpy as np

from sentienguard.stages.observe.promql.spans import Spans, copied
from sentienguard.stages.observe.promql.values import Floats

Rate: TypeAlias = Callable[[Spans, Floats], Floats]
LEAST_READINGS = 2
_NEAR = 1.1  # average distances from the edge of the window within which it is reached


def _restarts(spans: Spans) -> Floats:
    """Return what a counter had reached before it began again, summed over each window."""
    values = spans.values
    fell = np.concatenate([[False], values[1:] < values[:-1]])
    number = np.concatenate([[0], fell.cumsum()])
    with_falls = number[spans.last] > number[spans.first + 1]
    found = np.zeros(len(spans.first))
    if with_falls.any():
        lost = np.concatenate([[0.0], np.where(fell[1:], values[:-1], 0.0)])
        some = spans.chosen(with_falls)
        sums = np.zeros(len(some.first))
        for part in copied(some):
            taken = lost[part.places]
            taken[part.starts] = 0.0  # the first reading of a window has none before it
            sums[part.windows] = np.add.reduceat(taken, part.starts)
        found[with_falls] = sums
    # A counter is compared with 0 before its first reading; 0 is what it then has lost.
    return found


def _extrapolated(spans: Spans, *, counter: bool, per_second: bool) -> Floats:
    first, last = spans.first, spans.last - 1
    begin, end = spans.values[first], spans.values[last]
    grown = end - begin
    if counter:
        grown = grown + _restarts(spans)
    to_begin = (spans.times[first] - spans.begin_ms) / 1000
    to_end = (spans.end_ms - spans.times[last]) / 1000
    sampled = (spans.times[last] - spans.times[first]) / 1000
    apart = sampled / (spans.sizes - 1)
    if counter:
        # A counter is not drawn out below zero.
        counts = (grown > 0) & (begin >= 0)
        to_zero = sampled * (begin / np.where(counts, grown, 1.0))
        to_begin = np.where(counts & (to_zero < to_begin), to_zero, to_begin)
    reach = sampled + np.where(to_begin < apart * _NEAR, to_begin, apart / 2)
    reach = reach + np.where(to_end < apart * _NEAR, to_end, apart / 2)
    factor = reach / sampled
    if per_second:
        factor = factor / spans.span_s
    return grown * factor


def _rate(spans: Spans, _: Floats) -> Floats:
    return _extrapolated(spans, counter=True, per_second=True)


def _increase(spans: Spans, _: Floats) -> Floats:
    return _extrapolated(spans, counter=True, per_second=False)


def _delta(spans: Spans, _: Floats) -> Floats:
    return _extrapolated(spans, counter=False, per_second=False)


def _instant_rate(spans: Spans, _: Floats) -> Floats:
    last, before = spans.values[spans.last - 1], spans.values[spans.last - 2]
    grown = np.where(last < before, last, last - before)
    return grown / ((spans.times[spans.last - 1] - spans.times[spans.last - 2]) / 1000)


def _instant_delta(spans: Spans, _: Floats) -> Floats:
    return spans.values[spans.last - 1] - spans.values[spans.last - 2]


def _line(spans: Spans, origins: Floats) -> tuple[Floats, Floats]:
    """Return slope per second, and height at `origins` (milliseconds), of the least squares.

    The formula is Prometheus's, with its loss of digits where values are large and hardly change.
    """
    slopes, heights = np.zeros(len(spans.first)), np.zeros(len(spans.first))
    for part in copied(spans):
        size = part.sizes
        ys = spans.values[part.places]
        xs = (spans.times[part.places] - part.spread(origins[part.windows])) / 1e3
        sum_x, sum_y, sum_xy, sum_xx = (
            np.add.reduceat(one.astype(np.longdouble), part.starts).astype(np.float64)
            for one in (xs, ys, xs * ys, xs * xs)
        )
        slope = (sum_xy - sum_x * sum_y / size) / (sum_xx - sum_x * sum_x / size)
        height = sum_y / size - slope * sum_x / size
        begin = spans.values[spans.first[part.windows]]
        level = np.logical_and.reduceat(ys == part.spread(begin), part.starts)
        endless = level & np.isinf(begin)
        slopes[part.windows] = np.where(endless, np.nan, np.where(level, 0.0, slope))
        heights[part.windows] = np.where(endless, np.nan, np.where(level, begin, height))
    return slopes, heights


def _slope(spans: Spans, _: Floats) -> Floats:
    return _line(spans, spans.times[spans.first].astype(np.float64))[0]


def _predicted(spans: Spans, ahead_s: Floats) -> Floats:
    slopes, heights = _line(spans, spans.step_ms.astype(np.float64))
    return slopes * ahead_s + heights


FUNCTIONS: Mapping[str, Rate] = {
    "delta": _delta,
    "deriv": _slope,
    "idelta": _instant_delta,
    "increase": _increase,
    "irate": _instant_rate,
    "predict_linear": _predicted,
    "rate": _rate,
}
