"""What the hosts near an incident measured of late, each read once for many incidents.

Called by `diagnosing`. Where many hosts fail in one moment, their incidents look at the same
neighbours. Rules:

1. What was read in the last `NEIGHBOURS_S` serves again. A neighbour is heard of twice a minute, so
   what it said since is missing as what it has not sent yet is; a snapshot says what was read.
2. The incident's own host is always read.
3. What is remembered is bounded: `MOST_NEIGHBOURS` hosts, `MOST_OF_A_HOST` series, and so long.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sentienguard.flow.centre import Centre
from sentienguard.model.diagnosis import MetricKind
from sentienguard.model.telemetry import Series
from sentienguard.ports.metric_store import Readings
from sentienguard.stages.decide.diagnosis.surroundings import kinds

NEIGHBOURS_S: Final = 5.0
MOST_NEIGHBOURS: Final = 64  # four incidents' worth
MOST_OF_A_HOST: Final = 48  # series
_BEFORE: Final = timedelta(minutes=1)  # read earlier than asked: the next may have begun earlier


@dataclass(frozen=True, slots=True)
class Column:
    """Readings of one series, as a snapshot has them."""

    series: Series
    kind: MetricKind
    times_ms: tuple[int, ...]
    values: tuple[float, ...]

    @classmethod
    def of(cls, series: Series, kind: MetricKind, found: Readings) -> "Column":
        """Take over what the store returned."""
        return cls(series, kind, tuple(found.times_ms.tolist()), tuple(found.values.tolist()))


@dataclass(frozen=True, slots=True)
class Measured:
    """What one host's agent measured of late."""

    host: str
    columns: tuple[Column, ...]
    left_out: int  # series beyond `MOST_OF_A_HOST`
    since: datetime
    read_s: float  # when; monotonic


class Neighbours:
    """Reads hosts of one centre, and remembers for a few seconds."""

    def __init__(self, centre: Centre) -> None:
        """Remember nothing yet."""
        self._centre = centre
        self._known: dict[str, Measured] = {}

    def read(
        self, hosts: Sequence[str], since: datetime, until: datetime, *, fresh: str
    ) -> list[Measured]:
        """Return what these measured from `since` or a little earlier on; `fresh` as of now."""
        now_s = self._centre.clock.monotonic()
        kept = dict(self._known)  # as it is now: another thread may put its own there
        missing = [
            host
            for host in hosts
            if host == fresh
            or (one := kept.get(host)) is None
            or one.since > since
            or now_s - one.read_s >= NEIGHBOURS_S
        ]
        for one in self._read(missing, since - _BEFORE, until, now_s):
            kept.pop(one.host, None)
            kept[one.host] = one
        found = [kept[host] for host in hosts]
        self._known = {
            host: one
            for host, one in list(kept.items())[-MOST_NEIGHBOURS:]  # the newest
            if now_s - one.read_s < NEIGHBOURS_S
        }
        return found

    def _read(
        self, hosts: Sequence[str], since: datetime, until: datetime, now_s: float
    ) -> Iterator[Measured]:
        wanted: dict[str, list[tuple[Series, MetricKind]]] = {}
        for host in hosts:
            wanted[host] = [
                (series, kind)
                for series in self._centre.metrics.series(host)
                for kind in [kinds.ours(series.metric)]
                if kind is not None
            ]
        taken = [one for host in hosts for one in wanted[host][:MOST_OF_A_HOST]]
        read = iter(self._centre.metrics.read([series for series, _ in taken], since, until))
        for host in hosts:
            yield Measured(
                host=host,
                columns=tuple(
                    Column.of(series, kind, next(read))
                    for series, kind in wanted[host][:MOST_OF_A_HOST]
                ),
                left_out=max(0, len(wanted[host]) - MOST_OF_A_HOST),
                since=since,
                read_s=now_s,
            )
