"""What the desk answers, writes down and tells for each thing that may arrive at a host."""

import dataclasses
import json

import pytest

from sentienguard.model import errors, ids
from sentienguard.model.order import ExecutionOutcome, ExecutionReport
from sentienguard.playbook import parse
from sentienguard.ports import execution_journal
from sentienguard.stages.execute import admission, desk, memory
from sentienguard.stages.execute import ledger as ledgers
from sentienguard.trust import catalogue as catalogues
from sentienguard.trust import freshness
from sentienguard.trust import order as orders
from tests.support import execution, pretend_host
from tests.unit.execute.test_execute_admission import CLEAN, REMEDY

STRANGERS = [ids.AgentId(f"{n * 8}-2222-4333-8444-555555555555") for n in "09"]
INCIDENTS = [ids.IncidentId(f"inc_20260212_112600_{n:08x}") for n in range(2)]


class Trust:
    """What a host trusts, all of it changeable."""

    def __init__(self, centre):
        self.root = centre.root()
        self.catalogue_envelope = centre.catalogue_envelope(execution.listed(REMEDY), version=4)
        self.catalogue = catalogues.open_catalogue(
            self.catalogue_envelope, self.root, now=pretend_host.START
        )
        self.newest = admission.Newest(4, self.catalogue.digest)
        self.problem = ""
        self.playbooks = {REMEDY.digest: CLEAN}

    def stored(self, digest):
        return self.playbooks.get(digest)

    def read(self, stored):
        try:
            return parse.load(stored or b"", origin="test"), ""
        except errors.Rejected as error:
            return None, str(error)


class Site:
    """A host with its desk, and the centre that sends to it."""

    def __init__(self, pretend):
        self.pretend = pretend
        self.centre = execution.Centre(now=pretend_host.START)
        self.journal = pretend_host.Journal()
        self.trust = Trust(self.centre)
        self.drawn = 0
        self.start()

    def start(self):
        self.ledger = self.pretend.ledger(self.journal)
        self.desk = desk.Desk(
            execution.AGENT, execution.ENVIRONMENT, self.pretend.host(), self.ledger, self.trust
        )

    def ticket(self):
        self.drawn += 1
        return self.desk.ticket(self.drawn.to_bytes(16, "big"))

    def order(self, **changes):
        nonce = changes.pop("nonce", None) or self.ticket()
        given = {"parameters": {"mount": "/srv/data"}} | changes
        return self.centre.order(REMEDY, nonce=nonce, **given)

    def sends(self, signed):
        return self.desk.order(self.centre.seal(signed))

    def stops(self, order, **changes):
        self.centre.seq += 1
        given = {"agent": execution.AGENT, "nonce": None, "seq": self.centre.seq} | changes
        nonce = given.pop("nonce") or self.ticket()
        stop = orders.SignedStop(order, nonce=nonce, by="pat@example.org", **given)
        return stop, self.desk.stop(orders.seal_stop(stop, self.centre.dispatch))

    def finishes(self, order):
        now = pretend_host.START
        outcome = ExecutionOutcome.SUCCESS
        report = ExecutionReport(order.id, order.incident, outcome, "well", (), (), now, now)
        self.ledger.finish(order, report)

    def told(self):
        leaves = [json.loads(one["leaf"]) for one in self.ledger.events_after(0, 0)]
        return [(leaf["kind"], leaf["data"]) for leaf in leaves]

    def alarms(self):
        return [data for kind, data in self.told() if kind == "agent.alarm"]


@pytest.fixture
def site(pretend):
    return Site(pretend)


# --- orders


def test_an_admitted_order_is_written_down_durably_before_it_is_to_be_started(site):
    signed = site.order()
    answer = site.sends(signed)
    assert (answer.order, answer.refusal) == (signed.order.id, None)
    assert (answer.start.order, answer.start.remedy) == (signed.order, REMEDY)
    assert answer.start.bound.values == {"mount": "/srv/data"}
    intent = site.ledger.memory.running.intent
    assert (intent["order"]["id"], intent["seq"]) == (signed.order.id, signed.seq)
    assert (intent["boot"], intent["bound"]) == ("first", {"mount": "/srv/data"})
    assert ledgers.stored_of(intent) == CLEAN
    assert site.journal.durable == ["intent", "event"]
    assert [kind for kind, _ in site.told()] == ["order.admitted"]
    assert site.desk.busy == signed.order.id


