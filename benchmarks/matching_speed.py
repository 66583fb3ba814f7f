"""How long one alert takes to its ranked, judged answer, and one decision, on one thread.

Called by benchmarks.matching. Times are in milliseconds, embedding included.
"""

import gc
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks import decision
from benchmarks.matching_cases import Case
from sentienguard.ports.embedder import Embedder
from sentienguard.stages.decide import meaning
from sentienguard.stages.decide.decide import decide
from sentienguard.stages.decide.matching import Library as DecidingLibrary
from sentienguard.stages.decide.retrieval import answer, question
from sentienguard.stages.decide.retrieval.shelf import Document, Shelf, Vectors
from sentienguard.stages.decide.settings import DecideSettings

_LIBRARY = 500  # texts of the library that speed is measured with
_QUESTIONS = 200
_WARM = 20  # rounds that fill caches and are left out


def speed(documents: Sequence[Document], cases: Sequence[Case], model: Embedder) -> dict[str, Any]:
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
