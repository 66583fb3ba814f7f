"""Look around an incident and say what it comes from, within a time.

Called by `deciding`. Reads through ports and changes nothing; what is near, what becomes of it and
what the engine says of it is pure (stages.decide.diagnosis.surroundings). Rules:

1. An incident never fails and never waits for want of a diagnosis. When the time for gathering is
   over, the snapshot has what came until then, and says what is missing. Whatever goes wrong
   becomes the reason why there is none.
2. Only the incident's environment is looked at.
3. What the diagnosis was made from is returned as bytes, so that it can be made again.
4. What many incidents of one moment look at alike is read once for them: who is where, who calls
   whom (at most `CALLS_S` old), what neighbours measured (`neighbours`).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sentienguard.flow import neighbours
from sentienguard.flow import turns as turning
from sentienguard.flow.centre import Centre, Samples
from sentienguard.flow.lines_elsewhere import LinesElsewhere
from sentienguard.model import errors
from sentienguard.model.diagnosis import MetricKind
from sentienguard.model.evidence import Changed, Diagnosis
from sentienguard.model.ids import AgentId
from sentienguard.model.incident import Incident
from sentienguard.model.telemetry import LogLine, Series
from sentienguard.model.topology import Edge
from sentienguard.ports.change_store import ChangeReader
from sentienguard.ports.outside_logs import OutsideLogs
from sentienguard.ports.topology_store import TopologyStore
from sentienguard.stages.decide.diagnosis import writing
from sentienguard.stages.decide.diagnosis.surroundings import (
    building,
    finding,
    kinds,
    naming,
    nearby,
    rates,
)

LIMIT_S: Final = 0.25  # of gathering; a decision takes a tenth of that without
CALLS_SEEN: Final = timedelta(days=2)  # calls that were not seen for longer are not followed
CHANGES_SEEN: Final = timedelta(hours=24)
BACK: Final = timedelta(milliseconds=building.LOOKS_BACK_MS)
CALLS_S: Final = 5.0  # for which the calls that were read serve
MOST_LINES: Final = 2000  # of the environment, on each side of the symptom
MOST_EVIDENT: Final = 10  # that stand beside the agent's own, and do not push them out
LINES_BACK: Final = timedelta(minutes=10)
OTLP: Final = "otlp:"  # before the service, where a line has a file
ELSEWHERE: Final = "loki:"  # the same, of a line that another system keeps
MOST_CHANGES: Final = 20
MOST_STANDING: Final = 50
MOST_NAMES: Final = 200  # metrics of other systems that are looked through
RESIDENTS_S: Final = 30.0  # of a fleet's incidents, many come together: hosts are read once
_LONGEST: Final = 300  # characters of a reason
_PLACES: Final = ("service.up", "service.healthy", "service.http_ms", "software.up")
_LABELS: Final = ("service_name", "service", "job")  # that name the service of another's series


@dataclass(frozen=True, slots=True)
class Sources:
    """Where to look besides the centre's own stores."""

    topology: TopologyStore
    outside_logs: OutsideLogs
    changes: ChangeReader
    elsewhere: LinesElsewhere | None = None  # more log lines; None: there are none


@dataclass(frozen=True, slots=True)
class Looked:
    """What came of looking."""

    diagnosis: Diagnosis
    snapshot: bytes = b""  # that it was made from; empty: none
    changes: tuple[Changed, ...] = ()  # of the last day, newest first