def test_an_order_whose_intent_cannot_be_written_is_not_started(site):
    signed = site.order()
    site.journal.fail_at = 1
    with pytest.raises(execution_journal.JournalBroken):
        site.sends(signed)
    assert site.desk.busy is None


@pytest.mark.parametrize("ended", [False, True])
def test_a_known_order_is_answered_from_memory_and_never_started_again(site, ended):
    signed = site.order()
    site.sends(signed)
    if ended:
        site.finishes(signed.order)
    before = site.told()
    for again in (signed, site.centre.order(REMEDY, nonce=site.ticket())):
        answer = site.sends(again)
        assert answer == desk.Answer(signed.order.id)
    assert site.told() == before


def test_a_known_order_stays_known_over_a_restart(site):
    signed = site.order()
    site.sends(signed)
    site.start()
    assert site.sends(signed) == desk.Answer(signed.order.id)


def test_an_order_refused_for_good_is_told_as_that_and_answered_the_same_ever_after(site):
    site.pretend.forbidden = "do-not-remediate"
    signed = site.order()
    refused = desk.Answer(signed.order.id, admission.Refusal("not_forbidden", "do-not-remediate"))
    assert site.sends(signed) == refused
    assert site.journal.durable == ["refused", "event"]
    ((kind, data),) = site.told()
    assert (kind, data["order_id"]) == ("order.refused", signed.order.id)
    assert (data["rule"], data["reason"]) == ("not_forbidden", "do-not-remediate")
    assert site.ledger.memory.seq == signed.seq
    site.pretend.forbidden = None
    assert site.sends(site.order()) == refused
    assert len(site.told()) == 1
    assert site.desk.busy is None


def forged(site, signed):
    return orders.seal_order(signed, execution.key(66))


def for_another_agent(site, signed):
    order = dataclasses.replace(signed.order, agent=STRANGERS[0])
    return site.centre.seal(dataclasses.replace(signed, order=order))


def with_a_nonce_of_nobody(site, signed):
    return site.centre.seal(dataclasses.replace(signed, nonce="cd" * 16))


def with_a_low_number(site, signed):
    site.ledger.accept_sequence(signed.seq)
    return site.centre.seal(signed)


def after_the_root_ended(site, signed):
    site.trust.root = site.centre.root(expires_at=pretend_host.START)
    return site.centre.seal(signed)


def late(site, signed):
    site.pretend.clock.passed += freshness.LIFETIME_S + 1
    return site.centre.seal(signed)


@pytest.mark.parametrize(
    ("rule", "made"),
    [
        ("signed_by_dispatch", forged),
        ("root_current", after_the_root_ended),
        ("for_this_agent", for_another_agent),
        ("answers_a_ticket", with_a_nonce_of_nobody),
        ("answers_a_ticket", late),
        ("sequence_rises", with_a_low_number),
    ],
)
def test_what_is_forged_or_stale_is_an_alarm_and_leaves_nothing_of_itself(site, rule, made):
    signed = site.order()
    envelope = made(site, signed)
    before = memory.Memory(seq=site.ledger.memory.seq)
    answer = site.desk.order(envelope)
    assert (answer.order, answer.refusal.rule, answer.start) == (signed.order.id, rule, None)
    (alarm,) = site.alarms()
    assert alarm == {
        "what": "order_refused",
        "order_id": signed.order.id,
        "rule": rule,
        "reason": answer.refusal.reason,
    }
    after = site.ledger.memory
    assert (after.seq, after.orders, after.running) == (before.seq, {}, None)


def test_the_same_order_delivered_once_more_with_a_fresh_ticket_runs(site):
    signed = site.order()
    assert site.desk.order(with_a_nonce_of_nobody(site, signed)).start is None
    assert site.sends(site.order()).start is not None


def test_an_alarm_is_not_worth_a_sync_of_its_own(site):
    site.desk.order("junk")
    assert site.journal.durable == []
    assert len(site.alarms()) == 1


