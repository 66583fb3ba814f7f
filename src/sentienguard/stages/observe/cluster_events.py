"""Events of Kubernetes: which of them are alerts, which are changes, and when an alert is over.

Called by controlplane.cluster_watch. Pure: events come parsed, times and owners as arguments.
Rules:

1. Total: an event of another shape is Malformed, whatever it is. What a pod writes (`message`) is
   text for people, redacted and cut; it chooses a row of `_TABLE` by its beginning and no more.
2. The same event told again (uid and count) is nothing new. Kubernetes counts repetitions of one
   event up instead of writing another.
3. An alert is about the Deployment that a pod belongs to, else about the object that the event
   names. Events of all its pods are one episode, which began with the first.
4. Kubernetes says of few things that they are over (`_ENDS`). An episode of which nothing was heard
   for `QUIET` is over.
5. A cluster's clock is not ours: a time more than `AHEAD` ahead or `BEHIND` behind counts as now.
6. Whoever may write events in one namespace takes at most `MOST_OF_NAMESPACE` of the places for
   episodes, so that the others are heard. What an event names is asked about where Kubernetes could
   have called a pod so.
"""

import re
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sentienguard.model import errors
from sentienguard.model.alert import Alert, AlertStatus
from sentienguard.model.evidence import Changed
from sentienguard.playbook import objects
from sentienguard.stages.observe import alert_batch, redact

QUIET: Final = timedelta(minutes=15)  # a crash loop says so every five minutes at least
AHEAD: Final = timedelta(minutes=5)
BEHIND: Final = timedelta(hours=24)
MOST_KNOWN: Final = 20_000  # events whose counts are remembered
MOST_STANDING: Final = 5000  # episodes
MOST_OF_NAMESPACE: Final = 500  # of these, rule 6
_LONGEST: Final = 253  # characters of a name of Kubernetes
_COUNT: Final = 2**31
_OBJECT: Final = re.compile(r"[a-z0-9]([-.a-z0-9]*[a-z0-9])?\Z")  # a pod, a namespace


class Malformed(errors.Rejected):
    """It is no event of Kubernetes."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event as its cluster tells it."""

    uid: str
    reason: str
    kind: str  # of the object it is about
    namespace: str  # of that object; "" of a node
    name: str
    message: str  # untrusted, redacted
    count: int
    first_at: datetime  # UTC
    last_at: datetime  # UTC
    by: str  # which part of Kubernetes says it


@dataclass(frozen=True, slots=True)
class Place:
    """What a cluster is called here."""

    cluster: str  # as a relay declares it; begins the name of each of its objects
    host: str  # enrolled host that alerts are of; "": none


@dataclass(frozen=True, slots=True)
class _Row:
    """Which events are an alert."""

    alertname: str
    metric: str = ""  # of `objects.SYMPTOMS`, for which there are playbooks; "": for people
    severity: str = "warning"
    begins: tuple[str, ...] = ("",)  # the message begins with one of these
    least: int = 1  # repetitions


