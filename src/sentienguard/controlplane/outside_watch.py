"""Watch series of other systems for what is not normal, host by host.

Called by controlplane.telemetry: `note` with what is durable, and one thread that judges every
`PERIOD_S`. Nobody described these series, so they are judged by the lane of deviation
(stages.detect.lanes), all series of a host together. Rules:

1. A reading costs a place in a table; judging costs per host and period, however often it sends.
2. Series that appear together are judged together (a cohort). One that stays away is missing, not
   deviating: after `STOPPED` periods it is counted and listed, for nobody's night. A cohort of
   which all stay away is forgotten.
3. A host deviates when its measure is over the threshold `CONFIRMED` times in a row, after
   `LEARNED` periods. That opens one incident of the enrolled host of that name and environment,
   for people: no remedy is for what nobody described. It ends when the measure stays below.
4. What a host without an agent does is counted and shown in `/metrics`, and opens nothing.
5. The threshold was chosen to be quiet. It is not measured on labelled hosts, so this tells people
   and decides nothing.
6. What is learned lives from start to stop; after a restart nothing is judged until it is learned.
"""

import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from sentienguard.controlplane.centre import Centre
from sentienguard.controlplane.intake import AWAITS_RECOVERY, Intake
from sentienguard.flow import incident as flow
from sentienguard.model import errors, ids
from sentienguard.model.anomaly import Anomaly, Ground, Severity
from sentienguard.model.ids import IncidentId
from sentienguard.model.telemetry import Series
from sentienguard.ports.agent_store import Agent
from sentienguard.ports.metric_store import Moment
from sentienguard.stages.detect.lanes import deviation

log = logging.getLogger(__name__)
METRIC: Final = "outside.deviation"  # of the incident: its value is the host's measure
PERIOD_S: Final = 15.0  # the usual interval of a scrape
LEARNED: Final = 120  # periods before a host is judged: half an hour
THRESHOLD: Final = 1.5  # of `_together`: all series 2.4 sigma off, or a third of them 8
CONFIRMED: Final = 4  # periods in a row over the threshold
NAMED: Final = 3  # series that a reason names
MOST_COHORTS: Final = 200  # of one host; beyond it the oldest goes
STOPPED: Final = 40  # periods without a reading of a series whose host goes on: ten minutes
FORGOTTEN: Final = 5760  # periods without a reading of a cohort: a day
Host: TypeAlias = tuple[str, str]  # environment, name


@dataclass(slots=True)
class _Cohort:
    """Series that appeared in one period."""

    series: tuple[Series, ...]
    lane: deviation.Deviation
    missing: int = 0  # periods in which none of them came
    quiet: NDArray[np.int32] = field(init=False)  # periods since each came
    newest: NDArray[np.float64] = field(init=False)  # reading of each
    newest_at: NDArray[np.float64] = field(init=False)  # its moment, seconds since 1970

    def __post_init__(self) -> None:
        """Begin with all of them here."""
        self.quiet = np.zeros(len(self.series), dtype=np.int32)
        self.newest = np.full(len(self.series), np.nan)
        self.newest_at = np.full(len(self.series), np.nan)


@dataclass(frozen=True, slots=True)
class Heard:
    """One series of another system, as it was last heard."""

    series: Series
    value: float
    at: datetime  # of the newest reading
    stopped: bool  # it stays away although its host goes on sending


@dataclass(slots=True)
class _Watched:
    """What is known of one host."""

    fresh: dict[Series, float] = field(default_factory=dict)  # newest readings of this period
    fresh_at: datetime | None = None  # when the newest of them was read
    known: set[Series] = field(default_factory=set)
    cohorts: list[_Cohort] = field(default_factory=list)
    periods: int = 0
    over: int = 0  # periods in a row over the threshold
    under: int = 0
    is_told: bool = False  # that it deviates
    incident: IncidentId | None = None


