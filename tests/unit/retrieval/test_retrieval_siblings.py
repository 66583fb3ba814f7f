"""A sibling of the text that is missing comes first, and is not taken for it."""

import pytest

from sentienguard.model.decision import Route
from sentienguard.stages.decide.retrieval import (
    answer,
    calibration,
    fitted,
    lexicon,
    question,
    ranking,
    siblings,
)
from sentienguard.stages.decide.retrieval.shelf import Document, Shelf, Vectors
from sentienguard.stages.decide.settings import DecideSettings
from tests.support import match_library as library

MINILM = next(name for name in fitted.TABLES if name)
ROWS = (
    ("write-slow", "StoreWriteLatencyHigh", "store", "Writes of the store take too long."),
    ("read-slow", "StoreReadLatencyHigh", "store", "Reads of the store take too long."),
    ("compact", "StoreCompactionStuck", "store", "The compaction of the store makes no progress."),
    ("ring", "StoreRingMemberDown", "store", "A member of the ring of the store has gone."),
    ("cert", "CertificateExpiring", "nginx", "A certificate expires within days. Renew it."),
)
ASKED = (
    '[FIRING:1] StoreReadLatencyHigh | labels: service="store" | summary: '
    "Reads of the store take too long"
)


def shelf(*missing, model=library.HashedWords.model):
    documents = [Document(*row) for row in ROWS if row[0] not in missing]
    spoken = library.HashedWords().embed([text for one in documents for text in one.spoken])
    return Shelf(documents, Vectors(model, spoken[0::2], spoken[1::2]))


def found(held, text=ASKED, service=""):
    asked = question.read(text, service)
    vector = library.HashedWords().embed([asked.spoken])[0]
    return answer.find(held, asked, vector, DecideSettings())


def features(held, text=ASKED, service=""):
    asked = question.read(text, service)
    vector = library.HashedWords().embed([asked.spoken])[0]
    return siblings.features(held, ranking.ask(held, asked, vector))


def test_what_tells_a_text_from_its_sibling_changes_when_the_text_is_taken_out():
    whole, less = shelf(), shelf("read-slow")
    assert (found(whole).ranked[0].id, found(less).ranked[0].id) == ("read-slow", "write-slow")
    own, other = features(whole), features(less)
    assert own["ahead"] == 1.0
    assert own["title_pairs"] == 1.0 > other["title_pairs"]
    assert (own["name_differs"], other["name_differs"]) == (0.0, 1.0)
    assert (own["excluded"], other["excluded"]) == (0.0, 1.0)


def test_the_shipped_coefficients_hold_a_sibling_back_and_not_the_text_itself():
    own, other = (
        found(one).sure for one in (shelf(model=MINILM), shelf("read-slow", model=MINILM))
    )
    assert own.own > calibration.OWN_FROM > other.own
    assert not any("sibling" in cap for cap in own.caps)
    assert any(cap.startswith("may be the sibling of a missing one") for cap in other.caps)


@pytest.mark.parametrize(("own", "capped"), [(-20.0, True), (20.0, False)])
def test_however_sure_the_first_logistic_is_the_second_one_caps(monkeypatch, own, capped):
    model = library.HashedWords.model
    library.calibrate(monkeypatch, model, "")
    monkeypatch.setattr(fitted, "SIBLINGS", {model: {"constant": own}})
    held = found(shelf(), "the compaction is stuck and makes no progress", "store")
    assert held.sure.plain > 0.99
    assert held.route is (Route.ASK if capped else Route.RUN)
    assert any("sibling" in cap for cap in held.sure.caps) is capped


@pytest.mark.parametrize("table", ["TABLES", "SIBLINGS"])
def test_half_a_calibration_is_none(monkeypatch, table):
    model = library.HashedWords.model
    library.calibrate(monkeypatch, model, "")
    monkeypatch.setattr(fitted, table, {"": library.SURE})
    held = found(shelf(), "the compaction is stuck and makes no progress", "store")
    assert f"no calibration for {model}" in held.sure.caps
    assert held.route <= Route.ASK


def test_every_shipped_calibration_has_both_logistics_over_features_that_exist():
    assert set(fitted.SIBLINGS) == set(fitted.TABLES) - {""}
    known = {"constant", *found(shelf()).sure.features}
    for table in (*fitted.TABLES.values(), *fitted.SIBLINGS.values()):
        assert set(table) <= known


@pytest.mark.parametrize(
    ("asked", "title", "text", "excluded"),
    [
        ("the primary is slow", "replica slow", "", True),
        ("reads fail", "write failures", "", True),
        ("reads fail", "write failures", "writes and reads fail", False),
        ("reads and writes fail", "write failures", "", False),
        ("cpu high", "memory high", "", True),
        ("memory of a node is high", "memory high", "", False),
        ("it is gone", "write failures", "", False),
        ("", "", "", False),
    ],
)
def test_one_of_a_kind_excludes_another(asked, title, text, excluded):
    words = [frozenset(lexicon.sequence(one)) for one in (asked, title, f"{title} {text}")]
    assert lexicon.exclude(*words) is excluded


def test_the_same_remedy_told_twice_is_not_another():
    twice = (*ROWS, ("again", "StoreReadLatencyHigh", "store", "Told by another author."))
    held = Shelf([Document(*row) for row in twice])
    assert held.others(1).tolist() == [0, 2, 3, 4]


def test_a_library_of_one_remedy_has_no_others():
    held = shelf("write-slow", "compact", "ring", "cert")
    assert held.others(0).tolist() == []
    one = features(held)
    assert (one["ahead"], one["lead"]) == (1.0, 0.0)
