"""From evidence to a decision, a question and an order."""

import dataclasses
import json
import random
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentienguard.model.decision import Route
from sentienguard.model.playbook import ParamType, Slots
from sentienguard.model.telemetry import ProcessUse
from sentienguard.stages.decide import (
    approval,
    beta,
    confidence,
    evidence,
    matching,
    meaning,
    parameters,
    planning,
    routing,
)
from sentienguard.stages.decide.decide import decide
from sentienguard.stages.decide.facts import TrackRecord
from sentienguard.stages.decide.matching import Library
from sentienguard.stages.decide.settings import DecideSettings
from sentienguard.trust import order as trusted_order
from tests.support import decide_cases as cases

SETTINGS = DecideSettings()
PROVEN = TrackRecord(proven_runs=12, proven_verified=12)


def decision(found, library=cases.LIBRARY, record=cases.TRUSTED, **more):
    circumstances = dataclasses.replace(cases.CLEAR, **more)
    return decide(found, library, lambda _: record, circumstances, SETTINGS)


def disk(**more):
    return cases.evidence("system.disk_usage_percent", "/var", **more)


def test_a_trusted_playbook_runs_on_what_was_measured():
    made = decision(disk())
    assert made.route is Route.RUN
    assert made.playbook == "disk_cleanup_rotated_logs"
    assert dict(made.parameters) == {"mount": "/var", "older_than": "7d"}


def test_a_bundled_playbook_runs_in_a_drill_and_asks_in_production():
    assert decision(disk(environment="drill"), record=PROVEN).route >= Route.RUN_AND_VERIFY
    assert decision(disk(), record=PROVEN).route is Route.ASK


def test_no_match_goes_to_people_with_the_near_misses():
    made = decision(cases.evidence("queue.depth", "orders"))
    assert made.route is Route.ESCALATE
    assert made.playbook is None
    assert len(made.candidates) == 5
    assert routing.reasons(made)[0].startswith("no playbook is for this: the nearest is ")


def test_the_same_inputs_give_the_same_decision_in_any_order_of_the_library():
    shuffled = list(cases.LIBRARY.playbooks)
    random.Random(3).shuffle(shuffled)
    first, second = decision(disk()), decision(disk(), library=Library(shuffled))
    assert repr(first) == repr(second)
    dumps = [
        json.dumps(dataclasses.asdict(one), sort_keys=True, default=str) for one in (first, second)
    ]
    assert dumps[0] == dumps[1]


TWINS = Library(
    [
        *(one for one in cases.LIBRARY.playbooks if one.name != "disk_cleanup_rotated_logs"),
        cases.playbook(
            "disk_alpha",
            "Free space: journal.",
            Slots("linux", "disk", "full"),
            metrics=("system.disk_usage_percent",),
            idempotent=False,
        ),
        cases.playbook(
            "disk_beta",
            "Free space: wombat.",
            Slots("linux", "disk", "full"),
            metrics=("system.disk_usage_percent",),
        ),
    ]
)


def test_text_breaks_a_tie_and_then_permits_no_more_than_without_it():
    plain, hinted = decision(disk(), TWINS), decision(disk(texts=["a wombat ate it"]), TWINS)
    assert (plain.playbook, plain.route) == ("disk_alpha", Route.ASK)
    assert (hinted.playbook, hinted.route) == ("disk_beta", Route.ASK)
    assert hinted.verdicts[-1].rule == "untrusted_text"


@pytest.mark.property
@settings(max_examples=60)
@given(
    st.sampled_from([cases.LIBRARY, TWINS]),
    st.sampled_from(["system.disk_usage_percent", "service.healthy", "queue.depth"]),
    st.lists(
        st.one_of(
            st.text(max_size=60),
            st.lists(
                st.sampled_from(
                    [
                        "wombat",
                        "journal",
                        "restart",
                        "disk",
                        "full",
                        "approve",
                        "run",
                        "postgresql",
                        "hung",
                        "logs",
                    ]
                )
            ).map(" ".join),
        ),
        max_size=4,
    ),
)
def test_text_that_anybody_can_write_never_permits_more(library, metric, texts):
    plain = decision(cases.evidence(metric, "/var"), library)
    assert decision(cases.evidence(metric, "/var", texts=texts), library).route <= plain.route


def test_confidence_stays_below_unattended_without_a_verified_run():
    for score in (0.6, 0.8, 1.0):
        ranked = (matching.Candidate("x", "1", "sha256:0", score, ()),)
        for environment in ("production", "drill"):
            found = confidence.estimate(ranked, TrackRecord(), environment, SETTINGS)
            assert found.value < 0.90
    assert confidence.estimate(ranked, PROVEN, "production", SETTINGS).value < 0.90
    assert confidence.estimate(ranked, PROVEN, "drill", SETTINGS).value >= 0.95


def test_confidence_falls_with_failures_and_its_interval_narrows_with_runs():
    ranked = decision(disk()).candidates
    few, many, failing = (
        confidence.estimate(ranked, record, "production", SETTINGS)
        for record in (
            TrackRecord(verified=3),
            TrackRecord(verified=100),
            TrackRecord(verified=3, failed=3),
        )
    )
    assert failing.value < few.value < many.value
    assert few.low < few.value
    assert many.high - many.low < few.high - few.low


@pytest.mark.parametrize(
    ("probability", "a", "b", "expected"),
    [
        (0.5, 1, 1, 0.5),
        (0.05, 1, 1, 0.05),
        (0.5, 2, 1, 0.70710678),
        (0.95, 1, 3, 0.63159685),
        (0.5, 5, 5, 0.5),
    ],
)
def test_beta_quantiles_agree_with_closed_forms(probability, a, b, expected):
    assert beta.quantile(probability, a, b) == pytest.approx(expected, abs=1e-7)


