"""The playbooks of MySQL on a real MariaDB: a real fault, the executor's own path, a look after.

The server believes that time passes when the test says so.
"""

import contextlib
import os
import signal
import tempfile
import threading
from pathlib import Path

import pytest

from sentienguard.adapters.databases import login, mysql
from tests.servers import ageing, mariadb, programs
from tests.support import database_repairs

WHY_NOT = mariadb.missing() or ageing.missing()
pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(WHY_NOT is not None, reason=str(WHY_NOT)),
]
LONG_S = 60.0
ACCOUNTS = """
    CREATE USER app@localhost IDENTIFIED BY 'app', other@localhost IDENTIFIED BY 'other';
    CREATE USER repair@localhost IDENTIFIED BY 'repair';
    GRANT PROCESS, CONNECTION ADMIN, BINLOG ADMIN, BINLOG MONITOR ON *.* TO repair@localhost;
    CREATE DATABASE shop; GRANT ALL ON shop.* TO app@localhost, other@localhost;
    CREATE TABLE shop.stock (id int PRIMARY KEY, n int) ENGINE=InnoDB;
    INSERT INTO shop.stock VALUES (1, 0), (2, 0), (3, 0);
    CREATE TABLE shop.blob_ (b longblob) ENGINE=InnoDB;
"""


@pytest.fixture(scope="module")
def place():
    with tempfile.TemporaryDirectory(prefix="sg-") as name:
        Path(name).chmod(0o755)
        (Path(name) / "server").mkdir()
        yield Path(name)


@pytest.fixture(scope="module")
def clock(place):
    return ageing.Ageing(place, monotonic=True)


@pytest.fixture(scope="module")
def server(place, clock):
    logs = ("--log-bin=logs", "--binlog-format=ROW", "--max-binlog-size=16M")
    with mariadb.running(place / "server", *logs, environment=clock.environment) as running:
        running.execute(ACCOUNTS)
        yield running


def repairs_of(server, tmp_path, **more):
    secret = tmp_path / "secret"
    secret.write_text("repair\n")
    declared = {"kind": "mysql", "address": server.socket, "user": "repair"}
    return database_repairs.Repairs(tmp_path, {**declared, "password_file": str(secret)}, **more)


@pytest.fixture
def repairs(server, tmp_path):
    made = repairs_of(server, tmp_path)
    yield made
    made.close()


class Client:
    """One session of an account."""

    def __init__(self, server, user):
        to = login.Login(user, server.socket, user, "" if user == "root" else user, "shop")
        self.session = mysql.Connection(to, LONG_S)

    def run(self, statement):
        return self.session.run(statement, (), 100).rows

    def lives(self):
        try:
            self.run("SELECT 1")
        except (OSError, ValueError):
            return False
        return True


@pytest.fixture
def connect(server):
    with contextlib.ExitStack() as stack:

        def make(user="app"):
            client = Client(server, user)
            stack.callback(client.session.close)
            return client

        yield make


@contextlib.contextmanager
def waiting(client, statement):
    """Run a statement that takes long; give what tells whether it came through."""
    through = threading.Event()

    def run():
        with contextlib.suppress(OSError, ValueError):
            client.run(statement)
            through.set()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield through
    finally:
        thread.join(10)
        assert not thread.is_alive()


def count(server, what):
    query = f"SELECT count(*) FROM information_schema.{what}"
    return int(server.execute(query))


def test_leaked_sleepers_of_one_account_are_ended(repairs, clock, connect):
    leaked = [connect() for _ in range(25)]
    other, working = connect("other"), connect()
    working.run("START TRANSACTION")
    working.run("UPDATE stock SET n = 9 WHERE id = 3")
    clock.passes(400)
    repairs.heals_once("mysql_sleeping_connections_kill")
    assert [one for one in leaked if one.lives()] == []
    assert other.lives()
    working.run("COMMIT")
    assert working.run("SELECT n FROM stock WHERE id = 3") == (("9",),)


def test_an_abandoned_transaction_is_ended_and_rolled_back(repairs, clock, connect):
    abandoned, idle, young = connect(), connect(), connect("other")
    abandoned.run("START TRANSACTION")
    abandoned.run("UPDATE stock SET n = 99 WHERE id = 1")
    clock.passes(700)
    young.run("START TRANSACTION")
    young.run("UPDATE stock SET n = 5 WHERE id = 2")
    repairs.heals_once("mysql_idle_transaction_kill")
    assert not abandoned.lives()
    assert idle.lives()
    young.run("COMMIT")
    assert young.run("SELECT n FROM stock WHERE id < 3 ORDER BY id") == (("0",), ("5",))


def test_the_transaction_of_root_is_a_person_s(repairs, clock, connect):
    person = connect("root")
    person.run("START TRANSACTION")
    person.run("UPDATE stock SET n = 1 WHERE id = 1")
    clock.passes(700)
    ended = repairs.give("mysql_idle_transaction_kill")
    assert ended["outcome"] == "SUCCESS_NO_ACTION", ended
    person.run("ROLLBACK")


