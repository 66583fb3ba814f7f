"""What every host does behind the host ports; runs on the real one and, later, a pretend one."""

import errno
import json
import os
import signal
import socket
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sentienguard.ports import (
    command_runner,
    execution_journal,
    facts,
    files,
    http_probe,
    log_reader,
    processes,
    services,
)
from tests.contract import host_ports


@pytest.fixture(params=sorted(host_ports.MAKERS))
def host(request, tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    made = host_ports.MAKERS[request.param](tmp_path, port)
    yield made
    for name in ("web", "deaf"):
        made.services.kill(name, 5)


def run(host, *argv, limit=10.0, mark="mark:1", **more):
    return host.commands.run(argv, limit=limit, mark=mark, interrupt=host.interrupt(), **more)


def gone(pid, seconds=5.0):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z":
            return True
        time.sleep(0.02)
    return False


# -- clock and interrupt ---------------------------------------------------------------------------


def test_wall_time_is_utc_and_monotonic_time_rises(host):
    assert host.clock.now().utcoffset() == timedelta(0)
    before = host.clock.monotonic()
    host.clock.sleep(0.01)
    assert host.clock.monotonic() >= before + 0.01


def test_a_wait_ends_when_somebody_asks_to_stop(host):
    interrupt = host.interrupt()
    threading.Timer(0.05, interrupt.request, ["pat"]).start()
    before = host.clock.monotonic()
    host.clock.sleep(20, interrupt)
    assert host.clock.monotonic() - before < 10
    assert interrupt.requested() == "pat"


# -- commands --------------------------------------------------------------------------------------


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


@pytest.mark.parametrize("argv", [("/no/such/program",), ("/etc/passwd",), ("/bin/echo", "a\0b")])
def test_what_cannot_start_is_said(host, argv):
    with pytest.raises(command_runner.CommandNotRunnable):
        run(host, *argv)


def test_an_unknown_user_is_refused(host):
    with pytest.raises(command_runner.CommandNotRunnable):
        run(host, "/bin/true", as_user="no-such-user")


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
    assert gone(int(result.stdout.split()[0]))
    assert time.monotonic() - began < 8


def test_what_left_the_group_dies_by_its_mark(host):
    script = "setsid sh -c 'trap \"\" TERM; echo $$; sleep 300' & wait"
    result = run(host, "/bin/sh", "-c", script, limit=0.4, mark="ord_x:step0")
    assert gone(int(result.stdout.split()[0]))


def test_a_stopped_process_dies_too(host):
    result = run(host, "/bin/sh", "-c", "echo $$; kill -STOP $$", limit=0.3)
    assert result.ending is command_runner.Ending.TIMED_OUT
    assert gone(int(result.stdout.split()[0]))


def test_a_grandchild_that_keeps_the_pipes_open_does_not_keep_the_call(host):
    began = time.monotonic()
    result = run(host, "/bin/sh", "-c", "sleep 300 & echo $!", limit=60)
    assert result.ending is command_runner.Ending.EXITED
    assert gone(int(result.stdout.split()[0]))
    assert time.monotonic() - began < 10


def test_a_stop_ends_a_command_at_once(host):
    interrupt = host.interrupt()
    threading.Timer(0.1, interrupt.request, ["pat"]).start()
    result = host.commands.run(("/bin/sleep", "300"), limit=60, mark="m", interrupt=interrupt)
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
        assert gone(left)
        assert not gone(other, 0.1)
        reused = command_runner.ProcessGroup(other, 1)  # same number, another start
        assert host.commands.end_marked("nobody", (reused,)) == 0
        assert not gone(other, 0.1)
    finally:
        os.kill(other, signal.SIGKILL)
        os.waitpid(other, 0)
        os.waitpid(left, 0)


def test_programs_are_looked_for_on_the_fixed_path(host):
    assert host.commands.locate("sh").endswith("/sh")
    assert host.commands.locate("/bin/sh") == "/bin/sh"
    assert host.commands.locate("no-such-program") is None
    assert host.commands.locate("/etc/passwd") is None


# -- processes -------------------------------------------------------------------------------------


@pytest.fixture
def sleeper():
    pid = os.posix_spawn("/bin/sleep", ["/bin/sleep", "300"], {}, setsid=True)
    yield pid
    try:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    except (ProcessLookupError, ChildProcessError):
        pass


def test_a_process_is_found_by_number_and_name(host, sleeper):
    time.sleep(0.05)
    found = host.processes.find(sleeper)
    assert (found.name, found.parent) == ("sleep", os.getpid())
    assert sleeper in {one.pid for one in host.processes.named("sleep")}
    assert host.processes.find(2**22 - 1) is None


def test_a_zombie_is_no_process(host, sleeper):
    found = host.processes.find(sleeper)
    host.processes.send(found, processes.Signal.KILL)
    assert host.processes.wait_gone(found, 5)
    assert host.processes.find(sleeper) is None


def test_a_signal_never_reaches_another_process_of_the_same_number(host, sleeper):
    import dataclasses

    other = dataclasses.replace(host.processes.find(sleeper), started=1)
    for act in (
        lambda: host.processes.send(other, processes.Signal.KILL),
        lambda: host.processes.renice(other, 5),
    ):
        with pytest.raises(processes.NoSuchProcess):
            act()
    assert host.processes.find(sleeper) is not None


def test_stop_continue_and_renice_do_what_they_say(host, sleeper):
    found = host.processes.find(sleeper)
    host.processes.send(found, processes.Signal.STOP)
    time.sleep(0.05)
    assert host.processes.find(sleeper).state == "T"
    host.processes.send(found, processes.Signal.CONTINUE)
    time.sleep(0.05)
    assert host.processes.find(sleeper).state == "S"
    host.processes.renice(found, 7)
    assert host.processes.find(sleeper).nice == 7


def test_the_agent_and_process_one_are_protected(host):
    for pid in (1, os.getpid(), os.getppid()):
        with pytest.raises(processes.ProcessProtected):
            host.processes.send(host.processes.find(pid), processes.Signal.KILL)


# -- services --------------------------------------------------------------------------------------


def up(host, name="web", seconds=10):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if host.services.state(name).status is services.Status.RUNNING:
            return True
        time.sleep(0.05)
    return False


def test_a_service_starts_stops_and_starting_twice_changes_nothing(host):
    assert host.services.state("web").status is services.Status.STOPPED
    host.services.start("web", 10)
    first = host.services.state("web").pid
    host.services.start("web", 10)
    assert host.services.state("web").pid == first
    assert up(host)
    host.services.stop("web", 10)
    host.services.stop("web", 10)
    assert host.services.state("web").status is services.Status.STOPPED
    assert gone(first)


def test_it_runs_detached_in_a_session_of_its_own(host):
    host.services.start("web", 10)
    pid = host.services.state("web").pid
    assert os.getsid(pid) == pid
    assert host.processes.find(pid).group == pid


@pytest.mark.parametrize("name", ["web", "deaf"])
def test_a_stopped_or_deaf_process_is_hung_and_can_be_ended(host, name):
    host.services.start(name, 10)
    assert up(host, name)
    pid = host.services.state(name).pid
    os.kill(pid, signal.SIGSTOP)
    assert host.services.state(name).status is services.Status.HUNG
    host.services.stop(name, 6)
    assert gone(pid)
    host.services.start(name, 10)
    assert up(host, name)


def test_a_service_that_ends_at_once_is_said(host):
    with pytest.raises(services.ServiceFailed):
        host.services.start("broken", 5)
    assert host.services.state("absent").status is services.Status.MISSING
    with pytest.raises(services.ServiceFailed):
        host.services.start("absent", 5)


def test_an_unknown_service_is_refused(host):
    for act in (host.services.state, host.services.describe):
        with pytest.raises(services.UnknownService):
            act("no such service")


def test_a_pid_file_that_names_somebody_else_is_not_believed(host, sleeper):
    host.services.start("web", 10)
    host.services.stop("web", 10)
    pid_file = host.directory / "web.pid"
    pid_file.write_text(f"{sleeper}\n")
    long_ago = time.time() - 3600
    os.utime(pid_file, (long_ago, long_ago))
    assert host.services.state("web").status is services.Status.STOPPED
    host.services.kill("web", 5)
    assert not gone(sleeper, 0.2)


# -- files -----------------------------------------------------------------------------------------


def fill(host, *paths, age=10_000, size=10):
    for path in paths:
        place = host.volume / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(b"x" * size)
        then = time.time() - age
        os.utime(place, (then, then))


def select(host, pattern="*", **more):
    return files.Selection(root=str(host.volume), pattern=pattern, **more)


def found(host, pattern="*", **more):
    return sorted(one.path for one in host.files.find(select(host, pattern, **more)).files)


def test_files_are_found_by_pattern_age_size_and_place(host):
    fill(host, "a.log", "sub/b.log", "sub/c.txt")
    fill(host, "young.log", age=0)
    fill(host, "big.log", size=1000)
    assert found(host, "*.log", min_age_s=60) == ["a.log", "big.log", "sub/b.log"]
    assert found(host, "*.log", below="sub") == ["sub/b.log"]
    assert found(host, "*", min_size=500) == ["big.log"]
    assert found(host, "*", below="nothing/here") == []


def test_the_newest_are_kept_and_the_rest_is_bounded_oldest_first(host):
    for n in range(5):
        fill(host, f"{n}.log", age=1000 - n)
    assert found(host, "*.log", keep_newest=2) == ["0.log", "1.log", "2.log"]
    bounded = host.files.find(select(host, "*.log", at_most=2))
    assert [one.path for one in bounded.files] == ["0.log", "1.log"]
    assert bounded.more


def test_links_are_never_followed(host):
    outside = host.directory / "outside"
    outside.mkdir()
    (outside / "secret.log").write_text("x")
    (host.volume / "link").symlink_to(outside)
    (host.volume / "file.log").symlink_to(outside / "secret.log")
    assert found(host, "*.log") == []
    with pytest.raises(files.NotAllowed):
        host.files.find(select(host, "*.log", below="link"))
    with pytest.raises(files.NotAllowed):
        host.files.find(files.Selection(root=str(host.volume / "link"), pattern="*"))


@pytest.mark.parametrize("below", ["..", "../outside", "/etc", "a/../../b"])
def test_nothing_leads_out_of_the_root(host, below):
    with pytest.raises(files.NotAllowed):
        host.files.find(select(host, below=below))


def test_a_directory_swapped_for_a_link_after_finding_saves_its_target(host):
    outside = host.directory / "outside"
    outside.mkdir()
    fill(host, "sub/a.log")
    chosen = host.files.find(select(host)).files
    (host.volume / "sub").rename(host.directory / "moved")
    os.link(host.directory / "moved" / "a.log", outside / "a.log")  # even the same inode
    (host.volume / "sub").symlink_to(outside)
    for act in (host.files.delete, host.files.truncate):
        assert act(str(host.volume), chosen) == 0
    assert host.files.move(str(host.volume), chosen, ".sentienguard-kept-t") == 0
    assert (outside / "a.log").read_bytes() == b"x" * 10


def test_a_file_that_changed_since_it_was_found_is_left_alone(host):
    fill(host, "a.log", "b.log")
    chosen = host.files.find(select(host)).files
    (host.volume / "a.log").write_bytes(b"new")
    assert host.files.delete(str(host.volume), chosen) == 1
    assert (host.volume / "a.log").read_bytes() == b"new"


def test_deleting_twice_deletes_once(host):
    fill(host, "a.log", "d/b.log")
    chosen = host.files.find(select(host)).files
    assert host.files.delete(str(host.volume), chosen) == 2
    assert host.files.delete(str(host.volume), chosen) == 0


def test_truncating_spares_files_with_a_second_name(host):
    fill(host, "a.log", "b.log")
    os.link(host.volume / "b.log", host.directory / "elsewhere")
    chosen = host.files.find(select(host)).files
    assert host.files.truncate(str(host.volume), chosen) == 1
    assert (host.volume / "a.log").stat().st_size == 0
    assert (host.directory / "elsewhere").stat().st_size == 10


def test_moved_files_come_back_where_they_were_also_twice(host):
    fill(host, "a.log", "sub/b.log")
    chosen = host.files.find(select(host)).files
    root = str(host.volume)
    assert host.files.move(root, chosen, ".sentienguard-kept-t") == 2
    assert host.files.move(root, chosen, ".sentienguard-kept-t") == 0
    assert found(host) == []
    assert host.files.move_back(root, chosen, ".sentienguard-kept-t") == 2
    assert host.files.move_back(root, chosen, ".sentienguard-kept-t") == 2
    assert found(host) == ["a.log", "sub/b.log"]
    assert not (host.volume / ".sentienguard-kept-t").exists()


def test_moving_back_overwrites_nothing(host):
    fill(host, "a.log")
    chosen = host.files.find(select(host)).files
    host.files.move(str(host.volume), chosen, ".sentienguard-kept-t")
    (host.volume / "a.log").write_text("somebody else's")
    assert host.files.move_back(str(host.volume), chosen, ".sentienguard-kept-t") == 0
    assert (host.volume / "a.log").read_text() == "somebody else's"


def test_a_replaced_file_keeps_mode_and_is_never_half(host):
    path = host.directory / "web.conf"
    path.write_text("old")
    path.chmod(0o640)
    host.files.replace(str(path), b"new")
    assert (path.read_text(), path.stat().st_mode & 0o777) == ("new", 0o640)
    assert host.files.read(str(path)) == b"new"
    assert [one.name for one in host.directory.iterdir() if "sentienguard-new" in one.name] == []


def test_a_link_in_the_place_of_a_file_is_refused(host):
    target = host.directory / "target"
    target.write_text("x")
    (host.directory / "link").symlink_to(target)
    with pytest.raises(files.NotAllowed):
        host.files.read(str(host.directory / "link"))
    with pytest.raises(files.NotAllowed):
        host.files.replace(str(host.directory / "link"), b"y")
    assert target.read_text() == "x"


def test_volumes_are_mounts_and_watched_directories(host):
    assert {"/", str(host.volume)} <= host.files.volumes()
    assert "/proc" not in host.files.volumes()
    fill(host, "a", size=250_000)
    assert host.files.volume(str(host.volume)).used_percent == pytest.approx(25, abs=0.1)
    with pytest.raises(files.NotAllowed):
        host.files.volume("/etc")


# -- facts, http, logs -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        *("disk_usage", "inode_usage", "disk_free", "cpu_percent", "memory_percent"),
        *("memory_free", "swap_percent", "load_1m", "zombies"),
    ],
)
def test_facts_of_the_host_are_numbers(host, name):
    assert float(host.facts.measure(name, {})) >= 0


