"""RabbitMQ playbooks on a real broker, with workers that speak STOMP to it."""

import contextlib
import os
import signal
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from tests.servers import programs, rabbitmq
from tests.support import real_kinds, real_playbooks

pytestmark = [
    pytest.mark.integration,
    pytest.mark.timeout(240),  # a broker takes its time to start
    pytest.mark.skipif(rabbitmq.missing() is not None, reason=str(rabbitmq.missing())),
]
WORKER = """
import signal, socket, sys, time
port, queue, pace = int(sys.argv[1]), sys.argv[2], float(sys.argv[3])
talk = socket.create_connection(("127.0.0.1", port))
def say(command, body="", **headers):
    lines = [command, *(f"{k.replace('_', '-')}:{v}" for k, v in headers.items()), "", body]
    talk.sendall(("\\n".join(lines) + "\\0").encode())
say("CONNECT", accept_version="1.2", host="/", login="guest", passcode="guest")
say("SUBSCRIBE", id="0", destination=f"/amq/queue/{queue}", ack="client-individual",
    prefetch_count=5)
signal.signal(signal.SIGUSR1, lambda *_: say("UNSUBSCRIBE", id="0"))
kept = b""
while piece := talk.recv(65536):
    kept += piece
    while b"\\0" in kept:
        frame, _, kept = kept.partition(b"\\0")
        ack = [line for line in frame.decode().splitlines() if line.startswith("ack:")]
        if frame.lstrip().startswith(b"MESSAGE") and ack and pace >= 0:
            time.sleep(pace)
            say("ACK", id=ack[0].removeprefix("ack:"))
"""


class Broker:
    """A broker with its HTTP API."""

    def __init__(self, api, stomp):
        self.api, self.stomp = api, stomp

    def ask(self, method, path, **body):
        url = f"http://127.0.0.1:{self.api}/api{path}"
        answer = httpx.request(
            method, url, auth=("guest", "guest"), json=body or None, timeout=10, trust_env=False
        )
        assert answer.status_code < 300, (path, answer.text)
        return answer.json() if answer.content else None

    def queue(self, name, messages=0):
        self.ask("PUT", f"/queues/%2F/{name}", durable=True)
        for number in range(messages):
            self.ask(
                "POST",
                "/exchanges/%2F/amq.default/publish",
                properties={},
                routing_key=name,
                payload=f"message {number}",
                payload_encoding="string",
            )

    def told(self, name):
        found = self.ask("GET", f"/queues/%2F/{name}")
        return {one: found.get(one, 0) for one in ("messages", "messages_ready", "consumers")}

    def channels(self):
        return [one for one in self.ask("GET", "/channels") if one.get("consumer_count")]


@pytest.fixture(scope="module")
def broker():
    api, stomp = programs.free_port(), programs.free_port()
    settings = (
        f"management.tcp.ip = 127.0.0.1\nmanagement.tcp.port = {api}\n"
        f"stomp.listeners.tcp.1 = 127.0.0.1:{stomp}\ncollect_statistics_interval = 500\n"
    )
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        place.chmod(0o755)
        plugins = ("rabbitmq_management", "rabbitmq_stomp")
        with rabbitmq.running(place, plugins=plugins, settings=settings):
            programs.wait_for(lambda: programs.listens(stomp), "STOMP")
            yield Broker(api, stomp)


@pytest.fixture
def stack():
    with contextlib.ExitStack() as every:
        yield every


def worker(broker, stack, place, queue, pace, *, name="worker"):
    script = place / f"{name}.py"
    script.write_text(WORKER)
    argv = [sys.executable, str(script), str(broker.stomp), queue, str(pace)]
    daemon = real_playbooks.Daemon(argv, place / name)
    stack.callback(daemon.close)
    daemon.start()
    return daemon


def bench(at, stack, place, /, **services):
    secret = place / "password"
    secret.write_text("guest\n")
    control = {
        "address": f"127.0.0.1:{at.api}",
        "user": "guest",
        "password_file": str(secret),
        "queue": "jobs",
    }
    made = real_playbooks.Bench(
        place,
        services={name: one.declared for name, one in services.items()},
        controls={name: {"rabbitmq": control} for name in services},
    )
    stack.callback(made.close)
    return made


