"""How far the collector has got with what others number: logs and the executor's events.

Called by `agent.sampler` and `agent.couriers`. Kept in collector/state.json, replaced whole and
without fsync: going back a little after a power cut repeats log lines and events, and the centre
drops the events that it holds already. A file that cannot be read counts as missing.
"""

import json
import threading
from pathlib import Path
from typing import Any

from sentienguard.agent import private_files
from sentienguard.agent.collectors.logs import files


class Bookmarks:
    """Safe to use from every thread."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = threading.Lock()
        record = _load(file)
        self._positions = _positions(record.get("log_files"))
        self._cursor = _cursor(record.get("journal"))
        self._events = _count(record.get("events_through"))

    @property
    def positions(self) -> dict[str, files.Position]:
        """Return how far each log file had been read."""
        return dict(self._positions)

    @property
    def cursor(self) -> str:
        """Return how far the journal had been read, empty if it never was."""
        return self._cursor

    @property
    def events(self) -> int:
        """Return the highest number of an event that the centre holds durably."""
        return self._events

    def keep_logs(self, positions: dict[str, files.Position], cursor: str) -> None:
        """Keep how far each log file and the journal have been read. Raises OSError."""
        with self._lock:
            self._positions, self._cursor = dict(positions), cursor
            self._save()

    def keep_events(self, through: int) -> None:
        """Keep which events the centre holds. Raises OSError."""
        with self._lock:
            self._events = through
            self._save()

    def _save(self) -> None:
        record = {
            "log_files": {path: [at.inode, at.offset] for path, at in self._positions.items()},
            "journal": self._cursor,
            "events_through": self._events,
        }
        private_files.write(self._file, json.dumps(record).encode(), durable=False)


def _load(file: Path) -> dict[str, Any]:
    try:
        record = json.loads(file.read_bytes())
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def _positions(record: object) -> dict[str, files.Position]:
    pairs = record.items() if isinstance(record, dict) else ()
    return {
        path: files.Position(_count(pair[0]), _count(pair[1]))
        for path, pair in pairs
        if isinstance(pair, list) and len(pair) == 2  # noqa: PLR2004 - inode and offset
    }


def _cursor(value: object) -> str:
    return value if isinstance(value, str) and value.isascii() else ""


def _count(value: object) -> int:
    return value if isinstance(value, int) and value >= 0 else 0
