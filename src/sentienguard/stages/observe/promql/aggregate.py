"""Sums, ranks and their like over the series of each group.

Series are taken in their order, one after another, over all steps at once, and the arithmetic is
Prometheus's own, so that the last digits agree.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from sentienguard.stages.observe.promql import labelling, numbers
from sentienguard.stages.observe.promql.faults import QueryFailed
from sentienguard.stages.observe.promql.over_time import quantiles
from sentienguard.stages.observe.promql.ranking import ranked
from sentienguard.stages.observe.promql.values import (
    NAME,
    Bools,
    Floats,
    Labels,
    Vector,
    changed,
    empty,
    joined,
    only,
    without,
)

Reduce = Callable[[Floats, Bools], Floats]  # rows of one group, and where they have a value


def _sum(values: Floats, there: Bools) -> Floats:
    total = np.zeros(values.shape[1])
    for row, has in zip(values, there, strict=True):
        total = np.where(has, total + row, total)
    return total


def _average(values: Floats, there: Bools) -> Floats:
    mean, count = np.zeros(values.shape[1]), np.zeros(values.shape[1])
    for row, has in zip(values, there, strict=True):
        count = count + has
        number = np.maximum(count, 1)
        moved = np.where(count == 1, row, mean + (row / number - mean / number))
        # Once infinite it stays so, unless what comes is infinite the other way, or no number.
        stays = np.isinf(mean) & ~np.isnan(row) & ~(np.isinf(row) & (row != mean))
        mean = np.where(has & ~stays, moved, mean)
    return mean


def _least(values: Floats, there: Bools) -> Floats:
    return np.asarray(np.fmin.reduce(np.where(there, values, np.nan), axis=0))


def _most(values: Floats, there: Bools) -> Floats:
    return np.asarray(np.fmax.reduce(np.where(there, values, np.nan), axis=0))


def _count(_: Floats, there: Bools) -> Floats:
    counts: Floats = there.sum(axis=0).astype(np.float64)
    return counts


def _group(_: Floats, there: Bools) -> Floats:
    return np.ones(there.shape[1])


def _variance(values: Floats, there: Bools) -> Floats:
    mean, squares = np.zeros(values.shape[1]), np.zeros(values.shape[1])
    count = np.zeros(values.shape[1])
    for row, has in zip(values, there, strict=True):
        count = count + has
        begins = has & (count == 1)
        off = row - mean
        moved = mean + off / np.maximum(count, 1)
        squares = np.where(has & ~begins, squares + off * (row - moved), squares)
        mean = np.where(begins, row, np.where(has, moved, mean))
    return squares / np.maximum(count, 1)


def _deviation(values: Floats, there: Bools) -> Floats:
    deviation: Floats = np.sqrt(_variance(values, there))
    return deviation


_REDUCE: Mapping[str, Reduce] = {
    "avg": _average,
    "count": _count,
    "group": _group,
    "max": _most,
    "min": _least,
    "stddev": _deviation,
    "stdvar": _variance,
    "sum": _sum,
}
NAMES = frozenset(_REDUCE) | {"bottomk", "count_values", "quantile", "topk"}


def grouping(labels: Sequence[str], *, leave_out: bool) -> Callable[[Labels], Labels]:
    """Return what the labels of a group are."""
    if leave_out:
        return lambda one: without(one, (*labels, NAME))
    return lambda one: only(one, labels)


def reduced(name: str, vector: Vector, group: Callable[[Labels], Labels]) -> Vector:
    """Return one series for each group."""
    groups = _groups(vector, group)
    return _collected(
        vector, groups, lambda rows: _REDUCE[name](vector.values[rows], vector.there[rows])
    )


def quantile(wanted: Floats, vector: Vector, group: Callable[[Labels], Labels]) -> Vector:
    """Return the quantile of each group; `wanted` has a number for each step."""

    def of(rows: list[int]) -> Floats:
        values, there = vector.values[rows].T, vector.there[rows].T
        # Per step: NaN first, then ascending, then what is not there.
        order = np.lexsort((values, ~np.isnan(values), ~there), axis=1)
        ordered = np.take_along_axis(values, order, axis=1)
        starts = np.arange(len(wanted), dtype=np.int64) * len(rows)
        sizes = np.maximum(there.sum(axis=1, dtype=np.int64), 1)
        return quantiles(np.ascontiguousarray(ordered).reshape(-1), starts, sizes, wanted)

    return _collected(vector, _groups(vector, group), of)


def top(name: str, wanted: Floats, vector: Vector, group: Callable[[Labels], Labels]) -> Vector:
    """Return the largest (topk) or smallest (bottomk) series of each group, for each step."""
    if bool((~np.isfinite(wanted) | (np.abs(wanted) >= 2.0**63)).any()):
        raise QueryFailed(f"Scalar value {wanted[0]} overflows int64")
    there = np.zeros_like(vector.there)
    order: list[int] = []
    for rows in _groups(vector, group).values():
        chosen, ranks = ranked(
            vector.values[rows], vector.there[rows], wanted.astype(np.int64), largest=name == "topk"
        )
        there[rows] = chosen
        order += [rows[one] for one in ranks]
    return joined([vector.labels[row] for row in order], vector.values[order], there[order])


def grouping_values(
    label: str, labels: Sequence[str], *, leave_out: bool
) -> Callable[[Labels], Labels]:
    """Return what the labels of a group are where the value is a label, too. Raises QueryFailed."""
    labelling.require_label(label)
    return grouping(labels if leave_out else (*labels, label), leave_out=leave_out)


def count_values(
    label: str,
    vector: Vector,
    group: Callable[[Labels], Labels],
    check_cells: Callable[[int, int], None],
) -> Vector:
    """Return how many series of each group have each value, in a label. Raises QueryTooLarge."""
    steps = vector.values.shape[1]
    counts: dict[Labels, Floats] = {}
    for labels_of, values, there in zip(vector.labels, vector.values, vector.there, strict=True):
        written = np.array([numbers.plain(one) for one in values.tolist()])
        for text in dict.fromkeys(written[there].tolist()):
            same = written == text
            key = group(changed(labels_of, {label: text}))
            if key not in counts:
                check_cells(len(counts) + 1, steps)
                counts[key] = np.zeros(steps)
            counts[key] += there & same
    if not counts:
        return empty(steps)
    rows = np.array(list(counts.values()))
    return joined(tuple(counts), rows, rows > 0)


def _groups(vector: Vector, group: Callable[[Labels], Labels]) -> dict[Labels, list[int]]:
    found: dict[Labels, list[int]] = {}
    for row, labels in enumerate(vector.labels):
        found.setdefault(group(labels), []).append(row)
    return found


def _collected(
    vector: Vector, groups: Mapping[Labels, list[int]], of: Callable[[list[int]], Floats]
) -> Vector:
    if not groups:
        return empty(vector.values.shape[1])
    return joined(
        tuple(groups),
        np.array([of(rows) for rows in groups.values()]),
        np.array([vector.there[rows].any(axis=0) for rows in groups.values()]),
    )
