"""The fleet's budget at the release, whatever was decided and approved before."""

import dataclasses
from datetime import timedelta
from types import SimpleNamespace

import pytest

from sentienguard.flow import incident as flow
from sentienguard.flow import incident_work
from sentienguard.model.decision import Route
from sentienguard.model.ids import AgentId, IncidentId, OrderId
from sentienguard.model.incident import Outcome, Status
from sentienguard.model.order import ExecutionOutcome
from tests.unit.flow.test_flow_departures import Left
from tests.unit.flow.test_flow_dispatch import NOW
from tests.unit.flow.test_flow_incident import approval, order


def an_order(number):
    return dataclasses.replace(
        order(f"ord_{number}"), incident=IncidentId(f"inc_{number}"), agent=AgentId("a")
    )


@pytest.fixture
def site():
    made = Left()
    made.settings = SimpleNamespace(fleet_budget_per_hour=20)
    return made


def work_on(site):
    return incident_work.IncidentWork(site, deciding=None)


def approved(number):
    """Return an incident that was asked about when nothing had started, and approved later."""
    wanted = an_order(number)
    life = flow.Life(wanted.incident, Status.ANALYZING, flow.Decide())
    asked = flow.Decided(NOW, Route.ASK, "a person decides", wanted, approval())
    life, _ = flow.advance(life, asked)
    return flow.advance(life, flow.Answered(True, "ann"))


def test_a_hundred_incidents_that_wait_for_a_yes_release_no_more_than_the_budget(site):
    work, outcomes = work_on(site), []
    for number in range(100):
        life, turn = approved(number)
        assert isinstance(turn.then, flow.Release)
        event = work.release(turn.then)
        life, turn = flow.advance(life, event)
        outcomes.append((type(event), life.status))
    assert outcomes[:20] == [(flow.Released, Status.MITIGATING)] * 20
    assert outcomes[20:] == [(flow.OrderEnded, Status.CLOSED)] * 80
    assert site.orders.started_since(NOW, environment="drill") == 20
    assert site.counted["orders_released_total"] == 20


def test_one_without_room_goes_to_people_and_says_what_is_used_up(site):
    work = work_on(site)
    site.settings.fleet_budget_per_hour = 0
    life, turn = approved(1)
    event = work.release(turn.then)
    assert (event.order, event.outcome) == (OrderId("ord_1"), ExecutionOutcome.REFUSED)
    assert "0 of 0 orders" in event.reason
    _, turn = flow.advance(life, event)
    [close] = turn.deeds
    assert (close.outcome, close.escalate) == (Outcome.ESCALATED, True)
    assert "budget is used up" in close.summary
    assert site.rung == []


def test_a_release_that_a_crash_repeats_is_one_start_and_needs_no_second_room(site):
    site.settings.fleet_budget_per_hour = 1
    work = work_on(site)
    _, turn = approved(1)
    assert [type(work.release(turn.then)) for _ in range(2)] == [flow.Released] * 2


def test_there_is_room_again_an_hour_later(site):
    site.settings.fleet_budget_per_hour = 1
    work = work_on(site)
    ends = []
    for number, minutes in enumerate((0, 59, 61)):
        site.clock = SimpleNamespace(now=lambda passed=minutes: NOW + timedelta(minutes=passed))
        ends.append(type(work.release(flow.Release(an_order(number)))))
    assert ends == [flow.Released, flow.OrderEnded, flow.Released]
