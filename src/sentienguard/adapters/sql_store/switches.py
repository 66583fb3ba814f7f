"""Keep the kill switch, the silences and the maintenance windows.

Called through ports.switches. The kill switch is one row or none; its history is in the audit log.
Why somebody set any of them is sealed. One whose reason cannot be read holds all the same.
"""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, text

from sentienguard.adapters.sql_store import codec
from sentienguard.adapters.sql_store.connections import Connections, Transaction
from sentienguard.adapters.sql_store.data_keys import DataKeys
from sentienguard.adapters.sql_store.sealed_columns import FREEZE, WINDOW
from sentienguard.model.window import Comparison, Matcher, Purpose, Recurrence, Window, WindowId
from sentienguard.ports.switches import Freeze, NoSuchWindow

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

# Keep a window; the same id again changes nothing. The two patterns are what the first release
# reads: "" matches nothing there.
ADD_WINDOW = text("""
    INSERT INTO silences
        (id, host_pattern, metric_pattern, starts_us, ends_us, made_by, reason,
         purpose, matchers, cron, zone, lasts_s)
    VALUES
        (:id, '', '', :starts_us, :ends_us, :made_by, :reason,
         :purpose, :matchers, :cron, :zone, :lasts_s)
    ON CONFLICT (id) DO NOTHING
""")

# One window.
GET_WINDOW = text("SELECT * FROM silences WHERE id = :id")

# Windows that have not ended, by when they begin. Rows of the first release have no purpose.
WINDOWS = text("""
    SELECT * FROM silences
    WHERE ends_us > :at_us AND coalesce(purpose, 'silence') = :purpose ORDER BY starts_us, id
""")

# All windows, newest first.
ALL_WINDOWS = text("""
    SELECT * FROM silences WHERE coalesce(purpose, 'silence') = :purpose
    ORDER BY starts_us DESC, id DESC LIMIT :limit
""")

# End a window earlier than it would.
END_WINDOW = text("UPDATE silences SET ends_us = :at_us WHERE id = :id AND ends_us > :at_us")

MOST_ENDED = 500  # windows in a list of all
_ONE = "1"  # the key of the kill switch's row


class SqlSwitches:
    """Switches in the relational store; see ports.switches for what each method promises."""

    def __init__(self, connections: Connections, keys: DataKeys) -> None:
        self._connections = connections
        self._keys = keys

    def freeze(self) -> Freeze | None:
        """Return the freeze that stands, if one does."""
        with self._connections.read() as transaction:
            row = transaction.row(GET_FREEZE)
        if row is None:
            return None
        reason = self._keys.readable_text(row.reason, FREEZE, _ONE)
        return Freeze(row.set_by, codec.instant(row.set_us), reason)

    def set_freeze(self, freeze: Freeze | None) -> None:
        """Set or clear the kill switch."""
        reason = "" if freeze is None else self._keys.seal_text(freeze.reason, FREEZE, _ONE)
        with self._connections.write() as transaction:
            if freeze is None:
                transaction.change(CLEAR_FREEZE)
            else:
                transaction.change(
                    SET_FREEZE,
                    set_by=freeze.by,
                    set_us=codec.micros(freeze.at),
                    reason=reason,
                )

    def add_window(self, window: Window) -> None:
        """Keep a window; the same id again changes nothing."""
        again = window.recurrence
        reason = self._keys.seal_text(window.comment, WINDOW, window.id)
        with self._connections.write() as transaction:
            transaction.change(
                ADD_WINDOW,
                id=window.id,
                purpose=window.purpose.value,
                matchers=codec.MATCHERS.encode(window.matchers),
                starts_us=codec.micros(window.starts_at),
                ends_us=codec.micros(window.ends_at),
                made_by=window.by,
                reason=reason,
                cron=again and again.cron,
                zone=again and again.zone,
                lasts_s=again and round(again.lasts.total_seconds()),
            )

    def window(self, window: WindowId) -> Window:
        """Return one, also after its end. Raises NoSuchWindow."""
        with self._connections.read() as transaction:
            return self._get(transaction, window)

    def windows(
        self, purpose: Purpose, *, at: datetime, ended_too: bool = False
    ) -> Sequence[Window]:
        """Return those that have not ended by then, by when they begin; or all, newest first."""
        with self._connections.read() as transaction:
            if ended_too:
                rows = transaction.rows(ALL_WINDOWS, purpose=purpose.value, limit=MOST_ENDED)
            else:
                rows = transaction.rows(WINDOWS, purpose=purpose.value, at_us=codec.micros(at))
        return tuple(self._window(row) for row in rows)

    def end_window(self, window: WindowId, *, at: datetime) -> Window:
        """End one then, if it would end later, and return it as it is. Raises NoSuchWindow."""
        with self._connections.write() as transaction:
            transaction.change(END_WINDOW, id=window, at_us=codec.micros(at))
            return self._get(transaction, window)

    def _get(self, transaction: Transaction, window: WindowId) -> Window:
        row = transaction.row(GET_WINDOW, id=window)
        if row is None:
            raise NoSuchWindow.called(window)
        return self._window(row)

    def _window(self, row: Row[Any]) -> Window:
        """Read a row."""
        again = None
        if row.cron is not None:
            again = Recurrence(row.cron, row.zone, timedelta(seconds=row.lasts_s))
        return Window(
            id=WindowId(row.id),
            purpose=codec.member(Purpose, row.purpose or Purpose.SILENCE.value),
            matchers=_first_release(row) if row.matchers is None else _matchers(row.matchers),
            starts_at=codec.instant(row.starts_us),
            ends_at=codec.instant(row.ends_us),
            by=row.made_by,
            comment=self._keys.readable_text(row.reason, WINDOW, row.id),
            recurrence=again,
        )


def _matchers(text_form: str) -> tuple[Matcher, ...]:
    return codec.MATCHERS.decode(text_form)


def _first_release(row: Row[Any]) -> tuple[Matcher, ...]:
    """Return the two patterns of a silence of the first release as matchers."""
    return tuple(
        Matcher(label, Comparison.MATCHES, _expression(pattern))
        for label, pattern in (("host", row.host_pattern), ("metric", row.metric_pattern))
    )


def _expression(pattern: str) -> str:
    """Return a pattern with * and ? as a regular expression of the whole value."""
    words = {"*": ".*", "?": "."}
    return "".join(words.get(one) or re.escape(one) for one in pattern)
