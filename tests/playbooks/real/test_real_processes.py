"""Playbooks on real processes, descriptors, lock files and volumes of this machine."""

import contextlib
import fcntl
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sentienguard.adapters.local_host import kernel_settings
from sentienguard.ports import kernel_settings as port
from tests.servers import programs
from tests.support import real_kinds, real_playbooks

pytestmark = pytest.mark.integration

LEAKING = """
import os, resource, socket, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))
leak = sys.argv[2]
server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
held = []
while True:
    client, _ = server.accept()
    with open(leak) as file:
        wanted = int(file.read())
    while len(held) < wanted:
        held.append(os.open("/dev/null", os.O_RDONLY))
    client.close()
"""
WRITING = """
import os, sys, time
for name, size in zip(sys.argv[1::2], sys.argv[2::2]):
    file = open(name, "ab")
    file.write(b"x" * int(size)); file.flush()
    os.unlink(name)
    globals()[name] = file
kept = open(sys.argv[1] + ".kept", "ab"); kept.write(b"k" * 100_000); kept.flush()
open(sys.argv[1] + ".ready", "w").close()
log = globals()[sys.argv[1]]
while True:
    time.sleep(0.05); log.write(b"on"); log.flush()
"""


@pytest.fixture
def stack():
    with contextlib.ExitStack() as every:
        yield every


@pytest.fixture
def bench(tmp_path, stack):
    def make(**settings):
        made = real_playbooks.Bench(tmp_path, **settings)
        stack.callback(made.close)
        return made

    return make


def leaking(place, stack, held):
    script, number, port = place / "leaking.py", place / "held", programs.free_port()
    script.write_text(LEAKING)
    number.write_text(str(held))
    daemon = real_playbooks.Daemon(
        [sys.executable, str(script), str(port), str(number)], place / "web"
    )
    stack.callback(daemon.close)
    daemon.start(port)
    programs.wait_for(lambda: len(descriptors(daemon.pid)) >= held, f"{held} descriptors")
    number.write_text("0")
    return daemon


@real_kinds.runs("step service.restart")
def test_a_service_that_leaks_descriptors_is_restarted_and_no_other(bench, stack, tmp_path):
    daemon = leaking(tmp_path, stack, 245)
    before, limit = daemon.pid, file_max()
    other = subprocess.Popen(["/bin/sleep", "60"])
    try:
        bench(services={"web": daemon.declared}).heals("service_file_leak_restart", service="web")
        assert daemon.pid != before
        assert len(descriptors(daemon.pid)) < 50
        assert (other.poll(), file_max()) == (None, limit)
    finally:
        other.kill()
        other.wait()


def test_a_service_with_many_files_and_room_is_left_alone(bench, stack, tmp_path):
    daemon = leaking(tmp_path, stack, 150)
    before = daemon.pid
    made = bench(services={"web": daemon.declared})
    made.leaves_alone("service_file_leak_restart", service="web")
    assert daemon.pid == before


def file_max():
    return Path("/proc/sys/fs/file-max").read_text()


def descriptors(pid):
    return list(Path(f"/proc/{pid}/fd").iterdir())


def writing(place, stack, *files):
    script = place / "writing.py"
    script.write_text(WRITING)
    words = [str(word) for name, size in files for word in (place / name, size)]
    daemon = real_playbooks.Daemon([sys.executable, str(script), *words], place / "writer")
    stack.callback(daemon.close)
    daemon.start()
    ready = place / f"{files[0][0]}.ready"
    programs.wait_for(ready.exists, "the writer")
    return daemon


def held_bytes(pid):
    sizes = {}
    for place in descriptors(pid):
        with contextlib.suppress(OSError):
            name = str(place.readlink())
            if name.endswith(" (deleted)"):
                sizes[Path(name.removesuffix(" (deleted)")).name] = place.stat().st_size
    return sizes


SMALL = {"disk_usage > 80%": "disk_usage >= 0%", "100MB": "2MB", "10MB": "1MB"}


@real_kinds.runs("step open_files.truncate_deleted")
def test_a_deleted_log_gives_its_space_back_and_its_writer_goes_on(bench, stack, tmp_path):
    daemon = writing(tmp_path, stack, ("app.log", 8_000_000), ("sort.tmp", 500_000))
    precious = tmp_path / "old.log"
    precious.write_bytes(b"p" * 5_000_000)
    made = bench(services={"writer": daemon.declared})
    made.heals("deleted_log_truncate", service="writer", swap=SMALL)
    held = held_bytes(daemon.pid)
    assert held["app.log"] < 1_000_000
    assert held["sort.tmp"] == 500_000
    assert precious.stat().st_size == 5_000_000
    assert (tmp_path / "app.log.kept").stat().st_size == 100_000
    assert daemon.process.poll() is None


