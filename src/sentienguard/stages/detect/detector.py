"""The judge of one sample: limits, baselines and trends, confirmed, with hysteresis.

Rules, cited below by number:

1. It works from the first sample: limits need no history, trends a few minutes, baselines an hour.
2. A reading is anomalous on one of four grounds; the certain one leads: limit, trend, baseline,
   deviation. Deviation speaks only while the baseline does not know this time of day.
3. A ground is believed after as many readings in a row, and for as long, as its table says.
4. An anomaly is reported once, and again only where it gets worse or its ground more certain.
5. It is over when the grounds it stands on have been calm for `clear_samples` readings in a row;
   between the alarm level and the clear level nothing changes.
6. A deviation that outlives the anomaly (a disk back at 60 % that used to hold 40 %) is known: it
   must be calm once before it can be reported.
7. What another reading of the same sample explains is left as it was: a service that is not
   running does not answer either.
8. A reading that is no finite number is ignored; a sample that is not newer than the last one of
   its host moves no counter twice.
9. What was reported and then put aside (`set_aside`) is reported again with the next reading that
   is still anomalous.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple, TypeAlias

from sentienguard.model.anomaly import Anomaly, Baseline, Ground, Severity, Trend
from sentienguard.model.ids import Fingerprint, fingerprint
from sentienguard.model.telemetry import Sample, Series
from sentienguard.stages.detect import kinds, limits, scoring, trend, wording
from sentienguard.stages.detect.deviations import Deviating
from sentienguard.stages.detect.settings import DetectSettings

Recent: TypeAlias = tuple[tuple[datetime, float], ...]
_CERTAINTY: Mapping[Ground, int] = {
    Ground.DEVIATION: 0,
    Ground.BASELINE: 1,
    Ground.TREND: 2,
    Ground.LIMIT: 3,
}
_DEVIATING_SAMPLES = 4  # in a row, at least: a lane that knows no names is believed later
_DEVIATING_S = 90  # seconds that they last, at least
_MISSED_SAMPLES = 20  # in a row, at least, before a series is gone: one clock jump is not an hour


def _unknown(_series: Series) -> None:
    """Nothing is known of any series: the lane is not asked."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What one sample changed."""

    anomalies: tuple[Anomaly, ...] = ()  # newly standing or worse than before (rule 4)
    cleared: tuple[Fingerprint, ...] = ()  # over since this sample (rule 5)
    standing: tuple[Fingerprint, ...] = ()  # all that stand on this host after it


@dataclass(frozen=True, slots=True)
class _Finding:
    """What one ground says of one reading."""

    ground: Ground
    severity: Severity | None  # None: not anomalous on this ground
    calm: bool  # true: far enough below to count as recovered
    samples: int = 1  # readings in a row before it is believed
    held_s: int = 0  # seconds it must have lasted as well


_GOING_NOWHERE = _Finding(Ground.TREND, None, calm=True)


class _Watch:
    """What is remembered of one series that is not, or was just now not, normal."""

    __slots__ = ("calm", "grounds", "known", "missed", "runs", "seen_ms", "since_ms", "standing")

    def __init__(self, seen_ms: int) -> None:
        self.standing: Severity | None = None  # None: nothing reported
        self.grounds: set[Ground] = set()  # what the reported anomaly stands on
        self.known: set[Ground] = set()  # rule 6
        self.calm = 0  # calm readings in a row
        self.runs: dict[Ground, int] = {}  # anomalous readings in a row
        self.since_ms: dict[Ground, int] = {}  # when that run began
        self.seen_ms = seen_ms  # when the series was last in a sample
        self.missed = 0  # samples in a row without it

    @property
    def idle(self) -> bool:
        return self.standing is None and not self.runs and not self.known


