"""A database of a control plane with all its tables, copied from one that was made once.

All migrations at each test are dear, and what most tests ask is not theirs. Those of opening and
migrating begin with an empty one: a free path, or `server.new_database()`.

A database of a server is a thousand files, and to make and remove them is dearer than most tests.
So one that a test has left as it was made, but for rows, is emptied and given to the next.
"""

import contextlib
import functools
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
from psycopg import sql

from sentienguard.adapters.sql_store import open_database
from tests.servers import postgresql


def in_file(path: Path) -> str:
    """Make one in a file that is not there yet and return its URL."""
    assert not path.exists()
    path.write_bytes(_file())
    path.chmod(0o600)
    return f"sqlite:///{path}"


def on(server: postgresql.Server) -> str:
    """Make one on a server and return its URL."""
    return server.new_database(like=_template(server))


class Shelf:
    """Databases of one server that nobody uses now, each without rows."""

    def __init__(self, server: postgresql.Server) -> None:
        self._server = server
        self._empty: list[str] = []

    @contextlib.contextmanager
    def lent(self) -> Iterator[str]:
        """Give one with all its tables and no row, until the block ends; the value is its URL."""
        url = self._empty.pop() if self._empty else on(self._server)
        yield url
        if _emptied(url, _made(self._server)):
            self._empty.append(url)
        else:
            self._server.drop(url)


# What any change but one of rows changes: of a table, a column, a key, statistics, an extension;
# a change of its release too.
_SHAPE = sql.SQL(" UNION ALL ").join(
    sql.SQL("SELECT count(*)::text || ' ' || max({number})::text FROM {catalogue}").format(
        catalogue=sql.Identifier(catalogue), number=sql.SQL("xmin::text::bigint")
    )
    for catalogue in (
        *("pg_class", "pg_attribute", "pg_constraint", "pg_index", "pg_statistic"),
        *("pg_extension", "pg_proc", "pg_trigger", "pg_type", "pg_namespace"),
        "alembic_version",
    )
)
_CUT_OFF = (
    "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)
_NUMBER_ANEW = (
    "SELECT setval(format('%I.%I', schemaname, sequencename)::regclass, start_value, false)"
    " FROM pg_sequences WHERE last_value IS NOT NULL"
)


def _emptied(url: str, made: list[str]) -> bool:
    """Remove every row, whoever is connected; False, and as it is, where more than rows changed."""
    with contextlib.closing(psycopg.connect(url, autocommit=True)) as connection:
        connection.execute(_CUT_OFF)
        if _shape(connection) != made:
            return False
        connection.execute("SET session_replication_role = replica")  # in any order of the tables
        names = [sql.Identifier(name) for name in _tables(connection)]
        held = sql.SQL(" UNION ALL ").join(
            sql.SQL("SELECT {} WHERE EXISTS (SELECT 1 FROM {})").format(place, name)
            for place, name in enumerate(names)
        )
        for (place,) in connection.execute(held).fetchall():
            connection.execute(sql.SQL("DELETE FROM {}").format(names[place]))
        connection.execute(_NUMBER_ANEW)
    return True


def _tables(connection: psycopg.Connection) -> list[str]:
    """Name the tables that hold what a control plane keeps."""
    found = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    return [name for (name,) in found if name != "alembic_version"]


def _shape(connection: psycopg.Connection) -> list[str]:
    return [line for (line,) in connection.execute(_SHAPE)]


@functools.cache
def _made(server: postgresql.Server) -> list[str]:
    """Return the shape of a database that was just made."""
    url = on(server)
    try:
        with contextlib.closing(psycopg.connect(url)) as connection:
            return _shape(connection)
    finally:
        server.drop(url)


@functools.cache
def _file() -> bytes:
    with tempfile.TemporaryDirectory(prefix="sentienguard-tables-") as directory:
        path = Path(directory) / "store.db"
        open_database(f"sqlite:///{path}").close()
        assert not path.with_name("store.db-wal").exists(), "its tables would be left out"
        return path.read_bytes()


@functools.cache
def _template(server: postgresql.Server) -> str:
    url = server.new_database()
    open_database(url).close()
    return url.rpartition("/")[2]
