"""What was read about an incident's surroundings to one snapshot.

Rules, beside those of the package:

1. Readings are of hosts, of the services that run on them, or of services that nobody places.
2. A database that traces name with its server (`postgresql@db-1`) runs on the host of that name,
   and is kept by the service of that kind there, where the agent declares one.
3. A series is thinned to `MOST_READINGS`, evenly; of the last stretch every reading counts.
4. Who depends on something that nobody measures depends on what that depends on, too: else a fault
   would end where nobody looks.
5. What happened after the decision is not there: nothing is later than `until_ms`.
"""

import bisect
import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from sentienguard.model import diagnosis
from sentienguard.model.diagnosis import ChangeKind, EdgeKind, MetricKind
from sentienguard.model.evidence import Changed
from sentienguard.model.topology import CallKind
from sentienguard.stages.decide.diagnosis import readings
from sentienguard.stages.decide.diagnosis.surroundings import lines as log_lines
from sentienguard.stages.decide.diagnosis.surroundings import naming
from sentienguard.stages.decide.diagnosis.surroundings.nearby import Nearby

LOOKS_BACK_MS: Final = 3_600_000  # what is observed before the symptom
MOST_READINGS: Final = 240  # of one series: an hour by fifteen seconds
MOST_SERIES: Final = 400  # of one snapshot
MOST_EDGES: Final = 2000
_EDGES: Final[Mapping[CallKind, EdgeKind]] = {
    CallKind.REQUEST: EdgeKind.CALL,
    CallKind.MESSAGE: EdgeKind.QUEUE,
    CallKind.DATABASE: EdgeKind.DATASTORE,
}


T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Seen:
    """One series near the incident."""

    host: str  # "" where nobody says
    service: str  # "": of the host itself
    kind: MetricKind
    name: str  # as people know it, with its subject
    times_ms: tuple[int, ...]  # rising
    values: tuple[float, ...]  # as many


@dataclass(frozen=True, slots=True)
class Said:
    """One log line near the incident, redacted."""

    host: str
    service: str
    at_ms: int
    severity: str
    text: str


@dataclass(frozen=True, slots=True)
class Standing:
    """Another incident that is not over."""

    id: str
    host: str
    service: str  # "": of the host itself
    metric: str
    at_ms: int
    severity: str
    text: str


@dataclass(frozen=True, slots=True)
class Shown:
    """What the incident is about."""

    id: str
    host: str
    service: str  # "": of the host itself
    kind: MetricKind
    metric: str  # name of the series, as in `Seen`
    at_ms: int
    text: str


@dataclass(frozen=True, slots=True)
class Known:
    """Everything that was read."""

    symptom: Shown
    until_ms: int
    nearby: Nearby
    directory: naming.Directory
    series: Sequence[Seen] = ()
    lines: Sequence[Said] = ()
    lines_are_whole: bool = True  # false: there were more than were read
    changes: Sequence[Changed] = ()
    standing: Sequence[Standing] = ()


def build(known: Known) -> diagnosis.Snapshot:
    """Return the snapshot."""
    places = _Places(known)
    series = _series(known, places)
    first = min((one.times_ms[0] for one in series), default=known.symptom.at_ms)
    since = max(known.symptom.at_ms - LOOKS_BACK_MS, min(first, known.symptom.at_ms))
    symptom = diagnosis.Symptom(
        object=places.of(known.symptom.host, known.symptom.service) or "",
        kind=known.symptom.kind,
        at_ms=known.symptom.at_ms,
        text=known.symptom.text,
        metric=known.symptom.metric,
    )
    found = diagnosis.Snapshot(
        id=known.symptom.id,
        symptom=symptom,
        since_ms=since,
        until_ms=max(known.until_ms, since),
        objects=places.objects,
        edges=_through(places.edges(known), {one.object for one in series}),
        series=series,
        changes=tuple(_change(one, places) for one in known.changes),
        alerts=tuple(_alerts(known.standing, places)),
    )
    return _with_lines(found, known, places)


def measured(found: diagnosis.Snapshot) -> diagnosis.Snapshot:
    """Return the snapshot without anything that somebody wrote (rule 1 of the package)."""
    symptom = found.symptom
    return diagnosis.Snapshot(
        id=found.id,
        symptom=None
        if symptom is None
        else diagnosis.Symptom(symptom.object, symptom.kind, symptom.at_ms, metric=symptom.metric),
        since_ms=found.since_ms,
        until_ms=found.until_ms,
        objects=found.objects,
        edges=found.edges,
        series=found.series,
        traces=found.traces,
    )


