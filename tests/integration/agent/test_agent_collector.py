"""The real collector process against a real centre on loopback: outages, refusals, kill -9."""

import itertools
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sentienguard.agent import lean, spool
from tests.support import agent_centre

pytestmark = pytest.mark.integration


@pytest.fixture
def trust():
    return agent_centre.Trust()


@pytest.fixture
def centre(trust, tmp_path):
    with agent_centre.Centre(trust.context(tmp_path)) as running:
        yield running


@pytest.fixture
def start(tmp_path):
    """Start a collector of the agent in tmp_path/agent; what still runs at the end is killed."""
    running = []

    def begin():
        stderr = (tmp_path / "stderr").open("ab")
        argv = lean.command("collector", tmp_path / "agent")
        process = subprocess.Popen(argv, env=lean.environment(), stderr=stderr)
        stderr.close()
        running.append(process)
        return process

    yield begin
    for process in running:
        process.kill()
        process.wait()


def told(tmp_path):
    return (tmp_path / "stderr").read_text()


def test_samples_arrive_and_most_are_a_fraction_of_the_first(trust, centre, start, tmp_path):
    agent_centre.enrolled(tmp_path / "agent", trust, centre.port)
    start()
    assert centre.wait_for(lambda c: len(c.samples) >= 8)
    sample = centre.samples[max(centre.samples)]
    assert ("system.cpu_percent", "") in sample.values
    assert sample.values["system.processes", ""] > 1
    assert centre.frames[0][1] == 0
    assert all(frame[1] == 1 for frame in centre.frames[1:])
    assert centre.order == sorted(centre.order)


def listening(pid):
    """Return TCP and UDP sockets of a process that wait for others, from /proc."""
    inodes = set()
    for handle in Path(f"/proc/{pid}/fd").iterdir():
        try:
            link = str(handle.readlink())
        except FileNotFoundError:
            continue  # closed meanwhile
        if link.startswith("socket:["):
            inodes.add(link[8:-1])
    found = []
    for table in ("tcp", "tcp6", "udp", "udp6"):
        text = Path(f"/proc/{pid}/net/{table}").read_text(encoding="ascii")
        rows = [line.split() for line in text.splitlines()[1:]]
        waiting = (
            ("0A",) if table.startswith("tcp") else ("07",)
        )  # LISTEN; a UDP socket not connected
        found += [row for row in rows if row[9] in inodes and row[3] in waiting]
    return found


def test_it_listens_on_no_port(trust, centre, start, tmp_path):
    agent_centre.enrolled(tmp_path / "agent", trust, centre.port)
    process = start()
    assert centre.wait_for(lambda c: len(c.samples) >= 3)
    assert (
        listening(os.getpid()) != []
    )  # the centre in this process does: the look finds what is there
    assert listening(process.pid) == []


def test_it_stops_within_a_second_also_while_it_waits_for_orders(trust, centre, start, tmp_path):
    agent_centre.enrolled(tmp_path / "agent", trust, centre.port)
    with agent_centre.PretendExecutor(tmp_path / "agent" / "run" / "executor.sock"):
        process = start()
        assert centre.wait_for(lambda c: len(c.samples) >= 2)
        began = time.monotonic()
        process.terminate()
        assert process.wait(5) == 0
        assert time.monotonic() - began < 1


def test_after_an_outage_every_sample_arrives_in_order(trust, start, tmp_path):
    with agent_centre.Centre(trust.context(tmp_path)) as first:
        port = first.port
        agent_centre.enrolled(tmp_path / "agent", trust, port)
        start()
        assert first.wait_for(lambda c: len(c.samples) >= 2)
    home = tmp_path / "agent" / "collector" / "spool"
    until = time.monotonic() + 10
    while spool.waiting(home).waiting < 5 and time.monotonic() < until:
        time.sleep(0.05)
    with agent_centre.Centre(trust.context(tmp_path), port) as second:
        assert second.wait_for(lambda c: len(c.samples) >= 8, 15)
        both = [*first.order, *second.order]
        assert sorted(set(both)) == list(range(min(both), max(both) + 1))
        assert second.order == sorted(second.order)


@pytest.mark.parametrize("plan", [[503, 503], [500], [429], [401]])
def test_a_centre_that_cannot_now_loses_nothing(trust, centre, start, tmp_path, plan):
    centre.plan.extend(plan)
    agent_centre.enrolled(tmp_path / "agent", trust, centre.port)
    start()
    assert centre.wait_for(lambda c: len(c.samples) >= 4, 15)
    assert centre.order == list(range(min(centre.order), max(centre.order) + 1))
    numbers = [int.from_bytes(frame[2:6], "big") for frame in centre.frames]
    assert numbers[: len(plan) + 1] == [centre.order[0]] * (len(plan) + 1)


def test_a_centre_that_forgets_its_bases_gets_full_frames(trust, centre, start, tmp_path):
    centre.forget_bases = True
    agent_centre.enrolled(tmp_path / "agent", trust, centre.port)
    start()
    assert centre.wait_for(lambda c: len(c.samples) >= 4)
    assert centre.order == list(range(min(centre.order), max(centre.order) + 1))


def test_a_refused_sample_is_set_aside_and_said_in_the_next(trust, centre, start, tmp_path):
    centre.plan.append(422)
    agent_centre.enrolled(tmp_path / "agent", trust, centre.port)
    start()
    assert centre.wait_for(lambda c: len(c.samples) >= 4)
    said = [line.text for sample in centre.samples.values() for line in sample.log_lines]
    assert said == ["1 samples were refused by the control plane"]
    assert len(list((tmp_path / "agent" / "collector" / "rejected").glob("*.json"))) == 1


