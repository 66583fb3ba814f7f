"""The playbooks of PostgreSQL on a real one: a real fault, the executor's own path, a look after.

What must not change is looked at beside what must: other sessions, their data, the server's
process. The server believes that time passes when the test says so.
"""

import contextlib
import tempfile
import threading
from pathlib import Path

import psycopg
import pytest

from tests.servers import ageing, postgresql, programs
from tests.support import database_repairs, real_kinds

WHY_NOT = postgresql.missing() or ageing.missing()
pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(WHY_NOT is not None, reason=str(WHY_NOT)),
]
SETTINGS = {
    "max_connections": "20",
    "superuser_reserved_connections": "3",
    "max_wal_size": "64MB",
    "archive_mode": "on",
    "autovacuum": "off",
    "deadlock_timeout": "60s",
}
ROLES = """
    CREATE ROLE app LOGIN PASSWORD 'app';
    CREATE ROLE other LOGIN PASSWORD 'other';
    CREATE ROLE repair LOGIN PASSWORD 'repair' REPLICATION;
    GRANT pg_monitor, pg_signal_backend, app TO repair;
    GRANT SELECT ON pg_file_settings TO repair;
    GRANT EXECUTE ON FUNCTION pg_reload_conf(), pg_show_all_file_settings() TO repair;
    CREATE TABLE public.stock (id int PRIMARY KEY, n int) WITH (autovacuum_enabled = off);
    ALTER TABLE public.stock OWNER TO app;
    INSERT INTO public.stock SELECT i, 0 FROM generate_series(1, 20000) i;
    CREATE TABLE public.work (n int);
    GRANT SELECT, UPDATE ON public.stock TO other;
"""


