"""Reach the database: one engine, its settings, and transactions.

Called by `database` and the stores. Differences between the engines live here, side by side:

- SQLite: write-ahead log, synchronous=FULL (a commit survives a power cut), foreign keys on; writes
  begin with BEGIN IMMEDIATE, so that none fails half-way for a lock that it should have had.
- PostgreSQL: read committed, waits for locks as long as SQLite does, checks a connection before
  using it again; a commit waits for the server's disk whatever the role's defaults say; the server
  ends the transaction of a process that froze inside it, so that nobody waits for its locks.

Where several processes write, each write begins by asking whether this one may still (`guard`).
"""

import enum
import os
import pathlib
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
import sqlalchemy
from sqlalchemy import event, exc
from sqlalchemy.engine import URL, make_url

from sentienguard.adapters.sql_store import border
from sentienguard.model import errors

LOCK_WAIT_S = 30  # longest wait for another writer; then Unavailable
CONNECT_WAIT_S = 10  # longest wait for a PostgreSQL server to answer
FROZEN_S = 5  # PostgreSQL ends a transaction whose process says nothing for so long
ALIVE: dict[str, Any] = {  # notices a server that is gone without a word, after about 10 s
    "keepalives_idle": 4,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,  # milliseconds
}
_POOL_SIZE = 5  # connections kept open
_POOL_OVERFLOW = 15  # more while busy; the control plane runs at most 20 threads at the store
_WRITES = {"sentienguard_writes": True}  # execution option that marks a transaction as writing
_INTEGERS = range(-(2**63), 2**63)  # what a BIGINT of either engine holds


class Transaction:
    """What a store does inside one transaction."""

    def __init__(self, connection: sqlalchemy.Connection) -> None:
        self.connection = connection

    def rows(
        self, statement: sqlalchemy.TextClause, **values: Any
    ) -> Sequence[sqlalchemy.Row[Any]]:
        """Run a statement and return its rows. Raises Rejected on a value that fits no column."""
        return self.connection.execute(statement, _plain(values)).all()

    def row(self, statement: sqlalchemy.TextClause, **values: Any) -> sqlalchemy.Row[Any] | None:
        """Run a statement and return its first row, where there is one."""
        return self.connection.execute(statement, _plain(values)).first()

    def change(self, statement: sqlalchemy.TextClause, **values: Any) -> int:
        """Run a statement and return how many rows it inserted, updated or deleted."""
        return self.connection.execute(statement, _plain(values)).rowcount

    def change_all(self, statement: sqlalchemy.TextClause, rows: Sequence[dict[str, Any]]) -> int:
        """Run a statement once for each row of values; return how many rows all of them changed."""
        if not rows:
            return 0
        return self.connection.execute(statement, [_plain(values) for values in rows]).rowcount


class Connections:
    """The engine behind the stores; safe to use from many threads."""

    def __init__(self, url: str) -> None:
        parsed = _parse(url)
        self.place = parsed.render_as_string(hide_password=True)
        self._closed = False
        # SQLite lets one writer in. Waiting here is fair and ends at once when the lock is free;
        # its own busy handler, still there for other processes, polls with growing pauses.
        self._turn = threading.Lock() if parsed.get_backend_name() == "sqlite" else None
        self._url = parsed
        self._guard: Callable[[Transaction], None] = lambda _: None
        self._engine = _sqlite(parsed) if self._turn else _postgresql(parsed)
        self._writing = self._engine.execution_options(**_WRITES)

    @property
    def dialect(self) -> str:
        """Name the engine: sqlite or postgresql."""
        return self._engine.dialect.name

    def guard(self, may_write: Callable[[Transaction], None]) -> None:
        """Ask this at the beginning of every write from now on; what it raises takes all back."""
        self._guard = may_write

    def session(self) -> "psycopg.Connection[tuple[Any, ...]]":
        """Open a PostgreSQL connection apart, in autocommit: for locks and signals of a session.

        Raises Unavailable, and Broken where the database is no PostgreSQL.
        """
        if self._turn is not None:
            raise errors.Broken(f"database {self.place} has no sessions; it needs PostgreSQL")
        address = self._url.set(drivername="postgresql").render_as_string(hide_password=False)
        try:
            return psycopg.connect(
                address, autocommit=True, connect_timeout=CONNECT_WAIT_S, **ALIVE
            )
        except psycopg.Error as error:
            raise errors.Unavailable(f"database {self.place}: no connection ({error})") from error

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        """Open a transaction that only reads. Raises Unavailable, Broken."""
        with self._transaction(self._engine) as transaction:
            yield transaction

    @contextmanager
    def write(self) -> Iterator[Transaction]:
        """Open a transaction that is durable when the block ends. Raises Unavailable, Broken.

        An exception inside the block takes everything back.
        """
        if self._turn is None:
            with self._transaction(self._writing) as transaction:
                self._guard(transaction)
                yield transaction
            return
        if not self._turn.acquire(timeout=LOCK_WAIT_S):
            raise errors.Unavailable(
                f"database {self.place}: other threads wrote for {LOCK_WAIT_S} s: try again"
            )
        try:
            with self._transaction(self._writing) as transaction:
                yield transaction
        finally:
            self._turn.release()

    def erasing(self, transaction: Transaction) -> None:
        """Let what this transaction replaces be overwritten with zeros, where SQLite keeps it."""
        if self._turn is not None:
            transaction.connection.exec_driver_sql("PRAGMA secure_delete = ON")

    def forget_replaced(self) -> None:
        """Empty SQLite's write-ahead log, which has pages as they were; PostgreSQL vacuums."""
        if self._turn is None:
            return
        with border.translated(self.place):
            raw = self._engine.raw_connection()
            try:
                raw.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            finally:
                raw.close()

    def close(self) -> None:
        """Give all connections back; every later use raises Broken."""
        self._closed = True
        self._engine.dispose()

    @contextmanager
    def _transaction(self, engine: sqlalchemy.Engine) -> Iterator[Transaction]:
        if self._closed:
            raise errors.Broken(f"database {self.place} was closed; open it again")
        with border.translated(self.place), engine.begin() as connection:
            yield Transaction(connection)


