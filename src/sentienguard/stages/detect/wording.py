"""The one sentence that says why a reading is not normal."""

from sentienguard.model.anomaly import Baseline, Ground, Trend
from sentienguard.model.telemetry import Series
from sentienguard.stages.detect import limits


def reason(
    series: Series,
    value: float,
    ground: Ground,
    *,
    baseline: Baseline | None,
    sigma: float | None,
    going: Trend | None,
) -> str:
    """Return the sentence that people read first."""
    place = f"{series.metric}[{series.subject}]" if series.subject else series.metric
    match ground:
        case Ground.LIMIT:
            says = limits.LIMITS[series.metric].says
            return f"{place} is {value:g}: {says}"
        case Ground.TREND:
            rate = 0.0 if going is None else going.per_hour
            hours = None if going is None else going.hours_to_exhaustion
            until = "soon" if hours is None else f"in {_duration(hours)}{_interval(going)}"
            return f"{place} is {value:g} and grows by {rate:.2g} an hour: full {until}"
        case Ground.DEVIATION:
            return (
                f"{place} is {value:g}, {sigma or 0.0:.1f} standard deviations from its means of "
                "the last hundred readings, of the last two thousand and of this hour of the day"
            )
        case _:  # an alert and a silence bring a sentence of their own
            mean = 0.0 if baseline is None else baseline.mean
            stddev = 0.0 if baseline is None else baseline.stddev
            when = "at this time of day" if baseline is not None and baseline.seasonal else "so far"
            return (
                f"{place} is {value:g}, {sigma or 0.0:.1f} standard deviations from "
                f"{mean:.1f} +- {stddev:.1f}, which is normal {when}"
            )


def _interval(going: Trend | None) -> str:
    if going is None or going.soonest_hours is None:
        return ""
    latest = "never" if going.latest_hours is None else _duration(going.latest_hours)
    return f" ({_duration(going.soonest_hours)} to {latest})"


def _duration(hours: float) -> str:
    minutes = round(hours * 60)
    return f"{minutes} min" if minutes < 120 else f"{hours:.1f} h"  # noqa: PLR2004  two hours
