"""One cluster as a target of a relay: measure, look, rehearse, act, put back.

Called by agent.relays; the part of ports.remote_objects.RemoteObjects for one target.
"""

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from sentienguard.adapters.kubernetes import api, edits, reading
from sentienguard.playbook import objects
from sentienguard.ports import facts, remote_objects

MEASURE_S: Final = 10.0  # to measure one fact, a list of pods included
TRIES: Final = 4  # of a patch: a controller that writes a status meanwhile makes it a new version


class Cluster:
    """A cluster, and what its owner lets us act on."""

    def __init__(
        self, credentials: api.Credentials, namespaces: frozenset[str], *, nodes: bool
    ) -> None:
        """Take where it is, which namespaces may be acted on, and whether nodes may."""
        self._api = api.Api(credentials)
        self._namespaces = namespaces
        self._nodes = nodes

    def allow(self, name: objects.Name) -> None:
        """Check that the owner lets us act there. Raises UnknownObject."""
        if name.kind == "node":
            if not self._nodes:
                raise remote_objects.UnknownObject(
                    f"{name}: the owner of this relay let it act on no node (`nodes`)"
                )
        elif name.parts[0] not in self._namespaces:
            raise remote_objects.UnknownObject(
                f"{name}: the owner of this relay let it act in "
                f"{', '.join(sorted(self._namespaces)) or 'no namespace'} only"
            )

    def measure(self, name: objects.Name, fact: str) -> facts.Fact:
        """Measure one fact; see the port."""
        try:
            with _understood(str(name)):
                return self._measured(name, fact)
        except api.Gone:
            gone: dict[str, facts.Fact] = {
                "workload_status": "missing",
                "node_status": "missing",
                "autoscaler_max": 0,
            }
            if fact in gone:
                return gone[fact]
            raise

    def look(
        self, asked: remote_objects.Asked, effort: remote_objects.Effort
    ) -> remote_objects.Seen:
        """Return the uid with the edits to make, or the pods to delete; see the port."""
        with _understood(asked.object):
            return self._looked(asked, effort)

    def _measured(self, name: objects.Name, fact: str) -> facts.Fact:
        match name.kind:
            case "deployment":
                return _of_workload(self._workload(name, MEASURE_S), fact)
            case "node":
                return self._of_node(name, fact)
            case _:
                return _of_autoscaler(self._api.get(_path(name), MEASURE_S)[0], fact)

    def _looked(
        self, asked: remote_objects.Asked, effort: remote_objects.Effort
    ) -> remote_objects.Seen:
        name = objects.read(asked.object)
        if name.kind == "deployment":
            found = self._workload(name, effort.limit_s)
            uid = reading.at(found.deployment, "metadata", "uid")
            if asked.step == "kubectl_delete":
                return {"uid": uid, "pods": _chosen(asked, found)}
            return {"uid": uid, "edits": edits.of_workload(asked, found)}
        found_one, _ = self._api.get(_path(name), effort.limit_s)
        of = edits.of_node if name.kind == "node" else edits.of_autoscaler
        return {
            "uid": reading.at(found_one, "metadata", "uid"),
            "edits": of(asked, found_one),
        }

    def rehearse(self, asked: remote_objects.Asked, effort: remote_objects.Effort) -> str:
        """Let the server judge the same request as a dry run; see the port."""
        done = self._perform(asked, self.look(asked, effort), effort, dry_run=True)
        return f"the cluster would take it: {done.detail}"

    def act(
        self,
        asked: remote_objects.Asked,
        seen: remote_objects.Seen,
        effort: remote_objects.Effort,
    ) -> remote_objects.Acted:
        """Do it; see the port."""
        return self._perform(asked, seen, effort, dry_run=False)

    def restore(
        self,
        asked: remote_objects.Asked,
        seen: remote_objects.Seen,
        effort: remote_objects.Effort,
    ) -> remote_objects.Acted:
        """Put the fields back; see the port."""
        with _understood(asked.object):
            return self._edit(asked, seen, effort, dry_run=False, undo=True)

    def _perform(
        self,
        asked: remote_objects.Asked,
        seen: remote_objects.Seen,
        effort: remote_objects.Effort,
        *,
        dry_run: bool,
    ) -> remote_objects.Acted:
        with _understood(asked.object):
            if asked.step == "kubectl_delete":
                return self._delete(asked, seen, effort, dry_run=dry_run)
            return self._edit(asked, seen, effort, dry_run=dry_run, undo=False)

    def _edit(
        self,
        asked: remote_objects.Asked,
        seen: remote_objects.Seen,
        effort: remote_objects.Effort,
        *,
        dry_run: bool,
        undo: bool,
    ) -> remote_objects.Acted:
        name = objects.read(asked.object)
        until = time.monotonic() + effort.limit_s
        to_make: list[edits.Edit] = []
        for left in reversed(range(TRIES)):
            found, _ = self._api.get(_path(name), until - time.monotonic())
            _same(asked, found, seen)
            to_make = edits.pending(found, seen["edits"], undo=undo)
            if not to_make:
                return remote_objects.Acted(f"{asked.object} is so already", changed=False)
            try:
                self._api.patch(
                    _path(name),
                    edits.patch(found, to_make),
                    until - time.monotonic(),
                    dry_run=dry_run,
                )
            except remote_objects.Changed:
                if not left or time.monotonic() >= until:
                    raise
                continue  # another version by now; whether it is our field tells the next look
            break
        changed = ", ".join(".".join(edit["path"]) for edit in to_make)
        return remote_objects.Acted(f"{changed} of {asked.object} {'put back' if undo else 'set'}")

    def _delete(
        self,
        asked: remote_objects.Asked,
        seen: remote_objects.Seen,
        effort: remote_objects.Effort,
        *,
        dry_run: bool,
    ) -> remote_objects.Acted:
        name = objects.read(asked.object)
        until = time.monotonic() + effort.limit_s
        deleted = []
        for pod in seen["pods"]:
            path = f"/api/v1/namespaces/{name.parts[0]}/pods/{pod['name']}"
            try:
                found, now = self._api.get(path, until - time.monotonic())
                same = reading.at(found, "metadata", "uid") == pod["uid"]
                if not same or reading.pod_status(found, now) != asked.arguments["status"]:
                    continue  # another one of that name, or it got well by itself
                version = str(reading.at(found, "metadata", "resourceVersion"))
                only = {"uid": pod["uid"], "resourceVersion": version}
                self._api.delete(path, only, until - time.monotonic(), dry_run=dry_run)
            except (api.Gone, remote_objects.Changed):
                continue  # it moved on between our look and our request
            deleted.append(pod["name"])
        if not deleted:
            return remote_objects.Acted(
                f"no pod of {asked.object} is in {asked.arguments['status']} any more",
                changed=False,
            )
        return remote_objects.Acted(f"deleted {', '.join(deleted)}")

    def _workload(self, name: objects.Name, limit: float) -> reading.Workload:
        until = time.monotonic() + limit
        deployment, now = self._api.get(_path(name), limit)
        chosen = reading.selector(deployment)
        uid = reading.at(deployment, "metadata", "uid")
        sets = tuple(
            one
            for one in self._api.each(
                f"/apis/apps/v1/namespaces/{name.parts[0]}/replicasets",
                chosen,
                until - time.monotonic(),
            )
            if reading.owner(one) == uid
        )
        owners = {reading.at(one, "metadata", "uid") for one in sets}
        pods = tuple(
            one
            for one in self._api.each(
                f"/api/v1/namespaces/{name.parts[0]}/pods", chosen, until - time.monotonic()
            )
            if reading.owner(one) in owners
            and reading.at(one, "metadata", "deletionTimestamp") is None
        )
        return reading.Workload(deployment, sets, pods, now)

    def _of_node(self, name: objects.Name, fact: str) -> facts.Fact:
        node, _ = self._api.get(_path(name), MEASURE_S)
        match fact:
            case "node_status":
                return reading.node_status(node)
            case "node_schedulable":
                return reading.schedulable(node)
            case "nodes_elsewhere":
                return sum(
                    reading.node_status(one) == "ready" and reading.schedulable(one)
                    for one in self._api.each("/api/v1/nodes", "", MEASURE_S)
                    if reading.at(one, "metadata", "uid") != reading.at(node, "metadata", "uid")
                )
            case _:
                raise facts.UnknownFact(f"{fact} is not measured of a node")


