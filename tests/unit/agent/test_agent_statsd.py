"""StatsD and DogStatsD: what a message becomes, what is bounded, and a real socket under load."""

import math
import socket
import threading
import time

import hypothesis
import hypothesis.strategies as st
import pytest

from sentienguard.agent import collectors
from sentienguard.agent.collectors.statsd import aggregates, receiver
from sentienguard.stages.observe import payload

SECOND = 10**9


def taken(*datagrams, seconds=10):
    heap = aggregates.Aggregates()
    for datagram in datagrams:
        heap.add(datagram)
    dropped = dict(heap.dropped)
    return heap.take(seconds), dropped


@pytest.mark.parametrize(
    ("datagram", "readings"),
    [
        (b"web.hits:3|c\nweb.hits:2|c", {("statsd.web_hits_per_s", ""): 0.5}),
        (b"web.hits:1|c|@0.1", {("statsd.web_hits_per_s", ""): 1.0}),
        (b"web.hits:1:2:3|c|#env:prod,az:a", {("statsd.web_hits_per_s", "env:prod,az:a"): 0.6}),
        (b"queue:7|g\nqueue:+3|g\nqueue:-1|g", {("statsd.queue", ""): 9}),
        (
            b"t:10|ms\nt:20|ms\nt:90|ms",
            {
                ("statsd.t_per_s", ""): 0.3,
                ("statsd.t_mean", ""): 40,
                ("statsd.t_p95", ""): 90,
                ("statsd.t_max", ""): 90,
            },
        ),
        (
            b"t:5|h|@0.5",
            {
                ("statsd.t_per_s", ""): 0.2,
                ("statsd.t_mean", ""): 5,
                ("statsd.t_p95", ""): 5,
                ("statsd.t_max", ""): 5,
            },
        ),
        (b"u:ann|s\nu:bob|s\nu:ann|s", {("statsd.u_distinct", ""): 2}),
        (b"_sc|db.up|2|#host:x|m:down", {("statsd.db_up_status", "host:x"): 2}),
        (b"Web-Hits/Total:1|c|c:container|T1656581400", {("statsd.web_hits_total_per_s", ""): 0.1}),
    ],
)
def test_messages_become_readings(datagram, readings):
    found, dropped = taken(datagram)
    assert found == pytest.approx(readings)
    assert dropped == {}


@pytest.mark.parametrize(
    ("datagram", "reason"),
    [
        (b"no type", "not understood"),
        (b"a:1", "not understood"),
        (b"a:1|q", "not understood"),
        (b":1|c", "not understood"),
        (b"a:1|c|@0", "not understood"),
        (b"a:1|c|@2", "not understood"),
        (b"a:1|c|@x", "not understood"),
        (b"_e{5,4}:title|text", "not understood"),
        (b"_sc|x|9", "not understood"),
        (b"a:x|c", "not a number"),
        (b"a:nan|g", "not a number"),
        (b"a:inf|ms", "not a number"),
        (b"a:1_0|c", "not a number"),
        (b"n" * 201 + b":1|c", "name too long"),
        (b"a:1|c|#" + b"t" * 201, "name too long"),
        (b"\xff\x00\x1b[2J", "not understood"),
    ],
)
def test_what_cannot_be_taken_is_counted_by_reason(datagram, reason):
    found, dropped = taken(datagram + b"\nfine:1|c")
    assert dropped == {reason: 1}
    assert found["statsd.fine_per_s", ""] == 0.1


def test_a_counter_that_falls_silent_says_zero_once_and_is_forgotten():
    heap = aggregates.Aggregates()
    heap.add(b"a:1|c\nb:1|g")
    assert heap.take(1)["statsd.a_per_s", ""] == 1
    assert heap.take(1) == {("statsd.a_per_s", ""): 0, ("statsd.b", ""): 1}
    assert heap.take(1) == {("statsd.b", ""): 1}


def test_the_number_of_series_is_bounded_and_a_forgotten_one_makes_room():
    heap = aggregates.Aggregates()
    for number in range(aggregates.MOST_SERIES + 7):
        heap.add(b"n%d:1|c" % number)
    assert heap.dropped == {"too many series": 7}
    heap.take(1)
    heap.take(1)
    heap.add(b"other:1|c")
    assert heap.dropped == {}


def test_a_set_is_bounded():
    heap = aggregates.Aggregates()
    for number in range(aggregates.MOST_MEMBERS + 5):
        heap.add(b"s:%d|s" % number)
    assert heap.dropped == {"too many members": 5}
    assert heap.take(1)["statsd.s_distinct", ""] == aggregates.MOST_MEMBERS


def test_a_busy_timer_keeps_few_values_and_stays_close():
    heap = aggregates.Aggregates()
    for number in range(100_000):
        heap.add(b"t:%d|ms" % (number % 1000))
    found = heap.take(10)
    assert found["statsd.t_per_s", ""] == 10_000
    assert found["statsd.t_mean", ""] == 499.5
    assert found["statsd.t_max", ""] == 999
    assert found["statsd.t_p95", ""] == pytest.approx(950, rel=0.05)


@hypothesis.given(st.lists(st.binary(max_size=80), max_size=30))
def test_whatever_is_sent_the_readings_are_ones_that_a_sample_may_hold(datagrams):
    found, _ = taken(*datagrams)
    for (metric, _subject), value in found.items():
        assert payload._METRIC.fullmatch(metric)
        assert math.isfinite(value)


@pytest.fixture
def socket_file(tmp_path):
    return tmp_path / "s"


@pytest.fixture
def statsd(socket_file):
    running = receiver.Statsd(socket_file)
    yield running
    running.close()
    assert not socket_file.exists()


def reading(collector):
    into = collectors.Reading(time.monotonic_ns(), 0)
    collector.read(into)
    return into.values


def send(path, count, together):
    message = b"\n".join(b"hits.%d:1|c|#route:/a" % (number % 20) for number in range(together))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
        client.connect(str(path))
        for _ in range(count // together):
            client.send(message)


@pytest.mark.parametrize("together", [1, 20])
def test_every_message_of_four_busy_programs_is_counted(statsd, socket_file, together):
    reading(statsd)
    began = time.monotonic()
    count = 20_000
    clients = [threading.Thread(target=send, args=(socket_file, count, together)) for _ in range(4)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    total, until = 0.0, time.monotonic() + 20
    while round(total) < 4 * count and time.monotonic() < until:
        before_ns = statsd._before_ns
        values = reading(statsd)
        seconds = (statsd._before_ns - before_ns) / SECOND
        rates = [value for (name, _), value in values.items() if name.startswith("statsd.hits")]
        total += sum(rates) * seconds
        assert ("agent.statsd_dropped_per_s", "not understood") not in values
    assert total == pytest.approx(4 * count, rel=0.001)
    assert time.monotonic() - began < 60


def test_a_socket_that_was_left_behind_is_replaced_and_another_file_is_not(socket_file, tmp_path):
    left = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    left.bind(str(socket_file))
    left.close()
    receiver.Statsd(socket_file).close()
    other = tmp_path / "precious"
    other.write_text("data")
    with pytest.raises(FileExistsError, match="expected a socket"):
        receiver.Statsd(other)
    assert other.read_text() == "data"


def test_other_users_may_send(statsd, socket_file):
    assert socket_file.stat().st_mode & 0o777 == 0o666
