"""Playbooks on processes that take the processor or leave zombies behind, on this machine."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers import programs
from tests.support import real_kinds, real_playbooks

pytestmark = pytest.mark.integration

SPINNING = "while True: pass"
# A batch that computes what can be checked, and tells so.
BATCH = """
import os, sys
total, rounds = 0, 0
while rounds < 3_000_000 or not os.path.exists(sys.argv[1]):
    total += rounds; rounds += 1
print(total == rounds * (rounds - 1) // 2, flush=True)
"""
PARENT = """
import os, signal, sys, time
children = []
for _ in range(int(sys.argv[1])):
    child = os.fork()
    if child == 0: os._exit(0)
    children.append(child)
for child in children: os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
def collect(*_):
    for child in children: os.waitpid(child, os.WNOHANG)
    children.clear()
if sys.argv[2] == "collects": signal.signal(signal.SIGCHLD, collect)
print("ready", flush=True)
while True: time.sleep(60)
"""


@pytest.fixture
def bench(tmp_path):
    made = real_playbooks.Bench(tmp_path)
    yield made
    made.close()


@pytest.fixture
def run():
    """Start programs in this session, and end them with the test."""
    started = []

    def start(text, *words, cpu=None):
        argv = [sys.executable, "-c", text, *words]
        one = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
        started.append(one)
        if cpu is not None:
            os.sched_setaffinity(one.pid, {cpu})
        if os.geteuid() == 0:  # whoever runs the tests may have been slowed
            os.setpriority(os.PRIO_PROCESS, one.pid, 0)
        return one

    yield start
    for one in started:
        one.kill()
        one.wait()
        one.stdout.close()


def share(pid):
    """Return the processor time of a process so far, in ticks."""
    fields = stat_of(pid)
    return int(fields[11]) + int(fields[12])


def stat_of(pid):
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


# One processor, shared with another program: half of what both get is the batch's, and a thirtieth
# after it was slowed. What both get is less on a busy machine, so the line lies far below a half.
SHARED = {"guard: process_cpu > 80%": "guard: process_cpu > 6%", '"< 80%"': '"< 5%"'}


@real_kinds.runs("step process.renice", "check metric")
def test_a_batch_is_slowed_for_the_others_and_ends_its_work(bench, run, tmp_path):
    cpu = min(os.sched_getaffinity(0))
    enough = tmp_path / "enough"
    other = run(SPINNING, cpu=cpu)
    batch = run(BATCH, str(enough), cpu=cpu)
    programs.wait_for(lambda: share(batch.pid) > 20, "the batch to compute")
    bench.heals("runaway_process_renice", pid=str(batch.pid), swap=SHARED)
    assert os.getpriority(os.PRIO_PROCESS, batch.pid) == 15
    assert os.getpriority(os.PRIO_PROCESS, other.pid) < 15
    enough.touch()
    assert other.poll() is None
    other.kill()
    assert batch.communicate(timeout=60)[0] == "True\n"
    assert batch.returncode == 0


def test_a_process_that_sleeps_keeps_its_priority(bench, run):
    idle = run("import time; time.sleep(60)")
    bench.leaves_alone("runaway_process_renice", pid=str(idle.pid))
    assert os.getpriority(os.PRIO_PROCESS, idle.pid) < 15


# How much a process gets of this machine, and how busy others keep it, is not for this test.
BUSY = {"process_cpu > 90% and cpu_percent > 50%": "process_cpu > 1%", '"< 90%"': '"<= 100%"'}


@real_kinds.runs("step process.terminate")
def test_a_runaway_process_is_ended_politely_and_no_other(bench, run):
    runaway, other = run(SPINNING), run(SPINNING)
    bench.mends("runaway_process_terminate", pid=str(runaway.pid), swap=BUSY)
    assert runaway.wait(10) == -signal.SIGTERM
    assert other.poll() is None


def test_a_process_that_does_not_compute_is_not_ended(bench, run):
    idle = run("import time; time.sleep(60)")
    bench.leaves_alone("runaway_process_terminate", pid=str(idle.pid))
    assert idle.poll() is None


def zombies_of(pid):
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return sum(stat_of(child)[0] == "Z" for child in children)


@real_kinds.runs("step process.reap")
def test_a_parent_that_was_asked_collects_its_zombies_and_lives(bench, run):
    parent = run(PARENT, "40", "collects")
    assert parent.stdout.readline() == "ready\n"
    assert zombies_of(parent.pid) == 40
    bench.heals("zombie_parent_reap", pid=str(parent.pid))
    assert zombies_of(parent.pid) == 0
    assert parent.poll() is None


def test_a_deaf_parent_is_told_of_and_not_killed(bench, run):
    parent = run(PARENT, "40", "deaf")
    assert parent.stdout.readline() == "ready\n"
    ended = bench.give("zombie_parent_reap", pid=str(parent.pid))
    assert ended["outcome"] == "PARTIALLY_ROLLED_BACK", ended  # a signal cannot be taken back
    assert ended["left_behind"] == ["ask_parent_to_collect"]
    assert zombies_of(parent.pid) == 40
    assert parent.poll() is None
