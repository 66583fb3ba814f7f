"""Pressure, disks at work, kernel tables, TCP, clock and certificates, on recorded texts."""

import subprocess
from datetime import UTC, datetime, timedelta

import pytest

from sentienguard.agent import collectors, controls
from sentienguard.agent.collectors import (
    certificates,
    clock,
    disk_io,
    kernel_tables,
    pressure,
    rates,
    transport,
)

SECOND = 10**9


def read(collector, seconds=1.0, at_ms=None):
    moment = int(seconds * 1000) if at_ms is None else at_ms
    into = collectors.Reading(int(seconds * SECOND), moment)
    collector.read(into)
    return into.values


def test_growth_leaves_out_what_is_new_or_began_again():
    growth = rates.Growth()
    assert growth.since({"a": 5, "b": 9}, 1 * SECOND) == (0.0, {})
    assert growth.since({"a": 7, "b": 2, "c": 1}, 3 * SECOND) == (2.0, {"a": 2})
    assert growth.since({"a": 8}, 3 * SECOND) == (0.0, {})


def stall(folder, resource, some, full):
    (folder / resource).write_text(
        f"some avg10=0.00 avg60=0.00 avg300=0.00 total={some}\n"
        f"full avg10=0.00 avg60=0.00 avg300=0.00 total={full}\n"
    )


def test_pressure_is_the_share_of_the_time_since_the_sample_before(tmp_path):
    for resource in ("cpu", "memory", "io"):
        stall(tmp_path, resource, 1_000_000, 0)
    collector = pressure.Pressure(str(tmp_path))
    assert read(collector, 10) == {}
    stall(tmp_path, "cpu", 2_000_000, 77)
    stall(tmp_path, "io", 1_500_000, 250_000)
    assert read(collector, 20) == {
        ("system.pressure_percent", "cpu"): 10.0,
        ("system.pressure_percent", "memory"): 0.0,
        ("system.pressure_full_percent", "memory"): 0.0,
        ("system.pressure_percent", "io"): 5.0,
        ("system.pressure_full_percent", "io"): 2.5,
    }


def test_a_kernel_without_pressure_gives_nothing_and_does_not_fail(tmp_path):
    assert read(pressure.Pressure(str(tmp_path / "none"))) == {}


def disk(name, *, reads=0, read_sectors=0, read_ms=0, writes=0, written=0, write_ms=0, busy=0):
    return (
        f" 8 0 {name} {reads} 0 {read_sectors} {read_ms} {writes} 0 {written} {write_ms}"
        f" 0 {busy} 0\n"
    )


def test_disks_show_latency_use_and_traffic_and_no_partitions(tmp_path):
    file = tmp_path / "diskstats"
    file.write_text(
        disk("sda", reads=1) + disk("sda1", reads=1) + disk("nvme0n1", writes=1)
        + disk("nvme0n1p2", writes=1) + disk("loop0", reads=4) + disk("sdb") + disk("dm-1", reads=1)
    )  # fmt: skip
    collector = disk_io.DiskIo(str(file))
    assert read(collector, 10) == {}
    file.write_text(
        disk("sda", reads=11, read_sectors=40, read_ms=300, writes=10, write_ms=100, busy=2500)
        + disk("nvme0n1", writes=1)
    )
    assert read(collector, 20) == {
        ("system.disk_latency_ms", "sda"): 20.0,
        ("system.disk_busy_percent", "sda"): 25.0,
        ("system.disk_read_bytes_per_s", "sda"): 2050.0,
        ("system.disk_write_bytes_per_s", "sda"): 0.0,
        ("system.disk_busy_percent", "nvme0n1"): 0.0,
        ("system.disk_read_bytes_per_s", "nvme0n1"): 0.0,
        ("system.disk_write_bytes_per_s", "nvme0n1"): 0.0,
    }


def test_a_disk_whose_counters_began_again_is_left_out_once(tmp_path):
    file = tmp_path / "diskstats"
    file.write_text(disk("sda", reads=100, busy=50))
    collector = disk_io.DiskIo(str(file))
    read(collector, 10)
    file.write_text(disk("sda", reads=1, busy=60))
    assert read(collector, 20) == {}
    assert ("system.disk_busy_percent", "sda") in read(collector, 30)


def tables(root, *, files="900 100 1000", tracked=None, kills=0):
    (root / "sys/fs").mkdir(parents=True, exist_ok=True)
    (root / "sys/fs/file-nr").write_text(files)
    (root / "vmstat").write_text(f"nr_free_pages 7\noom_kill {kills}\nswap_ra 1\n")
    if tracked is not None:
        folder = root / "sys/net/netfilter"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "nf_conntrack_count").write_text(f"{tracked}\n")
        (folder / "nf_conntrack_max").write_text("200\n")


def test_kernel_tables_are_shares_of_their_limits(tmp_path):
    tables(tmp_path)
    collector = kernel_tables.KernelTables(str(tmp_path))
    assert read(collector, 1) == {("system.open_files_percent", ""): 80.0}
    tables(tmp_path, tracked=150, kills=2)
    assert read(collector, 2) == {
        ("system.open_files_percent", ""): 80.0,
        ("system.conntrack_percent", ""): 75.0,
        ("system.oom_kills", ""): 2,
    }
    assert read(collector, 3)["system.oom_kills", ""] == 0


def network_tables(root, sent, again, dropped):
    (root / "snmp").write_text(
        f"Ip: Forwarding\nIp: 1\nTcp: InSegs OutSegs RetransSegs\nTcp: 7 {sent} {again}\n"
    )
    (root / "netstat").write_text(
        f"TcpExt: ListenOverflows ListenDrops\nTcpExt: 0 {dropped}\nIpExt: A\nIpExt: 1\n"
    )


