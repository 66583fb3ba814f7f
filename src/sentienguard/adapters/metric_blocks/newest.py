"""The newest reading of every series of some hosts.

Called by the store, inside of a transaction that reads. Two statements serve all of the hosts: the
series they have, and the newest row of each tail. Only a series that the newest row leaves out (it
stopped, or is reported less often) is looked for in earlier rows, then in its newest block.
"""

import sqlite3
import struct
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TypeAlias

from sentienguard.adapters.metric_blocks import columns, queries
from sentienguard.adapters.metric_blocks.registry import Places
from sentienguard.model.telemetry import Series

Reading: TypeAlias = tuple[datetime, float]
Row: TypeAlias = tuple[int, int, bytes]  # UTC milliseconds, number of the shape, readings
_VALUE = struct.Struct("<d")
PlacesOf: TypeAlias = Callable[[int], Places]  # of a shape


def readings(
    read: sqlite3.Connection,
    hosts: Sequence[str],
    metrics: Collection[str],
    places_of: PlacesOf,
) -> Mapping[str, Mapping[Series, Reading]]:
    """Return them for each host, sorted by series; of some metrics, or of all where none is named.

    The caller bounds how many hosts: each is a value of a statement.
    """
    series = _series(read, hosts, metrics)
    places = ",".join(["(?)"] * len(hosts))
    rows = read.execute(queries.TAIL_HEADS.format(places), tuple(hosts))
    heads: dict[str, Row] = {host: (at_ms, shape, row) for host, at_ms, shape, row in rows}
    return {host: _of_host(read, host, series[host], heads.get(host), places_of) for host in hosts}


def _series(
    read: sqlite3.Connection, hosts: Sequence[str], metrics: Collection[str]
) -> dict[str, dict[int, Series]]:
    """Return the series of each host by number, in their order."""
    statement = queries.SOME_OF_HOSTS if metrics else queries.SERIES_OF_HOSTS
    places = [",".join("?" * len(values)) for values in (hosts, metrics) if values]
    found: dict[str, dict[int, Series]] = {host: {} for host in hosts}
    for number, host, metric, subject in read.execute(
        statement.format(*places), (*hosts, *metrics)
    ):
        found[host][number] = Series(host, metric, subject)
    return found


def _of_host(
    read: sqlite3.Connection,
    host: str,
    series: Mapping[int, Series],
    head: Row | None,
    places_of: PlacesOf,
) -> Mapping[Series, Reading]:
    """Return the newest reading of each series of one host."""
    found: dict[int, Reading] = {}
    missing = set(series)
    if head is not None:
        missing = _take(found, missing, [head], places_of)
        if missing:
            earlier = read.execute(queries.TAIL_EARLIER, (host, head[0]))
            missing = _take(found, missing, earlier, places_of)
    for number in missing:
        block = read.execute(queries.LAST_BLOCK, (number,)).fetchone()
        if block is not None:
            times, values = columns.decoded(*block)
            found[number] = (_time(int(times[-1])), float(values[-1]))
    return {one: found[number] for number, one in series.items() if number in found}


def _take(
    found: dict[int, Reading], missing: set[int], rows: Iterable[Row], places_of: PlacesOf
) -> set[int]:
    """Take what is missing out of rows, newest first; return what is in none of them."""
    for at_ms, shape, row in rows:
        places = places_of(shape)
        at = _time(at_ms)
        for number in missing & places.keys():
            (value,) = _VALUE.unpack_from(row, places[number] * _VALUE.size)
            found[number] = (at, value)
        missing = missing - places.keys()
        if not missing:
            break
    return missing


def _time(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, UTC)
