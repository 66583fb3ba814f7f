"""Many callers, one writer, one commit: the queue before an audit log.

Called by the adapters that store the log. It knows no storage: how a batch becomes durable is the
adapter's `commit`. It is no adapter itself and offers no port.

    writer = Writer(commit, "disk")     # commit(batch): judge, store, return when it is durable
    writer.start()
    writer.append_many(entries)         # returns when they are durable

Rules:

1. Whoever appended is answered after the commit that holds the entries, with what it brought or
   with the error that it raised. A refused entry hinders no other one.
2. Batches are committed one after another, in the order in which they came.
3. A log that broke stays so: who waits is told, who comes is refused. Nothing is tried again here.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from sentienguard.model import errors
from sentienguard.ports import audit_ledger, audit_log

MAX_WAITING: Final = 4096  # calls; beyond it callers are told to come back
MAX_BATCH: Final = 512  # entries; at most 2 MB in one commit

Outcome: TypeAlias = audit_log.Appended | audit_log.EntryRefused


class Ticket:
    """Entries that wait for their batch, and what became of them."""

    __slots__ = ("_done", "_failure", "entries", "outcomes")

    def __init__(self, entries: Sequence[audit_log.Entry]) -> None:
        """Wait with these."""
        self.entries = entries
        self.outcomes: list[Outcome] = []
        self._failure: errors.SentienGuardError | None = None
        self._done = threading.Lock()  # held until answered: a third of an Event's cost
        self._done.acquire()

    def answer(self, failure: errors.SentienGuardError | None = None) -> None:
        """Let the caller go on, with the outcomes or with an error."""
        self._failure = failure
        self._done.release()

    def wait(self) -> list[Outcome]:
        """Return the outcomes once they are there. Raises what the batch failed with."""
        with self._done:
            if self._failure is not None:
                raise _told_anew(self._failure)
            return self.outcomes


class Writer:
    """One thread that commits what has come together."""

    def __init__(self, commit: Callable[[Sequence[Ticket]], None], medium: str) -> None:
        """Prepare. `commit` fills in each ticket's outcomes, or raises for the whole batch.

        `medium` is what appends wait for, as people are told: "disk".
        """
        self._commit = commit
        self._medium = medium
        self._turn = threading.Condition()  # waiting, closing, broken
        self._waiting: deque[Ticket] = deque()
        self._closing = False
        self._broken: errors.SentienGuardError | None = None
        self._thread = threading.Thread(target=self._run, name="audit-writer", daemon=True)

    def start(self) -> None:
        """Begin to commit."""
        self._thread.start()

    def close(self) -> bool:
        """Commit what waits and take nothing more; tell whether this call was the first."""
        with self._turn:
            already, self._closing = self._closing, True
            self._turn.notify()
        return not already

    def ended(self, within_s: float) -> bool:
        """Wait for the last commit after `close`; tell whether it is over."""
        self._thread.join(within_s)
        return not self._thread.is_alive()

    @property
    def broken(self) -> errors.SentienGuardError | None:
        """Why nothing is written any more, or None; always a fresh error, to be raised."""
        return None if self._broken is None else _told_anew(self._broken)

    def append_many(self, entries: Sequence[audit_log.Entry]) -> list[Outcome]:
        """Return when all are durable: one answer for each.

        Raises AuditUnavailable, and what the log broke with.
        """
        ticket = Ticket(entries)
        with self._turn:
            self._require_open()
            if len(self._waiting) >= MAX_WAITING:
                raise audit_log.AuditUnavailable(
                    f"{MAX_WAITING} appends wait for the {self._medium} already; try again in a "
                    "second"
                )
            self._waiting.append(ticket)
            self._turn.notify()
        return ticket.wait()

    def append(self, entry: audit_log.Entry) -> audit_log.Appended:
        """Return when this one is durable. Raises EntryRefused too."""
        (outcome,) = self.append_many([entry])
        if isinstance(outcome, audit_log.EntryRefused):
            raise outcome
        return outcome

    def require_open(self) -> None:
        """Raise what an append would be refused with now."""
        with self._turn:
            self._require_open()

    def break_off(self, why: errors.SentienGuardError) -> errors.SentienGuardError:
        """Turn read-only for good (rule 3); return the first reason, to be raised."""
        with self._turn:
            self._broken = self._broken or why
            left = list(self._waiting)
            self._waiting.clear()
        for ticket in left:
            ticket.answer(self._broken)
        return _told_anew(self._broken)

    def _require_open(self) -> None:
        if self._broken is not None:
            raise _told_anew(self._broken)
        if self._closing:
            raise audit_log.AuditUnavailable("the audit log is closed; start the process again")

    def _run(self) -> None:
        while batch := self._next():
            failure: errors.SentienGuardError | None = None
            try:
                self._commit(batch)
            except errors.SentienGuardError as error:
                failure = error
            for ticket in batch:
                ticket.answer(failure)

    def _next(self) -> list[Ticket]:
        """Wait for a batch; none means that there will be no more."""
        with self._turn:
            self._turn.wait_for(lambda: self._waiting or self._closing)
            batch: list[Ticket] = []
            count = 0
            while self._waiting:
                count += len(self._waiting[0].entries)
                if batch and count > MAX_BATCH:
                    break
                batch.append(self._waiting.popleft())
            return batch


def judged(batch: Sequence[Ticket], ledger: audit_ledger.AuditLedger) -> list[bytes]:
    """Let the ledger judge each entry of a batch, afresh; return what is to be written."""
    records = []
    for ticket in batch:
        ticket.outcomes = []
        for entry in ticket.entries:
            try:
                admitted = ledger.admit(entry)
            except errors.Rejected as error:
                ticket.outcomes.append(_as_refusal(error))
                continue
            repeated = admitted.stored is None
            ticket.outcomes.append(audit_log.Appended(admitted.index, admitted.leaf_hash, repeated))
            if admitted.stored is not None:
                records.append(admitted.stored)
    return records


def _as_refusal(error: errors.Rejected) -> audit_log.EntryRefused:
    return (
        error if isinstance(error, audit_log.EntryRefused) else audit_log.EntryRefused(str(error))
    )


def _told_anew(why: errors.SentienGuardError) -> errors.SentienGuardError:
    """Return the same error for another thread to raise: one object would gather all their traces.

    Its cause goes along.
    """
    copy = type(why)(*why.args)
    copy.__cause__ = why.__cause__
    return copy
