"""A cluster in memory for tests: objects with versions, and the controllers that playbooks rely on.

Shapes and rules follow the published API of Kubernetes (apps/v1, v1, autoscaling/v2): versions and
generations, conflicts, preconditions, a rolling update that keeps what is ready until something
else is, a set for each template, a new pod for each that is deleted; what is owned goes with its
owner, pods are on nodes that take any once there is a node, and a namespace is there once something
is in it. How a container fares is told by its image, command and memory limit, so that a test makes
a fault as people do: by a bad template.

    IMAGE:crash      ends with status 1, over and over       IMAGE:missing   cannot be pulled
    IMAGE:no-config  refers to a ConfigMap that is not there IMAGE:slow      never becomes ready
    IMAGE:eats-NNN   is killed below a memory limit of NNN Mi; with the command `false`: as `crash`
"""

import copy
import hashlib
import json
import threading
import uuid
from collections.abc import Mapping
from typing import Any

from tests.servers import kubernetes_fates as fates

Object = dict[str, Any]
Key = tuple[str, str, str]  # resource, namespace, name
RESOURCES = {
    "Deployment": "deployments",
    "HorizontalPodAutoscaler": "horizontalpodautoscalers",
    "Namespace": "namespaces",
    "Node": "nodes",
    "Pod": "pods",
    "ReplicaSet": "replicasets",
}
HASH, REVISION = "pod-template-hash", "deployment.kubernetes.io/revision"


