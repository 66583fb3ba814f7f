"""Each collector on recorded text of /proc, and on a small tree of files."""

import os
import time

import pytest

from sentienguard.agent import collectors, directory_walk, settings
from sentienguard.agent.collectors import (
    cpu,
    disks,
    load,
    memory,
    network,
    processes,
    volumes,
)

SECOND = 10**9


def reading(seconds=0.0):
    return collectors.Reading(int(seconds * SECOND), int(seconds * 1000))


def read(collector, seconds=0.0):
    into = reading(seconds)
    collector.read(into)
    return into


def value(into, metric, subject=""):
    return into.values.get((metric, subject))


def test_cpu_is_the_share_that_was_neither_idle_nor_waiting(tmp_path):
    stat = tmp_path / "stat"
    stat.write_text("cpu  100 0 100 700 100 0 0 0 0 0\ncpu0 1 2 3\n")
    collector = cpu.Cpu(str(stat))
    assert value(read(collector), "system.cpu_percent") is None
    stat.write_text("cpu  150 0 125 760 165 0 0 0 0 0\n")
    assert value(read(collector), "system.cpu_percent") == 37.5


def test_memory_counts_what_is_not_available(tmp_path):
    file = tmp_path / "meminfo"
    file.write_text(
        "MemTotal: 1000 kB\nMemFree: 1 kB\nMemAvailable: 319 kB\nSwapTotal: 0 kB\nSwapFree: 0 kB\n"
    )
    into = read(memory.Memory(str(file)))
    assert value(into, "system.memory_percent") == 68.1
    assert value(into, "system.swap_percent") == 0


@pytest.mark.parametrize(
    "make",
    [
        cpu.Cpu,
        memory.Memory,
        lambda file: load.Load(file, file),
    ],
)
@pytest.mark.parametrize("text", ["", "cpu\n", "cpu a b c d e\n", "MemTotal: x\n"])
def test_text_that_is_not_understood_is_an_error_and_adds_nothing(tmp_path, make, text):
    file = tmp_path / "proc"
    file.write_text(text)
    into = reading()
    with pytest.raises((ValueError, IndexError)):
        make(str(file)).read(into)
    assert into.values == {}


def test_load_and_uptime(tmp_path):
    (tmp_path / "loadavg").write_text("2.34 1.00 0.50 1/99 4242\n")
    (tmp_path / "uptime").write_text("12345.67 9\n")
    into = read(load.Load(str(tmp_path / "loadavg"), str(tmp_path / "uptime")))
    assert value(into, "system.load_average_1m") == 2.34
    assert value(into, "system.uptime_s") == 12340


def test_network_rates_need_two_samples_and_leave_the_loopback_out(tmp_path):
    file = tmp_path / "dev"
    head = "Inter-|\n face |bytes\n"
    file.write_text(
        head + "    lo: 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9\n"
        "  eth0:1000 1 0 0 0 0 0 0 500 1 0 0 0 0 0 0\n"
    )
    collector = network.Network(str(file))
    assert read(collector).values == {}
    file.write_text(
        head + "  eth0:3000 1 4 0 0 0 0 0 500 1 2 0 0 0 0 0\n"
        "  veth1:1 1 4 0 0 0 0 0 500 1 2 0 0 0 0 0\n"
    )
    into = read(collector, 2)
    assert into.values == {
        ("system.network_rx_bytes_per_s", "eth0"): 1000,
        ("system.network_tx_bytes_per_s", "eth0"): 0,
        ("system.network_errors_per_s", "eth0"): 3,
    }


def test_a_counter_that_started_again_gives_no_negative_rate(tmp_path):
    file = tmp_path / "dev"
    file.write_text("\n\neth0:3000 1 4 0 0 0 0 0 500 1 2 0 0 0 0 0\n")
    collector = network.Network(str(file))
    read(collector)
    file.write_text("\n\neth0:10 1 0 0 0 0 0 0 5 1 0 0 0 0 0 0\n")
    assert min(read(collector, 1).values.values()) == 0


def test_mounts_are_real_local_writable_disks_once_each():
    table = rb"""proc /proc proc rw 0 0
/dev/vda1 / ext4 rw,relatime 0 0
/dev/vda1 /var/lib/docker/bind ext4 rw 0 0
/dev/vdb /srv/my\040data xfs rw 0 0
/dev/vdc /ro ext4 ro 0 0
tmpfs /dev/shm tmpfs rw 0 0
tmpfs /run tmpfs rw 0 0
tmpfs /tmp tmpfs rw 0 0
tmpfs /srv/t tmpfs rw 0 0
overlay /var/lib/docker/overlay2/x/merged overlay rw 0 0
server:/export /mnt/nfs nfs4 rw 0 0
x /mnt/fuse fuse.sshfs rw 0 0
/dev/loop0 /snap/x squashfs ro 0 0
broken
"""
    assert disks.mounted(table) == ["/", "/srv/my data", "/tmp", "/srv/t"]


