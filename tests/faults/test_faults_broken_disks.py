"""A disk that is full, read-only or failing: execution stops, observation goes on, a restart heals.

On real file systems of a few megabytes where mounting is allowed (as root), and on real processes
whose syncs strace fails.
"""

import contextlib
import errno
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from sentienguard.adapters.audit_files import log, reader
from sentienguard.adapters.execution_journal_files import journal
from sentienguard.agent import executor_state, spool
from sentienguard.model import errors
from sentienguard.playbook import parse
from sentienguard.ports import audit_log, execution_journal
from sentienguard.stages.audit import ledger, verify
from sentienguard.trust.log_keys import LogSigners
from tests.faults import durable_writers
from tests.integration.executor import test_executor_orders as remedies
from tests.support import centre_process, execution

pytestmark = pytest.mark.integration
CALM = {("system.cpu_percent", ""): 3.0, ("system.disk_usage_percent", "/"): 40.0}
FULL = {**CALM, ("system.disk_usage_percent", "/"): 98.0}
NEEDS_STRACE = pytest.mark.skipif(
    shutil.which("strace") is None, reason="needs strace (apt install strace)"
)


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of 16 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16m", "sentienguard-test", str(place)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode != 0:
        pytest.skip("mounting a small file system needs root and is not allowed here")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def fill(place: Path) -> Path:
    """Use up all room; what comes back frees it when it is removed."""
    ballast = place / "ballast"
    with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))
    return ballast


@contextlib.contextmanager
def read_only(place: Path) -> Iterator[None]:
    """Mount it read-only, as a file system does that met an error."""
    subprocess.run(["mount", "-o", "remount,ro", str(place)], check=True)
    try:
        yield
    finally:
        subprocess.run(["mount", "-o", "remount,rw", str(place)], check=True)


def opened(place: Path) -> log.AuditFiles:
    return log.AuditFiles(
        place / "log", ledger.Ledger(durable_writers.ORIGIN, LogSigners.of(durable_writers.KEY))
    )


def until_refused(audit: log.AuditFiles, most: int = 5_000) -> list[int]:
    """Append until the log refuses; return what it acknowledged."""
    acknowledged = []
    with contextlib.suppress(audit_log.AuditBroken):
        for _ in range(most):
            key = f"{len(acknowledged)}-{os.urandom(4).hex()}"
            acknowledged.append(audit.append(durable_writers._entry(key)).index)
        pytest.fail("the full disk was never noticed")
    return acknowledged


def test_a_full_disk_stops_the_log_loses_nothing_and_a_restart_with_room_goes_on(
    small: Path,
) -> None:
    with opened(small) as audit:
        audit.append(durable_writers._entry("first"))
        ballast = fill(small)
        acknowledged = until_refused(audit)
        with pytest.raises(audit_log.AuditBroken, match="full"):
            audit.append(durable_writers._entry("more"))
        assert audit.entry(0).fields["key"] == "first"
    ballast.unlink()
    with opened(small) as audit:
        assert audit.size() >= 1 + len(acknowledged)
        audit.append(durable_writers._entry("after"))
    assert verify.verify(reader.read_stored(small / "log")).passed


def test_a_full_disk_leaves_the_journal_the_room_that_it_set_aside(small: Path) -> None:
    with contextlib.closing(journal.JournalFile(small / "journal.log")) as kept:
        ballast = fill(small)
        written = 0
        while kept.cramped() is None:
            kept.append([{"t": "end", "n": written, "text": "x" * 50_000}], durable=True)
            written += 1
        kept.append([{"t": "finish", "n": written}], durable=True)
    assert written > 50
    with contextlib.closing(journal.JournalFile(small / "journal.log")) as kept:
        assert [one["n"] for one in kept.records()] == list(range(written + 1))
        assert kept.cramped() is not None, "no order may begin"
        ballast.unlink()
        assert kept.cramped() is None