@pytest.mark.parametrize("envelope", ["junk", None, {}, {"payloadType": 1}])
def test_what_has_not_the_form_of_an_order_is_an_alarm_about_none(site, envelope):
    answer = site.desk.order(envelope)
    assert (answer.order, answer.refusal.rule, answer.start) == ("", "form", None)
    (alarm,) = site.alarms()
    assert (alarm["what"], alarm["order_id"], alarm["rule"]) == ("order_refused", "", "form")
    assert alarm["reason"] == answer.refusal.reason != ""


@pytest.mark.parametrize("missing", ["root", "catalogue"])
@pytest.mark.parametrize(
    ("problem", "reason"),
    [("", "no root and catalogue have arrived yet"), ("the file is torn", "the file is torn")],
)
def test_before_the_configuration_nothing_is_admitted(site, missing, problem, reason):
    setattr(site.trust, missing, None)
    site.trust.problem = problem
    signed = site.order()
    answer = site.sends(signed)
    assert answer == desk.Answer(signed.order.id, admission.Refusal("configured", reason))
    (alarm,) = site.alarms()
    assert (alarm["rule"], alarm["reason"]) == ("configured", reason)
    assert not site.ledger.memory.orders


def test_a_second_order_while_one_runs_waits_without_a_word(site):
    first = site.order(incident=INCIDENTS[0])
    site.sends(first)
    before = site.told()
    second = site.order(incident=INCIDENTS[1])
    answer = site.sends(second)
    assert (answer.refusal.rule, answer.start) == ("one_at_a_time", None)
    assert site.told() == before
    assert second.order.id not in site.ledger.memory.orders
    site.finishes(first.order)
    assert site.sends(site.order(incident=INCIDENTS[1])).start is not None


def test_after_a_failed_write_everything_is_answered_and_nothing_is_written(site):
    site.journal.fail_at = 1
    with pytest.raises(execution_journal.JournalBroken):
        site.ledger.accept_sequence(1)
    kept = list(site.journal.kept)
    assert site.desk.order("junk").refusal.rule == "form"
    answer = site.sends(site.order())
    assert answer.refusal == admission.Refusal("journal_works", "the disk is gone")
    _, why_not = site.stops(ids.OrderId("ord_0000000000000000"), nonce="ab" * 16)
    assert "nonce" in why_not
    assert site.journal.kept == kept


def test_a_full_outbox_refuses_orders_without_adding_to_it(site, monkeypatch):
    monkeypatch.setattr("sentienguard.stages.execute.ledger.MAX_WAITING_BYTES", 10)
    site.desk.order("junk")
    before = site.told()
    assert site.sends(site.order()).refusal.rule == "journal_works"
    assert site.told() == before


def test_a_nonce_is_used_up_by_being_asked_about_whatever_the_answer(site):
    nonce = site.ticket()
    refused = site.order(nonce=nonce, environment="production")
    assert site.sends(refused).refusal.rule == "for_this_environment"
    again = site.order(nonce=nonce, incident=INCIDENTS[1])
    assert site.sends(again).refusal.rule == "answers_a_ticket"


def test_a_signed_playbook_that_this_host_cannot_read_is_refused_with_the_reason(site):
    text = CLEAN + b"unheard_of: 1\n"
    digest = ids.digest(text)
    site.trust.playbooks = {digest: text}
    listed = [dataclasses.replace(execution.listed(REMEDY)[0], digest=digest)]
    site.trust.catalogue_envelope = site.centre.catalogue_envelope(listed, version=5)
    site.trust.catalogue = catalogues.open_catalogue(
        site.trust.catalogue_envelope, site.trust.root, now=pretend_host.START
    )
    refusal = site.sends(site.order(digest=digest)).refusal
    assert refusal.rule == "reads"
    assert "unheard_of" in refusal.reason


def test_a_playbook_that_has_not_arrived_is_refused(site):
    site.trust.playbooks = {}
    assert site.sends(site.order()).refusal.rule == "stored_bytes"


# --- stops


def running(site):
    signed = site.order()
    site.sends(signed)
    return signed.order


