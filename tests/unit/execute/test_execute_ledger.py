import json

import pytest

from sentienguard.model import ids
from sentienguard.model.order import (
    ExecutionOutcome,
    ExecutionReport,
    Phase,
    StepRecord,
    StepStatus,
)
from sentienguard.playbook import parse
from sentienguard.stages.audit import entry
from sentienguard.stages.execute import ledger as ledgers
from sentienguard.stages.execute import memory, parameters
from sentienguard.stages.execute.report import events
from tests.support import execution, pretend_host
from tests.unit.execute.test_execute_admission import CLEAN

REMEDY = parse.load(CLEAN, origin="test")


@pytest.fixture
def signed():
    return execution.Centre(now=pretend_host.START).order(REMEDY, parameters={"mount": "/"})


def again(journal, pretend):
    return pretend.ledger(journal)


def report(order):
    now = pretend_host.START
    return ExecutionReport(
        order.id, order.incident, ExecutionOutcome.SUCCESS, "well", (), (), now, now
    )


def test_what_is_remembered_is_the_same_after_a_restart_and_a_rewrite(pretend, signed):
    journal = pretend_host.Journal()
    ledger = pretend.ledger(journal)
    ledger.intend(signed, CLEAN, parameters.Bound({"mount": "/"}, {"pid": 3}), "b")
    ledger.begin(Phase.STEP, 0, {"x": [1]}, "mark")
    assert again(journal, pretend).memory == ledger.memory
    assert ledgers.order_of(ledger.memory.running.intent) == signed.order
    assert ledgers.stored_of(ledger.memory.running.intent) == CLEAN
    ledger.finish(signed.order, report(signed.order))
    ledger.compact()
    assert again(journal, pretend).memory == ledger.memory
    assert ledger.memory.seq == signed.seq
    assert ledger.memory.versions == {"clean_up": "1.2.0"}
    assert ledger.memory.orders[signed.order.id]["outcome"] == "SUCCESS"


def test_a_rewrite_waits_for_the_order_that_runs(pretend, signed):
    journal = pretend_host.Journal()
    ledger = pretend.ledger(journal)
    ledger.intend(signed, CLEAN, parameters.Bound({}), "b")
    before = list(journal.kept)
    ledger.compact()
    assert journal.kept == before


def test_events_leave_only_after_they_are_durable(pretend, signed):
    journal = pretend_host.Journal()
    ledger = pretend.ledger(journal)
    ledger.tell(events.tried("id", "pat", 1), durable=False)
    syncs = []
    journal.append = lambda records, *, durable: syncs.append(durable)
    assert len(ledger.events_after(0, 0)) == 1
    assert syncs == [True]
    ledger.events_after(0, 0)
    assert syncs == [True]


def test_an_event_keeps_its_number_text_and_signature_over_a_restart(pretend):
    journal = pretend_host.Journal()
    ledger = pretend.ledger(journal)
    for n in range(3):
        ledger.tell(events.tried("id", "pat", n))
    assert again(journal, pretend).events_after(1, 0) == ledger.events_after(1, 0)


def test_waiting_for_events_ends_with_the_first(pretend):
    import threading

    ledger = pretend.ledger()
    told = threading.Timer(0.05, lambda: ledger.tell(events.tried("id", "pat", 1)))
    told.start()
    assert len(ledger.events_after(0, 10)) == 1
    assert ledger.events_after(1, 0.01) == []


def test_noise_is_bounded_and_evidence_is_not(pretend, signed, monkeypatch):
    monkeypatch.setattr(ledgers, "MAX_WAITING", 3)
    ledger = pretend.ledger()
    for n in range(10):
        ledger.tell(events.alarm("x", "y", n))
    assert (len(ledger.memory.events), ledger.dropped) == (3, 7)
    ledger.intend(signed, CLEAN, parameters.Bound({}), "b")
    assert ledger.memory.events[-1]["seq"] == 4


def test_while_the_centre_takes_no_evidence_nothing_is_begun(pretend, signed):
    ledger = pretend.ledger()
    record = StepRecord(
        Phase.STEP,
        "s",
        StepStatus.SUCCESS,
        "d",
        pretend_host.START,
        1,
        0,
        "x" * 60_000,
        "y" * 60_000,
    )
    for index in range(30):
        ledger.ended(signed.order, index, record, acted=False)
    assert "wait for the centre" in ledger.broken
    ledger.acked(30)
    assert ledger.broken is None


def test_every_event_fits_into_an_entry_whatever_it_tells(pretend, signed):
    ledger = pretend.ledger()
    nasty = '\u0000\u202e\ud800"\\\n\x7f😀' * 500
    record = StepRecord(
        Phase.STEP, nasty, StepStatus.FAILED, nasty, pretend_host.START, 1, -9, nasty, nasty
    )
    safe = record.__class__(
        **{
            name: getattr(record, name).encode("utf-8", "replace").decode()
            if isinstance(getattr(record, name), str) and name in {"stdout", "stderr"}
            else getattr(record, name)
            for name in record.__slots__
        }
    )
    ledger.ended(signed.order, 0, safe, acted=False)
    ledger.refuse(signed.order, 1, nasty, nasty)
    ledger.tell(events.tried(nasty, nasty, 1))
    ledger.tell(events.alarm("what", nasty, 1, order_id=nasty, rule=nasty))
    for one in ledger.events_after(0, 0):
        leaf = entry.read(one["leaf"].encode())
        assert leaf["src"] == f"agent:{execution.AGENT}"
        entry.with_signature(one["leaf"].encode(), b"s" * 64)


def test_versions_order_by_number():
    ordered = ["0", "1.2.0", "1.9.0", "1.10.0", "2.0.0"]
    assert sorted(ordered, key=ids.version_key) == ordered
    assert ids.version_key("1.0.0-rc1") < ids.version_key("1.0.1")


def test_starts_are_counted_over_the_last_hour_and_the_future_counts(pretend):
    kept = memory.Memory(starts=[("a", 0), ("a", 3_599_999), ("b", 9_000_000), ("a", 10**12)])
    assert kept.starts_within("a", 3_600_000) == 2
    assert kept.starts_within(None, 3_600_000) == 3


def test_old_orders_are_forgotten_before_memory_grows_without_end(monkeypatch):
    monkeypatch.setattr(memory, "REMEMBERED_ORDERS", 5)
    kept = memory.Memory()
    for n in range(9):
        kept.apply({"t": "refused", "order": f"o{n}", "seq": n, "rule": "r", "reason": "x"})
    assert list(kept.orders) == ["o4", "o5", "o6", "o7", "o8"]
    assert json.loads(json.dumps(list(kept.compacted())))[0]["orders"] == kept.orders