def test_a_full_disk_keeps_samples_in_memory_until_there_is_room(small: Path) -> None:
    kept = spool.Spool(small / "spool", most_bytes=8 << 20)
    with contextlib.closing(kept):
        kept.patient = False
        first = kept.number()
        assert kept.append(first, durable_writers.sample(first))
        ballast = fill(small)
        numbers = [first]
        for _ in range(200):
            numbers.append(kept.number())
            if not kept.append(numbers[-1], durable_writers.sample(numbers[-1])):
                break
        else:
            pytest.fail("the full disk was never noticed")
        ballast.unlink()
        numbers.append(kept.number())
        assert kept.append(numbers[-1], durable_writers.sample(numbers[-1]))
        assert kept.depth.dropped == 0
    with contextlib.closing(spool.Spool(small / "spool", most_bytes=8 << 20)) as kept:
        for number in numbers:
            head = kept.head()
            assert head is not None
            assert (head.seq, head.text) == (number, durable_writers.sample(number))
            kept.acknowledged(number)


def test_a_read_only_disk_is_refused_in_words_and_nothing_on_it_changes(small: Path) -> None:
    with opened(small) as audit:
        audit.append(durable_writers._entry("first"))
    written: dict[str, durable_writers.Writer] = {
        "journal": durable_writers.Journal("dld"),
        "spool": durable_writers.Spool(),
        "witness": durable_writers.Witness(),
    }
    for name, writer in written.items():
        (small / name).mkdir()
        writer.work(small / name, lambda _: None)
    attempts: list[Callable[[], object]] = [
        lambda: opened(small),
        lambda: journal.JournalFile(small / "journal" / "journal.log"),
        lambda: spool.Spool(small / "spool" / "spool", most_bytes=1 << 20),
    ]
    state = executor_state.ExecutorState(small / "witness" / "state.json")
    with read_only(small):
        for attempt in attempts:
            with pytest.raises(errors.Broken, match=r"(?i)read-only"):
                attempt()
        with pytest.raises(OSError, match="Read-only"):
            state.keep("witness", {"size": 9})
        assert state.get("witness")["size"] == 4
        assert verify.verify(reader.read_stored(small / "log")).passed
    with opened(small) as audit:
        assert audit.append(durable_writers._entry("second")).index == 1


# --- failing syncs in running processes


