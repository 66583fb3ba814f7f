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
10. A series that stays away while its host speaks is forgotten, and what stood of it is over.
11. A trend has two witnesses, and the one that finds it worse speaks (`grounds`).
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeAlias

from sentienguard.model.anomaly import Anomaly, Baseline, Ground, Severity
from sentienguard.model.ids import Fingerprint, fingerprint
from sentienguard.model.telemetry import Sample, Series
from sentienguard.stages.detect import grounds
from sentienguard.stages.detect.deviations import Deviating
from sentienguard.stages.detect.ramps import Ramping
from sentienguard.stages.detect.settings import DetectSettings

Recent: TypeAlias = grounds.Recent
_MISSED_SAMPLES = 20  # in a row, at least, before a series is gone: one clock jump is not an hour


_NO_RAMPS: Mapping[tuple[str, str], Ramping] = {}


def _unknown(_series: Series) -> None:
    """Nothing is known of any series: the lane is not asked."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What one sample changed."""

    anomalies: tuple[Anomaly, ...] = ()  # newly standing or worse than before (rule 4)
    cleared: tuple[Fingerprint, ...] = ()  # over since this sample (rule 5)
    standing: tuple[Fingerprint, ...] = ()  # all that stand on this host after it


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
        ramps: Mapping[tuple[str, str], Ramping] = _NO_RAMPS,
    ) -> Judgement:
        """Judge one sample.

        `baselines` answers for the sample's time of day; `recent` gives the series of the last
        hour, oldest first, with or without this sample's reading; `deviations` says what that lane
        found of this sample. Each is asked only where needed. `ramps` are those there are, by
        metric and subject.
        """
        at_ms = _ms(sample.at)
        if at_ms <= self._last_ms.get(sample.host, -1):
            return Judgement(standing=self.standing(sample.host))  # rule 8
        self._last_ms[sample.host] = at_ms
        anomalies: list[Anomaly] = []
        cleared: list[Fingerprint] = []
        watches = self._watches.setdefault(sample.host, {})
        loud = ramps.keys() | {(one.metric, one.subject) for one in watches}
        views = grounds.Views(sample.at, baselines, recent, deviations, ramps, self._settings)
        for place, value in sample.values.items():
            metric, subject = place
            low, high = grounds.quiet(metric)
            if low < value < high and place not in loud:
                continue
            if not math.isfinite(value) or _explained(sample, metric, subject):
                continue  # rules 8 and 7
            series = Series(sample.host, metric, subject)
            reading = grounds.Reading(series, value, views)
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

    def _update(
        self, watch: _Watch, findings: Iterable[grounds.Finding], at_ms: int
    ) -> grounds.Finding | None:
        """Count, and return the finding to report, if there is one (rules 3, 4 and 6)."""
        worst: grounds.Finding | None = None
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

    def _over(self, watch: _Watch, findings: Iterable[grounds.Finding]) -> bool:
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


def _explained(sample: Sample, metric: str, subject: str) -> bool:
    """Tell whether another reading of the sample says why this one is bad (rule 7)."""
    return (
        metric in {"service.healthy", "service.http_ms"}
        and sample.values.get(("service.up", subject)) == 0
    )


def _beats(finding: grounds.Finding, other: grounds.Finding | None) -> bool:
    return other is None or grounds.weight(finding) > grounds.weight(other)


def _is_news(watch: _Watch, finding: grounds.Finding) -> bool:
    """Tell whether a believed finding says more than what was reported (rule 4)."""
    if watch.standing is None or finding.severity is None:
        return finding.severity is not None
    most_certain = max((grounds.CERTAINTY[ground] for ground in watch.grounds), default=-1)
    return finding.severity.rank > watch.standing.rank or (
        finding.severity.rank == watch.standing.rank
        and grounds.CERTAINTY[finding.ground] > most_certain
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
