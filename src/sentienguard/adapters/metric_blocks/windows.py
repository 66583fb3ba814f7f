"""What stays of readings that are too old to be kept singly: one row for each window of time.

A row has the newest reading at its own time, the least, the most, the sum and the number of the
readings of its window. Windows begin at whole multiples of their width, so wide ones are made from
narrow ones exactly.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sentienguard.adapters.metric_blocks import codec
from sentienguard.adapters.metric_blocks.codec import Floats, Ints
from sentienguard.adapters.metric_blocks.columns import Column
from sentienguard.ports.metric_store import Aspect

FIVE_MINUTES_MS = 300_000
HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class Windows:
    """Consecutive windows of one series, ascending in time; arrays of one length."""

    times: Ints  # of the newest reading of each
    lasts: Floats
    lowest: Floats
    highest: Floats
    sums: Floats
    counts: Ints

    def __len__(self) -> int:
        """Count the windows."""
        return len(self.times)

    def aspect(self, wanted: Aspect) -> Floats:
        """Return the column that answers a question."""
        match wanted:
            case Aspect.LAST:
                return self.lasts
            case Aspect.LOWEST:
                return self.lowest
            case Aspect.HIGHEST:
                return self.highest
            case Aspect.SUM:
                return self.sums

    def part(self, first: int, last: int) -> "Windows":
        """Return the windows from one place to before another."""
        at = slice(first, last)
        return Windows(
            self.times[at], self.lasts[at], self.lowest[at],
            self.highest[at], self.sums[at], self.counts[at],
        )  # fmt: skip

    def stored(self) -> tuple[bytes, ...]:
        """Return the compressed columns, in the order of the fields."""
        return (
            codec.encode_times(self.times),
            *(codec.encode_values(one) for one in (self.lasts, self.lowest, self.highest)),
            codec.encode_values(self.sums),
            codec.encode_values(self.counts.astype(np.float64)),
        )


def singly(column: Column) -> Windows:
    """Return readings as windows of one reading each."""
    times, values = column
    return Windows(times, values, values, values, values, np.ones(len(times), np.int64))


def decoded(count: int, times: bytes, *columns: bytes) -> Windows:
    """Return what `stored` wrote."""
    lasts, lowest, highest, sums, counts = (codec.decode_values(one, count) for one in columns)
    clock = codec.decode_times(times, count)
    return Windows(clock, lasts, lowest, highest, sums, counts.astype(np.int64))


def folded(parts: Sequence[Windows], width_ms: int) -> Windows:
    """Join parts into windows of one width; what falls into one window is counted together."""
    times = np.concatenate([part.times for part in parts])
    order = np.argsort(times, kind="stable")
    times = times[order]

    def joined(name: str) -> Floats:
        column: Floats = np.concatenate([getattr(part, name) for part in parts])[order]
        return column

    starts = np.flatnonzero(np.diff(times // width_ms, prepend=np.int64(-(2**62))))
    ends = np.append(starts[1:], len(times)) - 1
    return Windows(
        times[ends],
        joined("lasts")[ends],
        np.minimum.reduceat(joined("lowest"), starts),
        np.maximum.reduceat(joined("highest"), starts),
        np.add.reduceat(joined("sums"), starts),
        np.add.reduceat(np.concatenate([part.counts for part in parts])[order], starts),
    )
