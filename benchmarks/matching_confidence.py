"""How far the confidence holds: as shipped, and with whole services or whole authors left out.

Called by benchmarks.matching. Each alert is judged beside itself asked of a library without its
right texts (`matching_siblings`), where nothing may reach autonomy.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks import matching_fit, matching_plot, matching_siblings
from benchmarks.matching_cases import Array, Case, Kept, answered_right, ask
from benchmarks.matching_siblings import Judged
from sentienguard.stages.decide.retrieval import calibration, question
from sentienguard.stages.decide.retrieval.ranking import Asked
from sentienguard.stages.decide.retrieval.shelf import Shelf

# Whose alerts and texts have different authors; the others link their own.
_OTHER_AUTHORS = frozenset({
    "samber/awesome-prometheus-alerts", "grafana/jsonnet-libs",
    "log text emitted by the software, selected by annotator",
})  # fmt: skip


def confidence(
    cases: Sequence[Case],
    shelf: Shelf,
    asked: Sequence[Asked],
    model: Kept,
    options: Mapping[str, Any],
) -> dict[str, Any]:
    """Judge the confidence of each alert's answer, with the coefficients and plot asked for."""
    right = answered_right(cases, shelf, [one.order[0] for one in asked])
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
        lambda less, at: ask(less, model, cases[at]),
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
    reached = int((sure >= matching_fit.AUTONOMOUS).sum())
    return {
        "own_text_taken_out": len(sure),
        "autonomous_with_a_sibling": reached,
        "autonomous_with_a_sibling_percent": round(100 * reached / max(len(sure), 1), 1),
    }
