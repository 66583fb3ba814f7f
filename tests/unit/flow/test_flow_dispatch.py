"""What a host's poll is answered with, over the stores of the pretend world and the real log."""

import base64
import dataclasses
from collections import Counter
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from sentienguard.flow import dispatch
from sentienguard.flow import ledger as pens
from sentienguard.model import ids
from sentienguard.model.ids import AgentId, OrderId
from sentienguard.model.order import OrderStatus
from sentienguard.model.window import Comparison, Matcher, Purpose, Window, WindowId
from sentienguard.ports.agent_store import Agent
from sentienguard.ports.switches import Freeze
from sentienguard.simulation.stores.agents import Agents
from sentienguard.simulation.stores.approvals import Approvals
from sentienguard.simulation.stores.database import Database
from sentienguard.simulation.stores.orders import Orders
from sentienguard.simulation.stores.switches import KillSwitch
from sentienguard.stages.audit import ledger, merkle
from sentienguard.trust.log_keys import LogSigners
from tests.unit.audit.test_audit_ledger import LOG, fact
from tests.unit.flow.test_flow_incident import order

NOW = datetime(2026, 2, 12, 11, 26, tzinfo=UTC)
NONCE = "ab" * 16


class Log:
    """A log of so many entries that remembers what came later and whose co-signatures it got."""

    def __init__(self, entries=5):
        self.rules = ledger.Ledger("log.example/main", LogSigners.of(LOG))
        for number in range(entries):
            self.rules.admit(fact(f"{number}"))
        self.recorded, self.cosigned, self.proofs = [], [], 0

    def append(self, new):
        self.recorded.append(new)
        return self.rules.admit(new)

    def append_many(self, entries):
        return [self.append(one) for one in entries]

    def checkpoint(self):
        return self.rules.sign(self.rules.size())

    def consistency(self, old, new):
        self.proofs += 1
        return self.rules.consistency(old, new)

    def add_cosignature(self, note):
        self.cosigned.append(note)


class Time:
    """The wall clock stands; the monotonic one goes when it is told to."""

    def __init__(self):
        self.passed = 2.0

    def now(self):
        return NOW

    def monotonic(self):
        return self.passed


class Seals:
    """Shows what was to be signed."""

    def seal_order(self, wanted, nonce, seq, approvals=()):
        return {"order": wanted.id, "nonce": nonce, "seq": seq}

    def seal_stop(self, wanted, nonce, seq, by):
        return {"stop": wanted.id, "nonce": nonce, "seq": seq, "by": by}


class Site:
    """A centre's parts and its dispatch."""

    def __init__(self):
        database = Database(lambda _: None)
        self.orders = Orders(database, lambda _: None)
        self.approvals = Approvals(database)
        self.switches = KillSwitch(database)
        self.agents = Agents(database)
        for name in ("a", "b"):
            self.agents.add(a_host(name))
        self.log, self.clock, self.trust = Log(), Time(), Seals()
        self.audit = pens.Ledger(self.log, self.clock, None)
        self.counted = Counter()
        self.counters = SimpleNamespace(add=self._count)
        self.dispatch = dispatch.Dispatch(self)

    def _count(self, name):
        self.counted[name] += 1

    def released(self, *names, agent="a"):
        for name in names:
            released = dataclasses.replace(order(name), agent=AgentId(agent))
            self.orders.release(released, at=NOW)

    def asked(self, agent="a", **said):
        return self.dispatch.answer(a_host(agent), a_poll(**said))

    def given(self, **said):
        answer = self.asked(**said)
        return answer.order and answer.order["order"]

    def status(self, name):
        return self.orders.get(OrderId(name)).status


def a_host(name="a"):
    return Agent(AgentId(name), f"host-{name}", "drill", {}, f"pin-{name}", "key", NOW)


def a_poll(busy=None, tree_size=0, cosigned=None, nonce=NONCE):
    return dispatch.Poll(nonce, busy, tree_size, cosigned)


@pytest.fixture
def site():
    return Site()


def test_with_nothing_to_do_a_poll_may_wait(site):
    answer = site.asked()
    assert (answer.order, answer.stop, answer.has_work) == (None, None, False)


def test_an_order_is_signed_for_the_poll_and_its_delivery_recorded(site):
    site.released("ord_1")
    answer = site.asked()
    assert answer.order == {"order": "ord_1", "nonce": NONCE, "seq": 1}
    assert (answer.stop, answer.has_work) == (None, True)
    assert site.orders.get(OrderId("ord_1")).delivered_at == NOW
    assert site.status("ord_1") is OrderStatus.DELIVERED
    (entry,) = site.log.recorded
    assert (entry.kind, entry.at, entry.environment) == ("order.delivered", NOW, "drill")
    assert (entry.incident, entry.key) == (order().incident, "ord_1/delivered")
    assert entry.data == {"order_id": "ord_1", "agent": "a"}
    assert site.counted == {"orders_delivered_total": 1}


