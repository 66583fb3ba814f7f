"""Polls that are answered together: each gets what it would get alone, or its own refusal."""

import dataclasses
from collections import Counter
from datetime import timedelta

import pytest

from sentienguard.flow import dispatch
from sentienguard.model import errors
from sentienguard.model.ids import AgentId, OrderId
from sentienguard.model.order import OrderStatus
from sentienguard.model.window import Comparison, Matcher
from sentienguard.ports.agent_store import Agent
from sentienguard.ports.audit_log import AuditUnavailable, EntryRefused
from sentienguard.ports.switches import Freeze
from sentienguard.simulation.stores.orders import Orders
from tests.unit.flow.test_flow_dispatch import NOW, Log, Site, maintenance
from tests.unit.flow.test_flow_incident import order

NAMES = ("idle", "one", "two", "works", "stops", "doubted", "gone", "kept out", "took")


class Many(Site):
    """A host for each of the ways in which a poll can end."""

    def __init__(self):
        super().__init__()
        for name in NAMES:
            self.agents.add(host(name))
        for agent, *names in (
            ("one", "ord_1"), ("two", "ord_2a", "ord_2b"), ("works", "ord_3", "ord_3b"),
            ("stops", "ord_4"), ("doubted", "ord_5"), ("gone", "ord_6"), ("kept out", "ord_7"),
            ("took", "ord_8"),
        ):  # fmt: skip
            self.released(*names, agent=agent)
        for name in ("ord_3", "ord_4"):
            self.orders.delivered([OrderId(name)], at=NOW)
            self.orders.admitted(OrderId(name))
        self.orders.request_stop(OrderId("ord_4"), by="pat")
        self.orders.withdraw(OrderId("ord_8"))
        self.switches.add_window(maintenance(Matcher("host", Comparison.EQUAL, "host-kept out")))
        self.agents.add(dataclasses.replace(host("doubted"), quarantined="two may use it"))
        self.agents.add(dataclasses.replace(host("gone"), struck_off=NOW))

    def together(self, asked):
        return self.dispatch.answer_all(asked, self.dispatch.look())


def host(name):
    return Agent(AgentId(name), f"host-{name}", "drill", {}, f"pin-{name}", "key", NOW)


def poll(number, busy=None, tree_size=0):
    return dispatch.Poll(f"{number:032x}", busy, tree_size, None)


def asked_of_all():
    busy = {"works": "ord_3", "stops": "ord_4"}
    polls = [(host(name), poll(n, busy.get(name))) for n, name in enumerate(NAMES)]
    return [*polls, (host("two"), poll(20)), (host("two"), poll(21)), (host("one"), poll(22))]


@pytest.mark.parametrize("frozen", [None, Freeze(by="pat", at=NOW, reason="audit")])
def test_each_is_answered_what_it_would_be_alone(frozen):
    one, other = Many(), Many()
    for site in (one, other):
        site.switches.set_freeze(frozen)
    alone = [other.dispatch.answer(*asked) for asked in asked_of_all()]
    together = one.together(asked_of_all())
    # Entries follow each other as hosts were served; the checkpoint that each was shown does not.
    bare = [dataclasses.replace(found, checkpoint=None) for found in together]
    assert bare == [dataclasses.replace(found, checkpoint=None) for found in alone]
    recorded = [sorted(entry.key for entry in site.log.recorded) for site in (one, other)]
    assert recorded[0] == recorded[1]
    assert one.counted == other.counted
    given = [found.order and found.order["order"] for found in together]
    if frozen is None:
        assert given == [None, "ord_1", "ord_2a", *[None] * 6, "ord_2b", None, None]
    else:
        assert not any(given)
    assert together[4].stop["stop"] == "ord_4"


class Counted:
    """A store that tells how often each of its methods was called."""

    def __init__(self, store):
        self.store, self.calls = store, Counter()

    def __getattr__(self, name):
        self.calls[name] += 1
        return getattr(self.store, name)


def crowd(count=20):
    site = Site()
    names = [f"h{number}" for number in range(count)]
    for name in names:
        site.agents.add(host(name))
        site.released(f"ord_{name}", agent=name)
    return site, [(host(name), poll(number)) for number, name in enumerate(names)]


def test_many_take_one_look_one_commit_of_numbers_one_of_deliveries_and_one_of_entries():
    site, asked = crowd()
    site.orders, site.agents = Counted(site.orders), Counted(site.agents)
    site.approvals, site.log = Counted(site.approvals), Counted(site.log)
    site.audit._log = site.log
    found = site.dispatch.answer_all(asked, site.dispatch.look())
    assert [one.order["nonce"] for one in found] == [one.nonce for _, one in asked]
    assert site.orders.calls == {"standing": 1, "next_seqs": 1, "delivered": 1}
    assert (site.agents.calls, site.approvals.calls) == ({"by_pins": 1}, {"agreements_of": 1})
    assert site.log.calls["append_many"] == 1
    assert len(site.log.store.recorded) == len(asked)


class TakenBack(Orders):
    """A person takes the first order of h1 back between the look and the delivery."""

    def delivered(self, orders, *, at):
        if "ord_h1" in orders:
            self.withdraw(OrderId("ord_h1"))
        return super().delivered(orders, at=at)


def test_whose_order_was_taken_back_gets_the_next_one_and_others_theirs():
    site, asked = crowd(3)
    site.orders.__class__ = TakenBack
    site.orders.release(
        dataclasses.replace(order("ord_next"), agent=AgentId("h1")), at=NOW + timedelta(seconds=1)
    )
    found = site.dispatch.answer_all(asked, site.dispatch.look())
    assert [one.order["order"] for one in found] == ["ord_h0", "ord_next", "ord_h2"]
    keys = sorted(entry.key for entry in site.log.recorded)
    assert keys == ["ord_h0/delivered", "ord_h2/delivered", "ord_next/delivered"]


