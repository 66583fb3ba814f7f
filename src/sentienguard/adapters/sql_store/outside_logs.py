"""Keep log lines of other systems; called through ports.outside_logs.

The text of a line is sealed, bound to who wrote it and when; nothing here searches in texts. A line
that cannot be opened (its data key is lost, or it was moved) says so in the place of its text, so
that one row neither hides the others nor keeps an incident from being decided.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, text

from sentienguard.adapters.sql_store import codec
from sentienguard.adapters.sql_store.connections import Connections
from sentienguard.adapters.sql_store.data_keys import DataKeys
from sentienguard.adapters.sql_store.sealed_columns import OUTSIDE_LINE
from sentienguard.ports.outside_logs import KeptLine, NewLine

LAST = 2**63 - 1  # after every number

# Keep a line.
PUT = text("""
    INSERT INTO outside_logs (environment, host, service, at_us, received_us, severity, text)
    VALUES (:environment, :host, :service, :at_us, :received_us, :severity, :text)
""")

# One page, newest first.
LIST = """
    SELECT * FROM outside_logs WHERE id < :before AND environment IN ({places}) {of_host}
    ORDER BY id DESC LIMIT :limit
"""

# The newest of a time, whoever wrote them.
BETWEEN = text("""
    SELECT * FROM outside_logs
    WHERE environment = :environment AND at_us >= :start_us AND at_us < :end_us
    ORDER BY at_us DESC, id DESC LIMIT :limit
""")

# Drop what came long ago, and the oldest of too many: numbers only rise.
FORGET = text("""
    DELETE FROM outside_logs
    WHERE received_us < :before_us OR id <= (SELECT max(id) FROM outside_logs) - :most
""")


class SqlOutsideLogs:
    """Log lines in the relational store; see ports.outside_logs."""

    def __init__(self, connections: Connections, keys: DataKeys) -> None:
        self._connections = connections
        self._keys = keys

    def put(self, lines: Sequence[NewLine]) -> None:
        """Keep lines; durable when it returns."""
        rows: list[dict[str, Any]] = [
            {
                "environment": one.environment,
                "host": one.host,
                "service": one.service,
                "at_us": codec.micros(one.at),
                "received_us": codec.micros(one.received_at),
                "severity": one.severity,
            }
            for one in lines
        ]
        if rows:
            seal = self._keys.batch()
            for row, one in zip(rows, lines, strict=True):
                place = OUTSIDE_LINE.place(*(row[name] for name in OUTSIDE_LINE.bound))
                row["text"] = seal(one.text.encode(), place).decode()
            with self._connections.write() as transaction:
                transaction.connection.execute(PUT, rows)

    def list(
        self, environments: Sequence[str], *, host: str | None, before: int | None, limit: int
    ) -> Sequence[KeptLine]:
        """Return the newest lines before a number."""
        if not environments:
            return ()
        names: dict[str, Any] = {f"place_{number}": one for number, one in enumerate(environments)}
        places = ", ".join(f":{name}" for name in names)
        of_host = "" if host is None else "AND host = :host"
        if host is not None:
            names["host"] = host
        statement = text(LIST.format(places=places, of_host=of_host))
        start = LAST if before is None else before
        with self._connections.read() as transaction:
            rows = transaction.rows(statement, before=start, limit=limit, **names)
        return tuple(self._kept(row) for row in rows)

    def between(
        self, environment: str, start: datetime, end: datetime, *, limit: int
    ) -> Sequence[NewLine]:
        """Return the newest lines of a time, newest first."""
        with self._connections.read() as transaction:
            rows = transaction.rows(
                BETWEEN,
                environment=environment,
                start_us=codec.micros(start),
                end_us=codec.micros(end),
                limit=limit,
            )
        return tuple(self._kept(row).line for row in rows)

    def forget(self, received_before: datetime, *, most: int) -> int:
        """Drop what came before then, and the oldest beyond so many."""
        with self._connections.write() as transaction:
            return transaction.change(FORGET, before_us=codec.micros(received_before), most=most)

    def _kept(self, row: Row[Any]) -> KeptLine:
        """Read a row."""
        bound = [getattr(row, name) for name in OUTSIDE_LINE.bound]
        return KeptLine(
            number=row.id,
            line=NewLine(
                environment=row.environment,
                host=row.host,
                service=row.service,
                at=codec.instant(row.at_us),
                received_at=codec.instant(row.received_us),
                severity=row.severity,
                text=self._keys.readable_text(row.text, OUTSIDE_LINE, *bound),
            ),
        )
