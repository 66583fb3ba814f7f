"""Everything an executor writes down, in the order in which it must be on disk.

Called by `desk` (intents, refusals), `engine`, `undo` and `resume` (what is about to
happen, what happened) and by the executor's socket (events, acknowledgements). Thread-safe: the
order runs in one thread, the socket is served by others.

Rules:
1. An intent, and that a step begins with what its undo needs, are durable before the effect. So
   whatever is lost later, with the power or by a sync that failed, `resume` knows each step that
   may have acted. An undo is begun without a sync of its own: it may be done twice.
2. What merely tells of the past may be lost with the power; the order then counts as cut off and is
   looked at again.
3. An event is written together with the fact that it tells, in one piece.
4. The end of an order, and every event, is durable before the centre hears of it.
5. After a failed write nothing more is written and no order is admitted (`broken`).
"""

import base64
import threading
from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from typing import Any

from sentienguard.model import order
from sentienguard.ports import clock, command_runner, execution_journal
from sentienguard.stages.execute import memory, parameters
from sentienguard.stages.execute.report import events
from sentienguard.trust import order as orders

AT_ONCE = 64  # events in one answer
GATHER_S = 0.1  # that events of an order that runs wait for a sync of its own
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MAX_WAITING_BYTES = 4 * 1024 * 1024  # of events; they are held in memory
REWRITE_AFTER = 500  # records, once the centre has every event and nothing runs
MAX_WAITING = 2_000  # events kept for the centre; above it, refusals and alarms are only counted


