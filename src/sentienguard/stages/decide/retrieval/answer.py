"""One question to one answer: the ranking and how sure it is, or that nothing is for this."""

from collections.abc import Sequence
from dataclasses import dataclass

from sentienguard.model.decision import Route
from sentienguard.stages.decide.retrieval import calibration, ranking
from sentienguard.stages.decide.retrieval.calibration import Sure
from sentienguard.stages.decide.retrieval.question import Question
from sentienguard.stages.decide.retrieval.ranking import Ranked
from sentienguard.stages.decide.retrieval.shelf import Shelf
from sentienguard.stages.decide.settings import DecideSettings


@dataclass(frozen=True, slots=True)
class Answer:
    """What a library has for a question."""

    ranked: tuple[Ranked, ...]  # all documents, best first
    sure: Sure  # of the first one
    route: Route  # the most that this evidence would allow; ESCALATE: no document is for this


def find(
    shelf: Shelf,
    question: Question,
    vector: Sequence[float] | None,
    settings: DecideSettings,
) -> Answer:
    """Rank and judge; `vector` is the embedding of `question.spoken`, by the shelf's model."""
    asked = ranking.ask(shelf, question, vector)
    sure = calibration.judge(shelf, asked)
    return Answer(ranking.ranked(shelf, asked), sure, _band(sure.value, settings))


def _band(value: float, settings: DecideSettings) -> Route:
    bands = (
        (settings.run_from, Route.RUN),
        (settings.run_and_verify_from, Route.RUN_AND_VERIFY),
        (settings.ask_from, Route.ASK),
        (settings.dry_run_from, Route.DRY_RUN),
    )
    return next((route for bound, route in bands if value >= bound), Route.ESCALATE)
