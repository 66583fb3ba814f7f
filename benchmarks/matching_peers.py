"""What others would have found: BM25 alone, MiniLM alone, and both, summed.

Called by benchmarks.matching, on the same alerts and texts and with the same vectors.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.matching_cases import Array, Case, Kept, answered_right, hits
from sentienguard.stages.decide.retrieval import lexicon
from sentienguard.stages.decide.retrieval.shelf import Shelf, exact


def peers(cases: Sequence[Case], shelf: Shelf, model: Kept) -> dict[str, Any]:
    """Return BM25 alone, MiniLM alone on the raw text, their z-scores' sum, and raw routing."""
    texts = exact(model.embed([entry.document.spoken[1] for entry in shelf.entries]))
    asked = exact(model.embed([case.text for case in cases]))
    cosines = asked @ texts.T / (np.linalg.norm(asked, axis=1)[:, None] * 1e4)
    words = np.array(
        [shelf.bm25(dict.fromkeys(lexicon.sequence(case.text), 1.0)) for case in cases]
    )
    both = _z(words) + _z(cosines)
    rows: dict[str, Any] = {
        name: hits(cases, shelf, np.argsort(-scores, axis=1, kind="stable").tolist())
        for name, scores in (
            ("bm25_alone", words),
            ("minilm_cosine_alone", cosines),
            ("z_score_sum_of_both", both),
        )
    }
    best = cosines.argmax(axis=1)
    right = answered_right(cases, shelf, best.tolist())
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
