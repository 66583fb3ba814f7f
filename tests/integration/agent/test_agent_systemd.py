"""Units of systemd over a real bus, with somebody on it who answers as systemd does."""

import contextlib
import socket
import threading
import time

import pytest

from sentienguard.agent import collectors
from sentienguard.agent.collectors.systemd import units
from tests.servers import systemd_bus

pytestmark = pytest.mark.skipif(
    systemd_bus.missing() is not None, reason=str(systemd_bus.missing())
)


@pytest.fixture
def bus(tmp_path):
    with systemd_bus.running(tmp_path / "bus") as path:
        yield path


@pytest.fixture
def manager(bus):
    with contextlib.closing(systemd_bus.Manager(bus)) as found:
        yield found


@pytest.fixture
def watch():
    """Give units that leave the bus when the test ends."""
    with contextlib.ExitStack() as stack:
        yield lambda path: stack.enter_context(contextlib.closing(units.Units(path)))


def sample(seen):
    """Take one sample, as the sampler does."""
    seen.prepare()
    into = collectors.Reading(time.monotonic_ns(), 0)
    seen.read(into)
    said = [(line.text.decode(), line.level) for line in seen.changes.read().lines]
    seen.changes.commit()
    return into.values, said


def until(seen, look, within_s=30, rest_s=0.1):
    """Take samples until one shows it; return everything that was said on the way."""
    said, end = [], time.monotonic() + within_s
    while True:
        values, news = sample(seen)
        said += news
        if look(values, said):
            return values, said
        assert time.monotonic() < end, (values, said)
        time.sleep(rest_s)  # units.PATIENCE samples are all that an answer may take


def answered(values, _said):
    return ("systemd.units_failed", "") in values


def test_what_had_failed_before_is_counted_and_named_without_alarm(bus, manager, watch):
    manager.failed = [("backup.service", "failed"), ("data.mount", "failed")]
    values, said = until(watch(bus), answered)
    assert values == {
        ("systemd.units_failed", ""): 2,
        ("systemd.unit_failed", "backup.service"): 1,
        ("systemd.unit_failed", "data.mount"): 1,
    }
    assert said == []


def test_only_what_reads_is_called(bus, manager, watch):
    seen = watch(bus)
    until(seen, answered)
    until(seen, lambda *_: len(manager.asked) > 4)
    assert set(manager.asked) == {"Subscribe", "ListUnitsFiltered"}


def test_each_change_is_told_once(bus, manager, watch):
    seen = watch(bus)
    until(seen, answered)
    for active, sub in (
        ("deactivating", "stop-sigterm"),
        ("failed", "failed"),
        ("failed", "failed"),
        ("activating", "auto-restart"),
        ("activating", "start"),
        ("active", "running"),
    ):
        manager.change("nginx.service", active, sub)
    manager.change("dev-sda.device", "failed", "dead")
    manager.end_job("slow.service", "timeout")
    manager.end_job("nginx.service", "done")
    _, said = until(seen, lambda _, said: len(said) >= 4)
    assert said == [
        ("nginx.service failed (failed)", "error"),
        ("nginx.service ended and is started again (auto-restart)", "warning"),
        ("nginx.service is active (running)", "info"),
        ("slow.service: a job of it timed out", "error"),
    ]


def test_a_failure_that_no_signal_told_is_found_by_asking_and_ends_by_it(bus, manager, watch):
    seen = watch(bus)
    until(seen, answered)
    manager.failed = [("web.service", "failed")]
    values, said = until(seen, lambda values, _: values.get(("systemd.units_failed", "")) == 1)
    assert said == [("web.service failed (failed)", "error")]
    manager.failed = []
    values, _ = until(seen, lambda values, _: values.get(("systemd.units_failed", "")) == 0)
    assert values["systemd.unit_failed", "web.service"] == 0


def test_what_a_stranger_says_on_the_bus_counts_for_nothing(bus, manager, watch):
    seen = watch(bus)
    until(seen, answered)
    stranger = systemd_bus.Peer(bus)
    with contextlib.closing(stranger):
        listener = stranger_s_view_of(seen)
        systemd_bus.changed_unit(stranger, "sshd.service", "failed", "failed")
        systemd_bus.changed_unit(stranger, "sshd.service", "failed", "failed", to=listener)
        manager.change("true.service", "failed", "failed")
        _, said = until(seen, lambda _, said: said)
    time.sleep(0.1)
    assert [*said, *sample(seen)[1]] == [("true.service failed (failed)", "error")]


def stranger_s_view_of(seen):
    """Return the unique name of the collector: connections are numbered as they come."""
    owner = int(seen._owner.partition(".")[2])
    return f":1.{owner + 1}"


def test_systemd_that_begins_anew_is_asked_anew(bus, watch):
    seen = watch(bus)
    with contextlib.closing(systemd_bus.Manager(bus)):
        until(seen, answered)
    until(seen, lambda values, _: not values)
    with contextlib.closing(systemd_bus.Manager(bus)) as again:
        again.failed = [("web.service", "failed")]
        until(seen, lambda values, _: values.get(("systemd.units_failed", "")) == 1)


def test_systemd_that_does_not_answer_is_said_and_tried_again(bus, watch):
    with contextlib.closing(systemd_bus.Manager(bus)) as manager:
        manager.mute = True
        seen = watch(bus)
        with pytest.raises(OSError, match="did not answer"):
            until(seen, lambda *_: False)
        manager.mute = False
        until(seen, answered)


def test_a_bus_without_systemd_is_silent(bus, watch):
    seen = watch(bus)
    for _ in range(20):
        assert sample(seen) == ({}, [])
        time.sleep(0.01)


def test_a_host_without_a_bus_is_silent_until_there_is_one(tmp_path, watch):
    seen = watch(str(tmp_path / "bus" / "bus"))
    assert sample(seen) == ({}, [])
    with (
        systemd_bus.running(tmp_path / "bus") as path,
        contextlib.closing(systemd_bus.Manager(path)),
    ):
        until(seen, answered)
    with pytest.raises(OSError, match=r"ended the connection|took no more"):
        until(seen, lambda *_: False)
    assert sample(seen) == ({}, [])


@pytest.mark.parametrize(
    "said",
    [
        b"REJECTED EXTERNAL\r\n",
        b"OK 1234\r\n" + b"no message of D-Bus whatsoever",
        b"OK 1234\r\n" + b"l\4\0\1" + b"\xff" * 12,
        b"x" * 10_000,
        b"",
    ],
)
def test_something_else_at_the_socket_ends_in_a_clear_error(tmp_path, said, watch):
    path = tmp_path / "bus"
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as server:
        server.bind(str(path))
        server.listen()

        def answer():
            with contextlib.closing(server.accept()[0]) as peer:
                peer.sendall(said)
                peer.recv(10_000) if said else None
                time.sleep(0.3)

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(OSError, match=r"the bus|did not answer"):
            until(watch(str(path)), lambda *_: False)
        thread.join()


def test_a_flood_costs_one_sample_little_memory(bus, manager, watch):
    seen = watch(bus)
    until(seen, answered)
    for number in range(3000):
        manager.change(f"job-{number % 700}.service", ("failed", "active")[number % 2], "dead")
    until(seen, lambda _, said: len(said) > units.MOST_LINES, rest_s=0)
    assert len(seen._states) <= 700
