"""What would have been raised and decided about one host, over readings that are history.

Called by the backtest. Pure, and made of the product's own parts: the detector with baselines
learned from what lay before each moment, the folding by cause, the matching and the policy. Rules:

1. Nothing is judged by what came later: baselines are learned from the past alone, again every
   `RELEARNED_S`.
2. One incident for each episode: what stands, or is another view of what stands, opens no second.
3. A moment at which nothing is near any bound, while nothing stands, changes nothing in the
   detector; it is passed over. `_screen` says which moments those are, and errs to the safe side.
4. Each incident is decided twice: as on the first day, without any record, and as it would be once
   the playbook has earned its autonomy here. The difference is what has to be earned.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from sentienguard.model import ids
from sentienguard.model.anomaly import Anomaly, Baseline
from sentienguard.model.decision import Decision, Route
from sentienguard.model.evidence import Evidence, PastIncident
from sentienguard.model.incident import Incident
from sentienguard.model.playbook import Playbook
from sentienguard.model.telemetry import Sample, Series
from sentienguard.ports.embedder import Vector
from sentienguard.stages.decide import decide, evidence
from sentienguard.stages.decide.facts import Circumstances, TrackRecord
from sentienguard.stages.decide.matching import Library
from sentienguard.stages.decide.settings import DecideSettings
from sentienguard.stages.detect import baseline, correlate, detector, kinds, limits
from sentienguard.stages.detect.kinds import Direction
from sentienguard.stages.detect.settings import DetectSettings

RELEARNED_S: Final = (
    6 * 3600
)  # a baseline looks back seven days: a quarter of a day moves it little
RECENT_S: Final = 2 * 3600  # of the anomalous series, kept as evidence
TREND_S: Final = 3600
PATTERN: Final = timedelta(days=30)
HOUR: Final = timedelta(hours=1)
DAY_S: Final = 86_400
AGENT: Final = ids.AgentId("00000000-0000-4000-8000-000000000000")  # there is none yet
UNATTENDED: Final = frozenset({Route.RUN, Route.RUN_AND_VERIFY})
Floats: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class History:
    """Readings of one host on a regular grid of moments."""

    host: str
    environment: str
    start_s: int  # seconds since 1970 of the first moment
    step_s: int
    series: Mapping[tuple[str, str], Floats]  # (metric, subject) -> readings; NaN: missing

    @property
    def steps(self) -> int:
        """How many moments there are."""
        return len(next(iter(self.series.values()), ()))

    def days_since(self, moment_s: int) -> float:
        """Return for how long there are readings of any kind, from a moment on, in days."""
        first = max((moment_s - self.start_s) // self.step_s, 0)
        seen = np.zeros(max(self.steps - first, 0), dtype=np.bool_)
        for readings in self.series.values():
            seen |= np.isfinite(readings[first:])
        return float(seen.sum()) * self.step_s / DAY_S

    def at(self, step: int) -> datetime:
        """Return the time of a moment."""
        return datetime.fromtimestamp(self.start_s + step * self.step_s, UTC)


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What decides."""

    library: Library
    proven: Callable[[Playbook], TrackRecord]  # what a playbook brings on the first day
    detect: DetectSettings
    decide: DecideSettings
    vector: Callable[[Evidence], Vector | None] = lambda _known: None


@dataclass(frozen=True, slots=True)
class Raised:
    """One incident that would have been."""

    incident: Incident
    ended_at: datetime | None  # when the symptom was over; None: it stood at the end
    first_day: Decision
    earned: Decision  # with as many verified successes as autonomy needs


@dataclass(slots=True)
class _Open:
    """An episode that stands."""

    at: int  # its place among those raised
    series: Series


def raised(
    history: History, judged_from_s: int, known: Knowledge, *, entropy: bytes = b"\0\0\0\0"
) -> list[Raised]:
    """Return the incidents of a host, oldest first. Those before `judged_from_s` are left out.

    `entropy` keeps ids of hosts apart that raise something in the same second.
    """
    found: list[Raised] = []
    standing: dict[ids.Fingerprint, _Open] = {}
    for step, sample, judgement in _judged(history, known.detect, judged_from_s):
        for group in correlate.fold(judgement.anomalies):
            if not _stands(group.lead, standing):
                incident = _incident(history, group.lead, sample.at, found, entropy)
                standing[group.lead.fingerprint] = _Open(len(found), group.lead.series)
                found.append(_decided(history, step, sample, incident, before=found, known=known))
        for fingerprint in judgement.cleared:
            over = standing.pop(fingerprint, None)
            if over is not None:
                found[over.at] = replace(found[over.at], ended_at=sample.at)
    return found


