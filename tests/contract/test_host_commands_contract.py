"""What every host promises of its clock and of the commands that it runs."""

import os
import signal
import time
from datetime import timedelta

import pytest

from sentienguard.ports import command_runner
from tests.contract import host_ports


def run(host, *argv, limit=10.0, mark="mark:1", **more):
    return host.commands.run(argv, limit=limit, mark=mark, interrupt=host.interrupt(), **more)


# -- clock and interrupt ---------------------------------------------------------------------------


def test_wall_time_is_utc_and_monotonic_time_rises(any_host):
    assert any_host.clock.now().utcoffset() == timedelta(0)
    before = any_host.clock.monotonic()
    any_host.clock.sleep(0.01)
    assert any_host.clock.monotonic() >= before + 0.01


def test_a_wait_ends_when_somebody_asks_to_stop(any_host):
    interrupt = any_host.interrupt()
    any_host.later(0.05, interrupt.request, "pat")
    before = any_host.clock.monotonic()
    any_host.clock.sleep(20, interrupt)
    assert any_host.clock.monotonic() - before < 10
    assert interrupt.requested() == "pat"


def test_the_first_who_asks_to_stop_stays_named(any_host):
    interrupt = any_host.interrupt()
    assert interrupt.requested() is None
    interrupt.request("pat")
    interrupt.request("kim")
    assert interrupt.requested() == "pat"


# -- commands --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("which", "status"), [("works", 0), ("fails", 1)])
def test_how_a_program_ended_is_said_and_its_group_was_told(any_host, which, status):
    groups = []
    result = run(any_host, *any_host.programs[which], started=groups.append)
    assert (result.ending, result.exit_code) == (command_runner.Ending.EXITED, status)
    assert len(groups) == 1
    assert groups[0].started > 0


def test_a_program_that_does_not_end_is_ended_at_its_limit(any_host):
    began = any_host.clock.monotonic()
    result = run(any_host, *any_host.programs["hangs"], limit=0.3)
    assert (result.ending, result.exit_code) == (command_runner.Ending.TIMED_OUT, None)
    assert 0.3 <= any_host.clock.monotonic() - began < 8
    assert any_host.commands.end_marked("mark:1", ()) == 0  # nothing of it is left


def test_a_program_is_found_or_is_not(any_host):
    (program, *_) = any_host.programs["works"]
    assert any_host.commands.locate(program) == program
    assert any_host.commands.locate("/no/such/program") is None


def test_a_command_gets_argv_as_it_is(host):
    hostile = ("$(id)", "; true", "*", "a b", "-x", "'\"")
    result = run(host, "/usr/bin/printf", "%s\\n", *hostile)
    assert result.stdout.split("\n")[:-1] == list(hostile)
    assert (result.ending, result.exit_code) == (command_runner.Ending.EXITED, 0)


def test_its_environment_is_empty_but_for_path_language_and_mark(host):
    assert run(host, "/usr/bin/env", mark="ord:7").stdout.splitlines() == [
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "LANG=C",
        "SENTIENGUARD_ORDER=ord:7",
    ]


def test_it_runs_in_the_root_directory_without_input(host):
    assert run(host, "/bin/pwd").stdout == "/\n"
    assert run(host, "/bin/cat").stdout == ""


def test_a_status_is_reported_and_never_raised(host):
    assert run(host, "/bin/sh", "-c", "echo no >&2; exit 3").exit_code == 3
    assert run(host, "/bin/sh", "-c", "kill -9 $$").exit_code == -9


@pytest.mark.parametrize("argv", [("/no/such/program",), ("/etc/passwd",)])
def test_what_cannot_start_is_said(any_host, argv):
    with pytest.raises(command_runner.CommandNotRunnable):
        run(any_host, *argv)


def test_an_argument_that_no_process_can_get_is_said(host):
    with pytest.raises(command_runner.CommandNotRunnable):
        run(host, "/bin/echo", "a\0b")


def test_an_unknown_user_is_refused(any_host):
    with pytest.raises(command_runner.CommandNotRunnable):
        run(any_host, *any_host.programs["works"], as_user="no-such-user")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody else")
