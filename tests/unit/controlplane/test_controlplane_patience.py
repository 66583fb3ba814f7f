from dataclasses import replace
from datetime import timedelta

import pytest

from sentienguard.controlplane.loops import patience
from sentienguard.flow import incident as flow
from sentienguard.model.incident import Status
from tests.unit.flow.test_flow_incident import incident

LIMITS = patience.limits(timedelta(minutes=30))
WAITING = [Status.AWAITING_APPROVAL, Status.MITIGATING, Status.VERIFYING]


def standing(status):
    return replace(incident(), status=status)


@pytest.mark.parametrize("status", WAITING)
def test_an_incident_that_stands_longer_than_any_of_its_waits_is_overdue(status):
    watched, limit = patience.Patience(LIMITS), LIMITS[status].total_seconds()
    assert watched.overdue([standing(status)], 1000.0) == []
    assert watched.overdue([standing(status)], 1000.0 + limit) == []
    assert watched.overdue([standing(status)], 1001.0 + limit) == [standing(status)]


@pytest.mark.parametrize("status", [one for one in Status if one not in WAITING])
def test_what_does_not_wait_is_never_overdue(status):
    watched = patience.Patience(LIMITS)
    assert watched.overdue([standing(status)], 0.0) == []
    assert watched.overdue([standing(status)], 1e9) == []


def test_each_status_is_measured_anew_and_what_ended_is_forgotten():
    watched = patience.Patience(LIMITS)
    watched.overdue([standing(Status.AWAITING_APPROVAL)], 0.0)
    watched.overdue([standing(Status.MITIGATING)], 10_000.0)
    assert watched.overdue([standing(Status.AWAITING_APPROVAL)], 20_000.0) == []
    assert watched.overdue([], 30_000.0) == []


def test_a_limit_is_longer_than_the_wait_itself_which_ends_it_first():
    assert LIMITS[Status.AWAITING_APPROVAL] > timedelta(minutes=30)
    assert LIMITS[Status.VERIFYING] > max(flow.RECOVERY_PATIENCE, flow.ALERT_PATIENCE)
    assert LIMITS[Status.MITIGATING] > timedelta(seconds=86_400) + flow.DELIVERY_PATIENCE
