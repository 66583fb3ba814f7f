"""What only SQLite can do wrong: its file, its disk, its locks; and what a page costs there."""

import contextlib
import pathlib
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator

import alembic.config
import alembic.script
import argon2
import pytest
from sqlalchemy import text

from sentienguard.adapters.sql_store import Database, incidents, open_database, schema
from sentienguard.adapters.sql_store.passwords import Passwords
from sentienguard.adapters.sql_store.users import SqlUserStore
from sentienguard.model import errors, ids
from sentienguard.model.anomaly import Severity
from sentienguard.model.incident import Outcome, Status
from sentienguard.ports.incident_store import IncidentFilter
from sentienguard.ports.session_store import Issued, Login, ReadToken
from sentienguard.ports.user_store import NotAuthenticated
from tests.contract import stores_nouns
from tests.contract.stores_threads import at_once

pytestmark = pytest.mark.integration


@pytest.fixture
def path(tmp_path: pathlib.Path) -> pathlib.Path:
    return tmp_path / "store.sqlite"


@pytest.fixture
def url(path: pathlib.Path) -> str:
    return f"sqlite:///{path}"


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    opened = open_database(url)
    yield opened
    opened.close()


@pytest.mark.parametrize(
    ("pragma", "value"),
    [("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1), ("busy_timeout", 30_000)],
)
def test_every_connection_is_set_for_durability(
    database: Database, pragma: str, value: str | int
) -> None:
    with database._connections.read() as first, database._connections.read() as second:
        for transaction in (first, second):
            assert transaction.row(text(f"PRAGMA {pragma}")) == (value,)


def test_only_the_owner_may_read_the_file(path: pathlib.Path, database: Database) -> None:
    database.switches.set_freeze(None)
    files = sorted(path.parent.iterdir())
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert len(files) == 3  # with its log and the log's index


def test_a_write_waits_for_no_reader_and_a_reader_for_no_write(database: Database) -> None:
    given = database.incidents.open(stores_nouns.incident())
    with database._connections.read() as reader:
        reader.rows(incidents.UNFINISHED)
        database.incidents.move(given.id, Status.ANALYZING, summary="")
        (seen,) = reader.rows(incidents.UNFINISHED)
        assert seen.status == "OPEN"  # what it saw when it began
    with database._connections.write():
        assert database.incidents.get(given.id).status is Status.ANALYZING


def test_a_write_holds_its_lock_from_its_beginning(path: pathlib.Path, database: Database) -> None:
    with (
        database._connections.write(),
        contextlib.closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as other,
        pytest.raises(sqlite3.OperationalError, match="locked"),
    ):
        other.execute("BEGIN IMMEDIATE")


def test_eight_databases_opened_at_once_each_get_their_own_tables(tmp_path: pathlib.Path) -> None:
    def open_and_use(number: int) -> int:
        opened = open_database(f"sqlite:///{tmp_path / str(number)}.sqlite")
        try:
            return opened.orders.next_seq(stores_nouns.AGENT)
        finally:
            opened.close()

    for _ in range(3):
        for file in tmp_path.iterdir():
            file.unlink()
        assert at_once(open_and_use, 8) == [1] * 8


def test_an_error_inside_a_transaction_takes_all_of_it_back(database: Database) -> None:
    def delete_and_fail() -> None:
        with database._connections.write() as transaction:
            transaction.connection.exec_driver_sql("DELETE FROM incidents")
            raise KeyError

    given = database.incidents.open(stores_nouns.incident())
    with pytest.raises(KeyError):
        delete_and_fail()
    assert database.incidents.get(given.id) == given


def test_a_full_disk_is_unavailable_and_loses_nothing(database: Database) -> None:
    def fill_disk() -> None:
        with database._connections.write() as transaction:
            transaction.connection.exec_driver_sql("PRAGMA max_page_count = 1")  # no page more
            for number in range(200):
                values = incidents._columns(stores_nouns.incident(number, subject=f"/{number}"))
                transaction.change(incidents.OPEN, **values)

    given = database.incidents.open(stores_nouns.incident())
    with pytest.raises(errors.Unavailable, match="disk is full: free space") as full:
        fill_disk()
    assert isinstance(full.value.__cause__.orig, sqlite3.OperationalError)
    assert database.incidents.unfinished() == (given,)
    with database._connections.write() as transaction:
        transaction.connection.exec_driver_sql("PRAGMA max_page_count = 100000")
    assert database.orders.next_seq(stores_nouns.AGENT) == 1


FILE_LIMIT = """
import resource, sys
from sentienguard.adapters.sql_store import open_database
from sentienguard.adapters.sql_store.passwords import Passwords
from sentienguard.adapters.sql_store.users import SqlUserStore
from sentienguard.model import errors, ids
database = open_database(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (64 * 1024, 64 * 1024))  # write() answers EFBIG
try:
    for number in range(200):
        database.orders.next_seq(ids.AgentId(str(number)))
except errors.Broken as error:
    print(number, error)
    sys.exit(0)
sys.exit("200 writes into 64 KiB of log went well")
"""


def test_a_disk_that_fails_to_write_is_broken_and_keeps_what_was_promised(
    url: str, database: Database
) -> None:
    database.close()
    ended = subprocess.run(
        [sys.executable, "-c", FILE_LIMIT, url], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    written, message = ended.stdout.split(" ", maxsplit=1)
    assert "the disk failed to read or write" in message
    again = open_database(url)
    try:
        promised = [again.orders.next_seq(ids.AgentId(str(n))) for n in range(int(written))]
    finally:
        again.close()
    assert promised == [2] * int(written)


def test_another_process_that_writes_for_too_long_makes_us_unavailable(
    path: pathlib.Path, database: Database
) -> None:
    with database._connections.read() as transaction:  # the one pooled connection
        transaction.connection.exec_driver_sql("PRAGMA busy_timeout = 50")
    other = sqlite3.connect(path, isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(errors.Unavailable, match="held it for too long: try again"):
            database.orders.next_seq(stores_nouns.AGENT)
        other.execute("ROLLBACK")
    finally:
        other.close()
    assert database.orders.next_seq(stores_nouns.AGENT) == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"this is a text file, and a rather long one" * 50, "no SQLite database"),
        (b"SQLite format 3\x00" + b"\xff" * 4080, "SQLite database|damaged"),
    ],
)
def test_a_file_that_is_no_database_is_broken_and_stays_as_it_is(
    path: pathlib.Path, url: str, content: bytes, message: str
) -> None:
    path.write_bytes(content)
    with pytest.raises(errors.Broken, match=message):
        open_database(url)
    assert path.read_bytes() == content


def test_a_row_that_was_tampered_with_is_broken_and_the_others_are_read(
    path: pathlib.Path, database: Database
) -> None:
    broken = database.incidents.open(stores_nouns.incident(1, subject="/a"))
    strange = database.incidents.open(stores_nouns.incident(2, subject="/b"))
    whole = database.incidents.open(stores_nouns.incident(3, subject="/c"))
    with sqlite3.connect(path) as other:
        other.execute("UPDATE incidents SET anomaly = '{' WHERE id = ?", (broken.id,))
        other.execute("UPDATE incidents SET status = 'DANCING' WHERE id = ?", (strange.id,))
    other.close()
    with pytest.raises(errors.Broken, match="a stored anomaly cannot be read"):
        database.incidents.get(broken.id)
    with pytest.raises(errors.Broken, match="'DANCING' where a Status is due"):
        database.incidents.get(strange.id)
    assert database.incidents.get(whole.id) == whole


def test_a_database_of_a_newer_release_is_left_alone(path: pathlib.Path, url: str) -> None:
    open_database(url).close()
    with sqlite3.connect(path) as other:
        other.execute("UPDATE alembic_version SET version_num = '9999'")
    other.close()
    before = path.read_bytes()
    with pytest.raises(errors.Broken, match="newer release"):
        open_database(url)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("url", "kind", "message"),
    [
        ("sqlite://", errors.Rejected, "is no file"),
        ("sqlite:///:memory:", errors.Rejected, "is no file"),
        ("sqlite:///x?mode=memory&uri=true", errors.Rejected, "is no file"),
        ("mysql://anna:s3cret@localhost/store", errors.Rejected, "kind 'mysql'"),
        ("postgresql://anna:s3cret@host:port/store", errors.Rejected, "cannot be read"),
        ("store.sqlite", errors.Rejected, "cannot be read"),
        ("", errors.Rejected, "cannot be read"),
        ("sqlite:////nowhere/at/all/store.sqlite", errors.Broken, "create its directory"),
        ("sqlite:////tmp", errors.Broken, "Is a directory"),
    ],
)
def test_a_url_that_names_no_database_of_ours_is_refused_without_its_password(
    url: str, kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=message) as refused:
        open_database(url)
    assert "s3cret" not in str(refused.value)


