"""Keep what people are going to be told, until it was delivered.

Called through ports.outbox. What was caused by the log moves with the position in the log, in one
transaction, so that a crash neither tells twice nor forgets. What a message says is sealed.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, text

from sentienguard.adapters.sql_store import codec
from sentienguard.adapters.sql_store.connections import Connections, Transaction
from sentienguard.adapters.sql_store.data_keys import DataKeys
from sentienguard.adapters.sql_store.sealed_columns import NOTICE
from sentienguard.model.ids import IncidentId
from sentienguard.ports.outbox import OutboxStatus, Outgoing

# How far the log was read; no row: not at all.
POSITION = text("SELECT next FROM outbox_position WHERE one = 1")

# Begin to read the log, unless somebody did.
BEGIN = text("INSERT INTO outbox_position (one, next) VALUES (1, 0) ON CONFLICT DO NOTHING")

# Go on in the log, unless somebody else did.
MOVE = text("UPDATE outbox_position SET next = :after WHERE one = 1 AND next = :start")

# Keep a message, unless its cause made it before.
ADD = text("""
    INSERT INTO outbox (
        id, channel, incident, kind, notice, made_us, due_us, unanswered, attempts, status,
        claimed_us, reference, problem
    ) VALUES (
        :id, :channel, :incident, :kind, :notice, :made_us, :due_us, :unanswered, 0, 'waiting',
        0, '', ''
    ) ON CONFLICT DO NOTHING
""")

# A later message may not wait: what its channel was to hear of the incident later goes before it.
RELEASE = text("""
    UPDATE outbox SET due_us = :due_us
    WHERE channel = :channel AND incident = :incident AND id <> :id AND status = 'waiting'
      AND unanswered = 0 AND attempts = 0 AND due_us > :due_us AND made_us <= :made_us
""")

# What is due and nobody has; of a channel and an incident the one that was made first, even while
# it waits to be tried again. A reminder that nobody tried yet is in nobody's way, and what waits
# for the end of quiet hours is in the way of no reminder.
DUE = text("""
    SELECT * FROM outbox AS one
    WHERE status = 'waiting' AND due_us <= :now_us AND claimed_us <= :now_us
      AND (incident = '' OR NOT EXISTS (
        SELECT 1 FROM outbox AS earlier
        WHERE earlier.channel = one.channel AND earlier.incident = one.incident
          AND earlier.status = 'waiting'
          AND (earlier.attempts > 0 OR earlier.due_us <= :now_us
               OR (earlier.unanswered = 0 AND one.unanswered = 0))
          AND (earlier.made_us < one.made_us
               OR (earlier.made_us = one.made_us AND earlier.id < one.id))
      ))
    ORDER BY made_us, id LIMIT :most
""")

# Take one for oneself.
CLAIM = text("""
    UPDATE outbox SET claimed_us = :until_us
    WHERE id = :id AND status = 'waiting' AND claimed_us <= :now_us
""")

# Nobody has any.
UNCLAIM = text("UPDATE outbox SET claimed_us = 0 WHERE status = 'waiting' AND claimed_us > 0")

# It ended.
END = text("""
    UPDATE outbox
    SET status = :status, ended_us = :at_us, reference = :reference, problem = :problem,
        attempts = attempts + 1
    WHERE id = :id AND status = 'waiting'
""")

# Try it again later.
AGAIN = text("""
    UPDATE outbox
    SET due_us = :due_us, problem = :problem, attempts = attempts + 1, claimed_us = 0
    WHERE id = :id AND status = 'waiting'
""")

# How the service names the last message about an incident.
REFERENCE = text("""
    SELECT reference FROM outbox
    WHERE channel = :channel AND incident = :incident AND status = 'sent' AND reference <> ''
    ORDER BY ended_us DESC, made_us DESC, id DESC LIMIT 1
""")

# All about an incident for one channel.
THREAD = text("""
    SELECT * FROM outbox WHERE channel = :channel AND incident = :incident
    ORDER BY made_us, id
""")

# How much a channel was sent lately.
SENT_SINCE = text("""
    SELECT count(*) AS many FROM outbox
    WHERE channel = :channel AND status = 'sent' AND ended_us >= :since_us
