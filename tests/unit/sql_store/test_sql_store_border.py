"""Each thing that a database can report becomes the error that says what to do next."""

import sqlite3

import psycopg
import pytest
from sqlalchemy import exc

from sentienguard.adapters.sql_store import border
from sentienguard.model import errors


def sqlite_error(code: int, words: str) -> sqlite3.Error:
    error = sqlite3.OperationalError(words)
    error.sqlite_errorcode = code
    return error


def postgresql_error(sqlstate: str | None, words: str) -> psycopg.Error:
    error = psycopg.OperationalError(words)
    error.sqlstate = sqlstate
    return error


@pytest.mark.parametrize(
    ("orig", "kind", "way_out"),
    [
        (sqlite_error(13, "database or disk is full"), errors.Unavailable, "free space"),
        (sqlite_error(5, "database is locked"), errors.Unavailable, "try again"),
        (sqlite_error(261, "database is locked"), errors.Unavailable, "try again"),  # BUSY_RECOVERY
        (sqlite_error(6, "database table is locked"), errors.Unavailable, "try again"),
        (sqlite_error(778, "disk I/O error"), errors.Broken, "check the disk"),  # IOERR_WRITE
        (sqlite_error(1034, "disk I/O error"), errors.Broken, "check the disk"),  # IOERR_FSYNC
        (sqlite_error(11, "database disk image is malformed"), errors.Broken, "backup"),
        (sqlite_error(26, "file is not a database"), errors.Broken, "backup"),
        (sqlite_error(8, "attempt to write a readonly database"), errors.Broken, "write access"),
        (sqlite_error(14, "unable to open database file"), errors.Broken, "its path"),
        (sqlite_error(18, "string or blob too big"), errors.Rejected, "send less"),
        (sqlite_error(1, "no such table: incidents"), errors.Broken, "do not know"),
        (postgresql_error(None, "the connection is lost"), errors.Unavailable, "no connection"),
        (postgresql_error("08006", "connection failure"), errors.Unavailable, "try again"),
        (postgresql_error("57P01", "terminating connection"), errors.Unavailable, "try again"),
        (postgresql_error("57014", "canceling statement"), errors.Unavailable, "try again"),
        (postgresql_error("53100", "could not extend file"), errors.Unavailable, "disk is full"),
        (postgresql_error("53300", "too many clients"), errors.Unavailable, "relieve it"),
        (postgresql_error("40P01", "deadlock detected"), errors.Unavailable, "try again"),
        (postgresql_error("55P03", "lock timeout"), errors.Unavailable, "try again"),
        (postgresql_error("25006", "read-only transaction"), errors.Unavailable, "primary"),
        (postgresql_error("28P01", "no such password"), errors.Broken, "user and password"),
        (postgresql_error("3D000", "no such database"), errors.Broken, "create it"),
        (postgresql_error("42501", "permission denied"), errors.Broken, "grant"),
        (postgresql_error("58030", "could not read block"), errors.Broken, "check the disk"),
        (postgresql_error("XX001", "invalid page"), errors.Broken, "backup"),
        (postgresql_error("22021", "invalid byte sequence"), errors.Rejected, "correct it"),
        (postgresql_error("42P01", "no such table"), errors.Broken, "do not know"),
    ],
    ids=str,
)
def test_an_error_is_translated_with_its_cause_and_a_way_out(
    orig: Exception, kind: type[errors.SentienGuardError], way_out: str
) -> None:
    cause = exc.OperationalError("INSERT …", {}, orig)
    with pytest.raises(kind, match=way_out) as ours, border.translated("store.sqlite"):
        raise cause
    assert ours.value.__cause__ is cause
    assert str(ours.value).startswith("database store.sqlite: ")
    assert str(orig) in str(ours.value)


def test_an_error_of_a_connections_settings_is_translated_too() -> None:
    with pytest.raises(errors.Unavailable, match="free space"), border.translated("x"):
        raise sqlite_error(13, "database or disk is full")


def test_no_free_connection_is_unavailable() -> None:
    with pytest.raises(errors.Unavailable, match="in use"), border.translated("x"):
        raise exc.TimeoutError("QueuePool limit reached")


def test_a_misuse_of_sqlalchemy_is_broken() -> None:
    with pytest.raises(errors.Broken), border.translated("x"):
        raise exc.InvalidRequestError("what?")


def test_our_own_errors_and_those_of_python_pass_untouched() -> None:
    for mine in (errors.Rejected("no"), KeyError("k")):
        with pytest.raises(type(mine)) as same, border.translated("x"):
            raise mine
        assert same.value is mine