class Diagnosing:
    """Looks around incidents of one centre."""

    def __init__(
        self, centre: Centre, samples: Samples, sources: Sources, *, limit_s: float = LIMIT_S
    ) -> None:
        """Look with these stores, gathering for at most about `limit_s`."""
        self._centre = centre
        self._samples = samples
        self._sources = sources
        self._limit_s = limit_s
        self._turns = turning.Turns()
        self._residents: dict[str, _Residents] = {}  # by environment
        self._calls: dict[str, tuple[float, Sequence[Edge]]] = {}  # the same; since when, monotonic
        self._neighbours = neighbours.Neighbours(centre)

    def look(self, incident: Incident, now: datetime) -> Looked:
        """Return what the incident comes from, as far as anybody can tell at `now`."""
        if incident.anomaly.request is not None:
            return Looked(Diagnosis(None, None, None, "nothing went wrong: a person asked for it"))
        try:
            with self._turns.taken():
                residents = self._resident(incident)
                gathering = _Gathering(
                    self._centre, self._samples, self._sources, incident,
                    now=now, residents=residents, near_by=self._neighbours,
                    calls=self._called(incident.environment, now),
                )  # fmt: skip
                known = gathering.gather(self._centre.clock.monotonic() + self._limit_s)
                stored = writing.write(building.build(known))
                made = finding.of(stored, incident.host, gathering.left_out)
            return Looked(made, stored, tuple(known.changes))
        except (errors.Unavailable, errors.Rejected, errors.Broken) as cause:
            return Looked(Diagnosis(None, None, None, f"not to be had: {cause}"[:_LONGEST]))
        except Exception as cause:  # noqa: BLE001 - rule 1: what nobody foresaw is a reason too
            told = f"looking around failed: {type(cause).__name__}: {cause}"
            return Looked(Diagnosis(None, None, None, told[:_LONGEST]))

    def _resident(self, incident: Incident) -> "_Residents":
        """Return who is where; what was made of thousands of hosts serves until one is new."""
        place, now_s = incident.environment, self._centre.clock.monotonic()
        measured = tuple(self._centre.metrics.find(metric) for metric in _PLACES)
        known = self._residents.get(place)
        if known is None or not known.serves(incident.host, measured, now_s):
            agents = self._centre.agents.hosts(place)
            known = self._residents[place] = _Residents.of(agents, measured, now_s)
        return known

    def _called(self, place: str, now: datetime) -> Sequence[Edge]:
        """Return who calls whom in an environment."""
        now_s = self._centre.clock.monotonic()
        since_s, known = self._calls.get(place, (0.0, None))
        if known is None or not 0 <= now_s - since_s < CALLS_S:
            seen = self._sources.topology.edges([place], since=now - CALLS_SEEN)
            known = [one.edge for one in seen]
            self._calls[place] = (now_s, known)
        return known

    def lines_of(self, incident: Incident, now: datetime) -> tuple[LogLine, ...]:
        """Return the newest log lines that other systems sent of the incident's host."""
        try:
            found = self._sources.outside_logs.between(
                incident.environment, now - LINES_BACK, now, limit=MOST_LINES
            )
        except (errors.Unavailable, errors.Broken):  # rule 1: the agent's own lines are there
            return ()
        here = [one for one in found if one.host.casefold() == incident.host.casefold()]
        return (
            *(LogLine(one.at, f"{OTLP}{one.service}", one.text) for one in here[:MOST_EVIDENT]),
            *self._kept_elsewhere(incident, now),
        )

    def _kept_elsewhere(self, incident: Incident, now: datetime) -> Iterator[LogLine]:
        """Yield the newest lines of the incident's own service that another system keeps."""
        series = incident.anomaly.series
        if self._sources.elsewhere is None or not kinds.is_of_service(series.metric):
            return
        found = self._sources.elsewhere.of(
            incident.environment, [series.subject], now - LINES_BACK, now, most=MOST_EVIDENT
        )
        for one in found.lines:
            yield LogLine(one.at, f"{ELSEWHERE}{one.service}", one.text)


@dataclass(frozen=True, slots=True)
class _Residents:
    """The hosts of an environment, and which services their agents measure there."""

    agents: Mapping[str, AgentId]  # by host
    measured: tuple[Sequence[Series], ...]  # by metric of `_PLACES`, of all environments
    directory: naming.Directory
    read_s: float  # when the store said so; monotonic

    @classmethod
    def of(
        cls, agents: Mapping[str, AgentId], measured: tuple[Sequence[Series], ...], now_s: float
    ) -> "_Residents":
        """Find out which service is measured where."""
        places = (
            (series.subject, series.host)
            for found in measured
            for series in found
            if series.subject and not series.labels and series.host in agents
        )
        return cls(agents, measured, naming.Directory(places), now_s)

    def serves(self, host: str, measured: tuple[Sequence[Series], ...], now_s: float) -> bool:
        """Tell whether nothing can be new: the store has the same lists until there is a series.

        Whose agent was struck off is passed over `RESIDENTS_S` later.
        """
        same = all(one is other for one, other in zip(self.measured, measured, strict=True))
        return same and host in self.agents and now_s - self.read_s < RESIDENTS_S


