"""Selectors: which reading counts at which step."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from sentienguard.ports.metric_store import Aspect, Readings
from sentienguard.stages.observe.promql import faults, spans
from sentienguard.stages.observe.promql.source import Found, Query, Source
from sentienguard.stages.observe.promql.spans import Spans
from sentienguard.stages.observe.promql.tree import Edge, Matcher, Selector, When
from sentienguard.stages.observe.promql.values import Bools, Floats, Ints, Labels, Vector

_PORTION = 2_000_000  # readings, or windows, that are held at once while a selector is evaluated
_GUESS_MS = 15_000  # how close readings may lie, for the size of the first portion
_LARGEST = 1024  # series in one portion


@dataclass
class Reader:
    """Reads series for one query, and counts what it costs."""

    source: Source
    query: Query
    loaded: int = field(default=0, init=False)  # readings so far

    def check_time(self) -> None:
        """Raise QueryTooSlow where the time of this query ran out."""
        if not self.query.in_time():
            raise faults.QueryTooSlow("query timed out: ask for less time, fewer series or steps")

    def check_cells(self, series: int, steps: int) -> None:
        """Raise QueryTooLarge where an intermediate result would be too large."""
        most = self.query.limits.cells
        if series * steps > most:
            raise faults.QueryTooLarge(
                f"{series} series at {steps} steps are more than {most} points in one part of the "
                "query: ask for fewer series, less time or a longer step"
            )

    def select(self, matchers: Sequence[Matcher], steps: int) -> Sequence[Found]:
        """Return the series that match, within the limits."""
        self.check_time()
        found = self.source.select(matchers, self.query.limits.series)
        self.check_cells(len(found), steps)
        return found

    def portions(
        self, found: Sequence[Found], refs: Ints, reach_ms: int, aspect: Aspect
    ) -> Iterator[tuple[int, Sequence[Readings]]]:
        """Read series in portions: the place of the first, and the readings around `refs`."""
        if not found:
            return
        first, last = int(refs.min()) - reach_ms, int(refs.max())
        width = (last - first) // _GUESS_MS + len(refs) + 1
        size = max(1, min(_LARGEST, _PORTION // width))
        for at in range(0, len(found), size):
            self.check_time()
            read = self.source.read(found[at : at + size], first, last, aspect)
            self.loaded += sum(len(one) for one in read)
            most = self.query.limits.readings
            if self.loaded > most:
                raise faults.QueryTooLarge(
                    f"query processing would load too many samples: more than {most} readings"
                )
            yield at, [spans.fresh(one) for one in read]

    def refs(self, when: When, steps: Ints) -> Ints:
        """Return the moment that a selector looks at, for each step."""
        at = when.at
        if at is Edge.START:
            at = self.query.start_ms
        elif at is Edge.END:
            at = self.query.end_ms
        return (steps if at is None else np.full(len(steps), at, np.int64)) - when.offset_ms


def newest(reader: Reader, selector: Selector, refs: Ints) -> tuple[Vector, Floats]:
    """Return the newest reading of each series at each moment, and its time in seconds."""
    found = reader.select(selector.matchers, len(refs))
    values = np.zeros((len(found), len(refs)))
    there = np.zeros((len(found), len(refs)), np.bool_)
    stamps = np.zeros((len(found), len(refs)))
    lookback = reader.query.lookback_ms
    for at, portion in _with_wide_reach(reader, found, refs):
        for row, one in enumerate(portion, at):
            if len(one):
                values[row], there[row], stamps[row] = _newest(one, refs, lookback)
    alive = np.asarray(there.any(axis=1), np.bool_)
    labels = tuple(one.labels for one, lives in zip(found, alive, strict=True) if lives)
    return Vector(labels, values[alive], there[alive]), stamps[alive]


def _with_wide_reach(
    reader: Reader, found: Sequence[Found], refs: Ints
) -> Iterator[tuple[int, Sequence[Readings]]]:
    """Read as far back as the widest window of old readings may stand for."""
    reach = max(reader.query.lookback_ms, _WIDEST_MS)
    yield from reader.portions(found, refs, reach, Aspect.LAST)


_WIDEST_MS = 3_600_000  # of windows that stand for readings that are gone


def _newest(one: Readings, refs: Ints, lookback: int) -> tuple[Floats, Bools, Floats]:
    places = one.times_ms.searchsorted(refs, "right") - 1
    at = np.maximum(places, 0)
    # The last of a wide window counts until the next window can have ended.
    reach = lookback if one.widths_ms is None else np.maximum(lookback, one.widths_ms[at] * 2)
    times = one.times_ms[at]
    return one.values[at], (places >= 0) & (times >= refs - reach), times / 1000


def over_range(
    reader: Reader,
    found: Sequence[Found],
    when: tuple[Ints, Ints],
    *,
    span_ms: int,
    compute: Callable[[Spans], tuple[Floats, Bools]],
    aspect: Aspect,
) -> tuple[list[Labels], Floats, Bools]:
    """Compute a number of the readings of each series in the span before each moment.

    `when` are the moments and the steps that they are for; `compute` gets the windows of some
    series and returns a number and whether there is one, for each window.
    """
    refs, _ = when
    values = np.zeros((len(found), len(refs)))
    there = np.zeros((len(found), len(refs)), np.bool_)
    for at, portion in reader.portions(found, refs, span_ms, aspect):
        rows = slice(at, at + len(portion))
        computed, given = compute(spans.laid_out(portion, when, span_ms, reader.check_time))
        values[rows] = computed.reshape(len(portion), len(refs))
        there[rows] = given.reshape(len(portion), len(refs))
    return [one.labels for one in found], values, there