QUICK = {"120s": "3s"}


@real_kinds.runs("step rabbitmq.close_stuck")
def test_a_stuck_consumer_is_closed_and_its_messages_go_to_another(broker, stack, tmp_path):
    broker.queue("stuck", 20)
    hung = worker(broker, stack, tmp_path, "stuck", -1, name="hung")
    programs.wait_for(lambda: broker.told("stuck")["messages_ready"] == 15, "the full prefetch")
    standing = real_playbooks.Daemon(["/bin/sleep", "600"], tmp_path / "standing")
    stack.callback(standing.close)
    standing.start()  # stands for the broker's own process, which the test's starter holds
    made = bench(broker, stack, tmp_path, broker=standing)
    programs.wait_for(lambda: long_silent(broker), "its silence")
    made.heals("rabbitmq_close_stuck_consumers", service="broker", swap=QUICK)
    programs.wait_for(lambda: broker.told("stuck")["messages_ready"] == 20, "all of them again")
    programs.wait_for(lambda: hung.process.poll() is not None, "the end of the hung one")
    worker(broker, stack, tmp_path, "stuck", 0, name="well")
    programs.wait_for(lambda: broker.told("stuck")["messages"] == 0, "the work")


def test_a_slow_consumer_that_acknowledges_is_left_alone(broker, stack, tmp_path):
    broker.queue("slow", 600)  # more than can be worked off meanwhile
    slow = worker(broker, stack, tmp_path, "slow", 0.3, name="slow")
    programs.wait_for(lambda: broker.told("slow")["messages"] < 598, "the first acknowledgements")
    made = bench(broker, stack, tmp_path, broker=slow)
    made.leaves_alone("rabbitmq_close_stuck_consumers", service="broker", swap=QUICK)
    # The broker counts consumers now and then, so the number comes late; nobody connects again.
    programs.wait_for(lambda: broker.told("slow")["consumers"] == 1, "the consumer, still there")
    assert slow.process.poll() is None


def test_a_worker_that_lost_its_queue_is_restarted_and_works_it_off(broker, stack, tmp_path):
    broker.queue("jobs")
    lost = worker(broker, stack, tmp_path, "jobs", 0)
    programs.wait_for(lambda: broker.told("jobs")["consumers"] == 1, "the worker")
    os.kill(lost.pid, signal.SIGUSR1)
    programs.wait_for(lambda: broker.told("jobs")["consumers"] == 0, "its loss")
    broker.queue("jobs", 10)
    programs.wait_for(lambda: broker.told("jobs")["messages_ready"] == 10, "a backlog")
    before = lost.pid
    made = bench(broker, stack, tmp_path, worker=lost)
    made.heals("rabbitmq_consumer_restart", service="worker")
    programs.wait_for(lambda: broker.told("jobs")["messages"] == 0, "the work")
    assert lost.pid != before


def test_a_queue_that_somebody_consumes_is_left_alone(broker, stack, tmp_path):
    broker.queue("jobs", 10)
    busy = worker(broker, stack, tmp_path, "jobs", 2)
    programs.wait_for(lambda: broker.told("jobs")["messages_ready"] > 0, "a backlog")
    programs.wait_for(lambda: broker.told("jobs")["consumers"] == 1, "the worker")
    before = busy.pid
    made = bench(broker, stack, tmp_path, worker=busy)
    made.leaves_alone("rabbitmq_consumer_restart", service="worker")
    assert busy.pid == before
    broker.ask("DELETE", "/queues/%2F/jobs/contents")


def long_silent(broker):
    """Tell whether a channel has been silent for longer than the shortened remedy asks."""
    found = [one.get("idle_since") for one in broker.channels()]
    return any(since and silent_s(since) > 4 for since in found)


def silent_s(since):
    text = since.replace("T", " ").removesuffix("Z")
    then = datetime.fromisoformat(text)
    then = then if then.tzinfo else then.replace(tzinfo=UTC)
    return (datetime.now(UTC) - then).total_seconds()
