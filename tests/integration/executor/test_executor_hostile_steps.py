"""Steps that misbehave, in a real executor: a defined end, told, nothing left running, memory kept.

The playbooks here are what a signer should never have signed. Each runs one program of the test and
says what undoes it; what a case expects is how the order ends, what was run, and what is left.
"""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from sentienguard.adapters.local_host import command_runner, interrupt
from sentienguard.playbook import parse
from tests.servers import ageing, programs
from tests.support import execution

pytestmark = pytest.mark.integration

ONE_STEP = """
name: one_step
version: "1.0.0"
description: Runs one program of the tests.
match: {system: linux, resource: service, symptom: down}
risk: WARNING
idempotent: true
max_per_hour: 50
steps:
  - {name: act, action: ssh_command, argv: [PLACE/act], timeout: LIMIT, rollback: PLACE/undo}
verification:
  - {name: done, type: command, argv: [/usr/bin/test, -e, PLACE/done], retry: 1}
"""
GIBIBYTE = 1 << 30
ROOM = 24 << 20  # bytes that the executor may grow by, whatever a step writes


class Steps:
    """One playbook, the programs that it runs, and what they left."""

    def __init__(self, place: Path, act: str, *, limit: str = "20s"):
        self.place = place
        place.mkdir(exist_ok=True)
        self._program("act", act)
        self._program("undo", f"echo undone >>{place}/undone\n")
        self.stored = ONE_STEP.replace("PLACE", str(place)).replace("LIMIT", limit).encode()
        self.remedy = parse.load(self.stored, origin="test")

    def _program(self, name: str, text: str) -> None:
        path = self.place / name
        path.write_text(f"#!/bin/sh\n{text}")
        path.chmod(0o755)

    @property
    def undone(self) -> int:
        """Return how often the undo ran."""
        return len((self.place / "undone").read_text().splitlines()) if self.was_undone else 0

    @property
    def was_undone(self) -> bool:
        return (self.place / "undone").exists()


@pytest.fixture
def agent(make_agent):
    made = make_agent()
    made.start()
    return made


def order(agent, steps):
    assert agent.configure(steps.stored)["accepted"]
    answer = agent.send(steps.remedy)
    assert answer["admitted"], answer
    return answer["order_id"]


def ends(agent, steps, within=40.0):
    return agent.finished(order(agent, steps), within)


def step_of(agent):
    return next(one["data"] for one in agent.events() if one["kind"] == "step.done")


def peak(agent):
    """Return the most memory that the executor has ever held, in bytes."""
    lines = Path(f"/proc/{agent.process.pid}/status").read_text().splitlines()
    return next(int(one.split()[1]) * 1024 for one in lines if one.startswith("VmHWM:"))


def unique():
    """Return seconds to sleep that no other process on this machine sleeps for."""
    return f"{3000 + os.getpid() % 1000}.{time.monotonic_ns() % 10**9}"


def nothing_runs(text):
    return execution.processes_with(text) == []


def test_a_step_that_hangs_is_ended_at_its_limit_and_undone(agent, tmp_path):
    mark = unique()
    steps = Steps(tmp_path / "s", f"trap '' TERM\nsleep {mark}; sleep {mark}\n", limit="1s")
    ended = ends(agent, steps)
    assert (ended["outcome"], step_of(agent)["status"]) == ("ROLLED_BACK", "timed_out")
    assert steps.undone == 1
    assert nothing_runs(mark)


def test_a_step_that_forks_away_is_ended_with_all_of_it(agent, tmp_path):
    mark = unique()
    away = f"for n in $(seq 40); do setsid sh -c 'sleep {mark} & sleep {mark}' & done; sleep {mark}"
    steps = Steps(tmp_path / "s", away, limit="2s")
    ended = ends(agent, steps)
    assert ended["outcome"] == "ROLLED_BACK"
    assert nothing_runs(mark)


@pytest.mark.parametrize("stream", ["", " >&2"])
def test_gigabytes_of_output_are_read_and_not_kept(agent, tmp_path, stream):
    write = f"head -c {2 * GIBIBYTE} /dev/zero{stream}; touch {tmp_path}/s/done\n"
    steps = Steps(tmp_path / "s", write, limit="60s")
    before = peak(agent)
    ended = ends(agent, steps, 80)
    assert ended["outcome"] == "SUCCESS", ended
    assert peak(agent) - before < ROOM
    kept = sum(len(str(one)) for one in agent.events())
    assert kept < 200_000


def test_output_without_end_is_ended_at_the_limit(agent, tmp_path):
    steps = Steps(tmp_path / "s", f"exec yes {tmp_path.name}\n", limit="2s")
    before = peak(agent)
    ended = ends(agent, steps)
    assert (ended["outcome"], step_of(agent)["status"]) == ("ROLLED_BACK", "timed_out")
    assert peak(agent) - before < ROOM
    assert nothing_runs(f"yes\0{tmp_path.name}")


def test_a_daemon_that_floods_the_step_s_output_keeps_nobody_waiting(agent, tmp_path):
    mark = unique()
    flood = f"for n in 1 2 3 4 5 6 7 8; do setsid yes {mark} & done; sleep 0.5\n"
    flood += f"touch {tmp_path}/s/done\n"
    steps = Steps(tmp_path / "s", flood)
    try:
        assert ends(agent, steps)["outcome"] == "SUCCESS"
        programs.wait_for(lambda: nothing_runs(f"yes\0{mark}"), "the daemon to miss its reader", 5)
    finally:
        for pid in execution.processes_with(f"yes\0{mark}"):
            os.kill(pid, signal.SIGKILL)


