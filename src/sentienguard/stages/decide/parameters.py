"""What the playbook is to work on, from measured facts and signed defaults only.

Nothing is guessed and nothing is taken from text: what no measured fact gives is missing, and a
decision with a missing parameter goes to people. The host checks each value again against what it
enumerates itself.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from sentienguard.model.evidence import Evidence
from sentienguard.model.playbook import Parameter, ParamType, Playbook
from sentienguard.playbook import objects

_VOLUMES = frozenset({"system.disk_usage_percent", "system.inode_usage_percent"})
# Metrics whose subject is a service as its host's owner declares it. A certificate that was
# declared for no service is known by its path, and so is a program that nobody named.
_OF_SERVICES = ("service.", "software.", "database.", "redis.", "rabbitmq.", "nginx.")
_CERTIFICATES = "certificate."
_BUSY_PERCENT = 50.0  # of one core: below this no process is what keeps a processor busy
_LEADS_BY = 1.5  # times the second: otherwise no single process is to blame
_INIT = 1  # never a target
_ZOMBIE_PARENT = re.compile(r"system\.zombie_children\[([0-9]{1,9})\]")  # the subject is a pid


@dataclass(frozen=True, slots=True)
class Filled:
    """The parameters of one order."""

    parameters: Mapping[str, str]  # in the order of the playbook
    missing: tuple[str, ...]  # names of those that no fact gives


def fill(playbook: Playbook, evidence: Evidence) -> Filled:
    """Fill every parameter that a measured fact or a default gives."""
    found = {one.name: _value(one, evidence) for one in playbook.parameters}
    return Filled(
        {name: value for name, value in found.items() if value is not None},
        tuple(name for name, value in found.items() if value is None),
    )


def _value(parameter: Parameter, evidence: Evidence) -> str | None:
    series = evidence.anomaly.series
    match parameter.type:
        case ParamType.MOUNTPOINT if series.metric in _VOLUMES and series.subject:
            return series.subject
        case ParamType.SERVICE if _is_service(series.metric, series.subject):
            return series.subject
        case ParamType.OBJECT if _is_of(parameter, series.subject):
            return series.subject
        case ParamType.PID:
            return _culprit(evidence) or parameter.default
        case _:
            return parameter.default


def _is_service(metric: str, subject: str) -> bool:
    """Tell whether the subject is the name of a service, as far as the metric says."""
    if metric.startswith(_CERTIFICATES):
        return bool(subject) and "/" not in subject
    return bool(subject) and metric.startswith(_OF_SERVICES)


def _is_of(parameter: Parameter, subject: str) -> bool:
    """Tell whether the subject names an object of a kind that the parameter is of."""
    try:
        return objects.read(subject).kind in parameter.choices
    except objects.NotAnObject:
        return False


def _culprit(evidence: Evidence) -> str | None:
    """Return the process that clearly uses most of what has run short."""
    metric = evidence.anomaly.series.metric
    if metric in {"system.cpu_percent", "system.load_average_1m"}:
        uses = [(use.cpu_percent, use.pid) for use in evidence.top_processes]
        least = _BUSY_PERCENT
    elif metric in {"system.memory_percent", "system.swap_percent"}:
        uses = [(float(use.memory_bytes), use.pid) for use in evidence.top_processes]
        least = 1.0
    elif metric == "system.zombies":
        uses, least = _parents_of_zombies(evidence), 1.0
    else:
        return None
    uses.sort(reverse=True)
    if not uses or uses[0][0] < least or uses[0][1] <= _INIT:
        return None
    if len(uses) > 1 and uses[0][0] < _LEADS_BY * uses[1][0]:
        return None
    return str(uses[0][1])


def _parents_of_zombies(evidence: Evidence) -> list[tuple[float, int]]:
    """Return how many uncollected children each parent has, as the host counted them."""
    counted = ((count, _ZOMBIE_PARENT.fullmatch(name)) for name, count in evidence.related.items())
    return [(count, int(found[1])) for count, found in counted if found]