def test_an_order_goes_with_what_people_signed_for_it_and_with_nothing_else(site):
    site.released("ord_1")
    signed, asked = {"sig": "of ada"}, []
    agreed = [SimpleNamespace(signature=signed), SimpleNamespace(signature=None)]
    site.approvals = SimpleNamespace(
        agreements_of=lambda ids: asked.extend(ids) or dict.fromkeys(ids, agreed)
    )
    site.trust = SimpleNamespace(seal_order=lambda *_: {"with": _[-1]})
    assert site.asked().order == {"with": [signed]}
    assert asked == [ids.approval_id(order().incident, order().digest)]


def test_an_order_is_given_again_after_a_while_under_a_higher_number_and_recorded_once(site):
    site.released("ord_1")
    assert site.given() == "ord_1"
    for _ in range(2):
        site.clock.passed += 4.75
        assert site.given() is None
        site.clock.passed += 0.25
        answer = site.asked(nonce="cd" * 16)
        assert (answer.order["order"], answer.order["nonce"]) == ("ord_1", "cd" * 16)
    assert answer.order["seq"] == 3
    assert len(site.log.recorded) == 1
    assert site.counted == {"orders_delivered_total": 3}


def test_a_host_is_given_its_own_orders_alone(site):
    site.released("ord_1", agent="b")
    assert site.given() is None
    assert site.asked(agent="b").order["order"] == "ord_1"


def test_the_oldest_comes_first_and_the_next_with_the_next_poll(site):
    site.released("ord_1", "ord_2")
    assert [site.given(), site.given(), site.given()] == ["ord_1", "ord_2", None]


def test_a_host_that_works_is_given_no_order(site):
    site.released("ord_1", "ord_2")
    assert site.given() == "ord_1"
    site.orders.admitted(OrderId("ord_1"))
    answer = site.asked(busy="ord_1")
    assert (answer.order, answer.stop) == (None, None)
    assert site.given(busy="ord_of_nobody") is None
    assert site.given() == "ord_2"


def test_what_a_host_began_is_not_signed_for_it_again(site):
    site.released("ord_1")
    assert site.given() == "ord_1"
    site.orders.admitted(OrderId("ord_1"))
    site.clock.passed += 60
    assert site.given() is None
    assert site.orders.numbers == {"a": 1}


def test_a_host_that_names_no_root_goes_by_none():
    assert a_poll().root_version == 0


def frozen():
    return Freeze(by="pat", at=NOW, reason="audit")


def test_a_frozen_system_gives_no_order_and_the_thaw_gives_it_at_once(site):
    site.released("ord_1")
    site.switches.set_freeze(frozen())
    assert site.given() is None
    assert (site.log.recorded, site.orders.numbers) == ([], {})
    site.switches.set_freeze(None)
    assert site.given() == "ord_1"


def test_a_freeze_stops_what_hosts_were_given_and_nothing_else(site):
    site.released("ord_1", "ord_2")
    assert (site.given(), site.given()) == ("ord_1", "ord_2")
    site.orders.admitted(OrderId("ord_1"))
    site.released("ord_3", agent="b")
    assert site.asked(agent="b").order is not None
    site.released("ord_4")
    site.switches.set_freeze(frozen())
    assert sorted(dispatch.stop_all(site, frozen())) == ["a", "b"]
    asked = {name: one.stop_requested_by for name, one in site.orders.rows.items()}
    by = "pat, who threw the kill switch"
    assert asked == {"ord_1": by, "ord_2": by, "ord_3": by, "ord_4": None}
    told = [one for one in site.log.recorded if one.kind == "order.stop"]
    assert sorted(one.key for one in told) == ["ord_1/stop", "ord_2/stop", "ord_3/stop"]
    assert {one.actor for one in told} == {"pat"}
    assert sorted(one.data["order_id"] for one in told) == ["ord_1", "ord_2", "ord_3"]
    assert told[0].data["note"] == "the kill switch: audit"
    assert site.asked(busy="ord_1").stop["by"] == by
    assert site.asked(agent="b", busy="ord_3").stop["by"] == by


def test_a_freeze_stops_also_what_the_last_of_many_hosts_was_given(site):
    for number in range(501):  # more than the store is asked about at once
        site.agents.add(a_host(f"h{number}"))
    site.released("ord_1", agent="h500")
    site.asked(agent="h500")
    assert dispatch.stop_all(site, frozen()) == ("h500",)


