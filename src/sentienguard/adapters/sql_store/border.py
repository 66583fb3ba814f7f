"""Translate what a database reports into our errors, by what the caller does next.

Called by `connections` around every transaction. The cause stays attached; the message names the
database, never its password, and the way out. SQLite codes: https://www.sqlite.org/rescode.html;
PostgreSQL: https://www.postgresql.org/docs/current/errcodes-appendix.html.
"""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TypeAlias

from sqlalchemy import exc

from sentienguard.model import errors

Judgement: TypeAlias = tuple[type[errors.SentienGuardError], str]

_SQLITE: Mapping[int, Judgement] = {  # by primary result code
    3: (errors.Broken, "access was denied: give this user read and write access to the file"),
    5: (errors.Unavailable, "another process held it for too long: try again"),
    6: (errors.Unavailable, "another connection held a table for too long: try again"),
    7: (errors.Unavailable, "memory ran out: free some and try again"),
    8: (errors.Broken, "it is read-only: give this user write access to the file and directory"),
    10: (errors.Broken, "the disk failed to read or write: check the disk and the kernel's log"),
    11: (errors.Broken, "the file is damaged: restore it from a backup"),
    13: (errors.Unavailable, "the disk is full: free space on its volume and try again"),
    14: (errors.Broken, "the file cannot be opened: check its path, access and open-file limit"),
    18: (errors.Rejected, "a value is larger than it can hold: send less"),
    26: (errors.Broken, "the file is no SQLite database: check the path or restore a backup"),
}
_POSTGRESQL: Mapping[str, Judgement] = {  # by SQLSTATE, then by its class of two characters
    "08": (errors.Unavailable, "the connection was lost: check the server and try again"),
    "22": (errors.Rejected, "a value does not fit its column: correct it"),
    "25006": (errors.Unavailable, "the server takes no writes now: connect to the primary"),
    "25P03": (errors.Unavailable, "we were silent inside a transaction for too long: try again"),
    "28": (errors.Broken, "it refused our sign-in: check user and password in the URL"),
    "3D000": (errors.Broken, "no such database there: create it or correct the URL"),
    "40": (errors.Unavailable, "another transaction was in the way: try again"),
    "42501": (errors.Broken, "the user lacks a privilege: grant it all rights on the schema"),
    "53100": (errors.Unavailable, "the server's disk is full: free space there and try again"),
    "53": (errors.Unavailable, "the server ran out of a resource: relieve it and try again"),
    "54": (errors.Rejected, "a value is larger than it can hold: send less"),
    "55P03": (errors.Unavailable, "another transaction held a lock for too long: try again"),
    "57": (errors.Unavailable, "the server is stopping, starting or cancelled us: try again"),
    "58": (errors.Broken, "the server's disk failed: check the disk and the server's log"),
    "XX": (errors.Broken, "the server found damage: see its log, restore from a backup"),
}
_UNKNOWN: Judgement = (errors.Broken, "it reported what we do not know: see the cause and its log")


@contextmanager
def translated(place: str) -> Iterator[None]:
    """Turn SQLAlchemy's errors into ours inside this block.

    Args:
        place: the database as people know it, without its password.

    Raises Unavailable (busy, full, gone), Broken (damaged, misconfigured) or Rejected (too large).
    """
    try:
        yield
    except (exc.SQLAlchemyError, sqlite3.Error) as error:
        raise _ours(error, place) from error


def _ours(error: exc.SQLAlchemyError | sqlite3.Error, place: str) -> errors.SentienGuardError:
    """Return the error to raise instead."""
    kind, way_out = _judge(error)
    cause = getattr(error, "orig", None) or error
    said = (str(cause).strip().splitlines() or [type(cause).__name__])[0]
    return kind(f"database {place}: {way_out} (it said: {said})")


def _judge(error: exc.SQLAlchemyError | sqlite3.Error) -> Judgement:
    """Sort an error by the code that the engine gave."""
    said = getattr(error, "orig", error)  # a bare sqlite3.Error comes from a connection's settings
    sqlite_code: int | None = getattr(said, "sqlite_errorcode", None)
    if sqlite_code is not None:
        return _SQLITE.get(sqlite_code & 0xFF, _UNKNOWN)
    sqlstate: str | None = getattr(said, "sqlstate", None)
    if sqlstate is not None:
        return _POSTGRESQL.get(sqlstate, _POSTGRESQL.get(sqlstate[:2], _UNKNOWN))
    if isinstance(error, exc.TimeoutError):
        return errors.Unavailable, "all our connections to it are in use: try again"
    if isinstance(error, exc.OperationalError):
        # psycopg gives no SQLSTATE where it never reached the server or lost it in mid-sentence.
        return errors.Unavailable, (
            "no connection: check that the server runs and takes the URL's user, password and name"
        )
    return _UNKNOWN
