"""A cluster in memory for tests: objects with versions, and the controllers that playbooks rely on.

Shapes and rules follow the published API of Kubernetes (apps/v1, v1, autoscaling/v2): versions and
generations, conflicts, preconditions, a rolling update that keeps what is ready until something
else is, a set for each template, a new pod for each that is deleted. How a container fares is told
by its image and its memory limit, so that a test makes a fault as people do: by a bad template.

    IMAGE:crash      ends with status 1, over and over       IMAGE:missing   cannot be pulled
    IMAGE:no-config  refers to a ConfigMap that is not there IMAGE:slow      never becomes ready
    IMAGE:eats-NNN   is killed below a memory limit of NNN Mi
"""

import copy
import datetime as dt
import hashlib
import json
import threading
import uuid
from collections.abc import Mapping
from typing import Any

Object = dict[str, Any]
Key = tuple[str, str, str]  # resource, namespace, name
HASH, REVISION = "pod-template-hash", "deployment.kubernetes.io/revision"


class Failure(Exception):
    """What the API answers instead: its status, reason and message."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status, self.reason = status, reason


class Cluster:
    def __init__(self) -> None:
        self.objects: dict[Key, Object] = {}
        self.lock = threading.RLock()
        self.sick: dict[str, str] = {}  # pod -> status that its own state, not its template, gives
        self.deadline_passed = True  # whether a rollout that does not get ready counts as stuck
        self._version = 100
        self._names = 0

    # -- requests ------------------------------------------------------------------------------

    def get(self, key: Key) -> Object:
        with self.lock:
            if key not in self.objects:
                raise Failure(404, "NotFound", f'{key[0]} "{key[2]}" not found')
            return copy.deepcopy(self.objects[key])

    def each(self, resource: str, namespace: str, selector: str) -> list[Object]:
        with self.lock:
            return [
                copy.deepcopy(one)
                for (known, within, _), one in sorted(self.objects.items())
                if known == resource
                and namespace in {"", within}
                and _selected(selector, one["metadata"].get("labels", {}))
            ]

    def create(self, resource: str, namespace: str, made: Object) -> Object:
        with self.lock:
            key = (resource, namespace, made["metadata"]["name"])
            if key in self.objects:
                raise Failure(409, "AlreadyExists", f'{resource} "{key[2]}" already exists')
            self._store(key, made)
            self.reconcile()
            return self.get(key)

    def update(self, key: Key, wanted: Object, *, dry_run: bool = False) -> Object:
        with self.lock:
            old, new = self.get(key), copy.deepcopy(wanted)
            given = new["metadata"].get("resourceVersion")
            if given not in {None, "", old["metadata"]["resourceVersion"]}:
                raise Failure(
                    *(409, "Conflict"),
                    f'Operation cannot be fulfilled on {key[0]} "{key[2]}": the object has been '
                    "modified; please apply your changes to the latest version and try again",
                )
            for fixed in ("uid", "name", "namespace", "creationTimestamp"):
                if new["metadata"].get(fixed) != old["metadata"].get(fixed):
                    raise Failure(422, "Invalid", f"metadata.{fixed}: field is immutable")
            _valid(key[0], new)
            new["status"] = old.get("status", {})
            if not dry_run and new != old:
                self._store(key, new)
                self.reconcile()
            return self.get(key) if not dry_run else new

    def delete(self, key: Key, conditions: Mapping[str, str], *, dry_run: bool) -> Object:
        with self.lock:
            old = self.get(key)
            for name, wanted in conditions.items():
                if old["metadata"].get(name) != wanted:
                    raise Failure(409, "Conflict", f"Precondition failed: {name} in precondition")
            if not dry_run:
                del self.objects[key]
                self.reconcile()
            return old

    # -- for tests -----------------------------------------------------------------------------

    def deploy(self, namespace: str, name: str, image: str, replicas: int = 3) -> None:
        container = {
            "name": "app",
            "image": image,
            "resources": {"limits": {"memory": "256Mi"}, "requests": {"memory": "128Mi"}},
        }
        labels = {"app": name}
        spec = {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "strategy": {"type": "RollingUpdate"},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        }
        made = {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": name, "namespace": namespace, "labels": labels},
            "spec": spec,
        }
        self.create("deployments", namespace, made)

    def set_image(self, namespace: str, name: str, image: str) -> None:
        found = self.get(("deployments", namespace, name))
        found["spec"]["template"]["spec"]["containers"][0]["image"] = image
        self.update(("deployments", namespace, name), found)

    def node(self, name: str, **conditions: str) -> None:
        written = {"Ready": "True", "MemoryPressure": "False", "DiskPressure": "False"}
        made = {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": name, "labels": {}},
            "spec": {},
        }
        self.create("nodes", "", made)
        self.report("nodes", "", name, conditions=_conditions({**written, **conditions}))

    def autoscaler(self, namespace: str, name: str, maximum: int, desired: int) -> None:
        target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}
        made = {
            "apiVersion": "autoscaling/v2",
            "kind": "HorizontalPodAutoscaler",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {"scaleTargetRef": target, "minReplicas": 1, "maxReplicas": maximum},
        }
        self.sick[f"hpa/{name}"] = str(desired)
        self.create("horizontalpodautoscalers", namespace, made)

    def report(self, resource: str, namespace: str, name: str, **status: Any) -> None:
        with self.lock:
            key = (resource, namespace, name)
            self.objects[key]["status"] = {**self.objects[key].get("status", {}), **status}
            self._touch(self.objects[key])

    def sicken(self, namespace: str, app: str, status: str, count: int = 1) -> list[str]:
        """Let pods of a deployment fail by their own state; those that replace them are well."""
        pods = self.each("pods", namespace, f"app={app}")[:count]
        with self.lock:
            for pod in pods:
                self.sick[pod["metadata"]["name"]] = status
            self.reconcile()
        return [pod["metadata"]["name"] for pod in pods]

    def pods(self, namespace: str, app: str) -> list[str]:
        return [one["metadata"]["name"] for one in self.each("pods", namespace, f"app={app}")]

    # -- controllers ---------------------------------------------------------------------------

    def reconcile(self) -> None:
        with self.lock:
            for key in [key for key in sorted(self.objects) if key[0] == "deployments"]:
                for _ in range(24):  # a rolling update goes on while pods become ready
                    before = self._version
                    self._roll(key)
                    if self._version == before:
                        break
            for key, one in self.objects.items():
                if key[0] == "horizontalpodautoscalers":
                    self._autoscale(one)

    def _roll(self, key: Key) -> None:
        deployment = self.objects[key]
        sets = self._owned("replicasets", deployment)
        newest = self._set_of(deployment, sets)
        number = newest["metadata"]["annotations"][REVISION]
        noted = deployment["metadata"].setdefault("annotations", {})
        if noted.get(REVISION) != number:
            noted[REVISION] = number
            self._touch(deployment)
        older = [one for one in sets if one is not newest]
        wanted = deployment["spec"]["replicas"]
        had_pods = any(self._owned("pods", one) for one in older)
        ready = sum(_is_ready(pod) for pod in self._owned("pods", newest))
        self._scale(newest, min(wanted, ready + 1) if had_pods else wanted)
        ready = sum(_is_ready(pod) for pod in self._owned("pods", newest))
        left = max(0, wanted - ready)
        for one in older:
            keep = min(left, len(self._owned("pods", one)))
            self._scale(one, keep)
            left -= keep
        self._tell(deployment, newest)

    def _set_of(self, deployment: Object, sets: list[Object]) -> Object:
        template = deployment["spec"]["template"]
        digest = hashlib.sha256(json.dumps(template, sort_keys=True).encode()).hexdigest()[:9]
        top = max((int(one["metadata"]["annotations"][REVISION]) for one in sets), default=0)
        found = next((one for one in sets if one["metadata"]["labels"][HASH] == digest), None)
        if found is not None:
            if int(found["metadata"]["annotations"][REVISION]) < top:
                found["metadata"]["annotations"][REVISION] = str(top + 1)
                self._touch(found)
            return found
        meta = deployment["metadata"]
        made_of = copy.deepcopy(template)
        made_of["metadata"].setdefault("labels", {})[HASH] = digest
        made = {
            "apiVersion": "apps/v1",
            "kind": "ReplicaSet",
            "metadata": {
                "name": f"{meta['name']}-{digest}",
                "namespace": meta["namespace"],
                "labels": {**template["metadata"]["labels"], HASH: digest},
                "annotations": {REVISION: str(top + 1)},
                "ownerReferences": [_owner(deployment)],
            },
            "spec": {
                "replicas": 0,
                "selector": {"matchLabels": {**template["metadata"]["labels"], HASH: digest}},
                "template": made_of,
            },
        }
        key = ("replicasets", meta["namespace"], made["metadata"]["name"])
        self._store(key, made)
        return self.objects[key]

    def _scale(self, replica_set: Object, count: int) -> None:
        if replica_set["spec"]["replicas"] != count:
            replica_set["spec"]["replicas"] = count
            self._touch(replica_set)
        pods = self._owned("pods", replica_set)
        for pod in pods[count:]:
            del self.objects[("pods", pod["metadata"]["namespace"], pod["metadata"]["name"])]
            self._version += 1
        for _ in range(count - len(pods)):
            self._pod(replica_set)
        for pod in self._owned("pods", replica_set):
            status = self._fares(pod)
            if pod.get("status") != status:
                pod["status"] = status
                self._touch(pod)

    def _pod(self, replica_set: Object) -> None:
        meta = replica_set["metadata"]
        self._names += 1
        name = f"{meta['name']}-{self._names:05d}"
        made = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": name,
                "namespace": meta["namespace"],
                "labels": dict(replica_set["spec"]["template"]["metadata"]["labels"]),
                "ownerReferences": [_owner(replica_set)],
            },
            "spec": copy.deepcopy(replica_set["spec"]["template"]["spec"]),
        }
        self._store(("pods", meta["namespace"], name), made)

    def _fares(self, pod: Object) -> Object:
        (container,) = pod["spec"]["containers"]
        fate = self.sick.get(pod["metadata"]["name"]) or container["image"].partition(":")[2]
        limit = container.get("resources", {}).get("limits", {}).get("memory", "0")
        if fate.startswith("eats-"):
            fate = "oom" if _mebibytes(limit) < int(fate.removeprefix("eats-")) else "good"
        state, last, ready = _states(fate)
        told = {
            "name": container["name"],
            "image": container["image"],
            "imageID": "",
            "ready": ready,
            "restartCount": 7 if last else 0,
            "state": state,
            "lastState": last,
        }
        phase = "Running" if ready or last else "Pending"
        truth = "True" if ready else "False"
        return {
            "phase": phase,
            "conditions": _conditions({"Ready": truth}),
            "containerStatuses": [told],
        }

    def _tell(self, deployment: Object, newest: Object) -> None:
        pods = [
            pod
            for one in self._owned("replicasets", deployment)
            for pod in self._owned("pods", one)
        ]
        updated = self._owned("pods", newest)
        ready = sum(map(_is_ready, pods))
        late = sum(map(_is_ready, updated)) < deployment["spec"]["replicas"]
        stuck = late and self.deadline_passed
        reason = "ProgressDeadlineExceeded" if stuck else "NewReplicaSetAvailable"
        conditions = _conditions({"Progressing": "False" if stuck else "True"})
        conditions[0]["reason"] = reason
        status = {
            "observedGeneration": deployment["metadata"]["generation"],
            "replicas": len(pods),
            "updatedReplicas": len(updated),
            "readyReplicas": ready,
            "availableReplicas": ready,
            "conditions": conditions,
        }
        if deployment.get("status") != status:
            deployment["status"] = status
            self._touch(deployment)

    def _autoscale(self, one: Object) -> None:
        desired = int(self.sick[f"hpa/{one['metadata']['name']}"])
        most = one["spec"]["maxReplicas"]
        limited = desired > most
        conditions = _conditions({"ScalingLimited": "True" if limited else "False"})
        conditions[0]["reason"] = "TooManyReplicas" if limited else "DesiredWithinRange"
        count = min(desired, most)
        one["status"] = {
            "currentReplicas": count,
            "desiredReplicas": count,
            "currentMetrics": None,
            "conditions": conditions,
        }

    def _owned(self, resource: str, by: Object) -> list[Object]:
        uid = by["metadata"]["uid"]
        return [
            one
            for (known, _, _), one in sorted(self.objects.items())
            if known == resource
            and any(ref["uid"] == uid for ref in one["metadata"].get("ownerReferences", ()))
        ]

    def _store(self, key: Key, made: Object) -> None:
        old = self.objects.get(key)
        meta = made["metadata"]
        meta.setdefault("uid", str(uuid.uuid4()))
        meta.setdefault("creationTimestamp", _now())
        meta.setdefault("labels", {})
        changed = old is None or old.get("spec") != made.get("spec")
        meta["generation"] = (0 if old is None else old["metadata"]["generation"]) + changed
        self.objects[key] = made
        self._touch(made)

    def _touch(self, one: Object) -> None:
        self._version += 1
        one["metadata"]["resourceVersion"] = str(self._version)


def _states(fate: str) -> tuple[Object, Object, bool]:
    def ended(code: int, reason: str) -> Object:
        return {
            "terminated": {
                "exitCode": code,
                "reason": reason,
                "startedAt": _now(),
                "finishedAt": _now(),
            }
        }

    def waiting(reason: str) -> Object:
        return {"waiting": {"reason": reason, "message": "told by the test's cluster"}}

    match fate:
        case "crash":
            return waiting("CrashLoopBackOff"), ended(1, "Error"), False
        case "oom":
            return waiting("CrashLoopBackOff"), ended(137, "OOMKilled"), False
        case "missing":
            return waiting("ImagePullBackOff"), {}, False
        case "no-config":
            return waiting("CreateContainerConfigError"), {}, False
        case "slow":
            return {"running": {"startedAt": "2026-01-01T00:00:00Z"}}, {}, False
        case _:
            return {"running": {"startedAt": "2026-01-01T00:00:00Z"}}, {}, True


def _valid(resource: str, wanted: Object) -> None:
    spec = wanted.get("spec", {})
    if resource == "deployments":
        if not isinstance(spec.get("replicas"), int) or spec["replicas"] < 0:
            raise Failure(422, "Invalid", "spec.replicas: must be greater than or equal to 0")
        labels = spec["template"]["metadata"].get("labels", {})
        if not spec["selector"]["matchLabels"].items() <= labels.items():
            raise Failure(422, "Invalid", "`selector` does not match template `labels`")
        if not spec["template"]["spec"].get("containers"):
            raise Failure(422, "Invalid", "spec.template.spec.containers: Required value")
    if resource == "horizontalpodautoscalers" and spec["maxReplicas"] < spec.get("minReplicas", 1):
        raise Failure(422, "Invalid", "spec.maxReplicas: must be greater than minReplicas")


def _is_ready(pod: Object) -> bool:
    return bool(pod.get("status", {}).get("containerStatuses", [{}])[0].get("ready"))


def _owner(one: Object) -> Object:
    return {
        "apiVersion": one["apiVersion"],
        "kind": one["kind"],
        "name": one["metadata"]["name"],
        "uid": one["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def _conditions(states: Mapping[str, str]) -> list[Object]:
    return [{"type": name, "status": status, "reason": ""} for name, status in states.items()]


def _mebibytes(quantity: str) -> float:
    return float(quantity[:-2]) if quantity.endswith("Mi") else float(quantity) / 2**20


def _selected(selector: str, labels: Mapping[str, str]) -> bool:
    terms = [term for term in selector.split(",") if term]
    return all(labels.get(term.partition("=")[0]) == term.rpartition("=")[2] for term in terms)


def _now() -> str:
    # To the hour: a status that is made anew does not differ from the one before.
    return dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:00Z")
