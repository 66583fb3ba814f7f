"""What the objects of a cluster say, as facts. Pure: parsed JSON in, words and numbers out.

Called by `target`. Statuses of pods follow the reasons that the kubelet gives containers. What is
absent or of another shape than the API promises counts as not said.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias

Json: TypeAlias = Mapping[str, Any]

REVISION: Final = "deployment.kubernetes.io/revision"
HASH: Final = "pod-template-hash"  # label that the Deployment's controller adds to each template
RECENT: Final = timedelta(minutes=10)  # a container that was killed so lately is not well again yet
BAD: Final = ("config_error", "image_pull", "oom_killed", "crash_loop")  # the worst first
_CONFIG: Final = frozenset(
    {"CreateContainerConfigError", "CreateContainerError", "RunContainerError", "StartError"}
)
_IMAGE: Final = frozenset(
    {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"}
)
# The command cannot be executed, is not there, or the runtime could not begin it.
_NO_START: Final = frozenset({126, 127, 128})
_PRESSURE: Final = (
    ("MemoryPressure", "memory_pressure"),
    ("DiskPressure", "disk_pressure"),
    ("PIDPressure", "pid_pressure"),
)
_UNITS: Final = {
    "": 1.0,
    "m": 0.001,
    "k": 1e3,
    "M": 1e6,
    "G": 1e9,
    "T": 1e12,
    "P": 1e15,
    "E": 1e18,
    "Ki": 2.0**10,
    "Mi": 2.0**20,
    "Gi": 2.0**30,
    "Ti": 2.0**40,
    "Pi": 2.0**50,
    "Ei": 2.0**60,
}


@dataclass(frozen=True, slots=True)
class Workload:
    """A Deployment with what it owns, as of one moment."""

    deployment: Json
    sets: tuple[Json, ...]  # its ReplicaSets
    pods: tuple[Json, ...]  # of those sets, the ones that are being deleted left out
    now: datetime  # by the server's clock

    @property
    def wanted(self) -> int:
        """Return how many pods it wants; the API's default is one."""
        replicas = at(self.deployment, "spec", "replicas")
        return replicas if isinstance(replicas, int) else 1

    @property
    def current(self) -> Json | None:
        """Return the set of the newest revision."""
        return max(self.sets, key=revision, default=None)

    @property
    def earlier(self) -> Json | None:
        """Return the newest set before that whose template is another one."""
        newest = self.current
        if newest is None:
            return None
        others = [one for one in self.sets if template(one) != template(newest)]
        return max(others, key=revision, default=None)

    def failing(self, status: str = "") -> tuple[Json, ...]:
        """Return its pods in this bad state, or in any."""
        wanted = {status} if status else set(BAD)
        return tuple(pod for pod in self.pods if pod_status(pod, self.now) in wanted)

    def status(self) -> str:
        """Return the worst that its pods say, else how its rollout is."""
        seen = {pod_status(pod, self.now) for pod in self.pods}
        bad = next((one for one in BAD if one in seen), None)
        if bad is not None:
            return bad
        conditions = at(self.deployment, "status", "conditions") or ()
        if any(one.get("reason") == "ProgressDeadlineExceeded" for one in conditions):
            return "stuck"
        meta, status = self.deployment.get("metadata", {}), self.deployment.get("status", {})
        observed = status.get("observedGeneration", 0) >= meta.get("generation", 0)
        if not observed or status.get("updatedReplicas", 0) < self.wanted:
            return "progressing"
        return "ok" if status.get("readyReplicas", 0) >= self.wanted else "degraded"

    def ready(self) -> int:
        """Return how many of its pods are ready."""
        return int(at(self.deployment, "status", "readyReplicas") or 0)

    def shared_cause(self) -> bool:
        """Tell whether all pods of its newest revision fail: then what they share is at fault."""
        newest = self.current
        if newest is None:
            return False
        uid = at(newest, "metadata", "uid")
        own = [pod for pod in self.pods if owner(pod) == uid]
        return bool(own) and all(pod_status(pod, self.now) in BAD for pod in own)

    def killed_containers(self) -> tuple[str, ...]:
        """Return the names of containers that were killed for want of memory."""
        names = {
            str(one.get("name"))
            for pod in self.failing("oom_killed")
            for one in _containers(pod)
            if _was_killed(one, self.now)
        }
        return tuple(sorted(names))

    def memory_limit(self) -> int:
        """Return the least limit of what was killed, else of all its containers; 0: none."""
        killed = self.killed_containers()
        containers = at(self.deployment, "spec", "template", "spec", "containers") or ()
        limits = [
            size(at(one, "resources", "limits", "memory"))
            for one in containers
            if not killed or one.get("name") in killed
        ]
        return min((one for one in limits if one > 0), default=0)


