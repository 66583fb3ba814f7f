"""Functions of a range that count, sum and compare.

Each takes windows none of which is empty, and returns a number for each. Sums are kept in extended
precision, as Prometheus compensates its own.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sentienguard.ports.metric_store import Aspect
from sentienguard.stages.observe.promql.spans import Spans, copied
from sentienguard.stages.observe.promql.values import Bools, Floats, Ints


@dataclass(frozen=True, slots=True)
class OverTime:
    """A function of a range."""

    compute: Callable[[Spans, Floats], Floats]  # windows and, for each, the scalar argument
    aspect: Aspect = Aspect.LAST  # what it asks of readings that are not kept singly


def _sums(spans: Spans, values: Floats | None = None) -> NDArray[np.longdouble]:
    found = np.zeros(len(spans.first), np.longdouble)
    whole = spans.values if values is None else values
    for part in copied(spans):
        long = whole[part.places].astype(np.longdouble)
        found[part.windows] = np.add.reduceat(long, part.starts)
    return found


def _numbers(spans: Spans) -> Floats:
    """Return how many readings each window stands for."""
    if spans.counts is None:
        return spans.sizes.astype(np.float64)
    return _sums(spans, spans.counts.astype(np.float64)).astype(np.float64)


def _sum(spans: Spans, _: Floats) -> Floats:
    return _sums(spans).astype(np.float64)


def _average(spans: Spans, _: Floats) -> Floats:
    return (_sums(spans) / _numbers(spans)).astype(np.float64)


def _least(spans: Spans, _: Floats) -> Floats:
    found = np.zeros(len(spans.first))
    for part in copied(spans):  # fmin: a NaN counts only where there is nothing else
        found[part.windows] = np.fmin.reduceat(spans.values[part.places], part.starts)
    return found


def _most(spans: Spans, _: Floats) -> Floats:
    found = np.zeros(len(spans.first))
    for part in copied(spans):
        found[part.windows] = np.fmax.reduceat(spans.values[part.places], part.starts)
    return found


def _count(spans: Spans, _: Floats) -> Floats:
    return _numbers(spans)


def _last(spans: Spans, _: Floats) -> Floats:
    return spans.values[spans.last - 1]


def _present(spans: Spans, _: Floats) -> Floats:
    return np.ones(len(spans.first))


def _variance(spans: Spans, _: Floats) -> Floats:
    found = np.zeros(len(spans.first))
    for part in copied(spans):
        long = spans.values[part.places].astype(np.longdouble)
        means = np.add.reduceat(long, part.starts) / part.sizes
        squares = (long - np.repeat(means, part.sizes)) ** 2
        found[part.windows] = np.add.reduceat(squares, part.starts) / part.sizes
    return found


def _deviation(spans: Spans, none: Floats) -> Floats:
    deviation: Floats = np.sqrt(_variance(spans, none))
    return deviation


def _quantile(spans: Spans, wanted: Floats) -> Floats:
    found = np.zeros(len(spans.first))
    for part in copied(spans):
        values = spans.values[part.places]
        window = np.repeat(np.arange(len(part.sizes)), part.sizes)
        nans_first = np.isnan(values)
        ordered = values[np.lexsort((values, ~nans_first, window))]
        found[part.windows] = quantiles(ordered, part.starts, part.sizes, wanted[part.windows])
    return found


def quantiles(ordered: Floats, starts: Ints, sizes: Ints, wanted: Floats) -> Floats:
    """Return a quantile of each run of ascending values, NaN first, as Prometheus interpolates."""
    inside = np.clip(np.nan_to_num(wanted, nan=0.0), 0.0, 1.0)
    rank = inside * (sizes - 1)
    lower = np.floor(rank).astype(np.int64)
    upper = np.minimum(lower + 1, sizes - 1)
    weight = rank - np.floor(rank)
    low, high = ordered[starts + lower], ordered[starts + upper]
    found = low * (1 - weight) + high * weight
    found = np.where(wanted < 0, -np.inf, np.where(wanted > 1, np.inf, found))
    return np.where(np.isnan(wanted), np.nan, found)


def _within(spans: Spans, steps: Bools) -> Floats:
    """Count marked readings of each window, its first reading left out."""
    before = np.concatenate([[0], steps.cumsum()])
    inside: Floats = (before[spans.last] - before[spans.first + 1]).astype(np.float64)
    return inside


def _changes(spans: Spans, _: Floats) -> Floats:
    values = spans.values
    now, then = values[1:], values[:-1]
    differs = (now != then) & ~(np.isnan(now) & np.isnan(then))
    return _within(spans, np.concatenate([[False], differs]))


def _resets(spans: Spans, _: Floats) -> Floats:
    return _within(spans, np.concatenate([[False], spans.values[1:] < spans.values[:-1]]))


# By name. `absent_over_time` turns the whole vector round and is evaluated where vectors are.
FUNCTIONS: Mapping[str, OverTime] = {
    "absent_over_time": OverTime(_present),
    "avg_over_time": OverTime(_average, Aspect.SUM),
    "changes": OverTime(_changes),
    "count_over_time": OverTime(_count),
    "last_over_time": OverTime(_last),
    "max_over_time": OverTime(_most, Aspect.HIGHEST),
    "min_over_time": OverTime(_least, Aspect.LOWEST),
    "present_over_time": OverTime(_present),
    "quantile_over_time": OverTime(_quantile),
    "resets": OverTime(_resets),
    "stddev_over_time": OverTime(_deviation),
    "stdvar_over_time": OverTime(_variance),
    "sum_over_time": OverTime(_sum, Aspect.SUM),
}