class Ledger:
    """The journal, what it adds up to, and the events that leave with it."""

    def __init__(
        self,
        journal: execution_journal.ExecutionJournal,
        source: events.Source,
        time: clock.Clock,
    ) -> None:
        """Read the journal. Raises execution_journal.JournalBroken."""
        self._journal = journal
        self._source = source
        self._time = time
        self._told = threading.Condition()
        self._broken: str | None = None
        self._unsynced = False
        self._written = 0  # records since the journal was last rewritten
        self.dropped = 0  # refusals and alarms that found no room since the start
        self.memory = memory.Memory()
        for record in journal.records():
            self.memory.apply(record)

    @property
    def broken(self) -> str | None:
        """Say why nothing may be begun; None while all is well."""
        if self._broken is not None:
            return self._broken
        if (cramped := self._journal.cramped()) is not None:
            return cramped
        waiting = sum(len(each["leaf"]) + _blob_size(each) for each in self.memory.events)
        if waiting > MAX_WAITING_BYTES:
            return (
                f"{len(self.memory.events)} events with {waiting} bytes wait for the centre; "
                "nothing is executed until it has taken them"
            )
        return None

    @property
    def failed(self) -> bool:
        """Tell whether a write failed: the executor has to start anew."""
        return self._broken is not None

    def now_ms(self) -> int:
        """Return wall time in milliseconds."""
        return int(self._time.now().timestamp() * 1000)

    def intend(
        self, signed: orders.SignedOrder, stored: bytes, bound: parameters.Bound, boot: str
    ) -> None:
        """Write down, durably, that an order is going to be executed, with its playbook's bytes.

        `boot` names the time since the host was started.
        """
        record = {
            "t": "intent",
            "order": _plain(signed.order),
            "seq": signed.seq,
            "boot": boot,
            "stored": base64.b64encode(stored).decode(),
            "bound": dict(bound.values),
            "started": dict(bound.started),
            "at_ms": self.now_ms(),
        }
        self._write([record], [events.admitted(signed.order, signed.seq)], durable=True)

    def refuse(self, given: order.Order, seq: int, rule: str, reason: str) -> None:
        """Write down, durably, that an authentic order was refused and will never run here."""
        record = {
            "t": "refused",
            "order": given.id,
            "seq": seq,
            "outcome": order.ExecutionOutcome.REFUSED.value,
            "rule": rule,
            "reason": reason,
        }
        self._write([record], [events.refused(given, rule, reason)], durable=True)

    def begin(self, phase: order.Phase, index: int, recorded: Mapping[str, Any], mark: str) -> None:
        """Write down what is about to act and what undoing it needs; of a step durably (rule 1)."""
        record = {
            "t": "begin",
            "phase": phase.value,
            "index": index,
            "undo": dict(recorded),
            "mark": mark,
        }
        self._write([record], [], durable=phase is order.Phase.STEP or bool(recorded))

    def group(self, group: command_runner.ProcessGroup) -> None:
        """Write down which process group runs now."""
        record = {"t": "group", "pgid": group.pgid, "started": group.started}
        self._write([record], [], durable=False)

    def ended(
        self,
        given: order.Order,
        index: int,
        record: order.StepRecord,
        *,
        changed: bool | None = None,
        acted: bool,
    ) -> None:
        """Write down how a piece ended. `acted`: it had a `begin`."""
        records = []
        if acted:
            records.append(
                {
                    "t": "end",
                    "phase": record.phase.value,
                    "index": index,
                    "status": record.status.value,
                    "changed": changed,
                }
            )
        self._write(records, [events.done(given, index, record)], durable=False)

    def verifying(self) -> None:
        """Write down that all steps are over and verification starts."""
        self._write([{"t": "verify"}], [], durable=False)

    def finish(self, given: order.Order, report: order.ExecutionReport) -> None:
        """Write down, durably, how the order ended."""
        record = {
            "t": "finish",
            "order": given.id,
            "outcome": report.outcome.value,
            "reason": report.reason,
        }
        self._write([record], [events.finished(given, report)], durable=True)

    def accept_sequence(self, seq: int) -> None:
        """Write down, durably, that a stop with this number was accepted."""
        self._write([{"t": "seq", "seq": seq}], [], durable=True)

    def tell(self, event: events.Event, *, durable: bool = True) -> None:
        """Write down something that belongs to no order, if there is room."""
        self._write([], self._if_room(event), durable=durable)

    def events_after(self, after: int, wait_s: float) -> Sequence[Mapping[str, Any]]:
        """Return up to 64 signed events after a number; wait for the first if there is none."""
        with self._told:
            self._told.wait_for(lambda: self.memory.event_seq > after, timeout=wait_s)
            if self._unsynced and self.memory.running is not None:
                # Its next step or its end brings a sync; one for each event would hold it up.
                patience = min(GATHER_S, wait_s)
                self._told.wait_for(lambda: not self._unsynced, timeout=patience)
            if self._unsynced:  # else a power cut could have two events bear one number
                self._append([], durable=True)
            found = [each for each in self.memory.events if each["seq"] > after][:AT_ONCE]
        return [events.signed(each, self._source) for each in found]

    def acked(self, through: int) -> int:
        """Forget events that are durable at the centre; return the number up to which they are."""
        with self._told:
            through = min(through, self.memory.event_seq)
            if through > self.memory.acked:
                self._append([{"t": "acked", "through": through}], durable=False)
                idle = self.memory.running is None and not self.memory.events
                if idle and self._written > REWRITE_AFTER:
                    self._rewrite()
            return self.memory.acked

    def compact(self) -> None:
        """Rewrite the journal without what nobody needs any more; not while an order runs."""
        with self._told:
            if self.memory.running is None and self._broken is None:
                self._rewrite()

    def _rewrite(self) -> None:
        self._written = 0
        try:
            self._journal.rewrite(self.memory.compacted())
        except execution_journal.JournalFull:
            return  # a rewrite saves room and time; without it all goes on
        except execution_journal.JournalBroken as error:
            self._broken = str(error)
            raise
        self._unsynced = False

    def _if_room(self, event: events.Event) -> list[events.Event]:
        if len(self.memory.events) < MAX_WAITING:
            return [event]
        self.dropped += 1
        return []

    def _write(
        self,
        records: Sequence[execution_journal.Record],
        told: Sequence[events.Event],
        *,
        durable: bool,
    ) -> None:
        with self._told:
            seq, prev, sealed = self.memory.event_seq, self.memory.event_prev, []
            for event in told:
                seq += 1
                sealed.append(
                    events.sealed(event, self._source, seq=seq, prev=prev, at_ms=self.now_ms())
                )
                prev = sealed[-1]["digest"]
            if records or sealed:
                self._append([*records, *sealed], durable=durable)
                self._told.notify_all()

    def _append(self, records: Sequence[execution_journal.Record], *, durable: bool) -> None:
        if self._broken is not None:
            raise execution_journal.JournalBroken(self._broken)
        try:
            self._journal.append(records, durable=durable)
        except execution_journal.JournalBroken as error:
            self._broken = str(error)
            raise
        self._written += len(records)
        self._unsynced = not durable and (self._unsynced or bool(records))
        for record in records:
            self.memory.apply(record)


def _blob_size(event: Mapping[str, Any]) -> int:
    return sum(len(blob["data"]) for blob in event["blobs"])


def _plain(given: order.Order) -> dict[str, Any]:
    record = {field.name: getattr(given, field.name) for field in fields(given)}
    record["created_at"] = int(given.created_at.timestamp() * 1000)
    record["parameters"], record["facts"] = dict(given.parameters), dict(given.facts)
    return record


def stored_of(intent: Mapping[str, Any]) -> bytes:
    """Return the playbook's bytes that an intent wrote down."""
    return base64.b64decode(intent["stored"])


def order_of(intent: Mapping[str, Any]) -> order.Order:
    """Return the order that an intent wrote down."""
    record = dict(intent["order"])
    record["created_at"] = _EPOCH + timedelta(milliseconds=record["created_at"])
    return order.Order(**record)
