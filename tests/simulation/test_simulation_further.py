"""Worlds in which hosts rule remedies out: incidents are decided again, and no rule is broken."""

import pytest

from sentienguard.flow import incident as flow
from sentienguard.model.order import ExecutionOutcome
from sentienguard.simulation import remedies, scheduler, search, watch, world
from tests.support import effort
from tests.unit.flow.test_flow_incident import order

# Seed 28 sets the centre's clock back between two questions of one incident: it took the answer to
# the first for one to the second, and waited for ever. Seed 1641 asks for an incident's entries
# after the disk refused one of them.
SEEDS = effort.pick([*range(20, 50), 1641], thorough=range(3_000))


@pytest.mark.timeout(effort.pick(120, thorough=3_600))
def test_no_seed_breaks_a_rule_where_hosts_rule_remedies_out():
    with remedies.two_against_hung():
        found = search.search(SEEDS, world.SHORT)
    assert not [
        f"seed {one.seed}, step {each.step}: {each.rule}: {each.detail}"
        for one in found.failed
        for each in one.violations
    ]
    assert found.tally["decided again"] >= 3
    assert len(remedies.signed().parsed) == len(remedies.ILLS)


@pytest.mark.parametrize(
    ("ended", "acted", "is_broken"),
    [
        (ExecutionOutcome.ABORTED, False, False),
        (ExecutionOutcome.ABORTED, True, True),
        (ExecutionOutcome.ROLLED_BACK, False, True),
        (ExecutionOutcome.UNKNOWN, False, True),
        (None, False, True),  # it is under way
    ],
)
def test_another_order_after_one_that_did_something_is_found(ended, acted, is_broken):
    judge = watch.Watch(scheduler.Scheduler(lambda *_: None))
    first, second = order("ord_1"), order("ord_2")
    judge.released(first)
    judge.hosts["host-1"].admitted.add(first.id)
    if ended is not None:
        judge.hosts["host-1"].finished[first.id] = ended
    if acted:
        judge.effect("host-1", None, first.id, "step0")
    judge.released(second)
    assert any("followed by another" in one.detail for one in judge.violations) is is_broken


def test_more_orders_than_decisions_are_allowed_is_found():
    judge = watch.Watch(scheduler.Scheduler(lambda *_: None))
    for number in range(2 + flow.MOST_FURTHER):
        assert not any(one.rule == "I5" for one in judge.violations)
        judge.released(order(f"ord_{number}"))
    assert any(one.rule == "I5" for one in judge.violations)
