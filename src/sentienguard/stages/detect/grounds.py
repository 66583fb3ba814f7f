"""What each ground says of one reading.

Called by `detector`, which believes it or waits. Rules, cited by `detector` as its own 2 and 11:

1. Ground by ground: limit, baseline, deviation, trend. A ground that cannot say anything is calm or
   left out.
2. `is_normal` is a quick look: it passes over nothing that a ground says. Nor does `quiet`, which
   most readings get instead: by the metric's name alone it tells where only a ramp can speak.
3. A trend has two witnesses, and the one that finds it worse speaks. The last hour (`trend`) needs
   no history and speaks near the end; it says nothing of a level that this time of day is used to.
   A ramp (`ramps`) speaks from far, of what this series never did before: then it is of severity
   info, a forecast, for people.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple, TypeAlias

from sentienguard.model.anomaly import Anomaly, Baseline, Ground, Severity, Trend
from sentienguard.model.telemetry import Series
from sentienguard.stages.detect import kinds, limits, scoring, trend, wording
from sentienguard.stages.detect.deviations import Deviating
from sentienguard.stages.detect.ramps import Ramping
from sentienguard.stages.detect.settings import DetectSettings

Recent: TypeAlias = tuple[tuple[datetime, float], ...]
CERTAINTY: Mapping[Ground, int] = {
    Ground.DEVIATION: 0,
    Ground.BASELINE: 1,
    Ground.TREND: 2,
    Ground.LIMIT: 3,
}
_DEVIATING_SAMPLES = 4  # in a row, at least: a lane that knows no names is believed later
_NAMES_REMEMBERED = 4096  # names of metrics come from hosts
_DEVIATING_S = 90  # seconds that they last, at least


@dataclass(frozen=True, slots=True)
class Finding:
    """What one ground says of one reading."""

    ground: Ground
    severity: Severity | None  # None: not anomalous on this ground
    calm: bool  # true: far enough below to count as recovered
    samples: int = 1  # readings in a row before it is believed
    held_s: int = 0  # seconds it must have lasted as well
    going: Trend | None = None  # of a trend: where to


_GOING_NOWHERE = Finding(Ground.TREND, None, calm=True)
_STANDING_STILL = Finding(Ground.TREND, None, calm=False)


class Views(NamedTuple):
    """What the readings of one sample are judged by."""

    at: datetime
    baselines: Callable[[Series], Baseline | None]
    recent: Callable[[Series], Recent]
    deviations: Callable[[Series], Deviating | None]
    ramps: Mapping[tuple[str, str], Ramping]  # by metric and subject
    settings: DetectSettings


@lru_cache(maxsize=_NAMES_REMEMBERED)
def quiet(metric: str) -> tuple[float, float]:
    """Return the readings between which no ground but a ramp finds anything, both excluded."""
    kind, limit = kinds.kind_of(metric), limits.LIMITS.get(metric)
    low, high = -math.inf, math.inf
    if kind.by_baseline:
        high = -math.inf if kind.material is None else kind.material
    if kind.by_trend and kind.ceiling is not None:
        high = min(high, limits.LOWEST_APPROACH * kind.ceiling)
    if limit is not None and limit.falling:
        low = limit.reached
    elif limit is not None:
        high = min(high, limit.reached)
    return low, high


class Reading:
    """One reading on its way through the grounds."""

    __slots__ = ("kind", "limit", "series", "value", "views")

    def __init__(self, series: Series, value: float, views: Views) -> None:
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

    def findings(self) -> tuple[Finding, ...]:
        """Return what each ground says (rule 1)."""
        found = []
        limit = self.limit
        if limit is not None:
            found.append(
                Finding(
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

    def anomaly(self, finding: Finding) -> Anomaly:
        """Return the anomaly that this finding is, with everything that says so."""
        baseline = self.views.baselines(self.series)
        going = finding.going or self._going()
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

    def _by_baseline(self) -> Finding:
        if self.views.baselines(self.series) is None:
            return Finding(Ground.BASELINE, None, calm=True)
        return self._by_distance(Ground.BASELINE, self._from_baseline(), self.kind.confirm)

    def _by_deviation(self) -> tuple[Finding, ...]:
        """Say what the lane finds; nothing where it cannot say anything (rule 1)."""
        if self._knows_the_time():
            return (Finding(Ground.DEVIATION, None, calm=True),)
        distance = self._from_lane()
        if distance is None:
            return ()
        samples = max(self.kind.confirm, _DEVIATING_SAMPLES)
        return (self._by_distance(Ground.DEVIATION, distance, samples, _DEVIATING_S),)

    def _by_distance(
        self, ground: Ground, distance: float, samples: int, held_s: int = 0
    ) -> Finding:
        settings = self.views.settings
        alarm = settings.sensitivity.sigma
        severity = scoring.severity(distance) if distance >= alarm else None
        return Finding(
            ground, severity, distance < alarm * settings.clear_fraction, samples, held_s
        )

    def _from_baseline(self) -> float:
        """Return the distance in standard deviations that harms anybody; 0 without a baseline."""
        baseline = self.views.baselines(self.series)
        if baseline is None or self._harms_nobody():
            return 0.0
        return scoring.sigma(self.value, baseline, self.kind.direction)

    def _from_lane(self) -> float | None:
        """Return the same by what the lane found; None where it has nothing to say (rule 1)."""
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

    def _by_trend(self) -> Finding:
        """Ask both witnesses (rule 3)."""
        near, far = self._from_last_hour(), self._from_ramp()
        worse = far if weight(far) > weight(near) else near
        calm = near.calm and far.calm
        return worse if worse.calm == calm else replace(worse, calm=calm)

    def _from_last_hour(self) -> Finding:
        ceiling = self.kind.ceiling
        if ceiling is None or self.value < limits.LOWEST_APPROACH * ceiling or self._is_usual():
            return _GOING_NOWHERE
        going = self._trend()
        if going is None or going.hours_to_exhaustion is None:
            return _GOING_NOWHERE
        level = self.value / ceiling
        severity = limits.approach(level, going.hours_to_exhaustion)
        # Half as far again in time counts as still going there.
        near = limits.approach(level, going.hours_to_exhaustion / 1.5) is not None
        return Finding(Ground.TREND, severity, calm=not near, going=going)

    def _from_ramp(self) -> Finding:
        ceiling, found = self.kind.ceiling, self._ramp()
        if ceiling is None or found is None or self.value < found.undone_below:
            return _GOING_NOWHERE
        if not found.lately:
            return _STANDING_STILL
        severity = limits.foretold(self.value / ceiling, found.hours_left)
        return Finding(Ground.TREND, severity, calm=False, going=_foretold(found))

    def _is_usual(self) -> bool:
        """Tell whether the series is often as high at this time of day."""
        baseline = self.views.baselines(self.series)
        if baseline is None or not baseline.seasonal:
            return False
        return self.value <= baseline.p99 + self.kind.floor

    def _going(self) -> Trend | None:
        """Return where it goes, for people: by the last hour where that says when it ends."""
        near, ramp = self._trend(), self._ramp()
        if ramp is None or (near is not None and near.hours_to_exhaustion is not None):
            return near
        return _foretold(ramp)

    def _ramp(self) -> Ramping | None:
        return self.views.ramps.get((self.series.metric, self.series.subject))

    def _trend(self) -> Trend | None:
        at = self.views.at
        points = self.views.recent(self.series)
        if not points or points[-1][0] < at:
            points = (*points, (at, self.value))
        return trend.estimate(points, self.kind.ceiling, self.views.settings)


def weight(finding: Finding) -> tuple[int, int]:
    """Order findings: the worse one first, of two as bad the more certain one."""
    rank = -1 if finding.severity is None else finding.severity.rank
    return (rank, CERTAINTY[finding.ground])


def _foretold(found: Ramping) -> Trend:
    return Trend(found.per_hour, found.hours_left, found.soonest_hours, found.latest_hours)
