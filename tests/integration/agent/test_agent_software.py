"""The collectors of server programs, against the real programs."""

import contextlib
import os
import socket
import tempfile
import threading
import time
from pathlib import Path

import psycopg
import pytest

from sentienguard.adapters.databases import wire
from sentienguard.agent import collectors, settings
from sentienguard.agent.collectors.software import (
    asking,
    kinds,
    mysql,
    nginx,
    postgresql,
    rabbitmq,
    redis,
)
from tests.servers import mariadb, programs
from tests.servers import nginx as nginx_server
from tests.servers import postgresql as postgresql_server
from tests.servers import rabbitmq as rabbitmq_server
from tests.servers import redis as redis_server

pytestmark = pytest.mark.integration

LONG_S = 10.0  # the machine may be busy


def needs(server):
    return pytest.mark.skipif(server.missing() is not None, reason=str(server.missing()))


@pytest.fixture
def place():
    """A short path that other users may enter: Unix sockets have room for 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="sg-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def secret(place, text):
    file = place / "secret"
    file.write_text(f"{text}\n")
    return str(file)


def target(kind, address, **more):
    return asking.Target(kind, kind, address, **more)


@needs(redis_server)
def test_redis_tells_memory_clients_and_hits(place):
    settings_of_it = ("--maxmemory", "100mb", "--maxclients", "50")
    with redis_server.running(place, *settings_of_it) as address:
        host, _, port = address.partition(":")
        with socket.create_connection((host, int(port))) as client:
            client.sendall(b"SET a 1\r\nGET a\r\nGET b\r\n")
            assert client.recv(100)
            values = redis.ask(target("redis", address), LONG_S)
    assert 0 < values["redis.memory_percent"] < 20
    assert values["redis.clients_percent"] == 4.0
    assert values["redis.hit_ratio"] == 0.5
    assert values["redis.clients"] == 2
    assert values["redis.last_save_ok"] == 1
    assert values["redis.evicted_total"] == 0


@needs(redis_server)
def test_redis_with_a_password_lets_in_who_knows_it(place):
    with redis_server.running(place, "--requirepass", "hush") as address:
        right = target("redis", address, password_file=secret(place, "hush"))
        assert redis.ask(right, LONG_S)["redis.clients"] == 1
        wrong = target("redis", address, password_file=secret(place, "loud"))
        with pytest.raises(wire.Refused):
            redis.ask(wrong, LONG_S)
        with pytest.raises(wire.Refused):
            redis.ask(target("redis", address), LONG_S)


@needs(redis_server)
def test_a_replica_of_redis_tells_its_link_and_its_primary_the_lag(place):
    other = place / "replica"
    other.mkdir()
    with redis_server.running(place) as primary:
        host, _, port = primary.partition(":")
        with redis_server.running(other, "--replicaof", f"{host} {port}") as replica:
            programs.wait_for(
                lambda: redis.ask(target("redis", replica), LONG_S)["redis.replication_link_up"],
                "the replica to connect",
            )
            assert redis.ask(target("redis", primary), LONG_S)["redis.replica_lag_bytes"] < 1000


@needs(nginx_server)
def test_nginx_tells_its_connections_and_other_pages_are_refused(place):
    with nginx_server.running(place) as address:
        values = nginx.ask(target("nginx", f"{address}/nginx_status"), LONG_S)
        assert values["nginx.connections_active"] == 1
        assert values["nginx.dropped_total"] == 0
        for page in ("/", "/secret"):
            with pytest.raises(wire.Refused):
                nginx.ask(target("nginx", f"{address}{page}"), LONG_S)


@needs(rabbitmq_server)
@pytest.mark.timeout(120)
def test_rabbitmq_tells_queues_and_what_is_left(place):
    with rabbitmq_server.running(place) as address:
        values = rabbitmq.ask(target("rabbitmq", address), LONG_S)
    assert values["rabbitmq.connections"] == 0
    assert values["rabbitmq.messages_ready"] == 0
    assert 0 < values["rabbitmq.memory_percent"] < 100
    assert values["rabbitmq.disk_free_bytes"] > 0
    assert values["rabbitmq.alarm"] in {0, 1}


@needs(mariadb)
@pytest.mark.timeout(120)
def test_mariadb_tells_its_connections_by_password_and_by_socket(place):
    with mariadb.running(place) as server:
        password = secret(place, mariadb.PASSWORD)
        for address in (server.address, server.socket):
            one = target("mysql", address, user=mariadb.USER, password_file=password)
            values = mysql.ask(one, LONG_S)
            assert values["database.connections_max"] == 40
            assert values["database.connections_utilization"] == 1 / 40
            assert values["database.slow_queries_total"] == 0
            assert 0 < values["database.cache_hit_ratio"] <= 1
            assert "database.replication_lag_s" not in values
        wrong = target(
            "mysql", server.address, user=mariadb.USER, password_file=secret(place, "no")
        )
        with pytest.raises(wire.Refused, match="denied"):
            mysql.ask(wrong, LONG_S)
        server.execute(
            "INSTALL SONAME 'auth_socket'; CREATE USER root2@localhost"
        ) if False else None


@pytest.fixture(scope="module")
def database():
    if reason := postgresql_server.missing():
        pytest.skip(reason)
    with postgresql_server.running() as server:
        yield server


def postgresql_target(server, place, *, user=postgresql_server.USER, password=None):
    url = server.url()
    known = url.split(":")[2].split("@")[0]
    return target(
        "postgresql",
        url.split("@")[1].split("/")[0],
        user=user,
        password_file=secret(place, known if password is None else password),
    )


def test_postgresql_tells_its_pool_and_the_longest_transaction(database, place):
    one = postgresql_target(database, place)
    with contextlib.ExitStack() as held:
        for _ in range(3):
            held.enter_context(psycopg.connect(database.url(), autocommit=True))
        waiting = held.enter_context(psycopg.connect(database.url()))
        waiting.execute("SELECT 1")
        values = postgresql.ask(one, LONG_S)
    assert values["database.connections_idle"] == 3
    assert values["database.connections_idle_in_transaction"] == 1
    assert values["database.connections_max"] == 97
    assert values["database.connections_utilization"] == pytest.approx(4 / 97, abs=0.0001)
    assert 0 <= values["database.longest_idle_in_transaction_s"] < 60
    assert values["database.longest_lock_wait_s"] == 0
    assert 0 <= values["database.cache_hit_ratio"] <= 1
    assert values["database.wal_bytes"] >= 16 << 20
    assert values["database.oldest_xid_percent"] < 1
    assert "database.replication_lag_s" not in values


@pytest.mark.parametrize("method", ["scram-sha-256", "md5"])
def test_postgresql_by_either_hash_of_a_user_who_may_only_monitor(database, place, method):
    name = f"monitor_{method[:3]}"
    with psycopg.connect(database.url(), autocommit=True) as administrator:
        administrator.execute(f"SET password_encryption = '{method}'")
        administrator.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'hush' IN ROLE pg_monitor")
        [rules] = administrator.execute("SHOW hba_file").fetchone()
        kept = Path(rules).read_text()
        Path(rules).write_text(f"host all {name} 127.0.0.1/32 {method}\n{kept}")
        administrator.execute("SELECT pg_reload_conf()")
    right = postgresql_target(database, place, user=name, password="hush")
    programs.wait_for(lambda: lets_in(right), "the rule to count")
    assert postgresql.ask(right, LONG_S)["database.wal_bytes"] > 0
    with pytest.raises(wire.Refused):
        postgresql.ask(postgresql_target(database, place, user=name, password="loud"), LONG_S)


def lets_in(one):
    with contextlib.suppress(wire.Refused):
        return postgresql.ask(one, LONG_S)
    return None


def test_postgresql_tells_a_slot_that_keeps_everything(database, place):
    database.execute("SELECT pg_create_physical_replication_slot('left', true)")
    try:
        values = postgresql.ask(postgresql_target(database, place), LONG_S)
        assert values["database.wal_kept_by_slots_bytes"] >= 0
    finally:
        database.execute("SELECT pg_drop_replication_slot('left')")


def take(collector):
    into = collectors.Reading(time.monotonic_ns(), 0)
    told = None
    try:
        collector.read(into)
    except (OSError, ValueError) as error:
        told = error
    return into.values, told


def settled(collector):
    """Ask once and wait for the answer."""
    collector.prepare()
    programs.wait_for(lambda: not collector._thread.is_alive(), "the answer")
    return take(collector)


@needs(redis_server)
def test_a_program_that_was_never_there_is_not_missed_and_one_that_went_is(place):
    port = programs.free_port()
    collector = asking.Software(target("redis", f"127.0.0.1:{port}", declared=False), redis.ask)
    assert settled(collector) == ({}, None)
    with redis_server.running(place) as address:
        there = asking.Software(target("redis", address, declared=False), redis.ask)
        values, told = settled(there)
        assert values["software.up", "redis"] == 1
        assert values["software.answer_ms", "redis"] > 0
        assert told is None
    values, told = settled(there)
    assert values == {("software.up", "redis"): 0}
    assert isinstance(told, OSError)


def test_a_declared_program_that_does_not_answer_is_down(place):
    collector = asking.Software(target("redis", f"127.0.0.1:{programs.free_port()}"), redis.ask)
    values, told = settled(collector)
    assert values == {("software.up", "redis"): 0}
    assert isinstance(told, OSError)


class Stuck:
    """Something that accepts, says a little and then nothing."""

    def __init__(self, says=b""):
        self._says = says
        self._server = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._server.getsockname()[1]}"
        self._held = []
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._server.accept()
                self._held.append(client)
                with contextlib.suppress(ConnectionError):
                    client.sendall(self._says)

    def close(self):
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._thread.join(5)  # it may hold one more that it has just accepted
        self._server.close()
        for client in self._held:
            client.close()


@pytest.fixture
def stuck():
    with contextlib.ExitStack() as stack:
        yield lambda says=b"": stack.enter_context(contextlib.closing(Stuck(says)))


ASKS = {
    "redis": redis.ask,
    "nginx": nginx.ask,
    "rabbitmq": rabbitmq.ask,
    "postgresql": postgresql.ask,
    "mysql": mysql.ask,
}


@pytest.mark.parametrize("kind", ASKS)
def test_a_program_that_hangs_costs_its_time_and_no_more(stuck, kind):
    address = stuck().address
    one = target(kind, f"http://{address}/x" if kind in {"nginx", "rabbitmq"} else address)
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        ASKS[kind](one, 0.2)
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("kind", ASKS)
@pytest.mark.parametrize(
    "says",
    [
        b"\x00" * 64,
        b"\xff" * 64,
        b"HTTP/1.1 200 OK\r\n\r\nhello" + b"x" * 99,
        b"$99999999999\r\n",
        b"R\x7f\xff\xff\xff\x00\x00",
        b"\xff\xff\xff\x00" + b"\n" * 50,
        b"E\x00\x00\x00\x04",
        b"-ERR \x1b[31m\r\n",
        b"+OK\r\n" * 20,
    ],
)
def test_an_answer_that_is_not_its_protocol_is_refused_in_time(stuck, kind, says):
    address = stuck(says).address
    one = target(kind, f"http://{address}/x" if kind in {"nginx", "rabbitmq"} else address)
    with pytest.raises((OSError, ValueError)) as caught:
        ASKS[kind](one, 0.3)
    assert str(caught.value).isprintable()


@needs(redis_server)
def test_what_hangs_delays_no_sample_and_is_not_asked_twice(stuck):
    server = stuck()
    collector = asking.Software(target("redis", server.address), redis.ask)
    collector.prepare()
    first = collector._thread
    began = time.monotonic()
    assert take(collector) == ({}, None)
    collector.prepare()
    assert collector._thread is first
    assert time.monotonic() - began < 1


def configured(**more):
    record = {
        "agent_id": "00000000-0000-4000-8000-000000000000", "host": "h", "environment": "test",
        "server": "https://127.0.0.1:1", "pins": ["0" * 64], "root_digest": "sha256:" + "0" * 64,
        **more,
    }  # fmt: skip
    return settings._Reader("agent.json").settings(record)


def test_the_usual_places_are_tried_where_nothing_else_is_declared():
    declared = {"kind": "redis", "name": "cache", "address": "127.0.0.1:7777"}
    names = [one.name for one in kinds.compose(configured(software=[declared]))]
    assert names == [
        "software cache", "software postgresql", "software mysql", "software nginx",
        "software rabbitmq",
    ]  # fmt: skip
    confined = configured(software=[declared], confined=True)
    assert [one.name for one in kinds.compose(confined)] == ["software cache"]


@pytest.mark.parametrize(
    "address",
    ["10.0.0.1:6379", "redis.example:6379", "127.0.0.1", "relative/path", "https://127.0.0.1:1/",
     "http://example.org/nginx_status", "http://u:p@127.0.0.1:80/", "127.0.0.1:99999", 7, ""],
)  # fmt: skip
def test_only_this_host_may_be_asked(address):
    with pytest.raises(settings.SettingsInvalid, match="address"):
        configured(software=[{"kind": "redis", "address": address}])


def test_settings_survive_being_written(tmp_path):
    software = [
        {"kind": "mysql", "address": "/run/mysqld/mysqld.sock", "user": "w",
         "password_file": "/etc/sentienguard/mysql"},
    ]  # fmt: skip
    one = configured(software=software, certificates=["/etc/ssl/x.pem"])
    assert settings.parse(settings.render(one)) == one
    assert os.fspath(one.certificates[0]) == "/etc/ssl/x.pem"
