"""What is not normal, and how far from it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sentienguard.model.ids import Digest, Fingerprint, PlaybookName, fingerprint
from sentienguard.model.telemetry import Series


class Severity(StrEnum):
    """How bad, in rising order of `rank`."""

    INFO = "info"  # >= 2 sigma
    WARNING = "warning"  # >= 3 sigma
    CRITICAL = "critical"  # >= 5 sigma, or a physical limit

    @property
    def rank(self) -> int:
        """Order severities: 0 is the mildest."""
        return tuple(Severity).index(self)


class Ground(StrEnum):
    """Why a value counts as anomalous."""

    BASELINE = "baseline"  # far from what this series does at this time
    LIMIT = "limit"  # past a physical limit, whatever its history
    TREND = "trend"  # on the way to a limit that it will reach soon
    ALERT = "alert"  # another monitoring system says so
    SILENCE = "silence"  # nothing comes from there any more
    DEVIATION = "deviation"  # far from every short, long and daily mean of this series
    REQUEST = "request"  # nothing was found: a person asked for a playbook by its name


@dataclass(frozen=True, slots=True)
class Requested:
    """A playbook that a person asked for, as they asked. It chooses; it permits nothing."""

    by: str  # who asked; never also who approves it
    role: str  # theirs, in the environment of the host
    address: str  # where they asked from
    playbook: PlaybookName
    digest: Digest  # of the playbook as it was then
    parameters: Mapping[str, str]  # as given; the host compares each with what it enumerates
    dry_run: bool  # show what it would do, and nothing else
    note: str  # why, in their words


@dataclass(frozen=True, slots=True)
class Baseline:
    """What a series normally does at this time of day, outliers left out."""

    mean: float
    stddev: float  # with a floor above 0, so that sigma is always finite
    p50: float
    p95: float
    p99: float
    samples: int  # readings it rests on, after outliers were left out
    seasonal: bool  # true: from this time of day; false: from the whole window


@dataclass(frozen=True, slots=True)
class Trend:
    """Where a series is going."""

    per_hour: float  # units of the metric per hour
    hours_to_exhaustion: float | None  # None: not on the way to its limit
    soonest_hours: float | None = None  # the interval; None: not known, or not on the way
    latest_hours: float | None = None  # None also: it may be never


@dataclass(frozen=True, slots=True)
class Anomaly:
    """One reading that is not normal, with everything that says so."""

    series: Series
    at: datetime
    value: float
    severity: Severity
    ground: Ground
    sigma: float | None  # None: no baseline yet
    baseline: Baseline | None
    trend: Trend | None
    reason: str  # one sentence for people
    alert: Digest | None = None  # of the alert that says so; None: it was found here
    request: Requested | None = None  # what a person asked for; None: nobody did

    @property
    def is_forecast(self) -> bool:
        """Tell whether nothing is wrong yet: a series climbs towards its limit, far from it."""
        return self.ground is Ground.TREND and self.severity is Severity.INFO

    @property
    def fingerprint(self) -> Fingerprint:
        """Name the symptom, so that its repetitions fold into one incident."""
        return fingerprint(self.series.host, self.series.metric, self.series.subject)