class _Places:
    """The inventory, and which object something is of."""

    def __init__(self, known: Known) -> None:
        self._directory = known.directory
        self._hosts = {one.casefold(): one for one in known.nearby.hosts}
        self._services = {one.casefold(): one for one in known.nearby.services}
        self._instances = {
            service: self._directory.objects(name, known.nearby.hosts)
            for service, name in self._services.items()
        }
        # A service may be called like an instance of another: then both are one object.
        found = {one.name: one for one in self._inventory()}
        self.objects = tuple(found.values())
        self._names = set(found)

    def _inventory(self) -> Iterable[diagnosis.InventoryObject]:
        for one in self._hosts.values():
            yield diagnosis.InventoryObject(naming.host(one), kind="node")
        for service, name in self._services.items():
            instances = self._instances[service]
            group = name if len(instances) > 1 else ""
            for one in instances:
                yield diagnosis.InventoryObject(one, kind="service", group=group)

    def of(self, host: str, service: str) -> str | None:
        """Return the object of a host, or of a service there; None: it is not near."""
        if service:
            spelled = self._services.get(service.casefold())
            if spelled is None:
                return None
            if not self._directory.runs_on(spelled, host):
                return self._instances[service.casefold()][0]
            name = self._directory.at(spelled, host)
            return name if name in self._names else None
        spelled = self._hosts.get(host.casefold())
        return None if spelled is None else naming.host(spelled)

    def edges(self, known: Known) -> tuple[diagnosis.Edge, ...]:
        """Return what depends on what: calls, and what runs where."""
        found: set[tuple[str, str, EdgeKind]] = set()
        for call in known.nearby.calls:
            kind = _EDGES[call.kind]
            for source in self._instances[call.caller.casefold()]:
                for target in self._instances[call.callee.casefold()]:
                    found.add((source, target, kind))
                    if call.kind is CallKind.MESSAGE:
                        found.add((target, source, kind))
        for service in self._services.values():
            for place in self._hosts.values():
                if self._directory.runs_on(service, place):
                    thing = self._directory.at(service, place)
                    found.add((thing, naming.host(place), EdgeKind.NODE))
            found |= self._kept_by(service)
        return tuple(
            diagnosis.Edge(*one)
            for one in sorted(found)
            if one[0] != one[1] and one[1] in self._names
        )

    def _kept_by(self, service: str) -> set[tuple[str, str, EdgeKind]]:
        """Return what keeps a database that traces name with its server (rule 2)."""
        system, _, server = service.partition("@")
        if not server:
            return set()
        return {
            (one, self._directory.at(other, place), EdgeKind.DATASTORE)
            for one in self._instances[service.casefold()]
            for place in self._directory.homes(service)
            for other in self._services.values()
            if other.casefold().startswith(system.casefold()[:_ALIKE]) and "@" not in other
            and self._directory.runs_on(other, place)
        }  # fmt: skip


_ALIKE: Final = 5  # letters of a database's kind that its service's name begins with: `postg`


def _through(
    edges: tuple[diagnosis.Edge, ...], measured_ones: set[str]
) -> tuple[diagnosis.Edge, ...]:
    """Add what is depended on through what nobody measures (rule 4)."""
    found = {(one.source, one.target): one for one in edges}
    line = sorted(found)
    while line and len(found) < MOST_EDGES:
        source, unseen = line.pop(0)
        if unseen in measured_ones:
            continue
        for one in [one for one in found.values() if one.source == unseen]:
            if one.target != source and (source, one.target) not in found:
                found[source, one.target] = diagnosis.Edge(source, one.target, one.kind)
                line.append((source, one.target))
    return tuple(found[name] for name in sorted(found))


def _series(known: Known, places: _Places) -> tuple[diagnosis.MetricSeries, ...]:
    until = known.until_ms
    oldest = known.symptom.at_ms - LOOKS_BACK_MS
    found = []
    for one in known.series:
        name = places.of(one.host, one.service)
        first = bisect.bisect_left(one.times_ms, oldest)  # they rise
        last = bisect.bisect_right(one.times_ms, until)
        if name is None or first >= last:
            continue
        times = _thinned(one.times_ms[first:last])
        values = _thinned(one.values[first:last])
        found.append(diagnosis.MetricSeries(name, one.kind, one.name, times, values))
    found.sort(key=lambda one: (one.name != known.symptom.metric, one.object, one.name))
    return tuple(found[:MOST_SERIES])


def _thinned(points: tuple[T, ...]) -> tuple[T, ...]:
    """Return at most so many readings, the last among them (rule 3)."""
    step = -(-len(points) // MOST_READINGS)
    return points if step <= 1 else points[::-1][::step][::-1]


def _change(one: Changed, places: _Places) -> diagnosis.ChangeEvent:
    kind = ChangeKind(one.kind) if one.kind in set(ChangeKind) else ChangeKind.EVENT
    said = " ".join(part for part in (one.version, one.summary) if part)
    return diagnosis.ChangeEvent(
        id=one.id,
        object=(places.of("", one.service) or "") if one.service else "",
        kind=kind,
        at_ms=int(one.at.timestamp() * 1000),
        summary=said,
    )


def _alerts(standing: Sequence[Standing], places: _Places) -> Iterable[diagnosis.Alert]:
    for one in standing:
        thing = places.of(one.host, one.service) or places.of(one.host, "")
        if thing is not None:
            yield diagnosis.Alert(
                one.id, thing, one.metric, one.at_ms, one.severity, one.text, one.metric
            )


def _with_lines(found: diagnosis.Snapshot, known: Known, places: _Places) -> diagnosis.Snapshot:
    """Return the snapshot with the kinds of line that its objects wrote."""
    placed = []
    for one in known.lines:
        thing = places.of(one.host, one.service) or places.of(one.host, "")
        if thing is not None and found.since_ms <= one.at_ms <= found.until_ms:
            placed.append(log_lines.Line(thing, one.at_ms, one.severity, one.text))
    kinds = log_lines.templates(
        placed,
        since_ms=found.since_ms,
        boundary_ms=readings.boundary(found),
        until_ms=found.until_ms,
        is_whole=known.lines_are_whole,
    )
    return dataclasses.replace(found, logs=kinds)
