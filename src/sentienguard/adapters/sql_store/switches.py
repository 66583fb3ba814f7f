"""Keep the kill switch and the silences.

Called through ports.switches. The kill switch is one row or none; its history is in the audit log.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import text

from sentienguard.adapters.sql_store import codec
from sentienguard.adapters.sql_store.connections import Connections
from sentienguard.ports.switches import Freeze, Silence

# The freeze that stands.
GET_FREEZE = text("SELECT * FROM kill_switch")

# Set the freeze; a later one replaces an earlier one.
SET_FREEZE = text("""
    INSERT INTO kill_switch (one, set_by, set_us, reason) VALUES (1, :set_by, :set_us, :reason)
    ON CONFLICT (one)
    DO UPDATE SET set_by = excluded.set_by, set_us = excluded.set_us, reason = excluded.reason
""")

# Clear the freeze.
CLEAR_FREEZE = text("DELETE FROM kill_switch")

# Keep a silence; the same id again changes nothing.
ADD_SILENCE = text("""
    INSERT INTO silences (id, host_pattern, metric_pattern, starts_us, ends_us, made_by, reason)
    VALUES (:id, :host_pattern, :metric_pattern, :starts_us, :ends_us, :made_by, :reason)
    ON CONFLICT (id) DO NOTHING
""")

# Silences that stand or are still to come, by when they begin.
SILENCES = text("SELECT * FROM silences WHERE ends_us > :at_us ORDER BY starts_us, id")


class SqlSwitches:
    """Switches in the relational store; see ports.switches for what each method promises."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def freeze(self) -> Freeze | None:
        """Return the freeze that stands, if one does."""
        with self._connections.read() as transaction:
            row = transaction.row(GET_FREEZE)
        return None if row is None else Freeze(row.set_by, codec.instant(row.set_us), row.reason)

    def set_freeze(self, freeze: Freeze | None) -> None:
        """Set or clear the kill switch."""
        with self._connections.write() as transaction:
            if freeze is None:
                transaction.change(CLEAR_FREEZE)
            else:
                transaction.change(
                    SET_FREEZE,
                    set_by=freeze.by,
                    set_us=codec.micros(freeze.at),
                    reason=freeze.reason,
                )

    def add_silence(self, silence: Silence) -> None:
        """Keep a silence; the same id again changes nothing."""
        with self._connections.write() as transaction:
            transaction.change(
                ADD_SILENCE,
                id=silence.id,
                host_pattern=silence.host_pattern,
                metric_pattern=silence.metric_pattern,
                starts_us=codec.micros(silence.starts_at),
                ends_us=codec.micros(silence.ends_at),
                made_by=silence.by,
                reason=silence.reason,
            )

    def silences(self, *, at: datetime) -> Sequence[Silence]:
        """Return those that stand or are still to come."""
        with self._connections.read() as transaction:
            rows = transaction.rows(SILENCES, at_us=codec.micros(at))
        return tuple(
            Silence(
                id=row.id,
                host_pattern=row.host_pattern,
                metric_pattern=row.metric_pattern,
                starts_at=codec.instant(row.starts_us),
                ends_at=codec.instant(row.ends_us),
                by=row.made_by,
                reason=row.reason,
            )
            for row in rows
        )
