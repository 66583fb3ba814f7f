"""Which series of two sides meet, and what the result is called."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from sentienguard.stages.observe.promql.faults import QueryFailed
from sentienguard.stages.observe.promql.tree import Group, Matching
from sentienguard.stages.observe.promql.values import (
    NAME,
    Bools,
    Floats,
    Ints,
    Labels,
    Vector,
    changed,
    get,
    joined,
    only,
    unnamed,
    without,
)

SetOperator: TypeAlias = Callable[[Vector, Vector, Matching], Vector]


@dataclass(frozen=True, slots=True)
class Pairs:
    """Series that meet: the row of the side that may have many, and of the side that has one."""

    many: Ints
    one: Ints
    sign: Ints  # number of the signature that both have


def signature(matching: Matching) -> Callable[[Labels], Labels]:
    """Return what of its labels decides whom a series meets."""
    if matching.on:
        return lambda labels: only(labels, matching.labels)
    return lambda labels: without(labels, (*matching.labels, NAME))


def pairs(
    many: Vector, one: Vector, matching: Matching, check_cells: Callable[[int, int], None]
) -> Pairs:
    """Return who meets. Raises QueryFailed where the side of one has several at a step."""
    sign = signature(matching)
    theirs: dict[Labels, list[int]] = {}
    for row, labels in enumerate(one.labels):
        theirs.setdefault(sign(labels), []).append(row)
    asked = many.there.any(axis=0) if len(many) else np.zeros(one.there.shape[1], np.bool_)
    for key, rows in theirs.items():
        if len(rows) > 1 and bool((one.there[rows].sum(axis=0)[asked] > 1).any()):
            side = "left" if matching.group is Group.RIGHT else "right"
            raise QueryFailed(
                f"found duplicate series for the match group {_shown(key)} on the {side} hand-side "
                f"of the operation: [{_shown(one.labels[rows[1]])}, {_shown(one.labels[rows[0]])}]"
                ";many-to-many matching not allowed: matching labels must be unique on one side"
            )
    signs = [sign(labels) for labels in many.labels]
    check_cells(sum(len(theirs.get(key, ())) for key in signs), one.there.shape[1])
    numbers: dict[Labels, int] = {}
    found = [
        (row, other, numbers.setdefault(key, len(numbers)))
        for row, key in enumerate(signs)
        for other in theirs.get(key, ())
    ]
    table = np.array(found, dtype=np.int64).reshape(-1, 3)
    return Pairs(table[:, 0], table[:, 1], table[:, 2])


def met(
    sides: tuple[Vector, Vector],
    found: Pairs,
    values: Floats,
    there: Bools,
    *,
    matching: Matching,
    drops_name: bool,
) -> Vector:
    """Name the results. Raises QueryFailed where two of one step would have one name."""
    many, one = sides
    labels = [
        _result(many.labels[row], one.labels[other], matching, drops_name=drops_name)
        for row, other in zip(found.many.tolist(), found.one.tolist(), strict=True)
    ]
    if matching.group is Group.NONE:
        _require_single(found.sign, there)
    else:
        _require_unique(labels, found.sign, there)
    return joined(labels, values, there)


def both(left: Vector, right: Vector, matching: Matching) -> Vector:
    """Return what is left and has a match right, at each step."""
    return joined(left.labels, left.values, left.there & _matched(left, right, matching))


def unless(left: Vector, right: Vector, matching: Matching) -> Vector:
    """Return what is left and has no match right, at each step."""
    return joined(left.labels, left.values, left.there & ~_matched(left, right, matching))


def either(left: Vector, right: Vector, matching: Matching) -> Vector:
    """Return what is left, and what is right and has no match left, at each step."""
    there = right.there & ~_matched(right, left, matching)
    return joined(
        (*left.labels, *right.labels),
        np.concatenate([left.values, right.values]),
        np.concatenate([left.there, there]),
    )


def _matched(of: Vector, by: Vector, matching: Matching) -> Bools:
    """Tell for each row and step of one side whether the other side has a match."""
    sign = signature(matching)
    present: dict[Labels, Bools] = {}
    for labels, there in zip(by.labels, by.there, strict=True):
        key = sign(labels)
        present[key] = present[key] | there if key in present else there
    nowhere = np.zeros(of.there.shape[1], np.bool_)
    rows = [present.get(sign(labels), nowhere) for labels in of.labels]
    return np.array(rows, dtype=np.bool_).reshape(of.there.shape)


def _result(many: Labels, one: Labels, matching: Matching, *, drops_name: bool) -> Labels:
    named = unnamed(many) if drops_name else many
    if matching.group is Group.NONE:
        if matching.on:
            return only(named, matching.labels)
        return without(named, matching.labels)
    if not matching.include:
        return named
    return changed(named, {name: get(one, name) for name in matching.include})


def _require_single(signs: Ints, there: Bools) -> None:
    if len(np.unique(signs)) == len(signs):
        return
    counts = np.zeros((int(signs.max()) + 1, there.shape[1]), np.int64)
    np.add.at(counts, signs, there)
    if bool((counts > 1).any()):
        raise QueryFailed(
            "multiple matches for labels: many-to-one matching must be explicit "
            "(group_left/group_right)"
        )


def _require_unique(labels: list[Labels], signs: Ints, there: Bools) -> None:
    names = [(sign, one) for sign, one in zip(signs.tolist(), labels, strict=True)]
    if len(set(names)) == len(names):
        return
    numbers: dict[tuple[int, Labels], int] = {}
    rows = np.array([numbers.setdefault(one, len(numbers)) for one in names])
    counts = np.zeros((len(numbers), there.shape[1]), np.int64)
    np.add.at(counts, rows, there)
    if bool((counts > 1).any()):
        raise QueryFailed("multiple matches for labels: grouping labels must ensure unique matches")


def _shown(labels: Labels) -> str:
    return "{" + ", ".join(f'{name}="{value}"' for name, value in labels) + "}"