class OutsideWatch:
    """Hosts by environment and name."""

    def __init__(self, centre: Centre, intake: Intake) -> None:
        """Begin knowing nothing."""
        self._centre = centre
        self._intake = intake
        self._lock = threading.Lock()
        self._hosts: dict[Host, _Watched] = {}
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="outside-watch", daemon=True)

    def start(self) -> None:
        """Begin to judge."""
        self._thread.start()

    def stop(self) -> None:
        """Finish the period at hand and stop."""
        self._stopped.set()
        if self._thread.ident is not None:
            self._thread.join()

    def note(self, environment: str, moments: Sequence[Moment]) -> None:
        """Remember the newest readings; moments rise (rule 1)."""
        with self._lock:
            for moment in moments:
                for series, value in moment.values:
                    if series.host:
                        place = (environment, series.host)
                        watched = self._hosts.get(place)
                        if watched is None:
                            watched = self._hosts[place] = _Watched()
                        watched.fresh[series] = value
                        watched.fresh_at = moment.at

    def heard(self, environment: str, host: str) -> list[Heard]:
        """Return the series of a host, each with its newest reading, in no order.

        What came in the period at hand is not in it yet.
        """
        found: list[Heard] = []
        with self._lock:
            cohorts = [
                cohort
                for (place, name), watched in self._hosts.items()
                if place == environment and name.casefold() == host.casefold()
                for cohort in watched.cohorts
            ]
            for cohort in cohorts:
                readings = zip(
                    cohort.series, cohort.newest, cohort.newest_at, cohort.quiet, strict=True
                )
                found += [
                    Heard(
                        series,
                        float(value),
                        datetime.fromtimestamp(at, UTC),
                        bool(quiet >= STOPPED),
                    )
                    for series, value, at, quiet in readings
                    if np.isfinite(at)
                ]
        return found

    def judge(self, now: datetime) -> int:
        """Judge what came since the last time; return how many hosts deviate."""
        with self._lock:
            waiting = [(place, one, one.fresh) for place, one in self._hosts.items()]
            for _, one, fresh in waiting:
                one.fresh = {}
                _admit(one, fresh)
                _remember(one, fresh)
        deviating = 0
        for place, watched, fresh in waiting:
            deviating += self._judge(place, watched, fresh, now)
        self._forget()
        return deviating

    def _judge(
        self, place: Host, watched: _Watched, fresh: dict[Series, float], now: datetime
    ) -> bool:
        found = _deviations(watched, fresh, now)
        watched.periods += bool(fresh)
        if fresh:
            stopped = sum(int((one.quiet == STOPPED).sum()) for one in watched.cohorts)
            self._centre.counters.add("series_stopped_total", "outside", stopped)
        if not found or watched.periods <= LEARNED:
            return False
        measure = _together([sigma for sigma, _ in found])
        over = measure > THRESHOLD
        watched.over, watched.under = (watched.over + 1, 0) if over else (0, watched.under + 1)
        if watched.over >= CONFIRMED and not watched.is_told:
            self._open(place, watched, measure, found, now)
            self._centre.counters.add("outside_deviations_total")
            watched.is_told = True  # after it: what could not be kept is tried again
        if watched.under >= CONFIRMED and watched.is_told:
            self._close(watched, now)
            watched.is_told = False
        return watched.over >= CONFIRMED

    def _open(
        self, place: Host, watched: _Watched, measure: float,
        found: Sequence[tuple[float, Series]], now: datetime,
    ) -> None:  # fmt: skip
        agent = self._agent(place)
        if agent is None:
            return  # rule 4
        worst = sorted(found, key=lambda one: -one[0])[:NAMED]
        named = ", ".join(f"{series.metric[:60]} ({sigma:.0f} sigma)" for sigma, series in worst)
        anomaly = Anomaly(
            series=Series(agent.host, METRIC),
            at=now,
            value=round(measure, 3),
            severity=Severity.WARNING,
            ground=Ground.ALERT,  # it stands as long as we say so: the agent's readings do not tell
            sigma=None,
            baseline=None,
            trend=None,
            reason=f"{len(found)} series of other systems deviate together, most: {named}",
        )
        name = ids.incident_id(now, self._centre.entropy.bytes(4))
        watched.incident = self._intake.alerted(agent, anomaly, name)

    def _close(self, watched: _Watched, now: datetime) -> None:
        if watched.incident is None:
            return
        found = self._centre.incidents.get(watched.incident)
        if found.anomaly.series.metric == METRIC:  # another's ends where it was found
            self._centre.episodes.clear(found.id, at=now)
            if found.status in AWAITS_RECOVERY:
                key = f"recovered/{found.status.value}"
                self._centre.tell(found.id, flow.Recovered(now), key=key)
        watched.incident = None

    def _agent(self, place: Host) -> Agent | None:
        environment, name = place
        named = [
            one
            for one in self._centre.agents.list()
            if one.environment == environment and one.host.casefold() == name.casefold()
        ]
        return named[0] if len(named) == 1 else None

    def _forget(self) -> None:
        with self._lock:
            for place, one in list(self._hosts.items()):
                if one.periods and not one.cohorts and not one.fresh and one.incident is None:
                    del self._hosts[place]

    def _run(self) -> None:
        while not self._stopped.wait(PERIOD_S):
            try:
                self.judge(self._centre.clock.now())
            except (errors.Unavailable, errors.Broken) as problem:
                log.warning("series of other systems were not judged: %s", problem)


def _together(sigmas: Sequence[float]) -> float:
    """Return one number for a host: many series a little off and a few far off both count.

    Each is squared after its logarithm, so that one absurd series does not drown the rest.
    """
    return float((np.log1p(np.array(sigmas, dtype=np.float64)) ** 2).mean())


def _admit(watched: _Watched, fresh: dict[Series, float]) -> None:
    """Make a cohort of what was not seen before (rule 2)."""
    new = tuple(series for series in fresh if series not in watched.known)
    if new:
        watched.known.update(new)
        watched.cohorts.append(_Cohort(new, deviation.Deviation(len(new))))
    if len(watched.cohorts) > MOST_COHORTS:
        watched.known.difference_update(watched.cohorts.pop(0).series)


def _remember(watched: _Watched, fresh: dict[Series, float]) -> None:
    """Keep the newest reading of each series, and for how long each stays away (rule 2)."""
    if watched.fresh_at is None or not fresh:
        return
    for cohort in watched.cohorts:
        values = np.array([fresh.get(series, np.nan) for series in cohort.series])
        came = np.isfinite(values)
        cohort.quiet = np.where(came, 0, cohort.quiet + 1).astype(np.int32)
        cohort.newest[came] = values[came]
        cohort.newest_at[came] = watched.fresh_at.timestamp()


def _deviations(
    watched: _Watched, fresh: dict[Series, float], now: datetime
) -> list[tuple[float, Series]]:
    """Return by how much each series deviates that came in this period."""
    found: list[tuple[float, Series]] = []
    for cohort in list(watched.cohorts):
        values = np.array([fresh.get(series, np.nan) for series in cohort.series])
        came = np.isfinite(values)
        if not came.any():
            cohort.missing += 1
            if cohort.missing > FORGOTTEN:
                watched.cohorts.remove(cohort)
                watched.known.difference_update(cohort.series)
            continue
        cohort.missing = 0
        sigmas = cohort.lane.judge(now.timestamp(), values)
        found += [
            (float(sigma), series)
            for sigma, series, is_here in zip(sigmas, cohort.series, came, strict=True)
            if is_here
        ]
    return found