def test_a_command_runs_as_the_user_that_is_named(host):
    assert run(host, "/usr/bin/id", "-un", as_user="nobody").stdout == "nobody\n"


def test_output_is_bounded_and_keeps_its_start_and_its_end(host):
    result = run(host, "/bin/sh", "-c", "echo start; head -c 3000000 /dev/zero; echo end")
    assert result.truncated
    assert len(result.stdout.encode()) <= 64 * 1024
    assert result.stdout.startswith("start")
    assert result.stdout.endswith("end\n")


def test_bytes_that_are_no_text_are_replaced(host):
    assert run(host, "/usr/bin/printf", "\\377x").stdout == "\ufffdx"


HOLDS_PIPES = "trap '' TERM; sleep 300 & echo $!; wait"


def test_at_its_limit_the_whole_group_dies_however_deaf(host):
    began = time.monotonic()
    result = run(host, "/bin/sh", "-c", HOLDS_PIPES, limit=0.3)
    assert result.ending is command_runner.Ending.TIMED_OUT
    assert result.exit_code is None
    assert host_ports.gone(int(result.stdout.split()[0]))
    assert time.monotonic() - began < 8


def test_what_left_the_group_dies_by_its_mark(host):
    script = "setsid sh -c 'trap \"\" TERM; echo $$; sleep 300' & wait"
    result = run(host, "/bin/sh", "-c", script, limit=0.4, mark="ord_x:step0")
    assert host_ports.gone(int(result.stdout.split()[0]))


def test_a_stopped_process_dies_too(host):
    result = run(host, "/bin/sh", "-c", "echo $$; kill -STOP $$", limit=0.3)
    assert result.ending is command_runner.Ending.TIMED_OUT
    assert host_ports.gone(int(result.stdout.split()[0]))


def test_a_grandchild_that_keeps_the_pipes_open_does_not_keep_the_call(host):
    began = time.monotonic()
    result = run(host, "/bin/sh", "-c", "sleep 300 & echo $!", limit=60)
    assert result.ending is command_runner.Ending.EXITED
    assert host_ports.gone(int(result.stdout.split()[0]))
    assert time.monotonic() - began < 10


def test_a_stop_ends_a_command_at_once(any_host):
    interrupt = any_host.interrupt()
    any_host.later(0.1, interrupt.request, "pat")
    argv = any_host.programs["hangs"]
    result = any_host.commands.run(argv, limit=60, mark="m", interrupt=interrupt)
    assert result.ending is command_runner.Ending.STOPPED
    assert result.duration_ms < 5000


def test_its_group_is_told_as_soon_as_it_exists(host):
    groups = []
    pid = run(host, "/bin/sh", "-c", "echo $$", started=groups.append).stdout
    assert [group.pgid for group in groups] == [int(pid)]
    assert groups[0].started > 0


def test_what_an_earlier_run_left_is_found_by_its_mark_alone(host):
    left = os.posix_spawn(
        "/bin/sleep", ["/bin/sleep", "300"], {"SENTIENGUARD_ORDER": "ord_y:step1"}, setsid=True
    )
    other = os.posix_spawn(
        "/bin/sleep", ["/bin/sleep", "300"], {"SENTIENGUARD_ORDER": "ord_y:step11"}, setsid=True
    )
    try:
        time.sleep(0.1)
        assert host.commands.end_marked("ord_y:step1", ()) == 1
        assert host_ports.gone(left)
        assert not host_ports.gone(other, 0.1)
        reused = command_runner.ProcessGroup(other, 1)  # same number, another start
        assert host.commands.end_marked("nobody", (reused,)) == 0
        assert not host_ports.gone(other, 0.1)
    finally:
        os.kill(other, signal.SIGKILL)
        os.waitpid(other, 0)
        os.waitpid(left, 0)


def test_programs_are_looked_for_on_the_fixed_path(host):
    assert host.commands.locate("sh").endswith("/sh")
    assert host.commands.locate("/bin/sh") == "/bin/sh"
    assert host.commands.locate("no-such-program") is None
    assert host.commands.locate("/etc/passwd") is None
