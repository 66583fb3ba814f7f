"""Who hears of what, when: routes, quiet hours, escalation, folding, and what entries mean."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentienguard.flow.telling import folding, letters, routes, wording
from sentienguard.flow.telling.routes import RouteWrong, Storm
from sentienguard.model.anomaly import Severity
from sentienguard.model.approval import Approval, ApprovalStatus
from sentienguard.model.care import Care, Signed
from sentienguard.model.ids import ApprovalId, Digest, IncidentId, PlaybookName
from sentienguard.model.incident import Outcome, Status
from sentienguard.model.notice import Notice, NoticeKind, Question
from sentienguard.ports.audit_log import StoredEntry
from tests.contract import stores_nouns as nouns

NOW = datetime(2026, 2, 12, 23, 30, tzinfo=UTC)  # 00:30 in Berlin
CHANNELS = ("ops", "oncall", "boss")
NOTICE = Notice(
    kind=NoticeKind.OPENED,
    incident=IncidentId("inc_20260212_112600_a8f3b2c1"),
    environment="production",
    host="web-1",
    severity=Severity.WARNING,
    title="web-1: full",
    lines=("a", "日本"),
    at=NOW,
    page="",
    facts={"metric": "m"},
)
QUIET = {"from": "22:00", "to": "07:00", "zone": "Europe/Berlin", "below": "critical"}


def planned(document: dict[str, Any], notice: Notice = NOTICE, **more: Any) -> list[str]:
    found = routes.plan(routes.read(document, CHANNELS), notice, NOW, **more)
    return [
        f"{one.channel} +{(one.due_at - NOW).total_seconds() / 60:g}"
        f"{' if unanswered' if one.unanswered else ''}"
        for one in found
    ]


@pytest.mark.parametrize(
    ("route", "expected"),
    [
        ({}, ["ops +0"]),
        ({"environments": ["production"]}, ["ops +0"]),
        ({"environments": ["staging"]}, []),
        ({"severity": "warning"}, ["ops +0"]),
        ({"severity": "critical"}, []),
        ({"events": ["opened", "resolved"]}, ["ops +0"]),
        ({"events": ["approval"]}, []),
        ({"quiet": QUIET}, ["ops +390"]),
        ({"quiet": {**QUIET, "below": "warning"}}, ["ops +0"]),
        ({"quiet": {**QUIET, "from": "01:00"}}, ["ops +0"]),
        ({"quiet": {**QUIET, "zone": "UTC"}}, ["ops +450"]),
        ({"escalate": [{"after_minutes": 10, "to": ["oncall"]}]}, ["ops +0"]),
    ],
)
def test_a_route_says_who_hears_of_it_and_when(route: dict[str, Any], expected: list[str]) -> None:
    assert planned({"routes": [{"to": ["ops"], **route}]}) == expected


@pytest.mark.parametrize("kind", [NoticeKind.APPROVAL, NoticeKind.ESCALATED])
def test_what_asks_people_waits_for_no_morning_and_is_escalated(kind: NoticeKind) -> None:
    escalate = [{"after_minutes": 10, "to": ["oncall"]}, {"after_minutes": 30, "to": ["boss"]}]
    document = {"routes": [{"to": ["ops"], "quiet": QUIET, "escalate": escalate}]}
    assert planned(document, replace(NOTICE, kind=kind)) == [
        "ops +0", "oncall +10 if unanswered", "boss +30 if unanswered",
    ]  # fmt: skip


def test_a_channel_hears_once_and_the_earliest_counts() -> None:
    quiet = {"to": ["ops"], "quiet": QUIET}
    assert planned({"routes": [quiet, {"to": ["ops", "boss"]}]}) == ["boss +0", "ops +0"]


def test_who_heard_of_it_hears_how_it_goes_on_whatever_the_route() -> None:
    document = {"routes": [{"to": ["ops"], "events": ["opened"]}]}
    over = replace(NOTICE, kind=NoticeKind.RESOLVED)
    assert planned(document, over) == []
    assert planned(document, over, heard=frozenset({"oncall"})) == ["oncall +0"]
    assert planned(document, NOTICE, heard=frozenset({"oncall"})) == ["ops +0"]


@pytest.mark.parametrize(
    ("document", "place"),
    [
        ({"routes": {}}, "routes"),
        ({"routes": [1]}, r"routes\[0\]"),
        ({"routes": [{}]}, "to"),
        ({"routes": [{"to": ["nobody"]}]}, "nobody"),
        ({"routes": [{"to": ["ops"], "when": "x"}]}, "when"),
        ({"routes": [{"to": ["ops"], "severity": "bad"}]}, "severity"),
        ({"routes": [{"to": ["ops"], "events": ["all"]}]}, "events"),
        ({"routes": [{"to": ["ops"], "quiet": {"from": "25:00"}}]}, "quiet.from"),
        ({"routes": [{"to": ["ops"], "quiet": {**QUIET, "zone": "Mars/North"}}]}, "zone"),
        ({"routes": [{"to": ["ops"], "escalate": [{"to": ["ops"]}]}]}, "after_minutes"),
        ({"routes": [], "digest": {"more_than": 0}}, "more_than"),
        ({"routes": [], "digest": {"more_than": True}}, "more_than"),
    ],
)
def test_a_wrong_file_is_refused_by_its_place(document: dict[str, Any], place: str) -> None:
    with pytest.raises(RouteWrong, match=place):
        routes.read(document, CHANNELS)


@given(st.datetimes(timezones=st.just(UTC)).filter(lambda at: 1971 < at.year < 2100))
def test_quiet_hours_end_within_a_day_and_are_over_then(now: datetime) -> None:
    quiet = routes.read({"routes": [{"to": ["ops"], "quiet": QUIET}]}, CHANNELS).routes[0].quiet
    assert quiet is not None
    ends = quiet.until(now)
    if ends is not None:
        assert now < ends <= now + timedelta(hours=10)
        assert quiet.until(ends) is None


def test_a_storm_becomes_one_message_that_lists_the_worst() -> None:
    assert not folding.too_many(Storm(), 20, 0)
    assert folding.too_many(Storm(), 21, 0)
    assert folding.too_many(Storm(), 2, 19)
    assert not folding.too_many(Storm(), 1, 400), "one alone is no digest"
    many = [
        replace(
            NOTICE,
            incident=IncidentId(f"inc_{number}"),
            severity=Severity.CRITICAL if number == 50 else Severity.INFO,
            title=f"host-{number}: full",
        )
        for number in range(60)
    ]
    found = folding.fold(many, NOW, "https://sg")
    assert found.title == "60 messages about 60 incidents"
    assert found.lines[0] == "production: 60 opened"
    assert found.lines[1] == "- host-50: full (inc_50)"
    assert found.lines[-1] == "and 40 more"
    assert found.severity is Severity.CRITICAL


@pytest.mark.parametrize("kind", NoticeKind)
def test_a_notice_is_kept_and_read_back_equal(kind: NoticeKind) -> None:
    question = Question(ApprovalId("apr_1"), Digest("sha256:a"), "p", NOW, needs_signature=True)
    for one in (replace(NOTICE, kind=kind), replace(NOTICE, kind=kind, question=question)):
        assert letters.read(letters.write(one)) == one


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"kind":"x"}', "nul"])
def test_a_text_that_is_no_notice_is_told_as_such(text: str) -> None:
    with pytest.raises(letters.NotANotice):
        letters.read(text)


def entry(index: int, kind: str, data: dict[str, Any], **more: Any) -> StoredEntry:
    fields = {"kind": kind, "ts_ms": 1_770_000_000_000 + index, "actor": "sentienguard",
              "env": "production", "src": "cp", "incident": "inc_x", "data": data, "blobs": [],
              "controls": [], **more}  # fmt: skip
    return StoredEntry(index, json.dumps(fields).encode())


INCIDENT = nouns.incident()
ASKED = Approval(
    ApprovalId("apr_1"), INCIDENT.id, "production", PlaybookName("disk_cleanup"), Digest("d"),
    "Incident: a\nThis will:\n  1. b", "because", NOW, NOW + timedelta(minutes=15),
)  # fmt: skip


def known(**changes: Any) -> wording.Known:
    usual: dict[str, Any] = {
        "incident": INCIDENT, "approval": ASKED, "entries": [], "runbook": ["p: does", "1. step"],
        "base": "https://sg", "needs_signature": False,
    }  # fmt: skip
    return wording.Known(**{**usual, **changes})


def test_a_question_can_be_answered_only_while_it_is_open() -> None:
    asked = entry(1, "approval.requested", {})
    found = wording.notice(asked, known())
    assert found is not None
    assert found.question is not None
    assert found.question.approval == "apr_1"
    assert found.title == "Approval Required"
    answered = replace(ASKED, status=ApprovalStatus.DENIED)
    assert wording.notice(asked, known(approval=answered)) is None
    assert wording.notice(entry(2, "approval.decided", {"decision": "expired"}), known()) is None


def test_the_first_of_two_yeses_is_told_where_the_question_stands() -> None:
    said = {"approvers": "ann@local", "needed": 2, "note": "looks right"}
    agreed = entry(2, "approval.agreed", said, actor="ann@local")
    found = wording.notice(agreed, known())
    assert found is not None
    assert found.kind is NoticeKind.AGREED
    assert found.title == "Approval Required"
    assert found.lines[0] == "1 of 2: ann@local agreed: looks right"
    assert found.lines[1] == "Incident: a"
    assert found.question is not None, "the second one answers in the same message"
    answered = replace(ASKED, status=ApprovalStatus.DENIED)
    assert wording.notice(agreed, known(approval=answered)) is None


def test_a_first_yes_is_told_to_whom_was_asked_and_wakes_nobody() -> None:
    escalate = [{"after_minutes": 5, "to": ["boss"]}]
    document = {"routes": [{"to": ["ops"], "escalate": escalate}]}
    agreed = replace(NOTICE, kind=NoticeKind.AGREED)
    assert planned(document, agreed) == []
    assert planned(document, agreed, heard=frozenset({"oncall"})) == ["oncall +0"]


def test_what_follows_waits_with_a_beginning_that_waits_and_a_question_does_not() -> None:
    document = {"routes": [{"to": ["ops"]}]}
    more = {"heard": frozenset({"ops", "boss"}), "held": {"ops": NOW + timedelta(hours=6)}}
    for kind in (NoticeKind.RESOLVED, NoticeKind.HANDLED):
        assert planned(document, replace(NOTICE, kind=kind), **more) == ["boss +0", "ops +360"]
    for kind in routes.ASKS_PEOPLE:
        assert "ops +0" in planned(document, replace(NOTICE, kind=kind), **more)


def test_how_earlier_ones_were_settled_stands_in_the_runbook_redacted() -> None:
    settled = [
        care("inc_3", "ann", datetime(2026, 11, 1, tzinfo=UTC), "restarted the pool"),
        care("inc_4", "", NOW, ""),
        care("inc_2", "bob", datetime(2026, 10, 9, tzinfo=UTC), "password=hunter22\n<!channel>"),
        care("inc_1", "eve", datetime(2026, 9, 1, tzinfo=UTC), ""),
        care("inc_0", "dan", datetime(2026, 8, 1, tzinfo=UTC), "too long ago"),
    ]  # fmt: skip
    found = wording.settled_before(settled)
    assert found[:2] == ["Settled before:", "- 2026-11-01 ann fixed it by hand: restarted the pool"]
    assert found[3] == "- 2026-09-01 eve fixed it by hand"
    assert len(found) == 4, "the newest three"
    assert "hunter22" not in "".join(found)
    assert all(line.isprintable() for line in found)
    assert wording.settled_before([care("inc_4", "", NOW, "")]) == []


def care(name: str, by: str, at: datetime, because: str) -> Care:
    return Care(IncidentId(name), settled=Signed(by, at) if by else None, settled_because=because)


def test_what_is_solved_alone_says_so_in_one_line() -> None:
    intent = entry(1, "order.intent", {"playbook": "postgres_connection_pool_reset"})
    closed = entry(2, "incident.closed",
                   {"outcome": "resolved", "duration_ms": 28_400, "summary": "gone"})  # fmt: skip
    over = replace(INCIDENT, host="prod-db-01", status=Status.CLOSED, outcome=Outcome.RESOLVED)
    found = wording.notice(closed, known(incident=over, entries=[intent, closed]))
    assert found is not None
    assert found.title == "Auto-resolved: postgres_connection_pool_reset on prod-db-01 (28s)"
    assert found.over


def test_what_needs_a_person_carries_what_was_tried_and_the_runbook() -> None:
    agent = {"src": "agent:a1"}
    entries = [
        entry(1, "order.intent", {"playbook": "p", "version": "1", "agent": "a1"}),
        entry(2, "step.done", {"name": "clean", "status": "failed", "detail": "password=hunter22"},
              **agent),
        entry(3, "step.done", {"name": "forged", "status": "success"}, src="agent:other"),
        entry(4, "order.finished", {"outcome": "FAILED", "reason": "r", "left_behind": ["/x"]},
              **agent),
    ]  # fmt: skip
    closed = entry(5, "incident.closed", {"outcome": "failed", "summary": "it failed"})
    found = wording.notice(closed, known(entries=[*entries, closed]))
    assert found is not None
    assert found.kind is NoticeKind.ESCALATED
    text = "\n".join(found.lines)
    for part in ("What was tried:", "step clean failed", "not undone: /x", "Runbook:", "1. step"):
        assert part in text
    assert "hunter22" not in text
    assert "forged" not in text, "a host without an order is not heard"
    assert not found.over


@given(st.text(max_size=300))
def test_text_of_a_host_stays_on_its_line_and_is_printable(text: str) -> None:
    told = replace(INCIDENT, host=text, anomaly=replace(INCIDENT.anomaly, reason=text))
    found = wording.notice(entry(1, "incident.opened", {}), known(incident=told))
    assert found is not None
    for line in (found.title, *found.lines, found.host):
        assert line.isprintable()


@pytest.mark.parametrize("kind", sorted(wording.TOLD))
def test_no_notice_needs_more_of_an_entry_than_there_is(kind: str) -> None:
    data = {"outcome": "escalated"} if kind == "incident.closed" else {}
    wording.notice(entry(1, kind, data), known(approval=None))