@pytest.fixture(scope="module")
def place():
    with tempfile.TemporaryDirectory(prefix="sg-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture(scope="module")
def clock(place):
    return ageing.Ageing(place)


@pytest.fixture(scope="module")
def server(clock):
    with postgresql.running(settings=SETTINGS, environment=clock.environment) as running:
        running.execute(ROLES)
        yield running


@pytest.fixture
def repairs(server, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("repair\n")
    declared = {"kind": "postgresql", "address": server.address, "user": "repair"}
    made = database_repairs.Repairs(tmp_path, {**declared, "password_file": str(secret)})
    yield made
    made.close()


@pytest.fixture
def connect(server):
    """Open sessions as a role; all are closed afterwards, and nothing of them is left."""
    with contextlib.ExitStack() as stack:

        def make(role="app", name="web", **more):
            url = server.url().partition("@")[2]
            session = psycopg.connect(
                f"postgresql://{role}:{role}@{url}", application_name=name, **more
            )
            stack.callback(session.close)
            return session

        yield make


@pytest.fixture
def admin(server):
    with contextlib.closing(psycopg.connect(server.url(), autocommit=True)) as session:
        yield session


def lives(session):
    try:
        session.execute("SELECT 1")
    except psycopg.OperationalError:
        return False
    return True


def test_leaked_idle_sessions_of_one_role_are_ended(repairs, clock, connect):
    leaked = [connect(autocommit=True) for _ in range(10)]
    worker, pooler = connect("other", autocommit=True), connect(name="pgbouncer", autocommit=True)
    clock.passes(600)
    repairs.heals_once("postgres_connection_pool_reset")
    assert [one for one in leaked if lives(one)] == []
    assert lives(worker)
    assert lives(pooler)


def test_sessions_that_work_are_no_leak(repairs, clock, connect):
    working = [connect() for _ in range(10)]
    for one in working:
        one.execute("SELECT 1")  # and its transaction stays open
    clock.passes(300)
    assert repairs.give("postgres_connection_pool_reset")["outcome"] == "REFUSED"
    assert all(lives(one) for one in working)


@real_kinds.runs("step sql_query", "check sql")
def test_an_abandoned_transaction_is_ended_and_rolled_back(repairs, clock, connect, admin):
    abandoned, idle, worker = connect(), connect(autocommit=True), connect("other")
    admin.execute("UPDATE public.stock SET n = 0 WHERE id IN (1, 2)")
    abandoned.execute("UPDATE public.stock SET n = 99 WHERE id = 1")
    clock.passes(700)
    worker.execute("UPDATE public.stock SET n = 5 WHERE id = 2")  # young
    repairs.heals_once("postgres_idle_in_transaction_kill")
    assert not lives(abandoned)
    assert lives(idle)
    worker.commit()
    rows = admin.execute("SELECT n FROM public.stock WHERE id IN (1, 2) ORDER BY id").fetchall()
    assert rows == [(0,), (5,)]


def test_the_transaction_of_a_superuser_is_a_person_s(repairs, clock, server):
    with contextlib.closing(psycopg.connect(server.url())) as person:
        person.execute("SELECT 1")
        clock.passes(700)
        ended = repairs.give("postgres_idle_in_transaction_kill")
        assert ended["outcome"] == "SUCCESS_NO_ACTION", ended
        assert lives(person)


@contextlib.contextmanager
def waiting(session, statement):
    """Run a statement that has to wait; give what tells whether it came through."""
    through = threading.Event()

    def run():
        with contextlib.suppress(psycopg.Error):
            session.execute(statement)
            session.rollback()
            through.set()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield through
    finally:
        session.cancel()
        thread.join(10)


def blocked(admin, count):
    query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    programs.wait_for(lambda: admin.execute(query).fetchone() == (count,), "waiting sessions")


def test_the_root_of_a_lock_chain_is_ended_and_who_waited_goes_on(repairs, clock, connect, admin):
    root, first, second = connect(), connect("other"), connect("other")
    root.execute("LOCK TABLE public.stock IN ACCESS EXCLUSIVE MODE")
    select = "SELECT count(*) FROM public.stock"
    with waiting(first, select) as one, waiting(second, select) as two:
        blocked(admin, 2)
        clock.passes(60)
        repairs.heals_once("postgres_blocking_query_cancel")
        assert one.wait(10)
        assert two.wait(10)
    assert not lives(root)
    assert lives(first)


@pytest.mark.parametrize(
    "migrating",
    [
        ("web", ["ALTER TABLE public.stock ADD COLUMN note text"]),
        ("web", ["ALTER TABLE public.stock ADD COLUMN note text", "SELECT 1"]),
        ("web", ["ALTER TABLE public.stock ALTER COLUMN n SET NOT NULL", "SELECT 1"]),
        ("alembic", ["LOCK TABLE public.stock IN ACCESS EXCLUSIVE MODE"]),
    ],
)
def test_a_migration_that_blocks_is_left_to_people(repairs, clock, connect, admin, migrating):
    name, statements = migrating
    migration, reader = connect(name=name), connect("other")
    for statement in statements:
        migration.execute(statement)
    with waiting(reader, "SELECT count(*) FROM public.stock"):
        blocked(admin, 1)
        clock.passes(60)
        ended = repairs.give("postgres_blocking_query_cancel")
        assert ended["outcome"] == "ABORTED", ended
        assert lives(migration)
        migration.rollback()


def test_a_runaway_read_is_cancelled_and_its_session_lives(repairs, clock, connect, admin):
    reader, dump, writer = connect(autocommit=True), connect(name="pg_dump"), connect("other")
    endless = "SELECT count(*) FROM generate_series(1, 1000000000000)"
    writer.execute("UPDATE public.stock SET n = 7 WHERE id = 3")
    running = "SELECT count(*) FROM pg_stat_activity WHERE query = %s AND state = 'active'"
    with waiting(reader, endless), waiting(dump, endless), waiting(writer, endless) as wrote:
        programs.wait_for(lambda: admin.execute(running, [endless]).fetchone() == (3,), "queries")
        clock.passes(2000)
        repairs.mends("postgres_long_query_cancel")
        assert admin.execute(running, [endless]).fetchone() == (2,)
        again = repairs.give("postgres_long_query_cancel")  # the others are for people
        assert again["outcome"] == "SUCCESS_NO_ACTION", again
        assert not wrote.is_set()
    assert lives(reader)


@pytest.fixture
def archive(server, admin, repairs):
    """A directory to archive to, and the command that does; the one in use goes nowhere."""
    directory = server.data.parent / "archive"
    directory.mkdir(mode=0o777, exist_ok=True)
    directory.chmod(0o777)

    def command(text):
        admin.execute(f"ALTER SYSTEM SET archive_command = '{text}'")

    command("cp %p /nowhere/%f")
    admin.execute("SELECT pg_reload_conf()")
    admin.execute("INSERT INTO public.work SELECT 1")
    admin.execute("SELECT pg_switch_wal()")
    failing = (
        "SELECT 1 FROM pg_stat_archiver"
        " WHERE last_failed_time > coalesce(last_archived_time, '-infinity')"
    )
    programs.wait_for(lambda: admin.execute(failing).fetchone(), "archiving to fail")
    yield directory, command
    command(f"cp %p {directory}/%f")
    admin.execute("SELECT pg_reload_conf()")


def test_a_corrected_archive_command_takes_effect_and_wal_stays(repairs, archive, server):
    directory, command = archive
    before = {file.name for file in (server.data / "pg_wal").iterdir()}
    untouched = repairs.give("postgres_wal_archival_recovery")  # the file says nothing new
    assert untouched["outcome"] == "ABORTED", untouched
    command(f"cp %p {directory}/%f")
    repairs.heals_once("postgres_wal_archival_recovery")
    assert list(directory.iterdir())
    assert before <= {file.name for file in (server.data / "pg_wal").iterdir()} | {
        file.name for file in directory.iterdir()
    }


def test_dead_rows_are_vacuumed_without_a_lock_in_the_way(repairs, admin, connect):
    dead = "SELECT n_dead_tup FROM pg_stat_user_tables WHERE relname = 'stock'"
    for _ in range(2):
        admin.execute("UPDATE public.stock SET n = n + 1")
    programs.wait_for(lambda: admin.execute(dead).fetchone() > (20000,), "dead rows")
    reader = connect("other", autocommit=True)
    repairs.heals_once("postgres_vacuum_bloated_table")
    assert admin.execute(dead).fetchone() < (1000,)
    assert admin.execute("SELECT count(*) FROM public.stock").fetchone() == (20000,)
    assert lives(reader)


@real_kinds.runs("step sql_query", "check sql_query")
def test_the_other_name_of_an_sql_check_asks_the_same(repairs, admin):
    dead = "SELECT n_dead_tup FROM pg_stat_user_tables WHERE relname = 'stock'"
    for _ in range(2):
        admin.execute("UPDATE public.stock SET n = n + 1")
    programs.wait_for(lambda: admin.execute(dead).fetchone() > (20000,), "dead rows")
    place = database_repairs.PLAYBOOKS / "postgres_vacuum_bloated_table"
    stored = (place / "playbook.yaml").read_bytes()
    assert stored.count(b"type: sql\n") >= 2
    ended = repairs.order(stored.replace(b"type: sql\n", b"type: sql_query\n"))
    assert ended["outcome"] == "SUCCESS", ended


def test_dead_rows_that_an_old_transaction_keeps_are_left(repairs, admin, clock, connect):
    old = connect("other", name="report")
    old.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    old.execute("SELECT 1 FROM public.stock LIMIT 1")
    clock.passes(4000)
    for _ in range(2):
        admin.execute("UPDATE public.stock SET n = n + 1")
    dead = "SELECT n_dead_tup FROM pg_stat_user_tables WHERE relname = 'stock'"
    programs.wait_for(lambda: admin.execute(dead).fetchone() > (20000,), "dead rows")
    ended = repairs.give("postgres_vacuum_bloated_table")
    assert ended["outcome"] == "ABORTED", ended
    assert lives(old)
    old.rollback()
    admin.execute("VACUUM public.stock")


def test_the_worst_inactive_slot_is_dropped_and_no_other(repairs, admin):
    admin.execute("SELECT pg_create_physical_replication_slot('gone', true)")
    for _ in range(8):
        admin.execute("INSERT INTO public.work SELECT 1")
        admin.execute("SELECT pg_switch_wal()")
    admin.execute("SELECT pg_create_physical_replication_slot('young', true)")
    repairs.heals_once("postgres_inactive_slot_drop")
    left = admin.execute("SELECT slot_name FROM pg_replication_slots").fetchall()
    assert left == [("young",)]
    admin.execute("SELECT pg_drop_replication_slot('young')")


@real_kinds.runs("check resources")
def test_a_killed_postmaster_is_started_and_recovers(tmp_path):
    """Runs a server of its own: its service is declared with the command that starts it."""
    with postgresql.running() as own:
        own.execute("CREATE TABLE kept AS SELECT 42 AS n")
        own.execute("CHECKPOINT")
        start = own.start_command
        pid_file = own.data / "postmaster.pid"
        pid = int(pid_file.read_text().split()[0])
        secret = tmp_path / "secret"
        secret.write_text(own.password)
        declared = {"kind": "postgresql", "address": own.address, "user": postgresql.USER}
        service = {"start": list(start), "pid_file": str(tmp_path / "db.pid")}
        made = database_repairs.Repairs(
            tmp_path, {**declared, "password_file": str(secret)}, service=service
        )
        (tmp_path / "db.pid").write_text(f"{pid}\n")
        try:
            assert made.give("postgres_service_restart")["outcome"] == "REFUSED"  # it runs
            own.crash()
            made.heals_once("postgres_service_restart")
            with contextlib.closing(psycopg.connect(own.url())) as session:
                assert session.execute("SELECT n FROM kept").fetchone() == (42,)
        finally:
            made.close()
            own.adopt(int((tmp_path / "db.pid").read_text()))
