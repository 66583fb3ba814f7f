"""An incident's story as lines, and as times of its stages."""

import io
from datetime import UTC, datetime

import pytest

from sentienguard.cli import frame
from sentienguard.cli.drills import drill, scoring, screen, story

SUBJECT = "/home/somebody/somewhere/.demo/sandbox/volume"


def entry(index, kind, at, stage="execute", **data):
    return {
        "index": index, "at": f"2026-02-12T11:26:{at:06.3f}Z", "stage": stage, "kind": kind,
        "source": "cp", "actor": "", "title": f"title of {kind}", "data": data,
    }  # fmt: skip


def told(**changes):
    return {
        "incident": {
            "id": "inc_1", "metric": "system.disk_usage_percent", "subject": SUBJECT,
            "status": "CLOSED", "outcome": "resolved", "summary": "done",
            "opened_at": "2026-02-12T11:26:01Z", "closed_at": "2026-02-12T11:26:09Z",
        },
        "anomaly": {
            "at": "2026-02-12T11:26:00.900Z", "value": 97.0731, "severity": "critical",
            "reason": f"{SUBJECT} is full",
        },
        "decision": {
            "playbook": "disk_cleanup_rotated_logs",
            "verdicts": [
                {"rule": "risk", "reason": "its risk is SAFE", "deciding": False},
                {"rule": "ask", "reason": "people are asked", "deciding": True},
            ],
        },
        "approval": None,
        "timeline": [
            entry(5, "incident.opened", 1, "detect"),
            entry(6, "evidence.taken", 1.1, "decide", recent=4, similar=["inc_0"]),
            entry(7, "decision.made", 1.2, "decide", route="RUN_AND_VERIFY",
                  playbook="disk_cleanup_rotated_logs", confidence="0.9692"),
            entry(8, "order.admitted", 1.5),
            entry(9, "step.done", 1.6, name="delete_logs", status="success", detail="12 files"),
            entry(10, "verify.done", 2, name="space_is_back", status="failed", detail=""),
            entry(11, "order.finished", 8, outcome="ROLLED_BACK", reason="no space"),
            entry(12, "something.new", 8.5, "audit"),
            entry(13, "incident.closed", 9, "audit", outcome="rolled_back", escalated=True),
        ],
        **changes,
    }  # fmt: skip


DECIDED = "run and verify: disk_cleanup_rotated_logs, confidence 0.97 (people are asked)"


def test_each_fact_is_one_line_in_its_stage():
    lines = story.lines(told())
    assert [(line.stage, line.text) for line in lines] == [
        ("observe", "system.disk_usage_percent of …/.demo/sandbox/volume is 97.07"),
        ("detect", "critical: …/.demo/sandbox/volume is full"),
        ("decide", "evidence: 4 readings, 1 earlier incident like it"),
        ("decide", DECIDED),
        ("execute", "the host checked the order by itself and admits it"),
        ("execute", "step delete logs: success, 12 files"),
        ("execute", "verification space is back: failed"),
        ("execute", "rolled back: no space"),
        ("audit", "title of something.new"),
        ("audit", "incident closed: rolled back, people have to look"),
    ]  # fmt: skip
    assert [line.tone for line in lines][-5:] == ["good", "bad", "bad", "", "bad"]


def test_a_story_that_grows_has_the_same_keys_for_the_same_lines():
    whole = story.lines(told())
    shorter = story.lines(told(timeline=told()["timeline"][:3], decision=None))
    assert [line.key for line in whole][: len(shorter)] == [line.key for line in shorter]
    assert len({line.key for line in whole}) == len(whole)


def test_a_route_that_every_rule_permits_does_not_list_them_all():
    decision = {"verdicts": [{"reason": str(at), "deciding": True} for at in range(19)]}
    assert story.because(decision) == "all 19 rules of the policy permit it"


def test_each_stage_has_its_time_from_the_fault_on():
    found = story.timings(told(), datetime(2026, 2, 12, 11, 26, tzinfo=UTC))
    assert [(one.stage, one.seconds) for one in found] == [
        ("observe", 0.9), ("detect", 0.1), ("decide", 0.2), ("execute", 6.8), ("audit", 1.0),
    ]  # fmt: skip


def test_a_stage_that_never_came_has_no_time():
    found = story.timings(told(timeline=[]), datetime(2026, 2, 12, 11, 26, tzinfo=UTC))
    assert [one.seconds for one in found] == [0.9, None, None, None, 8.1]


@pytest.mark.parametrize(
    ("subject", "short"),
    [
        ("/var", "/var"),
        ("drill-web", "drill-web"),
        (SUBJECT, "…/.demo/sandbox/volume"),
        ("x" * 60, "…" + "x" * 24),
    ],
)
def test_a_long_subject_is_cut_at_a_name(subject, short):
    assert story.short_subject(subject) == short


def test_lines_are_printed_once_each_with_the_time_since_the_fault():
    out = io.StringIO()
    lines = screen.Lines(frame.console(out))
    lines.tell(story.Line("i", datetime(2026, 2, 12, 11, 26, tzinfo=UTC), "drill", "fault: x"))
    for _ in range(2):
        for line in story.lines(told()):
            lines.tell(line)
    text = out.getvalue()
    assert text.count("confidence 0.97") == 1
    assert "  0.90 s Observe" in text
    assert text.count("Execute") == 1
    assert lines.reached == list(story.STAGES)


def test_outside_of_a_terminal_there_is_no_panel():
    with screen.on(frame.console(io.StringIO())) as found:
        assert type(found) is screen.Lines


EXPECTED = drill.Expected("rolled_back", "service_safe_mode", "undone")


def judged(outcome="rolled_back", playbook="service_safe_mode", after="same", *, gone=True):
    found = {"incident": {"outcome": outcome, "summary": "why"}, "decision": {"playbook": playbook}}
    invariants = drill.compare({"the settings": "same"}, {"the settings": after})
    audit = (scoring.Check("audit log", passed=True, detail="fine"),)
    return {one.name: one for one in scoring.judge(EXPECTED, found, invariants, audit, gone=gone)}


@pytest.mark.parametrize(
    ("changed", "failing"),
    [
        ({}, None),
        ({"outcome": "resolved"}, "outcome"),
        ({"playbook": "service_restart_hung"}, "playbook"),
        ({"after": "other"}, "the settings"),
        ({"gone": False}, "looked at directly"),
    ],
)
def test_a_drill_passes_only_if_everything_is_as_expected(changed, failing):
    checks = judged(**changed)
    assert [name for name, one in checks.items() if not one.passed] == (
        [failing] if failing else []
    )


def test_a_fact_that_is_missing_afterwards_is_not_kept():
    (found,) = drill.compare({"the database": "abc"}, {})
    assert not found.kept
