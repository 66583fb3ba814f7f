"""Cloud-OpsBench (LLM4Ops): frozen Kubernetes clusters with the answers of read-only tools."""

import functools
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from benchmarks.diagnosis_sets import case, kubectl
from sentienguard.model import diagnosis

NAME = "cloudopsbench"

_KINDS: Mapping[str, str] = {
    "pods": "Pod", "pod": "Pod", "services": "Service", "deployments": "Deployment",
    "statefulsets": "StatefulSet", "daemonsets": "DaemonSet", "replicasets": "ReplicaSet",
    "endpoints": "Endpoints", "nodes": "Node", "configmaps": "ConfigMap", "secrets": "Secret",
    "serviceaccounts": "ServiceAccount", "persistentvolumeclaims": "PersistentVolumeClaim",
    "persistentvolumes": "PersistentVolume", "storageclasses": "StorageClass",
    "resourcequota": "ResourceQuota", "networkpolicies": "NetworkPolicy",
}  # fmt: skip
_CLUSTER_WIDE = frozenset({"Node", "PersistentVolume", "StorageClass"})
_DESCRIBE = re.compile(r"^kubectl describe (\w+) (\S+) -n (\S+)$")
_LISTED = re.compile(r"^kubectl get (\w+) -n (\S+)$")

# Our words for mechanisms in the words of this set. Two of them differ between its truth and its
# prompts (see the data's manifest); the truth is what is scored.
_LABELS: Mapping[str, str] = {
    "quota_exceeded.cpu": "namespace_cpu_quota_exceeded",
    "quota_exceeded.memory": "namespace_memory_quota_exceeded",
    "quota_exceeded.pods": "namespace_pod_quota_exceeded",
    "quota_exceeded.services": "namespace_service_quota_exceeded",
    "quota_exceeded.storage": "namespace_storage_quota_exceeded",
    "service_account_missing": "missing_service_account",
    "nodes_cordoned": "node_cordon_mismatch",
    "node_affinity_unmatched": "node_affinity_mismatch",
    "node_selector_unmatched": "node_selector_mismatch",
    "pod_affinity_unsatisfied": "pod_anti_affinity_conflict",
    "taint_not_tolerated": "taint_toleration_mismatch",
    "cpu_request_unfit": "cpu_capacity_mismatch",
    "memory_request_unfit": "memory_capacity_mismatch",
    "node_network_delay": "node_network_delay",
    "node_packet_loss": "node_network_packet_loss",
    "container_runtime_down": "containerd_unavailable",
    "kubelet_down": "kubelet_unavailable",
    "kube_proxy_down": "kube_proxy_unavailable",
    "scheduler_down": "kube_scheduler_unavailable",
    "registry_unresolved": "image_registry_dns_failure",
    "image_not_found": "incorrect_image_reference",
    "image_pull_unauthorised": "missing_image_pull_secret",
    "volume_selector_unmatched": "pvc_selector_mismatch",
    "storage_class_unmatched": "pvc_storage_class_mismatch",
    "volume_access_mode_unmatched": "pvc_access_mode_mismatch",
    "volume_too_small": "pvc_capacity_mismatch",
    "volume_taken": "pv_binding_occupied",
    "volume_permission_denied": "volume_mount_permission_denied",
    "out_of_memory": "oom_killed",
    "liveness_probe_protocol": "liveness_probe_incorrect_protocol",
    "liveness_probe_port": "liveness_probe_incorrect_port",
    "liveness_probe_timing": "liveness_probe_incorrect_timing",
    "readiness_probe_protocol": "readiness_probe_incorrect_protocol",
    "readiness_probe_port": "readiness_probe_incorrect_port",
    "service_selector_unmatched": "service_selector_mismatch",
    "service_port_unmatched": "service_port_mapping_mismatch",
    "service_protocol_unmatched": "service_protocol_mismatch",
    "service_address_wrong": "service_env_var_address_mismatch",
    "cpu_overload": "pod_cpu_overload",
    "network_delay": "pod_network_delay",
    "port_conflict_in_pod": "service_sidecar_port_conflict",
    "service_missing": "service_dns_resolution_failure",
    "name_resolution_failing": "service_dns_resolution_failure",
    "database_credentials_refused": "mysql_invalid_credentials",
    "database_port_wrong": "mysql_invalid_port",
    "secret_missing": "missing_secret_binding",
    "database_connections_exhausted": "db_connection_exhaustion",
    "database_read_only": "db_read_only",
    "route_to_wrong_service": "gateway_misroute",
    "scaled_to_zero": "deployment_zero_replicas",
}
_MEASURES = {  # how this set's alerts call what they measure
    "p50latency": "latency.p50", "p90latency": "latency.p90", "p95latency": "latency.p95",
    "cpu_cfs": "cpu.throttled", "cpu core": "cpu.cores", "cpu utilization": "cpu.percent",
    "Success Rate Drop": "requests.success", "TCP Retransmission": "network.retransmissions",
    "RPS": "requests.rate", "Data Vanished": "latency.missing",
}  # fmt: skip
_READING = re.compile(
    r"(?:([\w-]+):\s*)?Normal=([\d.]+)[^-]*-> Cur(?:rent)?=([\d.]+)|Val:\s*([\d.]+)"
)
_SERIES = {
    "cpu": "cpu", "mem": "memory", "cpu_cfs": "saturation", "rps": "traffic",
    "success_rate": "availability", "network_receive": "network", "network_transmit": "network",
    "p50latency": "latency", "p90latency": "latency", "p95latency": "latency",
}  # fmt: skip
_MOST_LOG_LINES = 60  # of one service; what repeats beyond them tells nothing new