def _parse(url: str) -> URL:
    """Read the URL. Raises Rejected where it names neither a SQLite file nor a PostgreSQL one."""
    expected = "expected sqlite:///FILE or postgresql://USER:PASSWORD@HOST:PORT/NAME"
    try:
        parsed = make_url(url)
    except (exc.ArgumentError, ValueError):
        # Neither the text nor its parser's complaint is shown: they may hold a password.
        raise errors.Rejected(f"the database URL cannot be read; {expected}") from None
    match parsed.get_backend_name():
        case "sqlite":
            if parsed.database in {None, "", ":memory:"} or parsed.query:
                raise errors.Rejected(
                    f"database {parsed.render_as_string()} is no file: {expected}; what is only in "
                    "memory is gone after a restart"
                )
            return parsed.set(drivername="sqlite+pysqlite")
        case "postgresql" | "postgres":
            return parsed.set(drivername="postgresql+psycopg")
        case other:
            raise errors.Rejected(f"database of kind {other!r} is not supported; {expected}")


def _sqlite(url: URL) -> sqlalchemy.Engine:
    """Make the engine of a SQLite file, which only its owner may read: it holds password hashes."""
    path = pathlib.Path(str(url.database))
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise errors.Broken(
            f"database file {path} cannot be opened for writing: {error.strerror}; "
            "create its directory and give this user access to it"
        ) from error
    engine = sqlalchemy.create_engine(
        url,
        pool_size=_POOL_SIZE,
        max_overflow=_POOL_OVERFLOW,
        pool_timeout=LOCK_WAIT_S,
        connect_args={"timeout": LOCK_WAIT_S},
    )

    @event.listens_for(engine, "connect")
    def settings(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # sqlite3 begins nothing by itself; `begin` below does
        for pragma in (
            f"busy_timeout = {LOCK_WAIT_S * 1000}",
            "journal_mode = WAL",
            "synchronous = FULL",
            "foreign_keys = ON",
        ):
            answer = connection.execute(f"PRAGMA {pragma}").fetchone()
            if pragma.startswith("journal_mode") and answer != ("wal",):
                connection.close()
                raise errors.Broken(
                    f"database file {path} cannot use a write-ahead log (it answered {answer}); "
                    "put it on a local file system"
                )

    @event.listens_for(engine, "begin")
    def begin(connection: sqlalchemy.Connection) -> None:
        writes = connection.get_execution_options().get("sentienguard_writes", False)
        # Past SQLAlchemy, which takes for this word as long as for a query; `border` knows what the
        # driver raises.
        driver: Any = connection.connection.driver_connection
        driver.execute("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _postgresql(url: URL) -> sqlalchemy.Engine:
    """Make the engine of a PostgreSQL database."""
    settings = {
        "lock_timeout": f"{LOCK_WAIT_S}s",
        "idle_in_transaction_session_timeout": f"{FROZEN_S}s",
        "synchronous_commit": "on",
    }
    ours = " ".join(f"-c {name}={value}" for name, value in settings.items())
    options = f"{url.query.get('options', '')} {ours}".strip()
    return sqlalchemy.create_engine(
        url,
        isolation_level="READ COMMITTED",
        pool_size=_POOL_SIZE,
        max_overflow=_POOL_OVERFLOW,
        pool_timeout=LOCK_WAIT_S,
        pool_pre_ping=True,
        connect_args={"connect_timeout": CONNECT_WAIT_S, "options": options, **ALIVE},
    )


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    """Return what both drivers take alike. Raises Rejected on what one of them would refuse.

    PostgreSQL holds no NUL character, neither holds half a surrogate pair or an integer of more
    than 64 bits; all three can come from outside.
    """
    plain = {
        name: value.value if isinstance(value, enum.Enum) else value
        for name, value in values.items()
    }
    for name, value in plain.items():
        if isinstance(value, str) and not _is_storable(value):
            raise errors.Rejected(
                f"{name} holds a character that cannot be stored (NUL or half a surrogate pair): "
                f"{value[:80]!a}; remove it"
            )
        if isinstance(value, int) and value not in _INTEGERS:
            raise errors.Rejected(f"{name} is {value}; expected an integer of at most 64 bits")
    return plain


def _is_storable(text: str) -> bool:
    """Tell whether both engines can hold this text."""
    try:
        return b"\0" not in text.encode()
    except UnicodeEncodeError:
        return False