def test_the_root_of_a_container_counts():
    assert disks.mounted(b"overlay / overlay rw 0 0\n") == ["/"]


def test_disks_of_this_host_give_three_readings_each():
    into = read(disks.Disks())
    for subject in {subject for _, subject in into.values}:
        assert 0 <= into.values["system.disk_usage_percent", subject] <= 100
        assert into.values["system.disk_free_bytes", subject] >= 0


def process(root, pid, name, *, state="S", ticks=0, start=5, pages=10):
    folder = root / str(pid)
    folder.mkdir(exist_ok=True)
    fields = [state, *["0"] * 10, str(ticks), "0", *["0"] * 6, str(start), "0", str(pages), "0 0"]
    (folder / "stat").write_text(f"{pid} ({name}) " + " ".join(fields))
    (folder / "statm").write_text(f"100 {pages} 1 1 0 1 0")


def test_processes_are_counted_and_the_busiest_and_biggest_named(tmp_path):
    (tmp_path / "self").mkdir()
    process(tmp_path, 1, "init", pages=5)
    process(tmp_path, 2, "we) ird (x", pages=7, ticks=100)
    process(tmp_path, 3, "gone", state="Z", pages=0)
    collector = processes.Processes(1, str(tmp_path))
    read(collector)
    process(tmp_path, 1, "init", pages=5, ticks=5)
    process(tmp_path, 2, "we) ird (x", pages=7, ticks=100 + os.sysconf("SC_CLK_TCK"))
    into = read(collector, 2)
    assert value(into, "system.processes") == 3
    assert value(into, "system.zombies") == 1
    assert [(use.pid, use.name, use.cpu_percent) for use in into.top_cpu] == [(2, "we) ird (x", 50)]
    assert [use.pid for use in into.top_memory] == [2]
    assert into.top_memory[0].memory_bytes == pytest.approx(7 * os.sysconf("SC_PAGESIZE"), rel=0.01)


def test_a_process_id_that_was_given_again_is_not_charged_for_the_old_one(tmp_path):
    process(tmp_path, 2, "old", ticks=100, start=5)
    collector = processes.Processes(5, str(tmp_path))
    read(collector)
    process(tmp_path, 2, "new", ticks=900, start=6)
    assert read(collector, 1).top_cpu == []


def test_a_process_name_cannot_carry_a_terminal_escape(tmp_path):
    process(tmp_path, 2, "a\x1b[31m\nb")
    use = read(processes.Processes(5, str(tmp_path))).top_memory[0]
    assert use.name.isprintable()


# Walks and volumes


def walked(root, **limits):
    finding = directory_walk.Walk(str(root), **limits).advance(10**6, time.monotonic_ns() + SECOND)
    assert finding is not None
    return finding


def test_a_walk_sums_what_is_below_and_names_the_biggest(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "big").write_bytes(bytes(5000))
    (tmp_path / "small").write_bytes(bytes(10))
    finding = walked(tmp_path)
    assert finding.total_bytes == 5010
    assert list(finding.biggest) == [str(tmp_path / "a" / "big"), str(tmp_path / "small")]


def test_a_directory_of_many_small_files_is_named_itself(tmp_path):
    for number in range(10):
        (tmp_path / str(number)).write_bytes(bytes(100))
    assert next(iter(walked(tmp_path).biggest.items())) == (f"{tmp_path}/", 1000)


def test_links_are_not_followed_and_devices_not_entered(tmp_path):
    outside = tmp_path / "outside"
    inside = tmp_path / "inside"
    outside.mkdir()
    inside.mkdir()
    (outside / "big").write_bytes(bytes(9000))
    (inside / "link").symlink_to(outside)
    (inside / "file").symlink_to(outside / "big")
    os.mkfifo(inside / "pipe")
    finding = walked(inside)
    assert (finding.total_bytes, finding.unread) == (0, 0)


