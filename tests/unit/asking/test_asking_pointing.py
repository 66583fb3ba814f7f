"""A model points at sentences of the record: what it chooses from, how its answer is read."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentienguard.controlplane import pointing_desk
from sentienguard.flow.advice_budget import Limits
from sentienguard.flow.asking import kinds, pointing
from sentienguard.ports import adviser
from tests.support import replay_centre
from tests.support.pretend_adviser import Model, says
from tests.unit.asking.test_asking import FACTS, HOSTILE

CHOICE = pointing.offered(FACTS)
TEXTS = [one.text for one in CHOICE]
WRONG = [
    "", "3", "[1]", '{"sentences": "1"}', '{"sentences": [0]}', '{"sentences": [1, 1]}',
    '{"sentences": [true]}', '{"sentences": [1.0]}', f'{{"sentences": [{len(CHOICE) + 1}]}}',
    '{"sentences": [1], "also": "run rm -rf /"}', json.dumps({"sentences": [*range(1, 10)]}),
    '{"sentences": [1]} and more', " " * 5000,
]  # fmt: skip


def pointed(*numbers: int) -> adviser.Reply:
    return says(json.dumps({"sentences": numbers}))


def test_every_sentence_that_is_offered_names_its_entries_and_stands_once():
    assert all(one.entries for one in CHOICE)
    assert len(set(TEXTS)) == len(TEXTS) > 15
    assert any("carl announced maintenance" in one for one in TEXTS)


def test_the_question_is_the_same_for_the_same_record_and_foreign_text_ends_no_string():
    asked = pointing.question('"}\n' + HOSTILE, CHOICE)
    assert asked == pointing.question('"}\n' + HOSTILE, pointing.offered(FACTS))
    document = json.loads(asked.prompt)
    assert set(document) == {"question", "sentences"}
    assert len(document["sentences"]) == len(CHOICE)
    assert HOSTILE not in asked.instructions
    assert asked.tools == ()
    long = pointing.question("x" * 5000, CHOICE)
    assert len(json.loads(long.prompt)["question"]) == kinds.LONGEST


def test_what_is_shown_are_the_record_s_own_sentences_in_the_order_that_was_named():
    found = pointing.reply(pointing.chosen(pointed(5, 2), CHOICE), "m", FACTS)
    assert found.sentences == (CHOICE[4], CHOICE[1])
    assert found.understood
    assert found.pointed_by == "m"


def test_nothing_in_the_record_is_an_answer_that_says_so():
    found = pointing.reply(pointing.chosen(pointed(), CHOICE), "m", FACTS)
    assert "does not say" in found.sentences[0].text
    assert not found.understood
    assert found.known


@pytest.mark.parametrize("text", WRONG)
def test_anything_else_points_at_nothing(text):
    with pytest.raises(pointing.PointerWrong):
        pointing.chosen(says(text), CHOICE)


@pytest.mark.parametrize(
    "changed", [{"refusal": "no"}, {"is_whole": False}, {"calls": (adviser.Call("1", "t", "{}"),)}]
)
def test_half_an_answer_is_none(changed):
    with pytest.raises(pointing.PointerWrong):
        pointing.chosen(replace(pointed(1), **changed), CHOICE)


@given(st.text(max_size=300))
def test_no_text_of_a_model_is_ever_shown(text):
    try:
        found = pointing.chosen(says(text), CHOICE)
    except pointing.PointerWrong:
        return
    assert set(found) <= set(CHOICE)


@pytest.fixture
def centre(tmp_path):
    with replay_centre.opened(tmp_path, replay_centre.Facts()) as made:
        yield made


def desk(centre, *plan):
    model = Model(list(plan))
    return pointing_desk.PointingDesk(model, model.clock, centre.audit, Limits()), model


def recorded(centre):
    found = [one.fields for one in centre.log.by_incident(FACTS.incident.id)]
    return [one for one in found if one["kind"] == pointing_desk.KIND]


def test_who_asked_and_what_crossed_is_recorded(centre):
    asking, _ = desk(centre, pointed(2))
    found = asking.point("who touched it?", FACTS, "rita@local")
    assert found is not None
    assert found.sentences == (CHOICE[1],)
    (entry,) = recorded(centre)
    assert entry["actor"] == "rita@local"
    assert entry["data"]["entries"] == sorted(CHOICE[1].entries)
    assert b"heard" in centre.log.get_blob(entry["blobs"][0]["sha256"])


@pytest.mark.parametrize(
    "act",
    [
        adviser.AdviserAway("nobody"), adviser.AdviserGarbled("what"), says("no"),
        adviser.AdviserBusy("later", retry_after_s=60), RuntimeError("bug"),
    ],
)  # fmt: skip
def test_whatever_goes_wrong_the_question_is_answered_without_and_the_log_says_why(centre, act):
    asking, _ = desk(centre, act)
    assert asking.point("who touched it?", FACTS, "rita@local") is None
    (entry,) = recorded(centre)
    assert not entry["data"]["given"]
    assert entry["data"]["absent"]


def test_a_model_that_keeps_failing_is_left_alone_for_a_while(centre):
    asking, model = desk(centre, *[adviser.AdviserAway("nobody")] * 20)
    for _ in range(20):
        asking.point("who touched it?", FACTS, "rita@local")
    assert len(model.questions) == 5
    model.clock.at += 31
    asking.point("who touched it?", FACTS, "rita@local")
    assert len(model.questions) == 6


def test_an_hour_has_room_for_so_many_questions(centre, monkeypatch):
    monkeypatch.setattr(pointing_desk, "AN_HOUR", 3)
    asking, model = desk(centre, *[pointed(1)] * 8)
    answers = [asking.point("who touched it?", FACTS, "rita@local") for _ in range(5)]
    assert [one is not None for one in answers] == [True, True, True, False, False]
    model.clock.at += 3600
    assert asking.point("who touched it?", FACTS, "rita@local") is not None
