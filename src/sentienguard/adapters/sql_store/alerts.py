"""Keep alerts from outside until they are dealt with, and what became of them.

Called through ports.alert_inbox. Rules:

1. `put` is one transaction, however many alerts it is given: that is what group commit rests on.
2. The table's key decides what is new, so the same alert twice, in one batch or in two, is one row.
3. An alert that does not name its episode is given one before it is put, in the same transaction.
   Two control planes that do so at once can take it for two; the second is folded into the first.
4. What an alert says is sealed, bound to what tells it from others (rule 2); nobody searches in it.
5. On PostgreSQL one control plane processes at a time: an advisory lock, which the server takes
   back when its holder dies. On SQLite there is one control plane.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from sqlalchemy import Row, text

from sentienguard.adapters.sql_store import codec
from sentienguard.adapters.sql_store.connections import Connections, Transaction
from sentienguard.adapters.sql_store.data_keys import DataKeys
from sentienguard.adapters.sql_store.sealed_columns import ALERT
from sentienguard.model.alert import AlertStatus
from sentienguard.model.ids import Fingerprint, IncidentId
from sentienguard.ports.alert_inbox import AlertPage, Dealt, KeptAlert, NewAlert, Result

LAST = 2**63 - 1  # after every number and every time

# Keep an alert, unless it was kept before.
PUT = text("""
    INSERT INTO alerts (environment, fingerprint, starts_us, status, received_us, alert, sender)
    VALUES (:environment, :fingerprint, :starts_us, :status, :received_us, :alert, :sender)
    ON CONFLICT DO NOTHING
""")

# The newest episode of an alert that began by then, and whether an end of it is known.
EPISODE = text("""
    SELECT starts_us, EXISTS (
        SELECT 1 FROM alerts AS ended
        WHERE ended.environment = began.environment AND ended.fingerprint = began.fingerprint
            AND ended.starts_us = began.starts_us AND ended.status = 'resolved'
    ) AS is_over
    FROM alerts AS began
    WHERE environment = :environment AND fingerprint = :fingerprint AND status = 'firing'
        AND starts_us <= :heard_us
    ORDER BY starts_us DESC LIMIT 1
""")

# The turn to process, until the transaction ends; the number is arbitrary and ours alone.
TURN = text("SELECT pg_try_advisory_xact_lock(7311806257201915) AS mine")

# What nobody has dealt with, oldest first.
WAITING = text("""
    SELECT * FROM alerts WHERE result IS NULL AND id > :after ORDER BY id LIMIT :limit
""")

# What a silence kept from opening anything and nobody has ended since, oldest first.
SILENCED = text("""
    SELECT * FROM alerts AS began
    WHERE result = 'silenced' AND status = 'firing' AND id > :after AND NOT EXISTS (
        SELECT 1 FROM alerts AS later
        WHERE later.environment = began.environment AND later.fingerprint = began.fingerprint
            AND (later.id > began.id OR later.starts_us = began.starts_us)
            AND later.id <> began.id
    )
    ORDER BY id LIMIT :limit
""")

# How many wait.
BACKLOG = text("SELECT count(*) AS waiting FROM alerts WHERE result IS NULL")

# What became of an alert.
DEALT = text("UPDATE alerts SET result = :result, incident = :incident WHERE id = :id")

# Whether the end of an episode came before an alert.
ENDED = text("""
    SELECT 1 FROM alerts
    WHERE environment = :environment AND fingerprint = :fingerprint
        AND starts_us = :starts_us AND status = 'resolved' AND id < :number
""")

# The newest incident of an alert.
INCIDENT_OF = text("""
    SELECT incident FROM alerts
    WHERE environment = :environment AND fingerprint = :fingerprint AND status = 'firing'
        AND incident IS NOT NULL AND starts_us < :before_us
    ORDER BY id DESC LIMIT 1
""")

# How many other alerts of an incident fire when one ends: no end of theirs came in between.
FIRING = text("""
    SELECT count(DISTINCT fingerprint) AS firing FROM alerts AS began
    WHERE incident = :incident AND status = 'firing' AND fingerprint <> :fingerprint
        AND NOT EXISTS (
            SELECT 1 FROM alerts AS ended
            WHERE ended.environment = began.environment
                AND ended.fingerprint = began.fingerprint AND ended.status = 'resolved'
                AND ended.id < :number
                AND (ended.id > began.id OR ended.starts_us = began.starts_us)
        )
""")

# One page, newest first.
LIST = """
    SELECT * FROM alerts WHERE id < :before AND environment IN ({places})
    ORDER BY id DESC LIMIT :limit