# Reason -> rows, the first that fits. As kubelet, scheduler and the node controller say them.
_TABLE: Final[Mapping[str, tuple[_Row, ...]]] = {
    "BackOff": (
        _Row("KubernetesCrashLoop", "kubernetes.pod_crash_loop",
             begins=("Back-off restarting failed container",), least=2),
        _Row("KubernetesImagePull", "kubernetes.image_pull", begins=("Back-off pulling image",)),
    ),
    "Failed": (
        _Row("KubernetesImagePull", "kubernetes.image_pull",
             begins=("Failed to pull image", "Error: ErrImagePull", "Error: ImagePullBackOff")),
        _Row("KubernetesContainerFailed"),
    ),
    "InspectFailed": (_Row("KubernetesImagePull", "kubernetes.image_pull"),),
    "OOMKilling": (_Row("KubernetesOOMKilling", severity="critical"),),
    "SystemOOM": (_Row("KubernetesOOMKilling", severity="critical"),),
    "FailedScheduling": (_Row("KubernetesFailedScheduling"),),
    "FailedMount": (_Row("KubernetesFailedMount", least=3),),
    "FailedAttachVolume": (_Row("KubernetesFailedMount", least=3),),
    "FailedCreate": (_Row("KubernetesFailedCreate"),),
    "FailedCreatePodSandBox": (_Row("KubernetesFailedSandbox", least=3),),
    "Unhealthy": (_Row("KubernetesUnhealthy", least=5),),
    "Evicted": (_Row("KubernetesEvicted"),),
    "NodeNotReady": (_Row("KubernetesNodeNotReady", severity="critical"),),
    "NodeHasDiskPressure": (_Row("KubernetesNodePressure", "kubernetes.node_pressure"),),
    "NodeHasInsufficientMemory": (_Row("KubernetesNodePressure", "kubernetes.node_pressure"),),
    "EvictionThresholdMet": (_Row("KubernetesNodePressure", "kubernetes.node_pressure"),),
}  # fmt: skip
_ENDS: Final[Mapping[str, str]] = {  # reason -> the alert of the same object that is over
    "NodeReady": "KubernetesNodeNotReady",
    "NodeHasNoDiskPressure": "KubernetesNodePressure",
    "NodeHasSufficientMemory": "KubernetesNodePressure",
}
_CHANGES: Final[Mapping[str, str]] = {  # reason -> kind of change
    "ScalingReplicaSet": "deploy",
    "SuccessfulRescale": "scale",
}
_NODE_WIDE: Final = frozenset({"NodeNotReady", "OOMKilling", "SystemOOM"})
_OBJECTS: Final[Mapping[str, str]] = {"Deployment": "deployment", "Node": "node"}  # kinds of ours


def read(found: Mapping[str, Any], now: datetime) -> Event:
    """Read one event. Raises Malformed naming the field, what was expected and what was found."""
    meta, about = _mapping(found, "metadata"), _mapping(found, "involvedObject")
    series, source = _part(found, "series"), _part(found, "source")
    created = _time(meta.get("creationTimestamp"), now)
    first = _time(found.get("firstTimestamp") or found.get("eventTime"), created)
    last = _time(series.get("lastObservedTime") or found.get("lastTimestamp"), first)
    count = series.get("count") or found.get("count") or 1
    if not isinstance(count, int) or isinstance(count, bool) or not 0 < count < _COUNT:
        raise Malformed(f"count: expected a number, found {str(count)[:40]!a}")
    message = found.get("message")
    return Event(
        uid=_name(meta, "uid"),
        reason=_name(found, "reason"),
        kind=_name(about, "kind"),
        namespace=_name(about, "namespace", needed=False),
        name=_name(about, "name"),
        message=redact.line(message[:4096]) if isinstance(message, str) else "",
        count=count,
        first_at=_of_now(first, now),
        last_at=_of_now(last, now),
        by=redact.line(str(source.get("component") or found.get("reportingComponent") or ""))[:80],
    )


def asks_owner(event: Event) -> bool:
    """Tell whether it matters to which Deployment the object of an event belongs (rule 6)."""
    named = _OBJECT.match(event.name) and _OBJECT.match(event.namespace)
    return event.kind == "Pod" and named is not None and _row(event) is not None


def change(event: Event) -> Changed | None:
    """Return the change that an event tells of; None: none."""
    kind = _CHANGES.get(event.reason)
    if kind is None:
        return None
    name = f"kubernetes:{event.uid}:{event.count}"
    return Changed(name, event.last_at, event.name, kind, "", event.by, event.message)


@dataclass(slots=True)
class _Standing:
    """An episode that is not over."""

    alert: Alert
    heard_at: datetime  # by our clock


