"""A person stops an order: before a host was handed it, after that, and after its end."""

import pytest

from sentienguard.flow import stopping
from sentienguard.model.ids import OrderId
from sentienguard.model.order import ExecutionOutcome, OrderStatus
from tests.unit.flow.test_flow_departures import Left
from tests.unit.flow.test_flow_incident import order

WHY = {"note": "wrong host", "ip_address": "192.0.2.7"}


@pytest.fixture
def site():
    return Left()


def stop(site, name="ord_1", by="pat"):
    return stopping.stop(site, site.orders.get(OrderId(name)), by=by, data=WHY)


def recorded(site):
    return [one for one in site.log.recorded if one.kind == "order.stop"]


def test_an_order_that_no_host_was_handed_is_taken_back_and_never_delivered(site):
    site.released("ord_1")
    assert stop(site)
    assert site.status("ord_1") is OrderStatus.WITHDRAWN
    answer = site.asked()
    assert (answer.order, answer.stop) == (None, None)
    [((incident, key), event)] = site.told.items()
    assert (incident, key) == (order().incident, "ended/ord_1")
    assert event.outcome is ExecutionOutcome.ABORTED
    assert event.reason == (
        "stopped by pat before a host was handed the order: it was taken back, and nothing ran"
    )
    [entry] = recorded(site)
    assert (entry.actor, entry.key, entry.data["note"]) == ("pat", "ord_1/stop", "wrong host")
    assert entry.data["order_id"] == "ord_1"


def test_one_that_was_handed_over_is_asked_to_stop_and_its_host_says_how_it_ended(site):
    site.released("ord_1")
    site.given()
    assert stop(site)
    assert site.status("ord_1") is OrderStatus.DELIVERED
    assert site.told == {}
    assert site.rung == ["a"]
    assert site.asked(busy="ord_1").stop["by"] == "pat"
    assert len(recorded(site)) == 1


def test_one_that_is_handed_over_in_that_moment_is_stopped_there(site):
    site.released("ord_1")
    looked = site.orders.get(OrderId("ord_1"))
    site.given()
    assert stopping.stop(site, looked, by="pat", data=WHY)
    assert site.told == {}
    assert site.asked(busy="ord_1").stop["by"] == "pat"


def test_what_has_ended_or_was_taken_back_is_not_stopped(site):
    site.released("ord_1", "ord_2")
    assert stop(site, "ord_2")
    assert not stop(site, "ord_2")
    site.given()
    site.orders.refused(OrderId("ord_1"), because="full")
    assert not stop(site)
    assert [one.key for one in recorded(site)] == ["ord_2/stop"]
    assert len(site.told) == 1