def test_what_a_daemon_writes_faster_than_it_is_read_comes_to_an_end(monkeypatch):
    pieces = 0

    def never_empty(_running, _descriptor):
        nonlocal pieces
        pieces += 1
        assert pieces < 10_000, "it would read for ever"
        return command_runner.READ_BYTES

    monkeypatch.setattr(command_runner._Running, "_read", never_empty)
    ended = command_runner.LocalCommands().run(
        ["/bin/true"], limit=10, mark="order:step0", interrupt=interrupt.LocalInterrupt()
    )
    assert ended.exit_code == 0


def test_a_step_that_kills_the_executor_is_undone_when_it_comes_back(agent, tmp_path):
    steps = Steps(tmp_path / "s", "kill -9 $PPID; sleep 5\n")
    given = order(agent, steps)
    assert agent.process.wait(20) == -signal.SIGKILL
    agent.process = None
    agent.start()
    ended = agent.finished(given)
    assert ended["outcome"] == "ROLLED_BACK", ended
    assert "cut off" in ended["reason"]
    assert steps.undone == 1
    assert nothing_runs(str(steps.place))


def test_a_program_that_is_not_there_is_named(agent, tmp_path):
    steps = Steps(tmp_path / "s", "")
    (steps.place / "act").unlink()
    ended = ends(agent, steps)
    assert ended["outcome"] == "ROLLED_BACK", ended
    assert f"{steps.place}/act" in ended["reason"]
    assert nothing_runs(str(steps.place))


def test_an_undo_that_is_not_there_either_is_told_as_left_behind(agent, tmp_path):
    steps = Steps(tmp_path / "s", "exit 3\n")
    (steps.place / "undo").unlink()
    ended = ends(agent, steps)
    assert (ended["outcome"], ended["left_behind"]) == ("PARTIALLY_ROLLED_BACK", ["act"]), ended


@pytest.mark.parametrize("jump_s", [40 * 86_400, -40 * 86_400])
def test_a_clock_that_jumps_during_a_step_changes_nothing(make_agent, tmp_path, jump_s):
    if ageing.missing() is not None:
        pytest.skip(str(ageing.missing()))
    (tmp_path / "clock").mkdir()
    clock = ageing.Ageing(tmp_path / "clock")
    agent = make_agent()
    agent.more_environment = clock.environment
    agent.start()
    held = f"cat {tmp_path}/s/hold; touch {tmp_path}/s/done\n"
    steps = Steps(tmp_path / "s", held)
    os.mkfifo(steps.place / "hold")
    given = order(agent, steps)
    programs.wait_for(lambda: execution.processes_with(f"{steps.place}/hold"), "the step")
    clock.passes(jump_s)
    (steps.place / "hold").write_text("on\n")
    ended = agent.finished(given)
    assert ended["outcome"] == "SUCCESS", ended
    assert 0 <= step_of(agent)["duration_ms"] < 20_000
    assert agent.ask("hello")["busy"] is None
    took_ms = ended["finished_ms"] - ended["started_ms"]
    assert abs(took_ms - 1000 * jump_s) < 40_000  # told as the clock said, and nothing relies on it


# -- the disk --------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 24 MiB for an agent's directory."""
    if os.geteuid() != 0:
        pytest.skip("a file system of its own size needs root")
    place = tmp_path / "agent"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "test-disk", str(place)], check=True)
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def test_a_step_that_fills_the_journal_s_own_disk_is_undone_and_told(
    make_agent, small_disk, tmp_path
):
    agent = make_agent()
    agent.start()
    fills = f"cat /dev/zero >{small_disk}/fills 2>/dev/null; head -c 200000 /dev/zero; exit 1\n"
    steps = Steps(tmp_path / "s", fills)
    ended = ends(agent, steps)
    assert (ended["outcome"], ended["left_behind"]) == ("ROLLED_BACK", []), ended
    assert steps.undone == 1
    with pytest.raises(OSError, match="No space"):
        (small_disk / "more").write_bytes(b"x" * 4096)
    agent.kill()
    agent.start()  # what it said on the full disk is still known
    kinds = [one["kind"] for one in agent.events()]
    assert kinds.count("order.finished") == 1


def test_where_the_journal_finds_no_room_nothing_is_begun(make_agent, small_disk, tmp_path):
    agent = make_agent()
    with (small_disk / "fills").open("wb") as file:
        file.write(bytes(20 << 20))
    agent.start()
    steps = Steps(tmp_path / "s", f"touch {tmp_path}/s/done\n")
    assert agent.configure(steps.stored)["accepted"]
    answer = agent.send(steps.remedy)
    assert (answer["admitted"], answer["rule"]) == (False, "journal_works"), answer
    assert "no room" in answer["reason"]
    assert not (steps.place / "done").exists()
    (small_disk / "fills").unlink()
    second = steps.remedy, "inc_20260212_112600_00000002"
    agent.wait(lambda: agent.send(second[0], incident=second[1])["admitted"])
