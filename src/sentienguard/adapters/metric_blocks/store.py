"""The port: appends, reads and housekeeping. See the package's charter for the layout.

Rules, cited below by number:

1. One writer at a time, under a lock; each thread reads through a connection of its own.
2. A read is one transaction, so that compaction between its two halves is not seen.
3. What is known of a transaction in memory is taken over after its commit, never before.
4. A reading in the tail replaces one of the same moment in a block; compaction merges them.
5. The newest row of each desk stays in the tail, so that `latest` does not open every block.
"""

import contextlib
import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from sentienguard.adapters.joint_commit import JointCommit
from sentienguard.adapters.metric_blocks import (
    ageing,
    blocks,
    codec,
    columns,
    connections,
    decoded,
    faults,
    newest,
    queries,
    registry,
    windows,
)
from sentienguard.adapters.metric_blocks.codec import Ints
from sentienguard.adapters.metric_blocks.columns import Column
from sentienguard.model.ids import AgentId
from sentienguard.model.telemetry import Series
from sentienguard.ports.metric_store import Aspect, MetricStore, Moment, Readings, Retention

_ROWS = 256  # of values in one statement
_TAIL_ROWS = 512  # samples of one desk before they become blocks ...
_TAIL_MS = 2 * 3_600_000  # ... or the time they span, whichever comes first
_SMALL = 2048  # readings below which a block may be folded into a larger one
_FOLD = 8  # that many small blocks of a series are folded together
_AT_ONCE = 256  # series that are aged in one transaction, so that no append waits for long
_TOGETHER = 256  # appends of several threads that share one commit, at most
_EVER_MS = -(2**62)


