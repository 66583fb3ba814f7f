"""The objects of a cluster that the rules speak about, with a sentence per field.

Made by `reading`. Nothing here judges.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from sentienguard.model import diagnosis
from sentienguard.stages.decide.diagnosis.kubernetes import addresses

_OFTEN: Final = 3  # times that a probe fails before its container is killed, by default


def _empty() -> Mapping[str, str]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Port:
    """One port of a container or a service."""

    number: int  # 0 if only a name is known
    name: str = ""
    protocol: str = "TCP"
    target: str = ""  # of a service: number or name at the container


@dataclass(frozen=True, slots=True)
class Probe:
    """How the kubelet asks a container."""

    protocol: str  # grpc, http, tcp, exec
    port: str = ""  # number or name; "" for exec
    delay_s: int = 0  # before the first
    timeout_s: int = 1
    period_s: int = 10
    failures: int = 3  # in a row until it counts

    @property
    def patience_s(self) -> int:
        """Seconds after the start until a container that never answers is given up."""
        return self.delay_s + self.period_s * self.failures


@dataclass(frozen=True, slots=True)
class Container:
    """One container of a pod or of a template."""

    name: str
    image: str = ""
    ports: tuple[Port, ...] = ()
    env: Mapping[str, str] = field(default_factory=_empty)  # only values that are written down
    secrets: tuple[tuple[str, str], ...] = ()  # (secret, key or "") that it cannot start without
    configs: tuple[tuple[str, str], ...] = ()  # (config map, key or "") likewise
    requests: Mapping[str, str] = field(default_factory=_empty)
    limits: Mapping[str, str] = field(default_factory=_empty)
    liveness: Probe | None = None
    readiness: Probe | None = None
    startup: Probe | None = None
    is_ready: bool = False
    restarts: int = 0
    waiting: str = ""  # reason, while it waits
    died: str = ""  # reason of its end, now or the last time
    exit_code: int | None = None
    said: str = ""  # messages of its states; untrusted text
    is_starter: bool = False  # an init container

    def wants(self, resource: str) -> str:
        """Return what it requests of cpu or memory; a limit alone is a request."""
        return self.requests.get(resource) or self.limits.get(resource, "")


@dataclass(frozen=True, slots=True)
class Template:
    """What a pod is to be, from itself, its workload, or its manifest."""

    labels: Mapping[str, str] = field(default_factory=_empty)
    annotations: Mapping[str, str] = field(default_factory=_empty)
    containers: tuple[Container, ...] = ()
    node_selector: Mapping[str, str] = field(default_factory=_empty)
    tolerations: tuple[diagnosis.PlainObject, ...] = ()
    affinity: diagnosis.PlainObject = field(default_factory=dict)
    service_account: str = ""
    pull_secrets: tuple[str, ...] = ()
    claims: tuple[str, ...] = ()  # persistent volume claims that it mounts
    secrets: tuple[str, ...] = ()  # secrets that it mounts
    configs: tuple[str, ...] = ()  # config maps that it mounts
    mounts_host: bool = False  # a directory of the node
    dns_policy: str = ""
    nameservers: tuple[str, ...] = ()
    host_aliases: Mapping[str, str] = field(default_factory=_empty)  # host name -> address


@dataclass(frozen=True, slots=True)
class Event:
    """Something that a component of the cluster said about an object."""

    kind: str  # of the object
    name: str
    reason: str
    message: str
    is_warning: bool
    count: int = 1


@dataclass(frozen=True, slots=True)
class Pod:
    """One pod."""

    name: str
    workload: str  # what made it ("" if unknown)
    template: Template
    node: str = ""  # "" while it is not scheduled
    phase: str = ""
    is_ready: bool = False
    events: tuple[Event, ...] = ()

    @property
    def containers(self) -> tuple[Container, ...]:
        """Its containers, those that start it first."""
        return self.template.containers

    @property
    def is_done(self) -> bool:
        """Tell whether it ran to its end as it should; such a pod is no symptom."""
        return self.phase == "Succeeded"

    @property
    def is_killed(self) -> bool:
        """Tell whether the kubelet keeps killing it because a probe fails."""
        return any(
            event.reason == "Unhealthy"
            and event.message.startswith(("Liveness", "Startup"))
            and event.count >= _OFTEN
            for event in self.events
        )

    @property
    def warnings(self) -> tuple[Event, ...]:
        """What was warned about it."""
        return tuple(event for event in self.events if event.is_warning)


@dataclass(frozen=True, slots=True)
class Workload:
    """A deployment, stateful set or daemon set with its pods."""

    name: str
    kind: str
    labels: Mapping[str, str]
    wanted: int | None  # pods it should have; None: unknown
    template: Template
    pods: tuple[Pod, ...] = ()
    events: tuple[Event, ...] = ()  # about itself and what it made its pods with
    available: int | None = None  # pods that its controller counts as there; None: not counted

    @property
    def ready(self) -> int:
        """How many of its pods are ready, or counted so where none is listed."""
        if not self.pods and self.available:
            return self.available
        return sum(pod.is_ready for pod in self.pods)

    @property
    def is_down(self) -> bool:
        """Tell whether it has fewer ready pods than it should, or should have none."""
        return self.wanted == 0 or self.ready < max(self.wanted or 0, 1)

    @property
    def restarts(self) -> int:
        """How often its containers were started again."""
        return sum(container.restarts for pod in self.pods for container in pod.containers)

    @property
    def has_crashed(self) -> bool:
        """Tell whether a container of it ends badly these days, and not just once long ago."""
        return any(
            container.died not in {"", "Completed"} and (not container.is_ready or pod.is_killed)
            for pod in self.pods
            for container in pod.containers
            if not container.is_starter
        )


@dataclass(frozen=True, slots=True)
class Service:
    """A service, with the workload that it stands for."""

    name: str
    labels: Mapping[str, str]
    selector: Mapping[str, str]
    ports: tuple[Port, ...]
    workload: str = ""  # whose pods it is meant to reach ("" if unknown)
    selected: tuple[str, ...] = ()  # workloads whose pods the selector takes
    has_endpoints: bool | None = None  # None: unknown
    answers: bool | None = None  # somebody tried to connect; None: nobody did
    tried: tuple[tuple[str, bool], ...] = ()  # (node it was tried from, whether it worked)


@dataclass(frozen=True, slots=True)
class Node:
    """A machine."""

    name: str
    labels: Mapping[str, str]
    is_cordoned: bool
    taints: tuple[diagnosis.PlainObject, ...]
    conditions: Mapping[str, str]  # type -> True, False, Unknown
    allocatable: Mapping[str, str]
    stopped: tuple[str, ...] = ()  # units of it that do not run


@dataclass(frozen=True, slots=True)
class Claim:
    """A persistent volume claim."""

    name: str
    phase: str
    storage_class: str | None  # None: the default
    modes: tuple[str, ...]
    size: str
    selector: Mapping[str, str]
    volume: str = ""  # by name, bound or asked for


@dataclass(frozen=True, slots=True)
class Volume:
    """A persistent volume."""

    name: str
    labels: Mapping[str, str]
    phase: str
    storage_class: str
    modes: tuple[str, ...]
    size: str
    claimed_by: str = ""  # name of the claim


@dataclass(frozen=True, slots=True)
class Quota:
    """What a namespace may have at most."""

    name: str
    hard: Mapping[str, str]
    used: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Cluster:
    """What is known of one namespace and the machines below it."""

    namespace: str
    workloads: Mapping[str, Workload]
    services: Mapping[str, Service]
    nodes: Mapping[str, Node]
    claims: Mapping[str, Claim]
    volumes: Mapping[str, Volume]
    quotas: tuple[Quota, ...]
    names: Mapping[str, frozenset[str]]  # kind -> names of what exists; without kind: not listed
    manifests: tuple[diagnosis.PlainObject, ...]  # as somebody declared them
    policies: tuple[diagnosis.PlainObject, ...]  # network policies
    configs: Mapping[str, Mapping[str, str]]  # texts of config maps, live or declared
    calls: Mapping[str, tuple[addresses.Address, ...]]  # workload -> where its settings lead
    needs: Mapping[str, frozenset[str]] = field(default_factory=dict)  # workload -> workloads

    def exists(self, kind: str, name: str) -> bool | None:
        """Tell whether there is such an object; None where that kind was not listed."""
        return name in self.names[kind] if kind in self.names else None
