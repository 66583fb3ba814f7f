"""Turn what kubectl printed for people back into objects as the API gives them.

Called by the converters of this package. `describe` is an indented outline, `get events` a table;
nothing of either is a stable format, so whatever is not understood is left out.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from benchmarks.diagnosis_sets import outline

_EVENT = re.compile(
    r"^\s*(Normal|Warning)\s+(\S+)\s+(\S+)(?: \(x(\d+) over \S+\))?\s{2,}(\S+(?:, \S+)?)\s+(.*)$"
)
_LISTED_EVENT = re.compile(
    r"^(\S+)(?: \(x(\d+) over \S+\))?\s+(Normal|Warning)\s+(\S+)\s+([^/\s]+)/(\S+)\s+(.*)$"
)
_PROBE = re.compile(
    r"^(?P<what>.*?)\s+delay=(?P<delay>\d+)s timeout=(?P<timeout>\d+)s period=(?P<period>\d+)s"
    r" #success=\d+ #failure=(?P<failure>\d+)"
)
_KINDS = {
    "pod": "Pod", "replicaset": "ReplicaSet", "deployment": "Deployment", "node": "Node",
    "service": "Service", "persistentvolumeclaim": "PersistentVolumeClaim",
    "statefulset": "StatefulSet", "endpoints": "Endpoints", "job": "Job",
    "daemonset": "DaemonSet",
}  # fmt: skip


def described(kind: str, text: str) -> dict[str, Any]:
    """Read `kubectl describe` of one object of a kind."""
    root = outline.read(text)
    labels = outline.pairs(root.get("Labels").texts())
    meta: dict[str, Any] = {
        "name": root.get("Name").value,
        "namespace": root.get("Namespace").value,
        "labels": labels,
        "annotations": _annotations(root.get("Annotations").texts()),
    }
    owner = root.get("Controlled By").value
    if "/" in owner:
        meta["ownerReferences"] = [dict(zip(("kind", "name"), owner.split("/", 1), strict=True))]
    reader = _READERS.get(kind)
    return {"kind": kind, "metadata": meta, **(reader(root) if reader else {})}


def events_below(kind: str, name: str, text: str) -> Iterator[dict[str, Any]]:
    """Give the events that stand at the end of a description."""
    _, _, tail = text.partition("\nEvents:")
    for line in tail.splitlines():
        found = _EVENT.match(line)
        if found:
            severity, reason, _, count, source, message = found.groups()
            about = (kind, name)
            yield _event(about, severity, reason, int(count or 1), message=message, source=source)


def listed_events(text: str) -> Iterator[dict[str, Any]]:
    """Give the rows of `kubectl get events`."""
    for line in text.splitlines():
        found = _LISTED_EVENT.match(line)
        if found:
            _, count, severity, reason, kind, name, message = found.groups()
            about = (_KINDS.get(kind.lower(), kind), name)
            yield _event(about, severity, reason, int(count or 1), message=message, source="")


def _event(
    about: tuple[str, str], severity: str, reason: str, count: int, *, message: str, source: str
) -> dict[str, Any]:
    return {
        "type": severity,
        "reason": reason,
        "count": count,
        "message": message.strip(),
        "source": {"component": source},
        "involvedObject": dict(zip(("kind", "name"), about, strict=True)),
    }


def _annotations(texts: Sequence[str]) -> dict[str, str]:
    return {
        found.group(1): (found.group(2) or "") for found in map(outline.KEY.match, texts) if found
    }


def _pod(root: outline.Line) -> dict[str, Any]:
    statuses = [_status(line) for line in root.get("Containers").below]
    starting = [_status(line) for line in root.get("Init Containers").below]
    conditions = [
        {"type": kind, "status": state}
        for kind, state in (line.text.split()[:2] for line in root.get("Conditions").below[1:])
    ]
    node = root.get("Node").value.partition("/")[0]
    return {
        "spec": {**_template(root), **({"nodeName": node} if node else {})},
        "status": {
            "phase": root.get("Status").value.split(" ")[0],
            "reason": root.get("Reason").value,
            "podIP": root.get("IP").value,
            "conditions": conditions,
            "containerStatuses": statuses,
            "initContainerStatuses": starting,
        },
    }


def _template(root: outline.Line) -> dict[str, Any]:
    volumes = []
    for line in root.get("Volumes").below:
        volume: dict[str, Any] = {"name": line.text.rstrip(":")}
        if line.get("ClaimName").value:
            volume["persistentVolumeClaim"] = {"claimName": line.get("ClaimName").value}
        elif line.get("SecretName").value:
            volume["secret"] = {"secretName": line.get("SecretName").value}
        elif line.get("Type").value.startswith("ConfigMap"):
            volume["configMap"] = {"name": line.get("Name").value}
        elif line.get("Type").value.startswith("HostPath"):
            volume["hostPath"] = {"path": line.get("Path").value}
        volumes.append(volume)
    return {
        "serviceAccountName": root.get("Service Account").value,
        "containers": [_container(line) for line in root.get("Containers").below],
        "initContainers": [_container(line) for line in root.get("Init Containers").below],
        "nodeSelector": outline.pairs(root.get("Node-Selectors").texts()),
        "tolerations": [_toleration(text) for text in root.get("Tolerations").texts()],
        "volumes": volumes,
    }


def _container(line: outline.Line) -> dict[str, Any]:
    ports = []
    for text in (*line.get("Port").texts()[:1], *line.get("Ports").texts()[:1]):
        for part in text.split(","):
            number, _, protocol = part.strip().partition("/")
            if number.isdigit() and int(number):
                ports.append({"containerPort": int(number), "protocol": protocol or "TCP"})
    container: dict[str, Any] = {
        "name": line.text.rstrip(":"),
        "image": line.get("Image").value,
        "ports": ports,
        "env": [_variable(below) for below in line.get("Environment").below],
        "envFrom": [_source(b.text) for b in line.get("Environment Variables from").below],
        "resources": {
            part.lower(): {below.key: below.value for below in line.get(part).below}
            for part in ("Limits", "Requests")
        },
    }
    for name in ("Liveness", "Readiness", "Startup"):
        probe = _probe(line.get(name).value)
        if probe:
            container[f"{name.lower()}Probe"] = probe
    return container


def _variable(line: outline.Line) -> dict[str, Any]:
    found = re.match(
        r"<set to the key '([^']*)' (?:in|of) (secret|config map) '([^']*)'", line.value
    )
    if found:
        source = "secretKeyRef" if found.group(2) == "secret" else "configMapKeyRef"
        reference = {"key": found.group(1), "name": found.group(3)}
        return {"name": line.key, "valueFrom": {source: reference}}
    return {"name": line.key, "value": line.value.removesuffix("Optional: false").strip()}


def _source(text: str) -> dict[str, Any]:
    words = text.split()
    kind = "secretRef" if "Secret" in words[1:2] else "configMapRef"
    return {kind: {"name": words[0], "optional": text.endswith("true")}}


def _toleration(text: str) -> dict[str, Any]:
    key = text.split(" ", maxsplit=1)[0]
    exists = "op=Exists" in text
    key, _, effect = key.partition(":")
    key, _, value = key.partition("=")
    found = {"key": key, "operator": "Exists" if exists or not value else "Equal"}
    return found | ({"value": value} if value else {}) | ({"effect": effect} if effect else {})


def _probe(text: str) -> dict[str, Any]:
    found = _PROBE.match(text)
    if not found:
        return {}
    what = found.group("what")
    probe: dict[str, Any] = {
        "initialDelaySeconds": int(found.group("delay")),
        "timeoutSeconds": int(found.group("timeout")),
        "periodSeconds": int(found.group("period")),
        "failureThreshold": int(found.group("failure")),
    }
    port = re.search(r":([\w-]+)(/\S*)?$", what)
    number: int | str = ""
    if port:
        number = int(port.group(1)) if port.group(1).isdigit() else port.group(1)
    if what.startswith("grpc"):
        return probe | {"grpc": {"port": number}}
    if what.startswith("tcp-socket"):
        return probe | {"tcpSocket": {"port": number}}
    if what.startswith("http-get"):
        return probe | {"httpGet": {"port": number, "path": (port and port.group(2)) or "/"}}
    return probe | {"exec": {"command": [what.removeprefix("exec ").strip()]}}


def _status(line: outline.Line) -> dict[str, Any]:
    return {
        "name": line.text.rstrip(":"),
        "ready": line.get("Ready").value == "True",
        "restartCount": int(line.get("Restart Count").value or 0),
        "state": _state(line.get("State")),
        "lastState": _state(line.get("Last State")),
    }


def _state(line: outline.Line) -> dict[str, Any]:
    kind = line.value.lower()
    if kind not in {"waiting", "running", "terminated"}:
        return {}
    found: dict[str, Any] = {"reason": line.get("Reason").value}
    message = " ".join(line.get("Message").texts())
    if message:
        found["message"] = message
    code = line.get("Exit Code").value
    if code.isdigit():
        found["exitCode"] = int(code)
    return {kind: found}


def _workload(root: outline.Line) -> dict[str, Any]:
    template = root.get("Pod Template")
    counts = {
        name: int(number) for number, name in re.findall(r"(\d+) (\w+)", root.get("Replicas").value)
    }
    running = re.match(r"(\d+) Running", root.get("Pods Status").value)
    available = counts.get("available")
    if available is None and running:
        available = int(running.group(1))
    return {
        "spec": {
            "replicas": counts.get("desired"),
            "selector": {"matchLabels": outline.pairs(root.get("Selector").texts())},
            "template": {
                "metadata": {
                    "labels": outline.pairs(template.get("Labels").texts()),
                    "annotations": _annotations(template.get("Annotations").texts()),
                },
                "spec": _template(template),
            },
        },
        "status": {
            "replicas": counts.get("total", counts.get("current", 0)),
            "availableReplicas": available or 0,
        },
    }


def _service(root: outline.Line) -> dict[str, Any]:
    ports: list[dict[str, Any]] = []
    for line in root.below:
        words = line.value.split()
        if line.key == "Port" and words:
            number, _, protocol = words[-1].partition("/")
            name = words[0] if len(words) > 1 and words[0] != "<unset>" else ""
            ports.append({"name": name, "port": _number(number), "protocol": protocol or "TCP"})
        elif line.key == "TargetPort" and ports and words:
            ports[-1]["targetPort"] = _number(words[0].partition("/")[0])
    return {
        "spec": {
            "selector": outline.pairs(root.get("Selector").texts()),
            "type": root.get("Type").value,
            "ports": ports,
        }
    }


def _endpoints(root: outline.Line) -> dict[str, Any]:
    subsets: list[dict[str, Any]] = []
    for line in root.get("Subsets").below:
        entry = subsets[-1] if subsets and line.key != "Addresses" else {}
        if line.key == "Addresses":
            subsets.append({"addresses": _addresses(line.value)})
        elif line.key == "NotReadyAddresses":
            entry["notReadyAddresses"] = _addresses(line.value)
    return {"subsets": subsets}


def _addresses(text: str) -> list[dict[str, str]]:
    return [{"ip": ip.strip()} for ip in text.split(",") if ip.strip()]


def _number(text: str) -> int | str:
    return int(text) if text.isdigit() else text


def _node(root: outline.Line) -> dict[str, Any]:
    conditions = []
    for line in root.get("Conditions").below:
        words = line.text.split()
        if len(words) > 1 and words[1] in {"True", "False", "Unknown"}:
            conditions.append({"type": words[0], "status": words[1]})
    used = {
        words[0]: words[1]
        for words in (line.text.split() for line in root.get("Allocated resources").below)
        if len(words) > 1 and words[0] in {"cpu", "memory"}
    }
    return {
        "spec": {
            "unschedulable": root.get("Unschedulable").value == "true",
            "taints": [_taint(text) for text in root.get("Taints").texts()],
        },
        "status": {
            "conditions": conditions,
            "allocatable": {line.key: line.value for line in root.get("Allocatable").below},
            "requested": used,
        },
    }


def _taint(text: str) -> dict[str, str]:
    key, _, effect = text.partition(":")
    key, _, value = key.partition("=")
    return {"key": key, "value": value, "effect": effect}


def _claim(root: outline.Line) -> dict[str, Any]:
    return {
        "spec": {
            "storageClassName": root.get("StorageClass").value,
            "volumeName": root.get("Volume").value,
            "accessModes": _modes(root.get("Access Modes").value),
        },
        "status": {
            "phase": root.get("Status").value,
            "capacity": {"storage": root.get("Capacity").value},
        },
    }


def _volume(root: outline.Line) -> dict[str, Any]:
    namespace, _, name = root.get("Claim").value.partition("/")
    return {
        "spec": {
            "storageClassName": root.get("StorageClass").value,
            "capacity": {"storage": root.get("Capacity").value},
            "accessModes": _modes(root.get("Access Modes").value),
            **({"claimRef": {"namespace": namespace, "name": name}} if name else {}),
        },
        "status": {"phase": root.get("Status").value},
    }


def _modes(text: str) -> list[str]:
    long = {"RWO": "ReadWriteOnce", "ROX": "ReadOnlyMany", "RWX": "ReadWriteMany"}
    return [long.get(part.strip(), part.strip()) for part in text.split(",") if part.strip()]


def _quota(root: outline.Line) -> dict[str, Any]:
    used, hard = {}, {}
    for line in root.below:
        words = line.text.split()
        if not line.key and words[0] not in {"Resource", "--------"}:
            used[words[0]], hard[words[0]] = words[1], words[-1]
    return {"spec": {"hard": hard}, "status": {"hard": hard, "used": used}}


def _secret(root: outline.Line) -> dict[str, Any]:
    lines = [line for line in root.below if re.search(r":\s+\d+ bytes$", line.text)]
    return {"data": {line.key: "" for line in lines}}


def _config(root: outline.Line) -> dict[str, Any]:
    names = [
        line.key
        for line, under in zip(root.below, root.below[1:], strict=False)
        if under.text == "----" and line.key
    ]
    return {"data": dict.fromkeys(names, "")}


def _policy(root: outline.Line) -> dict[str, Any]:
    spec = root.get("Spec")
    rules = []
    for line in spec.get("Allowing ingress traffic").below:
        if line.key == "From":
            chosen = {b.key: outline.pairs(b.texts()) for b in line.below if b.key == "PodSelector"}
            others = [b.key for b in line.below if b.key in {"IPBlock", "NamespaceSelector"}]
            sources: list[dict[str, Any]] = [
                {"podSelector": {"matchLabels": labels}} for labels in chosen.values()
            ]
            sources += [{"ipBlock": {"cidr": "given"}} for _ in others]
            rules.append({"from": sources})
    selector = outline.pairs(spec.get("PodSelector").texts())
    types = [one.strip() for one in spec.get("Policy Types").value.split(",")]
    return {
        "spec": {
            "podSelector": {"matchLabels": selector},
            "ingress": rules,
            "policyTypes": types,
        }
    }


_READERS: Mapping[str, Any] = {
    "Pod": _pod,
    "Deployment": _workload,
    "ReplicaSet": _workload,
    "StatefulSet": _workload,
    "DaemonSet": _workload,
    "Service": _service,
    "Endpoints": _endpoints,
    "Node": _node,
    "PersistentVolumeClaim": _claim,
    "PersistentVolume": _volume,
    "ResourceQuota": _quota,
    "Secret": _secret,
    "ConfigMap": _config,
    "NetworkPolicy": _policy,
}