def test_the_root_of_a_lock_wait_is_ended_and_who_waited_goes_on(repairs, clock, connect, server):
    root, waiter, idle = connect(), connect("other"), connect()
    root.run("START TRANSACTION")
    root.run("UPDATE stock SET n = 8 WHERE id = 1")
    waiter.run("SET SESSION innodb_lock_wait_timeout = 10000")
    with waiting(waiter, "UPDATE stock SET n = 4 WHERE id = 1") as through:
        waits = "innodb_trx WHERE trx_state = 'LOCK WAIT'"
        programs.wait_for(lambda: count(server, waits) == 1, "the lock wait")
        clock.passes(60)
        repairs.heals_once("mysql_blocking_transaction_kill")
        assert through.wait(10)
    assert not root.lives()
    assert idle.lives()
    assert waiter.run("SELECT n FROM stock WHERE id = 1") == (("4",),)
    waiter.run("UPDATE stock SET n = 0 WHERE id = 1")


def test_a_runaway_read_is_cancelled_and_a_dump_goes_on(repairs, clock, connect, server):
    reader, dump, writer = connect(), connect("other"), connect("other")
    endless = "benchmark(1000000000000, md5('x'))"
    running = "processlist WHERE info LIKE 'SELECT%benchmark(1%' AND user <> 'root'"
    writer.run("START TRANSACTION")
    writer.run("UPDATE stock SET n = 6 WHERE id = 2")
    with (
        waiting(dump, f"SELECT SQL_NO_CACHE {endless}"),
        waiting(writer, f"SELECT 2, {endless}"),
        waiting(reader, f"SELECT 1, {endless}"),
    ):
        programs.wait_for(lambda: count(server, running) == 3, "queries")
        clock.passes(900)
        assert repairs.give("mysql_long_query_kill")["outcome"] == "REFUSED"
        clock.passes(1000)
        repairs.mends("mysql_long_query_kill")
        assert count(server, running) == 2
        again = repairs.give("mysql_long_query_kill")  # the others are for people
        assert again["outcome"] == "SUCCESS_NO_ACTION", again
        server.execute("KILL QUERY USER other@localhost")
    assert reader.lives()
    writer.run("ROLLBACK")


@pytest.fixture
def full_of_logs(server, place, tmp_path):
    """Binary logs of 110 MB, most of them old, on a volume that is nearly full."""
    for _ in range(14):
        server.execute("INSERT INTO shop.blob_ VALUES (repeat('x', 8388608))")
    server.execute("TRUNCATE shop.blob_; FLUSH BINARY LOGS")
    data = place / "server" / "data"
    logs = sorted(data.glob("logs.0*"))
    for log in logs[:-2]:
        age = log.stat().st_mtime - 5 * 86_400
        os.utime(log, (age, age))
    used = sum(file.stat().st_size for file in data.rglob("*") if file.is_file())
    volume = {"path": str(data), "budget_bytes": int(used * 1.1)}
    made = repairs_of(server, tmp_path, volumes=[volume])
    yield made, str(data), logs
    made.close()


def test_old_binary_logs_are_purged_by_the_server_and_young_ones_stay(full_of_logs, connect):
    repairs, data, logs = full_of_logs
    repairs.heals_once("mysql_binlog_purge", mount=data)
    assert [log for log in logs if log.exists()] == logs[-2:]
    assert connect().run("SELECT count(*) FROM stock") == (("3",),)


def test_a_killed_server_is_started_and_has_its_data(place, tmp_path):
    """Runs a server of its own: its service is declared with the command that starts it."""
    directory = place / "other"
    directory.mkdir()
    with mariadb.running(directory) as own:
        own.execute("SET GLOBAL innodb_flush_log_at_trx_commit = 1")
        own.execute("CREATE DATABASE shop; CREATE TABLE shop.kept (n int) ENGINE=InnoDB")
        own.execute("INSERT INTO shop.kept VALUES (42)")
        pid = int((directory / "pid").read_text())
        argv = Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").decode().split("\0")
        pid_file = tmp_path / "db.pid"
        pid_file.write_text(f"{pid}\n")
        service = {"start": [*argv, "--user=nobody"], "pid_file": str(pid_file)}
        secret = tmp_path / "secret"
        secret.write_text(mariadb.PASSWORD)
        declared = {"kind": "mysql", "address": own.socket, "user": mariadb.USER}
        made = database_repairs.Repairs(
            tmp_path, {**declared, "password_file": str(secret)}, service=service
        )
        try:
            assert made.give("mysql_service_restart")["outcome"] == "REFUSED"  # it runs
            os.kill(pid, signal.SIGKILL)
            programs.wait_for(lambda: _ended(pid), "its end")
            made.heals_once("mysql_service_restart")
            assert own.execute("SELECT n FROM shop.kept").strip() == "42"
        finally:
            made.close()
            started = int(pid_file.read_text())
            with contextlib.suppress(ProcessLookupError):
                os.kill(started, signal.SIGTERM)
            programs.wait_for(lambda: _ended(started), "the end of the new one")


def _ended(pid):
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    return True
