"""Each thing that an executor writes down: record, event, whether it is synced, and the limits."""

import json
import threading
import time
from datetime import timedelta

import pytest

from sentienguard.model.order import (
    ExecutionOutcome,
    ExecutionReport,
    Phase,
    StepRecord,
    StepStatus,
)
from sentienguard.playbook import parse
from sentienguard.ports import command_runner, execution_journal
from sentienguard.stages.execute import ledger as ledgers
from sentienguard.stages.execute import parameters
from sentienguard.stages.execute.report import events
from tests.support import execution, pretend_host
from tests.unit.execute.test_execute_admission import CLEAN

REMEDY = parse.load(CLEAN, origin="test")
NOW_MS = int(pretend_host.START.timestamp() * 1000)


class Journal(pretend_host.Journal):
    """Remembers each write, and fails where it is told to."""

    def __init__(self):
        super().__init__()
        self.written = []  # what kinds, durably or not
        self.rewritten = 0
        self.full = self.torn = False
        self.cramp = None

    def append(self, records, *, durable):
        super().append(records, durable=durable)
        self.written.append(([record["t"] for record in records], durable))

    def cramped(self):
        return self.cramp

    def rewrite(self, records):
        self.rewritten += 1
        if self.full:
            raise execution_journal.JournalFull("no room")
        if self.torn:
            raise execution_journal.JournalBroken("torn")
        super().rewrite(records)


@pytest.fixture
def journal():
    return Journal()


@pytest.fixture
def ledger(pretend, journal):
    return pretend.ledger(journal)


@pytest.fixture
def signed():
    created = pretend_host.START + timedelta(milliseconds=7)
    centre = execution.Centre(now=pretend_host.START)
    return centre.order(
        REMEDY, parameters={"mount": "/"}, facts={"anomaly_sigma": "3"}, created_at=created
    )


def report(order):
    now = pretend_host.START
    return ExecutionReport(
        order.id, order.incident, ExecutionOutcome.SUCCESS, "well", (), (), now, now
    )


def step(stdout="", stderr=""):
    return StepRecord(
        Phase.STEP, "clean", StepStatus.SUCCESS, "d", pretend_host.START, 1, 0, stdout, stderr
    )


def intends(ledger, signed):
    ledger.intend(signed, CLEAN, parameters.Bound({"mount": "/"}, {"pid": 3}), "first")


def told(ledger):
    return [json.loads(one["leaf"]) for one in ledger.memory.events]


def tells(ledger, count=1, *, durable=True):
    for number in range(count):
        ledger.tell(events.alarm("x", "y", number), durable=durable)


# --- what is written


def test_a_fresh_ledger_is_well_and_has_dropped_nothing(ledger, journal):
    assert (ledger.broken, ledger.failed, ledger.dropped) == (None, False, 0)
    assert ledger.events_after(0, 0) == []
    assert journal.written == []


def test_an_intent_holds_all_that_a_crash_would_lose(ledger, journal, signed):
    intends(ledger, signed)
    assert journal.written == [(["intent", "event"], True)]
    intent = journal.kept[0]
    assert intent["order"] == {
        "id": signed.order.id,
        "incident": signed.order.incident,
        "agent": execution.AGENT,
        "environment": execution.ENVIRONMENT,
        "playbook": "clean_up",
        "version": "1.2.0",
        "digest": REMEDY.digest,
        "parameters": {"mount": "/"},
        "facts": {"anomaly_sigma": "3"},
        "dry_run": False,
        "created_at": NOW_MS + 7,
        "deadline_s": 60,
    }
    assert (intent["seq"], intent["boot"], intent["at_ms"]) == (signed.seq, "first", NOW_MS)
    assert (intent["bound"], intent["started"]) == ({"mount": "/"}, {"pid": 3})
    assert json.loads(json.dumps(intent)) == intent
    assert ledgers.order_of(intent) == signed.order
    assert ledgers.stored_of(intent) == CLEAN
    (leaf,) = told(ledger)
    assert (leaf["kind"], leaf["data"]["seq"], leaf["ts_ms"]) == (
        "order.admitted",
        signed.seq,
        NOW_MS,
    )


def test_a_refusal_is_durable_and_told(ledger, journal, signed):
    ledger.refuse(signed.order, 9, "listed", "it is not")
    assert journal.written == [(["refused", "event"], True)]
    assert journal.kept[0] == {
        "t": "refused",
        "order": signed.order.id,
        "seq": 9,
        "outcome": "REFUSED",
        "rule": "listed",
        "reason": "it is not",
    }
    (leaf,) = told(ledger)
    assert (leaf["kind"], leaf["data"]["rule"]) == ("order.refused", "listed")


