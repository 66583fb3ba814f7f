"""The metric store on real files: durable, exact, threaded, bounded, and honest when damaged."""

import contextlib
import signal
import sqlite3
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from sentienguard.adapters.metric_blocks import codec, store
from sentienguard.model import errors
from sentienguard.model.ids import AgentId
from sentienguard.model.telemetry import Series
from sentienguard.ports import metric_store

pytestmark = pytest.mark.integration

START = datetime(2026, 2, 12, tzinfo=UTC)
AGENT = AgentId("8f9b")
CPU = Series("web-01", "system.cpu_percent")
VAR = Series("web-01", "system.disk_usage_percent", "/var")
FOREVER = datetime(2100, 1, 1, tzinfo=UTC)


@pytest.fixture
def metrics(tmp_path):
    opened = store.BlockStore(tmp_path / "metrics.db")
    yield opened
    opened.close()


def at(number, step_s=30):
    return START + timedelta(seconds=step_s * number)


def fill(metrics, count, first=0, series=(CPU, VAR)):
    for number in range(first, first + count):
        metrics.append(AGENT, at(number), [(one, round(number % 97 + 0.1, 1)) for one in series])


def everything(metrics, series=CPU):
    found = metrics.range(series, START - timedelta(days=400), FOREVER)
    return found.times_ms.tolist(), found.values.tolist()


@pytest.mark.parametrize("compactions", [0, 1, 3])
def test_what_was_appended_comes_back_whatever_is_compacted(metrics, compactions):
    for part in range(max(compactions, 1)):
        fill(metrics, 700, first=700 * part)
        for _ in range(compactions):
            metrics.compact()
    total = 700 * max(compactions, 1)
    times, values = everything(metrics)
    assert values == [round(number % 97 + 0.1, 1) for number in range(total)]
    assert times == [round(at(number).timestamp() * 1000) for number in range(total)]
    assert metrics.series("web-01") == (CPU, VAR)


def test_a_span_is_half_open_and_an_unknown_series_is_empty(metrics):
    fill(metrics, 600)
    metrics.compact()
    found = metrics.range(CPU, at(10), at(20))
    assert len(found) == 10
    assert found.times_ms[0] == round(at(10).timestamp() * 1000)
    assert len(metrics.range(Series("nobody", "x"), START, FOREVER)) == 0


def test_a_reading_of_the_same_moment_replaces_the_earlier_one(metrics):
    fill(metrics, 600)
    metrics.append(AGENT, at(599), [(CPU, 1.0)])  # still in the tail: the other series stays
    metrics.compact()
    metrics.append(AGENT, at(5), [(CPU, 2.0)])  # in a block already
    assert everything(metrics)[1][5] == 2.0
    assert everything(metrics, VAR)[1][599] == round(599 % 97 + 0.1, 1)
    fill(metrics, 600, first=600)
    metrics.compact()
    times, values = everything(metrics)
    assert (values[5], values[599]) == (2.0, 1.0)
    assert len(times) == len(set(times)) == 1200


def test_the_latest_reading_of_every_series_is_known(metrics):
    fill(metrics, 600)
    fill(metrics, 2, first=600, series=(CPU,))
    metrics.compact()
    assert metrics.latest("web-01") == {
        CPU: (at(601), round(601 % 97 + 0.1, 1)),
        VAR: (at(599), round(599 % 97 + 0.1, 1)),
    }
    assert metrics.latest("web-01", {CPU.metric}) == {CPU: metrics.latest("web-01")[CPU]}
    assert metrics.latest("web-01", ["no.such_metric"]) == {}
    assert metrics.latest("nobody") == {}


def test_many_small_blocks_become_few_large_ones(metrics, tmp_path):
    for part in range(9):
        fill(metrics, 260, first=260 * part)
        metrics.compact()
    with sqlite3.connect(tmp_path / "metrics.db") as raw:
        blocks = raw.execute("SELECT count(*) FROM blocks").fetchone()[0]
        clocks = raw.execute("SELECT count(*) FROM clocks").fetchone()[0]
    assert (blocks, clocks) <= (4, 2)
    assert len(everything(metrics)[0]) == 9 * 260


def test_a_store_opened_again_holds_the_same_and_goes_on(metrics, tmp_path):
    fill(metrics, 600)
    metrics.compact()
    again = store.BlockStore(tmp_path / "metrics.db")
    fill(again, 10, first=600)
    assert len(everything(again)[0]) == 610
    again.close()


def test_old_blocks_are_dropped_and_series_without_readings_with_them(metrics):
    gone = Series("web-01", "system.swap_percent")
    fill(metrics, 600, series=(CPU, gone))
    metrics.compact()
    fill(metrics, 600, first=100_000)
    metrics.compact()
    # The newest row had stayed in the tail: its block reaches over the time, so it stays whole.
    assert metrics.prune(at(50_000)) == 1199
    assert metrics.series("web-01") == (CPU, VAR)
    assert len(everything(metrics)[0]) == 601
    metrics.append(AGENT, at(200_000), [(gone, 3.0)])
    assert everything(metrics, gone)[1] == [3.0]


def test_a_reading_that_is_no_number_is_refused_and_nothing_of_its_sample_kept(metrics):
    with pytest.raises(errors.Rejected, match="cpu_percent is nan"):
        metrics.append(AGENT, at(0), [(VAR, 1.0), (CPU, float("nan"))])
    assert everything(metrics, VAR) == ([], [])