def test_a_freeze_finds_an_order_that_began_while_it_was_set(site):
    site.released("ord_1")
    site.asked()
    site.switches.set_freeze(frozen())  # and whoever set it had looked before the delivery
    answer = site.asked(busy="ord_1")
    assert answer.stop["by"] == "pat, who threw the kill switch"
    assert [one.key for one in site.log.recorded if one.kind == "order.stop"] == ["ord_1/stop"]
    site.clock.passed += 60
    assert site.asked(busy="ord_1").stop is not None
    assert len([one for one in site.log.recorded if one.kind == "order.stop"]) == 1


def test_a_stop_that_a_person_asked_for_before_the_freeze_stays_theirs(site):
    running(site)
    site.switches.set_freeze(frozen())
    assert dispatch.stop_all(site, frozen()) == ()
    assert site.asked(busy="ord_1").stop["by"] == "pat"


def test_what_a_freeze_stopped_stays_stopped_after_the_thaw(site):
    site.released("ord_1")
    site.asked()
    dispatch.stop_all(site, frozen())
    assert site.asked(busy="ord_1").stop["stop"] == "ord_1"


def maintenance(matcher, ends=timedelta(minutes=9)):
    start = NOW - timedelta(minutes=1)
    return Window(WindowId("mnt_1"), Purpose.MAINTENANCE, (matcher,), start, NOW + ends, "pat", "")


@pytest.mark.parametrize(
    ("window", "given"),
    [
        (maintenance(Matcher("host", Comparison.EQUAL, "host-a")), None),
        (maintenance(Matcher("environment", Comparison.MATCHES, "dr.ll")), None),
        (maintenance(Matcher("host", Comparison.EQUAL, "host-b")), "ord_1"),
        (maintenance(Matcher("tag.role", Comparison.EQUAL, "db")), "ord_1"),
        (maintenance(Matcher("host", Comparison.EQUAL, "host-a"), -timedelta(seconds=1)), "ord_1"),
        (dataclasses.replace(maintenance(Matcher("host", Comparison.EQUAL, "host-a")),
                 purpose=Purpose.SILENCE), "ord_1"),
    ],
)  # fmt: skip
def test_a_host_in_maintenance_gets_no_order_whoever_approved_it(site, window, given):
    site.released("ord_1")
    site.switches.add_window(window)
    assert site.given() == given
    site.switches.end_window(window.id, at=NOW - timedelta(hours=1))
    if given is None:
        assert site.given() == "ord_1"


@pytest.mark.parametrize(
    "now", [{"quarantined": "two hosts may use its identity"}, {"struck_off": NOW}]
)
def test_a_host_that_may_be_two_or_is_none_gets_no_order_whoever_approved_it(site, now):
    site.released("ord_1")
    site.agents.add(dataclasses.replace(a_host(), **now))  # after its poll was looked up
    assert site.given() is None
    assert site.status("ord_1") is OrderStatus.RELEASED
    site.agents.add(a_host())
    assert site.given() == "ord_1"


@pytest.mark.parametrize(
    "now", [{"quarantined": "two hosts may use its identity"}, {"struck_off": NOW}]
)
def test_what_runs_on_such_a_host_can_still_be_stopped(site, now):
    running(site)
    site.agents.add(dataclasses.replace(a_host(), **now))
    assert site.asked(busy="ord_1").stop["stop"] == "ord_1"


def running(site):
    site.released("ord_1")
    site.asked()
    site.orders.admitted(OrderId("ord_1"))
    site.orders.request_stop(OrderId("ord_1"), by="pat")


@pytest.mark.parametrize("is_frozen", [False, True])
def test_a_stop_is_given_to_the_host_that_works_also_while_frozen(site, is_frozen):
    running(site)
    if is_frozen:
        site.switches.set_freeze(frozen())
    answer = site.asked(busy="ord_1")
    assert answer.stop == {"stop": "ord_1", "nonce": NONCE, "seq": 2, "by": "pat"}
    assert (answer.order, answer.has_work) == (None, True)


def test_a_stop_is_given_again_after_a_while_and_nothing_else_meanwhile(site):
    running(site)
    site.released("ord_2")
    assert site.asked(busy="ord_1").stop is not None
    site.clock.passed += 4.75
    between = site.asked(busy="ord_1")
    assert (between.order, between.stop) == (None, None)
    site.clock.passed += 60
    assert site.asked(busy="ord_1").stop["seq"] == 3