class BlockStore(MetricStore):
    """Metric store in one SQLite file."""

    def __init__(self, path: Path, *, max_bytes: int | None = None) -> None:
        """Open or create the file; `max_bytes` bounds it below the size of its disk.

        Raises MetricStoreBusy where it cannot be opened, MetricStoreDamaged where it is no store.
        """
        self._path = path
        self._known = registry.Registry()
        self._decoded = decoded.Decoded()
        self._together = JointCommit(self.append_all, most=_TOGETHER)
        with faults.translated(path):
            self._db = connections.Connections(path, max_bytes)
            writer = self._db.writer
            columns_now = {name for (name,) in writer.execute(queries.SERIES_COLUMNS)}
            if columns_now and "labels" not in columns_now:
                writer.executescript(queries.ADD_LABELS)
            writer.executescript(queries.SCHEMA)
            self._known.remember(
                {
                    Series(host, metric, subject, registry.labels_of(labels)): number
                    for number, host, metric, subject, labels in writer.execute(queries.ALL_SERIES)
                },
                {ids: number for number, ids in writer.execute(queries.ALL_SHAPES)},
            )

    def close(self) -> None:
        """Close every connection; the store is of no use afterwards."""
        self._db.close()

    def append(
        self, agent: AgentId, sample_at: datetime, values: Sequence[tuple[Series, float]]
    ) -> None:
        """Keep the readings of one moment; see the port."""
        del agent  # a reading belongs to its series; the mark is what belongs to an agent
        for series, value in values:  # here, so that nobody else's readings wait for a refusal
            faults.check_finite(series, value)
        self._together.write(Moment(sample_at, values))

    def append_all(self, moments: Sequence[Moment]) -> None:
        """Keep the readings of many moments in one commit; see the port."""
        for moment in moments:  # here, so that nobody else waits for a refusal
            for series, value in moment.values:
                faults.check_finite(series, value)
        new_series: dict[Series, int] = {}
        new_shapes: dict[bytes, int] = {}
        with self._db.transaction(
            lambda: self._known.remember(new_series, new_shapes)  # rule 3
        ) as write:
            rows = self._rows(write, moments, new_series)
            earlier = {
                (desk, at_ms): (shape, row)
                for desk, at_ms, shape, row in _over_many(write, queries.TAIL_ROWS, list(rows))
            }
            kept: list[tuple[str, int, int, bytes]] = []
            for (desk, at_ms), numbered in rows.items():
                whole = numbered
                if (desk, at_ms) in earlier:
                    whole = self._unfolded(write, *earlier[desk, at_ms]) | numbered
                ids = sorted(whole)
                shape = self._shape_id(write, np.array(ids, dtype="<i4").tobytes(), new_shapes)
                row = np.array([whole[one] for one in ids], dtype="<f8").tobytes()
                kept.append((desk, at_ms, shape, row))
            _over_many(write, queries.PUT_TAIL, kept)

    def load(self, series: Series, readings: Readings) -> None:
        """Keep a stretch of one series' past at once; see the port."""
        if not len(readings):
            return
        finite = np.isfinite(readings.values)
        if not finite.all():
            faults.check_finite(series, float(readings.values[~finite][0]))
        new: dict[Series, int] = {}
        span = (int(readings.times_ms[0]), int(readings.times_ms[-1]))
        with self._rewriting(lambda: self._known.remember(new, {})) as write:
            number = self._series_id(write, series, new)
            blocks.replace(write, number, [(readings.times_ms, readings.values)], span, {})

    def range(self, series: Series, start: datetime, end: datetime) -> Readings:
        """Return the readings with start <= time < end; see the port."""
        (found,) = self.read([series], start, end)
        return found

    def read(
        self, series: Sequence[Series], start: datetime, end: datetime, aspect: Aspect = Aspect.LAST
    ) -> Sequence[Readings]:
        """Return for each series what `range` would; see the port."""
        span = (_ms(start), _ms(end))
        numbers = [self._known.number(one) for one in series]
        desks: dict[str, set[int]] = {}
        for one, number in zip(series, numbers, strict=True):
            if number is not None:
                desks.setdefault(registry.desk(one), set()).add(number)
        with self._db.reading() as read:  # rule 2
            tails: dict[int, Column] = {}
            for desk, wanted in desks.items():
                rows = read.execute(queries.TAIL_SPAN, (desk, *span)).fetchall()
                tails |= self._columns(read, rows, wanted)
            clocks: dict[int, Ints] = {}
            singly = {
                number: columns.joined(  # rule 4
                    [*self._blocks(read, number, span, clocks), tails.get(number, columns.EMPTY)]
                )
                for number in set().union(*desks.values())
            }
            (aged,) = read.execute(queries.ANY_WINDOWS).fetchone()
            old = {number: _windows(read, number, span, aspect) for number in singly if aged}
        return [
            _cut(singly.get(number, columns.EMPTY), old.get(number, ()), span)
            if number is not None
            else _cut(columns.EMPTY, (), span)
            for number in numbers
        ]

    def latest(
        self, host: str, metrics: Collection[str] = ()
    ) -> Mapping[Series, tuple[datetime, float]]:
        """Return the newest reading of each series of a host; see the port."""
        return self.latest_of([host], metrics)[host]

    def latest_of(
        self, hosts: Collection[str], metrics: Collection[str] = ()
    ) -> Mapping[str, Mapping[Series, tuple[datetime, float]]]:
        """Return the newest reading of each series of some hosts; see the port."""
        named = list(dict.fromkeys(hosts))
        found: dict[str, Mapping[Series, tuple[datetime, float]]] = {}
        with self._db.reading() as read:  # rule 2
            for start in range(0, len(named), _ROWS):
                some = named[start : start + _ROWS]
                found |= newest.readings(
                    read, some, metrics, lambda one: self._places_of(read, one)
                )
        return found

    def series(self, host: str) -> tuple[Series, ...]:
        """Return every series of a host, sorted; see the port."""
        with self._db.reading() as read:
            rows = read.execute(queries.SERIES_OF_HOST, (host,)).fetchall()
        return tuple(Series(host, metric, subject) for _, metric, subject in rows)

    def metrics(self) -> tuple[str, ...]:
        """Return the metric of every series there is; see the port."""
        return self._known.metrics()

    def find(self, metric: str) -> Sequence[Series]:
        """Return every series of a metric; see the port."""
        return self._known.find(metric)

    def compact(self) -> int:
        """Move long tails into blocks and fold small blocks; one transaction for each desk."""
        with self._db.reading() as read:
            tails = read.execute(queries.TAIL_SIZES).fetchall()
        moved = 0
        for desk, rows, oldest, youngest in tails:
            if rows > _TAIL_ROWS or youngest - oldest >= _TAIL_MS:
                with self._rewriting() as write:
                    moved += self._move_tail(write, desk, youngest)  # rule 5
        with self._db.reading() as read:
            foldable = read.execute(queries.SMALL_BLOCKS, (_SMALL, _FOLD)).fetchall()
        for start in range(0, len(foldable), _TAIL_ROWS):
            with self._rewriting() as write:
                clocks: dict[bytes, int] = {}
                for number, first, last in foldable[start : start + _TAIL_ROWS]:
                    blocks.replace(write, number, [], (first, last), clocks)
                write.execute(queries.DROP_CLOCKS)
        if moved:
            self._drop_shapes()
        return moved

    def prune(self, before: datetime) -> int:
        """Drop what is older; see the port."""
        before_ms = _ms(before)
        empty: set[int] = set()
        with self._rewriting(lambda: self._known.forget_series(empty)) as write:
            gone = sum(count for *_, count in write.execute(queries.OLD_TAIL, (before_ms,)))
            (in_blocks,) = write.execute(queries.OLD_BLOCKS, (before_ms,)).fetchone()
            write.execute(queries.DROP_OLD_TAIL, (before_ms,))
            write.execute(queries.DROP_OLD_BLOCKS, (before_ms,))
            write.execute(queries.DROP_CLOCKS)
            empty |= self._drop_empty_series(write)
        return int(gone + in_blocks)

    def age(self, now: datetime, retention: Retention) -> int:
        """Fold and drop what is too old; see the port."""
        raw, narrow, wide = (
            _ms(now - kept) // ageing.DAY_MS * ageing.DAY_MS
            for kept in (retention.raw, retention.five_minutes, retention.hours)
        )
        with self._db.reading() as read:
            tails = read.execute(queries.TAIL_SIZES).fetchall()
        for desk, _, oldest, _ in tails:
            if oldest < raw:
                with self._rewriting() as write:
                    self._move_tail(write, desk, raw)
        gone = 0
        for numbers in self._portions(queries.AGED_SERIES, (raw,)):
            with self._rewriting() as write:
                gone += sum(ageing.fold_readings(write, number, raw) for number in numbers)
                write.execute(queries.DROP_CLOCKS)
        for numbers in self._portions(queries.AGED_WINDOWS, (windows.FIVE_MINUTES_MS, narrow)):
            with self._rewriting() as write:
                for number in numbers:
                    ageing.fold_windows(write, number, narrow)
        empty: set[int] = set()
        with self._rewriting(lambda: self._known.forget_series(empty)) as write:
            dropped = write.execute(queries.DROP_OLD_WINDOWS, (wide,)).rowcount
            if gone or dropped:
                empty |= self._drop_empty_series(write)
        return gone

    def _blocks(
        self,
        read: sqlite3.Connection,
        number: int,
        span: tuple[int, int],
        clocks: dict[int, Ints],
    ) -> Iterator[Column]:
        """Return what blocks have in a span; `clocks` are the times that were met already."""
        rows = read.execute(queries.BLOCK_KEYS, (number, span[1], span[0])).fetchall()
        for start_ms, count, clock in rows:
            key = (number, start_ms, count, clock)
            whole = self._decoded.get(key)
            if whole is None:
                times, readings = read.execute(queries.BLOCK, (number, start_ms)).fetchone()
                if clock not in clocks:
                    clocks[clock] = codec.decode_times(times, count)
                whole = (clocks[clock], codec.decode_values(readings, count))
                self._decoded.put(key, whole)
            first, last = whole[0].searchsorted(span)
            yield whole[0][first:last], whole[1][first:last]

    @contextlib.contextmanager
    def _rewriting(
        self, committed: Callable[[], None] | None = None
    ) -> Iterator[sqlite3.Connection]:
        """Write blocks: what was decoded of them before may be otherwise afterwards."""

        def both() -> None:
            self._decoded.clear()
            if committed is not None:
                committed()

        with self._db.transaction(both) as write:
            yield write

    def _portions(self, query: str, parameters: tuple[int, ...]) -> Iterator[list[int]]:
        with self._db.reading() as read:
            numbers = [number for (number,) in read.execute(query, parameters)]
        for at in range(0, len(numbers), _AT_ONCE):
            yield numbers[at : at + _AT_ONCE]

    def _drop_empty_series(self, write: sqlite3.Connection) -> set[int]:
        in_tail: set[int] = set()
        for (shape,) in write.execute(queries.TAIL_SHAPES).fetchall():
            in_tail |= self._places_of(write, shape).keys()
        empty = {number for (number,) in write.execute(queries.EMPTY_SERIES)} - in_tail
        write.executemany(queries.DROP_SERIES, [(number,) for number in sorted(empty)])
        return empty

    def _drop_shapes(self) -> None:
        """Forget shapes that no tail is written in, as when a sender cuts its batches anywhere."""
        unused: list[int] = []
        with self._rewriting(lambda: self._known.forget_shapes(unused)) as write:
            used = {number for (number,) in write.execute(queries.TAIL_SHAPES)}
            shapes = [number for number, _ in write.execute(queries.ALL_SHAPES)]
            unused += [number for number in shapes if number not in used]
            write.executemany(queries.DROP_SHAPE, [(number,) for number in unused])

    def _move_tail(self, write: sqlite3.Connection, desk: str, before_ms: int) -> int:
        rows = write.execute(queries.TAIL_SPAN, (desk, _EVER_MS, before_ms)).fetchall()
        if not rows:
            return 0
        moved = self._columns(write, rows, None)
        clocks: dict[bytes, int] = {}
        for number, part in moved.items():
            span = (int(part[0][0]), int(part[0][-1]))
            blocks.replace(write, number, [part], span, clocks)
        write.execute(queries.DROP_TAIL, (desk, rows[0][0], before_ms))
        return sum(len(times) for times, _ in moved.values())

    def _columns(
        self,
        read: sqlite3.Connection,
        rows: Iterable[tuple[int, int, bytes]],
        wanted: set[int] | None,
    ) -> dict[int, Column]:
        """Turn tail rows (ascending) into one column for each series, or each wanted one."""
        by_shape: dict[int, tuple[list[int], list[bytes]]] = {}
        for at_ms, shape, row in rows:
            times, stored = by_shape.setdefault(shape, ([], []))
            times.append(at_ms)
            stored.append(row)
        parts: dict[int, list[Column]] = {}
        for shape, (times, stored) in by_shape.items():
            places = self._places_of(read, shape)
            matrix = np.frombuffer(b"".join(stored), "<f8").reshape(len(stored), len(places))
            clock = np.array(times, dtype=np.int64)
            for number in places if wanted is None else wanted & places.keys():
                column = np.ascontiguousarray(matrix[:, places[number]])
                parts.setdefault(number, []).append((clock, column))
        return {number: columns.joined(found) for number, found in parts.items()}

    def _unfolded(self, read: sqlite3.Connection, shape: int, row: bytes) -> dict[int, float]:
        places = self._places_of(read, shape)
        return dict(zip(places, np.frombuffer(row, "<f8").tolist(), strict=True))

    def _rows(
        self, write: sqlite3.Connection, moments: Sequence[Moment], new: dict[Series, int]
    ) -> dict[tuple[str, int], dict[int, float]]:
        """Return readings by the number of their series, by desk and time."""
        rows: dict[tuple[str, int], dict[int, float]] = {}
        for moment in moments:
            at_ms = _ms(moment.at)
            for series, value in moment.values:
                number = self._series_id(write, series, new)
                rows.setdefault((registry.desk(series), at_ms), {})[number] = value
        return rows

    def _series_id(self, write: sqlite3.Connection, series: Series, new: dict[Series, int]) -> int:
        known = self._known.number(series) or new.get(series)
        if known is None:
            labels = registry.labels_text(series)
            names = (series.host, series.metric, series.subject, labels)
            (known,) = write.execute(queries.ADD_SERIES, names).fetchone()
            new[series] = known
        return known

    def _shape_id(self, write: sqlite3.Connection, ids: bytes, new: dict[bytes, int]) -> int:
        known = self._known.shape(ids) or new.get(ids)
        if known is None:
            (known,) = write.execute(queries.ADD_SHAPE, (ids,)).fetchone()
            new[ids] = known
        return known

    def _places_of(self, read: sqlite3.Connection, shape: int) -> registry.Places:
        """Return where each series number stands in the rows of a shape."""
        found = self._known.places(shape)
        if found is None:  # another process, or a reader between commit and rule 3
            (ids,) = read.execute(queries.SHAPE, (shape,)).fetchone()
            found = registry.places(ids)
        return found


