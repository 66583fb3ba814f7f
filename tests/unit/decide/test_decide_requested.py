"""A request by name chooses; it never permits more than the rules do, and never as much."""

import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentienguard.model.anomaly import Ground, Requested
from sentienguard.model.decision import Route
from sentienguard.model.playbook import Parameter, ParamType, Risk
from sentienguard.stages.decide import decide, policy, requested
from sentienguard.stages.decide.facts import TrackRecord
from sentienguard.stages.decide.matching import Library
from sentienguard.stages.decide.settings import DecideSettings
from tests.support import decide_cases as cases

NAME = "disk_cleanup_rotated_logs"
BOOK = next(one for one in cases.LIBRARY.playbooks if one.name == NAME)
PERFECT = TrackRecord(verified=100_000, proven_runs=100, proven_verified=100)


def asked(**changes):
    given_ = {
        "by": "pat", "role": "administrator", "address": "127.0.0.1", "playbook": BOOK.name,
        "digest": BOOK.digest, "parameters": {"mount": "/srv"}, "dry_run": False, "note": "",
    }  # fmt: skip
    return Requested(**(given_ | changes))


def decided(request, *, library=cases.LIBRARY, record=PERFECT, settings=None, **circumstances):
    found = cases.evidence("playbook.requested", NAME)
    anomaly = replace(found.anomaly, ground=Ground.REQUEST, request=request)
    return decide.decide(
        replace(found, anomaly=anomaly, environment="drill"),
        library,
        lambda _: record,
        replace(cases.CLEAR, **circumstances),
        settings or DecideSettings(),
    )


def test_what_would_run_alone_is_asked_about_when_a_person_asks_for_it():
    made = decided(asked())
    assert (made.route, made.playbook) == (Route.ASK, NAME)
    assert made.parameters == {"mount": "/srv", "older_than": "7d"}


def test_no_settings_let_a_request_run_alone():
    generous = DecideSettings(
        run_from=0.0, run_and_verify_from=0.0, ask_from=0.0, dry_run_from=0.0, autonomy_successes=0
    )
    assert decided(asked(), settings=generous).route is Route.ASK


def test_a_dry_run_stays_one():
    assert decided(asked(dry_run=True)).route is Route.DRY_RUN


CASES = [
    ({"frozen": True}, {}, Route.ESCALATE),
    ({"maintenance": True}, {}, Route.ESCALATE),
    ({"silenced": True}, {}, Route.ESCALATE),
    ({"audit_healthy": False}, {}, Route.ESCALATE),
    ({"fleet_starts_last_hour": 1_000}, {}, Route.ESCALATE),
    ({}, {"record": TrackRecord()}, Route.DRY_RUN),  # it starts in shadow
    ({}, {"record": replace(PERFECT, failures_in_row=2)}, Route.ESCALATE),
    ({}, {"record": TrackRecord(verified=5, failed=20)}, Route.ESCALATE),
]


@pytest.mark.parametrize(("circumstances", "more", "route"), CASES)
def test_every_rule_judges_it_like_any_other(circumstances, more, route):
    assert decided(asked(), **more, **circumstances).route is route
    dry = decided(asked(dry_run=True), **more, **circumstances).route
    assert dry is min(route, Route.DRY_RUN)


def test_a_playbook_that_left_the_library_is_not_run_under_its_name():
    other = replace(BOOK, digest=cases.playbook("another").digest)
    made = decided(asked(), library=Library([other]))
    assert (made.route, made.playbook) == (Route.ESCALATE, None)
    assert decided(asked(playbook="inode_cleanup_sessions")).route is Route.ESCALATE


@pytest.mark.parametrize(
    ("parameters", "missing"),
    [
        ({}, ("mount",)),
        ({"mount": ""}, ("mount",)),
        ({"mount": "/srv", "force": "1"}, ("force",)),
        ({"mount": "/srv", "older_than": "soon"}, ("older_than",)),
    ],
)
def test_a_parameter_that_cannot_stand_goes_to_people(parameters, missing):
    assert requested.given(BOOK, asked(parameters=parameters)).missing == missing
    assert decided(asked(parameters=parameters)).route is Route.ESCALATE


LEVEL = Parameter("level", ParamType.INTEGER, minimum=1, maximum=9)


@pytest.mark.parametrize(
    ("parameter", "value", "right"),
    [
        (LEVEL, "9", True), (LEVEL, "10", False), (LEVEL, "-1", False), (LEVEL, "1.5", False),
        (LEVEL, "\N{ARABIC-INDIC DIGIT ONE}", False), (LEVEL, "1" * 20, False),
        (Parameter("mode", ParamType.ENUM, choices=("soft",)), "soft", True),
        (Parameter("mode", ParamType.ENUM, choices=("soft",)), "hard", False),
        (Parameter("share", ParamType.PERCENT), "101%", False),
        (Parameter("age", ParamType.DURATION, minimum=60, maximum=3600), "5m", True),
        (Parameter("age", ParamType.DURATION, minimum=60, maximum=3600), "5d", False),
    ],
)  # fmt: skip
def test_values_stay_inside_what_was_signed(parameter, value, right):
    assert requested.fits(parameter, value) is right


FLAGS = [dict(zip(("frozen", "maintenance", "silenced"), flags, strict=True))
         for flags in itertools.product((False, True), repeat=3)]  # fmt: skip


@given(
    st.sampled_from(FLAGS),
    st.sampled_from(list(Risk)),
    st.booleans(),
    st.booleans(),
    st.builds(TrackRecord, verified=st.integers(0, 50), failed=st.integers(0, 9),
              harmful=st.integers(0, 2), dry_runs=st.integers(0, 9),
              failures_in_row=st.integers(0, 3)),
)  # fmt: skip
def test_a_request_permits_at_most_what_the_rules_do_and_never_more_than_asking(
    flags, risk, gate, idempotent, record
):
    book = replace(BOOK, risk=risk, approval_required=gate, idempotent=idempotent)
    made = decided(asked(), library=Library([book]), record=record, **flags)
    by_rule = {one.rule: one.route for one in made.verdicts}
    assert set(by_rule) == {rule.__name__ for rule in policy.RULES} | {"requested"}
    assert made.route is min(by_rule.values())
    assert made.route <= Route.ASK