@contextlib.contextmanager
def failing(process: int, path: Path, error: str = "EIO") -> Iterator[Path]:
    """Let every sync of one file fail in a running process; yields what strace saw."""
    seen = path.parent / f"{path.name}.strace"
    tracer = subprocess.Popen(
        ["strace", "-f", "-p", str(process), "-P", str(path), "-o", str(seen), "-e", "signal=none",
         "-e", "trace=fsync,fdatasync", "-e", f"inject=fsync,fdatasync:error={error}"],
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert tracer.stderr is not None
    try:
        while "attached" not in (line := tracer.stderr.readline()):
            assert "exited" not in line, line
            assert "rror" not in line, line
        yield seen
    finally:
        tracer.send_signal(signal.SIGTERM)
        tracer.communicate(timeout=20)


@NEEDS_STRACE
@pytest.mark.timeout(90)
def test_a_failed_sync_of_the_log_stops_execution_and_not_observation(tmp_path: Path) -> None:
    with centre_process.running(tmp_path) as centre:
        waiting, calm = centre.enrol("web-1"), centre.enrol("web-2")
        assert waiting.push(FULL).status_code == 204
        admin = centre.login("admin@local")
        wait(lambda: _stands(admin, "MITIGATING"), "no order was made")
        (segment,) = (tmp_path / "controlplane").rglob("segments/*.seg")
        with failing(centre.process.pid, segment) as seen:
            assert log_in(centre).status_code >= 500
            assert log_in(centre).status_code >= 500
            assert [calm.push(CALM).status_code for _ in range(3)] == [204] * 3
            assert waiting.push(FULL).status_code == 204, "its incident is known already"
            assert ask_for_work(waiting) is None, "an order left without a record"
            assert centre.process.poll() is None, "observation ended"
        assert seen.read_text().count("INJECTED") == 1, "a failed sync was tried again"
        assert ask_for_work(waiting) is None, "the log wrote on without a restart"
        hosts = {one["host"]: one for one in admin.get("/api/v1/hosts").json()["items"]}
        assert hosts["web-2"]["metrics"]["system.cpu_percent"] == 3.0
        centre.kill()
        centre.restart()
        assert calm.push(FULL).status_code == 204
        wait(lambda: ask_for_work(waiting), "the order never left")
        admin = centre.login("admin@local")
        assert admin.post("/api/v1/audit/verify").json()["passed"]
        wait(lambda: len(incidents(admin)) == 2, "detection did not go on")


def wait(condition: Callable[[], object], why: str, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, why
        time.sleep(0.05)


def incidents(admin: httpx.Client) -> list[dict[str, object]]:
    found: list[dict[str, object]] = admin.get("/api/v1/incidents").json()["items"]
    return found


def _stands(admin: httpx.Client, status: str) -> bool:
    return any(one["status"] == status for one in incidents(admin))


def ask_for_work(host: centre_process.Host) -> object:
    """Return the order that a poll brings; None where it brings none or is refused for now."""
    body = {
        "ticket": {"nonce": os.urandom(16).hex()},
        "witness": {"checkpoint": None},
        "status": {"busy": None, "frozen": False, "events_through": 0},
        "tree_size": 0,
        "wait_s": 0,
    }
    answer = host.client.post("/api/v1/orders", json=body)
    assert answer.status_code in {200, 503}, answer.text
    return answer.json().get("order")


def log_in(centre: centre_process.Centre) -> httpx.Response:
    """Do something that has to be in the log before it is answered."""
    return httpx.post(
        f"{centre.people}/api/v1/auth/login",
        json={"name": "admin@local", "password": centre_process.PASSWORD},
    )


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[execution.Agent]:
    volume = tmp_path / "volume"
    volume.mkdir()
    made = execution.Agent(
        tmp_path / "agent",
        execution.Centre(),
        volumes=[{"path": str(volume), "budget_bytes": 1_000_000}],
        confined=True,
    )
    made.start()
    yield made
    made.close()


@NEEDS_STRACE
@pytest.mark.parametrize("error", ["EIO", "ENOSPC", "EROFS"])
def test_a_failed_sync_of_the_journal_runs_no_order_and_a_restart_takes_the_next(
    tmp_path: Path, agent: execution.Agent, error: str
) -> None:
    volume = tmp_path / "volume"
    remedy = parse.load(remedies.CLEAN.encode(), origin="test")
    assert agent.configure(remedies.CLEAN.encode())["accepted"]
    old = (datetime.now(UTC) - timedelta(days=9)).timestamp()
    for number in range(9):
        (volume / f"{number}.old").write_bytes(b"x" * 100_000)
        os.utime(volume / f"{number}.old", (old, old))
    assert agent.process is not None
    journal_file = agent.directory / "executor" / "journal.log"
    with failing(agent.process.pid, journal_file, error) as seen:
        answer = {}
        with contextlib.suppress(OSError, ValueError):
            answer = agent.send(remedy, parameters={"mount": str(volume)})
        assert not answer.get("admitted"), answer
        assert agent.process.wait(10) == 1, "whoever supervises it starts it again"
    assert seen.read_text().count("INJECTED") == 1, "a failed sync was tried again"
    assert len(list(volume.iterdir())) == 9, "something was executed without a durable intent"
    agent.process = None
    agent.start()
    incident = execution.ids.IncidentId("inc_20260212_112600_0000beef")
    agent.wait(lambda: agent.ask("hello")["busy"] is None)
    following = agent.send(remedy, parameters={"mount": str(volume)}, incident=incident)
    assert following["admitted"], following
    assert agent.finished(following["order_id"])["outcome"] == "SUCCESS"


def test_a_journal_whose_room_cannot_be_synced_is_broken_and_not_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with contextlib.closing(journal.JournalFile(tmp_path / "journal.log")) as kept:
        calls = []

        def failing_sync(descriptor: int) -> None:
            calls.append(descriptor)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr(journal, "LEAST_RESERVE_BYTES", 1 << 30)
        monkeypatch.setattr(os, "fdatasync", failing_sync)
        for _ in range(3):
            assert "No space left" in (kept.cramped() or "")
            with pytest.raises(execution_journal.JournalBroken):
                kept.append([{"t": "end"}], durable=True)
            with pytest.raises(execution_journal.JournalBroken):
                kept.rewrite([{"t": "start"}])
        assert len(calls) == 1
