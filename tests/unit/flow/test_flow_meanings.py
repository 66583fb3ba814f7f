"""Deciding has its vectors from the centre, once, and goes on by words where there are none."""

from types import SimpleNamespace

import pytest

from sentienguard.flow.deciding import Deciding
from sentienguard.stages.decide.retrieval.shelf import Vectors
from tests.support import decide_cases as cases
from tests.support import match_library as hashed


class Meanings:
    """An embedder that may be away at first."""

    def __init__(self, away: int = 0) -> None:
        self.away, self.asked, self.questions = away, 0, []

    def library(self, documents):
        self.asked += 1
        if self.asked <= self.away:
            return None
        spoken = hashed.HashedWords().embed([text for one in documents for text in one.spoken])
        return Vectors("hashed-words", spoken[0::2], spoken[1::2])

    def question(self, text):
        self.questions.append(text)
        return hashed.HashedWords().embed([text])[0]


def deciding(meanings):
    centre = SimpleNamespace(
        library=SimpleNamespace(playbooks=lambda: cases.LIBRARY.playbooks),
        meanings=meanings,
        settings=SimpleNamespace(
            verified_runs_needed=5,
            service_budget_per_hour=3,
            fleet_budget_per_hour=20,
            adviser_may="shown",
        ),
    )
    return Deciding(centre, None)


def test_the_library_is_embedded_once():
    meanings = Meanings()
    made = deciding(meanings)
    assert made.prepare().shelf.model == "hashed-words"
    assert made.prepare() is made.prepare()
    assert meanings.asked == 1


def test_a_model_that_was_away_is_asked_again():
    made = deciding(Meanings(away=1))
    assert made.prepare().shelf.model == ""
    assert made._vector(cases.evidence("service.up", "web")) is None
    assert made.prepare().shelf.model == "hashed-words"
    assert made._vector(cases.evidence("service.up", "web")) is not None


@pytest.mark.parametrize("text", ["", "postgres pool exhausted", "rm -rf /"])
def test_the_model_is_never_asked_with_what_anybody_can_write(text):
    meanings = Meanings()
    made = deciding(meanings)
    made.prepare()
    made._vector(cases.evidence("service.up", "web", texts=[text]))
    [asked] = meanings.questions
    assert asked == "shop: service down stopped start"


def test_without_a_model_words_decide():
    made = deciding(None)
    assert made.prepare().shelf.model == ""
    assert made._vector(cases.evidence("service.up", "web")) is None
