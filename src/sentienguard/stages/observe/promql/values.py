"""Scalars and vectors over all steps at once; labels."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from sentienguard.stages.observe.promql.faults import QueryFailed

Labels: TypeAlias = tuple[tuple[str, str], ...]  # pairs of name and value, sorted, none empty
Floats: TypeAlias = NDArray[np.float64]
Bools: TypeAlias = NDArray[np.bool_]
Ints: TypeAlias = NDArray[np.int64]
NAME = "__name__"


@dataclass(frozen=True, slots=True)
class Scalar:
    """One number for each step."""

    values: Floats  # (steps,)


@dataclass(frozen=True, slots=True)
class Word:
    """A string."""

    text: str


@dataclass(frozen=True, slots=True)
class Vector:
    """Series with a value, or none, for each step.

    NaN is a value like any other; whether there is one says `there`.
    """

    labels: tuple[Labels, ...]
    values: Floats  # (series, steps); without meaning where `there` is False
    there: Bools  # (series, steps)

    def __len__(self) -> int:
        """Count the series."""
        return len(self.labels)


Value: TypeAlias = Scalar | Word | Vector


def empty(steps: int) -> Vector:
    """Return a vector without series."""
    return Vector((), np.zeros((0, steps)), np.zeros((0, steps), np.bool_))


def without(labels: Labels, names: Iterable[str]) -> Labels:
    """Return labels but some."""
    gone = frozenset(names)
    return tuple(pair for pair in labels if pair[0] not in gone)


def only(labels: Labels, names: Iterable[str]) -> Labels:
    """Return some of the labels."""
    kept = frozenset(names)
    return tuple(pair for pair in labels if pair[0] in kept)


def unnamed(labels: Labels) -> Labels:
    """Return labels without the name of the metric."""
    return tuple(pair for pair in labels if pair[0] != NAME)


def changed(labels: Labels, changes: Mapping[str, str]) -> Labels:
    """Return labels with some set, or taken away where the value is empty."""
    kept = dict(labels) | dict(changes)
    return tuple(sorted((name, value) for name, value in kept.items() if value))


def get(labels: Labels, name: str) -> str:
    """Return the value of a label; empty where there is none."""
    return next((value for known, value in labels if known == name), "")


def relabelled(vector: Vector, change: Callable[[Labels], Labels]) -> Vector:
    """Return a vector with other labels. Raises QueryFailed where two series become one."""
    return joined([change(one) for one in vector.labels], vector.values, vector.there)


def joined(
    labels: Sequence[Labels], values: Floats, there: Bools, *, whole: bool = False
) -> Vector:
    """Return a vector of rows; rows of the same labels become one.

    Raises QueryFailed where two of them have a value at one step, or, if `whole`, at any two.
    """
    alive = np.asarray(there.any(axis=1), np.bool_)
    if not alive.all():
        labels = [one for one, lives in zip(labels, alive, strict=True) if lives]
        values, there = values[alive], there[alive]
    if len(set(labels)) == len(labels):
        return Vector(tuple(labels), values, there)
    places: dict[Labels, int] = {}
    rows = np.array([places.setdefault(one, len(places)) for one in labels])
    counts = np.zeros((len(places), there.shape[1]), np.int64)
    np.add.at(counts, rows, there)
    if whole or bool((counts > 1).any()):
        raise QueryFailed("vector cannot contain metrics with the same labelset")
    together = np.zeros(counts.shape)
    for row, place in enumerate(rows.tolist()):
        together[place][there[row]] = values[row][there[row]]
    return Vector(tuple(places), together, counts > 0)
