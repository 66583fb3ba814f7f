"""Readings of one series as two arrays, and how parts of them are joined.

Called by the store and by ageing; knows nothing of SQLite.
"""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np

from sentienguard.adapters.metric_blocks import codec
from sentienguard.adapters.metric_blocks.codec import Floats, Ints

Column: TypeAlias = tuple[Ints, Floats]  # times in UTC milliseconds, ascending, and readings
EMPTY: Column = (np.zeros(0, np.int64), np.zeros(0, np.float64))


def decoded(count: int, times: bytes, readings: bytes) -> Column:
    """Return what a block holds."""
    return codec.decode_times(times, count), codec.decode_values(readings, count)


def joined(parts: Sequence[Column]) -> Column:
    """Join parts that the store itself kept, each of them in order, as `merged` does."""
    found = [part for part in parts if len(part[0])]
    return found[0] if len(found) == 1 else merged(found)


def merged(parts: Sequence[Column]) -> Column:
    """Join readings in the order of time; of two at one moment the later part's one stays."""
    parts = [part for part in parts if len(part[0])]
    if len(parts) == 1:
        times, values = parts[0]
    elif parts:
        times = np.concatenate([part for part, _ in parts])
        values = np.concatenate([part for _, part in parts])
    else:
        times, values = EMPTY
    if len(times) < 2 or bool(np.all(np.diff(times) > 0)):  # noqa: PLR2004  a pair to compare
        return times, values
    order = np.argsort(times, kind="stable")
    times, values = times[order], values[order]
    last_of_each = np.append(np.diff(times) > 0, True)
    return times[last_of_each], values[last_of_each]