def test_facts_of_a_volume_service_and_process_follow_their_parameter(host, sleeper):
    fill(host, "a", size=900_000)
    assert host.facts.measure("disk_usage", {"mount": str(host.volume)}) == pytest.approx(90)
    assert host.facts.measure("service_status", {"service": "web"}) == "stopped"
    assert host.facts.measure("http_status", {"service": "web"}) == 0
    assert host.facts.measure("process_alive", {"pid": str(sleeper)}) is True
    assert host.facts.measure("process_alive", {"pid": "4194303"}) is False
    assert host.facts.measure("process_cpu", {"pid": str(sleeper)}) < 50


@pytest.mark.parametrize("name", ["no_such_fact", "service_status", "process_alive", "http_status"])
def test_an_unknown_fact_or_subject_is_refused(host, name):
    with pytest.raises(facts.UnknownFact):
        host.facts.measure(name, {})


def test_a_health_address_is_asked(host):
    host.services.start("web", 10)
    assert up(host)
    base = f"http://127.0.0.1:{host.port}"
    assert host.http.ask(f"{base}/", 2).status == 200
    assert host.http.ask(f"http://localhost:{host.port}/503", 2, "POST").status == 503
    host.services.kill("web", 5)
    silent = host.http.ask(f"{base}/", 2)
    assert (silent.status, bool(silent.detail)) == (0, True)