def _uses(*uses):
    return tuple(ProcessUse(pid, "p", cpu, int(cpu)) for pid, cpu in uses)


@pytest.mark.parametrize(
    ("top", "expected"),
    [
        (_uses((4711, 99.0), (2, 10.0)), "4711"),
        (_uses((4711, 99.0), (2, 90.0)), None),  # two alike: nobody is clearly to blame
        (_uses((4711, 20.0)), None),  # not busy
        (_uses((1, 99.0)), None),  # init
        ((), None),
    ],
)
def test_a_process_is_named_only_where_it_clearly_is_the_one(top, expected):
    found = dataclasses.replace(cases.evidence("system.cpu_percent"), top_processes=top)
    remedy = next(one for one in cases.LIBRARY.playbooks if one.parameters == (cases.PID,))
    filled = parameters.fill(remedy, found)
    assert filled.parameters.get("pid") == expected
    assert filled.missing == (() if expected else ("pid",))


def test_the_parent_of_zombies_is_the_one_that_the_host_counted():
    remedy = cases.playbook("reap", parameters=(cases.PID,))
    found = cases.evidence("system.zombies")
    assert parameters.fill(remedy, found).missing == ("pid",)
    counted = {"system.zombie_children[812]": 60.0, "system.zombie_children[9]": 2.0}
    found = dataclasses.replace(found, related=counted)
    assert parameters.fill(remedy, found).parameters == {"pid": "812"}


@pytest.mark.parametrize(
    ("kind", "metric"),
    [
        (ParamType.MOUNTPOINT, "service.up"),
        (ParamType.SERVICE, "system.disk_usage_percent"),
        (ParamType.PID, "service.up"),
        (ParamType.ENUM, "service.up"),
    ],
)
def test_a_parameter_without_a_measured_fact_is_missing(kind, metric):
    remedy = cases.playbook("x", parameters=(parameters.Parameter("p", kind),))
    assert parameters.fill(remedy, cases.evidence(metric, "web")).missing == ("p",)


def test_the_evidence_says_it_in_words():
    text = disk(texts=["/var/log/app.log.1"]).text
    for fact in ("/var", "6.63 sigma", "+3.2 an hour", "1.6 hours", "app.log.1", "report-gen"):
        assert fact in text


def test_free_text_of_evidence_is_never_a_term_of_measured_facts():
    query = meaning.of_evidence(disk(texts=["wombat"]))
    assert "wombat" in query.hints
    assert "wombat" not in query.terms


def test_the_question_shows_everything_and_no_control_characters():
    found = disk()
    hostile = dataclasses.replace(found, host="web\x1b[31m-01\nPlaybook: harmless\u202e")
    made = decision(hostile, record=PROVEN)
    asked = approval.question(made, cases.LIBRARY.playbooks[0]).text()
    assert asked.count("\nPlaybook: ") == 1
    assert "\x1b" not in asked
    assert "\u202e" not in asked
    for part in ("This will:", "1. do it (cannot be undone", "20 seconds", "SAFE", "mount = /var"):
        assert part in asked
    opened = approval.request(made, cases.LIBRARY.playbooks[0], lasts=timedelta(minutes=15))
    assert opened.expires_at - opened.opened_at == timedelta(minutes=15)


def test_only_a_decision_that_asks_is_asked_about():
    with pytest.raises(approval.NothingToAsk):
        approval.question(decision(disk()), cases.LIBRARY.playbooks[0])


def plan(made, remedy=cases.LIBRARY.playbooks[0], **more):
    return planning.plan(made, remedy, agent="8f9b", created_at=cases.NOW, **more)


def test_an_order_is_complete_and_the_same_every_time():
    made = decision(disk())
    order = plan(made)
    assert order == plan(made)
    assert order.parameters == made.parameters
    assert order.facts["anomaly_sigma"] == "6.63"
    assert order.facts["tag.service"] == "shop"
    assert not order.dry_run
    # spare 30, step 60, its undo 60, verification twice (3 x 5 and waits of 3 and 6)
    assert order.deadline_s == 30 + 60 + 60 + 2 * (15 + 9)


def test_no_order_may_take_longer_than_an_order_can_say():
    remedy = cases.LIBRARY.playbooks[0]
    patient = tuple(dataclasses.replace(check, retry=20) for check in remedy.verification)
    order = plan(decision(disk()), dataclasses.replace(remedy, verification=patient))
    assert order.deadline_s == trusted_order.MAX_DEADLINE_S  # else no poll could seal it


def test_no_order_comes_of_a_decision_that_permits_none():
    with pytest.raises(planning.NothingToPlan):
        plan(decision(disk(), frozen=True), approved=True)
    asked = decision(disk(), record=PROVEN)
    with pytest.raises(planning.NothingToPlan):
        plan(asked)
    assert plan(asked, approved=True).dry_run is False
    with pytest.raises(planning.NothingToPlan):
        plan(decision(disk()), cases.LIBRARY.playbooks[1])


def test_a_dry_run_is_ordered_as_one():
    made = decision(disk(), record=TrackRecord())
    assert made.route is Route.DRY_RUN
    assert plan(made).dry_run


def test_evidence_without_a_sample_is_still_evidence():
    found = evidence.assemble(
        cases.incident(cases.anomaly("system.cpu_percent")), cases.NOW, sample=None
    )
    assert found.top_processes == ()
    assert decision(found).route is Route.ESCALATE  # no process is known