def _judged(
    history: History, settings: DetectSettings, judged_from_s: int
) -> Iterator[tuple[int, Sample, detector.Judgement]]:
    """Yield what the detector says of the moments that can matter (rules 1 and 3)."""
    judge = detector.Detector(settings)
    series = [Series(history.host, metric, subject) for metric, subject in history.series]
    values = np.array(list(history.series.values())).reshape(len(series), -1)
    first = max((judged_from_s - history.start_s) // history.step_s, 0)
    stride = max(RELEARNED_S // history.step_s, 1)
    window = settings.window // timedelta(seconds=history.step_s)
    awake = False
    for start in range(first, history.steps, stride):
        times = (history.start_s + np.arange(max(start - window, 0), start) * history.step_s) * 1000
        past = values[:, max(start - window, 0) : start]
        seen = np.isfinite(past).any(axis=0)
        profiles = baseline.learn(series, times[seen], past[:, seen], settings)
        span = range(start, min(start + stride, history.steps))
        near = _screen(history, values[:, span.start : span.stop], profiles, settings, span=span)
        for step in span:
            if not (awake or near[step - start]):
                continue
            sample = _sample(history, step)
            if not sample.values:
                continue
            judgement = judge.judge(sample, profiles.lookup(sample.at), _recent(history, step))
            awake = bool(judge.state()["watches"])
            if judgement.anomalies or judgement.cleared:
                yield step, sample, judgement


def _screen(
    history: History,
    block: Floats,
    profiles: baseline.Profiles,
    settings: DetectSettings,
    *,
    span: range,
) -> NDArray[np.bool_]:
    """Tell for each moment whether any reading could be anomalous on any ground (rule 3)."""
    near = np.zeros(block.shape[1], dtype=np.bool_)
    moments = history.start_s + np.arange(span.start, span.stop) * history.step_s
    buckets = moments * settings.buckets // DAY_S  # each has one baseline
    parts = [np.nonzero(buckets == bucket)[0] for bucket in np.unique(buckets)]
    for (metric, subject), readings in zip(history.series, block, strict=True):
        one = Series(history.host, metric, subject)
        kind = kinds.kind_of(one.metric)
        limit = limits.LIMITS.get(one.metric)
        if limit is not None:
            broken = readings <= limit.reached if limit.falling else readings >= limit.reached
            near |= broken
        if kind.by_trend and kind.ceiling is not None:
            near |= readings >= limits.LOWEST_APPROACH * kind.ceiling
        if kind.by_baseline:
            for columns in parts:
                known = profiles.at(one, history.at(span.start + int(columns[0])))
                if known is not None:
                    near[columns] |= _far(readings[columns], known, kind, settings)
    return near


def _far(
    readings: Floats, known: Baseline, kind: kinds.Kind, settings: DetectSettings
) -> NDArray[np.bool_]:
    distance = (readings - known.mean) / known.stddev
    if kind.direction is Direction.DOWN:
        distance = -distance
    elif kind.direction is Direction.EITHER:
        distance = np.abs(distance)
    far = distance >= settings.sensitivity.sigma
    return far if kind.material is None else far & (readings >= kind.material)


def _sample(history: History, step: int) -> Sample:
    found = {name: float(readings[step]) for name, readings in history.series.items()}
    return Sample(
        agent=AGENT,
        host=history.host,
        environment=history.environment,
        tags={},
        seq=step,
        at=history.at(step),
        values={name: value for name, value in found.items() if value == value},  # noqa: PLR0124
    )


def _recent(history: History, step: int) -> Callable[[Series], detector.Recent]:
    return lambda series: _past(history, series, step, TREND_S)


def _past(
    history: History, series: Series, step: int, seconds: int
) -> tuple[tuple[datetime, float], ...]:
    """Return the readings of a series up to a moment, oldest first."""
    readings = history.series[series.metric, series.subject]
    first = max(step - seconds // history.step_s, 0)
    return tuple(
        (history.at(at), float(readings[at]))
        for at in range(first, step + 1)
        if np.isfinite(readings[at])
    )


def _stands(anomaly: Anomaly, standing: Mapping[ids.Fingerprint, _Open]) -> bool:
    """Tell whether this symptom, or another view of its cause, stands (rule 2)."""
    return anomaly.fingerprint in standing or any(
        correlate.same_cause(anomaly.series, one.series) for one in standing.values()
    )


def _incident(
    history: History, lead: Anomaly, at: datetime, before: Sequence[Raised], entropy: bytes
) -> Incident:
    earlier = [
        one.incident.id
        for one in reversed(before)
        if one.incident.fingerprint == lead.fingerprint and one.incident.opened_at >= at - PATTERN
    ]
    return Incident(
        id=ids.incident_id(at, entropy[:3] + bytes([len(before) % 256])),
        agent=AGENT,
        host=history.host,
        environment=history.environment,
        tags={},
        fingerprint=lead.fingerprint,
        anomaly=lead,
        opened_at=at,
        summary=lead.reason,
        earlier=tuple(earlier),
    )


def _decided(
    history: History,
    step: int,
    sample: Sample,
    incident: Incident,
    *,
    before: Sequence[Raised],
    known: Knowledge,
) -> Raised:
    """Decide an incident twice (rule 4)."""
    found = evidence.assemble(
        incident,
        incident.opened_at,
        sample=sample,
        recent=_past(history, incident.anomaly.series, step, RECENT_S),
        similar=[_past_incident(one) for one in before if one.incident.id in incident.earlier],
    )
    vector = known.vector(found)
    started = [
        one
        for one in before
        if one.earned.route in UNATTENDED and incident.opened_at - one.incident.opened_at < HOUR
    ]

    def made(record: Callable[[Playbook], TrackRecord], starts: int) -> Decision:
        circumstances = Circumstances(
            known_environments=frozenset({history.environment}),
            audit_healthy=True,
            service_starts_last_hour=starts,
        )
        return decide.decide(
            found, known.library, record, circumstances, known.decide, vector=vector
        )

    def earned(playbook: Playbook) -> TrackRecord:
        return replace(known.proven(playbook), verified=known.decide.autonomy_successes)

    return Raised(incident, None, made(known.proven, 0), made(earned, len(started)))


def _past_incident(one: Raised) -> PastIncident:
    outcome = "self_recovered" if one.ended_at else None
    playbook = one.first_day.playbook
    return PastIncident(one.incident.id, one.incident.opened_at, playbook, outcome)