def test_an_address_that_accepts_and_says_nothing_is_given_up(host):
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        began = time.monotonic()
        assert host.http.ask(f"http://127.0.0.1:{deaf.getsockname()[1]}/", 0.3).status == 0
        assert time.monotonic() - began < 3


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/",
        "http://10.0.0.1/",
        "http://169.254.169.254/latest",
        "https://127.0.0.1/",
        "ftp://127.0.0.1/",
        "http://127.0.0.1.example.org/",
        "http://127.0.0.1@example.org/",
        "http://0x7f000001/",
        "http://127.0.0.1:99999/",
        "http:///",
        "nonsense",
    ],
)
def test_nothing_but_http_on_loopback_is_asked(host, url):
    with pytest.raises(http_probe.NotLoopback):
        host.http.ask(url, 1)


def test_lines_are_dated_by_what_they_carry(host):
    now = datetime.now(UTC)
    old, new = now - timedelta(minutes=5), now - timedelta(seconds=5)
    path = host.directory / "app.log"
    path.write_text(
        f"{old:%Y-%m-%dT%H:%M:%SZ} ERROR old\n  continued old\n"
        f"{new:%Y-%m-%d %H:%M:%S}+00:00 ERROR new\n  continued new\n"
        f"[{new:%d/%b/%Y:%H:%M:%S +0000}] common\n"
    )
    lines = host.logs.lines(str(path), since=now - timedelta(minutes=1), after=None)
    assert [line.split()[-1] for line in lines] == ["new", "new", "common"]


