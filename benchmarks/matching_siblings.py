"""What an alert finds whose own text was taken out: a sibling, which must not be acted on.

Called by benchmarks.matching_confidence. Every answerable alert is asked again of a library without
its right texts, so that whatever comes first is wrong: as many honest cases of *no match* near the
boundary as there are answers. They fit the second logistic of `retrieval.calibration` (rule 4
there), and take no part in the first, whose probabilities stay those of the alerts as they are.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from benchmarks import matching_fit
from sentienguard.stages.decide.retrieval import calibration
from sentienguard.stages.decide.retrieval.ranking import Asked
from sentienguard.stages.decide.retrieval.shelf import Shelf, Vectors

FEATURES = (
    "ahead", "lead", "title_pairs", "name_differs", "symptom_differs", "excluded", "told",
)  # fmt: skip
_SHARED = "told"  # with the first logistic; the others are not its
_RIDGE = 10.0
_NEAR = 0.6  # probability from which a case is near enough to the boundary to be learned from
Array = npt.NDArray[np.float64]
Row = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Judged:
    """Cases as the calibration sees them, one of each list for each."""

    rows: Sequence[Row]
    right: Array  # 1: the first is right
    capped: npt.NDArray[np.bool_]  # by rules 2 and 3 of `calibration`
    group: Sequence[str]  # what is left out together

    def only(self, chosen: npt.NDArray[np.bool_]) -> "Judged":
        """Return the chosen ones."""
        places = np.flatnonzero(chosen).tolist()
        return Judged(
            [self.rows[at] for at in places], self.right[chosen], self.capped[chosen],
            [self.group[at] for at in places],
        )  # fmt: skip


def taken_out(
    shelf: Shelf,
    gold: Sequence[frozenset[str]],
    vectors: tuple[Array, Array],
    ask: Callable[[Shelf, int], Asked],
) -> tuple[list[Row], npt.NDArray[np.bool_], Array]:
    """Return features, caps and shipped probability of each alert without its right texts.

    `vectors` are those of the shelf, of length 1; `ask(shelf, at)` asks alert `at` of a library.
    """
    rows: list[Row] = [{} for _ in gold]
    capped, sure = np.zeros(len(gold), dtype=bool), np.zeros(len(gold))
    for held in sorted(set(gold), key=sorted):
        left = [at for at, one in enumerate(shelf.entries) if one.document.id not in held]
        titles, texts = (one[left] for one in vectors)
        less = Shelf(
            [shelf.entries[at].document for at in left], Vectors(shelf.model, titles, texts)
        )
        for at in [at for at, one in enumerate(gold) if one == held]:
            asked = ask(less, at)
            found = calibration.judge(less, asked)
            rows[at], sure[at] = found.features, found.value
            capped[at] = bool(calibration.plain_caps(less, asked))
    return rows, capped, sure


def fit(plain: Judged, without: Judged) -> tuple[dict[str, float], dict[str, float]]:
    """Return the coefficients of both logistics: right or not, and its own or a sibling."""
    own = set(FEATURES) - {_SHARED}
    first = [{name: row[name] for name in row if name not in own} for row in plain.rows]
    table = matching_fit.fit(first, plain.right)
    rows = [*plain.rows, *without.rows]
    near = matching_fit.predict(table, rows) >= _NEAR
    near &= ~np.concatenate([plain.capped, without.capped])
    right = np.concatenate([plain.right, np.zeros(len(without.rows))])
    chosen = [{name: rows[at][name] for name in FEATURES} for at in np.flatnonzero(near).tolist()]
    return table, matching_fit.fit(chosen, right[near], _RIDGE)


def held_out(plain: Judged, without: Judged) -> tuple[Array, Array]:
    """Return the probabilities of both, after all caps, by tables that never saw their group."""
    sure, beside = np.zeros(len(plain.rows)), np.zeros(len(without.rows))
    for group in sorted({*plain.group, *without.group}):
        away = [np.array([one == group for one in each.group]) for each in (plain, without)]
        tables = fit(plain.only(~away[0]), without.only(~away[1]))
        for each, out, found in zip((plain, without), away, (sure, beside), strict=True):
            found[out] = _judge(tables, each.only(out))
    return sure, beside


def _judge(tables: tuple[Row, Row], each: Judged) -> Array:
    plain, own = (matching_fit.predict(table, each.rows) for table in tables)
    held = each.capped | (own < calibration.OWN_FROM)
    return np.where(held, np.minimum(plain, calibration.CAP), plain)