class Cluster:
    def __init__(self) -> None:
        self.objects: dict[Key, Object] = {}
        self.lock = threading.RLock()
        self.sick: dict[str, str] = {}  # pod -> status that its own state, not its template, gives
        self.deadline_passed = True  # whether a rollout that does not get ready counts as stuck
        self.changed = threading.Condition(self.lock)
        self.changes: list[tuple[int, str, Object]] = []  # version, kind of a watch, object then
        self.version = 100
        self._names = 0

    # -- requests ------------------------------------------------------------------------------

    def get(self, key: Key) -> Object:
        with self.lock:
            if key not in self.objects:
                raise fates.Failure(404, "NotFound", f'{key[0]} "{key[2]}" not found')
            return copy.deepcopy(self.objects[key])

    def each(
        self, resource: str, namespace: str, labels: str = "", fields: str = ""
    ) -> list[Object]:
        with self.lock:
            return [
                copy.deepcopy(one)
                for (known, within, _), one in sorted(self.objects.items())
                if known == resource
                and namespace in {"", within}
                and fates.selected(labels, one["metadata"].get("labels", {}))
                and fates.selected(fields, fates.fields_of(one, fields))
            ]

    def create(self, resource: str, namespace: str, made: Object) -> Object:
        with self.lock:
            key = (resource, namespace, made["metadata"]["name"])
            if key in self.objects:
                raise fates.Failure(409, "AlreadyExists", f'{resource} "{key[2]}" already exists')
            self._store(key, made)
            self.reconcile()
            return self.get(key)

    def update(self, key: Key, wanted: Object, *, dry_run: bool = False) -> Object:
        with self.lock:
            old, new = self.get(key), copy.deepcopy(wanted)
            given = new["metadata"].get("resourceVersion")
            if given not in {None, "", old["metadata"]["resourceVersion"]}:
                raise fates.Failure(
                    *(409, "Conflict"),
                    f'Operation cannot be fulfilled on {key[0]} "{key[2]}": the object has been '
                    "modified; please apply your changes to the latest version and try again",
                )
            for fixed in ("uid", "name", "namespace", "creationTimestamp"):
                if new["metadata"].get(fixed) != old["metadata"].get(fixed):
                    raise fates.Failure(422, "Invalid", f"metadata.{fixed}: field is immutable")
            fates.valid(key[0], new)
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
                    raise fates.Failure(
                        409, "Conflict", f"Precondition failed: {name} in precondition"
                    )
            if not dry_run:
                self._remove(key)
                self.reconcile()
            return old

    def since(self, version: int, wait_s: float) -> list[tuple[int, str, Object]]:
        """Return what changed after a version, waiting for it at most so long."""
        with self.changed:
            self.changed.wait_for(lambda: self.version > version, wait_s)
            return [one for one in self.changes if one[0] > version]

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
        self.report("nodes", "", name, conditions=fates.conditions({**written, **conditions}))

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
            self._collect()
            for key in [key for key in sorted(self.objects) if key[0] == "deployments"]:
                for _ in range(24):  # a rolling update goes on while pods become ready
                    before = self.version
                    self._roll(key)
                    if self.version == before:
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
        ready = sum(fates.is_ready(pod) for pod in self._owned("pods", newest))
        self._scale(newest, min(wanted, ready + 1) if had_pods else wanted)
        ready = sum(fates.is_ready(pod) for pod in self._owned("pods", newest))
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
                "ownerReferences": [fates.owner(deployment)],
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
            self._remove(_key(pod))
        for _ in range(count - len(pods)):
            self._pod(replica_set)
        for pod in self._owned("pods", replica_set):
            self._schedule(pod)
            status = self._fares(pod)
            self._set_status(pod, status)
        ready = sum(map(fates.is_ready, self._owned("pods", replica_set)))
        told = {"replicas": count, "readyReplicas": ready, "availableReplicas": ready}
        self._set_status(replica_set, told)

    def _set_status(self, one: Object, status: Object) -> None:
        if one.get("status") != status:
            one["status"] = status
            self._touch(one)

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
                "ownerReferences": [fates.owner(replica_set)],
            },
            "spec": copy.deepcopy(replica_set["spec"]["template"]["spec"]),
        }
        self._store(("pods", meta["namespace"], name), made)

    def _schedule(self, pod: Object) -> None:
        """Put it on the node that has fewest, of those that take any."""
        fit = {
            one["metadata"]["name"]: 0
            for one in self.each("nodes", "")
            if not one["spec"].get("unschedulable")
        }
        if not fit or pod["spec"].get("nodeName"):
            return
        for one in self.each("pods", ""):
            if (there := one["spec"].get("nodeName")) in fit:
                fit[there] += 1
        pod["spec"]["nodeName"] = min(sorted(fit), key=lambda name: fit[name])
        self._touch(pod)

    def _fares(self, pod: Object) -> Object:
        (container,) = pod["spec"]["containers"]
        if not pod["spec"].get("nodeName") and self.each("nodes", ""):
            waits = {**fates.conditions({"PodScheduled": "False"})[0], "reason": "Unschedulable"}
            return {"phase": "Pending", "conditions": [waits]}
        fate = self.sick.get(pod["metadata"]["name"]) or fates.of_container(container)
        limit = container.get("resources", {}).get("limits", {}).get("memory", "0")
        if fate.startswith("eats-"):
            fate = "oom" if fates.mebibytes(limit) < int(fate.removeprefix("eats-")) else "good"
        state, last, ready = fates.states(fate)
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
            "conditions": fates.conditions({"Ready": truth}),
            "containerStatuses": [told],
        }

    def _tell(self, deployment: Object, newest: Object) -> None:
        pods = [
            pod
            for one in self._owned("replicasets", deployment)
            for pod in self._owned("pods", one)
        ]
        updated = self._owned("pods", newest)
        ready = sum(map(fates.is_ready, pods))
        late = sum(map(fates.is_ready, updated)) < deployment["spec"]["replicas"]
        stuck = late and self.deadline_passed
        reason = "ProgressDeadlineExceeded" if stuck else "NewReplicaSetAvailable"
        conditions = fates.conditions({"Progressing": "False" if stuck else "True"})
        conditions[0]["reason"] = reason
        status = {
            "observedGeneration": deployment["metadata"]["generation"],
            "replicas": len(pods),
            "updatedReplicas": len(updated),
            "readyReplicas": ready,
            "availableReplicas": ready,
            "conditions": conditions,
        }
        self._set_status(deployment, status)

    def _autoscale(self, one: Object) -> None:
        most = one["spec"]["maxReplicas"]
        desired = int(self.sick.get(f"hpa/{one['metadata']['name']}", most))
        limited = desired > most
        conditions = fates.conditions({"ScalingLimited": "True" if limited else "False"})
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

    def _collect(self) -> None:
        """Remove what is left of owners that are gone."""
        while True:
            known = {one["metadata"]["uid"] for one in self.objects.values()}
            left = [
                key
                for key, one in self.objects.items()
                if any(
                    ref["uid"] not in known for ref in one["metadata"].get("ownerReferences", ())
                )
            ]
            for key in left:
                self._remove(key)
            if not left:
                return

    def _store(self, key: Key, made: Object) -> None:
        if key[1] and ("namespaces", "", key[1]) not in self.objects:
            there = {"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": key[1]}}
            self._store(("namespaces", "", key[1]), there)
        old = self.objects.get(key)
        meta = made["metadata"]
        meta.setdefault("uid", str(uuid.uuid4()))
        meta.setdefault("creationTimestamp", fates.now())
        meta.setdefault("labels", {})
        changed = old is None or old.get("spec") != made.get("spec")
        meta["generation"] = (0 if old is None else old["metadata"]["generation"]) + changed
        self.objects[key] = made
        self._touch(made, "ADDED" if old is None else "MODIFIED")

    def _remove(self, key: Key) -> None:
        self._touch(self.objects.pop(key), "DELETED")

    def _touch(self, one: Object, how: str = "MODIFIED") -> None:
        self.version += 1
        one["metadata"]["resourceVersion"] = str(self.version)
        self.changes.append((self.version, how, copy.deepcopy(one)))
        self.changed.notify_all()


def _key(one: Object) -> Key:
    meta = one["metadata"]
    return (RESOURCES[one["kind"]], meta.get("namespace", ""), meta["name"])
