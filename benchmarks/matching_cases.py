"""The alerts of the benchmark of matching with their answers, asked, and how often they were found.

Called by benchmarks.matching and its other parts.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sentienguard.ports.embedder import Embedder, Vector
from sentienguard.stages.decide.retrieval import question, ranking
from sentienguard.stages.decide.retrieval.ranking import Asked
from sentienguard.stages.decide.retrieval.shelf import Shelf

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Case:
    """One alert with its answers."""

    text: str
    service: str
    gold: frozenset[str]
    kind: str
    source: str
    hidden: bool  # the alert's own name is not in its text


class Kept:
    """An embedder that remembers, between runs where it has a file."""

    def __init__(self, model: Embedder, path: Path | None) -> None:
        self.model = model.model
        self._model, self._path = model, path
        stored = path.read_text("utf-8") if path and path.exists() else "{}"
        self._known: dict[str, Vector] = {
            text: tuple(vector) for text, vector in json.loads(stored).items()
        }

    def embed(self, texts: Sequence[str]) -> list[Vector]:
        """Return one vector for each text."""
        for text in texts:
            if text not in self._known:
                self._known[text] = self._model.embed([text])[0]
        return [self._known[text] for text in texts]

    def keep(self) -> None:
        """Write what is known."""
        if self._path:
            self._path.write_text(json.dumps(self._known), "utf-8")


def read_cases(path: Path) -> list[Case]:
    """Read the alerts of a file of JSON lines."""
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]
    return [
        Case(
            row["text"],
            row.get("service") or "",
            frozenset(row["gold"]),
            row["kind"],
            row["source"],
            row.get("variant") != "am",
        )
        for row in rows
    ]


def ask(shelf: Shelf, model: Kept | None, case: Case) -> Asked:
    """Ask a library about one alert; by words alone where there is no model."""
    asked = question.read(case.text, case.service)
    return ranking.ask(shelf, asked, model.embed([asked.spoken])[0] if model else None)


def hits(cases: Sequence[Case], shelf: Shelf, orders: Sequence[Sequence[int]]) -> dict[str, Any]:
    """Return the share of answerable alerts, names hidden, whose answer is first, or among five."""
    ranks = []
    for case, order in zip(cases, orders, strict=True):
        if case.kind == "match" and case.hidden:
            names = [shelf.entries[at].document.id for at in order]
            ranks.append(next((at for at, name in enumerate(names) if name in case.gold), 10**6))
    return {
        "hit_at_1": round(sum(rank == 0 for rank in ranks) / len(ranks), 4),
        "hit_at_5": round(sum(rank < 5 for rank in ranks) / len(ranks), 4),  # noqa: PLR2004
    }


def answered_right(cases: Sequence[Case], shelf: Shelf, first: Sequence[int]) -> Array:
    """Return 1 for each alert whose first answer, a place in the library, is right, else 0."""
    names = [shelf.entries[at].document.id for at in first]
    return np.array(
        [
            case.kind == "match" and name in case.gold
            for case, name in zip(cases, names, strict=True)
        ],
        dtype=np.float64,
    )