def cases(directory: Path) -> Iterator[case.Case]:
    """Read each frozen cluster."""
    for path in sorted(directory.glob("*/*.json.xz")):
        with case.open_text(path) as file:
            data = json.load(file)
        name = f"{NAME}/{path.parent.name}/{path.name.removesuffix('.json.xz')}"
        yield case.Case(name, snapshot(name, data))


def predict(_: case.Case, verdict: diagnosis.Verdict) -> dict[str, Any]:
    """Give the ranking in this set's words; what it has no word for keeps ours."""
    return {
        "ranked": [
            {"object": one.object, "cause": _LABELS.get(one.cause, one.cause)}
            for one in verdict.ranked
        ]
    }


def snapshot(name: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """Make the neutral snapshot of one case."""
    namespace = data["namespace"]
    objects, events = _cluster(data["k8s_states"])
    manifests = _manifests(data["tools"])
    if manifests:
        objects["Manifest"] = manifests
    apps = sorted(
        {
            one["metadata"]["name"]
            for kind in ("Deployment", "StatefulSet", "DaemonSet")
            for one in (*objects.get(kind, ()), *(m for m in manifests if m.get("kind") == kind))
        }
    )
    nodes = sorted(one["metadata"]["name"] for one in objects.get("Node", ()))
    at_ms = case.millis(data["tools"].get("collection_timestamp") or "2000-01-01T00:00:00")
    series = list(_series(data["metrics_csv"] or "", set(apps)))
    since = min((one["times_ms"][0] for one in series), default=at_ms)
    return {
        "v": 1,
        "id": name,
        "since_ms": min(since, at_ms),
        "until_ms": max([at_ms, *(one["times_ms"][-1] for one in series)]),
        "symptom": {"kind": _symptom(data["query"]), "at_ms": at_ms, "text": data["query"]},
        "objects": [
            *({"name": f"app/{app}", "kind": "service", "aliases": [app]} for app in apps),
            *({"name": f"node/{node}", "kind": "node", "aliases": [node]} for node in nodes),
            {"name": f"namespace/{namespace}", "kind": "namespace"},
        ],
        "edges": list(_edges(data["tools"], set(apps))),
        "logs": list(_logs(data["tools"], set(apps))),
        "alerts": list(_alerts(data["alert"] or {}, {*apps, *nodes}, at_ms)),
        "series": series,
        "kubernetes": {
            "namespace": namespace,
            "objects": objects,
            "events": events,
            "outputs": _outputs(data["tools"]),
        },
    }


def _symptom(query: str) -> str:
    slow = re.search(r"latency|quality|slow", query, re.IGNORECASE)
    return "latency" if slow else "availability"


def _cluster(
    states: Mapping[str, str],
) -> tuple[dict[str, list[dict[str, Any]]], list[dict[str, Any]]]:
    objects: dict[str, list[dict[str, Any]]] = {}
    events: list[dict[str, Any]] = []
    seen: set[tuple[str, str]] = set()
    for command, text in sorted(states.items()):
        if command.startswith("kubectl get events"):
            events += kubectl.listed_events(text or "")
            continue
        found = _DESCRIBE.match(command)
        listed = _LISTED.match(command)
        if listed and listed.group(1) in _KINDS:
            objects.setdefault(_KINDS[listed.group(1)], [])  # an empty list says: there is none
        if not found or not text or found.group(1) not in _KINDS:
            continue
        kind, name = _KINDS[found.group(1)], found.group(2)
        if (kind, name) in seen:
            continue
        seen.add((kind, name))
        objects.setdefault(kind, []).append(kubectl.described(kind, text))
        events += kubectl.events_below(kind, name, text)
    return objects, _once(events)


def _once(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Keep one of the events that both a list and a description show."""
    kept: dict[str, dict[str, Any]] = {}
    for event in events:
        about = event["involvedObject"]
        key = json.dumps([about, event["reason"], event["message"]], sort_keys=True)
        if key not in kept or event["count"] > kept[key]["count"]:
            kept[key] = event
    return [kept[key] for key in sorted(kept)]


def _tool(tools: Mapping[str, Any], wanted: str) -> Iterator[tuple[dict[str, Any], Any]]:
    for call, answer in sorted(tools.items()):
        name, _, arguments = call.partition(":")
        if name == wanted and arguments:
            yield json.loads(arguments), answer


def _manifests(tools: Mapping[str, Any]) -> list[dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for _, text in _tool(tools, "GetAppYAML"):
        if isinstance(text, str):
            for one in _documents(text):
                key = f"{one.get('kind')}/{one.get('metadata', {}).get('name')}"
                found.setdefault(key, one)
    return [found[key] for key in sorted(found)]


@functools.lru_cache(maxsize=512)  # most of a system's manifests are the same in all of its cases
def _documents(text: str) -> tuple[dict[str, Any], ...]:
    try:
        parsed = list(yaml.load_all(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))
    except yaml.YAMLError:
        return ()
    plain = json.loads(json.dumps(parsed, default=str))
    return tuple(one for one in plain if isinstance(one, dict) and "kind" in one)


def _edges(tools: Mapping[str, Any], apps: set[str]) -> Iterator[dict[str, Any]]:
    found = set()
    for arguments, text in _tool(tools, "GetServiceDependencies"):
        service = arguments.get("service_name", "")
        up, _, down = str(text).partition("[Downstream")
        callers = re.search(r"\[Upstream[^\]]*\]:\s*(.*)", up)
        for caller in (callers.group(1) if callers else "").split(","):
            found.add((caller.strip(), service, "call"))
        path: list[str] = []
        for line in down.splitlines()[1:]:
            drawn = re.match(r"^([\s│├└─]*)([\w.-]+)(.*)$", line)
            if drawn:
                depth = len(drawn.group(1)) // 4
                path = [*path[:depth], drawn.group(2)]
                kind = "datastore" if "Database" in drawn.group(3) else "call"
                if depth:
                    found.add((path[depth - 1], path[depth], kind))
    for source, target, kind in sorted(found):
        if source in apps and target in apps and source != target:
            yield {"source": source, "target": target, "kind": kind}


def _logs(tools: Mapping[str, Any], apps: set[str]) -> Iterator[dict[str, Any]]:
    for arguments, answer in _tool(tools, "GetErrorLogs"):
        service = arguments.get("service_name", "")
        try:
            data = json.loads(answer) if isinstance(answer, str) and answer else answer
        except json.JSONDecodeError:
            data = {"app": str(answer).splitlines()}
        if service not in apps or not isinstance(data, dict):
            continue
        lines = [(str(one["sample"]), float(one["count"])) for one in data.get("patterns", ())]
        lines += [(str(line), 1.0) for line in data.get("app", ())]
        for text, count in lines[:_MOST_LOG_LINES]:
            warning = " WARN " in text
            severity = "warning" if warning else "error"
            yield {"object": service, "text": text, "severity": severity, "count": count}


def _outputs(tools: Mapping[str, Any]) -> dict[str, str]:
    found = {}
    for arguments, answer in _tool(tools, "CheckServiceConnectivity"):
        found[f"connect {arguments['service_name']}:{arguments['port']}"] = str(answer)
    for arguments, answer in _tool(tools, "CheckNodeServiceStatus"):
        found[f"unit {arguments['service_name']} on {arguments['node_name']}"] = str(answer)
    return found


def _alerts(data: Mapping[str, Any], known: set[str], at_ms: int) -> Iterator[dict[str, Any]]:
    for number, one in enumerate(data.get("alerts", ())):
        thing = one.get("name") or one.get("entry_service") or ""
        base = {"object": thing if thing in known else "", "at_ms": at_ms}
        if "url" in one:
            status = re.search(r"\b([45]\d\d)\b", str(one.get("raw_error")))
            yield base | {
                "id": f"{number}", "name": "requests failing", "metric": "requests.failed",
                "text": f"{one['url']}: {one.get('raw_error', '')}"[:300],
                **({"value": float(status.group(1))} if status else {}),
            }  # fmt: skip
        for place, evidence in enumerate(one.get("evidence", ())):
            yield from _readings(base, f"{number}.{place}", str(evidence))


def _readings(base: Mapping[str, Any], name: str, evidence: str) -> Iterator[dict[str, Any]]:
    head, _, rest = evidence.partition(" | ")
    label = re.search(r"\[([^\]]*)\]", head)
    what = label.group(1) if label else head
    for place, part in enumerate(rest.split(" | ")):
        found = _READING.search(part)
        metric = _MEASURES.get(what, "network.rate" if head.startswith("TRAFFIC") else "")
        levels = {}
        if found:
            own, normal, current, value = found.groups()
            metric = _MEASURES.get((own or "").rpartition("-")[2], metric)
            levels = {"value": float(value or current)}
            if not value:
                levels["threshold"] = float(normal)  # this set names what is usual, and no limit
        elif place:
            continue
        yield dict(base) | {
            "id": f"{name}.{place}", "name": head, "metric": metric, "text": part, **levels,
        }  # fmt: skip


def _series(text: str, apps: set[str]) -> Iterator[dict[str, Any]]:
    lines = [line.split(",") for line in text.splitlines() if line]
    if not lines:
        return
    times = [_time(cells[0]) for cells in lines[1:]]
    for place, column in enumerate(lines[0][1:], start=1):
        app, _, metric = column.rpartition("-")
        if app not in apps or metric not in _SERIES:
            continue
        points = {}
        for at_ms, cells in zip(times, lines[1:], strict=True):
            cell = cells[place] if place < len(cells) else ""
            if re.fullmatch(r"-?[\d.]+(e[+-]?\d+)?", cell):
                points[at_ms] = float(cell)
        if points:
            ordered = sorted(points)
            yield {
                "object": app, "kind": _SERIES[metric], "name": _MEASURES.get(metric, metric),
                "times_ms": ordered,
                "values": [points[at_ms] for at_ms in ordered],
            }  # fmt: skip


def _time(cell: str) -> int:
    return round(float(cell) * 1000) if re.fullmatch(r"[\d.]+", cell) else case.millis(cell)
