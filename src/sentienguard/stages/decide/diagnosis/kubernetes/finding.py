"""What one rule says about one object."""

from dataclasses import dataclass
from enum import StrEnum


class Of(StrEnum):
    """What kind of thing is blamed, which decides where its name is looked up."""

    WORKLOAD = "workload"
    NODE = "node"
    NAMESPACE = "namespace"


@dataclass(frozen=True, slots=True)
class Finding:
    """A mechanism that is broken, and what it breaks."""

    of: Of
    object: str  # name in the cluster
    cause: str  # our word for the mechanism
    certainty: float  # 0..1 that this is what happened, if it is what matters
    evidence: tuple[str, ...]
    against: tuple[str, ...] = ()
    hurts: frozenset[str] = frozenset()  # workloads that cannot work because of it


def workload(
    name: str,
    cause: str,
    certainty: float,
    *evidence: str,
    hurts: frozenset[str] | None = None,
    against: tuple[str, ...] = (),
) -> Finding:
    """Blame a workload; if nothing else is said, it hurts itself."""
    suffering = frozenset({name}) if hurts is None else hurts
    return Finding(Of.WORKLOAD, name, cause, certainty, evidence, against, suffering)


def node(name: str, cause: str, certainty: float, *evidence: str, hurts: frozenset[str]) -> Finding:
    """Blame a machine."""
    return Finding(Of.NODE, name, cause, certainty, evidence, (), hurts)


def namespace(
    name: str, cause: str, certainty: float, *evidence: str, hurts: frozenset[str]
) -> Finding:
    """Blame what a namespace allows."""
    return Finding(Of.NAMESPACE, name, cause, certainty, evidence, (), hurts)
