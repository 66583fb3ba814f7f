"""Functions of an instant vector or a scalar that take one number and give one.

What else an instant vector can be given to (`scalar`, `absent`, `sort`, labels, histograms) is
evaluated where vectors are.
"""

from collections.abc import Callable, Mapping

import numpy as np

from sentienguard.stages.observe.promql import calendar
from sentienguard.stages.observe.promql.values import Floats

_SINGLE: Mapping[str, Callable[[Floats], Floats]] = {
    "abs": np.abs,
    "acos": np.arccos,
    "acosh": np.arccosh,
    "asin": np.arcsin,
    "asinh": np.arcsinh,
    "atan": np.arctan,
    "atanh": np.arctanh,
    "ceil": np.ceil,
    "cos": np.cos,
    "cosh": np.cosh,
    "deg": lambda values: values * 180 / np.pi,
    "exp": np.exp,
    "floor": np.floor,
    "ln": np.log,
    "log10": np.log10,
    "log2": np.log2,
    "rad": lambda values: values * np.pi / 180,
    "sgn": lambda values: np.where(values < 0, -1.0, np.where(values > 0, 1.0, values)),
    "sin": np.sin,
    "sinh": np.sinh,
    "sqrt": np.sqrt,
    "tan": np.tan,
    "tanh": np.tanh,
}
FUNCTIONS: Mapping[str, Callable[[Floats], Floats]] = {**_SINGLE, **calendar.FUNCTIONS}


def larger(left: Floats, right: Floats) -> Floats:
    """Return the larger of two, as Go's math.Max: infinity wins over NaN."""
    return np.where((left == np.inf) | (right == np.inf), np.inf, np.maximum(left, right))


def smaller(left: Floats, right: Floats) -> Floats:
    """Return the smaller of two, as Go's math.Min."""
    return np.where((left == -np.inf) | (right == -np.inf), -np.inf, np.minimum(left, right))


def rounded(values: Floats, to: Floats) -> Floats:
    """Return the nearest multiple of `to`, halves up."""
    inverse = 1.0 / to
    nearest: Floats = np.floor(values * inverse + 0.5) / inverse
    return nearest


def clamped(values: Floats, least: Floats, most: Floats) -> Floats:
    """Return values moved to between two bounds."""
    return larger(least, smaller(most, values))


# All functions that are no functions of a range.
NAMES = frozenset(FUNCTIONS) | {
    "absent",
    "clamp",
    "clamp_max",
    "clamp_min",
    "histogram_quantile",
    "label_join",
    "label_replace",
    "pi",
    "round",
    "scalar",
    "sort",
    "sort_desc",
    "time",
    "timestamp",
    "vector",
}
