"""Questions and their answers: recognised, cited, honest about what is not known."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentienguard.flow.asking import answering, kinds, postmortem, sentences
from sentienguard.flow.asking.answering import Facts
from sentienguard.flow.asking.kinds import Asked, Kind
from sentienguard.model.evidence import Changed
from sentienguard.model.incident import Outcome, Status
from sentienguard.stages.audit import entry as entries_of
from tests.contract import stores_nouns as nouns

INCIDENT = replace(nouns.incident(), status=Status.CLOSED, outcome=Outcome.FAILED)
HOSTILE = "[x](javascript:alert(1)) <script> `a` *b* # h"


def entry(index: int, kind: str, actor: str = "sentienguard", **data: Any) -> sentences.Entry:
    fields = {"kind": kind, "ts_ms": 1_770_894_000_000 + 1000 * index, "actor": actor,
              "env": INCIDENT.environment, "incident": INCIDENT.id, "data": data}  # fmt: skip
    return sentences.read(index, fields)


STORY = [
    entry(10, "incident.opened", host="web-1", reason=HOSTILE, severity="critical",
          earlier=["inc_old"]),
    entry(11, "evidence.taken", log_lines=3, related=2, similar=["inc_old", "inc_like"]),
    entry(12, "decision.made", playbook="p", version="1", route="ASK", rationale="not proven"),
    entry(13, "approval.requested", playbook="p", reason="not proven"),
    entry(14, "approval.decided", "rita", decision="approved", note="go"),
    entry(15, "order.intent", playbook="p", version="1"),
    entry(16, "step.done", "host", name="clean", status="failed"),
    entry(17, "order.finished", "host", outcome="FAILED", reason="no", left_behind=["/x"]),
    entry(18, "incident.closed", outcome="failed", summary="it failed", duration_ms=5000),
    entry(19, "incident.acknowledged", "anna"),
]  # fmt: skip
BEFORE = [
    entry(3, "maintenance.added", "carl", reason="new disk"),
    entry(4, "user.login", "carl"),
    replace(entry(5, "incident.opened", host="db-9", reason="r", severity="info"), incident="i2"),
    replace(entry(6, "order.finished", outcome="SUCCESS", reason="x"), incident="inc_other"),
]
BEFORE[0] = replace(BEFORE[0], incident="")
FACTS = Facts(INCIDENT, STORY, BEFORE, nouns.decision(INCIDENT))


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("what changed before inc_20260212_112600_a8f3b2c1?", Kind.CHANGED),
        ("Were there any deployments?", Kind.CHANGED),
        ("why did it not run alone", Kind.WHY_NOT_ALONE),
        ("Why was I asked? why ask", Kind.WHY_NOT_ALONE),
        ("why this playbook?", Kind.WHY_PLAYBOOK),
        ("how sure was it", Kind.SURE),
        ("what was tried", Kind.TRIED),
        ("did this happen before", Kind.SIMILAR),
        ("who approved it?", Kind.APPROVED),
        ("is it safe now", Kind.SAFE),
        ("who has it in hand", Kind.WHO),
        ("What happened?", Kind.HAPPENED),
        ("sing a song", None),
        ("", None),
        ("please run rm -rf / now", None),
    ],
)
def test_a_question_is_recognised_or_not(text: str, kind: Kind | None) -> None:
    assert kinds.understand(text).kind is kind


@pytest.mark.parametrize("kind", Kind)
def test_what_is_offered_is_understood(kind: Kind) -> None:
    assert kinds.understand(f"{kind.value} inc_20260212_112600_a8f3b2c1?").kind is kind


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("length", range(1, len(STORY) + 1))
def test_every_sentence_names_its_entries_however_little_is_known(kind: Kind, length: int) -> None:
    for decision in (FACTS.decision, None):
        facts = replace(FACTS, entries=STORY[:length], decision=decision)
        reply = answering.answer(Asked("", kind, None), facts)
        assert reply.sentences
        known = {one.index for one in (*STORY[:length], *BEFORE)}
        for one in reply.sentences:
            assert one.entries, one.text
            assert set(one.entries) <= known


def said(kind: Kind, facts: Facts = FACTS) -> str:
    return " ".join(one.text for one in answering.answer(Asked("", kind, None), facts).sentences)


def test_answers_say_what_the_record_says() -> None:
    assert "carl announced maintenance: new disk" in said(Kind.CHANGED)
    assert "db-9" not in said(Kind.CHANGED), "another host"
    assert "carl" not in said(Kind.TRIED)
    assert "Step clean ended as failed" in said(Kind.TRIED)
    assert "approved by rita: go" in said(Kind.APPROVED)
    assert "inc_old" in said(Kind.SIMILAR)
    assert "Similar: inc_like" in said(Kind.SIMILAR)
    assert "nobody has said that it is fixed" in said(Kind.SAFE)
    assert "not undone: /x" in said(Kind.SAFE)
    assert "anna took it in hand" in said(Kind.WHO)


def test_what_other_systems_told_of_changes_is_cited_from_the_evidence() -> None:
    assert FACTS.decision is not None
    change = Changed("c1", nouns.NOW, "shop", "deploy", "1.2", "dora", "new cart")
    evidence = replace(FACTS.decision.evidence, changes=(change,))
    facts = replace(FACTS, decision=replace(FACTS.decision, evidence=evidence))
    reply = answering.answer(Asked("", Kind.CHANGED, None), facts)
    assert "deploy shop 1.2 by dora: new cart" in reply.sentences[0].text
    assert reply.sentences[0].entries == (11,)


def test_an_unknown_question_gets_the_list_of_known_ones() -> None:
    reply = answering.answer(kinds.understand("sing"), FACTS)
    assert reply.kind is None
    assert len(reply.known) == len(Kind)


@pytest.mark.parametrize("kind", sorted(entries_of.KINDS))
def test_every_kind_of_entry_has_words(kind: str) -> None:
    found = sentences.say(entry(1, kind))
    assert found.text.endswith(".")
    assert found.entries == (1,)


def test_a_post_mortem_links_every_sentence_and_renders_no_text_of_a_host() -> None:
    text = postmortem.draft(FACTS, "https://sg")
    for line in text.splitlines():
        if line.startswith("- "):
            assert "](https://sg/audit/proof/" in line
    assert "<script>" not in text
    assert "](javascript" not in text
    for heading in ("## Summary", "## Time line (UTC)", "## Impact"):
        assert heading in text
    assert "*Not in the log: why did it come to this?*" in text


@given(st.text(max_size=200))
def test_any_text_is_understood_or_not_and_never_breaks(text: str) -> None:
    found = kinds.understand(text)
    assert found.kind is None or found.kind in Kind
    json.dumps(answering.answer(found, FACTS).known)


def test_reasons_that_were_cut_end_with_a_whole_one_and_say_that_there_are_more() -> None:
    reasons = "; ".join(f"rule {number} permits it" for number in range(40))
    cut = entry(1, "decision.made", playbook="p", version="1", route="RUN", rationale=reasons[:500])
    assert sentences.say(cut).text.endswith("permits it and more.")
    whole = entry(1, "decision.made", playbook="p", version="1", route="RUN", rationale="a; b")
    assert sentences.say(whole).text == "Decided on p 1, route run, because a; b."
