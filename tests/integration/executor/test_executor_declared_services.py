"""Declared services that keep their own pid file: it stays theirs, the right process is known."""

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from sentienguard.adapters.local_host import command_runner, http_probe, systemd
from sentienguard.adapters.local_host import services as local
from sentienguard.agent.collectors import services as collected
from sentienguard.ports import services

# What a daemon does: it forks, the parent ends well, the child writes several lines and goes on.
DAEMON = """
import os, sys, time
path, how = sys.argv[1], sys.argv[2]
if "forks" in how:
    if os.fork():
        sys.exit(0)
    os.setsid()
if "late" in how:
    time.sleep(0.5)
if "silent" not in how:
    with open(path, "w") as file:
        file.write(f"{os.getpid()}\\n/its/own/data\\nready\\n")
print("stays", flush=True)
time.sleep(600)
"""


class Bench:
    """One declared service and what it left running."""

    def __init__(self, place: Path, how: str) -> None:
        program = place / "daemon.py"
        program.write_text(DAEMON)
        self.state = place / "state"
        self.pid_file = place / "its.pid"
        argv = (sys.executable, str(program), str(self.pid_file), how)
        self.known = {"it": local.Declared("it", argv, self.pid_file, log_file=place / "its.log")}
        self.services = self.again()

    def again(self) -> local.LocalServices:
        """Return what an executor that has just started knows."""
        units = systemd.Systemd(command_runner.LocalCommands(), confined=True)
        return local.LocalServices(self.known, self.state, http_probe.LoopbackProbe(), units)

    def close(self) -> None:
        self.services.stop("it", 6.0)


@pytest.fixture
def made(tmp_path):
    benches = []

    def make(how):
        benches.append(Bench(tmp_path, how))
        return benches[-1]

    yield make
    for bench in benches:
        bench.close()


@pytest.mark.parametrize("how", ["forks", "forks,late", "stays"])
def test_a_pid_file_that_the_program_writes_stays_as_it_wrote_it(made, how):
    bench = made(how)
    bench.services.start("it", 15.0)
    lines = bench.pid_file.read_text().splitlines()
    assert lines[1:] == ["/its/own/data", "ready"]
    state = bench.services.state("it")
    assert (state.status, state.pid) == (services.Status.RUNNING, int(lines[0]))
    assert collected.alive(str(bench.pid_file)), "the collector reads the first line as well"


def test_one_that_writes_none_gets_one(made):
    bench = made("silent")
    bench.services.start("it", 15.0)
    assert int(bench.pid_file.read_text()) == bench.services.state("it").pid


def test_a_second_start_after_a_kill_finds_the_new_process_behind_a_stale_file(made):
    bench = made("forks,late")
    bench.services.start("it", 15.0)
    before = bench.services.state("it").pid
    os.kill(before, signal.SIGKILL)
    _until(lambda: bench.services.state("it").status is services.Status.STOPPED)
    bench.again().start("it", 15.0)
    after = bench.services.state("it").pid
    assert after not in {None, before}
    assert int(bench.pid_file.read_text().split()[0]) == after


def test_what_was_started_here_is_known_when_its_file_is_lost_and_is_not_started_twice(made):
    bench = made("stays")
    bench.services.start("it", 15.0)
    pid = bench.services.state("it").pid
    bench.pid_file.unlink()
    later = bench.again()
    assert later.state("it").pid == pid
    later.start("it", 15.0)
    assert later.state("it").pid == pid
    assert not bench.pid_file.exists()


def test_a_daemon_that_forks_and_names_nobody_is_no_service(made, monkeypatch):
    monkeypatch.setattr(local, "FORK_S", 0.3)
    bench = made("forks,late")
    with pytest.raises(services.ServiceFailed, match="names no process"):
        bench.services.start("it", 15.0)
    _until(bench.pid_file.exists)  # so that it can be ended


def _until(holds):
    until = time.monotonic() + 5
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.02)
