"""The port: transactions, threads and errors. See the package's charter for the layout.

Rules, cited below by number:

1. One writer at a time, under a lock; each thread reads through a connection of its own.
2. A read is one transaction, so that compaction between its two halves is not seen.
3. What is known of a transaction in memory is taken over after its commit, never before.
4. A reading in the tail replaces one of the same moment in a block; compaction merges them.
5. The newest row of each host stays in the tail, so that `latest` does not open every block.
"""

import contextlib
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from sentienguard.adapters.metric_blocks import codec, faults, queries
from sentienguard.adapters.metric_blocks.codec import Floats, Ints
from sentienguard.model.ids import AgentId
from sentienguard.model.telemetry import Series
from sentienguard.ports.metric_store import MetricStore, Readings

_TAIL_ROWS = 512  # samples of one host before they become blocks ...
_TAIL_MS = 2 * 3_600_000  # ... or the time they span, whichever comes first
_SMALL = 2048  # readings below which a block may be folded into a larger one
_FOLD = 8  # that many small blocks of a series are folded together
_LARGEST = 4096  # readings of a block; a week of one series is then read from five blocks
_PAGE = 4096  # bytes, SQLite's default
_BUSY_S = 10.0  # wait for another process that holds the file


class BlockStore(MetricStore):
    """Metric store in one SQLite file."""

    def __init__(self, path: Path, *, max_bytes: int | None = None) -> None:
        """Open or create the file; `max_bytes` bounds it below the size of its disk.

        Raises MetricStoreBusy where it cannot be opened, MetricStoreDamaged where it is no store.
        """
        self._path = path
        self._writing = threading.Lock()  # rule 1
        self._local = threading.local()
        self._open: list[sqlite3.Connection] = []
        self._series_ids: dict[Series, int] = {}
        self._shapes: dict[bytes, int] = {}  # series numbers as bytes -> shape
        self._places: dict[int, dict[int, int]] = {}  # shape -> series number -> position
        with faults.translated(path):
            self._writer = self._connect()
            self._writer.execute("PRAGMA journal_mode=WAL").fetchone()
            if max_bytes is not None:
                self._writer.execute(f"PRAGMA max_page_count={max(max_bytes // _PAGE, 1)}")
            self._writer.executescript(queries.SCHEMA)
            self._load()

    def close(self) -> None:
        """Close every connection; the store is of no use afterwards."""
        with self._writing:
            for connection in self._open:
                connection.close()
            self._open.clear()

    def append(
        self, agent: AgentId, sample_at: datetime, values: Sequence[tuple[Series, float]]
    ) -> None:
        """Keep the readings of one moment; see the port."""
        del agent  # a reading belongs to its series; the mark is what belongs to an agent
        at_ms = _ms(sample_at)
        by_host: dict[str, dict[Series, float]] = {}
        for series, value in values:
            faults.check_finite(series, value)
            by_host.setdefault(series.host, {})[series] = value
        new_series: dict[Series, int] = {}
        new_shapes: dict[bytes, int] = {}
        with self._transaction() as write:
            for host, readings in by_host.items():
                numbered = {
                    self._series_id(write, series, new_series): value
                    for series, value in readings.items()
                }
                earlier = write.execute(queries.TAIL_ROW, (host, at_ms)).fetchone()
                if earlier is not None:
                    numbered = self._unfolded(write, *earlier) | numbered
                ids = sorted(numbered)
                shape = self._shape_id(write, np.array(ids, dtype="<i4").tobytes(), new_shapes)
                row = np.array([numbered[one] for one in ids], dtype="<f8").tobytes()
                write.execute(queries.PUT_TAIL, (host, at_ms, shape, row))
        self._remember(new_series, new_shapes)

    def range(self, series: Series, start: datetime, end: datetime) -> Readings:
        """Return the readings with start <= time < end; see the port."""
        number = self._series_ids.get(series)
        if number is None:
            return _readings([], [])
        start_ms, end_ms = _ms(start), _ms(end)
        with self._reading() as read:
            blocks = read.execute(queries.BLOCKS_SPAN, (number, end_ms, start_ms)).fetchall()
            tail = read.execute(queries.TAIL_SPAN, (series.host, start_ms, end_ms)).fetchall()
        with faults.translated(self._path):
            parts = [_decoded(count, times, readings) for _, count, times, readings in blocks]
        parts.append(self._column(tail, number))
        times, values = _merged(parts)
        first, last = np.searchsorted(times, [start_ms, end_ms])
        return Readings(times[first:last], values[first:last])

    def latest(self, host: str) -> Mapping[Series, tuple[datetime, float]]:
        """Return the newest reading of each series of a host; see the port."""
        found: dict[Series, tuple[datetime, float]] = {}
        with self._reading() as read:
            names = {
                number: Series(host, metric, subject)
                for number, metric, subject in read.execute(queries.SERIES_OF_HOST, (host,))
            }
            missing = set(names)
            for at_ms, shape, row in read.execute(queries.TAIL_NEWEST, (host,)):
                if not missing:
                    break
                places = self._places_of(read, shape)
                for number in missing & places.keys():
                    (value,) = np.frombuffer(row, "<f8", 1, places[number] * 8).tolist()
                    found[names[number]] = (_time(at_ms), value)
                missing -= places.keys()
            for number in missing:
                block = read.execute(queries.LAST_BLOCK, (number,)).fetchone()
                if block is not None:
                    times, values = _decoded(*block)
                    found[names[number]] = (_time(int(times[-1])), float(values[-1]))
        return {series: found[series] for series in sorted(found)}

    def series(self, host: str) -> tuple[Series, ...]:
        """Return every series of a host, sorted; see the port."""
        with self._reading() as read:
            rows = read.execute(queries.SERIES_OF_HOST, (host,)).fetchall()
        return tuple(Series(host, metric, subject) for _, metric, subject in rows)

    def compact(self) -> int:
        """Move long tails into blocks and fold small blocks; one transaction for each host."""
        with self._reading() as read:
            tails = read.execute(queries.TAIL_SIZES).fetchall()
        moved = 0
        for host, rows, oldest, newest in tails:
            if rows > _TAIL_ROWS or newest - oldest >= _TAIL_MS:
                with self._transaction() as write:
                    moved += self._move_tail(write, host, newest)  # rule 5
        with self._reading() as read:
            foldable = read.execute(queries.SMALL_BLOCKS, (_SMALL, _FOLD)).fetchall()
        for start in range(0, len(foldable), _TAIL_ROWS):
            with self._transaction() as write:
                clocks: dict[bytes, int] = {}
                for number, first, last in foldable[start : start + _TAIL_ROWS]:
                    _replace(write, number, [], (first, last), clocks)
                write.execute(queries.DROP_CLOCKS)
        return moved

    def prune(self, before: datetime) -> int:
        """Drop what is older; see the port."""
        before_ms = _ms(before)
        with self._transaction() as write:
            gone = sum(count for *_, count in write.execute(queries.OLD_TAIL, (before_ms,)))
            (in_blocks,) = write.execute(queries.OLD_BLOCKS, (before_ms,)).fetchone()
            write.execute(queries.DROP_OLD_TAIL, (before_ms,))
            write.execute(queries.DROP_OLD_BLOCKS, (before_ms,))
            write.execute(queries.DROP_CLOCKS)
            in_tail: set[int] = set()
            for (shape,) in write.execute(queries.TAIL_SHAPES).fetchall():
                in_tail |= self._places_of(write, shape).keys()
            empty = {number for (number,) in write.execute(queries.EMPTY_SERIES)} - in_tail
            write.executemany(queries.DROP_SERIES, [(number,) for number in sorted(empty)])
        with self._writing:
            for series in [one for one, number in self._series_ids.items() if number in empty]:
                del self._series_ids[series]
        return int(gone + in_blocks)

    def _move_tail(self, write: sqlite3.Connection, host: str, before_ms: int) -> int:
        rows = write.execute(queries.TAIL_SPAN, (host, -(2**62), before_ms)).fetchall()
        if not rows:
            return 0
        columns = self._columns(write, rows)
        clocks: dict[bytes, int] = {}
        for number, part in columns.items():
            span = (int(part[0][0]), int(part[0][-1]))
            _replace(write, number, [part], span, clocks)
        write.execute(queries.DROP_TAIL, (host, rows[0][0], before_ms))
        return sum(len(times) for times, _ in columns.values())

    def _columns(
        self, read: sqlite3.Connection, rows: Iterable[tuple[int, int, bytes]]
    ) -> dict[int, tuple[Ints, Floats]]:
        """Turn tail rows (ascending) into one pair of arrays for each series number."""
        by_shape: dict[int, tuple[list[int], list[bytes]]] = {}
        for at_ms, shape, row in rows:
            times, stored = by_shape.setdefault(shape, ([], []))
            times.append(at_ms)
            stored.append(row)
        parts: dict[int, list[tuple[Ints, Floats]]] = {}
        for shape, (times, stored) in by_shape.items():
            places = self._places_of(read, shape)
            matrix = np.frombuffer(b"".join(stored), "<f8").reshape(len(stored), len(places))
            clock = np.array(times, dtype=np.int64)
            for number, place in places.items():
                parts.setdefault(number, []).append((clock, np.ascontiguousarray(matrix[:, place])))
        return {number: _merged(found) for number, found in parts.items()}

    def _column(self, rows: Sequence[tuple[int, int, bytes]], number: int) -> tuple[Ints, Floats]:
        """Take one series out of tail rows."""
        times, values = [], []
        for at_ms, shape, row in rows:
            place = self._places_of(None, shape).get(number)
            if place is not None:
                times.append(at_ms)
                values.append(row[place * 8 : place * 8 + 8])
        return np.array(times, dtype=np.int64), np.frombuffer(b"".join(values), "<f8")

    def _unfolded(self, read: sqlite3.Connection, shape: int, row: bytes) -> dict[int, float]:
        places = self._places_of(read, shape)
        return dict(zip(places, np.frombuffer(row, "<f8").tolist(), strict=True))

    def _series_id(self, write: sqlite3.Connection, series: Series, new: dict[Series, int]) -> int:
        known = self._series_ids.get(series) or new.get(series)
        if known is None:
            names = (series.host, series.metric, series.subject)
            (known,) = write.execute(queries.ADD_SERIES, names).fetchone()
            new[series] = known
        return known

    def _shape_id(self, write: sqlite3.Connection, ids: bytes, new: dict[bytes, int]) -> int:
        known = self._shapes.get(ids) or new.get(ids)
        if known is None:
            (known,) = write.execute(queries.ADD_SHAPE, (ids,)).fetchone()
            new[ids] = known
        return known

    def _places_of(self, read: sqlite3.Connection | None, shape: int) -> dict[int, int]:
        """Return where each series number stands in the rows of a shape."""
        places = self._places.get(shape)
        if places is None:  # another process or a reader between commit and rule 3
            with contextlib.ExitStack() as stack:
                source = stack.enter_context(self._reading()) if read is None else read
                (ids,) = source.execute(queries.SHAPE, (shape,)).fetchone()
            places = self._places[shape] = _places(ids)
        return places

    def _remember(self, series: Mapping[Series, int], shapes: Mapping[bytes, int]) -> None:
        self._series_ids.update(series)
        self._shapes.update(shapes)
        self._places.update({number: _places(ids) for ids, number in shapes.items()})

    def _load(self) -> None:
        self._remember(
            {
                Series(host, metric, subject): number
                for number, host, metric, subject in self._writer.execute(queries.ALL_SERIES)
            },
            {ids: number for number, ids in self._writer.execute(queries.ALL_SHAPES)},
        )

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False
        )
        # FULL: in WAL mode a commit is then on the disk when it returns, not only in the log.
        connection.execute("PRAGMA synchronous=FULL")
        self._open.append(connection)
        return connection

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._writing, faults.translated(self._path):
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield self._writer
                self._writer.execute("COMMIT")
            finally:
                if self._writer.in_transaction:  # something failed: as it was before
                    self._writer.execute("ROLLBACK")

    @contextlib.contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with faults.translated(self._path):
            connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
            if connection is None:
                with self._writing:
                    connection = self._local.connection = self._connect()
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                connection.execute("COMMIT")


