"""What becomes of the orders of a host that was struck off, over pretended stores."""

import dataclasses
from types import SimpleNamespace

import pytest

from sentienguard.flow import departures, incident_work
from sentienguard.flow import incident as flow
from sentienguard.model.ids import AgentId, OrderId
from sentienguard.model.order import ExecutionOutcome, OrderStatus
from tests.unit.flow.test_flow_dispatch import NOW, Site, a_host
from tests.unit.flow.test_flow_incident import order


class Left(Site):
    """A site whose incidents are told things."""

    def __init__(self):
        super().__init__()
        self.settings = SimpleNamespace(fleet_budget_per_hour=20)
        self.told, self.rung, self.closed = {}, [], set()
        self.incidents = SimpleNamespace(unfinished=self._unfinished)
        self.bells = SimpleNamespace(ring=self.rung.append)

    def _unfinished(self, agent):
        kept = [*self.orders.waiting(agent), *self.orders.under_way(agent)]
        found = {one.order.incident for one in kept} - self.closed
        return [SimpleNamespace(id=one) for one in found]

    def tell(self, incident, event, *, key):
        self.told.setdefault((incident, key), event)

    def end(self, agent="a"):
        return departures.end_orders(self, a_host(agent))

    def ends(self):
        return {key: event.outcome for (_, key), event in self.told.items()}


@pytest.fixture
def site():
    return Left()


def test_an_order_that_nobody_fetched_is_taken_back_and_its_incident_told_at_once(site):
    site.released("ord_1")
    assert site.end() == 1
    assert site.status("ord_1") is OrderStatus.WITHDRAWN
    assert site.ends() == {"ended/ord_1": ExecutionOutcome.REFUSED}
    [event] = site.told.values()
    assert "struck off before it fetched the order" in event.reason


@pytest.mark.parametrize("admitted", [False, True])
def test_one_that_was_delivered_ends_as_nobody_knows_how(site, admitted):
    site.released("ord_1")
    site.given()
    if admitted:
        site.orders.admitted(OrderId("ord_1"))
    assert site.end() == 1
    assert site.ends() == {"ended/ord_1": ExecutionOutcome.UNKNOWN}
    [event] = site.told.values()
    assert "look at it before acting" in event.reason


def test_other_hosts_keep_theirs(site):
    site.released("ord_1", agent="b")
    assert (site.end(), site.ends()) == (0, {})
    assert site.status("ord_1") is OrderStatus.RELEASED


def test_what_the_host_said_before_and_what_is_closed_stand(site):
    site.released("ord_1")
    site.given()
    site.orders.refused(OrderId("ord_1"), because="full")
    site.released("ord_2")
    site.closed.add(order().incident)
    assert (site.end(), site.ends()) == (0, {})


def test_twice_is_once(site):
    site.released("ord_1")
    site.end()
    told = dict(site.told)
    site.end()
    assert site.told == told


@pytest.mark.parametrize("struck", [False, True])
def test_a_release_to_a_host_that_was_struck_off_meanwhile_ends_at_once(site, struck):
    if struck:
        struck_off = dataclasses.replace(a_host(), struck_off=NOW)
        site.agents = SimpleNamespace(get=lambda _: struck_off)
    work = incident_work.IncidentWork(site, None)
    wanted = dataclasses.replace(order("ord_1"), agent=AgentId("a"))
    for _ in range(2):  # a crash before its end was recorded performs it again
        answer = work.release(flow.Release(wanted))
        assert isinstance(answer, flow.OrderEnded if struck else flow.Released)
    status = OrderStatus.WITHDRAWN if struck else OrderStatus.RELEASED
    assert site.status("ord_1") is status
    assert site.rung == ([] if struck else ["a", "a"])


def test_the_machine_sends_such_an_order_s_incident_to_people():
    wanted = order("ord_1")
    life = flow.Life(wanted.incident, flow.Status.MITIGATING, flow.Release(wanted), order=wanted)
    ended = flow.OrderEnded(NOW, wanted.id, ExecutionOutcome.REFUSED, "struck off")
    after, turn = flow.advance(life, ended)
    assert after.status is flow.Status.CLOSED
    [close] = turn.deeds
    assert (close.outcome, close.escalate) == (flow.Outcome.ESCALATED, True)
