"""A real chrony that may not step the clock, and this kernel's table of tracked connections.

The clock of this machine stays as it is: chrony runs as `-x` has it, which measures and steps
nothing. The table is raised for real and put back. Filling it would drop other people's
connections, so the threshold lies between what a few entries are of it before and afterwards.
"""

import contextlib
import os
import subprocess
from pathlib import Path

import pytest

from tests.servers import connections, programs
from tests.support import real_kinds, real_playbooks

pytestmark = pytest.mark.integration
CHRONYD = ("chronyd", "/usr/sbin/chronyd")
TABLE = Path("/proc/sys/net/netfilter/nf_conntrack_max")
SIGNED = 524_288  # what the playbook raises it to


@pytest.fixture
def stack():
    with contextlib.ExitStack() as every:
        yield every


class Chrony:
    """A chronyd that measures against another one on this machine, and steers no clock."""

    def __init__(self, place, stack):
        self.port, theirs = programs.free_port(), programs.free_port()
        serving = place / "serving"
        self._start(serving, f"port {theirs}\nlocal stratum 3\nallow 127.0.0.1\n", stack)
        measuring = place / "measuring"
        # Its source is offline: it hears nothing until somebody asks for a burst.
        source = f"server 127.0.0.1 port {theirs} offline minpoll 10 maxpoll 10\n"
        self.daemon = self._start(measuring, f"port 0\n{source}", stack)
        self.wrapper = place / "chronyc"
        program = programs.found(("chronyc", "/usr/bin/chronyc"))
        self.wrapper.write_text(f'#!/bin/sh\nexec {program} -h {measuring}/sock "$@"\n')
        self.wrapper.chmod(0o755)
        programs.wait_for(lambda: self.ask("tracking").returncode == 0, "chronyd to answer")

    def _start(self, place, lines, stack):
        place.mkdir(mode=0o750)
        (place / "conf").write_text(
            f"{lines}cmdport 0\nbindcmdaddress {place}/sock\npidfile {place}/pid\n"
            f"driftfile {place}/drift\n"
        )
        argv = [programs.found(CHRONYD), "-x", "-d", "-u", "root", "-f", str(place / "conf")]
        daemon = real_playbooks.Daemon(argv, place)
        stack.callback(daemon.close)
        daemon.start()
        programs.wait_for((place / "sock").exists, "chronyd's socket")
        return daemon

    def ask(self, *words):
        return subprocess.run([self.wrapper, *words], capture_output=True, text=True, check=False)

    def synchronised(self):
        return "Leap status     : Normal" in self.ask("tracking").stdout


@pytest.fixture
def chrony(tmp_path, stack):
    if programs.found(CHRONYD) is None or os.geteuid() != 0:
        pytest.skip("chronyd has to be here, and be started by root: apt-get install chrony")
    return Chrony(tmp_path, stack)


def test_a_chrony_that_may_not_step_the_clock_measures_and_that_is_told(chrony, tmp_path, stack):
    made = real_playbooks.Bench(tmp_path, services={"chrony": chrony.daemon.declared})
    stack.callback(made.close)
    assert not chrony.synchronised()
    before = chrony.daemon.pid
    swap = {"/usr/bin/chronyc": str(chrony.wrapper), 'waitsync, "6"': 'waitsync, "1"'}
    ended = made.give("clock_resync", service="chrony", swap=swap)
    assert ended["outcome"] == "PARTIALLY_ROLLED_BACK", ended
    assert "step_the_clock" in ended["reason"]
    assert ended["left_behind"] == ["measure_again", "step_the_clock"]
    programs.wait_for(chrony.synchronised, "the burst to count")
    assert chrony.daemon.pid == before


def test_a_chrony_that_does_not_run_is_left_alone(chrony, tmp_path, stack):
    made = real_playbooks.Bench(tmp_path, services={"chrony": chrony.daemon.declared})
    stack.callback(made.close)
    chrony.daemon.close()
    made.leaves_alone(
        "clock_resync", service="chrony", swap={"/usr/bin/chronyc": str(chrony.wrapper)}
    )


COUNT = 200  # entries of ours


@pytest.fixture
def table(tmp_path):
    """Have entries in the table, give its size and a bench, and put the size back."""
    why = connections.missing()
    if why is not None:
        pytest.skip(why)
    before = int(TABLE.read_text())
    if before >= SIGNED:
        pytest.skip(f"the table is as large as the playbook makes it: {before}")
    made = real_playbooks.Bench(tmp_path)
    with connections.tracked(COUNT):
        yield before, made
    made.close()
    TABLE.write_text(f"{before}\n")


def full(size, after=SIGNED):
    """Put the threshold between what the entries are of this table and of the larger one."""
    line = 100 * COUNT * (1 / size + 1 / after) / 2
    return {"> 85%": f"> {line:.5f}%", "< 85%": f"< {line:.5f}%"}


@real_kinds.runs("step kernel.raise")
def test_the_table_of_connections_is_raised_in_the_kernel_and_no_entry_is_lost(table):
    size, made = table
    made.heals("conntrack_table_raise", swap=full(size))
    assert int(TABLE.read_text()) == SIGNED
    assert int(TABLE.with_name("nf_conntrack_count").read_text()) >= COUNT


def test_a_raise_that_did_not_help_goes_back_to_the_old_size(table):
    size, made = table
    swap = {"> 85%": full(size)["> 85%"], "< 85%": "< 0%"}
    ended = made.give("conntrack_table_raise", swap=swap)
    assert (ended["outcome"], ended["left_behind"]) == ("ROLLED_BACK", []), ended
    assert int(TABLE.read_text()) == size


def test_a_table_with_room_is_left_alone(table):
    size, made = table
    made.leaves_alone("conntrack_table_raise")
    assert int(TABLE.read_text()) == size