def test_secrets_are_kept_as_hashes_only(path: pathlib.Path, database: Database) -> None:
    database.users.add("anna", "correct horse battery", {})
    login = Login("log_1", "anna", stores_nouns.NOW, stores_nouns.later(9), "192.0.2.7")
    soon = stores_nouns.later(9)
    database.sessions.open(login, Issued("4ccess", soon), Issued("r3fresh", soon))
    machine = ReadToken("rot_1", "grafana", "production", "anna", stores_nouns.NOW, soon)
    database.sessions.add_read_token(machine, "r3ad")
    database.factors.set_recovery_codes("anna", ["r3covery"])
    database.agents.add_token(
        "j01n-t0ken", environment="production", host=None, expires_at=stores_nouns.later(9)
    )
    database.close()
    content = path.read_bytes()
    assert b"$argon2id$v=19$m=65536,t=3,p=4$" in content
    kept = (b"correct horse battery", b"4ccess", b"r3fresh", b"r3ad", b"r3covery", b"j01n-t0ken")
    for secret in kept:
        assert secret not in content


def test_a_password_of_old_parameters_is_hashed_anew_at_the_next_sign_in(
    path: pathlib.Path, database: Database
) -> None:
    cheap = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    store = SqlUserStore(database._connections, database.data_keys, Passwords(cheap))
    store.add("anna", "correct horse battery", {})
    with pytest.raises(NotAuthenticated):
        database.users.check_password("anna", "wrong horse battery")
    assert b"$m=8,t=1,p=1$" in kept_hash(path)
    for _ in range(2):
        database.users.check_password("anna", "correct horse battery")
        assert b"$m=65536,t=3,p=4$" in kept_hash(path)


