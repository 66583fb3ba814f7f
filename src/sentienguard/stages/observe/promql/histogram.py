"""Quantiles out of cumulative buckets, a series for each upper bound."""

from collections.abc import Sequence

import numpy as np

from sentienguard.stages.observe.promql.values import (
    NAME,
    Bools,
    Floats,
    Labels,
    Vector,
    empty,
    get,
    joined,
    without,
)

_BOUND = "le"
_LEAST_BUCKETS = 2


def quantile(wanted: Floats, buckets: Vector) -> Vector:
    """Return `histogram_quantile(wanted, buckets)`; `wanted` has a number for each step."""
    groups: dict[Labels, list[tuple[float, int]]] = {}
    for row, labels in enumerate(buckets.labels):
        try:
            bound = float(get(labels, _BOUND))
        except ValueError:
            continue  # no bucket
        groups.setdefault(without(labels, (_BOUND, NAME)), []).append((bound, row))
    if not groups:
        return empty(buckets.values.shape[1])
    rows = [_group(wanted, buckets, sorted(members)) for members in groups.values()]
    return joined(
        tuple(groups),
        np.array([values for values, _ in rows]),
        np.array([there for _, there in rows]),
    )


def _group(
    wanted: Floats, buckets: Vector, members: Sequence[tuple[float, int]]
) -> tuple[Floats, Bools]:
    """Return the quantile of one histogram for each step; buckets may come and go."""
    bounds = np.array([bound for bound, _ in members])
    rows = [row for _, row in members]
    counts, there = buckets.values[rows], buckets.there[rows]
    found = np.full(len(wanted), np.nan)
    patterns, which = np.unique(there, axis=1, return_inverse=True)
    for number in range(patterns.shape[1]):
        present, steps = patterns[:, number], which.reshape(-1) == number
        if present.any():
            found[steps] = _quantile(wanted[steps], bounds[present], counts[np.ix_(present, steps)])
    return found, np.asarray(there.any(axis=0), np.bool_)


def _quantile(wanted: Floats, bounds: Floats, counts: Floats) -> Floats:
    outside = np.where(wanted < 0, -np.inf, np.where(wanted > 1, np.inf, np.nan))
    if bounds[-1] != np.inf:
        return outside
    # Buckets of one bound ("1" and "1.0") are one; a sum that falls back does not count.
    starts = np.flatnonzero(np.concatenate([[True], np.diff(bounds) != 0]))
    bounds = bounds[starts]
    counts = np.fmax.accumulate(np.add.reduceat(counts, starts, axis=0), axis=0)
    if len(bounds) < _LEAST_BUCKETS:
        return outside
    inside = (wanted >= 0) & (wanted <= 1)
    rank = np.where(inside, wanted, 0.0) * counts[-1]
    reached = counts[:-1] >= rank
    bucket = np.where(reached.any(axis=0), reached.argmax(axis=0), len(bounds) - 1)
    steps = np.arange(len(wanted))
    below = np.maximum(bucket - 1, 0)
    first = bucket == 0
    begin = np.where(first, 0.0, bounds[below])
    before = np.where(first, 0.0, counts[below, steps])
    share = (rank - before) / (counts[bucket, steps] - before)
    found = begin + (bounds[bucket] - begin) * share
    found = np.where(first & (bounds[0] <= 0), bounds[0], found)
    found = np.where(bucket == len(bounds) - 1, bounds[-2], found)
    found = np.where(counts[-1] == 0, np.nan, found)
    return np.where(inside, found, outside)