""")

# The newest messages.
LIST = text("SELECT * FROM outbox ORDER BY made_us DESC, id DESC LIMIT :most")

# Drop what ended long ago.
FORGET = text("DELETE FROM outbox WHERE ended_us < :before_us")


class SqlOutbox:
    """Messages in the relational store; see ports.outbox for what each method promises."""

    def __init__(self, connections: Connections, keys: DataKeys) -> None:
        self._connections = connections
        self._keys = keys

    def position(self) -> int | None:
        """Return the first entry that was not read yet; None: the log never was."""
        with self._connections.read() as transaction:
            row = transaction.row(POSITION)
        return None if row is None else int(row.next)

    def add(self, messages: Sequence[Outgoing], *, start: int, end: int) -> bool:
        """Keep messages and move the position, together; False where somebody was faster."""
        sealed = [self._sealed(message) for message in messages]
        with self._connections.write() as transaction:
            transaction.change(BEGIN)
            if not transaction.change(MOVE, start=start, after=end):
                return False
            for message, notice in zip(messages, sealed, strict=True):
                _add(transaction, message, notice)
                if message.incident and not message.unanswered:
                    _release(transaction, message)
            return True

    def put(self, message: Outgoing) -> None:
        """Keep a message that no entry caused."""
        notice = self._sealed(message)
        with self._connections.write() as transaction:
            _add(transaction, message, notice)

    def due(self, now: datetime, *, limit: int) -> Sequence[Outgoing]:
        """Return what is due, oldest first; of a channel and an incident only the oldest one."""
        with self._connections.read() as transaction:
            rows = transaction.rows(DUE, now_us=codec.micros(now), most=limit)
            return tuple(self._outgoing(row) for row in rows)

    def claim(self, message: str, *, now: datetime, until: datetime) -> bool:
        """Take a message for oneself until then."""
        with self._connections.write() as transaction:
            claimed = transaction.change(
                CLAIM, id=message, now_us=codec.micros(now), until_us=codec.micros(until)
            )
        return bool(claimed)

    def unclaim(self) -> None:
        """Give back what a process that died had taken."""
        with self._connections.write() as transaction:
            transaction.change(UNCLAIM)

    def end(
        self, message: str, status: OutboxStatus, *, at: datetime, reference: str, problem: str
    ) -> None:
        """Say how a message ended."""
        with self._connections.write() as transaction:
            transaction.change(
                END,
                id=message,
                status=status.value,
                at_us=codec.micros(at),
                reference=reference,
                problem=problem,
            )

    def again(self, message: str, *, due_at: datetime, problem: str) -> None:
        """Try once more at that time."""
        with self._connections.write() as transaction:
            transaction.change(AGAIN, id=message, due_us=codec.micros(due_at), problem=problem)

    def reference(self, channel: str, incident: IncidentId) -> str:
        """Return how the service names the last message about an incident."""
        with self._connections.read() as transaction:
            row = transaction.row(REFERENCE, channel=channel, incident=incident)
        return "" if row is None else str(row.reference)

    def thread(self, channel: str, incident: IncidentId) -> Sequence[Outgoing]:
        """Return what a channel was, will be and was not told of an incident."""
        with self._connections.read() as transaction:
            rows = transaction.rows(THREAD, channel=channel, incident=incident)
            return tuple(self._outgoing(row) for row in rows)

    def sent_since(self, channel: str, since: datetime) -> int:
        """Count what a channel was sent since then."""
        with self._connections.read() as transaction:
            row = transaction.row(SENT_SINCE, channel=channel, since_us=codec.micros(since))
        return 0 if row is None else int(row.many)

    def list(self, *, limit: int) -> Sequence[Outgoing]:
        """Return the newest, newest first."""
        with self._connections.read() as transaction:
            return tuple(self._outgoing(row) for row in transaction.rows(LIST, most=limit))

    def forget(self, before: datetime) -> int:
        """Drop what ended before then."""
        with self._connections.write() as transaction:
            return transaction.change(FORGET, before_us=codec.micros(before))

    def _sealed(self, message: Outgoing) -> str:
        return self._keys.seal_text(message.text, NOTICE, message.id)

    def _outgoing(self, row: Row[Any]) -> Outgoing:
        """Read a row."""
        return Outgoing(
            id=row.id,
            channel=row.channel,
            incident=IncidentId(row.incident),
            kind=row.kind,
            text=self._keys.readable_text(row.notice, NOTICE, row.id),
            made_at=codec.instant(row.made_us),
            due_at=codec.instant(row.due_us),
            unanswered=bool(row.unanswered),
            attempts=row.attempts,
            status=codec.member(OutboxStatus, row.status),
            reference=row.reference,
            problem=row.problem,
            ended_at=codec.instant_or_none(row.ended_us),
        )


def _add(transaction: Transaction, message: Outgoing, notice: str) -> None:
    transaction.change(
        ADD,
        id=message.id,
        channel=message.channel,
        incident=message.incident,
        kind=message.kind,
        notice=notice,
        made_us=codec.micros(message.made_at),
        due_us=codec.micros(message.due_at),
        unanswered=int(message.unanswered),
    )


def _release(transaction: Transaction, message: Outgoing) -> None:
    transaction.change(
        RELEASE,
        id=message.id,
        channel=message.channel,
        incident=message.incident,
        made_us=codec.micros(message.made_at),
        due_us=codec.micros(message.due_at),
    )