def test_kill_9_again_and_again_loses_no_sample_and_repeats_no_number(
    trust, centre, start, tmp_path
):
    log = tmp_path / "app.log"
    log.write_text("")
    agent_centre.enrolled(
        tmp_path / "agent", trust, centre.port, log_files=[str(log)], interval_s=0.2
    )
    lines = (f"error number {n}" for n in itertools.count())
    seen = []
    for _ in range(5):
        process = start()
        count = len(centre.samples)
        with log.open("a") as file:
            file.write(next(lines) + "\n")
        assert centre.wait_for(lambda c, count=count: len(c.samples) >= count + 2)
        process.send_signal(signal.SIGKILL)
        process.wait()
        home = tmp_path / "agent" / "collector" / "spool"
        kept = spool.Spool(home, most_bytes=1 << 20)
        head = kept.head()
        seen.append(None if head is None else head.seq)
        kept.close()
    process = start()
    last = max(number or 0 for number in seen)
    count = len(centre.samples)
    assert centre.wait_for(lambda c: len(c.samples) >= count + 3 and max(c.order) >= last)
    assert set(filter(None, seen)) <= centre.samples.keys()
    assert centre.order == sorted(centre.order)
    texts = [line.text for sample in centre.samples.values() for line in sample.log_lines]
    assert {f"error number {n}" for n in range(1, 5)} <= set(texts)


def test_orders_events_and_configuration_are_carried(trust, centre, start, tmp_path):
    agent_centre.enrolled(tmp_path / "agent", trust, centre.port)
    order = {"order": {"order_id": "ord_1"}, "stop": None, "checkpoint": "cp", "consistency": []}
    centre.answers["/api/v1/orders"] = agent_centre.deque([order])
    config = {"root": {"r": 1}, "catalogue": {"c": 1}, "playbooks": {}, "interval_s": 0.3}
    centre.answers["/api/v1/config"] = agent_centre.deque([config])
    centre.answers["/api/v1/orders/events"] = agent_centre.deque([{"through": 2}])
    with agent_centre.PretendExecutor(tmp_path / "agent" / "run" / "executor.sock") as executor:
        executor.happened("one", "two")
        start()
        assert executor.wait_for(lambda e: e.asked_for("order") and e.asked_for("config"))
        assert executor.wait_for(lambda e: e.acked == 2)
    asked = [request["op"] for request in executor.asked]
    assert asked.index("checkpoint") < asked.index("order")
    assert executor.asked_for("order")[0]["envelope"] == {"order_id": "ord_1"}
    polls = [body for path, _, body in centre.requests if path == "/api/v1/orders"]
    nonces = [body["ticket"]["nonce"] for body in polls]
    assert len(set(nonces)) == len(nonces)
    assert polls[0].keys() == {"ticket", "witness", "status", "tree_size", "wait_s"}


def test_sampling_goes_on_without_executor_and_with_a_hung_service(trust, centre, start, tmp_path):
    with agent_centre.socket.create_server(("127.0.0.1", 0)) as hung:
        url = f"http://127.0.0.1:{hung.getsockname()[1]}/"
        pid_file = tmp_path / "web.pid"
        pid_file.write_text(str(os.getpid()))
        services = {
            "web": {"start": [sys.executable], "pid_file": str(pid_file), "health_url": url}
        }
        agent_centre.enrolled(tmp_path / "agent", trust, centre.port, services=services)
        start()
        assert centre.wait_for(
            lambda c: any(("service.healthy", "web") in s.values for s in c.samples.values())
        )
    times = [sample.at.timestamp() for sample in centre.samples.values()]
    gaps = [later - earlier for earlier, later in itertools.pairwise(sorted(times))]
    assert max(gaps) < 1
    values = centre.samples[max(centre.samples)].values
    assert values["service.up", "web"] == 1
    assert values["service.healthy", "web"] == 0
    assert ("service.http_ms", "web") not in values
    assert '"what": "orders"' in told(tmp_path)


def test_a_healthy_service_is_seen_healthy_and_a_dead_one_down(trust, centre, start, tmp_path):
    with agent_centre.Centre(None) as web:
        url = f"http://127.0.0.1:{web.port}/healthz"
        alive, dead = tmp_path / "a.pid", tmp_path / "d.pid"
        alive.write_text(str(os.getpid()))
        gone = subprocess.Popen(["/bin/true"])
        gone.wait()
        dead.write_text(str(gone.pid))
        services = {
            "web": {"start": ["/bin/true"], "pid_file": str(alive), "health_url": url},
            "db": {"start": ["/bin/true"], "pid_file": str(dead)},
        }
        agent_centre.enrolled(tmp_path / "agent", trust, centre.port, services=services)
        start()
        assert centre.wait_for(
            lambda c: any(("service.http_ms", "web") in s.values for s in c.samples.values())
        )
    values = centre.samples[max(centre.samples)].values
    assert values["service.healthy", "web"] == 1
    assert values["service.up", "db"] == 0


def test_it_does_not_start_on_files_that_cannot_be_used(trust, centre, start, tmp_path):
    agent_centre.enrolled(tmp_path / "agent", trust, centre.port)
    (tmp_path / "agent" / "agent.json").write_text("{}")
    assert start().wait(10) == 1
    assert "agent.json: agent_id: expected a value" in told(tmp_path)
