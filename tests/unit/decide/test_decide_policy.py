"""Each rule holds the route down where it must; no rule, added or real, ever permits more."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentienguard.model.decision import Confidence, Route, Verdict
from sentienguard.model.playbook import Risk
from sentienguard.stages.decide import policy, routing
from sentienguard.stages.decide.facts import Circumstances, PolicyFacts, TrackRecord
from sentienguard.stages.decide.settings import DecideSettings
from tests.support import decide_cases as cases

DISK = cases.LIBRARY.playbooks[0]


def facts(**more):
    given_facts = {
        "host": "web-01",
        "environment": "production",
        "tags": {},
        "playbook": DISK,
        "confidence": Confidence(0.97, 0.9, 0.99, ()),
        "missing": (),
        "record": cases.TRUSTED,
        "circumstances": cases.CLEAR,
    }
    return PolicyFacts(**(given_facts | more))


def decided(found):
    return routing.route(policy.judge(found))


def confident(value):
    return {"confidence": Confidence(value, value, value, ())}


def now(**more):
    return {"circumstances": replace(cases.CLEAR, **more)}


def remedy(**more):
    return {"playbook": replace(DISK, **more)}


def test_with_nothing_against_it_a_trusted_playbook_runs():
    assert decided(facts()) is Route.RUN


# Removing any one rule from the policy makes at least one of these rows fail.
@pytest.mark.parametrize(
    ("changed", "rule", "expected"),
    [
        ({"playbook": None}, "match", Route.ESCALATE),
        ({"confidence": None}, "confidence", Route.ESCALATE),
        (confident(0.95), None, Route.RUN),
        (confident(0.949), "confidence", Route.RUN_AND_VERIFY),
        (confident(0.90), "confidence", Route.RUN_AND_VERIFY),
        (confident(0.899), "confidence", Route.ASK),
        (confident(0.80), "confidence", Route.ASK),
        (confident(0.799), "confidence", Route.DRY_RUN),
        (confident(0.70), "confidence", Route.DRY_RUN),
        (confident(0.699), "confidence", Route.ESCALATE),
        (confident(float("nan")), "confidence", Route.ESCALATE),
        (remedy(risk=Risk.WARNING), "risk", Route.RUN_AND_VERIFY),
        (remedy(risk=Risk.CRITICAL), "risk", Route.ASK),
        (remedy(approval_required=True), "approval_gate", Route.ASK),
        (remedy(idempotent=False), "idempotence", Route.ASK),
        ({"environment": "elsewhere"}, "environment", Route.ESCALATE),
        ({"host": "db.VAULT.internal"}, "exclusions", Route.ESCALATE),
        (now(maintenance=True), "maintenance", Route.ESCALATE),
        ({"tags": {"maintenance_mode": "true"}}, "maintenance", Route.ESCALATE),
        ({"tags": {"maintenance_mode": "false"}}, None, Route.RUN),
        (now(doubted=True), "identity", Route.ESCALATE),
        (now(silenced=True), "silence", Route.ESCALATE),
        (now(forecast=True), "forecast", Route.ESCALATE),
        ({"tags": {"do-not-remediate": "since Tuesday"}}, "do_not_remediate", Route.ESCALATE),
        ({"record": TrackRecord()}, "earned_autonomy", Route.DRY_RUN),
        ({"record": TrackRecord(dry_runs=3)}, "earned_autonomy", Route.ASK),
        ({"record": TrackRecord(verified=4)}, "earned_autonomy", Route.ASK),
        ({"record": TrackRecord(verified=5)}, None, Route.RUN),
        ({"record": TrackRecord(verified=50, harmful=1)}, "earned_autonomy", Route.ASK),
        (
            {"record": TrackRecord(proven_runs=20, proven_verified=20)},
            "earned_autonomy",
            Route.ASK,
        ),
        (
            {
                "record": TrackRecord(proven_runs=20, proven_verified=20),
                "environment": "drill",
            },
            None,
            Route.RUN,
        ),
        (
            {
                "record": TrackRecord(proven_runs=20, proven_verified=17),
                "environment": "drill",
            },
            "earned_autonomy",
            Route.DRY_RUN,
        ),
        (now(service_starts_last_hour=4), "service_budget", Route.ASK),
        (now(fleet_starts_last_hour=20), "fleet_budget", Route.ESCALATE),
        (
            {"record": TrackRecord(verified=50, failures_in_row=2)},
            "circuit_breaker",
            Route.ESCALATE,
        ),
        (
            {"record": TrackRecord(verified=50, failures_on_host=2)},
            "circuit_breaker",
            Route.ESCALATE,
        ),
        (now(frozen=True), "freeze", Route.ESCALATE),
        (now(already_ran=frozenset({DISK.name})), "once", Route.ESCALATE),
        ({"missing": ("mount",)}, "parameters", Route.ESCALATE),
        (now(audit_healthy=False), "audit", Route.ESCALATE),
    ],
)
def test_what_speaks_against_it_holds_it_down(changed, rule, expected):
    verdicts = policy.judge(facts(**changed))
    assert routing.route(verdicts) is expected
    if rule is not None:
        assert rule in {one.rule for one in verdicts if one.route is expected}


def test_circumstances_that_nobody_looked_at_permit_nothing():
    assert decided(facts(circumstances=Circumstances(frozenset({"production"})))) is Route.ESCALATE


ROUTES = st.sampled_from(Route)
SOME_FACTS = st.builds(
    facts,
    environment=st.sampled_from(["production", "drill", "unknown"]),
    host=st.sampled_from(["web-01", "a.vault.b"]),
    tags=st.dictionaries(
        st.sampled_from(["maintenance_mode", "do_not_remediate", "x"]), st.text(max_size=5)
    ),
    playbook=st.one_of(
        st.none(),
        st.builds(
            replace,
            st.just(DISK),
            risk=st.sampled_from(Risk),
            approval_required=st.booleans(),
            idempotent=st.booleans(),
        ),
    ),
    confidence=st.one_of(
        st.none(),
        st.floats(0, 1).map(lambda value: Confidence(value, value, value, ())),
    ),
    missing=st.sampled_from([(), ("mount",)]),
    record=st.builds(
        TrackRecord,
        verified=st.integers(0, 10),
        harmful=st.integers(0, 1),
        failures_in_row=st.integers(0, 3),
        proven_runs=st.just(10),
        proven_verified=st.integers(0, 10),
    ),
    circumstances=st.builds(
        Circumstances,
        st.just(frozenset({"production", "drill"})),
        frozen=st.booleans(),
        audit_healthy=st.booleans(),
        maintenance=st.booleans(),
        doubted=st.booleans(),
        service_starts_last_hour=st.integers(0, 6),
        fleet_starts_last_hour=st.integers(0, 25),
    ),
)


@pytest.mark.property
@given(SOME_FACTS, ROUTES)
def test_adding_any_rule_never_permits_more(found, route):
    def another(_):
        return Verdict("another", route, "generated")

    assert routing.route(policy.judge(found, (*policy.RULES, another))) <= decided(found)


@pytest.mark.property
@given(SOME_FACTS, st.sampled_from(policy.RULES))
def test_removing_a_real_rule_never_permits_less(found, rule):
    rest = tuple(one for one in policy.RULES if one is not rule)
    assert routing.route(policy.judge(found, rest)) >= decided(found)


@pytest.mark.property
@given(SOME_FACTS)
def test_the_route_is_never_more_than_any_rule_allows(found):
    verdicts = policy.judge(found)
    assert len({one.rule for one in verdicts}) == len(policy.RULES)
    assert all(routing.route(verdicts) <= one.route and one.reason for one in verdicts)


def test_no_rules_permit_nothing():
    assert routing.route(policy.judge(facts(), ())) is Route.ESCALATE


def test_the_owner_can_move_the_line_of_autonomy():
    eager = DecideSettings(autonomy_successes=1)
    assert decided(facts(record=TrackRecord(verified=1), settings=eager)) is Route.RUN
