"""Operators between scalars and vectors; between two vectors, `matching` says who meets."""

from collections.abc import Callable, Mapping

import numpy as np

from sentienguard.stages.observe.promql import matching
from sentienguard.stages.observe.promql.faults import QueryFailed
from sentienguard.stages.observe.promql.tree import Binary, Group
from sentienguard.stages.observe.promql.values import (
    Bools,
    Floats,
    Scalar,
    Value,
    Vector,
    joined,
    relabelled,
    unnamed,
)

_ARITHMETIC: Mapping[str, Callable[[Floats, Floats], Floats]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
    "%": np.fmod,
    "^": np.power,
    "atan2": np.arctan2,
}
_COMPARISON: Mapping[str, Callable[[Floats, Floats], Bools]] = {
    "==": np.equal,
    "!=": np.not_equal,
    ">": np.greater,
    "<": np.less,
    ">=": np.greater_equal,
    "<=": np.less_equal,
}
_SETS: Mapping[str, matching.SetOperator] = {
    "and": matching.both,
    "or": matching.either,
    "unless": matching.unless,
}
_KEEPS_NAME = frozenset({"atan2"})  # in Prometheus 2.42, unlike all other arithmetic


def applied(
    node: Binary, left: Value, right: Value, check_cells: Callable[[int, int], None]
) -> Value:
    """Return the value of an operator. Raises QueryFailed where series meet that must not."""
    match left, right:
        case Scalar(), Scalar():
            return Scalar(_numbers(node.operator, left.values, right.values))
        case Vector(), Scalar():
            return _with_scalar(node, left, right, swapped=False)
        case Scalar(), Vector():
            return _with_scalar(node, right, left, swapped=True)
        case Vector(), Vector():
            if node.operator in _SETS:
                return _SETS[node.operator](left, right, node.matching)
            return _of_vectors(node, left, right, check_cells)
        case _:
            raise QueryFailed("binary expression must contain only scalar and instant vector types")


def _numbers(operator: str, left: Floats, right: Floats) -> Floats:
    if operator in _ARITHMETIC:
        return _ARITHMETIC[operator](left, right)
    return _COMPARISON[operator](left, right).astype(np.float64)


def _with_scalar(node: Binary, vector: Vector, scalar: Scalar, *, swapped: bool) -> Vector:
    other = np.broadcast_to(scalar.values, vector.values.shape)
    left, right = (other, vector.values) if swapped else (vector.values, other)
    if node.operator in _ARITHMETIC:
        result = Vector(vector.labels, _ARITHMETIC[node.operator](left, right), vector.there)
        return result if node.operator in _KEEPS_NAME else relabelled(result, unnamed)
    holds = _COMPARISON[node.operator](left, right)
    if node.as_bool:
        return relabelled(Vector(vector.labels, holds.astype(np.float64), vector.there), unnamed)
    return joined(vector.labels, vector.values, vector.there & holds)


def _of_vectors(
    node: Binary, left: Vector, right: Vector, check_cells: Callable[[int, int], None]
) -> Vector:
    # From here on the left side is the one that may have many.
    swapped = node.matching.group is Group.RIGHT
    many, one = (right, left) if swapped else (left, right)
    pairs = matching.pairs(many, one, node.matching, check_cells)
    ours, theirs = many.values[pairs.many], one.values[pairs.one]
    lefts, rights = (theirs, ours) if swapped else (ours, theirs)
    there = many.there[pairs.many] & one.there[pairs.one]
    if node.operator in _ARITHMETIC:
        values = _ARITHMETIC[node.operator](lefts, rights)
    else:
        holds = _COMPARISON[node.operator](lefts, rights)
        values = holds.astype(np.float64) if node.as_bool else lefts
        there = there if node.as_bool else there & holds
    drops_name = node.as_bool or (node.operator in _ARITHMETIC and node.operator not in _KEEPS_NAME)
    return matching.met(
        (many, one), pairs, values, there, matching=node.matching, drops_name=drops_name
    )
