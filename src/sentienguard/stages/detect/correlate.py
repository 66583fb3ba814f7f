"""Anomalies of one host and one moment, folded by cause: one incident for each group.

Two anomalies have one cause where they are of one series, or where their metrics are two views of
one thing (`_VIEWS`): a service that is down does not answer, a busy processor also has a queue.
Finer causes (a full volume that stops a service) are for root-cause analysis, not for folding: what
is folded wrongly is never looked at.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sentienguard.model.anomaly import Anomaly, Ground
from sentienguard.model.telemetry import Series

# metric -> (what it is a view of, how directly: the most direct one leads the incident)
_VIEWS: Mapping[str, tuple[str, int]] = {
    "service.up": ("service", 0),
    "service.healthy": ("service", 1),
    "service.http_ms": ("service", 2),
    "log.new_trouble": ("log", 0),
    "log.trouble_per_s": ("log", 1),
    "log.messages_per_s": ("log", 2),
    "probe.up": ("probe", 0),
    "probe.ms": ("probe", 1),
    "software.up": ("software", 0),
    "software.answer_ms": ("software", 1),
    "system.disk_usage_percent": ("volume", 0),
    "system.disk_free_bytes": ("volume", 1),
    "system.cpu_percent": ("processor", 0),
    "system.load_average_1m": ("processor", 1),
    "system.memory_percent": ("memory", 0),
    "system.swap_percent": ("memory", 1),
    "system.oom_kills": ("memory", 2),
    "system.disk_latency_ms": ("disk", 0),
    "system.disk_busy_percent": ("disk", 1),
    "system.zombies": ("processes", 0),
    "system.processes": ("processes", 1),
}
_CERTAINTY: Mapping[Ground, int] = {
    Ground.LIMIT: 0,
    Ground.TREND: 1,
    Ground.BASELINE: 2,
    Ground.DEVIATION: 3,
    Ground.ALERT: 4,
    Ground.SILENCE: 5,
    Ground.REQUEST: 6,
}


@dataclass(frozen=True, slots=True)
class Group:
    """Anomalies of one cause."""

    lead: Anomaly  # the one that names the incident
    others: tuple[Anomaly, ...] = ()  # what it also shows in


def fold(anomalies: Iterable[Anomaly]) -> tuple[Group, ...]:
    """Fold anomalies by cause; groups stand in the order of their first anomaly."""
    by_cause: dict[tuple[str, str, str], list[Anomaly]] = {}
    for anomaly in anomalies:
        by_cause.setdefault(_cause(anomaly), []).append(anomaly)
    return tuple(_group(members) for members in by_cause.values())


def same_cause(one: Series, other: Series) -> bool:
    """Tell whether anomalies of these two series are views of one thing, whenever they came."""
    return _cause_of(one) == _cause_of(other)


def _cause(anomaly: Anomaly) -> tuple[str, str, str]:
    return _cause_of(anomaly.series)


def _cause_of(series: Series) -> tuple[str, str, str]:
    view = _VIEWS.get(series.metric)
    return (series.host, view[0] if view else series.metric, series.subject)


def _group(members: list[Anomaly]) -> Group:
    lead, *others = sorted(members, key=_precedence)
    return Group(lead, tuple(others))


def _precedence(anomaly: Anomaly) -> tuple[int, int, int, str]:
    view = _VIEWS.get(anomaly.series.metric)
    return (
        view[1] if view else 0,
        -anomaly.severity.rank,
        _CERTAINTY[anomaly.ground],
        str(anomaly.series),
    )
