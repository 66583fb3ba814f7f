"""Readings of many windows side by side, so that a function of a range is a few array operations.

A window is a pair of places in one flat array of the readings of many series. Windows of one series
lie one after another, in the order of the steps; they may overlap.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from sentienguard.ports.metric_store import Readings
from sentienguard.stages.observe.promql.values import Bools, Floats, Ints

_AT_ONCE = 2_000_000  # readings that are looked at together where windows have to be copied
_LEFT: Literal["left", "right"] = "left"  # a range includes its beginning, until Prometheus 3
STALE_BITS = np.uint64(0x7FF0000000000002)  # Prometheus's NaN for "the series ended here"


@dataclass(frozen=True, slots=True)
class Spans:
    """Windows over readings."""

    times: Ints  # of all readings, in milliseconds
    values: Floats  # of all readings
    counts: Ints | None  # readings that each stands for; None: one each
    first: Ints  # of each window: place of its first reading
    last: Ints  # of each window: place after its last reading
    begin_ms: Ints  # of each window: where it begins, included
    end_ms: Ints  # of each window: where it ends, included
    step_ms: Ints  # of each window: the step that it is for
    span_s: float  # length of every window
    check: Callable[[], None]  # raises where the time of the query ran out

    @property
    def sizes(self) -> Ints:
        """Count the readings of each window."""
        return self.last - self.first

    @property
    def any(self) -> Bools:
        """Tell which windows have a reading."""
        return self.last > self.first

    def chosen(self, which: Bools) -> "Spans":
        """Return some of the windows."""
        return Spans(
            self.times, self.values, self.counts, self.first[which], self.last[which],
            self.begin_ms[which], self.end_ms[which], self.step_ms[which], self.span_s,
            self.check,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Copied:
    """The readings of some windows, copied one window after another; no window is empty."""

    windows: slice  # which of the windows
    places: Ints  # of each reading among those of `Spans`
    starts: Ints  # of each window: where it begins in `places`
    sizes: Ints  # of each window

    def spread(self, of_windows: Floats) -> Floats:
        """Return a number of each window for each of its readings."""
        return np.repeat(of_windows, self.sizes)


def copied(spans: Spans) -> Iterator[Copied]:
    """Copy windows, none of which is empty, in portions."""
    sizes = spans.sizes
    ends = sizes.cumsum()
    at = 0
    while at < len(sizes):
        spans.check()
        before = int(ends[at - 1]) if at else 0
        to = max(int(ends.searchsorted(before + _AT_ONCE, "right")), at + 1)
        some = sizes[at:to]
        starts = some.cumsum() - some
        places = np.arange(int(some.sum())) + np.repeat(spans.first[at:to] - starts, some)
        yield Copied(slice(at, to), places, starts, some)
        at = to


def fresh(readings: Readings) -> Readings:
    """Return readings without the marks that say that a series ended."""
    stale = readings.values.view(np.uint64) == STALE_BITS
    if not stale.any():
        return readings
    keep = ~stale
    return Readings(
        readings.times_ms[keep],
        readings.values[keep],
        None if readings.counts is None else readings.counts[keep],
        None if readings.widths_ms is None else readings.widths_ms[keep],
    )


def laid_out(
    series: Sequence[Readings],
    when: tuple[Ints, Ints],
    span_ms: int,
    check: Callable[[], None],
) -> Spans:
    """Return the windows of each series; `when` are the ends, and the steps that they are for."""
    refs, steps = when
    begin = refs - span_ms
    firsts, lasts = [], []
    base = 0
    known: tuple[Ints, Ints, Ints] | None = None
    for one in series:
        # Series of one host share their times: the places are looked up once.
        if known is None or not np.array_equal(known[0], one.times_ms):
            known = (
                one.times_ms,
                one.times_ms.searchsorted(begin, _LEFT),
                one.times_ms.searchsorted(refs, "right"),
            )
        firsts.append(known[1] + base)
        lasts.append(known[2] + base)
        base += len(one)
    counts = None
    if any(one.counts is not None for one in series):
        counts = np.concatenate(
            [np.ones(len(one), np.int64) if one.counts is None else one.counts for one in series]
        )
    return Spans(
        np.concatenate([one.times_ms for one in series]),
        np.concatenate([one.values for one in series]),
        counts,
        np.concatenate(firsts),
        np.concatenate(lasts),
        np.tile(begin, len(series)),
        np.tile(refs, len(series)),
        np.tile(steps, len(series)),
        span_ms / 1000,
        check,
    )
