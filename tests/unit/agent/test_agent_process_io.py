"""Who reads and writes most: processes where they may be looked into, else their units."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sentienguard.agent import collectors
from sentienguard.agent.collectors import process_io, processes

SECOND = 10**9


def write(root, pid, *, name="gzip", ticks=0, moved=None, started=7):
    place = root / str(pid)
    place.mkdir(exist_ok=True)
    after = ["S", "1", *["0"] * 9, str(ticks), "0", *["0"] * 6, str(started), "0", "5", "0"]
    (place / "stat").write_text(f"{pid} ({name}) {' '.join(after)}\n")
    (place / "statm").write_text("9 5 1 1 0 1 0\n")
    if moved is not None:
        text = f"rchar: 999999999\nread_bytes: {moved}\nwrite_bytes: 1000\n"
        (place / "io").write_text(text + "cancelled_write_bytes: 5\n")


def top(collector, second):
    into = collectors.Reading(second * SECOND, 0)
    collector.read(into)
    return [(one.pid, one.name, one.io_bytes_per_s) for one in into.top_io]


def test_the_processes_that_moved_most_since_the_sample_before_come_first(tmp_path):
    for pid in (2, 3, 4):
        write(tmp_path, pid, moved=0)
    seen = processes.Processes(2, str(tmp_path))
    assert top(seen, 1) == []
    write(tmp_path, 2, ticks=3, moved=10_240)
    write(tmp_path, 3, ticks=3, moved=40_960)
    write(tmp_path, 4, ticks=3, moved=20_480)
    assert top(seen, 11) == [(3, "gzip", 4100.0), (4, "gzip", 2050.0)]
    assert top(seen, 21) == []


def test_a_process_that_is_new_moved_all_of_it_since_also_under_a_number_used_before(tmp_path):
    write(tmp_path, 2, moved=0)
    seen = processes.Processes(5, str(tmp_path))
    top(seen, 1)
    write(tmp_path, 2, ticks=1, moved=10**9)
    assert top(seen, 2) == [(2, "gzip", 1e9)]
    write(tmp_path, 2, ticks=0, moved=10**6, started=8)
    assert top(seen, 3) == [(2, "gzip", 1e6)]


@pytest.mark.parametrize(
    "text",
    ["", "read_bytes\n", "read_bytes: many\n", "read_bytes: -5\n", "\x00\xff", "write_bytes:\n"],
)
def test_an_account_that_cannot_be_read_moves_nothing(tmp_path, text):
    write(tmp_path, 2, moved=0)
    seen = processes.Processes(5, str(tmp_path))
    top(seen, 1)
    write(tmp_path, 2, ticks=9)
    (tmp_path / "2" / "io").write_bytes(text.encode("latin-1"))
    assert top(seen, 2) == []


def units(groups, **moved):
    for name, count in moved.items():
        place = groups / "system.slice" / f"{name}.service"
        place.mkdir(parents=True, exist_ok=True)
        (place / "io.stat").write_text(f"8:0 rbytes={count} wbytes=0 rios=1\n8:16 wbytes={count}\n")
        (place / "cgroup.procs").write_text("44\n33\n")


@pytest.fixture
def denied(monkeypatch):
    ours = os.open

    def refusing(path, flags, *rest):
        if str(path).endswith("/io"):
            raise PermissionError(13, "denied", path)
        return ours(path, flags, *rest)

    monkeypatch.setattr(os, "open", refusing)


@pytest.mark.usefixtures("denied")
def test_where_processes_may_not_be_looked_into_their_units_are_named(tmp_path):
    write(tmp_path, 33, name="mysqld")
    groups = tmp_path / "groups"
    units(groups, backup=0, mysql=5)
    seen = processes.Processes(5, str(tmp_path), str(groups))
    assert top(seen, 1) == []
    write(tmp_path, 33, name="mysqld", ticks=2)
    units(groups, backup=500, mysql=100_005)
    assert top(seen, 11) == [(33, "mysql.service", 20_000.0)]


@pytest.mark.usefixtures("denied")
@pytest.mark.parametrize("text", [b"", b"\xff\xfe", b"8:0 rbytes=x wbytes=", b"rbytes=-4"])
def test_a_group_that_cannot_be_read_moves_nothing(tmp_path, text):
    write(tmp_path, 33)
    groups = tmp_path / "groups"
    units(groups, mysql=0)
    seen = processes.Processes(5, str(tmp_path), str(groups))
    top(seen, 1)
    write(tmp_path, 33, ticks=2)
    (groups / "system.slice" / "mysql.service" / "io.stat").write_bytes(text)
    assert top(seen, 2) == []


def test_a_thousand_sleepers_are_looked_into_once(tmp_path, monkeypatch):
    for pid in range(100, 1100):
        write(tmp_path, pid, moved=1)
    seen = processes.Processes(5, str(tmp_path))
    top(seen, 1)
    asked = []
    ours = process_io._text
    monkeypatch.setattr(process_io, "_text", lambda path: (asked.append(path), ours(path))[1])
    write(tmp_path, 500, ticks=9, moved=10**6)
    assert top(seen, 2) == [(500, "gzip", 1e6)]
    assert asked == [f"{tmp_path}/500/io"]


@pytest.mark.skipif(not Path("/proc/self/io").exists(), reason="the kernel keeps no account")
def test_a_real_writer_is_found(tmp_path):
    program = (
        "import os, sys, time\n"
        "out = os.open(sys.argv[1], os.O_CREAT | os.O_WRONLY)\n"
        "sys.stdin.readline()\n"
        "for _ in range(40): os.write(out, os.urandom(1 << 20)); os.fsync(out)\n"
        "print('written', flush=True); sys.stdin.readline()\n"
    )
    writer = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path / "out")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        seen = processes.Processes(5)
        top(seen, 1)
        print(file=writer.stdin, flush=True)
        writer.stdout.readline()
        account = Path(f"/proc/{writer.pid}/io").read_text("utf-8")
        if "\nwrite_bytes: 0\n" in account:
            pytest.skip("this file system is no device")
        found = {pid: moved for pid, _, moved in top(seen, 2)}
        assert found[writer.pid] >= 0.99 * (40 << 20)  # three digits travel
    finally:
        writer.kill()
        writer.communicate()


def test_one_that_guards_itself_hides_nobody_else(tmp_path, monkeypatch):
    for pid in (2, 3, 4):
        write(tmp_path, pid, moved=0)
    ours = os.open

    def refusing(path, flags, *rest):
        if str(path).endswith("/2/io"):
            raise PermissionError(13, "denied", path)
        return ours(path, flags, *rest)

    monkeypatch.setattr(os, "open", refusing)
    seen = processes.Processes(5, str(tmp_path), str(tmp_path / "groups"))
    top(seen, 1)
    for pid in (2, 3, 4):
        write(tmp_path, pid, ticks=1, moved=pid * 10**6)
    assert top(seen, 2) == [(4, "gzip", 4e6), (3, "gzip", 3e6)]