def test_when_all_were_taken_back_nobody_gets_anything():
    site, asked = crowd(1)
    site.orders.delivered = lambda orders, *, at: frozenset()
    (found,) = site.dispatch.answer_all(asked, site.dispatch.look())
    assert (found.order, site.log.recorded, site.counted) == (None, [], {})


def test_whose_order_cannot_be_sealed_takes_no_other_with_it():
    site, asked = crowd(3)
    seal = site.trust.seal_order

    def some(wanted, *more):
        if wanted.id == "ord_h1":
            raise KeyError(wanted.id)
        return seal(wanted, *more)

    site.trust.seal_order = some
    found = site.dispatch.answer_all(asked, site.dispatch.look())
    assert isinstance(found[1], KeyError)
    assert [found[n].order["order"] for n in (0, 2)] == ["ord_h0", "ord_h2"]
    assert site.status("ord_h1") is OrderStatus.RELEASED
    alone = site.dispatch.answer_all(asked[1:2], site.dispatch.look())
    assert alone[0].order is None  # not before REDELIVER_AFTER_S
    site.clock.passed += dispatch.REDELIVER_AFTER_S
    (again,) = site.dispatch.answer_all(asked[1:2], site.dispatch.look())
    assert isinstance(again, KeyError)


def test_whose_delivery_the_log_refuses_gets_the_refusal_and_no_order():
    site, asked = crowd(3)
    append = site.log.append

    def some(entry):
        return EntryRefused("no") if entry.key == "ord_h1/delivered" else append(entry)

    site.log.append = some
    found = site.dispatch.answer_all(asked, site.dispatch.look())
    assert isinstance(found[1], EntryRefused)
    assert [found[n].order["order"] for n in (0, 2)] == ["ord_h0", "ord_h2"]
    assert site.counted == {"orders_delivered_total": 2}


def test_who_is_answered_alone_hears_of_the_refusal_as_an_error():
    site, asked = crowd(1)
    site.log.append_many = lambda _: [EntryRefused("no")]
    with pytest.raises(EntryRefused):
        site.dispatch.answer(*asked[0])


def test_who_says_a_size_that_the_log_never_had_takes_no_other_with_it():
    site, asked = crowd(2)
    asked[0] = (asked[0][0], poll(0, tree_size=-1))
    site.log.consistency = refusing
    wrong, right = site.dispatch.answer_all(asked, site.dispatch.look())
    assert isinstance(wrong, errors.Rejected)
    assert right.order["order"] == "ord_h1"


def refusing(*_):
    raise errors.Rejected("no such size")


def test_whose_stop_cannot_be_sealed_takes_no_other_with_it():
    site = Many()
    site.trust.seal_stop = refusing
    asked = [(host("stops"), poll(1, "ord_4")), (host("one"), poll(2))]
    wrong, right = site.together(asked)
    assert isinstance(wrong, errors.Rejected)
    assert right.order["order"] == "ord_1"


def test_the_first_thing_that_went_wrong_is_what_is_told():
    site = Many()
    site.trust.seal_stop = refusing
    site.log.consistency = lambda *_: 1 / 0
    (found,) = site.together([(host("stops"), poll(1, "ord_4", tree_size=1))])
    assert isinstance(found, errors.Rejected)


# --- what a crash or a log that is away leaves behind


def away(*_):
    raise AuditUnavailable("the queue is full")


def test_nobody_gets_what_could_not_be_recorded_and_all_do_once_it_can():
    site, asked = crowd(3)
    append = site.log.append_many
    site.log.append_many = away
    with pytest.raises(AuditUnavailable):
        site.dispatch.answer_all(asked, site.dispatch.look())
    assert site.counted == {}
    site.log.append_many = append
    found = site.dispatch.answer_all(asked, site.dispatch.look())  # at once
    assert [one.order["order"] for one in found] == ["ord_h0", "ord_h1", "ord_h2"]
    assert len(site.log.recorded) == 3


def test_what_a_crash_left_unrecorded_is_recorded_when_it_is_given_again():
    site, asked = crowd(2)
    site.log.append_many = away
    with pytest.raises(AuditUnavailable):
        site.dispatch.answer_all(asked, site.dispatch.look())
    assert site.status("ord_h0") is OrderStatus.DELIVERED
    site.log = site.audit._log = Log()
    later = dispatch.Dispatch(site)  # of the process after the crash
    for _ in range(3):
        found = later.answer_all(asked, later.look())
        assert all(one.order is not None for one in found)
        site.clock.passed += dispatch.REDELIVER_AFTER_S
    keys = sorted(entry.key for entry in site.log.recorded)
    assert keys == ["ord_h0/delivered", "ord_h1/delivered"]


def test_what_was_recorded_before_a_crash_is_in_the_log_once():
    site, asked = crowd(2)
    site.dispatch.answer_all(asked, site.dispatch.look())
    size = site.log.rules.size()
    later = dispatch.Dispatch(site)
    found = later.answer_all(asked, later.look())
    assert [one.order["seq"] for one in found] == [2, 2]
    assert site.log.rules.size() == size


def test_the_proof_of_the_logs_growth_is_made_once_for_hosts_that_saw_the_same():
    site, _ = crowd(4)
    asked = [(host(f"h{n}"), poll(n, tree_size=3, busy="ord_x")) for n in range(4)]
    first, *others = site.dispatch.answer_all(asked, site.dispatch.look())
    assert first.consistency
    assert all(one == first for one in others)
    assert site.log.proofs == 1
