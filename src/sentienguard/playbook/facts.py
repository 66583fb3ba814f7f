"""The closed vocabulary of conditions: every fact, what it is, and what it is measured of.

Called by `conditions` (a bare word that is a fact is never a string), by `lint` and by the
executor, which measures them. A name that is neither here nor a tag is an unknown fact, and an
unknown fact means: do not run.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from sentienguard.model.playbook import ParamType
from sentienguard.playbook.units import Dimension

TAG_PREFIX = "tag."  # tag.<name> is the text of a tag of the host


class FactType(StrEnum):
    """What values a fact takes."""

    NUMBER = "number"
    TEXT = "text"
    BOOLEAN = "boolean"


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that a condition may ask."""

    name: str
    type: FactType
    meaning: str  # for people
    dimension: Dimension = Dimension.PLAIN  # numbers only
    of: ParamType | None = None  # measured of the playbook's parameter of this type
    default_subject: str | None = None  # measured of this where there is no such parameter
    values: tuple[str, ...] = ()  # text facts with a closed set


def _host(name: str, meaning: str, dimension: Dimension = Dimension.PERCENT) -> Fact:
    return Fact(name, FactType.NUMBER, meaning, dimension)


def _volume(name: str, meaning: str, dimension: Dimension = Dimension.PERCENT) -> Fact:
    return Fact(name, FactType.NUMBER, meaning, dimension, ParamType.MOUNTPOINT, "/")


KNOWN: Mapping[str, Fact] = {
    fact.name: fact
    for fact in (
        _volume("disk_usage", "used share of the volume"),
        _volume("inode_usage", "used share of the volume's inodes"),
        _volume("disk_free", "free space of the volume", Dimension.SIZE),
        _host("cpu_percent", "share of all processor time in use"),
        _host("memory_percent", "share of memory in use, caches left out"),
        _host("swap_percent", "share of swap in use"),
        _host("load_1m", "load average of the last minute", Dimension.PLAIN),
        _host("zombies", "processes that ended and were not collected", Dimension.PLAIN),
        Fact(
            "service_status",
            FactType.TEXT,
            "state of the service; hung: its process lives and its health_url does not answer",
            of=ParamType.SERVICE,
            values=("running", "stopped", "hung", "missing"),
        ),
        Fact(
            "http_status",
            FactType.NUMBER,
            "status of the service's health_url; 0: no answer",
            of=ParamType.SERVICE,
        ),
        Fact("process_alive", FactType.BOOLEAN, "the process exists", of=ParamType.PID),
        Fact(
            "process_cpu",
            FactType.NUMBER,
            "processor time of the process, in percent of one core",
            Dimension.PERCENT,
            ParamType.PID,
        ),
        Fact(
            "process_memory",
            FactType.NUMBER,
            "resident memory of the process",
            Dimension.SIZE,
            ParamType.PID,
        ),
        _host("anomaly_sigma", "distance from the baseline, given by the order", Dimension.PLAIN),
        _host("anomaly_value", "the anomalous reading, given by the order", Dimension.PLAIN),
        Fact(
            "severity",
            FactType.TEXT,
            "severity of the anomaly, given by the order",
            values=("info", "warning", "critical"),
        ),
    )
}

FROM_ORDER = frozenset({"anomaly_sigma", "anomaly_value", "severity"})  # not measured on the host


def lookup(name: str) -> Fact | None:
    """Find a fact by its name; None: there is no such fact."""
    if name.startswith(TAG_PREFIX) and len(name) > len(TAG_PREFIX):
        return Fact(name, FactType.TEXT, "a tag of the host")
    return KNOWN.get(name)