def _windows(
    read: sqlite3.Connection, number: int, span: tuple[int, int], aspect: Aspect
) -> list[tuple[Column, Ints, int]]:
    """Return times and what was asked for, counts and width of the windows that reach in."""
    found = []
    for width_ms, *stored in read.execute(queries.WINDOWS_SPAN, (number, span[1], span[0])):
        whole = windows.decoded(*stored)
        found.append(((whole.times, whole.aspect(aspect)), whole.counts, width_ms))
    return found


def _over_many(
    write: sqlite3.Connection, statement: str, rows: Sequence[tuple[Any, ...]]
) -> list[tuple[Any, ...]]:
    """Run a statement over many rows of values, and return what it finds.

    Not a statement for each: SQLite lets other threads compute at each, and while a few of them do,
    every one costs as many turns of theirs.
    """
    found: list[tuple[Any, ...]] = []
    for start in range(0, len(rows), _ROWS):
        some = rows[start : start + _ROWS]
        places = ",".join(f"({','.join('?' * len(row))})" for row in some)
        values = [value for row in some for value in row]
        found += write.execute(statement.format(places), values).fetchall()
    return found


def _cut(
    singly: Column, old: Sequence[tuple[Column, Ints, int]], span: tuple[int, int]
) -> Readings:
    """Return what lies in the span: windows first, then single readings."""
    times, values = singly
    if not old:
        first, last = times.searchsorted(span)
        return Readings(times[first:last], values[first:last])
    times = np.concatenate([*(part[0] for part, _, _ in old), times])
    values = np.concatenate([*(part[1] for part, _, _ in old), values])
    counts = np.concatenate([*(part for _, part, _ in old), np.ones(len(singly[0]), np.int64)])
    widths = np.zeros(len(times), np.int64)
    at = 0
    for (part, _), _, width_ms in old:
        widths[at : at + len(part)] = width_ms
        at += len(part)
    order = np.argsort(times, kind="stable")
    order = order[(times[order] >= span[0]) & (times[order] < span[1])]
    return Readings(times[order], values[order], counts[order], widths[order])


def _ms(when: datetime) -> int:
    return round(when.timestamp() * 1000)
