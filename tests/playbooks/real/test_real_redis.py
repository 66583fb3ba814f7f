"""Redis playbooks on a real Redis: the fault, the remedy, what stays, a second run, decoys."""

import contextlib
import socket
import threading

import pytest

from tests.servers import programs, redis
from tests.support import real_kinds, real_playbooks

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(redis.missing() is not None, reason=str(redis.missing())),
]


class Client:
    """A connection that says Redis commands in its inline form."""

    opened = ()  # closed after each test

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.file = self.socket.makefile("rb")
        Client.opened = (*Client.opened, self.file, self.socket)

    def ask(self, *words):
        parts = [b"*%d\r\n" % len(words)]
        for word in words:
            text = word if isinstance(word, bytes) else str(word).encode()
            parts.append(b"$%d\r\n%b\r\n" % (len(text), text))
        self.socket.sendall(b"".join(parts))
        return self.answer()

    def answer(self):
        head = self.file.readline().rstrip()
        if head[:1] == b"$":
            size = int(head[1:])
            return None if size < 0 else self.file.read(size + 2)[:-2]
        if head[:1] == b"*":
            return [self.answer() for _ in range(int(head[1:]))]
        return int(head[1:]) if head[:1] == b":" else head

    def told(self, field):
        text = self.ask("INFO", "everything").decode()
        return dict(one.split(":", 1) for one in text.splitlines() if ":" in one).get(field)


@pytest.fixture(autouse=True)
def _closed():
    yield
    for one in Client.opened:
        one.close()
    Client.opened = ()


@pytest.fixture
def serve(tmp_path):
    with contextlib.ExitStack() as stack:

        def make(*settings, name="redis"):
            port = programs.free_port()
            argv = [
                *(programs.found(redis.NAMES), "--port", str(port), "--bind", "127.0.0.1"),
                *("--save", "", "--dir", str(tmp_path / name), "--daemonize", "no", *settings),
            ]
            daemon = real_playbooks.Daemon(argv, tmp_path / name)
            stack.callback(daemon.close)
            daemon.start(port)
            daemon.port = port
            return daemon

        yield make


@pytest.fixture
def bench(tmp_path):
    with contextlib.ExitStack() as stack:

        def make(daemon, holds="data"):
            made = real_playbooks.Bench(
                tmp_path,
                services={"store": daemon.declared},
                controls={
                    "store": {"redis": {"address": f"127.0.0.1:{daemon.port}", "holds": holds}}
                },
            )
            stack.callback(made.close)
            return made

        yield make


def fill(client):
    """Fill a Redis of a few MB until it refuses; return how many keys it took."""
    for number in range(400):
        answer = client.ask("SET", f"key{number}", b"x" * 60_000, "EX", 3_600 + number)
        if answer.startswith(b"-OOM"):
            return number
    raise AssertionError("it never was full")


@real_kinds.runs("step redis.set_policy")
def test_a_full_cache_evicts_and_takes_writes_again(serve, bench):
    daemon = serve("--maxmemory", "4mb")
    client = Client(daemon.port)
    client.ask("SET", "forever", "kept")
    taken = fill(client)
    bench(daemon, "cache").heals("redis_cache_policy", service="store")
    assert client.ask("SET", "new", b"x" * 60_000, "EX", 9_999) == b"+OK"
    assert client.ask("GET", "forever") == b"kept"
    assert client.ask("DBSIZE") >= taken - 5
    assert daemon.process.poll() is None


def test_a_full_store_of_data_is_left_alone(serve, bench):
    daemon = serve("--maxmemory", "4mb")
    client = Client(daemon.port)
    taken = fill(client)
    bench(daemon, "data").leaves_alone("redis_cache_policy", service="store")
    assert client.ask("CONFIG", "GET", "maxmemory-policy")[1] == b"noeviction"
    assert client.ask("DBSIZE") == taken


def test_a_full_cache_that_evicts_is_left_alone(serve, bench):
    daemon = serve("--maxmemory", "4mb", "--maxmemory-policy", "allkeys-lru")
    client = Client(daemon.port)
    for number in range(200):
        client.ask("SET", f"key{number}", b"x" * 60_000)
    bench(daemon, "cache").leaves_alone("redis_cache_policy", service="store")
    assert client.ask("CONFIG", "GET", "maxmemory-policy")[1] == b"allkeys-lru"


@real_kinds.runs("step redis.flush")
def test_a_cache_is_flushed_and_runs_on(serve, bench):
    daemon = serve("--maxmemory", "100mb")
    client = Client(daemon.port)
    for number in range(1_200):
        client.ask("SET", f"page{number}", "poisoned")
    bench(daemon, "cache").mends("flush_redis_cache", service="store")
    assert client.ask("DBSIZE") == 0
    assert client.ask("CONFIG", "GET", "maxmemory")[1] == b"104857600"
    assert daemon.process.poll() is None


def test_flushing_twice_is_flushing_once(serve, bench):
    daemon = serve()
    Client(daemon.port).ask("SET", "page", "fresh")
    again = bench(daemon, "cache").give("flush_redis_cache", service="store", guarded=False)
    assert again["outcome"] == "SUCCESS_NO_ACTION"
    assert Client(daemon.port).ask("DBSIZE") == 1


def test_data_is_not_flushed_even_without_the_guard(serve, bench):
    daemon = serve()
    client = Client(daemon.port)
    for number in range(1_200):
        client.ask("SET", f"order{number}", "paid")
    made = bench(daemon, "data")
    made.leaves_alone("flush_redis_cache", service="store")
    ended = made.give("flush_redis_cache", service="store", guarded=False)
    assert ended["outcome"] == "ROLLED_BACK", ended
    assert client.ask("DBSIZE") == 1_200