"""

# How many there are of each result.
COUNTS = text(
    "SELECT result, count(*) AS many FROM alerts WHERE result IS NOT NULL GROUP BY result"
)

# Drop what was dealt with long ago.
FORGET = text("DELETE FROM alerts WHERE result IS NOT NULL AND received_us < :before_us")


class SqlAlertInbox:
    """Alerts in the relational store; see ports.alert_inbox for what each method promises."""

    def __init__(self, connections: Connections, keys: DataKeys) -> None:
        self._connections = connections
        self._keys = keys

    def put(self, alerts: Sequence[NewAlert]) -> int:
        """Keep those that are new and return how many that were; durable when it returns."""
        if not alerts:
            return 0
        new, rows = 0, list[dict[str, Any]]()
        seal = self._keys.batch()
        with self._connections.write() as transaction:
            for one in alerts:
                if one.heard_at is not None:  # rule 3; what came before it has to be in the table
                    new += _insert(transaction, rows)
                rows.append(_row(one, _began(transaction, one), seal))
            return new + _insert(transaction, rows)

    @contextmanager
    def turn(self) -> Iterator[bool]:
        """Take the turn to process, for as long as the block lasts; False where another has it."""
        if self._connections.dialect != "postgresql":
            yield True
            return
        with self._connections.read() as transaction:  # the lock is all that it holds
            row = transaction.row(TURN)
            yield row is not None and bool(row.mine)

    def waiting(self, limit: int, *, after: int = 0) -> Sequence[KeptAlert]:
        """Return those that nobody has dealt with and that came after a number, oldest first."""
        with self._connections.read() as transaction:
            rows = transaction.rows(WAITING, limit=limit, after=after)
        return tuple(self._kept(row) for row in rows)

    def silenced(self, limit: int, *, after: int = 0) -> Sequence[KeptAlert]:
        """Return those that a silence kept from opening anything and that fire still."""
        with self._connections.read() as transaction:
            rows = transaction.rows(SILENCED, limit=limit, after=after)
        return tuple(self._kept(row) for row in rows)

    def backlog(self) -> int:
        """Return how many wait."""
        with self._connections.read() as transaction:
            row = transaction.row(BACKLOG)
        return 0 if row is None else int(row.waiting)

    def dealt(self, results: Sequence[Dealt]) -> None:
        """Remember what became of alerts."""
        rows = [
            {"id": one.number, "result": one.result.value, "incident": one.incident}
            for one in results
        ]
        if rows:
            with self._connections.write() as transaction:
                transaction.connection.execute(DEALT, rows)

    def had_ended(self, kept: KeptAlert) -> bool:
        """Tell whether the end of this episode of an alert came before this one."""
        with self._connections.read() as transaction:
            row = transaction.row(
                ENDED,
                environment=kept.alert.environment,
                fingerprint=kept.alert.fingerprint,
                starts_us=codec.micros(kept.alert.starts_at),
                number=kept.number,
            )
        return row is not None

    def incident_of(
        self, environment: str, fingerprint: Fingerprint, *, before: datetime | None = None
    ) -> IncidentId | None:
        """Return the newest incident that this alert opened or was folded into."""
        with self._connections.read() as transaction:
            row = transaction.row(
                INCIDENT_OF,
                environment=environment,
                fingerprint=fingerprint,
                before_us=LAST if before is None else codec.micros(before),
            )
        return None if row is None else IncidentId(row.incident)

    def firing(self, incident: IncidentId, *, beside: KeptAlert) -> int:
        """Return how many other alerts of an incident fired still when this one came."""
        with self._connections.read() as transaction:
            row = transaction.row(
                FIRING,
                incident=incident,
                fingerprint=beside.alert.fingerprint,
                number=beside.number,
            )
        return 0 if row is None else int(row.firing)

    def list(self, environments: Sequence[str], *, before: int | None, limit: int) -> AlertPage:
        """List newest first."""
        if not environments:
            return AlertPage((), None)
        names = {f"place_{number}": one for number, one in enumerate(environments)}
        statement = text(LIST.format(places=", ".join(f":{name}" for name in names)))
        start = LAST if before is None else before
        with self._connections.read() as transaction:
            rows = transaction.rows(statement, before=start, limit=limit + 1, **names)
        alerts = tuple(self._kept(row) for row in rows[:limit])
        return AlertPage(alerts, alerts[-1].number if len(rows) > limit else None)

    def counts(self) -> Mapping[Result, int]:
        """Return how many there are of each result."""
        with self._connections.read() as transaction:
            rows = transaction.rows(COUNTS)
        return {codec.member(Result, row.result): int(row.many) for row in rows}

    def forget(self, received_before: datetime) -> int:
        """Drop what was dealt with and came before then; return how many."""
        with self._connections.write() as transaction:
            return transaction.change(FORGET, before_us=codec.micros(received_before))

    def _kept(self, row: Row[Any]) -> KeptAlert:
        """Read a row."""
        bound = [getattr(row, name) for name in ALERT.bound]
        return KeptAlert(
            number=row.id,
            alert=NewAlert(
                environment=row.environment,
                fingerprint=Fingerprint(row.fingerprint),
                starts_at=codec.instant(row.starts_us),
                status=codec.member(AlertStatus, row.status),
                received_at=codec.instant(row.received_us),
                text=self._keys.readable_text(row.alert, ALERT, *bound),
                sender=row.sender or "",
            ),
            result=None if row.result is None else codec.member(Result, row.result),
            incident=None if row.incident is None else IncidentId(row.incident),
        )


def _insert(transaction: Transaction, rows: list[dict[str, Any]]) -> int:
    """Insert rows, empty the list, and return how many were new."""
    new = transaction.connection.execute(PUT, rows).rowcount if rows else 0
    rows.clear()
    return new


def _began(transaction: Transaction, one: NewAlert) -> int:
    """Return when the episode of an alert began, in microseconds."""
    if one.heard_at is None:
        return codec.micros(one.starts_at)
    found = transaction.row(
        EPISODE,
        environment=one.environment,
        fingerprint=one.fingerprint,
        heard_us=codec.micros(one.heard_at),
    )
    if found is None or (found.is_over and one.status is AlertStatus.FIRING):
        return codec.micros(one.starts_at)
    return int(found.starts_us)


def _row(one: NewAlert, starts_us: int, seal: Callable[[bytes, str], bytes]) -> dict[str, Any]:
    place = ALERT.place(one.environment, one.fingerprint, starts_us, one.status.value)
    return {
        "environment": one.environment,
        "fingerprint": one.fingerprint,
        "starts_us": starts_us,
        "status": one.status.value,
        "received_us": codec.micros(one.received_at),
        "alert": seal(one.text.encode(), place).decode(),
        "sender": one.sender,
    }
