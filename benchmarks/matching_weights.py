"""What the ranking is worth with weights that never saw the service, or the author, it is asked of.

Called by benchmarks.matching. The shipped weights were chosen by hand on all alerts; here every
weight starts at one and is fitted on the other folds alone: a softmax over the first `_FIRST`
documents of an alert, with a ridge towards equal weights. Tables of words stay as they are.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from sentienguard.stages.decide.retrieval import ranking
from sentienguard.stages.decide.retrieval.ranking import Asked

_FIRST = 20  # documents of an alert that are weighed against each other
_RIDGE = 5.0
_START = 0.5  # of every weight; the scale of a softmax, the order does not know it
_STEPS = 40  # of an algorithm that only goes up; it stands still in under thirty
Array = npt.NDArray[np.float64]


def held_out(
    asked: Sequence[Asked], gold: Sequence[Sequence[int]], groups: Sequence[str]
) -> list[list[int]]:
    """Return each alert's order of documents, by weights that never saw its group.

    `gold` holds the positions of the right documents, at least one for each alert.
    """
    names = sorted(asked[0].parts)
    plain = [_plain(one, names) for one in asked]
    orders: list[list[int]] = [[] for _ in asked]
    for group in sorted(set(groups)):
        rest = [at for at, one in enumerate(groups) if one != group]
        weights = _fit([plain[at] for at in rest], [gold[at] for at in rest], len(names))
        for at, one in enumerate(groups):
            if one == group:
                orders[at] = np.argsort(-np.round(plain[at] @ weights, 4), kind="stable").tolist()
    return orders


def _plain(asked: Asked, names: Sequence[str]) -> Array:
    """Return a row for each document, a column for each part, as if every weight were one."""
    return np.stack([asked.parts[name] / ranking.WEIGHTS[name] for name in names], axis=1)


def _fit(rows: Sequence[Array], gold: Sequence[Sequence[int]], width: int) -> Array:
    equal = np.full(width, _START)
    found: list[Array] = []
    right = np.zeros((len(rows), _FIRST), dtype=bool)
    for number, (row, places) in enumerate(zip(rows, gold, strict=True)):
        first = np.argsort(-(row @ equal), kind="stable").tolist()
        best = min(places, key=first.index)
        kept = [*[at for at in first if at != best][: _FIRST - 1], best]
        found.append(row[kept])
        right[number] = [at in places for at in kept]
    values = np.array(found)
    weights = equal.copy()
    for _ in range(_STEPS):
        chance = _softmax(values @ weights)
        wanted = np.where(right, chance, 0)
        wanted /= wanted.sum(axis=1, keepdims=True)
        slope = np.einsum("nkf,nk->f", values, wanted - chance) - _RIDGE * (weights - equal)
        mean = np.einsum("nkf,nk->nf", values, chance)
        bend = np.einsum("nkf,nk,nkg->fg", values, chance, values) - mean.T @ mean
        weights += np.linalg.solve(bend + _RIDGE * np.eye(width), slope)
    return weights


def _softmax(scores: Array) -> Array:
    raised = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))