def test_transport_gives_retransmissions_drops_and_links(tmp_path):
    net = tmp_path / "net"
    for name, state in (("eth0", "up"), ("eth1", "down"), ("tun0", "unknown"), ("lo", "unknown")):
        (net / name).mkdir(parents=True)
        (net / name / "operstate").write_text(f"{state}\n")
    (net / "bonding_masters").write_text("")
    links = {
        ("system.interface_up", "eth0"): 1,
        ("system.interface_up", "eth1"): 0,
        ("system.interface_up", "tun0"): 1,
    }
    network_tables(tmp_path, 1000, 10, 4)
    collector = transport.Transport(str(tmp_path), str(net))
    assert read(collector, 10) == links
    network_tables(tmp_path, 1200, 20, 24)
    assert read(collector, 20) == links | {
        ("system.tcp_retransmit_percent", ""): 5.0,
        ("system.listen_drops_per_s", ""): 2.0,
    }
    network_tables(tmp_path, 1210, 30, 24)
    assert ("system.tcp_retransmit_percent", "") not in read(collector, 30)


@pytest.mark.parametrize(
    "make",
    [
        lambda root: pressure.Pressure(str(root)),
        lambda root: disk_io.DiskIo(str(root / "diskstats")),
        lambda root: kernel_tables.KernelTables(str(root)),
        lambda root: transport.Transport(str(root), str(root)),
    ],
)
@pytest.mark.parametrize("text", ["x\n", "some total=z\n", "Tcp: a b\nTcp: 1\n"])
def test_a_text_that_is_not_understood_is_an_error_and_adds_nothing(tmp_path, make, text):
    tables(tmp_path, files=text)
    for name in ("cpu", "memory", "io", "diskstats", "snmp", "netstat"):
        (tmp_path / name).write_text(text)
    into = collectors.Reading(SECOND, 1000)
    with pytest.raises((ValueError, IndexError)):
        make(tmp_path).read(into)
    assert into.values == {}


def test_a_clock_that_was_set_shows_by_how_much():
    collector = clock.Clock()
    first = read(collector, 10, at_ms=1_000_000)
    assert ("system.clock_step_s", "") not in first
    assert first["system.clock_synchronised", ""] in {0, 1}
    assert 0 <= first["system.clock_error_s", ""] <= 3600
    assert read(collector, 20, at_ms=1_010_003)["system.clock_step_s", ""] == 0
    assert read(collector, 30, at_ms=1_010_003 - 3_590_000)["system.clock_step_s", ""] == -3600.0
    assert read(collector, 40, at_ms=1_020_003 - 3_590_000)["system.clock_step_s", ""] == 0


@pytest.fixture(scope="module")
def pem(tmp_path_factory):
    """A real certificate of openssl, good for ten days."""
    folder = tmp_path_factory.mktemp("pem")
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=x"),
            *("-days", "10", "-keyout", folder / "key.pem", "-out", folder / "cert.pem"),
        ],
        check=True,
        capture_output=True,
    )
    return folder


def test_days_left_of_a_real_certificate_with_its_key_before_it(pem, tmp_path):
    both = tmp_path / "both.pem"
    both.write_bytes((pem / "key.pem").read_bytes() + (pem / "cert.pem").read_bytes())
    now = datetime.now(UTC)
    shown = subprocess.run(
        ["openssl", "x509", "-in", pem / "cert.pem", "-noout", "-enddate"],
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    assert datetime.fromtimestamp(
        certificates.first_end_ms(both.read_bytes(), "x") / 1000, UTC
    ).strftime("%b %e %H:%M:%S %Y") in shown.replace("notAfter=", "")
    collector = certificates.Certificates((str(both),))
    at_ms = int(now.timestamp() * 1000)
    assert read(collector, at_ms=at_ms)["certificate.days_left", str(both)] == pytest.approx(
        10, 0.01
    )
    later = int((now + timedelta(days=11)).timestamp() * 1000)
    assert -1.1 < read(collector, at_ms=later)["certificate.days_left", str(both)] < -0.9


def test_a_certificate_of_a_service_is_known_by_its_name(pem):
    file = str(pem / "cert.pem")
    declared = {
        "web": {"certificate": controls.Control("certificate", "127.0.0.1:443", file=file)},
        "cache": {"redis": controls.Control("redis", "127.0.0.1:6379")},
    }
    values = read(certificates.Certificates((file,), declared))
    assert list(values) == [("certificate.days_left", "web")]


def test_one_bad_file_is_told_and_the_others_are_read(pem, tmp_path):
    bad = tmp_path / "bad.pem"
    bad.write_text("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n")
    collector = certificates.Certificates((str(bad), str(pem / "cert.pem")))
    into = collectors.Reading(SECOND, 1000)
    with pytest.raises(ValueError, match=r"X\.509|base64|padding"):
        collector.read(into)
    assert list(into.values) == [("certificate.days_left", str(pem / "cert.pem"))]


def test_a_certificate_written_anew_is_read_again(pem, tmp_path):
    file = tmp_path / "c.pem"
    file.write_text("nothing here")
    collector = certificates.Certificates((str(file),))
    with pytest.raises(ValueError, match="found none"):
        read(collector)
    file.write_bytes((pem / "cert.pem").read_bytes())
    assert len(read(collector)) == 1


@pytest.mark.parametrize("cut", range(0, 400, 7))
def test_a_cut_certificate_is_refused(pem, cut):
    lines = (pem / "cert.pem").read_bytes().splitlines()
    body = b"".join(lines[1:-1])[: cut - cut % 4]
    text = b"-----BEGIN CERTIFICATE-----\n" + body + b"\n-----END CERTIFICATE-----\n"
    with pytest.raises(ValueError, match=r"."):
        certificates.first_end_ms(text, "x")
