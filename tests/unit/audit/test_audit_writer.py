"""The queue before a log, without a log: who is answered what, and when."""

import contextlib
import threading

import pytest

from sentienguard.adapters import audit_writer
from sentienguard.model import errors
from sentienguard.ports import audit_log

WAIT_S = 10.0


class Kept:
    """What was committed, one batch after another; `gate` holds a commit up."""

    def __init__(self):
        self.sizes: list[list[int]] = []
        self.gate = threading.Event()
        self.gate.set()
        self.began = threading.Semaphore(0)
        self.failure: errors.SentienGuardError | None = None

    def commit(self, batch):
        self.began.release()
        assert self.gate.wait(WAIT_S)
        if self.failure is not None:
            raise self.failure
        self.sizes.append([len(ticket.entries) for ticket in batch])
        for ticket in batch:
            ticket.outcomes = list(ticket.entries)  # what came goes back


@pytest.fixture
def kept():
    return Kept()


@pytest.fixture
def writer(kept):
    made = audit_writer.Writer(kept.commit, "disk")
    made.start()
    yield made
    kept.gate.set()
    made.close()
    assert made.ended(WAIT_S)


def calls(writer, *sizes):
    """Append that many entries in a thread each; each call is in the queue before the next."""
    told: list[object] = [None] * len(sizes)

    def call(number, size):
        try:
            told[number] = writer.append_many([f"{number}:{n}" for n in range(size)])
        except errors.SentienGuardError as error:
            told[number] = error

    threads = []
    for number, size in enumerate(sizes):
        before = len(writer._waiting)
        threads.append(threading.Thread(target=call, args=(number, size)))
        threads[-1].start()
        until(lambda before=before: len(writer._waiting) > before)
    return told, threads


def until(holds):
    waited = threading.Event()
    for _ in range(int(WAIT_S / 0.001)):
        if holds():
            return
        waited.wait(0.001)
    pytest.fail("it never came to that")


def held_up(writer, kept):
    """Let the writer be busy with one call, so that others queue behind it."""
    kept.gate.clear()
    thread = threading.Thread(target=lambda: swallowed(writer))
    thread.start()
    assert kept.began.acquire(timeout=WAIT_S)
    return thread


def swallowed(writer):
    with contextlib.suppress(errors.SentienGuardError):
        writer.append_many(["first"])


def ended(*threads):
    for one in threads:
        one.join(WAIT_S)
        assert not one.is_alive()


@pytest.mark.parametrize(
    ("sizes", "batches"),
    [
        ([1, 2, 3], [[1, 2, 3]]),
        ([500, 12, 1], [[500, 12], [1]]),
        ([500, 13, 1], [[500], [13, 1]]),
        ([600, 1], [[600], [1]]),
        ([1, 600], [[1], [600]]),
        ([0, 0, 5], [[0, 0, 5]]),
    ],
)
def test_what_came_meanwhile_is_committed_together_as_far_as_one_commit_holds(
    writer, kept, sizes, batches
):
    first = held_up(writer, kept)
    told, threads = calls(writer, *sizes)
    kept.gate.set()
    ended(first, *threads)
    assert kept.sizes == [[1], *batches]
    assert told == [[f"{number}:{n}" for n in range(size)] for number, size in enumerate(sizes)]


def test_a_full_queue_refuses_who_comes_and_keeps_who_is_there(writer, kept, monkeypatch):
    monkeypatch.setattr(audit_writer, "MAX_WAITING", 2)
    first = held_up(writer, kept)
    told, threads = calls(writer, 1, 1)
    with pytest.raises(audit_log.AuditUnavailable, match="2 appends wait for the disk"):
        writer.append_many(["one more"])
    kept.gate.set()
    ended(first, *threads)
    assert told == [["0:0"], ["1:0"]]


def test_closing_commits_what_waits_and_takes_nothing_more(writer, kept):
    first = held_up(writer, kept)
    told, threads = calls(writer, 1)
    assert writer.close()
    assert not writer.close()
    with pytest.raises(audit_log.AuditUnavailable, match="closed"):
        writer.append_many(["late"])
    with pytest.raises(audit_log.AuditUnavailable, match="closed"):
        writer.require_open()
    assert not writer.ended(0.0)
    kept.gate.set()
    ended(first, *threads)
    assert told == [["0:0"]]


def test_a_batch_that_failed_fails_for_everybody_in_it_and_for_nobody_else(writer, kept):
    kept.failure = audit_log.AuditUnavailable("not now")
    first = held_up(writer, kept)
    told, threads = calls(writer, 1, 1)
    kept.gate.set()
    ended(first, *threads)
    assert [str(one) for one in told] == ["not now", "not now"]
    assert told[0] is not told[1]  # an error that several threads raise gathers all their traces
    kept.failure = None
    assert writer.append_many(["again"]) == ["again"]


def test_a_log_that_broke_stays_so_and_tells_the_first_reason(writer, kept):
    first = held_up(writer, kept)
    told, threads = calls(writer, 1, 1)
    cause = OSError("the disk")
    broke = audit_log.AuditBroken("first")
    broke.__cause__ = cause
    assert str(writer.break_off(broke)) == "first"
    assert str(writer.break_off(audit_log.AuditBroken("second"))) == "first"
    ended(*threads)  # who waited is told at once, though a commit is still under way
    assert [(type(one), str(one), one.__cause__) for one in told] == [
        (audit_log.AuditBroken, "first", cause)
    ] * 2
    kept.gate.set()
    ended(first)
    for _ in range(2):
        with pytest.raises(audit_log.AuditBroken, match="first") as caught:
            writer.append_many(["late"])
        assert caught.value is not broke
    with pytest.raises(audit_log.AuditBroken, match="first"):
        writer.require_open()
    assert kept.sizes == [[1]]


def test_one_refused_entry_is_raised_where_it_was_alone(writer):
    with pytest.raises(audit_log.EntryRefused, match="no"):
        writer.append(audit_log.EntryRefused("no"))
