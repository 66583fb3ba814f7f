"""What was observed around one symptom, and what is to blame for it.

A `Snapshot` is everything that a diagnosis may read; `Verdict` is all that it says. The JSON that a
snapshot is read from is described in docs/reference/snapshot.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Final, TypeAlias

Plain: TypeAlias = (  # what JSON can hold
    "bool | int | float | str | list[Plain] | dict[str, Plain] | None"
)
PlainObject: TypeAlias = Mapping[str, Plain]


class EdgeKind(StrEnum):
    """In what way the source of an edge depends on its target."""

    CALL = "call"  # asks it and waits for the answer
    DATASTORE = "datastore"  # keeps its data there: a database, a cache, a volume
    QUEUE = "queue"  # hands work over there, or takes it from there
    RESOLVER = "resolver"  # finds others through it: names, discovery, gateways, configuration
    NODE = "node"  # runs on it


class MetricKind(StrEnum):
    """What a series measures, which decides what worse means and how it travels."""

    LATENCY = "latency"  # worse: up; flows from callee to caller
    ERRORS = "errors"  # worse: up; flows from callee to caller
    AVAILABILITY = "availability"  # worse: down; flows from callee to caller
    TRAFFIC = "traffic"  # requests; flows from caller to callee
    CPU = "cpu"  # worse: up; of the object alone
    MEMORY = "memory"  # worse: up; of the object alone
    DISK = "disk"  # worse: up; of the object alone
    NETWORK = "network"  # bytes; follows traffic
    SATURATION = "saturation"  # pools, threads, connections in use; worse: up
    BACKLOG = "backlog"  # waiting work: queue depth, consumer lag; worse: up
    HIT_RATIO = "hit_ratio"  # of a cache; worse: down
    RESTARTS = "restarts"  # worse: up; of the object alone
    OTHER = "other"  # unknown: far from usual counts, in either direction


class ChangeKind(StrEnum):
    """What somebody changed."""

    DEPLOY = "deploy"
    COMMIT = "commit"
    FLAG = "flag"
    CONFIG = "config"
    SCALE = "scale"
    EVENT = "event"  # an orchestrator did it by itself


NO_CHANGE: Final = "none"  # stands among the changes for: nobody changed anything that matters


@dataclass(frozen=True, slots=True)
class InventoryObject:
    """One thing that can be blamed; nothing outside the inventory can."""

    name: str  # unique in the snapshot; the spelling that a verdict uses
    kind: str = "service"  # service, datastore, cache, queue, node, external, ...: free, in words
    aliases: tuple[str, ...] = ()  # other spellings that the observations use for it
    group: str = ""  # what it is one instance of ("" if it stands alone)


@dataclass(frozen=True, slots=True)
class Edge:
    """`source` depends on `target`: a fault travels from target to source, load the other way."""

    source: str
    target: str
    kind: EdgeKind = EdgeKind.CALL


@dataclass(frozen=True, slots=True)
class MetricSeries:
    """Readings of one metric of one object, in rising time."""

    object: str
    kind: MetricKind
    name: str  # its name where it comes from, for the evidence
    times_ms: tuple[int, ...]
    values: tuple[float, ...]  # as many as times; finite


@dataclass(frozen=True, slots=True)
class LogTemplate:
    """Lines of one object that differ in their parameters only. Untrusted text."""

    object: str
    text: str  # the template, or one line of it
    severity: str  # error, warning, info, ...: lower case
    count: (
        float  # lines in the window of the symptom; with an operation: its requests that wrote it
    )
    usual: float | None = None  # the same in the window before it; None: unknown
    first_ms: int | None = None  # when it was first seen in the window
    operation: str = ""  # the request that it was written in (a TraceEdge's callee and operation)


@dataclass(frozen=True, slots=True)
class TraceEdge:
    """What the spans of one operation say, around the symptom and before it."""

    caller: str  # "" where a request enters
    callee: str
    operation: str  # of the callee
    calls: float  # spans in the window of the symptom
    errors: float  # of them, how many failed
    self_ms: float  # median time in the operation itself, without what it waited for
    total_ms: float  # median time of the whole span
    usual_calls: float | None = None  # the same before the symptom; None: unknown
    usual_errors: float | None = None
    usual_self_ms: float | None = None
    usual_total_ms: float | None = None
    wire_ms: float | None = None  # median time that the caller waited beyond the callee's own span
    usual_wire_ms: float | None = None
    within: str = ""  # operation of the caller that made the call


@dataclass(frozen=True, slots=True)
class ChangeEvent:
    """Something that was changed, which shortlists suspects and never convicts alone."""

    id: str  # a commit, a deployment, a flag
    object: str  # what was changed ("" if unknown)
    kind: ChangeKind
    at_ms: int  # when it took effect
    summary: str = ""  # untrusted text
    files: tuple[str, ...] = ()
    diff: str = ""  # untrusted text
    carried_by: str = ""  # the deployment that brought a commit out


@dataclass(frozen=True, slots=True)
class Alert:
    """One monitor that speaks up."""

    id: str
    object: str  # what it is about ("" if it does not say)
    name: str
    at_ms: int
    severity: str = ""  # the sender's word, lower case; breaks ties and no more
    text: str = ""  # untrusted text
    metric: str = ""  # name of the series that it watches
    value: float | None = None  # of the series when it fired
    threshold: float | None = None  # that the value passed
    resolved_after_s: float | None = None  # None: it has not resolved itself
    fired_last_hour: int = 1  # times
    topic: str = ""  # alerts of one topic speak of the same lines
    errors_grew: float | None = None  # by which share its topic's lines grew; <= 0: no errors


@dataclass(frozen=True, slots=True)
class KnownIncident:
    """Something that people are working on already."""

    id: str
    object: str
    metric: str  # "" for all of its series
    since_ms: int


@dataclass(frozen=True, slots=True)
class Symptom:
    """What is to be explained."""

    object: str  # where it is seen ("" if only a time is known)
    kind: MetricKind  # what about it is bad
    at_ms: int  # when it was noticed; the cause is older
    text: str = ""  # untrusted text
    metric: str = ""  # name of the series that shows it, where one does


@dataclass(frozen=True, slots=True)
class KubernetesState:
    """What a cluster's API says, as plain objects."""

    namespace: str  # the one that the symptom is in
    objects: Mapping[str, tuple[PlainObject, ...]]  # resource kind ("Pod", "Service") -> objects
    events: tuple[PlainObject, ...] = ()  # Event objects
    outputs: Mapping[str, str] = field(
        default_factory=lambda: MappingProxyType({})
    )  # what was asked -> text


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything that a diagnosis may read."""

    id: str
    symptom: Symptom | None  # None: find out whether there is one
    since_ms: int  # what lies before it is taken for normal
    until_ms: int  # the end of what was observed
    objects: tuple[InventoryObject, ...] = ()
    edges: tuple[Edge, ...] = ()
    series: tuple[MetricSeries, ...] = ()
    logs: tuple[LogTemplate, ...] = ()
    traces: tuple[TraceEdge, ...] = ()
    changes: tuple[ChangeEvent, ...] = ()
    alerts: tuple[Alert, ...] = ()
    known: tuple[KnownIncident, ...] = ()
    kubernetes: KubernetesState | None = None


@dataclass(frozen=True, slots=True)
class Suspect:
    """One object (or change) that may be to blame, with what speaks for and against it."""

    object: str  # out of the inventory, or the id of a change
    cause: str  # a word for the kind of fault ("" if unknown)
    score: float  # 0..1, comparable within one verdict
    share: float  # of the symptom that it explains, 0..1
    path: tuple[str, ...] = ()  # from the cause to where the symptom is seen
    evidence: tuple[str, ...] = ()  # what speaks for it
    against: tuple[str, ...] = ()  # predicted and absent, or observed and unexplained


@dataclass(frozen=True, slots=True)
class Triaged:
    """What to do about one alert."""

    alert: str  # its id
    page: bool  # true: wake somebody
    reason: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """Who is to blame, in order, or why nobody is."""

    snapshot: str  # its id
    ranked: tuple[Suspect, ...]  # the most likely first; empty: abstained
    edges: tuple[tuple[str, str], ...] = ()  # how the fault travelled, each from cause to effect
    changes: tuple[Suspect, ...] = ()  # changes to look at first; one is NO_CHANGE
    triage: tuple[Triaged, ...] = ()  # each alert of the snapshot, in its order
    abstained: str = ""  # why nobody is blamed ("" if somebody is)
    confidence: float = 0.0  # 0..1 that the first is right

    @property
    def runner_up(self) -> Suspect | None:
        """Give the second, which the first has to beat."""
        return self.ranked[1] if len(self.ranked) > 1 else None