@pytest.mark.parametrize(("recorded", "durable"), [({"nice": 5}, True), ({}, False)])
def test_what_undoing_needs_is_durable_before_the_effect(ledger, journal, recorded, durable):
    ledger.begin(Phase.UNDO, 2, recorded, "mark")
    assert journal.written == [(["begin"], durable)]
    expected = {"t": "begin", "phase": "undo", "index": 2, "undo": recorded, "mark": "mark"}
    assert journal.kept == [expected]


def test_a_process_group_and_the_start_of_verification_need_no_sync(ledger, journal, signed):
    intends(ledger, signed)
    ledger.group(command_runner.ProcessGroup(4711, 99))
    ledger.verifying()
    assert journal.written[1:] == [(["group"], False), (["verify"], False)]
    assert journal.kept[2] == {"t": "group", "pgid": 4711, "started": 99}
    assert ledger.memory.running.verifying


@pytest.mark.parametrize("acted", [True, False])
def test_the_end_of_a_piece_is_told_and_recorded_where_it_acted(ledger, journal, signed, acted):
    intends(ledger, signed)
    ledger.begin(Phase.STEP, 0, {}, "mark")
    ledger.ended(signed.order, 0, step(), changed=True, acted=acted)
    assert journal.written[-1] == (["end", "event"] if acted else ["event"], False)
    assert told(ledger)[-1]["kind"] == "step.done"
    piece = ledger.memory.running.of("step")[0]
    assert (piece.status, piece.changed) == (("success", True) if acted else (None, None))


def test_the_end_of_an_order_is_durable_and_told(ledger, journal, signed):
    intends(ledger, signed)
    ledger.finish(signed.order, report(signed.order))
    assert journal.written[-1] == (["finish", "event"], True)
    expected = {"t": "finish", "order": signed.order.id, "outcome": "SUCCESS", "reason": "well"}
    assert journal.kept[-2] == expected
    assert told(ledger)[-1]["kind"] == "order.finished"


def test_the_number_of_a_stop_is_durable(ledger, journal):
    ledger.accept_sequence(12)
    assert journal.written == [(["seq"], True)]
    assert ledger.memory.seq == 12


def test_what_belongs_to_no_order_is_durable_unless_told_otherwise(ledger, journal):
    tells(ledger)
    tells(ledger, durable=False)
    ledger.tell(events.alarm("x", "y", 1))
    assert [durable for _, durable in journal.written] == [True, False, True]


def test_events_are_numbered_and_chained(ledger, journal, pretend):
    tells(ledger, 3)
    leaves = told(pretend.ledger(journal))
    assert [leaf["src_seq"] for leaf in leaves] == [1, 2, 3]
    digests = [record["digest"] for record in journal.kept]
    assert [leaf["src_prev"] for leaf in leaves] == ["", *digests[:2]]


# --- how events leave


def test_at_most_64_events_leave_at_once_and_only_later_ones(ledger):
    tells(ledger, 70)
    assert [one["seq"] for one in ledger.events_after(0, 0)] == list(range(1, 65))
    assert [one["seq"] for one in ledger.events_after(3, 0)] == list(range(4, 68))
    assert [one["seq"] for one in ledger.events_after(68, 0)] == [69, 70]
    assert ledger.events_after(70, 0) == []


def test_who_waits_for_an_event_is_woken_by_it(ledger):
    timer = threading.Timer(0.05, tells, [ledger])
    began = time.monotonic()
    timer.start()
    assert len(ledger.events_after(0, 30)) == 1
    assert time.monotonic() - began < 10


def test_waiting_ends_after_the_time_that_was_asked_for(ledger):
    tells(ledger)
    for after in (1, 5):  # 5: a number that was never given out
        began = time.monotonic()
        assert ledger.events_after(after, 0.05) == []
        assert time.monotonic() - began >= 0.05


@pytest.mark.parametrize(
    ("write", "syncs"),
    [
        (lambda ledger: tells(ledger, durable=False), 1),
        (tells, 0),
        (lambda ledger: (tells(ledger, durable=False), tells(ledger)), 0),
        (lambda ledger: (tells(ledger), tells(ledger, durable=False)), 1),
        (lambda ledger: (tells(ledger, durable=False), ledger.verifying()), 1),
        (lambda ledger: (tells(ledger, durable=False), ledger.compact()), 0),
    ],
)
def test_before_events_leave_what_was_not_synced_is_and_once(ledger, journal, write, syncs):
    write(ledger)
    before = len(journal.written)
    for _ in range(2):
        ledger.events_after(0, 0)
        assert journal.written[before:] == [([], True)] * syncs


def test_events_of_an_order_that_runs_wait_for_its_own_sync(ledger, journal, signed, monkeypatch):
    monkeypatch.setattr(ledgers, "GATHER_S", 30.0)
    intends(ledger, signed)
    tells(ledger, durable=False)
    before = len(journal.written)
    step = threading.Timer(0.05, ledger.begin, (Phase.STEP, 0, {}, "mark"))
    step.start()
    assert len(ledger.events_after(0, 60)) == 2
    step.join()
    assert [durable for _, durable in journal.written[before:]] == [True]  # the step's


