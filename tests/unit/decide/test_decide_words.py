"""The order of routes, the meet, and the words in which a decision and its question are told."""

import dataclasses
import itertools

import pytest

from sentienguard.model import ids
from sentienguard.model.decision import (
    Candidate,
    Confidence,
    Route,
    ScoreItem,
    Verdict,
    strictest,
)
from sentienguard.model.evidence import PastIncident
from sentienguard.model.playbook import STEP_TIMEOUT, Action, Check, Step, Undo
from sentienguard.stages.decide import approval, decide, policy, routing
from sentienguard.stages.decide.settings import DecideSettings
from tests.support import decide_cases as cases


def test_routes_are_ordered_from_people_to_running():
    assert [(one.name, one.value) for one in Route] == [
        ("ESCALATE", 0),
        ("DRY_RUN", 1),
        ("ASK", 2),
        ("RUN_AND_VERIFY", 3),
        ("RUN", 4),
    ]


@pytest.mark.parametrize(("one", "other"), list(itertools.product(Route, Route)))
def test_the_meet_is_the_stricter_of_two(one, other):
    expected = Route(min(one, other))
    assert one.meet(other) is expected
    verdicts = (Verdict("a", one, "x"), Verdict("b", other, "y"))
    assert strictest(verdicts) is routing.route(list(verdicts)) is expected


def test_no_verdict_permits_nothing():
    assert strictest(()) is Route.ESCALATE


@pytest.mark.parametrize(("value", "low", "high", "said"), [
    (0.9704, 0.9061, 0.9943, "0.97, 90 % interval 0.91 to 0.99"),
    (0.89, 0.62, 0.89, "0.89, 90 % interval 0.62 to 0.89"),
    (0.89, 0.89, 0.89, "0.89"),
    (0.8913, 0.8902, 0.8949, "0.89"),
])  # fmt: skip
def test_an_interval_that_was_cut_to_a_point_is_not_told(value, low, high, said):
    assert Confidence(value, low, high, ()).text() == said


def made(**changed):
    evidence = cases.evidence("system.disk_usage_percent", "/var")
    found = decide.decide(
        evidence, cases.LIBRARY, lambda _: cases.TRUSTED, cases.CLEAR, DecideSettings()
    )
    return dataclasses.replace(found, **changed)


VERDICTS = (
    Verdict("a", Route.RUN, "fine"),
    Verdict("b", Route.ASK, "it may hurt"),
    Verdict("c", Route.ASK, "and it is new"),
)


def test_the_verdicts_that_hold_a_route_down_are_those_at_its_height():
    assert made(route=Route.ASK, verdicts=VERDICTS).deciding == VERDICTS[1:]


def test_reasons_are_those_that_hold_the_route_down_each_once():
    again = Verdict("d", Route.ASK, "it may hurt")
    shown = routing.reasons(made(route=Route.ASK, verdicts=(*VERDICTS, again)))
    assert shown == ("it may hurt", "and it is new")


def test_the_number_of_the_confidence_rule_says_of_what():
    sure = next(one for one in made().verdicts if one.rule == "confidence")
    asked = dataclasses.replace(sure, route=Route.ASK, reason="0.890 is at least 0.80")
    assert routing.reasons(made(route=Route.ASK, verdicts=(asked,))) == (
        "confidence 0.890 is at least 0.80",
    )


def candidate(name, *items):
    digest = ids.digest(name.encode())
    return Candidate(ids.PlaybookName(name), "1.0.0", digest, 0.31, items)


CAPPED = (ScoreItem("aaa", 1.0, "first"), ScoreItem("cap", -1.0, "another database"),
          ScoreItem("zzz", 1.0, "last"))  # fmt: skip


@pytest.mark.parametrize(
    ("candidates", "said"),
    [
        ((), "the library is empty"),
        (
            (candidate("mysql_reset", *CAPPED), candidate("x"), candidate("y")),
            "the nearest is mysql_reset at 0.31, another database",
        ),
        (
            (candidate("mysql_reset", CAPPED[0], CAPPED[2]),),
            "the nearest is mysql_reset at 0.31, too little fits",
        ),
    ],
)
def test_a_near_miss_is_told_with_what_speaks_against_it(candidates, said):
    found = made(playbook=None, candidates=candidates, route=Route.ESCALATE, verdicts=VERDICTS)
    assert routing.reasons(found) == (f"no playbook is for this: {said}",)


def remedy(**changed):
    return dataclasses.replace(cases.LIBRARY.playbooks[0], **changed)


def asked(**changed):
    return approval.question(made(route=Route.ASK, verdicts=VERDICTS, **changed), remedy())


