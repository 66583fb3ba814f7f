"""Disagreement and cures that did not hold lower the confidence, and nothing here raises it."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentienguard.model import ids
from sentienguard.model.evidence import Blame, Diagnosis, PastIncident
from sentienguard.stages.decide import confidence, meaning
from sentienguard.stages.decide.facts import TrackRecord
from sentienguard.stages.decide.settings import DecideSettings
from tests.support import decide_cases as cases

DISK = "system.disk_usage_percent"
CLEAN = "disk_cleanup_rotated_logs"
KNOWN = cases.evidence(DISK, "/var")
RANKED = cases.LIBRARY.rank(meaning.of_evidence(KNOWN), None)


def sure(known, record=cases.TRUSTED):
    return confidence.estimate(RANKED, record, "production", DecideSettings(), known)


def item(found, name):
    return next((one.value for one in found.items if one.name == name), None)


def blamed(severity, *, here=False):
    blame = Blame("service:db", ("db-1",), severity, is_here=here)
    return replace(KNOWN, diagnosis=Diagnosis(None, None, blame))


def past(*minutes_ago, playbook=CLEAN, outcome="resolved"):
    found = [
        PastIncident(
            ids.IncidentId(f"inc_{ago}"), cases.NOW - timedelta(minutes=ago), playbook, outcome
        )
        for ago in minutes_ago
    ]
    return replace(KNOWN, similar=tuple(found))


def later(value):
    return replace(KNOWN, recent=((cases.NOW, 98.0), (cases.NOW + timedelta(seconds=30), value)))


PLAIN = sure(KNOWN)


def test_where_nothing_disagrees_it_is_what_it_was():
    assert sure(None) == PLAIN
    assert [one.name for one in PLAIN.items] == ["right_one", "works"]


def test_the_surer_a_cause_elsewhere_the_lower_and_it_is_itemised():
    values = [sure(blamed(severity)).value for severity in (0.0, 0.3, 0.6, 1.0)]
    assert values == sorted(values, reverse=True)
    assert len(set(values)) == 4
    assert item(sure(blamed(1.0)), "agreement") < 1
    assert sure(blamed(1.0, here=True)) == PLAIN


@pytest.mark.parametrize(("value", "falls"), [(98, False), (90, False), (60, True), (40, True)])
def test_a_reading_that_went_back_by_itself_is_a_doubt(value, falls):
    assert (sure(later(value)).value < PLAIN.value) is falls


def test_only_readings_after_the_anomaly_are_compared():
    before = replace(KNOWN, recent=((cases.NOW - timedelta(minutes=5), 40.0), (cases.NOW, 98.0)))
    assert sure(before) == PLAIN


@pytest.mark.parametrize(
    ("known", "holds"),
    [
        (past(30), 60 / 61),  # the last cure held half an hour
        (past(61), None),
        (past(30, 60), 60 / 62),
        (past(30, 900), 61 / 62),
        (past(30, playbook="another"), None),
        (past(30, outcome="escalated"), None),
        (past(30, 85, outcome="self_recovered"), None),
    ],
)
def test_a_cure_after_which_the_symptom_was_back_did_not_hold(known, holds):
    found = sure(known)
    assert item(found, "holds") == (None if holds is None else pytest.approx(holds, abs=1e-6))
    assert found.value == pytest.approx(PLAIN.value * (holds or 1), abs=1e-5)


def test_a_fault_that_is_back_once_or_twice_is_acted_on_as_the_first_time():
    trusted = TrackRecord(verified=40)
    for known in (past(30), past(20, 40)):
        assert sure(known, trusted).value >= 0.9  # below it a person is asked


def test_a_drill_puts_its_fault_back_on_purpose():
    again = past(*range(5, 60, 5))
    settings = DecideSettings()
    drill = confidence.estimate(RANKED, cases.TRUSTED, settings.drill_environment, settings, again)
    assert item(drill, "holds") is None


def test_what_something_else_explains_is_said_and_counts_for_nothing():
    with_it = sure(KNOWN, TrackRecord(verified=4, explained=9))
    without = sure(KNOWN, TrackRecord(verified=4))
    assert with_it.value == without.value
    assert "9 recoveries count for nothing" in with_it.items[1].because


@given(
    st.floats(0, 1),
    st.booleans(),
    st.lists(st.integers(1, 5000), max_size=6),
    st.floats(allow_nan=True, allow_infinity=True),
)
def test_nothing_of_it_ever_raises_the_confidence(severity, here, ago, reading):
    known = replace(
        blamed(severity, here=here),
        similar=past(*sorted(ago)).similar,
        recent=later(reading).recent,
    )
    found = sure(known)
    assert 0 <= found.low <= found.value <= PLAIN.value
    assert found.high <= PLAIN.high