def deaf(port, client):
    """Subscribe, never read, and have the server keep megabytes for us."""
    listener = Client(port)
    listener.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    listener.ask("SUBSCRIBE", "news")
    for _ in range(60):
        client.ask("PUBLISH", "news", b"x" * 200_000)


SMALL = {"50MB": "2MB"}


@real_kinds.runs("step redis.drop_clients")
def test_a_client_that_does_not_read_is_closed_and_no_other(serve, bench):
    daemon = serve("--client-output-buffer-limit", "pubsub 0 0 0")
    client, other = Client(daemon.port), Client(daemon.port)
    other.ask("CLIENT", "SETNAME", "other")
    client.ask("SET", "key", "kept")
    deaf(daemon.port, client)
    bench(daemon).heals("redis_drop_slow_clients", service="store", swap=SMALL)
    assert other.ask("CLIENT", "GETNAME") == b"other"
    assert client.ask("GET", "key") == b"kept"
    assert client.ask("PUBSUB", "NUMSUB", "news") == [b"news", 0]


def test_a_replica_with_a_big_buffer_is_left_alone(serve, bench):
    daemon = serve("--repl-diskless-sync-delay", "0")
    client = Client(daemon.port)
    client.ask("SET", "key", "kept")
    replica = socket.create_connection(("127.0.0.1", daemon.port), timeout=10)
    replica.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    replica.sendall(b"SYNC\r\n")
    programs.wait_for(lambda: b"state=online" in client.ask("INFO", "replication"), "the replica")
    for number in range(60):
        client.ask("SET", f"key{number}", b"x" * 200_000)
    assert int(client.ask("CLIENT", "LIST", "TYPE", "replica").split(b"omem=")[1].split()[0]) > 2e6
    bench(daemon).leaves_alone("redis_drop_slow_clients", service="store", swap=SMALL)
    assert client.told("connected_slaves") == "1"
    replica.close()


@real_kinds.runs("step redis.save")
def test_a_snapshot_that_failed_is_written_again(serve, bench, tmp_path):
    daemon = serve()
    client = Client(daemon.port)
    client.ask("CONFIG", "SET", "save", "1 1")
    client.ask("SET", "key", "kept")
    blocked = daemon.place / "dump.rdb"  # a directory of that name lets no snapshot take its place
    blocked.mkdir()
    (blocked / "full").touch()
    programs.wait_for(lambda: client.told("rdb_last_bgsave_status") == "err", "a failed save")
    assert client.ask("SET", "new", "x").startswith(b"-MISCONF")
    made, room = bench(daemon), {"disk_usage < 97%": "disk_usage <= 100%"}
    still = made.give("redis_snapshot_again", service="store", swap=room)
    assert still["outcome"] in {"ROLLED_BACK", "PARTIALLY_ROLLED_BACK"}, still
    (blocked / "full").unlink()
    blocked.rmdir()
    made.heals("redis_snapshot_again", service="store", swap=room)
    assert client.ask("SET", "new", "x") == b"+OK"
    assert client.ask("CONFIG", "GET", "stop-writes-on-bgsave-error")[1] == b"yes"
    assert blocked.stat().st_size > 0


def test_a_redis_whose_snapshot_is_good_is_left_alone(serve, bench):
    bench(serve()).leaves_alone("redis_snapshot_again", service="store")


class Link:
    """A forwarder between a replica and its master that can fall silent without closing."""

    def __init__(self, to):
        self.to, self.silent, self.pairs = to, threading.Event(), []
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                near, _ = self.server.accept()
                far = socket.create_connection(("127.0.0.1", self.to))
                muted = threading.Event()
                self.pairs.append(muted)
                for source, sink in ((near, far), (far, near)):
                    threading.Thread(
                        target=self.pump, args=(source, sink, muted), daemon=True
                    ).start()

    @staticmethod
    def pump(source, sink, muted):
        with contextlib.suppress(OSError):
            while piece := source.recv(65_536):
                if not muted.is_set():
                    sink.sendall(piece)
        for one in (source, sink):
            one.close()

    def forget(self):
        """Forget every connection that is open, as a firewall does: no word, no end."""
        for muted in self.pairs:
            muted.set()


@real_kinds.runs("step redis.reconnect")
def test_a_replica_that_hears_nothing_connects_again_to_the_same_master(serve, bench):
    master = serve("--repl-ping-replica-period", "1", "--repl-diskless-sync-delay", "0")
    link = Link(master.port)
    replica = serve("--replicaof", f"127.0.0.1 {link.port}", name="replica")
    client, other = Client(replica.port), Client(master.port)
    programs.wait_for(lambda: client.told("master_link_status") == "up", "the link")
    made = bench(replica)
    made.leaves_alone("redis_replica_reconnect", service="store", swap={"30s": "4s"})
    link.forget()
    other.ask("SET", "late", "news")
    programs.wait_for(lambda: int(client.told("master_last_io_seconds_ago")) > 4, "the silence")
    assert client.told("master_link_status") == "up"  # half open: nobody has noticed
    made.heals("redis_replica_reconnect", service="store", swap={"30s": "4s"})
    programs.wait_for(lambda: client.ask("GET", "late") == b"news", "what was missed")
    assert (client.told("role"), client.told("master_port")) == ("slave", str(link.port))
    link.server.close()