def _replace(
    write: sqlite3.Connection,
    number: int,
    added: list[tuple[Ints, Floats]],
    span: tuple[int, int],
    clocks: dict[bytes, int],
) -> None:
    """Write readings of one series as blocks, together with the blocks that they reach into."""
    first, last = span
    old = write.execute(queries.BLOCKS_SPAN, (number, last + 1, first)).fetchall()
    parts = [_decoded(count, times, readings) for _, count, times, readings in old]
    for start_ms, *_ in old:
        write.execute(queries.DROP_BLOCK, (number, start_ms))
    times, values = _merged([*parts, *added])  # rule 4: what was added comes last and wins
    for at in range(0, len(times), _LARGEST):
        clock, column = times[at : at + _LARGEST], values[at : at + _LARGEST]
        stored = codec.encode_times(clock)
        key = stored + len(clock).to_bytes(4)
        if key not in clocks:
            (clocks[key],) = write.execute(queries.ADD_CLOCK, (stored,)).fetchone()
        row = (number, int(clock[0]), int(clock[-1]), len(clock), clocks[key])
        write.execute(queries.PUT_BLOCK, (*row, codec.encode_values(column)))


def _decoded(count: int, times: bytes, readings: bytes) -> tuple[Ints, Floats]:
    return codec.decode_times(times, count), codec.decode_values(readings, count)


def _merged(parts: Sequence[tuple[Ints, Floats]]) -> tuple[Ints, Floats]:
    """Join readings in the order of time; of two at one moment the later part's one stays."""
    times = np.concatenate([part for part, _ in parts]) if parts else np.zeros(0, np.int64)
    values = np.concatenate([part for _, part in parts]) if parts else np.zeros(0, np.float64)
    if len(times) < 2 or bool(np.all(np.diff(times) > 0)):  # noqa: PLR2004  a pair to compare
        return times, values
    order = np.argsort(times, kind="stable")
    times, values = times[order], values[order]
    last_of_each = np.append(np.diff(times) > 0, True)
    return times[last_of_each], values[last_of_each]


def _readings(times: Sequence[int], values: Sequence[float]) -> Readings:
    return Readings(np.array(times, dtype=np.int64), np.array(values, dtype=np.float64))


def _places(ids: bytes) -> dict[int, int]:
    return {number: place for place, number in enumerate(np.frombuffer(ids, "<i4").tolist())}


def _ms(when: datetime) -> int:
    return round(when.timestamp() * 1000)


def _time(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, UTC)
