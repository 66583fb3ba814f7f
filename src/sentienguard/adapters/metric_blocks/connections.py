"""Connections to the file: one writer under a lock, one reader for each thread."""

import contextlib
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from sentienguard.adapters.metric_blocks import faults

_PAGE = 4096  # bytes, SQLite's default
_BUSY_S = 10.0  # wait for another process that holds the file


class Connections:
    """The connections of one store."""

    def __init__(self, path: Path, max_bytes: int | None) -> None:
        """Open the file for writing. Raises sqlite3.Error."""
        self._path = path
        self._open: list[sqlite3.Connection] = []
        self._local = threading.local()
        self._writing = threading.Lock()
        self._next = threading.Lock()  # held by who writes next
        self.writer = self._connect()
        self.writer.execute("PRAGMA journal_mode=WAL").fetchone()
        if max_bytes is not None:
            self.writer.execute(f"PRAGMA max_page_count={max(max_bytes // _PAGE, 1)}")

    def close(self) -> None:
        """Close every connection."""
        with self._writing:
            for connection in self._open:
                connection.close()
            self._open.clear()

    @contextlib.contextmanager
    def transaction(
        self, committed: Callable[[], None] | None = None
    ) -> Iterator[sqlite3.Connection]:
        """Write, all or nothing; `committed` is called before anybody else can write.

        Who waits is let in before who wrote just now: housekeeping writes thousands of times in a
        row, and would otherwise have the lock again before anybody who waits for it has woken up.
        """
        with self._turn(), faults.translated(self._path):
            self.writer.execute("BEGIN IMMEDIATE")
            try:
                yield self.writer
                self.writer.execute("COMMIT")
                if committed is not None:
                    committed()
            finally:
                if self.writer.in_transaction:  # something failed: as it was before
                    self.writer.execute("ROLLBACK")

    @contextlib.contextmanager
    def _turn(self) -> Iterator[None]:
        with self._next:
            self._writing.acquire()
        try:
            yield
        finally:
            self._writing.release()

    @contextlib.contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Read one state of the file."""
        with faults.translated(self._path):
            connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
            if connection is None:
                with self._writing:
                    connection = self._local.connection = self._connect()
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                connection.execute("COMMIT")

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False
        )
        # FULL: in WAL mode a commit is then on the disk when it returns, not only in the log.
        connection.execute("PRAGMA synchronous=FULL")
        self._open.append(connection)
        return connection