class _Gathering:
    """Reads what is near one incident."""

    def __init__(
        self,
        centre: Centre,
        samples: Samples,
        sources: Sources,
        incident: Incident,
        *,
        now: datetime,
        residents: _Residents,
        near_by: neighbours.Neighbours,
        calls: Sequence[Edge],
    ) -> None:
        self._centre = centre
        self._samples = samples
        self._sources = sources
        self._incident = incident
        self._now = now
        self._begin = incident.anomaly.at - BACK
        self._residents = residents  # rule 2
        self._neighbours = near_by
        self._calls = calls
        self._agents = residents.agents
        self._deadline = 0.0
        self.left_out: list[str] = []

    def gather(self, deadline: float) -> building.Known:
        """Read until the deadline, what matters most first."""
        self._deadline = deadline
        symptom = self._symptom()
        lines, is_whole = self._lines() if self._in_time("log lines") else ([], True)
        foreign = self._foreign() if self._in_time("series of other systems") else {}
        places = list(self._runs_on(self._calls, lines, foreign))
        if symptom.service:  # it was measured there, whatever else says where it runs
            places.append((symptom.service, symptom.host))
        directory = naming.Directory(places, self._residents.directory)
        near = nearby.find(symptom.host, symptom.service or None, self._calls, directory)
        if near.left_out:
            self.left_out.append(f"{near.left_out} services and hosts farther away")
        lines += [*self._sampled(near)]
        is_whole = self._add_elsewhere(near, lines) and is_whole
        return building.Known(
            symptom=symptom,
            until_ms=_ms(self._now),
            nearby=near,
            directory=directory,
            changes=self._changes() if self._in_time("changes") else (),
            standing=self._standing() if self._in_time("other incidents") else (),
            series=[*self._of_hosts(near), *self._of_services(near, foreign)],
            lines=lines,
            lines_are_whole=is_whole,
        )

    def _in_time(self, what: str) -> bool:
        if self._centre.clock.monotonic() <= self._deadline:
            return True
        self.left_out.append(f"{what}: the time was over")
        return False

    def _symptom(self) -> building.Shown:
        anomaly = self._incident.anomaly
        series = anomaly.series
        return building.Shown(
            id=self._incident.id,
            host=self._incident.host,
            service=series.subject if kinds.is_of_service(series.metric) else "",
            kind=kinds.ours(series.metric) or MetricKind.OTHER,
            metric=_name(series),
            at_ms=_ms(anomaly.at),
            text=anomaly.reason,
        )

    def _runs_on(
        self,
        calls: Iterable[Edge],
        lines: Iterable[building.Said],
        foreign: Mapping[Series, str],
    ) -> Iterator[tuple[str, str]]:
        """Tell which service runs where besides: as log lines, others' series and names say."""
        for line in lines:
            if line.service and line.host in self._agents:
                yield line.service, line.host
        for series, service in foreign.items():
            if series.host in self._agents:
                yield service, series.host
        yield from self._servers(calls)

    def _servers(self, calls: Iterable[Edge]) -> Iterator[tuple[str, str]]:
        """Tell where databases without spans run that traces name with their server."""
        named = {
            edge.callee: edge.callee.partition("@")[2].partition(":")[0].casefold()
            for edge in calls
        }
        if not any(named.values()):
            return
        short = {name.partition(".")[0].casefold(): name for name in sorted(self._agents)}
        exact = {name.casefold(): name for name in sorted(self._agents, reverse=True)}
        for callee, server in named.items():
            found = exact.get(server) or short.get(server.partition(".")[0])
            if server and found is not None:
                yield callee, found

    def _of_hosts(self, near: nearby.Nearby) -> Iterator[building.Seen]:
        """Read what agents measured on the hosts nearby."""
        own = self._incident.anomaly.series
        measured = self._neighbours.read(
            near.hosts, self._begin, self._now, fresh=self._incident.host
        )
        for one in measured:
            if one.left_out:
                self.left_out.append(f"{one.left_out} series of {one.host}")
        if all(one.series != own for host in measured for one in host.columns):
            found = self._centre.metrics.range(own, self._begin, self._now)
            yield self._seen(neighbours.Column.of(own, MetricKind.OTHER, found), frozenset())
        services = frozenset(one.casefold() for one in near.services)
        for host in measured:
            for column in host.columns:
                yield self._seen(column, services)

    def _seen(self, column: neighbours.Column, services: frozenset[str]) -> building.Seen:
        series = column.series
        is_service = kinds.is_of_service(series.metric) and series.subject
        return building.Seen(
            host=series.host or self._incident.host,
            service=series.subject if is_service and series.subject.casefold() in services else "",
            kind=column.kind,
            name=_name(series),
            times_ms=column.times_ms,
            values=column.values,
        )

    def _foreign(self) -> Mapping[Series, str]:
        """Return series of other systems that name a service of this environment, with its name."""
        found: dict[Series, str] = {}
        looked = 0
        for metric in self._centre.metrics.metrics():
            if "." in metric or kinds.others(metric) is None or metric.endswith(kinds.BUCKET):
                continue
            looked += 1
            if looked > MOST_NAMES or self._centre.clock.monotonic() > self._deadline:
                self.left_out.append("series of other systems: there are too many")
                break
            for series in self._centre.metrics.find(metric):
                labels = dict(series.labels)
                if labels.get("environment") != self._incident.environment:
                    continue
                service = next((labels[one] for one in _LABELS if labels.get(one)), "")
                if service:
                    found[series] = service.rpartition("/")[2]  # job is namespace/name
        return found

    def _of_services(
        self, near: nearby.Nearby, foreign: Mapping[Series, str]
    ) -> Iterator[building.Seen]:
        """Read what other systems measured of the services nearby."""
        services = {one.casefold() for one in near.services}
        wanted = sorted(one for one in foreign if foreign[one].casefold() in services)
        if len(wanted) > building.MOST_SERIES:
            self.left_out.append(f"{len(wanted) - building.MOST_SERIES} series of other systems")
            wanted = wanted[: building.MOST_SERIES]
        found = self._centre.metrics.read(wanted, self._begin, self._now)
        raw = {
            series: rates.Points(tuple(one.times_ms.tolist()), tuple(one.values.tolist()))
            for series, one in zip(wanted, found, strict=True)
        }
        for series, kind, points in rates.told(raw):
            yield building.Seen(
                host=series.host if series.host in self._agents else "",
                service=foreign[series],
                kind=kind,
                name=series.metric,
                times_ms=points.times_ms,
                values=points.values,
            )

    def _lines(self) -> tuple[list[building.Said], bool]:
        """Read log lines on both sides of the symptom; false where there were more."""
        place, at = self._incident.environment, self._incident.anomaly.at
        between = self._sources.outside_logs.between
        gap = timedelta(minutes=10)
        after = between(place, at - gap, self._now, limit=MOST_LINES)
        before = between(place, self._begin, at - gap, limit=MOST_LINES)
        is_whole = max(len(after), len(before)) < MOST_LINES
        found = [
            building.Said(one.host, one.service, _ms(one.at), one.severity, one.text)
            for one in (*before, *after)
        ]
        return found, is_whole

    def _sampled(self, near: nearby.Nearby) -> Iterator[building.Said]:
        """Yield what agents sent of the hosts nearby: those of others have no place in a snapshot.

        An environment has a thousand hosts with a dozen samples each; `near` has at most sixteen.
        """
        for agent in (self._agents[one] for one in near.hosts if one in self._agents):
            for sample in self._samples.recent_samples(agent):
                for line in sample.log_lines:
                    yield building.Said(sample.host, "", _ms(line.at), "", line.text)

    def _add_elsewhere(self, near: nearby.Nearby, lines: list[building.Said]) -> bool:
        """Add lines of the services nearby that another system keeps; false: there are more.

        A line that was sent to us as well counts once.
        """
        if self._sources.elsewhere is None:
            return True
        with turning.lent():
            found = self._sources.elsewhere.of(
                self._incident.environment, near.services, self._begin, self._now
            )
        self.left_out += found.missing
        known = {(one.service.casefold(), one.at_ms, one.text) for one in lines}
        lines += [
            building.Said("", one.service, _ms(one.at), "", one.text)
            for one in found.lines
            if (one.service.casefold(), _ms(one.at), one.text) not in known
        ]
        return found.is_whole

    def _changes(self) -> Sequence[Changed]:
        return self._sources.changes.between(
            self._incident.environment, self._now - CHANGES_SEEN, self._now, limit=MOST_CHANGES
        )

    def _standing(self) -> Sequence[building.Standing]:
        """Return other incidents of the environment that are not over, the newest of them."""
        found = self._others()
        return [
            building.Standing(
                id=one.id,
                host=one.host,
                service=one.anomaly.series.subject
                if kinds.is_of_service(one.anomaly.series.metric)
                else "",
                metric=_name(one.anomaly.series),
                at_ms=_ms(one.anomaly.at),
                severity=one.anomaly.severity.value,
                text=one.anomaly.reason,
            )
            for one in found[-MOST_STANDING:]
        ]

    def _others(self) -> Sequence[Incident]:
        """Look through the newest only: where a whole fleet fails, a thousand stand."""
        looked = MOST_STANDING + 1  # its own may be among them
        while True:
            newest = self._centre.incidents.newest_unfinished(
                self._incident.environment, most=looked
            )
            found = [
                one for one in newest if one.id != self._incident.id and one.anomaly.request is None
            ]
            if len(found) >= MOST_STANDING or len(newest) < looked:
                return found
            looked *= 4  # many of them are what people asked for


def _name(series: Series) -> str:
    """Return how people know a series of one host."""
    return f"{series.metric}[{series.subject}]" if series.subject else series.metric


def _ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)
