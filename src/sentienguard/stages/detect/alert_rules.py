"""What an alert from outside is about here, by declared rules and nothing else.

Called by controlplane.alert_intake. An alert is text, so nothing is guessed from its words:

1. The host is named by one label, the first of `HOST_LABELS` that is there. A port is cut off;
   beyond that the name has to be the enrolled one.
2. The symptom is what the alert's own rule declares with the labels `sentienguard_metric` and
   `sentienguard_subject`, if the metric is one of `METRICS`; else what `KNOWN` says of an alert of
   this name. Any other alert is of the metric `alert.firing`, for which there is no remedy: people
   get it.
3. The severity is for people. It is translated by a table and never reaches a host.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sentienguard.model.alert import Alert
from sentienguard.model.anomaly import Severity
from sentienguard.playbook import objects

HOST_LABELS: Final = ("agent", "host", "instance")  # agent: the id that enrolment gave
METRIC_LABEL: Final = "sentienguard_metric"
SUBJECT_LABEL: Final = "sentienguard_subject"
UNDECLARED: Final = "alert.firing"  # the metric of an alert that no rule declares a symptom of
MAX_SUBJECT: Final = 256  # characters; the longest mount point or service that agents report
MAX_SAID: Final = 240  # characters of its text in a reason

_PORT: Final = re.compile(r":[0-9]{1,5}\Z")


@dataclass(frozen=True, slots=True)
class Known:
    """What an alert of a well-known name is about."""

    metric: str
    subject_label: str = ""  # label that names the subject; empty: the host as a whole
    cut: str = ""  # end of the label's value that our subjects do not have


_DISK = Known("system.disk_usage_percent", "mountpoint")
_INODES = Known("system.inode_usage_percent", "mountpoint")
_CPU = Known("system.cpu_percent")
_MEMORY = Known("system.memory_percent")
_UNIT = Known("service.up", "name", ".service")

# Names of the node_exporter mixin (Node*) and of the collection awesome-prometheus-alerts (Host*).
KNOWN: Final[Mapping[str, Known]] = {
    "NodeFilesystemAlmostOutOfSpace": _DISK,
    "NodeFilesystemSpaceFillingUp": _DISK,
    "HostOutOfDiskSpace": _DISK,
    "HostDiskWillFillIn24Hours": _DISK,
    "NodeFilesystemAlmostOutOfFiles": _INODES,
    "NodeFilesystemFilesFillingUp": _INODES,
    "HostOutOfInodes": _INODES,
    "NodeCPUHighUsage": _CPU,
    "HostHighCpuLoad": _CPU,
    "NodeSystemSaturation": Known("system.load_average_1m"),
    "NodeMemoryHighUtilization": _MEMORY,
    "HostOutOfMemory": _MEMORY,
    "HostSwapIsFillingUp": Known("system.swap_percent"),
    "NodeSystemdServiceFailed": _UNIT,
    "HostSystemdServiceCrashed": _UNIT,
}

# What a rule may declare: metrics that agents measure, so that the host's own reading is at hand.
METRICS: Final = frozenset(
    {known.metric for known in KNOWN.values()}
    | {"service.healthy", "service.http_ms", "system.zombies"}
    | objects.SYMPTOMS
)

_SEVERITIES: Final[Mapping[str, Severity]] = {
    "critical": Severity.CRITICAL,
    "page": Severity.CRITICAL,
    "error": Severity.CRITICAL,
    "high": Severity.CRITICAL,
    "info": Severity.INFO,
    "low": Severity.INFO,
    "none": Severity.INFO,
}


@dataclass(frozen=True, slots=True)
class Place:
    """Where an alert says that something is wrong."""

    label: str  # one of HOST_LABELS
    name: str  # as that label says, without a port


@dataclass(frozen=True, slots=True)
class Symptom:
    """What an alert says is wrong there."""

    metric: str
    subject: str


def place(alert: Alert) -> Place | None:
    """Return where it is; None where no label says so (rule 1)."""
    for label in HOST_LABELS:
        name = alert.labels.get(label, "")
        if name:
            return Place(label, name if label == "agent" else _without_port(name))
    return None


def symptom(alert: Alert) -> Symptom:
    """Return what it is about (rule 2)."""
    declared = alert.labels.get(METRIC_LABEL, "")
    if declared in METRICS:
        return Symptom(declared, alert.labels.get(SUBJECT_LABEL, "")[:MAX_SUBJECT])
    known = KNOWN.get(alert.name)
    if known is None:
        return undeclared(alert)
    said = alert.labels.get(known.subject_label, "") if known.subject_label else ""
    if known.subject_label and not said:
        return undeclared(alert)
    return Symptom(known.metric, said.removesuffix(known.cut)[:MAX_SUBJECT])


def undeclared(alert: Alert) -> Symptom:
    """Return what an alert is about of which no rule, or no reading, says more."""
    return Symptom(UNDECLARED, printable(alert.name)[:MAX_SUBJECT])


def severity(alert: Alert) -> Severity:
    """Return how bad its sender finds it; WARNING where that says nothing (rule 3)."""
    return _SEVERITIES.get(alert.labels.get("severity", "").lower(), Severity.WARNING)


def reason(alert: Alert) -> str:
    """Return one sentence for people, without what a terminal could take for an order."""
    said = alert.annotations.get("summary") or alert.annotations.get("description") or ""
    ending = f": {printable(said)[:MAX_SAID]}" if said else ""
    return f"alert {printable(alert.name)[:80]} fires{ending}"


def printable(text: str) -> str:
    """Return text on one line, with a space for every character that is not printed."""
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else " " for character in text)


def _without_port(name: str) -> str:
    """Cut the port off `host:9100` and `[::1]:9100`; a bare IPv6 address has none."""
    if name.startswith("["):
        return name[1:].partition("]")[0]
    return _PORT.sub("", name) if name.count(":") == 1 else name
