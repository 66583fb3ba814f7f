"""What a host has used of its hourly budgets, from what it signed."""

from dataclasses import dataclass, replace
from datetime import timedelta

import pytest

from sentienguard.flow import host_budgets
from sentienguard.model.ids import PlaybookName
from sentienguard.model.order import OrderStatus
from sentienguard.ports.order_store import KeptOrder
from tests.contract import stores_nouns as nouns

NOW = nouns.later(7200)
MINUTE = timedelta(minutes=1)
CLEAN = nouns.order(1).playbook


def kept(number, *, minutes, report=True, waits=0.0, **changes):
    """Give an order that began so many minutes ago, handed over `waits` minutes before."""
    order = replace(nouns.order(number), **changes)
    began = NOW - minutes * MINUTE
    handed = began - waits * MINUTE
    told = replace(nouns.report(order), started_at=began) if report else None
    status = OrderStatus.FINISHED if report else OrderStatus.ADMITTED
    return KeptOrder(order, status, handed, handed, None, told, None)


@dataclass
class Orders:
    rows: tuple

    def begun_on(self, agent, *, since):
        assert agent == nouns.AGENT
        return [one for one in self.rows if one.delivered_at >= since]


@dataclass
class Centre:
    orders: Orders


def used(*rows, seen=NOW):
    agent = replace(nouns.agent(), id=nouns.AGENT, last_seen=seen)
    return host_budgets.of_host(Centre(Orders(rows)), agent, NOW)


def test_starts_are_counted_by_name_whatever_the_version_and_all_together():
    other = PlaybookName("service_restart_hung")
    found = used(
        kept(1, minutes=1),
        kept(2, minutes=59, version="9.9.9"),
        kept(3, minutes=5, playbook=other),
    )
    assert found.starts == {CLEAN: 2, other: 1}
    assert found.every == 3


@pytest.mark.parametrize(("minutes", "counted"), [(59.9, 1), (60, 0), (60.1, 0), (90, 0)])
def test_the_hour_is_that_of_the_start(minutes, counted):
    assert used(kept(1, minutes=minutes)).every == counted
    assert used(kept(1, minutes=minutes, waits=30)).every == counted


def test_a_dry_run_uses_nothing():
    assert used(kept(1, minutes=1, dry_run=True)).every == 0


def test_what_still_runs_counts_from_when_the_host_had_it():
    assert used(kept(1, minutes=10, report=False)).starts == {CLEAN: 1}


def test_how_old_the_figure_is_comes_with_it():
    assert used(seen=NOW - MINUTE).heard_at == NOW - MINUTE
    assert used(seen=None) == host_budgets.Used(None, {})
