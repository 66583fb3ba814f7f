"""A partition, a database that restarts, everything delivered ten times, and clocks a year off."""

import contextlib
import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sentienguard.adapters.audit_files import log, reader
from sentienguard.agent import lean, spool
from sentienguard.playbook import parse
from sentienguard.ports import audit_log
from sentienguard.stages.audit import ledger, verify
from sentienguard.stages.observe import payload, wire
from sentienguard.trust.log_keys import LogSigners
from tests.faults import durable_writers, stalling_link
from tests.integration.executor import test_executor_orders as remedies
from tests.servers import postgresql
from tests.support import agent_centre, centre_process, effort, execution

pytestmark = pytest.mark.integration
CALM = {("system.cpu_percent", ""): 3.0, ("system.disk_usage_percent", "/"): 40.0}
FULL = {**CALM, ("system.disk_usage_percent", "/"): 98.0}
PARTITION_S = effort.pick(4.0, thorough=60.0)
YEAR = timedelta(days=366)


def wait(condition: Callable[[], object], why: str, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, why
        time.sleep(0.05)


# --- a partition between agent and centre


@contextlib.contextmanager
def collecting(directory: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """Run the real collector of an agent."""
    with (directory.parent / "collector.err").open("ab") as told:
        argv = lean.command("collector", directory)
        process = subprocess.Popen(argv, env=lean.environment(), stderr=told)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.mark.timeout(effort.pick(60, thorough=240))
@pytest.mark.parametrize("deliver", [True, False], ids=["delivered late", "lost"])
def test_a_partition_loses_no_sample_and_takes_none_twice(tmp_path: Path, deliver: bool) -> None:
    trust = agent_centre.Trust()
    with (
        agent_centre.Centre(trust.context(tmp_path)) as centre,
        stalling_link.Link(centre.port) as link,
    ):
        agent_centre.enrolled(tmp_path / "agent", trust, link.port)
        with collecting(tmp_path / "agent") as process:
            assert centre.wait_for(lambda c: len(c.samples) >= 3)
            link.stall()
            time.sleep(PARTITION_S)
            arrived = len(centre.order)
            waiting = spool.waiting(tmp_path / "agent" / "collector" / "spool")
            assert waiting.waiting >= PARTITION_S, "sampling did not go on"
            assert process.poll() is None
            link.heal(deliver=deliver)
            goal = arrived + waiting.waiting + 3
            assert centre.wait_for(lambda c: len(c.order) >= goal, 60), "it did not recover"
            order = list(centre.order)
    assert order == sorted(set(order)), "out of order, or twice"
    assert order == list(range(order[0], order[-1] + 1)), "a sample is lost"


# --- a database that restarts


@pytest.mark.timeout(120)
@pytest.mark.skipif(postgresql.missing() is not None, reason=str(postgresql.missing()))
def test_a_database_that_restarts_is_said_and_nothing_is_lost(tmp_path: Path) -> None:
    with postgresql.running() as server:
        url = server.new_database()
        with centre_process.running(tmp_path, database_url=url) as centre:
            host = centre.enrol("web-1")
            assert host.push(CALM).status_code == 204
            server.stop()
            away = host.push(FULL)
            assert away.status_code == 503, away.text
            assert away.headers["content-type"] == "application/problem+json"
            assert centre.anonymous().get("/healthz").status_code == 200
            server.start()
            sample = host.sample(FULL, seq=host.seq)  # as the agent does: the same one again
            frame = wire.encode(payload.encode(sample), sample.seq)
            wait(lambda: host.send(frame).status_code == 204, "it did not come back")
            assert centre.process.poll() is None
            admin = centre.login("admin@local")
            wait(
                lambda: any(
                    one["status"] not in {"OPEN", "ANALYZING"}
                    for one in admin.get("/api/v1/incidents").json()["items"]
                ),
                "the incident of that sample does not go on",
                40,
            )
            assert len(admin.get("/api/v1/incidents").json()["items"]) == 1
            assert admin.post("/api/v1/audit/verify").json()["passed"]


# --- everything ten times


def at_once(deed: Callable[[], object], times: int = 10) -> list[object]:
    """Do it from several threads at the same moment."""
    found: list[object] = []
    start = threading.Barrier(times)

    def one() -> None:
        start.wait()
        found.append(deed())

    threads = [threading.Thread(target=one) for _ in range(times)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def test_samples_and_events_that_come_ten_times_count_once(tmp_path: Path) -> None:
    with centre_process.running(tmp_path) as centre:
        host = centre.enrol("web-1")
        sample = host.sample(FULL)
        frame = wire.encode(payload.encode(sample), sample.seq)
        answers = at_once(lambda: centre.another_client(host).send(frame).status_code)
        assert 204 in answers
        assert set(answers) <= {204, 503}
        assert [host.send(frame).status_code for _ in range(10)] == [204] * 10
        events = [host.event("agent.alarm", "", {"what": n, "reason": "r"}) for n in ("a", "b")]
        said = at_once(lambda: centre.another_client(host).report(*events).json())
        assert all(one == {"through": 2} for one in said), said
        admin = centre.login("admin@local")
        assert len(admin.get("/api/v1/incidents").json()["items"]) == 1
        entries = admin.get("/api/v1/audit/entries", params={"limit": 200}).json()["items"]
        kinds = [one["kind"] for one in entries if one["source"] == f"agent:{host.agent}"]
        assert kinds == ["agent.alarm"] * 2
        assert len([one for one in entries if one["kind"] == "incident.opened"]) == 1
        assert admin.post("/api/v1/audit/verify").json()["passed"]


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[execution.Agent]:
    volume = tmp_path / "volume"
    volume.mkdir()
    for number in range(9):
        (volume / f"{number}.old").write_bytes(b"x" * 100_000)
        os.utime(volume / f"{number}.old", (10**9, 10**9))
    made = execution.Agent(
        tmp_path / "agent",
        execution.Centre(),
        volumes=[{"path": str(volume), "budget_bytes": 1_000_000}],
        confined=True,
    )
    made.start()
    assert made.configure(remedies.CLEAN.encode())["accepted"]
    yield made
    made.close()


CLEAN = parse.load(remedies.CLEAN.encode(), origin="test")


def test_an_order_that_comes_ten_times_runs_once(tmp_path: Path, agent: execution.Agent) -> None:
    mount = {"mount": str(tmp_path / "volume")}
    nonce = agent.ask("ticket")["nonce"]
    envelope = agent.centre.seal(agent.centre.order(CLEAN, nonce=nonce, parameters=mount))
    at_once(lambda: agent.ask("order", envelope=envelope))
    agent.wait(lambda: agent.ask("hello")["busy"] is None)
    answers = [agent.send(CLEAN, parameters=mount) for _ in range(10)]  # sealed anew each time
    (order,) = {one["order_id"] for one in answers}
    assert agent.finished(order)["outcome"] == "SUCCESS"
    kinds = [one["kind"] for one in agent.events()]
    assert kinds.count("order.admitted") == kinds.count("order.finished") == 1


# --- clocks


@pytest.mark.parametrize("off", [-YEAR, YEAR], ids=["a year back", "a year ahead"])
def test_a_log_whose_clock_jumps_goes_on_and_says_so_and_nothing_else(
    tmp_path: Path, off: timedelta
) -> None:
    def entry(key: str, at: datetime) -> audit_log.NewEntry:
        return audit_log.NewEntry("decision.made", at, "drill", "cp", "engine", key, None)

    for turn, shift in enumerate((timedelta(0), off, timedelta(0))):
        with log.AuditFiles(
            tmp_path, ledger.Ledger(durable_writers.ORIGIN, LogSigners.of(durable_writers.KEY))
        ) as audit:
            audit.append_many([entry(f"{turn}-{n}", datetime.now(UTC) + shift) for n in range(3)])
    report = verify.verify(reader.read_stored(tmp_path), deep=True)
    assert report.size == 9
    assert {one.check for one in report.findings} == {"clock"}, report.findings
    jump = 3 if off < timedelta(0) else 6
    assert [one.index for one in report.findings] == [jump]


@pytest.mark.parametrize("off", [-YEAR, YEAR], ids=["a year back", "a year ahead"])
def test_an_order_is_fresh_by_the_ticket_and_not_by_any_clock(
    tmp_path: Path, agent: execution.Agent, off: timedelta
) -> None:
    created = datetime.now(UTC).replace(microsecond=0) + off
    mount = {"mount": str(tmp_path / "volume")}
    answer = agent.send(CLEAN, parameters=mount, created_at=created)
    assert answer["admitted"], answer
    assert agent.finished(answer["order_id"])["outcome"] == "SUCCESS"
    another = execution.ids.IncidentId("inc_20260212_112600_0000beef")
    used = agent.centre.order(
        CLEAN, nonce="ab" * 16, created_at=created, parameters=mount, incident=another
    )
    assert not agent.ask("order", envelope=agent.centre.seal(used))["admitted"]


def test_a_clock_that_runs_ahead_trusts_nothing_that_has_expired(tmp_path: Path) -> None:
    past = execution.Centre(now=datetime.now(UTC) - YEAR)  # to it, this host is a year ahead
    behind = execution.Agent(tmp_path / "agent", past, confined=True)
    try:
        behind.start()
        answer = behind.configure(remedies.CLEAN.encode())
        assert not answer["accepted"]
        assert "expired" in answer["reason"]
        assert not behind.send(CLEAN, parameters={"mount": "/"})["admitted"]
    finally:
        behind.close()


@pytest.mark.parametrize("off", [-YEAR, YEAR], ids=["a year back", "a year ahead"])
def test_a_spool_whose_clock_jumps_gives_no_number_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, off: timedelta
) -> None:
    given = []
    for shift in (timedelta(0), off, timedelta(0)):
        now = time.time() + shift.total_seconds()
        with monkeypatch.context() as patch:
            patch.setattr(time, "time", lambda now=now: now)
            with contextlib.closing(spool.Spool(tmp_path / "spool", most_bytes=1 << 20)) as kept:
                given += [kept.number() for _ in range(3)]
    assert given == sorted(set(given))
