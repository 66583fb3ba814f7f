"""What may run on a host before anything is found: policy, less what an incident decides."""

from dataclasses import replace

import pytest

from sentienguard.model.decision import Confidence, Route
from sentienguard.model.playbook import Risk
from sentienguard.stages.decide import outlook, policy, routing
from sentienguard.stages.decide.facts import PolicyFacts, TrackRecord
from tests.support import decide_cases as cases

DISK = cases.LIBRARY.playbooks[0]


def facts(**more):
    given = {
        "host": "web-01",
        "environment": "production",
        "tags": {},
        "playbook": DISK,
        "confidence": None,
        "missing": (),
        "record": cases.TRUSTED,
        "circumstances": cases.CLEAR,
    }
    return PolicyFacts(**(given | more))


def test_every_rule_of_policy_is_either_asked_or_left_to_the_incident():
    assert {*outlook.HELD, *outlook.OPEN} == set(policy.RULES)
    assert not set(outlook.HELD) & set(outlook.OPEN)


@pytest.mark.parametrize(
    ("changed", "rule", "route"),
    [
        ({}, None, Route.RUN),
        ({"playbook": replace(DISK, risk=Risk.CRITICAL)}, "risk", Route.ASK),
        ({"playbook": replace(DISK, approval_required=True)}, "approval_gate", Route.ASK),
        ({"playbook": replace(DISK, exclusions=("web-*",))}, "exclusions", Route.ESCALATE),
        ({"environment": "nowhere"}, "environment", Route.ESCALATE),
        ({"tags": {"do_not_remediate": "yes"}}, "do_not_remediate", Route.ESCALATE),
        ({"record": TrackRecord()}, "earned_autonomy", Route.DRY_RUN),
        ({"circumstances": replace(cases.CLEAR, frozen=True)}, "freeze", Route.ESCALATE),
        ({"circumstances": replace(cases.CLEAR, maintenance=True)}, "maintenance", Route.ESCALATE),
    ],
)
def test_the_strictest_rule_decides(changed, rule, route):
    found = outlook.best([facts(**changed)])
    assert found.route is route
    if rule is not None:
        assert [one.rule for one in found.deciding] == [rule]


def test_of_several_kinds_of_target_the_one_with_the_best_record_counts():
    known = [facts(record=TrackRecord()), facts(), facts(record=TrackRecord(harmful=1))]
    assert outlook.best(known).route is Route.RUN


def test_no_incident_permits_more_than_its_outlook():
    sure = Confidence(0.99, 0.98, 1.0, ())
    for record in (TrackRecord(), TrackRecord(dry_runs=9), cases.TRUSTED):
        for risk in Risk:
            known = facts(record=record, playbook=replace(DISK, risk=risk))
            made = routing.route(policy.judge(replace(known, confidence=sure)))
            assert made <= outlook.best([known]).route


def test_an_outlook_needs_a_playbook():
    with pytest.raises(ValueError, match="found none"):
        outlook.best([facts(playbook=None)])
