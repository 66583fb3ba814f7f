"""Which alerts are worth waking somebody for.

An alert owns the readings of its series from when it fired until shortly before the next alert of
the same series, whose onset is not its own.
Rules, first match wins:
1. People work on the same series already: no page.
2. The readings it owns end on the good side of its threshold, or near it after the sender called it
   resolved: it recovered, no page.
3. A share of something finite pages if it is nearly used up or will be soon, and not where it
   rose to a new level and stays there.
4. Any other series pages while it stays beyond its threshold.
5. With no readings since it fired: no page if it resolved itself, a page if error lines of its
   topic grew, or nothing is known of its lines.
6. With lines that are no errors: a page only for what fired once and was called severe.
Then, of pages that speak of the same lines, the first is the page and the others are its effects.

Nobody is left asleep for want of data: rule 5 pages where nothing is known.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from sentienguard.model import diagnosis

_ONSET_MS: Final = 120_000  # readings this close before an alert belong to it
_NEAR: Final = 0.25  # of its way beyond the threshold that a resolved alert may still be at
_FULL: Final = 97.0  # percent at which something finite is as good as used up
_SOON_H: Final = 3.0  # hours to the end within which somebody has to act now
_SEVERE: Final = frozenset({"sev1", "sev2", "critical", "high", "p1", "p2"})
_ORDER: Final = ("sev1", "p1", "critical", "sev2", "p2", "high", "sev3", "p3", "warning")
_PERCENT: Final = frozenset(  # what has an end, where its name says percent
    {
        diagnosis.MetricKind.CPU,
        diagnosis.MetricKind.MEMORY,
        diagnosis.MetricKind.DISK,
        diagnosis.MetricKind.SATURATION,
        diagnosis.MetricKind.OTHER,
    }
)


@dataclass(frozen=True, slots=True)
class _Owned:
    """The readings that belong to one alert."""

    hours: tuple[float, ...]  # since it fired
    values: tuple[float, ...]
    kind: diagnosis.MetricKind


def triage(snapshot: diagnosis.Snapshot) -> tuple[diagnosis.Triaged, ...]:
    """Say for each alert, in the order of their times and ids, whether to page."""
    alerts = sorted(snapshot.alerts, key=lambda one: (one.at_ms, one.id))
    series = {
        (one.object, one.name): one for one in sorted(snapshot.series, key=lambda one: one.kind)
    }
    judged = {
        alert.id: _judge(alert, _owned(alert, alerts, series), snapshot.known) for alert in alerts
    }
    heads = _heads([alert for alert in alerts if judged[alert.id][0]], snapshot)
    found = []
    for alert in alerts:
        page, reason = judged[alert.id]
        head = heads.get(alert.topic, alert.id) if page and alert.topic else alert.id
        if head != alert.id:
            page, reason = False, f"speaks of the same as {head}, which came first"
        found.append(diagnosis.Triaged(alert=alert.id, page=page, reason=reason))
    return tuple(found)


def _judge(
    alert: diagnosis.Alert, owned: _Owned | None, known: Sequence[diagnosis.KnownIncident]
) -> tuple[bool, str]:
    for one in known:  # rule 1
        if (
            one.object == alert.object
            and one.metric in {"", alert.metric}
            and one.since_ms <= alert.at_ms
        ):
            return False, f"{one.id} is about it already"
    if owned is None or alert.threshold is None:
        return _unread(alert)
    return _read(alert, alert.threshold, owned)


def _read(alert: diagnosis.Alert, threshold: float, owned: _Owned) -> tuple[bool, str]:
    """Judge an alert by the readings since it fired (rules 2 to 4)."""
    falling = alert.value is not None and alert.value < threshold
    last = owned.values[-1]
    if _recovered(alert, threshold, last, falling=falling):
        return False, f"went back to {last:g} by itself"
    if falling or not _finite(alert, owned):
        return True, f"is still at {last:g}, beyond {threshold:g}"
    hours = _hours_left(owned)
    if last >= _FULL:
        return True, f"is at {last:g} percent"
    if hours <= _SOON_H:
        return True, f"is at {last:g} percent and full in {hours:.1f} hours"
    return False, f"stays at {last:g} percent"


def _recovered(alert: diagnosis.Alert, threshold: float, last: float, *, falling: bool) -> bool:
    if (last > threshold) if falling else (last < threshold):
        return True
    if alert.resolved_after_s is None or alert.value is None:
        return False
    return abs(last - threshold) <= _NEAR * abs(alert.value - threshold)


def _unread(alert: diagnosis.Alert) -> tuple[bool, str]:
    """Judge an alert without readings since it fired (rules 5 and 6)."""
    if alert.resolved_after_s is not None:
        return False, f"resolved itself after {alert.resolved_after_s:g} s"
    if alert.errors_grew is None:
        return True, "nothing is known of it since it fired"
    if alert.errors_grew > 0:
        return True, f"its error lines grew by {alert.errors_grew:.0%}"
    if alert.severity in _SEVERE and alert.fired_last_hour <= 1:
        return True, f"fired once and was called {alert.severity}"
    return False, "its lines are no errors"


def _owned(
    alert: diagnosis.Alert,
    alerts: Sequence[diagnosis.Alert],
    series: Mapping[tuple[str, str], diagnosis.MetricSeries],
) -> _Owned | None:
    """Give the readings from when it fired until the next alert of the same series."""
    there = series.get((alert.object, alert.metric))
    if there is None:
        return None
    until = min(
        (
            one.at_ms
            for one in alerts
            if (one.object, one.metric) == (alert.object, alert.metric) and one.at_ms > alert.at_ms
        ),
        default=1 << 62,
    )
    points = [
        (time, value)
        for time, value in zip(there.times_ms, there.values, strict=True)
        if alert.at_ms <= time < until - _ONSET_MS
    ]
    if not points:
        return None
    return _Owned(
        hours=tuple((time - alert.at_ms) / 3_600_000 for time, _ in points),
        values=tuple(value for _, value in points),
        kind=there.kind,
    )


def _finite(alert: diagnosis.Alert, owned: _Owned) -> bool:
    """Tell whether the series is a share of something that has an end."""
    percent = "pct" in alert.metric or "percent" in alert.metric
    return percent and owned.kind in _PERCENT and max(owned.values) <= 100.0  # noqa: PLR2004  percent


def _hours_left(owned: _Owned) -> float:
    """Extrapolate to the end; infinite where nothing rises."""
    if len(owned.hours) < 2:  # noqa: PLR2004  one reading has no slope
        return float("inf")
    slope = float(np.polyfit(owned.hours, owned.values, 1)[0])
    return (100.0 - owned.values[-1]) / slope if slope > 0 else float("inf")


def _heads(pages: Sequence[diagnosis.Alert], snapshot: diagnosis.Snapshot) -> Mapping[str, str]:
    """Name the first page of each topic: by time, then the cause's side, then the sender's word."""
    depended = {edge.target for edge in snapshot.edges}
    heads: dict[str, str] = {}
    for alert in sorted(
        pages,
        key=lambda one: (one.at_ms, one.object not in depended, _rank(one.severity), one.id),
    ):
        heads.setdefault(alert.topic, alert.id)
    return heads


def _rank(severity: str) -> int:
    return _ORDER.index(severity) if severity in _ORDER else len(_ORDER)
