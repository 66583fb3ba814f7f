"""Keep what was changed; called through ports.change_store. What it says is sealed."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, text

from sentienguard.adapters.sql_store import codec
from sentienguard.adapters.sql_store.connections import Connections
from sentienguard.adapters.sql_store.data_keys import DataKeys, encoded
from sentienguard.adapters.sql_store.sealed_columns import CHANGE
from sentienguard.model.evidence import Changed

# Keep a change, unless it was told before.
PUT = text("""
    INSERT INTO changes
        (environment, id, at_us, received_us, service, kind, version, made_by, summary)
    VALUES
        (:environment, :id, :at_us, :received_us, :service, :kind, :version, :made_by, :summary)
    ON CONFLICT (environment, id) DO NOTHING
""")

# What took effect in a time, newest first.
BETWEEN = text("""
    SELECT * FROM changes
    WHERE environment = :environment AND at_us >= :start_us AND at_us < :end_us
    ORDER BY at_us DESC, id LIMIT :limit
""")

# Drop what took effect long ago.
FORGET = text("DELETE FROM changes WHERE at_us < :before_us")


class SqlChangeStore:
    """Changes in the relational store; see ports.change_store."""

    def __init__(self, connections: Connections, keys: DataKeys) -> None:
        self._connections = connections
        self._keys = keys

    def put(self, environment: str, changes: Sequence[Changed], *, received_at: datetime) -> int:
        """Keep changes; return how many were new."""
        if not changes:
            return 0
        seal = self._keys.batch()
        with self._connections.write() as transaction:
            return sum(
                transaction.change(
                    PUT,
                    environment=environment,
                    id=one.id,
                    at_us=codec.micros(one.at),
                    received_us=codec.micros(received_at),
                    service=one.service,
                    kind=one.kind,
                    version=one.version,
                    made_by=one.by,
                    summary=seal(encoded(one.summary), CHANGE.place(environment, one.id)).decode(),
                )
                for one in changes
            )

    def between(
        self, environment: str, start: datetime, end: datetime, *, limit: int
    ) -> Sequence[Changed]:
        """Return what took effect in a time, newest first."""
        with self._connections.read() as transaction:
            rows = transaction.rows(
                BETWEEN,
                environment=environment,
                start_us=codec.micros(start),
                end_us=codec.micros(end),
                limit=limit,
            )
        return tuple(self._changed(row) for row in rows)

    def forget(self, before: datetime) -> int:
        """Drop what took effect before then."""
        with self._connections.write() as transaction:
            return transaction.change(FORGET, before_us=codec.micros(before))

    def _changed(self, row: Row[Any]) -> Changed:
        """Read a row."""
        bound = (row.environment, row.id)
        return Changed(
            id=row.id,
            at=codec.instant(row.at_us),
            service=row.service,
            kind=row.kind,
            version=row.version,
            by=row.made_by,
            summary=self._keys.readable_text(row.summary, CHANGE, *bound),
        )
