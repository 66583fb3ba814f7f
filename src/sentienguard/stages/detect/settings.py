"""Settings of detection. Read once by the process that judges, passed down as a value."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum


class Sensitivity(StrEnum):
    """From which distance on a reading counts as anomalous; the figures are the seed's."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"

    @property
    def sigma(self) -> float:
        """Standard deviations from the baseline at which a reading becomes an anomaly."""
        return {"low": 5.0, "medium": 3.0, "high": 2.0}[self.value]


@dataclass(frozen=True, slots=True)
class DetectSettings:
    """How detection learns and judges."""

    sensitivity: Sensitivity = Sensitivity.MEDIUM
    """From which distance on a reading is an anomaly."""

    window: timedelta = timedelta(days=7)
    """How far back a baseline looks."""

    buckets: int = 48
    """Parts of a day that have a baseline of their own; each also learns from its neighbours."""

    seasonal_days: int = 3
    """Different days that a time of day must have been seen on before it has its own baseline."""

    least_readings: int = 60
    """Readings below which there is no baseline at all, only limits and trends."""

    least_span: timedelta = timedelta(hours=1)
    """History below which there is no baseline at all, however many readings it holds."""

    clear_samples: int = 2
    """Samples in a row that must be back to normal before an anomaly counts as gone."""

    gone_after: timedelta = timedelta(hours=1)
    """How long a series stays away, while its host speaks, before its anomaly counts as gone."""

    clear_fraction: float = 0.7
    """An anomaly by baseline is back to normal below this fraction of the alarm distance."""

    trend_window: timedelta = timedelta(hours=1)
    """How far back a trend looks."""

    trend_readings: int = 8
    """Readings below which there is no trend."""

    trend_span: timedelta = timedelta(minutes=5)
    """History below which there is no trend."""