def test_only_what_came_after_the_mark_counts_unless_the_file_was_rotated(host):
    path = host.directory / "app.log"
    path.write_text("before\n")
    mark = host.logs.mark(str(path))
    with path.open("a") as file:
        file.write("after\n")
    since = datetime.now(UTC) - timedelta(minutes=1)
    assert host.logs.lines(str(path), since=since, after=mark) == ("after",)
    path.rename(host.directory / "app.log.1")
    path.write_text("rotated\n")
    assert host.logs.lines(str(path), since=since, after=mark) == ("rotated",)


def test_a_log_that_cannot_be_read_is_said(host):
    since = datetime.now(UTC)
    for path in (host.directory / "none", host.directory):
        with pytest.raises(log_reader.LogUnreadable):
            host.logs.lines(str(path), since=since, after=None)


# -- journal ---------------------------------------------------------------------------------------


def test_records_come_back_in_order(host):
    journal = host.journal()
    journal.append([{"t": "a", "n": n} for n in range(3)], durable=True)
    journal.append([{"t": "b", "text": "ü\n"}], durable=False)
    assert [one["t"] for one in host.journal().records()] == ["a", "a", "a", "b"]


def test_a_rewrite_replaces_everything_and_goes_on(host):
    journal = host.journal()
    journal.append([{"t": "a"}] * 100, durable=True)
    journal.rewrite([{"t": "start"}])
    journal.append([{"t": "b"}], durable=True)
    assert [one["t"] for one in host.journal().records()] == ["start", "b"]


