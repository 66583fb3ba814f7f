"""What the executor can do to a database: as its role, within its limits, and nothing beside."""

import contextlib
import tempfile
import time
from pathlib import Path

import psycopg
import pytest

from sentienguard.adapters.databases import access, login, mysql
from sentienguard.ports import databases, facts
from tests.servers import mariadb, postgresql
from tests.support import database_repairs

pytestmark = pytest.mark.integration
LONG_S = 10.0
KINDS = ("postgresql", "mysql")


def skipped(why):
    if why is not None:
        pytest.skip(why)


@pytest.fixture(scope="module")
def place():
    with tempfile.TemporaryDirectory(prefix="sg-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture(scope="module")
def postgres(place):
    skipped(postgresql.missing())
    with postgresql.running() as server:
        server.execute("CREATE TABLE public.stock AS SELECT 1 AS id, 'none' AS name")
        secret = place / "postgres"
        secret.write_text(f"{server.password}\n")
        yield access.Declared("postgresql", server.address, postgresql.USER, secret), server


@pytest.fixture(scope="module")
def maria(place):
    skipped(mariadb.missing())
    directory = place / "maria"
    directory.mkdir()
    with mariadb.running(directory) as server:
        server.execute("CREATE DATABASE public; CREATE TABLE public.stock (id int, name text)")
        server.execute("INSERT INTO public.stock VALUES (1, 'none')")
        server.execute("GRANT ALL ON *.* TO watcher@localhost")
        secret = place / "mysql"
        secret.write_text(f"{mariadb.PASSWORD}\n")
        yield access.Declared("mysql", server.socket, mariadb.USER, secret), server


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


@pytest.fixture
def declared(kind, request):
    return request.getfixturevalue("postgres" if kind == "postgresql" else "maria")[0]


@pytest.fixture
def local(declared):
    return access.LocalDatabases({"db": declared})


def names(local):
    return local.ask("db", "SELECT name FROM public.stock", limit=LONG_S).rows


def test_a_session_that_looks_changes_nothing(local):
    for statement in ("DELETE FROM public.stock", "UPDATE public.stock SET name = 'x'"):
        with pytest.raises(databases.StatementFailed):
            local.ask("db", statement, limit=LONG_S)
    assert names(local) == (("none",),)


def test_several_statements_at_once_are_refused_and_none_runs(local):
    for statement in ("SELECT 1; DELETE FROM public.stock", "DELETE FROM public.stock; SELECT 1"):
        with pytest.raises(databases.StatementFailed):
            local.act("db", statement, limit=LONG_S)
    assert names(local) == (("none",),)


@pytest.mark.parametrize("value", ["'; DELETE FROM public.stock --", "\\' OR 1=1 -- ", "é'\"`", ""])
def test_a_value_stays_a_value(local, kind, value):
    mark = "$1" if kind == "postgresql" else "?"
    (answer,) = local.act(
        "db", f"UPDATE public.stock SET name = {mark} WHERE id = 1", [[value]], limit=LONG_S
    )
    assert answer.changed == (0 if names(local) == (("none",),) else 1)
    assert names(local) == ((value,),)
    where = f"SELECT id FROM public.stock WHERE name = {mark}"
    assert local.ask("db", where, [value], limit=LONG_S).rows == (("1",),)
    assert local.ask("db", where, ["another"], limit=LONG_S).rows == ()
    local.act("db", f"UPDATE public.stock SET name = {mark} WHERE id = 1", [["none"]], limit=LONG_S)


def test_a_statement_that_takes_too_long_is_ended_by_the_server(local, kind):
    sleep = "pg_sleep(30)" if kind == "postgresql" else "sleep(30)"
    began = time.monotonic()
    with pytest.raises(databases.StatementCutOff):
        local.ask("db", f"SELECT {sleep}", limit=1.0)
    assert time.monotonic() - began < LONG_S


def test_too_many_rows_are_an_error_and_no_shorter_answer(local, kind):
    many = (
        "SELECT generate_series(1, 201)"
        if kind == "postgresql"
        else "WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 201)"
        " SELECT i FROM n"
    )
    with pytest.raises(databases.StatementFailed, match="more than 200 rows"):
        local.ask("db", many, limit=LONG_S)
    most = many.replace("201", "200")
    assert len(local.ask("db", most, limit=LONG_S).rows) == databases.MOST_ROWS


def test_an_answer_of_megabytes_is_an_error(local):
    with pytest.raises(databases.DatabaseUnreachable):
        local.ask("db", "SELECT repeat('x', 5000000)", limit=LONG_S)


def test_what_the_server_writes_is_read_as_text(local):
    rows = local.ask("db", "SELECT 1, NULL, 1.5, 'a'", limit=LONG_S).rows
    assert rows == (("1", None, "1.5", "a"),)


@pytest.mark.parametrize(
    "fact", ["connections", "idle", "idle_transaction", "longest_query", "lock_wait"]
)
def test_both_measure_their_facts(local, fact):
    found = local.measure("db", f"database_{fact}")
    assert isinstance(found, float)
    assert found >= 0


def test_a_fact_of_the_other_kind_is_unknown(local, kind):
    assert local.measure("db", "database_kind") == kind
    other = "database_binary_logs" if kind == "postgresql" else "database_slot_wal"
    with pytest.raises(facts.UnknownFact):
        local.measure("db", other)


@pytest.mark.parametrize("fact", ["dead_rows", "archive_failing", "slot_wal", "temporary"])
def test_postgresql_measures_what_only_it_has(postgres, fact):
    local = access.LocalDatabases({"db": postgres[0]})
    assert local.measure("db", f"database_{fact}") == 0


def test_a_wrong_password_and_a_server_that_is_away_are_told_apart_from_nothing(kind, declared):
    for changed in ({"password_file": None}, {"address": "127.0.0.1:1"}, {"address": "/nowhere"}):
        record = {name: getattr(declared, name) for name in declared.__slots__}
        local = access.LocalDatabases({"db": access.Declared(**{**record, **changed})})
        with pytest.raises(databases.DatabaseUnreachable):
            local.ask("db", "SELECT 1", limit=LONG_S)
        with pytest.raises(facts.FactNotMeasured):
            local.measure("db", "database_idle")


@pytest.mark.parametrize("address", ["192.0.2.1:5432", "example.org:5432", "0.0.0.0:5432"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_connection_goes_nowhere_but_to_this_host(kind, address):
    local = access.LocalDatabases({"db": access.Declared(kind, address, "x")})
    with pytest.raises(databases.DatabaseUnreachable, match="not on this host"):
        local.ask("db", "SELECT 1", limit=LONG_S)


def test_a_service_without_a_database_has_none(local):
    with pytest.raises(databases.NoDatabase, match=r"agent\.json"):
        local.ask("web", "SELECT 1", limit=LONG_S)


def test_a_function_of_the_same_name_elsewhere_is_not_called(postgres):
    declared, server = postgres
    server.execute(
        "CREATE FUNCTION public.now() RETURNS timestamptz"
        " LANGUAGE sql AS 'SELECT NULL::timestamptz'"
    )
    server.execute("ALTER ROLE sentienguard SET search_path = public, pg_catalog")
    local = access.LocalDatabases({"db": declared})
    assert local.ask("db", "SELECT now() IS NULL", limit=LONG_S).rows == (("f",),)
    server.execute("ALTER ROLE sentienguard RESET search_path")
    server.execute("DROP FUNCTION public.now()")


def test_a_session_that_ended_by_itself_counts_as_ended(maria):
    local = access.LocalDatabases({"db": maria[0]})
    with contextlib.closing(
        mysql.Connection(login.Login("x", maria[0].address, "root"), LONG_S)
    ) as victim:
        [(number,)] = victim.run("SELECT connection_id()", (), 1).rows
        answers = local.act("db", "KILL ?", [["999999"], [number]], limit=LONG_S)
        assert len(answers) == 2
        with pytest.raises((OSError, ValueError)):
            victim.run("SELECT 1", (), 1)


@pytest.fixture
def repairs(postgres, tmp_path):
    declared = postgres[0]
    record = {"kind": declared.kind, "address": declared.address, "user": declared.user}
    made = database_repairs.Repairs(
        tmp_path, {**record, "password_file": str(declared.password_file)}
    )
    yield made
    made.close()


WHOLE = """
name: by_hand
version: "1.0.0"
description: for a test
risk: WARNING
idempotent: true
match: {system: postgresql, resource: any, symptom: any}
max_per_hour: 60
needs: [sql]
parameters: {service: {type: service}}
guard: database_kind == postgresql
pre_execution_checks: [{type: sql, query: "LOOK"}]
steps:
  - name: act
    action: sql_query
    query: "ACT"
    rollback: {skip: it is a test of what is refused}
verification: [{type: sql, query: "SELECT 1 FROM public.stock WHERE name = 'changed'"}]
"""


@pytest.mark.parametrize(
    ("look", "act", "outcome"),
    [
        ("SELECT 1", "UPDATE public.stock SET name = 'changed' WHERE id = 1", "SUCCESS"),
        ("SELECT pg_sleep(0)", "UPDATE public.stock SET name = 'x' WHERE id = 1", "ABORTED"),
        ("SELECT 1", "UPDATE public.stock SET name = 'changed'", "ROLLED_BACK"),
        ("SELECT 1", "DROP TABLE public.stock", "ROLLED_BACK"),
        ("SELECT 1", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity", "ROLLED_BACK"),
    ],
)
def test_what_lint_refuses_does_not_run_whoever_signed_it(repairs, postgres, look, act, outcome):
    text = WHOLE.replace("LOOK", look).replace("ACT", act)
    ended = repairs.order(text.encode())
    assert ended["outcome"] == outcome, ended
    url = postgres[1].url()
    with contextlib.closing(psycopg.connect(url, autocommit=True)) as session:
        wanted = "changed" if outcome == "SUCCESS" else "none"
        assert session.execute("SELECT name FROM public.stock").fetchall() == [(wanted,)]
        session.execute("UPDATE public.stock SET name = 'none' WHERE id = 1")


def test_a_dry_run_looks_and_changes_nothing(repairs, postgres):
    act = "UPDATE public.stock SET name = 'changed' WHERE id = 1"
    text = WHOLE.replace("LOOK", "SELECT 1").replace("ACT", act)
    assert repairs.order(text.encode(), dry_run=True)["outcome"] == "DRY_RUN"
    with contextlib.closing(psycopg.connect(postgres[1].url())) as session:
        assert session.execute("SELECT name FROM public.stock").fetchall() == [("none",)]
