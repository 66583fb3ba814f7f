"""Carry short signals between the processes of one PostgreSQL database, by LISTEN and NOTIFY.

Called through ports.signals. What waits is sent together, so that a busy centre notifies a few
times in a second and not once for each sample. A signal can be lost with a connection: the listener
then says so, and whoever hears it looks for itself.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import Final

import psycopg

from sentienguard.adapters.sql_store.connections import Connections
from sentienguard.model import errors

log = logging.getLogger(__name__)
CHANNEL: Final = "sentienguard"
GATHER_S: Final = 0.05  # signals of so long leave together
AGAIN_S: Final = 1.0  # after a lost connection
LISTEN_S: Final = 1.0  # between two looks at whether to stop
MOST_WAITING: Final = 10_000  # signals; the oldest are dropped, they are hints
LONGEST: Final = 7_000  # bytes of a signal; the server takes just below 8,000

# Send several signals in one transaction.
SEND = "SELECT pg_notify(%s, signal) FROM unnest(%s::text[]) AS signal"


class SqlSignals:
    """Signals over one database; see ports.signals for what each method promises."""

    def __init__(self, connections: Connections, id: str) -> None:  # noqa: A002 - the port's word
        self._connections = connections
        self._id = id
        self._waiting: deque[str] = deque(maxlen=MOST_WAITING)
        self._due = threading.Event()
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self, heard: Callable[[str], None], missed: Callable[[], None]) -> None:
        """Hear the others' signals from now on; `missed` is called after any may have been lost."""
        for name, work in (
            ("signals-out", self._send_often),
            ("signals-in", lambda: self._listen(heard, missed)),
        ):
            thread = threading.Thread(target=work, name=name, daemon=True)
            thread.start()
            self._threads.append(thread)

    def send(self, signal: str) -> None:
        """Send soon, from any thread; a long one is dropped."""
        if len(signal) <= LONGEST:
            self._waiting.append(f"{self._id} {signal}")
            self._due.set()

    def stop(self) -> None:
        """Send and hear no more."""
        self._stopping.set()
        self._due.set()
        for thread in self._threads:
            thread.join(LISTEN_S * 3)

    def _send_often(self) -> None:
        session: psycopg.Connection[tuple[object, ...]] | None = None
        while not self._stopping.is_set():
            self._due.wait()
            self._due.clear()
            self._stopping.wait(GATHER_S)
            batch = [self._waiting.popleft() for _ in range(len(self._waiting))]
            try:
                session = session or self._connections.session()
                session.execute(SEND, (CHANNEL, list(dict.fromkeys(batch))))
            except (psycopg.Error, errors.Unavailable) as problem:
                log.info("%d signals were not sent: %s", len(batch), problem)
                session = None
        if session is not None:
            session.close()

    def _listen(self, heard: Callable[[str], None], missed: Callable[[], None]) -> None:
        while not self._stopping.is_set():
            try:
                with self._connections.session() as session:
                    session.execute(f"LISTEN {CHANNEL}")
                    missed()
                    self._hear(session, heard)
            except (psycopg.Error, errors.Unavailable) as problem:
                log.info("signals are not heard: %s", problem)
                self._stopping.wait(AGAIN_S)

    def _hear(
        self, session: "psycopg.Connection[tuple[object, ...]]", heard: Callable[[str], None]
    ) -> None:
        while not self._stopping.is_set():
            for notice in session.notifies(timeout=LISTEN_S):
                sender, _, signal = notice.payload.partition(" ")
                if sender != self._id:
                    heard(signal)