class Detector:
    """Judges samples in the order of their hosts' clocks.

    Holds a few numbers for each series that is not normal, and nothing for the others. Judging the
    recent samples again on a new detector gives the same state; `state` and `restore` save that.
    """

    def __init__(self, settings: DetectSettings) -> None:
        self._settings = settings
        self._watches: dict[str, dict[Series, _Watch]] = {}  # by host
        self._last_ms: dict[str, int] = {}  # by host

    def judge(
        self,
        sample: Sample,
        baselines: Callable[[Series], Baseline | None],
        recent: Callable[[Series], Recent],
        deviations: Callable[[Series], Deviating | None] = _unknown,
    ) -> Judgement:
        """Judge one sample.

        `baselines` answers for the sample's time of day; `recent` gives the series of the last
        hour, oldest first, with or without this sample's reading; `deviations` says what the lane
        found of this sample. Each is asked only where needed.
        """
        at_ms = _ms(sample.at)
        if at_ms <= self._last_ms.get(sample.host, -1):
            return Judgement(standing=self.standing(sample.host))  # rule 8
        self._last_ms[sample.host] = at_ms
        anomalies: list[Anomaly] = []
        cleared: list[Fingerprint] = []
        watches = self._watches.setdefault(sample.host, {})
        views = _Views(sample.at, baselines, recent, deviations, self._settings)
        for (metric, subject), value in sample.values.items():
            if not math.isfinite(value) or _explained(sample, metric, subject):
                continue  # rules 8 and 7
            series = Series(sample.host, metric, subject)
            reading = _Reading(series, value, views)
            watch = watches.get(series) if watches else None
            if watch is None:
                if reading.is_normal():
                    continue
                watch = watches[series] = _Watch(at_ms)
            findings = reading.findings()
            worse = self._update(watch, findings, at_ms)
            if worse is not None:
                anomalies.append(reading.anomaly(worse))
            elif self._over(watch, findings):
                cleared.append(fingerprint(series.host, series.metric, series.subject))
            if watch.idle:
                del watches[series]
        cleared += self._gone(watches, sample)
        return Judgement(tuple(anomalies), tuple(cleared), self.standing(sample.host))

    def standing(self, host: str) -> tuple[Fingerprint, ...]:
        """Return the symptoms that stand on this host, sorted."""
        return tuple(
            sorted(
                fingerprint(series.host, series.metric, series.subject)
                for series, watch in self._watches.get(host, {}).items()
                if watch.standing is not None
            )
        )

    def set_aside(self, series: Series) -> None:
        """Take back the report of a symptom that nobody shall hear of now (rule 9)."""
        watch = self._watches.get(series.host, {}).get(series)
        if watch is not None:
            watch.standing = None
            watch.grounds.clear()
            watch.calm = 0

    def forget(self, host: str) -> None:
        """Drop what is remembered of a host that is gone."""
        self._watches.pop(host, None)
        self._last_ms.pop(host, None)

    def state(self) -> dict[str, Any]:
        """Return all that is remembered, as JSON data."""
        return {
            "last_ms": dict(sorted(self._last_ms.items())),
            "watches": [
                _dumped(series, watches[series])
                for _, watches in sorted(self._watches.items())
                for series in sorted(watches)
            ],
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take over what `state` returned; what was remembered before is dropped."""
        self._last_ms = dict(state["last_ms"])
        self._watches = {}
        for row in state["watches"]:
            series = Series(*row["series"])
            self._watches.setdefault(series.host, {})[series] = _loaded(row)

    def _update(self, watch: _Watch, findings: Iterable[_Finding], at_ms: int) -> _Finding | None:
        """Count, and return the finding to report, if there is one (rules 3, 4 and 6)."""
        worst: _Finding | None = None
        for finding in findings:
            ground = finding.ground
            if finding.severity is None:
                watch.runs.pop(ground, None)
                watch.since_ms.pop(ground, None)
                if finding.calm:
                    watch.known.discard(ground)
                continue
            watch.runs[ground] = watch.runs.get(ground, 0) + 1
            since_ms = watch.since_ms.setdefault(ground, at_ms)
            believed = (
                watch.runs[ground] >= finding.samples and at_ms - since_ms >= finding.held_s * 1000
            )
            if believed and ground not in watch.known and _beats(finding, worst):
                worst = finding
        if worst is None or worst.severity is None or not _is_news(watch, worst):
            return None
        watch.standing = worst.severity
        watch.grounds.add(worst.ground)
        watch.calm = 0
        return worst

    def _gone(self, watches: dict[Series, _Watch], sample: Sample) -> list[Fingerprint]:
        """Forget series that have stayed away, and return those of them that stood (rule 10)."""
        at_ms, away_ms = _ms(sample.at), self._settings.gone_after.total_seconds() * 1000
        gone = []
        for series, watch in list(watches.items()):
            if math.isfinite(sample.values.get((series.metric, series.subject), math.nan)):
                watch.seen_ms, watch.missed = at_ms, 0
                continue
            watch.missed += 1
            if watch.missed >= _MISSED_SAMPLES and at_ms - watch.seen_ms >= away_ms:
                del watches[series]
                if watch.standing is not None:
                    gone.append(fingerprint(series.host, series.metric, series.subject))
        return gone

    def _over(self, watch: _Watch, findings: Iterable[_Finding]) -> bool:
        """Tell whether the reported anomaly ended with this reading (rules 5 and 6)."""
        if watch.standing is None:
            return False
        calm = {finding.ground: finding.calm for finding in findings}
        if not all(calm.get(ground, True) for ground in watch.grounds):
            watch.calm = 0
            return False
        watch.calm += 1
        if watch.calm < self._settings.clear_samples:
            return False
        watch.standing = None
        watch.known |= {ground for ground in watch.runs if ground not in watch.grounds}
        watch.grounds.clear()
        watch.calm = 0
        return True


class _Views(NamedTuple):
    """What the readings of one sample are judged by."""

    at: datetime
    baselines: Callable[[Series], Baseline | None]
    recent: Callable[[Series], Recent]
    deviations: Callable[[Series], Deviating | None]
    settings: DetectSettings


class _Reading:
    """One reading on its way through the grounds."""

    __slots__ = ("kind", "limit", "series", "value", "views")

    def __init__(self, series: Series, value: float, views: _Views) -> None:
        self.series = series
        self.value = value
        self.views = views
        self.kind = kinds.kind_of(series.metric)
        self.limit = limits.LIMITS.get(series.metric)

    def is_normal(self) -> bool:
        """Tell whether no finding has a severity, for a fraction of what the findings cost."""
        if self.limit is not None and self.limit.broken(self.value):
            return False
        kind = self.kind
        if kind.by_baseline:
            alarm = self.views.settings.sensitivity.sigma
            if self._from_baseline() >= alarm or (self._from_lane() or 0.0) >= alarm:
                return False
        return not kind.by_trend or self._by_trend().severity is None

    def findings(self) -> tuple[_Finding, ...]:
        found = []
        limit = self.limit
        if limit is not None:
            found.append(
                _Finding(
                    Ground.LIMIT,
                    limit.severity if limit.broken(self.value) else None,
                    limit.over(self.value),
                    limit.samples,
                    limit.held_s,
                )
            )
        if self.kind.by_baseline:
            found.append(self._by_baseline())
            found += self._by_deviation()
        if self.kind.by_trend:
            found.append(self._by_trend())
        return tuple(found)

    def anomaly(self, finding: _Finding) -> Anomaly:
        baseline = self.views.baselines(self.series)
        going = self._trend()
        severity = finding.severity or Severity.INFO
        sigma = None if baseline is None else scoring.sigma(self.value, baseline)
        if finding.ground is Ground.DEVIATION:
            sigma = self._deviation()
        return Anomaly(
            series=self.series,
            at=self.views.at,
            value=self.value,
            severity=severity,
            ground=finding.ground,
            sigma=sigma,
            baseline=baseline,
            trend=going,
            reason=wording.reason(
                self.series,
                self.value,
                finding.ground,
                baseline=baseline,
                sigma=sigma,
                going=going,
            ),
        )

    def _by_baseline(self) -> _Finding:
        if self.views.baselines(self.series) is None:
            return _Finding(Ground.BASELINE, None, calm=True)
        return self._by_distance(Ground.BASELINE, self._from_baseline(), self.kind.confirm)

    def _by_deviation(self) -> tuple[_Finding, ...]:
        """Say what the lane finds; nothing where it cannot say anything (rule 2)."""
        if self._knows_the_time():
            return (_Finding(Ground.DEVIATION, None, calm=True),)
        distance = self._from_lane()
        if distance is None:
            return ()
        samples = max(self.kind.confirm, _DEVIATING_SAMPLES)
        return (self._by_distance(Ground.DEVIATION, distance, samples, _DEVIATING_S),)

    def _by_distance(
        self, ground: Ground, distance: float, samples: int, held_s: int = 0
    ) -> _Finding:
        settings = self.views.settings
        alarm = settings.sensitivity.sigma
        severity = scoring.severity(distance) if distance >= alarm else None
        return _Finding(
            ground, severity, distance < alarm * settings.clear_fraction, samples, held_s
        )

    def _from_baseline(self) -> float:
        """Return the distance in standard deviations that harms anybody; 0 without a baseline."""
        baseline = self.views.baselines(self.series)
        if baseline is None or self._harms_nobody():
            return 0.0
        return scoring.sigma(self.value, baseline, self.kind.direction)

    def _from_lane(self) -> float | None:
        """Return the same by what the lane found; None where it has nothing to say (rule 2)."""
        if self._knows_the_time():
            return None
        distance = self._deviation()
        return 0.0 if distance is not None and self._harms_nobody() else distance

    def _knows_the_time(self) -> bool:
        baseline = self.views.baselines(self.series)
        return baseline is not None and baseline.seasonal

    def _harms_nobody(self) -> bool:
        return self.kind.material is not None and self.value < self.kind.material

    def _deviation(self) -> float | None:
        """Return the lane's sigma in the bad direction, by no smaller spread than the kind's."""
        found = self.views.deviations(self.series)
        if found is None:
            return None
        mean, kind = self.value - found.step, self.kind
        spread = max(kind.floor, kind.relative_floor * abs(mean))
        return min(found.sigma, scoring.directed(found.step / spread, kind.direction))

    def _by_trend(self) -> _Finding:
        ceiling = self.kind.ceiling
        if ceiling is None or self.value < limits.LOWEST_APPROACH * ceiling:
            return _GOING_NOWHERE
        going = self._trend()
        if going is None or going.hours_to_exhaustion is None:
            return _GOING_NOWHERE
        level = self.value / ceiling
        severity = limits.approach(level, going.hours_to_exhaustion)
        # Half as far again in time counts as still going there.
        near = limits.approach(level, going.hours_to_exhaustion / 1.5) is not None
        return _Finding(Ground.TREND, severity, calm=not near)

    def _trend(self) -> Trend | None:
        at = self.views.at
        points = self.views.recent(self.series)
        if not points or points[-1][0] < at:
            points = (*points, (at, self.value))
        return trend.estimate(points, self.kind.ceiling, self.views.settings)


def _explained(sample: Sample, metric: str, subject: str) -> bool:
    """Tell whether another reading of the sample says why this one is bad (rule 7)."""
    return (
        metric in {"service.healthy", "service.http_ms"}
        and sample.values.get(("service.up", subject)) == 0
    )


def _beats(finding: _Finding, other: _Finding | None) -> bool:
    return other is None or _weight(finding) > _weight(other)


def _weight(finding: _Finding) -> tuple[int, int]:
    rank = -1 if finding.severity is None else finding.severity.rank
    return (rank, _CERTAINTY[finding.ground])


def _is_news(watch: _Watch, finding: _Finding) -> bool:
    """Tell whether a believed finding says more than what was reported (rule 4)."""
    if watch.standing is None or finding.severity is None:
        return finding.severity is not None
    most_certain = max((_CERTAINTY[ground] for ground in watch.grounds), default=-1)
    return finding.severity.rank > watch.standing.rank or (
        finding.severity.rank == watch.standing.rank and _CERTAINTY[finding.ground] > most_certain
    )


def _ms(when: datetime) -> int:
    return round(when.astimezone(UTC).timestamp() * 1000)


def _dumped(series: Series, watch: _Watch) -> dict[str, Any]:
    return {
        "series": [series.host, series.metric, series.subject],
        "standing": None if watch.standing is None else watch.standing.value,
        "grounds": sorted(watch.grounds),
        "known": sorted(watch.known),
        "calm": watch.calm,
        "runs": {ground.value: count for ground, count in sorted(watch.runs.items())},
        "since_ms": {ground.value: at for ground, at in sorted(watch.since_ms.items())},
        "seen_ms": watch.seen_ms,
        "missed": watch.missed,
    }


def _loaded(row: Mapping[str, Any]) -> _Watch:
    watch = _Watch(int(row.get("seen_ms", 0)))
    watch.standing = None if row["standing"] is None else Severity(row["standing"])
    watch.grounds = {Ground(name) for name in row["grounds"]}
    watch.known = {Ground(name) for name in row["known"]}
    watch.calm = int(row["calm"])
    watch.runs = {Ground(name): int(count) for name, count in row["runs"].items()}
    watch.since_ms = {Ground(name): int(at) for name, at in row["since_ms"].items()}
    watch.missed = int(row.get("missed", 0))
    return watch