def test_they_do_not_wait_for_one_that_does_not_come(ledger, journal, signed, monkeypatch):
    monkeypatch.setattr(ledgers, "GATHER_S", 0.02)
    intends(ledger, signed)
    tells(ledger, durable=False)
    assert len(ledger.events_after(0, 60)) == 2
    assert journal.written[-1] == ([], True)


def test_events_that_the_centre_has_are_forgotten_and_nothing_is_written_twice(ledger, journal):
    tells(ledger, 3)
    assert ledger.acked(2) == 2
    assert journal.written[-1] == (["acked"], False)
    assert [one["seq"] for one in ledger.memory.events] == [3]
    before = len(journal.written)
    assert ledger.acked(2) == ledger.acked(1) == ledger.acked(0) == 2
    assert len(journal.written) == before
    assert ledger.acked(99) == 3
    assert journal.kept[-1] == {"t": "acked", "through": 3}


# --- rewriting


@pytest.mark.parametrize(("records", "rewritten"), [(499, 0), (500, 1)])
def test_a_journal_is_rewritten_when_more_than_500_records_are_done_with(
    ledger, journal, records, rewritten
):
    for number in range(records - 1):
        ledger.accept_sequence(number)
    tells(ledger)
    ledger.acked(1)  # a record more
    assert journal.rewritten == rewritten
    tells(ledger)
    ledger.acked(2)
    assert journal.rewritten == 1


@pytest.mark.parametrize("limit", [2, 3])
def test_after_a_rewrite_counting_begins_anew(ledger, journal, monkeypatch, limit):
    monkeypatch.setattr(ledgers, "REWRITE_AFTER", limit)
    for number in range(1, 7):
        tells(ledger)
        ledger.acked(number)
    assert journal.rewritten == 3


def test_a_journal_is_not_rewritten_while_events_wait_or_an_order_runs(
    ledger, journal, signed, monkeypatch
):
    monkeypatch.setattr(ledgers, "REWRITE_AFTER", 1)
    tells(ledger, 3)
    ledger.acked(2)
    assert journal.rewritten == 0
    intends(ledger, signed)
    ledger.acked(4)
    ledger.compact()
    assert journal.rewritten == 0
    ledger.finish(signed.order, report(signed.order))
    ledger.compact()
    assert journal.rewritten == 1


def test_without_room_for_a_rewrite_all_goes_on(ledger, journal):
    tells(ledger, durable=False)
    journal.full = True
    ledger.compact()
    assert (ledger.broken, ledger.failed) == (None, False)
    ledger.events_after(0, 0)
    assert journal.written[-1] == ([], True)  # what was not synced still is not


def test_a_rewrite_that_fails_is_a_failed_write(ledger, journal):
    journal.torn = True
    with pytest.raises(execution_journal.JournalBroken, match="torn"):
        ledger.compact()
    assert (ledger.broken, ledger.failed) == ("torn", True)
    ledger.compact()
    assert journal.rewritten == 1


# --- limits and failures


def test_after_a_failed_write_nothing_more_is_written(ledger, journal):
    journal.fail_at = 1
    for _ in range(2):
        with pytest.raises(execution_journal.JournalBroken, match="the disk is gone"):
            ledger.accept_sequence(5)
    assert journal.writes == 1
    assert (ledger.broken, ledger.failed) == ("the disk is gone", True)
    assert ledger.memory.seq == 0


def test_a_cramped_journal_is_a_reason_to_begin_nothing(ledger, journal):
    journal.cramp = "3 MB are free"
    assert (ledger.broken, ledger.failed) == ("3 MB are free", False)


def test_4_mib_of_events_may_wait_and_not_a_byte_more(ledger):
    blobs = [{"data": "x" * 2**19}, {"data": "y" * 2**19}]
    ledger.memory.events = [{"leaf": "z" * 2**20, "blobs": blobs}] * 2
    assert ledger.broken is None
    ledger.memory.events.append({"leaf": "z", "blobs": []})
    assert ledger.broken == (
        f"3 events with {2**22 + 1} bytes wait for the centre; "
        "nothing is executed until it has taken them"
    )


def test_2000_events_may_wait_and_what_finds_no_room_is_counted(ledger):
    ledger.memory.events = [{"seq": 1}] * 1_999
    tells(ledger, 3)
    assert (len(ledger.memory.events), ledger.dropped) == (2_000, 2)
    ledger.memory.events.append({"seq": 1})  # evidence is kept beyond the limit
    tells(ledger)
    assert (len(ledger.memory.events), ledger.dropped) == (2_001, 3)


def test_time_is_in_milliseconds(ledger, pretend):
    pretend.clock.passed = 1.5
    assert ledger.now_ms() == NOW_MS + 1_500