def test_a_torn_tail_is_left_out_wherever_it_was_cut(host):
    journal = host.journal()
    journal.append([{"t": "kept"}], durable=True)
    whole = (host.directory / "journal.log").read_bytes().rstrip(b"\0")
    journal.append([{"t": "torn", "x": "y" * 40}], durable=False)
    longer = (host.directory / "journal.log").read_bytes().rstrip(b"\0")
    for cut in range(len(whole), len(longer)):
        (host.directory / "journal.log").write_bytes(longer[:cut] + b"\0" * 50)
        again = host.journal()
        assert [one["t"] for one in again.records()] == ["kept"]
        again.append([{"t": "next"}], durable=True)
        assert [one["t"] for one in host.journal().records()] == ["kept", "next"]


def test_damage_before_something_durable_stops_everything(host):
    journal = host.journal()
    for n in range(3):
        journal.append([{"t": "a", "n": n}], durable=True)
    path = host.directory / "journal.log"
    data = bytearray(path.read_bytes())
    data[20] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(execution_journal.JournalBroken):
        host.journal()


def test_on_a_full_disk_what_was_set_aside_is_used_and_nothing_new_begins(host, monkeypatch):
    journal = host.journal()
    assert journal.cramped() is None

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    while journal.cramped() is None:
        journal.append([{"t": "a", "x": "y" * 500_000}], durable=False)
    journal.append([{"t": "last"}], durable=True)
    with pytest.raises(execution_journal.JournalFull):
        journal.rewrite([{"t": "start"}])
    again = host.journal()
    assert again.cramped() is not None
    assert list(again.records())[-1] == {"t": "last"}
    monkeypatch.undo()
    assert again.cramped() is None


def test_a_full_disk_leaves_room_for_what_was_reserved(host):
    journal = host.journal()
    size = (host.directory / "journal.log").stat().st_size
    assert size >= 2 * 1024 * 1024
    journal.append([{"t": "a", "x": "y" * 100_000}] * 5, durable=True)
    assert (host.directory / "journal.log").stat().st_size == size


def test_records_survive_json(host):
    record = {"t": "a", "list": [1, None, True, {"x": "y"}], "big": 2**60}
    host.journal().append([record], durable=True)
    assert json.loads(json.dumps(next(iter(host.journal().records())))) == record
