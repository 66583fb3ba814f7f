"""Write the readings of a series as blocks."""

import sqlite3

from sentienguard.adapters.metric_blocks import codec, columns, queries
from sentienguard.adapters.metric_blocks.columns import Column

LARGEST = 4096  # readings of a block; a week of one series is then read from five blocks


def replace(
    write: sqlite3.Connection,
    number: int,
    added: list[Column],
    span: tuple[int, int],
    clocks: dict[bytes, int],
) -> None:
    """Write readings of one series together with the blocks that reach into their span.

    `clocks` are the times that were written in this transaction already, with their numbers.
    """
    first, last = span
    old = write.execute(queries.BLOCKS_SPAN, (number, last + 1, first)).fetchall()
    parts = [columns.decoded(count, times, readings) for _, count, _, times, readings in old]
    for start_ms, *_ in old:
        write.execute(queries.DROP_BLOCK, (number, start_ms))
    put(write, number, columns.merged([*parts, *added]), clocks)  # what was added comes last, wins


def put(write: sqlite3.Connection, number: int, whole: Column, clocks: dict[bytes, int]) -> None:
    """Write readings that meet no block."""
    times, values = whole
    for at in range(0, len(times), LARGEST):
        clock, column = times[at : at + LARGEST], values[at : at + LARGEST]
        stored = codec.encode_times(clock)
        key = stored + len(clock).to_bytes(4)
        if key not in clocks:
            (clocks[key],) = write.execute(queries.ADD_CLOCK, (stored,)).fetchone()
        row = (number, int(clock[0]), int(clock[-1]), len(clock), clocks[key])
        write.execute(queries.PUT_BLOCK, (*row, codec.encode_values(column)))
