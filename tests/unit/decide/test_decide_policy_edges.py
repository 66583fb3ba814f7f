"""What lies right beside each line of the policy, and a short comparison with a second one.

The long comparison is tests/kernel/test_kernel_policy.py.
"""

import random

import pytest

from sentienguard.model.decision import Route
from sentienguard.model.evidence import Blame
from sentienguard.stages.decide import policy, routing
from sentienguard.stages.decide.facts import TrackRecord
from tests.support import policy_facts, second_policy
from tests.unit.decide.test_decide_policy import decided, facts, now


def verdict(name, found):
    return next(one.route for one in policy.judge(found) if one.rule == name)


@pytest.mark.parametrize("tag", ["maintenance_mode", "maintenance"])
@pytest.mark.parametrize("value", ["1", "yes", "since Tuesday", "n", "00"])
def test_a_tag_that_is_not_clearly_false_counts(tag, value):
    assert verdict("maintenance", facts(tags={tag: value})) is Route.ESCALATE


@pytest.mark.parametrize("tag", ["do_not_remediate", "do-not-remediate"])
@pytest.mark.parametrize("value", ["", " ", "0", "false", "FALSE", "no", "No ", "off", "\toff\n"])
def test_a_tag_that_is_clearly_false_does_not_count(tag, value):
    assert decided(facts(tags={tag: value})) is Route.RUN


@pytest.mark.parametrize(
    ("record", "environment", "expected"),
    [
        (TrackRecord(proven_runs=1, proven_verified=1), "drill", Route.RUN),
        (TrackRecord(proven_runs=20, proven_verified=18), "drill", Route.RUN),
        (TrackRecord(proven_runs=20, proven_verified=17), "drill", Route.DRY_RUN),
        (TrackRecord(proven_runs=0, proven_verified=0), "drill", Route.DRY_RUN),
        (TrackRecord(proven_runs=20, proven_verified=20), "another", Route.ASK),
        (TrackRecord(proven_runs=20, proven_verified=20), "production", Route.ASK),
        (TrackRecord(dry_runs=2), "drill", Route.DRY_RUN),
        (TrackRecord(dry_runs=3), "drill", Route.ASK),
        (TrackRecord(dry_runs=4), "drill", Route.ASK),
        (TrackRecord(verified=1), "drill", Route.ASK),
        (TrackRecord(verified=6), "drill", Route.RUN),
        (TrackRecord(verified=6, harmful=2), "drill", Route.ASK),
    ],
)
def test_autonomy_is_earned_step_by_step(record, environment, expected):
    assert verdict("earned_autonomy", facts(record=record, environment=environment)) is expected


@pytest.mark.parametrize(
    ("rule", "name", "starts", "expected"),
    [
        ("service_budget", "service_starts_last_hour", 3, Route.RUN),
        ("service_budget", "service_starts_last_hour", 5, Route.ASK),
        ("fleet_budget", "fleet_starts_last_hour", 19, Route.RUN),
        ("fleet_budget", "fleet_starts_last_hour", 21, Route.ESCALATE),
    ],
)
def test_a_spent_budget_stays_spent(rule, name, starts, expected):
    assert verdict(rule, facts(**now(**{name: starts}))) is expected


@pytest.mark.parametrize(("here", "anywhere"), [(1, 0), (0, 1), (1, 1)])
def test_one_failure_does_not_break_the_circuit(here, anywhere):
    record = TrackRecord(verified=9, failures_on_host=here, failures_in_row=anywhere)
    assert decided(facts(record=record)) is Route.RUN


@pytest.mark.parametrize(("here", "anywhere"), [(2, 0), (0, 2), (3, 0), (0, 9)])
def test_two_failures_break_the_circuit_on_the_host_or_in_the_environment(here, anywhere):
    record = TrackRecord(verified=9, failures_on_host=here, failures_in_row=anywhere)
    assert verdict("circuit_breaker", facts(record=record)) is Route.ESCALATE


@pytest.mark.property
def test_a_second_policy_decides_the_same():
    chance = random.Random(7)
    for _ in range(1_500):
        found = policy_facts.some(chance)
        verdicts = policy.judge(found)
        assert {one.rule: int(one.route) for one in verdicts} == second_policy.heights(found)
        assert routing.route(verdicts) == second_policy.route(found)


@pytest.mark.parametrize(
    ("confidence", "here", "expected"),
    [
        (0.49, False, Route.RUN),
        (0.5, False, Route.ASK),
        (1.0, False, Route.ASK),
        (1.0, True, Route.RUN),
    ],
)
def test_a_cause_elsewhere_asks_from_its_line_on(confidence, here, expected):
    blame = Blame("host:db-1", ("db-1",), confidence, is_here=here)
    assert verdict("diagnosis", facts(blame=blame)) is expected