def at(found: Any, *path: str) -> Any:
    """Return what lies at a path of keys; None where something is missing."""
    for key in path:
        if not isinstance(found, Mapping):
            return None
        found = found.get(key)
    return found


def owner(found: Json) -> str | None:
    """Return the uid of the controller that owns an object."""
    owners = at(found, "metadata", "ownerReferences") or ()
    return next((str(one.get("uid")) for one in owners if one.get("controller")), None)


def revision(replica_set: Json) -> int:
    """Return the number that the Deployment's controller gave it; 0: none."""
    written = (at(replica_set, "metadata", "annotations") or {}).get(REVISION, "0")
    return int(written) if str(written).isdecimal() else 0


def template(replica_set: Json) -> dict[str, Any]:
    """Return its pod template without what the controller added."""
    found = dict(at(replica_set, "spec", "template") or {})
    metadata = dict(found.get("metadata") or {})
    labels = {k: v for k, v in (metadata.get("labels") or {}).items() if k != HASH}
    return {**found, "metadata": {**metadata, "labels": labels}}


def selector(deployment: Json) -> str:
    """Write its selector as a query has it."""
    terms = [
        f"{key}={value}"
        for key, value in (at(deployment, "spec", "selector", "matchLabels") or {}).items()
    ]
    for one in at(deployment, "spec", "selector", "matchExpressions") or ():
        values = ",".join(one.get("values") or ())
        terms.append(
            {
                "In": f"{one['key']} in ({values})",
                "NotIn": f"{one['key']} notin ({values})",
                "Exists": one["key"],
                "DoesNotExist": f"!{one['key']}",
            }[one["operator"]]
        )
    return ",".join(terms)


def pod_status(pod: Json, now: datetime) -> str:
    """Return the worst of its containers, or `ok`; what is only waiting to start is `ok`, too."""
    seen = {_container_status(one, now) for one in _containers(pod)}
    return next((one for one in BAD if one in seen), "ok")


def node_status(node: Json) -> str:
    """Return its worst condition."""
    conditions = {
        one.get("type"): one.get("status") for one in at(node, "status", "conditions") or ()
    }
    if conditions.get("Ready") != "True":
        return "not_ready"
    return next((word for name, word in _PRESSURE if conditions.get(name) == "True"), "ready")


def schedulable(node: Json) -> bool:
    """Tell whether the scheduler may put pods on it."""
    return at(node, "spec", "unschedulable") is not True


def at_max(autoscaler: Json) -> bool:
    """Tell whether it wants more replicas than it may set, by its own condition."""
    conditions = at(autoscaler, "status", "conditions") or ()
    limited = any(
        one.get("type") == "ScalingLimited"
        and one.get("status") == "True"
        and one.get("reason") == "TooManyReplicas"
        for one in conditions
    )
    desired = at(autoscaler, "status", "desiredReplicas") or 0
    return limited and desired >= (at(autoscaler, "spec", "maxReplicas") or math.inf)


def size(quantity: object) -> int:
    """Return a quantity of Kubernetes in bytes; 0 for what is none."""
    text = str(quantity or "")
    number = text.rstrip("kMGTPEim")
    try:
        return int(float(number) * _UNITS[text[len(number) :]])
    except (KeyError, ValueError, OverflowError):
        return 0


def _containers(pod: Json) -> Iterable[Json]:
    status = pod.get("status") or {}
    return (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ()))


def _container_status(container: Json, now: datetime) -> str:
    waiting = str(at(container, "state", "waiting", "reason") or "")
    if waiting in _CONFIG:
        return "config_error"
    if waiting in _IMAGE:
        return "image_pull"
    if _was_killed(container, now):
        return "oom_killed"
    ended = at(container, "lastState", "terminated") or at(container, "state", "terminated") or {}
    if waiting != "CrashLoopBackOff":
        return "ok"
    return "config_error" if ended.get("exitCode") in _NO_START else "crash_loop"


def _was_killed(container: Json, now: datetime) -> bool:
    """Tell whether it is down for want of memory, or was so lately that it may be again."""
    for state in ("state", "lastState"):
        ended = at(container, state, "terminated") or {}
        if ended.get("reason") == "OOMKilled":
            return container.get("ready") is not True or _lately(ended.get("finishedAt"), now)
    return False


def _lately(finished: object, now: datetime) -> bool:
    try:
        when = datetime.fromisoformat(str(finished))
    except ValueError:
        return False
    return when.tzinfo is not None and now - when < RECENT