@contextlib.contextmanager
def _understood(name: str) -> Iterator[None]:
    """Raise Unreachable for an answer that is of another shape than Kubernetes publishes."""
    try:
        yield
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise remote_objects.Unreachable(
            f"{name}: expected what Kubernetes publishes of it, got another shape: {error!r}"
        ) from error


def _path(name: objects.Name) -> str:
    """Build an address of the closed set; each part was matched whole by `objects.read`."""
    match name.kind:
        case "deployment":
            return f"/apis/apps/v1/namespaces/{name.parts[0]}/deployments/{name.parts[1]}"
        case "node":
            return f"/api/v1/nodes/{name.parts[0]}"
        case "autoscaler":
            namespace, own = name.parts
            return f"/apis/autoscaling/v2/namespaces/{namespace}/horizontalpodautoscalers/{own}"
        case _:
            raise remote_objects.UnknownObject(f"{name} is nothing that a cluster has")


def _same(asked: remote_objects.Asked, found: dict[str, Any], seen: remote_objects.Seen) -> None:
    if reading.at(found, "metadata", "uid") != seen["uid"]:
        raise remote_objects.Changed(f"{asked.object} was deleted and made anew meanwhile")


def _chosen(asked: remote_objects.Asked, found: reading.Workload) -> list[dict[str, str]]:
    failing = found.failing(str(asked.arguments["status"]))
    at_most = int(asked.arguments["at_most"])
    if len(failing) > at_most:
        raise remote_objects.Refused(
            f"{len(failing)} pods of {asked.object} are in {asked.arguments['status']}, and at "
            f"most {at_most} may be deleted: what so many share is not mended by deleting them"
        )
    return [
        {
            "name": str(reading.at(pod, "metadata", "name")),
            "uid": str(reading.at(pod, "metadata", "uid")),
        }
        for pod in failing
    ]


_WORKLOAD: Final[Mapping[str, Callable[[reading.Workload], facts.Fact]]] = {
    "workload_status": reading.Workload.status,
    "workload_replicas": lambda found: found.wanted,
    "workload_ready": reading.Workload.ready,
    "workload_failing": lambda found: len(found.failing()),
    "workload_shared_cause": reading.Workload.shared_cause,
    "workload_earlier_revision": lambda found: found.earlier is not None,
    "workload_memory_limit": reading.Workload.memory_limit,
}


def _of_workload(found: reading.Workload, fact: str) -> facts.Fact:
    if fact not in _WORKLOAD:
        raise facts.UnknownFact(f"{fact} is not measured of a deployment")
    return _WORKLOAD[fact](found)


def _of_autoscaler(found: dict[str, Any], fact: str) -> facts.Fact:
    match fact:
        case "autoscaler_at_max":
            return reading.at_max(found)
        case "autoscaler_max":
            return int(reading.at(found, "spec", "maxReplicas") or 0)
        case _:
            raise facts.UnknownFact(f"{fact} is not measured of an autoscaler")