def test_a_directory_that_becomes_a_link_meanwhile_is_not_followed(tmp_path):
    outside, inside = tmp_path / "outside", tmp_path / "inside"
    outside.mkdir()
    (outside / "big").write_bytes(bytes(9000))
    (inside / "sub").mkdir(parents=True)
    walk = directory_walk.Walk(str(inside))
    late = time.monotonic_ns() + 10 * SECOND
    assert walk.advance(1, late) is None
    (inside / "sub").rmdir()
    (inside / "sub").symlink_to(outside)
    finding = walk.advance(100, late)
    assert (finding.total_bytes, finding.unread) == (0, 1)


def test_holes_do_not_count(tmp_path):
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(1 << 40)
    assert walked(tmp_path).total_bytes < 1 << 20


def test_a_walk_stops_at_its_limits_and_goes_on(tmp_path):
    for number in range(20):
        (tmp_path / f"d{number}").mkdir()
        (tmp_path / f"d{number}" / "f").write_bytes(bytes(100))
    walk = directory_walk.Walk(str(tmp_path))
    late = time.monotonic_ns() + 10 * SECOND
    slices = 0
    while (finding := walk.advance(5, late)) is None:
        slices += 1
    assert slices > 2
    assert finding.total_bytes == 2000
    assert directory_walk.Walk(str(tmp_path)).advance(5, 0) is None


def watched(path, budget, **limits):
    volume = settings.Volume(str(path), budget)
    return volumes.Volumes((volume,), settings.Limits(**limits))


def test_a_directory_with_a_budget_counts_as_a_volume(tmp_path):
    (tmp_path / "f").write_bytes(bytes(850))
    into = read(watched(tmp_path, 1000))
    assert value(into, "system.disk_usage_percent", str(tmp_path)) == 85
    assert value(into, "system.disk_free_bytes", str(tmp_path)) == 150
    assert [use.path for use in into.top_paths[str(tmp_path)]] == [str(tmp_path / "f")]


def test_a_volume_with_room_names_no_paths(tmp_path):
    (tmp_path / "f").write_bytes(bytes(10))
    assert read(watched(tmp_path, 1000)).top_paths == {}


def test_growth_is_told_per_hour_also_of_a_file_that_is_new(tmp_path):
    (tmp_path / "f").write_bytes(bytes(8000))
    collector = watched(tmp_path, 10_000)
    read(collector)
    (tmp_path / "f").write_bytes(bytes(8500))
    (tmp_path / "new").write_bytes(bytes(500))
    uses = read(collector, 1).top_paths[str(tmp_path)]
    assert [use.path for use in uses] == [str(tmp_path / "f"), str(tmp_path / "new")]
    assert all(use.growth_bytes_per_hour > 500 for use in uses)


def test_a_disk_that_fills_up_has_its_paths_named_and_one_that_does_not_is_not_walked(tmp_path):
    (tmp_path / "f").write_bytes(bytes(10))
    collector = volumes.Volumes((), settings.Limits())
    into = reading()
    into.values["system.disk_usage_percent", str(tmp_path)] = 50.0
    collector.read(into)
    assert into.top_paths == {}
    into.values["system.disk_usage_percent", str(tmp_path)] = 81.0
    collector.read(into)
    assert [use.path for use in into.top_paths[str(tmp_path)]] == [str(tmp_path / "f")]


@pytest.mark.parametrize(("percent", "is_seen"), [(81.5, False), (96.0, True)])
def test_a_large_volume_is_walked_again_at_once_where_what_is_used_has_moved(
    tmp_path, percent, is_seen
):
    for number in range(150):  # more than one sample looks at, so that it rests between two walks
        (tmp_path / f"d{number}").mkdir()
        (tmp_path / f"d{number}" / "f").write_bytes(bytes(10))
    collector = volumes.Volumes((), settings.Limits(walk_entries=100, walk_ms=1000))

    def read_often(used):
        for _ in range(10):
            into = reading()
            into.values["system.disk_usage_percent", str(tmp_path)] = used
            collector.read(into)
        return [use.path for use in into.top_paths[str(tmp_path)]]

    assert read_often(81.0)
    (tmp_path / "new").write_bytes(bytes(10_000))
    assert (str(tmp_path / "new") in read_often(percent)) == is_seen


def test_a_volume_that_is_missing_is_an_error_and_the_others_are_read(tmp_path):
    both = (settings.Volume(str(tmp_path / "no"), 5), settings.Volume(str(tmp_path), 1000))
    into = reading()
    with pytest.raises(FileNotFoundError):
        volumes.Volumes(both, settings.Limits()).read(into)
    assert value(into, "system.disk_usage_percent", str(tmp_path)) == 0