def test_the_delivery_of_an_order_does_not_hold_back_its_stop(site):
    site.released("ord_1")
    assert site.given() == "ord_1"
    site.orders.request_stop(OrderId("ord_1"), by="pat")
    assert site.asked(busy="ord_1").stop is not None


def test_a_stop_is_for_the_order_that_the_host_works_on(site):
    running(site)
    site.released("ord_2")
    idle = site.asked()
    assert (idle.order["order"], idle.stop) == ("ord_2", None)
    answer = site.asked(busy="ord_2")
    assert (answer.order, answer.stop) == (None, None)
    site.orders.request_stop(OrderId("ord_2"), by="pat")
    site.released("ord_0")
    site.asked()
    assert site.asked(busy="ord_0").stop is None
    assert site.asked(agent="b", busy="ord_1").stop is None
    idle = site.asked()
    assert idle.stop is None


class Withdrawing(Orders):
    """A person takes the first order back between the look and the delivery."""

    def delivered(self, orders, *, at):
        if "ord_1" in orders:
            self.withdraw("ord_1")
        return super().delivered(orders, at=at)


def test_an_order_that_is_taken_back_just_now_is_not_given_and_the_next_one_is(site):
    site.orders = Withdrawing(Database(lambda _: None), lambda _: None)
    site.released("ord_1", "ord_2")
    assert site.given() == "ord_2"
    assert [entry.key for entry in site.log.recorded] == ["ord_2/delivered"]
    assert site.counted == {"orders_delivered_total": 1}
    assert site.given() is None


def test_deliveries_that_are_remembered_do_not_grow_without_end(site):
    site.dispatch._given = {f"ord_of_before_{n}": site.clock.passed for n in range(9_999)}
    site.released("ord_1", "ord_2")
    assert [site.given() for _ in range(3)] == ["ord_1", "ord_2", None]
    site.released("ord_3")  # more than 10,000 are remembered: all are forgotten
    assert [site.given() for _ in range(2)] == ["ord_3", "ord_1"]


# --- the log that hosts witness


@pytest.mark.parametrize("seen", [0, 5, 6])
def test_who_saw_nothing_or_all_is_given_the_checkpoint_alone(site, seen):
    answer = site.asked(tree_size=seen)
    assert answer.checkpoint == site.log.checkpoint()
    assert (answer.consistency, site.log.proofs) == ((), 0)


@pytest.mark.parametrize("seen", [0, 3, 5, 6])
def test_for_whom_nothing_waits_the_short_answer_is_the_long_one(site, seen):
    short = site.dispatch.nothing(a_poll(tree_size=seen))
    assert short == site.asked(tree_size=seen)
    assert short.checkpoint == site.log.checkpoint()
    site.released("ord_1")  # who asks this way was told that there is none
    assert site.dispatch.nothing(a_poll(tree_size=seen)).order is None


@pytest.mark.parametrize("seen", [1, 3, 4])
def test_who_saw_less_is_given_the_proof_of_growth(site, seen):
    answer = site.asked(tree_size=seen)
    assert answer.checkpoint == site.log.checkpoint()
    proof = [base64.b64decode(node, validate=True) for node in answer.consistency]
    old, new = Log(seen), site.log
    roots = [merkle.root_of(one.rules.leaf_hash(n) for n in range(one.rules.size()))[1]
             for one in (old, new)]  # fmt: skip
    assert merkle.consistent(seen, roots[0], 5, roots[1], proof)


def test_a_co_signature_that_comes_with_a_poll_is_kept(site):
    site.dispatch.witnessed(a_poll())
    assert site.log.cosigned == []
    site.dispatch.witnessed(a_poll(cosigned="a note"))
    assert site.log.cosigned == ["a note"]


def test_polls_of_a_moment_share_one_look_at_what_holds_for_all(site):
    site.released("ord_1")
    site.released("ord_2", agent="b")
    look = site.dispatch.look()
    site.switches.set_freeze(frozen())  # a moment later
    given = [
        site.dispatch.answer(a_host(name), a_poll(), look).order["order"] for name in ("a", "b")
    ]
    assert given == ["ord_1", "ord_2"]
    # What the freeze was overtaken by is stopped by the next poll (rule 4).
    assert site.asked(busy="ord_1").stop["stop"] == "ord_1"
    assert site.asked(agent="b", busy="ord_2").stop["stop"] == "ord_2"


def test_of_two_polls_of_one_moment_one_gets_the_order(site):
    site.released("ord_1")
    taken, look = [], site.agents.by_pins

    def while_another_polls(pins):
        site.agents.by_pins = look
        taken.append(site.given())
        return look(pins)

    site.agents.by_pins = while_another_polls
    assert (site.given(), taken) == (None, ["ord_1"])