class Episodes:
    """What stands in one cluster, as its events tell."""

    def __init__(self, place: Place) -> None:
        """Begin knowing nothing."""
        self.left_out = 0  # alerts for which there was no place
        self._place = place
        self._counts: OrderedDict[str, int] = OrderedDict()
        self._standing: dict[tuple[str, str, str, str], _Standing] = {}

    def is_new(self, event: Event) -> bool:
        """Tell whether this was not told before (rule 2); from now on it was."""
        known = self._counts.get(event.uid, 0)
        if event.count <= known:
            return False
        self._counts[event.uid] = event.count
        self._counts.move_to_end(event.uid)
        while len(self._counts) > MOST_KNOWN:
            self._counts.popitem(last=False)
        return True

    def hear(self, event: Event, deployment: str, now: datetime) -> Sequence[Alert]:
        """Return the alerts that begin or end with an event; `deployment` is whose its pod is.

        An event that is older than QUIET, as lists have them, begins and ends its episode at once.
        """
        over = _ENDS.get(event.reason)
        if over is not None:
            return self._end((over, event.kind, event.namespace, event.name), now)
        row = _row(event)
        if row is None:
            return ()
        kind, name = ("Deployment", deployment) if deployment else (event.kind, event.name)
        key = (row.alertname, kind, event.namespace, name)
        heard_at = min(event.last_at, now)
        standing = self._standing.get(key)
        if standing is not None:
            standing.heard_at = max(standing.heard_at, heard_at)
            return ()
        namespace = event.namespace  # none: of nodes, which no tenant speaks for
        beside = sum(one[2] == namespace for one in self._standing) if namespace else 0
        if len(self._standing) >= MOST_STANDING or beside >= MOST_OF_NAMESPACE:
            self.left_out += 1
            return ()
        alert = self._alert(row, event, kind, name)
        self._standing[key] = _Standing(alert, heard_at)
        return (alert,)

    def over(self, now: datetime) -> Sequence[Alert]:
        """Return the ends of what was not heard of for long (rule 4)."""
        quiet = [key for key, one in self._standing.items() if now - one.heard_at > QUIET]
        return [alert for key in quiet for alert in self._end(key, now)]

    def _end(self, key: tuple[str, str, str, str], _now: datetime) -> Sequence[Alert]:
        standing = self._standing.pop(key, None)
        if standing is None:
            return ()
        began = standing.alert
        return (Alert(AlertStatus.RESOLVED, began.labels, began.starts_at, began.annotations),)

    def _alert(self, row: _Row, event: Event, kind: str, name: str) -> Alert:
        labels = {
            "alertname": row.alertname, "cluster": self._place.cluster, "kind": kind, "name": name,
            "namespace": event.namespace, "severity": row.severity, "host": self._place.host,
        }  # fmt: skip
        subject = self._subject(kind, event.namespace, name)
        if row.metric and subject:
            labels |= {"sentienguard_metric": row.metric, "sentienguard_subject": subject}
        return Alert(
            status=AlertStatus.FIRING,
            labels={key: value for key, value in labels.items() if value},
            starts_at=event.first_at,
            annotations=alert_batch.cut({"summary": f"{event.reason}: {event.message}"}),
        )

    def _subject(self, kind: str, namespace: str, name: str) -> str:
        """Return what a playbook calls the object; "" where it is of no kind that one is for."""
        ours = _OBJECTS.get(kind, "")
        parts = [part for part in (self._place.cluster, ours, namespace, name) if part]
        try:
            return str(objects.read("/".join(parts))) if ours else ""
        except objects.NotAnObject:
            return ""


def _row(event: Event) -> _Row | None:
    if event.reason in _NODE_WIDE and event.kind != "Node":
        return None  # the node says it too, once, and not for each of its pods
    for row in _TABLE.get(event.reason, ()):
        if event.count >= row.least and event.message.startswith(row.begins):
            return row
    return None


def _mapping(found: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    inner = found.get(name)
    if not isinstance(inner, dict):
        raise Malformed(f"{name}: expected an object, found {type(inner).__name__}")
    return inner


def _part(found: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return what may be missing."""
    inner = found.get(name)
    return inner if isinstance(inner, dict) else {}


def _name(found: Mapping[str, Any], name: str, *, needed: bool = True) -> str:
    said = found.get(name) or ""
    if not isinstance(said, str) or len(said) > _LONGEST or not said.isprintable():
        raise Malformed(f"{name}: expected at most {_LONGEST} printable characters")
    if needed and not said:
        raise Malformed(f"{name}: expected one, found none")
    return said


def _time(said: Any, otherwise: datetime) -> datetime:
    if not isinstance(said, str):
        return otherwise
    try:
        found = datetime.fromisoformat(said)
        return found.astimezone(UTC) if found.tzinfo else otherwise
    except (ValueError, OverflowError):
        return otherwise


def _of_now(at: datetime, now: datetime) -> datetime:
    """Return a cluster's time where it is near ours, and now where it is not (rule 5)."""
    return at if now - BEHIND <= at <= now + AHEAD else now