def test_a_question_says_what_will_happen_and_what_cannot_be_undone():
    steps = (
        Step("do_it", Action("service", {}), Undo(None, "nothing is kept"), only_if=None),
        Step("free_it", Action("fs", {}), Undo(None, ""), only_if="disk_usage > 85%"),
        Step("end_it", Action("fs", {}), Undo(Action("fs", {}), ""), only_if=None),
    )
    found = approval.question(made(route=Route.ASK, verdicts=VERDICTS), remedy(steps=steps))
    assert found.will == (
        "do it (cannot be undone: nothing is kept)",
        "free it, only if disk_usage > 85% (cannot be undone)",
        "end it",
    )
    assert "  2. free it, only if disk_usage > 85% (cannot be undone)\n" in found.text()


def test_a_question_says_why_it_has_its_risk_where_somebody_wrote_it():
    found = made(route=Route.ASK, verdicts=VERDICTS)
    silent = approval.question(found, remedy())
    assert silent.risk == remedy().risk.value
    told = approval.question(found, remedy(risk_reason="Requests fail for some seconds."))
    assert told.risk == f"{silent.risk}: Requests fail for some seconds."
    assert f"\nRisk: {told.risk}\nAsked because: {told.because}" in told.text()


def test_a_question_says_what_is_measured_afterwards_and_how_it_ended_before():
    def check(name, **fields):
        return Check(name, "condition", fields, STEP_TIMEOUT)

    found = made(route=Route.ASK, verdicts=VERDICTS)
    aims = (
        check("space", metric="disk_usage", threshold="< 80%"),
        check("files", condition="disk_free > 1MB"),
        check("it_answers", expected_status=200),
    )
    reached = "disk_usage < 80%, disk_free > 1MB, it answers, or what can be undone is undone"
    new = approval.question(with_past(found), remedy(verification=aims))
    assert new.effect == f"{reached}; not used before"
    assert f"\nEstimated effect: {new.effect}\nEstimated duration: " in new.text()

    ends = ("resolved", "resolved", "escalated", None)
    known = approval.question(with_past(found, *ends), remedy(verification=aims))
    assert known.effect == f"{reached}; it mended 2 of 3 such incidents before"
    unmeasured = approval.question(found, remedy(verification=()))
    assert unmeasured.effect.startswith("nothing is measured")


def with_past(decision, *ends):
    past = tuple(
        PastIncident(f"inc_{number}", decision.at, remedy().name, end)
        for number, end in enumerate(ends)
    )
    other = PastIncident("inc_9", decision.at, "another_remedy", "resolved")
    evidence = dataclasses.replace(decision.evidence, similar=(*past, other))
    return dataclasses.replace(decision, evidence=evidence)


def test_a_step_says_how_much_it_touches_at_most():
    step = Step("free_it", Action("fs", {"max_files": 40}), Undo(Action("fs", {}), ""))
    found = approval.question(made(route=Route.ASK, verdicts=VERDICTS), remedy(steps=(step,)))
    assert found.will == ("free it, at most 40 files",)


def test_a_question_without_parameters_is_about_the_host():
    assert asked(parameters={}).target == "the host as a whole"
    assert asked(parameters={"mount": "/var"}).target == "mount = /var"
    assert "(confidence unknown)" in asked(confidence=None).playbook
    assert asked().because == "it may hurt; and it is new"


@pytest.mark.parametrize(
    "changed", [{"route": Route.RUN}, {"route": Route.DRY_RUN}, {"digest": ids.digest(b"other")}]
)
def test_only_a_decision_to_ask_about_this_very_playbook_is_asked_about(changed):
    with pytest.raises(approval.NothingToAsk):
        approval.question(made(**({"route": Route.ASK} | changed)), remedy())


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a" * 200, "a" * 200),
        ("a" * 201, "a" * 200 + "..."),
        ("two\nlines \u202eback", "two lines  back"),
        ("\x1b[31m", "[31m"),
    ],
)
def test_what_a_host_reported_is_shown_on_one_line(text, shown):
    assert approval.plain(text) == shown


def test_the_rules_are_those_of_the_page_in_its_order():
    assert [rule.__name__ for rule in policy.RULES] == [
        "match", "confidence", "risk", "approval_gate", "idempotence", "environment", "exclusions",
        "maintenance", "identity", "silence", "forecast", "do_not_remediate", "earned_autonomy",
        "service_budget", "fleet_budget", "circuit_breaker", "freeze", "once", "parameters",
        "audit", "diagnosis",
    ]  # fmt: skip
