"""What every host promises of facts, of health addresses and of logs."""

import socket
import time
from datetime import UTC, datetime, timedelta

import pytest

from sentienguard.ports import facts, http_probe, log_reader
from tests.contract import host_ports


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
    host_ports.fill(host, "a", size=900_000)
    assert host.facts.measure("disk_usage", {"mount": str(host.volume)}) == pytest.approx(90)
    assert host.facts.measure("service_status", {"service": "web"}) == "stopped"
    assert host.facts.measure("http_status", {"service": "web"}) == 0
    assert host.facts.measure("process_alive", {"pid": str(sleeper)}) is True
    assert host.facts.measure("process_alive", {"pid": "4194303"}) is False
    assert host.facts.measure("process_cpu", {"pid": str(sleeper)}) < 50


@pytest.mark.parametrize("name", ["no_such_fact", "service_status", "process_alive", "http_status"])
def test_an_unknown_fact_or_subject_is_refused(any_host, name):
    with pytest.raises(facts.UnknownFact):
        any_host.facts.measure(name, {})


def test_the_status_of_a_service_follows_it(any_host):
    for act, status in ((any_host.services.start, "running"), (any_host.services.stop, "stopped")):
        act("web", 10)
        assert host_ports.up(any_host) == (status == "running")
        assert any_host.facts.measure("service_status", {"service": "web"}) == status


@pytest.mark.parametrize("name", ["disk_usage", "memory_percent", "swap_percent", "zombies"])
def test_levels_are_numbers(any_host, name):
    assert float(any_host.facts.measure(name, {})) >= 0


def test_a_health_address_is_asked(host):
    host.services.start("web", 10)
    assert host_ports.up(host)
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


def test_a_log_that_is_not_there_has_no_end_and_no_lines(any_host):
    path = str(any_host.directory / "none")
    assert any_host.logs.mark(path) is None
    with pytest.raises(log_reader.LogUnreadable):
        any_host.logs.lines(path, since=datetime.now(UTC), after=None)


def test_where_nobody_listens_there_is_no_answer(any_host):
    answer = any_host.http.ask(f"http://127.0.0.1:{any_host.port}/", 2)
    assert (answer.status, bool(answer.detail)) == (0, True)


def test_a_log_that_cannot_be_read_is_said(host):
    since = datetime.now(UTC)
    for path in (host.directory / "none", host.directory):
        with pytest.raises(log_reader.LogUnreadable):
            host.logs.lines(str(path), since=since, after=None)
