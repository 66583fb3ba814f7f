"""Likeness ranks what matches, makes no match, and is not autonomous unless it is calibrated."""

import pytest

from sentienguard.model.decision import Route
from sentienguard.model.playbook import Slots
from sentienguard.stages.decide import matching, meaning
from sentienguard.stages.decide.decide import decide
from sentienguard.stages.decide.matching import Library
from sentienguard.stages.decide.retrieval.shelf import Vectors
from sentienguard.stages.decide.settings import DecideSettings
from tests.support import decide_cases as cases
from tests.support import match_library as hashed

POOL = "app.connection_pool.utilization"


def equipped(playbooks=cases.LIBRARY.playbooks, model=hashed.HashedWords.model):
    documents = Library(playbooks).documents
    spoken = hashed.HashedWords().embed([text for one in documents for text in one.spoken])
    return Library(playbooks, Vectors(model, spoken[0::2], spoken[1::2]))


def made(metric, library, *, vectors=True, service="shop"):
    known = cases.evidence(metric, tags={"service": service})
    vector = hashed.HashedWords().embed([meaning.spoken(known)])[0] if vectors else None
    return decide(known, library, lambda _: cases.TRUSTED, cases.CLEAR, DecideSettings(),
                  vector=vector)  # fmt: skip


def capped(decision):
    return [item.because for item in decision.candidates[0].items
            if item.name == matching.AUTONOMY_CAP]  # fmt: skip


@pytest.mark.parametrize("vectors", [True, False])
def test_a_declared_metric_needs_no_likeness(vectors):
    library = equipped() if vectors else cases.LIBRARY
    decision = made("service.up", library, vectors=vectors)
    assert decision.playbook == "service_start_stopped"
    assert not capped(decision)
    assert decision.confidence.value > 0.90


def test_an_undeclared_metric_by_words_alone_stays_below_autonomy():
    decision = made(POOL, cases.LIBRARY, vectors=False, service="postgresql")
    assert decision.playbook == "postgres_connection_pool_reset"
    assert capped(decision) == [f"not declared for {POOL}, and compared by words alone"]
    assert decision.confidence.value <= 0.89
    assert decision.route <= Route.ASK
    assert decision.confidence.items[-1].name == "at_most"
    assert decision.embedding_model == ""


@pytest.mark.parametrize(
    ("models", "autonomous"), [(("",), False), ((hashed.HashedWords.model, ""), True)]
)
def test_an_undeclared_metric_is_autonomous_only_with_a_calibration_of_its_model(
    monkeypatch, models, autonomous
):
    hashed.calibrate(monkeypatch, *models)
    decision = made(POOL, equipped(), service="postgresql")
    assert decision.playbook == "postgres_connection_pool_reset"
    assert (decision.confidence.value >= 0.90) is autonomous
    assert (not capped(decision)) is autonomous
    assert decision.embedding_model == "hashed-words"


def test_a_relative_is_shown_and_never_autonomous(monkeypatch):
    hashed.calibrate(monkeypatch, hashed.HashedWords.model, "")
    decision = made(POOL, equipped(), service="cockroachdb")
    assert decision.candidates[0].playbook == "postgres_connection_pool_reset"
    assert decision.route <= Route.ASK
    assert decision.confidence is None or decision.confidence.value <= 0.89
    assert capped(decision) == ["postgresql is a relative of what this is about"]


def test_another_system_stays_a_near_miss_however_alike():
    decision = made(POOL, equipped(), service="mongodb")
    assert decision.playbook is None
    assert decision.route is Route.ESCALATE


def test_likeness_makes_no_match():
    pool = cases.playbook(
        "unlike", "Words of something else entirely.", Slots("any", "any", "leak")
    )
    other = cases.playbook("other", "Nothing of it either.", Slots("mysql", "disk", "full"))
    query = meaning.of_evidence(cases.evidence(POOL))
    library = equipped([pool, other])
    own = hashed.HashedWords().embed([library.documents[1].spoken[1]])[0]  # a cosine of 1
    [plain, alike] = [library.rank(query, vector)[0] for vector in (None, own)]
    assert plain.playbook == alike.playbook == "unlike"
    assert 0.5 < plain.score < matching.MATCH_FROM
    assert alike.score == plain.score


def test_the_score_is_still_the_sum_of_its_items_and_names_the_cosine():
    decision = made("system.disk_usage_percent", equipped())
    for one in decision.candidates:
        assert sum(item.value for item in one.items) == pytest.approx(one.score, abs=1e-5)
    assert any(item.name == "meaning" and "cosine" in item.because
               for one in decision.candidates for item in one.items)  # fmt: skip


def test_the_decision_names_the_index_it_was_made_with():
    known = made("service.up", equipped())
    assert known.library_index == equipped().shelf.index
    assert known.library_index != made("service.up", cases.LIBRARY, vectors=False).library_index


def test_what_anybody_can_write_is_not_embedded():
    plain = cases.evidence("system.disk_usage_percent", "/var")
    said = cases.evidence("system.disk_usage_percent", "/var", texts=["postgres pool exhausted"])
    assert meaning.spoken(plain) == meaning.spoken(said)