def test_a_deleted_file_of_a_database_is_left_alone(bench, stack, tmp_path):
    daemon = writing(tmp_path, stack, ("pgsql_tmp.1", 8_000_000))
    ended = bench(services={"writer": daemon.declared}).give(
        "deleted_log_truncate", service="writer", swap=SMALL
    )
    assert ended["outcome"] == "ROLLED_BACK", ended  # nothing matched, so nothing changed
    assert held_bytes(daemon.pid)["pgsql_tmp.1"] >= 8_000_000


def test_a_writer_without_deleted_files_is_left_alone(bench, tmp_path):
    made = bench(services={"web": real_playbooks.Daemon(["/bin/sleep"], tmp_path / "w").declared})
    made.leaves_alone("deleted_log_truncate", service="web", swap=SMALL)


def old(path, text):
    path.write_text(text)
    then = time.time() - 7_200
    os.utime(path, (then, then))
    return path


def ended_pid():
    child = subprocess.Popen(["/bin/true"])
    child.wait()
    return child.pid


@real_kinds.runs("step locks.release")
def test_a_lock_of_a_dead_process_goes_and_every_other_stays(bench, tmp_path):
    locks = tmp_path / "locks"
    locks.mkdir()
    gone = ended_pid()
    stale = old(locks / "nightly.lock", f"{gone}\n")
    living = old(locks / "report.lock", str(os.getppid()))
    words = old(locks / "notes", "held by nobody in particular")
    link = locks / "link.lock"
    outside = old(tmp_path / "outside", f"{gone}\n")
    link.symlink_to(outside)
    os.utime(living)  # written after its process began
    held = old(locks / "flocked.lock", f"{gone}\n")
    with held.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        bench(lock_directories=[str(locks)]).heals("stale_lock_release")
        assert held.exists()
    assert not stale.exists()
    assert living.exists()
    assert words.exists()
    assert outside.exists()


def test_a_lock_whose_process_lives_is_left_alone(bench, tmp_path):
    locks = tmp_path / "locks"
    locks.mkdir()
    running = subprocess.Popen(["/bin/sleep", "60"])
    try:
        path = locks / "backup.lock"
        path.write_text(f"{running.pid}\n")
        bench(lock_directories=[str(locks)]).leaves_alone("stale_lock_release")
        assert path.exists()
    finally:
        running.kill()
        running.wait()


def test_a_number_that_is_another_process_s_by_now_is_stale(bench, tmp_path):
    locks = tmp_path / "locks"
    locks.mkdir()
    later = subprocess.Popen(["/bin/sleep", "60"])
    try:
        path = old(locks / "backup.lock", f"{later.pid}\n")  # written two hours before it began
        bench(lock_directories=[str(locks)]).heals("stale_lock_release")
        assert not path.exists()
        assert later.poll() is None
    finally:
        later.kill()
        later.wait()


def dumps(volume, count):
    place = volume / "coredump"
    place.mkdir(parents=True)
    for number in range(count):
        path = place / f"core.web.{number}"
        path.write_bytes(b"x" * 1_500_000)
        then = time.time() - 86_400 * (2 + number)
        os.utime(path, (then, then))
    return place


def here(volume):
    text = {"path: /var/lib/systemd/coredump": "path: {param: mount}\n    below: coredump"}
    text["write:/var/lib/systemd/coredump"] = "write:@mount/coredump"
    text["guard: disk"] = "parameters:\n  mount: {type: mountpoint}\nguard: disk"
    return {"swap": text, "mount": str(volume)}


def test_old_core_dumps_go_and_the_newest_and_all_data_stay(bench, tmp_path):
    volume = tmp_path / "volume"
    place = dumps(volume, 6)
    (volume / "data").write_bytes(b"d" * 300_000)
    made = bench(volumes=[{"path": str(volume), "budget_bytes": 10_000_000}])
    made.heals("core_dump_cleanup", **here(volume))
    assert sorted(one.name for one in place.iterdir()) == [f"core.web.{n}" for n in range(3)]
    assert (volume / "data").stat().st_size == 300_000


def test_core_dumps_stay_while_there_is_room(bench, tmp_path):
    volume = tmp_path / "volume"
    place = dumps(volume, 4)
    made = bench(volumes=[{"path": str(volume), "budget_bytes": 10_000_000}])
    made.leaves_alone("core_dump_cleanup", **here(volume))
    assert len(list(place.iterdir())) == 4


def test_a_kernel_setting_is_read_changed_and_measured_below_its_directory(tmp_path):
    place = tmp_path / "net" / "netfilter"
    place.mkdir(parents=True)
    (place / "nf_conntrack_max").write_text("200\n")
    (place / "nf_conntrack_count").write_text("190\n")
    kernel = kernel_settings.LocalKernel(tmp_path)
    assert kernel.conntrack_percent() == 95
    kernel.change("net.netfilter.nf_conntrack_max", 400)
    assert kernel.value("net.netfilter.nf_conntrack_max") == 400
    with pytest.raises(port.SettingUnknown):
        kernel.change("net.core.somaxconn", 4096)
