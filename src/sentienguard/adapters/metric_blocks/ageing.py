"""Turn readings that are too old into windows, narrow windows into wide ones, and drop the oldest.

Called by the store inside its write transactions. Every cut lies at a whole day, so that a window
is never made of readings that are folded at two times, and each series is touched once a day.
"""

import sqlite3

from sentienguard.adapters.metric_blocks import blocks, columns, queries, windows
from sentienguard.adapters.metric_blocks.windows import Windows

DAY_MS = 86_400_000
_ROWS = 4096  # windows in one row of the table


def fold_readings(write: sqlite3.Connection, number: int, before_ms: int) -> int:
    """Fold the readings of a series before a time into windows of five minutes; count them."""
    found = write.execute(queries.BLOCKS_SPAN, (number, before_ms, -(2**62))).fetchall()
    if not found:
        return 0
    whole = columns.merged([columns.decoded(n, times, row) for _, n, _, times, row in found])
    for start_ms, *_ in found:
        write.execute(queries.DROP_BLOCK, (number, start_ms))
    cut = int(whole[0].searchsorted(before_ms))
    blocks.put(write, number, (whole[0][cut:], whole[1][cut:]), {})
    _add(write, number, windows.FIVE_MINUTES_MS, windows.singly((whole[0][:cut], whole[1][:cut])))
    return cut


def fold_windows(write: sqlite3.Connection, number: int, before_ms: int) -> None:
    """Fold the windows of five minutes of a series before a time into windows of an hour."""
    narrow = windows.FIVE_MINUTES_MS
    found = write.execute(
        queries.WINDOWS_OF_WIDTH, (number, narrow, before_ms, -(2**62))
    ).fetchall()
    for start_ms, *stored in found:
        write.execute(queries.DROP_WINDOWS, (number, narrow, start_ms))
        whole = windows.decoded(*stored)
        cut = int(whole.times.searchsorted(before_ms))
        if cut < len(whole):
            _put(write, number, narrow, whole.part(cut, len(whole)))
        _add(write, number, windows.HOUR_MS, whole.part(0, cut))


def _add(write: sqlite3.Connection, number: int, width_ms: int, added: Windows) -> None:
    """Write windows together with those that they meet, and with a short row right before."""
    first = int(added.times[0]) // width_ms * width_ms
    last = (int(added.times[-1]) // width_ms + 1) * width_ms
    (open_row,) = write.execute(
        queries.OPEN_WINDOWS, (number, width_ms, first, _ROWS // 2)
    ).fetchone()
    reach = first if open_row is None else min(first, open_row)
    met = write.execute(queries.WINDOWS_OF_WIDTH, (number, width_ms, last, reach)).fetchall()
    for start_ms, *_ in met:
        write.execute(queries.DROP_WINDOWS, (number, width_ms, start_ms))
    parts = [windows.decoded(*stored) for _, *stored in met]
    _put(write, number, width_ms, windows.folded([*parts, added], width_ms))


def _put(write: sqlite3.Connection, number: int, width_ms: int, whole: Windows) -> None:
    for at in range(0, len(whole), _ROWS):
        part = whole.part(at, at + _ROWS)
        span = (int(part.times[0]), int(part.times[-1]))
        row = (number, width_ms, *span, len(part), *part.stored())
        write.execute(queries.PUT_WINDOWS, row)
