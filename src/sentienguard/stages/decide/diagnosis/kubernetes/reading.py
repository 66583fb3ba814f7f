"""Make a `Cluster` of a snapshot: who made which pod, who selects whom, who needs whom.

Objects that events speak of and that are not there any more are gone with their events: what was
wrong with a pod that was replaced does not explain a symptom of now.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from sentienguard.model import diagnosis
from sentienguard.stages.decide.diagnosis.kubernetes import addresses, containers, objects, plain

_WORKLOADS: Final = ("Deployment", "StatefulSet", "DaemonSet")
_ATTEMPT: Final = re.compile(r"on ([\w.-]+): (.*)")
_WORKED: Final = re.compile(r"\bopen\b|succeeded|connected", re.IGNORECASE)
_FAILED: Final = re.compile(
    r"failed|refused|timed out|timeout|no such host|bad address", re.IGNORECASE
)
_ACTIVE: Final = re.compile(r"Active:\s*(\w+)")
_NOT_RUNNING: Final = frozenset({"inactive", "failed", "deactivating", "dead"})


def cluster(snapshot: diagnosis.Snapshot) -> objects.Cluster:
    """Read the cluster of a snapshot, an empty one if it has none."""
    state = snapshot.kubernetes or diagnosis.KubernetesState(namespace="", objects={})
    live = {kind: state.objects[kind] for kind in sorted(state.objects) if kind != "Manifest"}
    manifests = tuple(
        sorted(
            state.objects.get("Manifest", ()), key=lambda one: (plain.text(one, "kind"), _name(one))
        )
    )
    events = _events(state.events)
    configs = _configs(live, manifests)
    workloads = _workloads(live, manifests, events)
    services = _services(live, workloads, state.outputs)
    secrets = {
        _name(one): plain.mapping(one, "stringData")
        for one in manifests
        if plain.text(one, "kind") == "Secret"
    }
    calls = {
        name: tuple(addresses.find(_values(one, configs, secrets)))
        for name, one in workloads.items()
    }
    return objects.Cluster(
        namespace=state.namespace,
        workloads=workloads,
        services=services,
        nodes=_nodes(live.get("Node", ()), state.outputs),
        claims={one.name: one for one in map(_claim, _by_name(live, "PersistentVolumeClaim"))} | {},
        volumes={one.name: one for one in map(_volume, _by_name(live, "PersistentVolume"))},
        quotas=tuple(map(_quota, _by_name(live, "ResourceQuota"))),
        names={kind: frozenset(map(_name, live[kind])) for kind in live},
        manifests=manifests,
        policies=_by_name(live, "NetworkPolicy"),
        configs=configs,
        calls=calls,
        needs=_needs(snapshot, workloads, services, calls),
    )


def _name(thing: diagnosis.PlainObject) -> str:
    return plain.text(thing, "metadata", "name")


def _by_name(
    live: Mapping[str, Sequence[diagnosis.PlainObject]], kind: str
) -> tuple[diagnosis.PlainObject, ...]:
    return tuple(sorted(live.get(kind, ()), key=_name))


def _events(found: Iterable[diagnosis.PlainObject]) -> dict[tuple[str, str], list[objects.Event]]:
    events: dict[tuple[str, str], list[objects.Event]] = {}
    for one in found:
        kind = plain.text(one, "involvedObject", "kind")
        name = plain.text(one, "involvedObject", "name")
        events.setdefault((kind, name), []).append(
            objects.Event(
                kind=kind,
                name=name,
                reason=plain.text(one, "reason"),
                message=plain.text(one, "message"),
                is_warning=plain.text(one, "type") == "Warning",
                count=plain.whole(one, "count") or 1,
            )
        )
    for heard in events.values():
        heard.sort(key=lambda event: (event.reason, event.message, event.count))
    return events


def _configs(
    live: Mapping[str, Sequence[diagnosis.PlainObject]],
    manifests: Sequence[diagnosis.PlainObject],
) -> dict[str, dict[str, str]]:
    configs: dict[str, dict[str, str]] = {}
    for one in (*(m for m in manifests if plain.text(m, "kind") == "ConfigMap"),):
        configs[_name(one)] = plain.mapping(one, "data")
    for one in _by_name(live, "ConfigMap"):
        known = {key: text for key, text in plain.mapping(one, "data").items() if text}
        configs[_name(one)] = {**configs.get(_name(one), {}), **known}
    return configs


def _workloads(
    live: Mapping[str, Sequence[diagnosis.PlainObject]],
    manifests: Sequence[diagnosis.PlainObject],
    events: Mapping[tuple[str, str], list[objects.Event]],
) -> dict[str, objects.Workload]:
    makers = {
        _name(one): plain.text(_owner(one), "name") or _name(one)
        for one in _by_name(live, "ReplicaSet")
    }
    declared = {
        (plain.text(one, "kind"), _name(one)): containers.template(
            plain.at(one, "spec", "template")
        )
        for one in manifests
    }
    known = sorted(
        (_name(one) for kind in _WORKLOADS for one in live.get(kind, ())), key=len, reverse=True
    )
    pods: dict[str, list[objects.Pod]] = {}
    for one in _by_name(live, "Pod"):
        owner = _owner(one)
        maker = plain.text(owner, "name")
        workload = makers.get(maker, maker) if plain.text(owner, "kind") != "Job" else ""
        if not owner:
            workload = next((name for name in known if _made(_name(one), name)), "")
        kind = "Deployment" if maker in makers else plain.text(owner, "kind")
        template = containers.complete(containers.of_pod(one), declared.get((kind, workload)))
        heard = events.get(("Pod", _name(one)), [])
        pods.setdefault(workload, []).append(_pod(one, workload, template, heard))
    found = {}
    for kind in _WORKLOADS:
        for one in _by_name(live, kind):
            name = _name(one)
            makings = [maker for maker, of in makers.items() if of == name]
            heard = [*events.get((kind, name), [])]
            if "ReplicaSet" not in live:
                makings = [of for what, of in events if what == "ReplicaSet" and _made(of, name)]
            for maker in sorted(makings):
                if _is_current(live, maker):
                    heard += events.get(("ReplicaSet", maker), [])
            wanted = plain.whole(one, "spec", "replicas")
            template = containers.template(plain.at(one, "spec", "template"))
            found[name] = objects.Workload(
                name=name,
                kind=kind,
                labels=plain.mapping(one, "metadata", "labels"),
                wanted=wanted,
                template=containers.complete(template, declared.get((kind, name))),
                pods=tuple(pods.get(name, ())),
                events=tuple(heard),
                available=plain.whole(one, "status", "availableReplicas"),
            )
    return dict(sorted(found.items()))


def _owner(thing: diagnosis.PlainObject) -> diagnosis.PlainObject:
    return next(iter(plain.each(thing, "metadata", "ownerReferences")), plain.NOTHING)


def _is_current(live: Mapping[str, Sequence[diagnosis.PlainObject]], maker: str) -> bool:
    """Tell whether a replica set still is to have pods; what an old one met is history."""
    for one in live.get("ReplicaSet", ()):
        if _name(one) == maker:
            return plain.whole(one, "spec", "replicas") != 0
    return "ReplicaSet" not in live


def _made(name: str, maker: str) -> bool:
    """Tell by its name whether a workload made something, where its owner is not recorded."""
    return name.startswith(f"{maker}-") and name.removeprefix(f"{maker}-").count("-") <= 2  # noqa: PLR2004


def _pod(
    one: diagnosis.PlainObject,
    workload: str,
    template: objects.Template,
    heard: Sequence[objects.Event],
) -> objects.Pod:
    conditions = {
        plain.text(condition, "type"): plain.text(condition, "status")
        for condition in plain.each(one, "status", "conditions")
    }
    return objects.Pod(
        name=_name(one),
        workload=workload,
        template=template,
        node=plain.text(one, "spec", "nodeName"),
        phase=plain.text(one, "status", "phase"),
        is_ready=conditions.get("Ready") == "True",
        events=tuple(heard),
    )


def _services(
    live: Mapping[str, Sequence[diagnosis.PlainObject]],
    workloads: Mapping[str, objects.Workload],
    outputs: Mapping[str, str],
) -> dict[str, objects.Service]:
    filled = {
        _name(one): any(plain.has(part, "addresses") for part in plain.each(one, "subsets"))
        for one in _by_name(live, "Endpoints")
    }
    for one in _by_name(live, "EndpointSlice"):
        name = plain.text(one, "metadata", "labels", "kubernetes.io/service-name")
        filled[name] = filled.get(name, False) or plain.has(one, "endpoints")
    found = {}
    for one in _by_name(live, "Service"):
        name = _name(one)
        labels = plain.mapping(one, "metadata", "labels")
        selector = plain.mapping(one, "spec", "selector")
        selected = tuple(other.name for other in workloads.values() if _takes(selector, other))
        tried = [
            attempt
            for asked in sorted(outputs)
            if asked.startswith(f"connect {name}:")
            for attempt in _attempts(outputs[asked])
        ]
        found[name] = objects.Service(
            name=name,
            labels=labels,
            selector=selector,
            ports=tuple(
                objects.Port(
                    number=plain.whole(port, "port") or 0,
                    name=plain.text(port, "name"),
                    protocol=plain.text(port, "protocol") or "TCP",
                    target=plain.text(port, "targetPort"),
                )
                for port in plain.each(one, "spec", "ports")
            ),
            workload=_meant(name, labels, selected, workloads),
            selected=selected,
            has_endpoints=filled.get(name),
            answers=all(worked for _, worked in tried) if tried else None,
            tried=tuple(tried),
        )
    return found


def _takes(selector: Mapping[str, str], workload: objects.Workload) -> bool:
    pods = [pod.template.labels for pod in workload.pods] or [workload.template.labels]
    return any(plain.is_selected(labels, selector) for labels in pods)


def _meant(
    name: str,
    labels: Mapping[str, str],
    selected: Sequence[str],
    workloads: Mapping[str, objects.Workload],
) -> str:
    """Say whose pods a service should reach, also where its selector is wrong."""
    if len(selected) == 1 or (selected and name not in workloads):
        return selected[0]
    if name in workloads:
        return name
    alike = [other.name for other in workloads.values() if plain.is_selected(other.labels, labels)]
    return alike[0] if len(alike) == 1 else ""


def _attempts(output: str) -> list[tuple[str, bool]]:
    by_node = [(node, said) for node, said in _ATTEMPT.findall(output)]
    parts = by_node or [("", output)]
    return [
        (node, bool(_WORKED.search(said)))
        for node, said in parts
        if _WORKED.search(said) or _FAILED.search(said)
    ]


def _nodes(
    found: Iterable[diagnosis.PlainObject], outputs: Mapping[str, str]
) -> dict[str, objects.Node]:
    stopped: dict[str, list[str]] = {}
    for asked in sorted(outputs):
        words = asked.split()
        if words[:1] == ["unit"] and words[2:3] == ["on"]:
            active = _ACTIVE.search(outputs[asked])
            if active and active.group(1) in _NOT_RUNNING:
                stopped.setdefault(words[-1], []).append(words[1])
    return {
        _name(one): objects.Node(
            name=_name(one),
            labels=plain.mapping(one, "metadata", "labels"),
            is_cordoned=plain.true(one, "spec", "unschedulable"),
            taints=plain.each(one, "spec", "taints"),
            conditions={
                plain.text(condition, "type"): plain.text(condition, "status")
                for condition in plain.each(one, "status", "conditions")
            },
            allocatable=plain.mapping(one, "status", "allocatable"),
            stopped=tuple(stopped.get(_name(one), ())),
        )
        for one in sorted(found, key=_name)
    }


def _claim(one: diagnosis.PlainObject) -> objects.Claim:
    declared = plain.at(one, "spec", "storageClassName")
    return objects.Claim(
        name=_name(one),
        phase=plain.text(one, "status", "phase"),
        storage_class=declared if isinstance(declared, str) else None,
        modes=plain.words(one, "spec", "accessModes"),
        size=plain.text(one, "spec", "resources", "requests", "storage"),
        selector=plain.mapping(one, "spec", "selector", "matchLabels"),
        volume=plain.text(one, "spec", "volumeName"),
    )


def _volume(one: diagnosis.PlainObject) -> objects.Volume:
    return objects.Volume(
        name=_name(one),
        labels=plain.mapping(one, "metadata", "labels"),
        phase=plain.text(one, "status", "phase"),
        storage_class=plain.text(one, "spec", "storageClassName"),
        modes=plain.words(one, "spec", "accessModes"),
        size=plain.text(one, "spec", "capacity", "storage"),
        claimed_by=plain.text(one, "spec", "claimRef", "name"),
    )


def _quota(one: diagnosis.PlainObject) -> objects.Quota:
    return objects.Quota(
        name=_name(one),
        hard=plain.mapping(one, "status", "hard") or plain.mapping(one, "spec", "hard"),
        used=plain.mapping(one, "status", "used"),
    )


def _values(
    workload: objects.Workload,
    configs: Mapping[str, Mapping[str, str]],
    secrets: Mapping[str, Mapping[str, str]],
) -> dict[str, str]:
    """Resolve a workload's settings, as far as somebody wrote them down readably."""
    found: dict[str, str] = {}
    for container in workload.template.containers:
        for name, _ in container.configs:
            texts = configs.get(name, {})
            found |= {key: text for key, text in texts.items() if "\n" not in text}
        for name, _ in container.secrets:
            found |= secrets.get(name, {})
        found |= container.env
    return found


def _needs(
    snapshot: diagnosis.Snapshot,
    workloads: Mapping[str, objects.Workload],
    services: Mapping[str, objects.Service],
    calls: Mapping[str, Sequence[addresses.Address]],
) -> dict[str, frozenset[str]]:
    """Say who depends on whom: as observed, and as configured."""
    bare = {
        thing.name: spelling
        for thing in snapshot.objects
        for spelling in (thing.name, *thing.aliases)
        if spelling in workloads
    }
    needs: dict[str, set[str]] = {name: set() for name in workloads}
    for edge in snapshot.edges:
        source, target = bare.get(edge.source), bare.get(edge.target)
        if source and target and edge.kind is not diagnosis.EdgeKind.NODE:
            needs[source].add(target)
    for name, found in calls.items():
        for address in found:
            service = services.get(address.service)
            if service and service.workload:
                needs[name].add(service.workload)
    return {name: frozenset(of - {name}) for name, of in sorted(needs.items())}