def test_a_stop_of_the_order_that_runs_is_handed_on(site):
    order = running(site)
    stop, answer = site.stops(order.id)
    assert answer == stop
    assert site.ledger.memory.seq == stop.seq
    assert site.journal.durable[-1] == "seq"
    assert site.alarms() == []


def test_one_ticket_may_bring_an_order_and_a_stop(site):
    nonce = site.ticket()
    signed = site.order(nonce=nonce)
    site.sends(signed)
    stop, answer = site.stops(signed.order.id, nonce=nonce)
    assert answer == stop


def test_a_stop_of_an_order_that_does_not_run_stops_nothing_and_uses_its_number(site):
    order = running(site)
    other = ids.OrderId("ord_0000000000000000")
    stop, answer = site.stops(other)
    assert answer == f"order {other} does not run"
    assert site.ledger.memory.seq == stop.seq
    site.finishes(order)
    assert site.stops(order.id)[1] == f"order {order.id} does not run"
    assert site.alarms() == []


@pytest.mark.parametrize("stranger", STRANGERS)
def test_a_stop_for_another_agent_stops_nothing_and_uses_no_number(site, stranger):
    order = running(site)
    before = site.ledger.memory.seq
    _, answer = site.stops(order.id, agent=stranger)
    assert answer == f"the stop is for agent {stranger}"
    assert site.ledger.memory.seq == before


def test_before_a_root_has_arrived_no_stop_is_believed(site):
    site.trust.root = None
    assert site.stops(ids.OrderId("ord_0000000000000000"))[1] == "no root has arrived yet"
    assert site.told() == []


def replayed(site, order):
    stop, _ = site.stops(order.id)
    return orders.seal_stop(stop, site.centre.dispatch)


def forged_stop(site, order):
    stop = orders.SignedStop(order.id, execution.AGENT, site.ticket(), 50, "pat")
    return orders.seal_stop(stop, execution.key(66))


def stop_with_a_low_number(site, order):
    seq = site.ledger.memory.seq
    stop = orders.SignedStop(order.id, execution.AGENT, site.ticket(), seq, "pat")
    return orders.seal_stop(stop, site.centre.dispatch)


def stop_without_a_ticket(site, order):
    stop = orders.SignedStop(order.id, execution.AGENT, "cd" * 16, 50, "pat")
    return orders.seal_stop(stop, site.centre.dispatch)


def late_stop(site, order):
    stop = orders.SignedStop(order.id, execution.AGENT, site.ticket(), 50, "pat")
    site.pretend.clock.passed += freshness.LIFETIME_S + 1
    return orders.seal_stop(stop, site.centre.dispatch)


def stop_after_the_root_ended(site, order):
    stop = orders.SignedStop(order.id, execution.AGENT, site.ticket(), 50, "pat")
    site.trust.root = site.centre.root(expires_at=pretend_host.START)
    return orders.seal_stop(stop, site.centre.dispatch)


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (replayed, "nonce"),
        (forged_stop, "sign"),
        (stop_with_a_low_number, "sequence number"),
        (stop_without_a_ticket, "nonce"),
        (late_stop, "nonce"),
        (stop_after_the_root_ended, "root"),
        (lambda *_: "junk", ""),
    ],
)
def test_a_stop_that_is_forged_or_stale_stops_nothing_and_is_an_alarm(site, made, reason):
    order = running(site)
    envelope = made(site, order)
    before = site.ledger.memory.seq
    answer = site.desk.stop(envelope)
    assert reason in answer
    (alarm,) = site.alarms()
    assert alarm == {"what": "stop_refused", "reason": answer}
    assert site.ledger.memory.seq == before


def test_a_stop_that_cannot_be_written_down_is_not_obeyed(site):
    order = running(site)
    site.journal.fail_at = site.journal.writes + 1
    with pytest.raises(execution_journal.JournalBroken):
        site.stops(order.id)


def test_an_idle_host_is_busy_with_nothing(site):
    assert site.desk.busy is None


def test_a_ticket_is_the_nonce_that_was_drawn(site):
    assert site.desk.ticket(b"\x01" * 16) == "01" * 16
