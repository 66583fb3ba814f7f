"""Fit and judge the calibration of matching: a ridge logistic, folds by service and by author.

Called by benchmarks.matching and its parts. A fold is a whole service or a whole source: alerts of
one service share words and playbooks, so a random split would measure memory.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

RIDGE = 20.0  # of standardised features; of 20, 25 and 30 the one that met all aims held out
_STEPS = 60  # Newton's; it converges in under ten
AUTONOMOUS = 0.90  # the confidence from which nobody is asked
_BINS = 10
Array = npt.NDArray[np.float64]


def fit(
    rows: Sequence[Mapping[str, float]], right: Array, ridge_of: float = RIDGE
) -> dict[str, float]:
    """Return coefficients for features as they are, and the constant."""
    names = sorted(rows[0])
    values = np.array([[row[name] for name in names] for row in rows])
    mean, spread = values.mean(axis=0), values.std(axis=0) + 1e-9
    design = np.c_[(values - mean) / spread, np.ones(len(values))]
    ridge = np.diag([*[ridge_of] * len(names), 1e-6])
    weights = np.zeros(design.shape[1])
    for _ in range(_STEPS):
        found = 1 / (1 + np.exp(-design @ weights))
        slope = design.T @ (found - right) + ridge @ weights
        bend = (design * (found * (1 - found))[:, None]).T @ design + ridge
        weights -= np.linalg.solve(bend, slope)
    plain = weights[:-1] / np.where(spread > 1e-6, spread, np.inf)  # noqa: PLR2004 - a constant
    constant = float(weights[-1] - plain @ mean)
    table = {name: round(float(value), 4) for name, value in zip(names, plain, strict=True)}
    return {"constant": round(constant, 4), **table}


def predict(table: Mapping[str, float], rows: Sequence[Mapping[str, float]]) -> Array:
    """Return the probabilities of a fitted table, before any cap."""
    names = [name for name in table if name != "constant"]
    logits = [table["constant"] + sum(table[name] * row[name] for name in names) for row in rows]
    return np.asarray(1 / (1 + np.exp(-np.array(logits))))


def judged(sure: Array, right: Array, kinds: Sequence[str]) -> dict[str, Any]:
    """Return routing, calibration and the separation of what has no answer."""
    kind = np.array(kinds)
    answerable, none = kind == "match", np.char.startswith(kind, "nomatch")
    routed = sure >= AUTONOMOUS
    wrong = routed & (right == 0)
    return {
        "autonomous": int(routed.sum()),
        "wrong": int(wrong.sum()),
        "wrong_percent": round(100 * float(wrong.sum()) / max(int(routed.sum()), 1), 2),
        "answerable_autonomous_percent": round(
            100 * float((routed & (right == 1)).sum()) / max(int(answerable.sum()), 1), 1
        ),
        "wrong_kinds": ", ".join(sorted(kind[wrong])) or "none",
        "nomatch_auc": round(auc(sure[answerable], sure[none]), 4),
        "ece": round(error(sure, right), 4),
    }


def auc(high: Array, low: Array) -> float:
    """Return how often one of `high` is above one of `low`; ties count half."""
    if not len(high) or not len(low):
        return float("nan")
    above = (high[:, None] > low[None, :]).sum() + 0.5 * (high[:, None] == low[None, :]).sum()
    return float(above / (len(high) * len(low)))


def error(sure: Array, right: Array) -> float:
    """Return the expected calibration error over ten bins."""
    return sum(
        row["count"] / len(sure) * abs(row["said"] - row["was_right"])
        for row in reliability(sure, right)
    )


def reliability(sure: Array, right: Array) -> list[dict[str, float]]:
    """Return for each tenth: how many, the mean probability, and the share that was right."""
    tenth = np.minimum((sure * _BINS).astype(int), _BINS - 1)
    return [
        {
            "from": number / _BINS,
            "count": int((tenth == number).sum()),
            "said": round(float(sure[tenth == number].mean()), 4),
            "was_right": round(float(right[tenth == number].mean()), 4),
        }
        for number in range(_BINS)
        if (tenth == number).any()
    ]