def kept_hash(path: pathlib.Path) -> bytes:
    with contextlib.closing(sqlite3.connect(path)) as other:
        (kept,) = other.execute("SELECT CAST(password_hash AS BLOB) FROM users").fetchone()
        return bytes(kept)


MULTIPLY = """
    INSERT INTO incidents
    WITH RECURSIVE more(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM more WHERE n < :count)
    SELECT id || n, agent, host, environment, tags, fingerprint || n, anomaly, opened_us + n,
        CASE n % 5 WHEN 0 THEN 'OPEN' ELSE 'CLOSED' END,
        CASE n % 5 WHEN 0 THEN NULL ELSE 'resolved' END,
        CASE n % 5 WHEN 0 THEN NULL ELSE opened_us + n END, summary, earlier, search, reopens
    FROM incidents, more
"""

FILTERS = [
    IncidentFilter(),
    IncidentFilter(status=Status.CLOSED),
    IncidentFilter(outcome=Outcome.FAILED),
    IncidentFilter(environment="production"),
    IncidentFilter(environment="staging"),
    IncidentFilter(host="web-9"),
    IncidentFilter(within=frozenset({"production"})),
    IncidentFilter(within=frozenset({"production", "staging"})),
    IncidentFilter(since=stores_nouns.later(-9), until=stores_nouns.later(9)),
    IncidentFilter(severity=Severity.CRITICAL),
]


def fill(database: Database, count: int) -> None:
    database.incidents.open(stores_nouns.incident())
    with database._connections.write() as transaction:
        transaction.change(text(MULTIPLY), count=count - 1)


def steps_of_page(database: Database, where: IncidentFilter, cursor: str | None) -> int:
    """Return how many instructions of SQLite's machine a page of 50 takes, in tens."""
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 1
        return 0

    with database._connections.read() as transaction:
        driver = transaction.connection.connection.driver_connection
        driver.set_progress_handler(count, 10)
        try:
            statement, values = incidents.list_statement(where, cursor)
            transaction.rows(statement, limit=51, **values)
        finally:
            driver.set_progress_handler(None, 0)
    return steps


@pytest.mark.parametrize("where", FILTERS, ids=str)
def test_a_page_is_read_from_an_index_in_order(database: Database, where: IncidentFilter) -> None:
    for cursor in (None, incidents._cursor_after(stores_nouns.incident())):
        statement, values = incidents.list_statement(where, cursor)
        with database._connections.read() as transaction:
            plan = transaction.rows(
                text(f"EXPLAIN QUERY PLAN {statement.text}"), limit=51, **values
            )
        details = " | ".join(row.detail for row in plan)
        assert "USING INDEX incidents_" in details
        assert "TEMP B-TREE" not in details


def test_page_one_of_a_hundred_thousand_incidents_costs_what_it_costs_of_a_thousand(
    tmp_path: pathlib.Path,
) -> None:
    costs = []
    for count in (1_000, 100_000):
        database = open_database(f"sqlite:///{tmp_path / str(count)}.sqlite")
        try:
            fill(database, count)
            page = database.incidents.list(IncidentFilter(), cursor=None, limit=50)
            assert len(page.incidents) == 50
            costs.append(
                [steps_of_page(database, where, None) for where in FILTERS]
                + [steps_of_page(database, IncidentFilter(), page.next_cursor)]
            )
        finally:
            database.close()
    for few, many in zip(*costs, strict=True):
        assert many <= few * 1.1 + 5


def test_the_newest_revision_is_the_one_that_the_migrations_lead_to() -> None:
    settings = alembic.config.Config()
    settings.set_main_option("script_location", str(schema.database.MIGRATIONS))
    settings.set_main_option("path_separator", "os")
    known = alembic.script.ScriptDirectory.from_config(settings)
    assert schema.database.newest() == known.get_current_head()


def test_who_migrates_nothing_loads_no_migrations(url: str) -> None:
    code = (
        "import sys; from sentienguard.adapters.sql_store import open_database; "
        "open_database(sys.argv[1]).close(); print('alembic' in sys.modules)"
    )
    said = [
        subprocess.run(
            [sys.executable, "-c", code, url], capture_output=True, text=True, check=True
        ).stdout
        for _ in range(2)
    ]
    assert said == ["True\n", "False\n"]