def test_a_full_store_says_so_keeps_what_it_has_and_works_again_with_room(tmp_path):
    small = store.BlockStore(tmp_path / "small.db", max_bytes=200_000)
    kept = 0
    many = [Series("web-01", f"queue.depth_{number}") for number in range(50)]
    with pytest.raises(metric_store.MetricStoreFull, match=r"small\.db is full"):  # noqa: PT012
        for number in range(2000):
            small.append(AGENT, at(number), [(one, number + 0.1) for one in many])
            kept += 1
    assert kept > 100
    assert everything(small, many[3])[1] == [number + 0.1 for number in range(kept)]
    with pytest.raises(errors.Unavailable):
        small.append(AGENT, at(9999), [(Series("other", f"new_{n}"), 1.0) for n in range(500)])
    assert small.series("other") == ()
    small.close()
    roomy = store.BlockStore(tmp_path / "small.db")
    roomy.append(AGENT, at(9999), [(Series("other", "new"), 1.0)])
    assert len(everything(roomy, Series("other", "new"))[0]) == 1
    roomy.close()


def test_a_file_that_is_no_store_is_broken_and_a_missing_directory_is_unavailable(tmp_path):
    (tmp_path / "bad.db").write_bytes(b"not a database, but long enough to be read as one" * 100)
    with pytest.raises(metric_store.MetricStoreDamaged, match=r"bad\.db"):
        store.BlockStore(tmp_path / "bad.db")
    with pytest.raises(metric_store.MetricStoreBusy, match="directory"):
        store.BlockStore(tmp_path / "no" / "where.db")


def test_a_damaged_block_is_reported_and_not_returned(metrics, tmp_path):
    fill(metrics, 600)
    metrics.compact()
    with sqlite3.connect(tmp_path / "metrics.db") as raw:
        raw.execute("UPDATE blocks SET readings = x'0102030405'")
    with pytest.raises(metric_store.MetricStoreDamaged):
        everything(metrics)


def test_threads_write_read_and_compact_at_once(metrics):
    failed = []

    def write(host):
        try:
            for number in range(600):
                metrics.append(AGENT, at(number), [(Series(host, "cpu"), float(number))])
        except Exception as error:  # noqa: BLE001  told by the main thread
            failed.append(error)

    def read(done):
        try:
            while not done.is_set():
                values = everything(metrics, Series("h0", "cpu"))[1]
                assert values == [float(number) for number in range(len(values))]
                metrics.compact()
        except Exception as error:  # noqa: BLE001  told by the main thread
            failed.append(error)

    done = threading.Event()
    writers = [threading.Thread(target=write, args=(f"h{number}",)) for number in range(3)]
    readers = [threading.Thread(target=read, args=(done,)) for _ in range(2)]
    for thread in (*writers, *readers):
        thread.start()
    for thread in writers:
        thread.join()
    done.set()
    for thread in readers:
        thread.join()
    assert not failed
    assert all(len(everything(metrics, Series(f"h{n}", "cpu"))[0]) == 600 for n in range(3))


WRITER = """
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from sentienguard.adapters.metric_blocks import store
from sentienguard.model.telemetry import Series
metrics = store.BlockStore(Path(sys.argv[1]))
for number in range(100_000):
    when = datetime(2026, 2, 12, tzinfo=UTC) + timedelta(seconds=30 * number)
    metrics.append("a", when, [(Series("h", "cpu"), number + 0.5)])
    print(number, flush=True)
    if number % 300 == 299:
        metrics.compact()
"""


@pytest.mark.parametrize("lines", [1, 350, 900])
def test_what_was_acknowledged_survives_kill_9(tmp_path, lines):
    path = tmp_path / "killed.db"
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True
    ) as writer:
        acknowledged = [int(writer.stdout.readline()) for _ in range(lines)]
        writer.send_signal(signal.SIGKILL)
        acknowledged += [int(line) for line in writer.stdout if line.endswith("\n")]
    reopened = store.BlockStore(path)
    values = everything(reopened, Series("h", "cpu"))[1]
    assert values[: len(acknowledged)] == [number + 0.5 for number in acknowledged]
    reopened.close()


@pytest.mark.property
@given(
    arrays.arrays(
        np.float64,
        st.integers(1, 40),
        elements=st.one_of(
            st.floats(allow_nan=False, allow_infinity=False),
            st.floats(0, 100).map(lambda value: round(value, 1)),
            st.sampled_from([0.0, -0.0, 1e-300, 2.0**53, 1e300]),
        ),
    )
)
def test_values_come_back_exactly_to_the_last_bit(values):
    back = codec.decode_values(codec.encode_values(values), len(values))
    assert back.tobytes() == values.tobytes()


@pytest.mark.property
@given(st.lists(st.integers(-(2**45), 2**45), min_size=1, max_size=40, unique=True).map(sorted))
def test_times_come_back_exactly(times):
    stored = codec.encode_times(np.array(times, dtype=np.int64))
    assert codec.decode_times(stored, len(times)).tolist() == times


@pytest.mark.property
@given(st.binary(max_size=60), st.integers(1, 50))
def test_any_bytes_are_readings_or_damage(stored, count):
    for decode in (codec.decode_values, codec.decode_times):
        with contextlib.suppress(metric_store.MetricStoreDamaged):
            assert len(decode(stored, count)) == count
