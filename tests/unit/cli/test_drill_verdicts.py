"""What came of a drill, judged; and the numbers and the page of many."""

import dataclasses
import pathlib
import re

import pytest

from sentienguard.cli.drills import definition, drill, report, report_page, verdict

FAULT = definition.Definition(
    directory=pathlib.Path("/d"), name="web-down", kind="fault", about="It breaks.",
    beds=("node",), needs=(), volumes={}, ports=(), services={}, software=(), databases={}, tags={},
    maintenance=False, prepare="", inject="x", present="x", gone="x", metric="service.up",
    subject="web", process="", expected=definition.Expected(("resolved",), "start_it"),
)  # fmt: skip
DECOY = dataclasses.replace(
    FAULT, name="busy", kind="decoy", expected=definition.Expected(("left_alone",))
)
TRIED = dataclasses.replace(
    DECOY, name="tried", expected=definition.Expected(("escalated", "rolled_back"), acts=True)
)
TOLD = verdict.Told(
    "inc_1", "service.up", "web", "CLOSED", "resolved", "start_it", False, True, 1.0, 4.0, "done"
)
KEPT = drill.Invariant("the neighbour", "1", "1")
BROKEN = drill.Invariant("the neighbour", "1", "2")


def judged(wanted, *told, invariants=(KEPT,), gone=True, late=False):
    seen = verdict.Seen(told, invariants, gone=gone, late=late)
    return verdict.judge(wanted, "node", seen)


def failed(found):
    return [one.name for one in found.checks if not one.passed]


def told(**changed):
    return dataclasses.replace(TOLD, **changed)


@pytest.mark.parametrize(
    ("wanted", "incidents", "more", "wrong"),
    [
        (FAULT, [TOLD], {}, []),
        (FAULT, [], {}, ["outcome", "playbook"]),
        (FAULT, [told(outcome="escalated", acted=False)], {}, ["outcome"]),
        (FAULT, [told(playbook="other")], {}, ["playbook"]),
        (FAULT, [told(asked=True)], {}, ["no person"]),
        (FAULT, [TOLD], {"gone": False}, ["looked at directly"]),
        (FAULT, [TOLD], {"invariants": (BROKEN,)}, ["the neighbour"]),
        (FAULT, [TOLD], {"late": True}, ["in time"]),
        (FAULT, [told(metric="system.cpu_percent")], {}, ["outcome", "playbook"]),
        (DECOY, [], {}, []),
        (DECOY, [told(outcome="escalated", acted=False)], {}, []),
        (DECOY, [told(outcome="", status="AWAITING_APPROVAL", acted=False, asked=True)], {}, []),
        (DECOY, [TOLD], {}, ["left alone", "outcome"]),
        (DECOY, [told(metric="system.zombies")], {}, ["left alone", "outcome"]),
        (TRIED, [told(outcome="rolled_back")], {}, []),
        (TRIED, [told(outcome="failed")], {}, []),
        (TRIED, [TOLD], {}, ["outcome"]),
        (TRIED, [told(outcome="rolled_back")], {"invariants": (BROKEN,)}, ["the neighbour"]),
    ],
)
def test_a_verdict_names_what_was_wrong(wanted, incidents, more, wrong):
    assert failed(judged(wanted, *incidents, **more)) == wrong


def test_resolved_counts_as_unattended_only_if_nobody_was_asked_and_nothing_was_harmed():
    assert judged(FAULT, TOLD).unattended
    assert not judged(FAULT, told(asked=True)).unattended
    assert not judged(FAULT, TOLD, invariants=(BROKEN,)).unattended
    assert not judged(FAULT, TOLD, gone=False).unattended


def test_an_undone_try_restored_everything_only_if_every_invariant_holds():
    assert judged(TRIED, told(outcome="rolled_back")).rollback is True
    assert judged(TRIED, told(outcome="rolled_back"), invariants=(BROKEN,)).rollback is False
    assert judged(FAULT, TOLD).rollback is None


def test_a_step_of_a_dry_run_is_no_act():
    story = {
        "incident": {
            "id": "i", "metric": "m", "subject": "", "status": "CLOSED", "outcome": "escalated",
            "opened_at": "2026-01-01T00:00:05+00:00", "closed_at": None, "summary": "",
        },
        "decision": None,
        "approval": None,
        "order": {"dry_run": True, "steps": [{"phase": "step", "status": "success"}]},
    }  # fmt: skip
    since = 1767225600.0  # 2026-01-01
    assert not verdict.tell(story, since).acted
    assert verdict.tell(story, since).opened_s == 5.0
    story["order"]["dry_run"] = False
    assert verdict.tell(story, since).acted
    story["order"]["steps"] = [{"phase": "pre_check", "status": "success"}]
    assert not verdict.tell(story, since).acted


def test_numbers_count_what_they_say():
    cases = [
        judged(FAULT, TOLD),
        judged(FAULT, told(closed_s=9.0)),
        judged(FAULT, told(asked=True, playbook="other")),
        judged(FAULT, told(outcome="rolled_back"), invariants=(BROKEN,)),
        judged(DECOY),
        judged(DECOY, TOLD),
        judged(TRIED, told(outcome="rolled_back")),
        verdict.broken(FAULT, "", "no bed"),
    ]
    found = report.totals([one.document() for one in cases])
    assert (found["drills"], found["not_run"], found["passed"]) == (8, 1, 4)
    assert (found["unattended"], found["unattended_of"]) == (2, 4)
    assert found["unattended_percent"] == 50.0
    assert (found["harmful"], found["acted_on_decoys"], found["decoys_right"]) == (1, 1, 2)
    assert (found["rollbacks"], found["rollbacks_restored"]) == (2, 1)
    assert found["wrong_playbook"] == 1
    assert (found["escalations"], found["escalations_right"]) == (1, 1)
    assert (found["fixed_median_s"], found["fixed_p90_s"]) == (4.0, 9.0)


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [([], 0.5, None), ([3], 0.9, 3), ([1, 2, 3, 4], 0.5, 2), (list(range(1, 11)), 0.9, 9)],
)
def test_a_quantile_is_a_value_that_was_measured(values, share, expected):
    assert report.quantile(values, share) == expected


def test_the_page_loads_nothing_and_escapes_what_drills_say():
    hostile = dataclasses.replace(FAULT, about="<script>alert(1)</script>.")
    cases = [judged(hostile, TOLD).document(), verdict.broken(DECOY, "", "<b>no").document()]
    page = report_page.render(
        {
            "at": "2026-01-01T00:00:00+00:00", "processors": 2, "load": 1.0, "at_once": 2,
            "interval_s": 1.0, "audit": {"passed": True, "entries": 3, "logs": 1, "detail": ""},
            "trials": [], "totals": report.totals(cases), "cases": cases,
        }
    )  # fmt: skip
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "&lt;b&gt;no" in page
    assert not re.search(r"(src|href)=|url\(|@import", page)
    assert "web-down" in page
    assert "polyline" in page
