"""opensre (Tracer-Cloud): synthetic EKS and RDS scenarios, some of them healthy."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks.diagnosis_sets import case
from sentienguard.model import diagnosis

NAME = "opensre"

# Which of this set's categories a cause of ours belongs to; by its beginning, the longest first.
_CATEGORIES: Mapping[str, str] = {
    "quota_exceeded": "resource_exhaustion",
    "out_of_memory": "resource_exhaustion",
    "cpu_request_unfit": "resource_exhaustion",
    "memory_request_unfit": "resource_exhaustion",
    "node_pods_exhausted": "resource_exhaustion",
    "cpu": "resource_exhaustion",
    "memory": "resource_exhaustion",
    "disk": "resource_exhaustion",
    "saturation": "resource_exhaustion",
    "backlog": "resource_exhaustion",
    "other": "resource_exhaustion",
    "latency": "resource_exhaustion",  # a store that is slow by itself
    "database_connections_exhausted": "resource_exhaustion",
    "node_": "infrastructure",
    "node_affinity": "configuration_error",
    "node_selector": "configuration_error",
    "container_runtime_down": "infrastructure",
    "kubelet_down": "infrastructure",
    "kube_proxy_down": "infrastructure",
    "scheduler_down": "infrastructure",
    "network_delay": "infrastructure",
    "crash_loop": "code_defect",
    "database_read_only": "dependency_failure",
}
_METRICS: Mapping[str, str] = {
    "CPUUtilization": "cpu", "ReplicaLag": "backlog", "DatabaseConnections": "saturation",
    "DiskQueueDepth": "saturation", "ReadLatency": "latency", "WriteLatency": "latency",
    "CommitLatency": "latency", "FreeStorageSpace": "disk", "SwapUsage": "memory",
    "ReadIOPS": "traffic", "WriteIOPS": "traffic",
}  # fmt: skip
_FALLING = frozenset({"FreeStorageSpace"})  # what is left of something; less is worse


def cases(directory: Path) -> Iterator[case.Case]:
    """Read each scenario."""
    for folder in sorted(path for path in directory.glob("*/*") if path.is_dir()):
        name = f"{NAME}/{folder.parent.name}/{folder.name}"
        is_cluster = folder.parent.name == "eks"
        yield case.Case(name, (_eks if is_cluster else _rds)(name, folder))


def predict(_: case.Case, verdict: diagnosis.Verdict) -> dict[str, Any]:
    """Give the category of the first suspect; an abstention says that nothing is wrong."""
    return {"category": category(verdict)}


def category(verdict: diagnosis.Verdict) -> str:
    """Put a verdict into this set's words."""
    if not verdict.ranked:
        return "healthy"
    cause = verdict.ranked[0].cause
    fitting = [start for start in _CATEGORIES if cause.startswith(start)]
    return _CATEGORIES[max(fitting, key=len)] if fitting else "configuration_error"


def _eks(name: str, folder: Path) -> dict[str, Any]:
    alert = case.load(folder / "alert.json", {})
    labels = alert.get("commonLabels", {})
    workload, namespace = labels.get("workload_name", ""), labels.get("namespace", "")
    objects: dict[str, list[dict[str, Any]]] = {}
    for kind, file, reader in (
        ("Pod", "pods", _pod),
        ("Deployment", "deployments", _deployment),
        ("Node", "nodes", _node),
    ):
        found = case.load(folder / f"eks_{'node_health' if kind == 'Node' else file}.json")
        if found is not None:
            objects[kind] = [reader(one) for one in found[file]]
    if workload and not any(one["metadata"]["name"] == workload for one in _of(objects)):
        made = [{"metadata": {"name": workload}, "spec": {}, "status": {"availableReplicas": 1}}]
        objects["Deployment"] = [*objects.get("Deployment", ()), *made]
    events = [
        _event(one) for one in case.load(folder / "eks_events.json", {}).get("warning_events", ())
    ]
    logs = [_log(one) for one in case.load(folder / "datadog_logs.json", {}).get("logs", ())]
    pod_logs = str(case.load(folder / "eks_pod_logs.json", {}).get("logs", ""))
    logs += [
        {"object": workload, "text": line, "severity": "error", "count": 1.0}
        for line in pod_logs.splitlines()
        if "FATAL" in line or "ERROR" in line
    ]
    at_ms = _latest(folder)
    return {
        "v": 1,
        "id": name,
        "since_ms": at_ms - 3_600_000,
        "until_ms": at_ms,
        "objects": [
            *({"name": one["metadata"]["name"], "kind": "service"} for one in _of(objects)),
            *({"name": one["metadata"]["name"], "kind": "node"} for one in objects.get("Node", ())),
            {"name": f"namespace/{namespace}", "kind": "namespace", "aliases": [namespace]},
        ],
        "logs": [
            one for one in logs if one["object"] in {w["metadata"]["name"] for w in _of(objects)}
        ],
        "alerts": list(_monitors(folder, workload, at_ms)),
        "kubernetes": {"namespace": namespace, "objects": objects, "events": events},
    }


def _of(objects: Mapping[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    return objects.get("Deployment", [])


def _latest(folder: Path) -> int:
    stamps = [
        str(one.get("last_time"))
        for one in case.load(folder / "eks_events.json", {}).get("warning_events", ())
    ]
    return max(
        (case.millis(stamp) for stamp in stamps), default=case.millis("2026-01-01T00:00:00Z")
    )


def _pod(one: Mapping[str, Any]) -> dict[str, Any]:
    statuses, containers = [], []
    for container in one.get("containers", ()):
        state = container.get("state", {})
        kind = next((word for word in ("waiting", "running", "terminated") if state.get(word)), "")
        details = {key: state[key] for key in ("reason", "message") if key in state}
        ended = {"terminated": {"reason": "Error"}} if container.get("restart_count") else {}
        containers.append({"name": container["name"]})
        statuses.append(
            {
                "name": container["name"],
                "ready": container.get("ready", False),
                "restartCount": container.get("restart_count", 0),
                "state": {kind: details} if kind else {},
                "lastState": ended,
            }
        )
    return {
        "metadata": {"name": one["name"], "namespace": one.get("namespace", "")},
        "spec": {"nodeName": one.get("node_name") or "", "containers": containers},
        "status": {
            "phase": one.get("phase", ""),
            "conditions": one.get("conditions", []),
            "containerStatuses": statuses,
        },
    }


def _deployment(one: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "metadata": {"name": one["name"], "namespace": one.get("namespace", "")},
        "spec": {"replicas": one.get("desired")},
        "status": {"availableReplicas": one.get("available", 0)},
    }


def _node(one: Mapping[str, Any]) -> dict[str, Any]:
    words = {"Ready": "ready", "MemoryPressure": "memory_pressure", "DiskPressure": "disk_pressure",
             "PIDPressure": "pid_pressure"}  # fmt: skip
    conditions = [{"type": kind, "status": one.get(key, "")} for kind, key in words.items()]
    return {"metadata": {"name": one["name"]}, "status": {"conditions": conditions}}


def _event(one: Mapping[str, Any]) -> dict[str, Any]:
    kind, _, thing = str(one.get("involved_object", "")).partition("/")
    return {
        "type": one.get("type", ""),
        "reason": one.get("reason", ""),
        "message": one.get("message", ""),
        "count": one.get("count", 1),
        "involvedObject": {"kind": kind, "name": thing},
    }


def _log(one: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "object": one.get("service", ""),
        "text": one.get("message", ""),
        "severity": {"warn": "warning"}.get(one.get("status", ""), one.get("status", "info")),
        "count": 1.0,
    }


def _monitors(folder: Path, workload: str, at_ms: int) -> Iterator[dict[str, Any]]:
    for one in case.load(folder / "datadog_monitors.json", {}).get("monitors", ()):
        if one.get("overall_state") == "Alert":
            failing = "errors" in one.get("query", "")
            yield {
                "id": str(one["id"]),
                "object": workload,
                "name": one.get("name", ""),
                "at_ms": at_ms,
                "text": one.get("message", ""),
                "metric": "requests.failed" if failing else one.get("query", "")[:80],
            }


def _rds(name: str, folder: Path) -> dict[str, Any]:
    readings = list(_readings(folder))
    series = case.series(readings)
    times = [at for one in series for at in one["times_ms"]]
    things = sorted({one["object"] for one in series}) or ["database"]
    return {
        "v": 1,
        "id": name,
        "since_ms": min(times, default=0),
        "until_ms": max(times, default=0),
        "symptom": {"object": things[0], "kind": "other", "at_ms": max(times, default=0)},
        "objects": [{"name": thing, "kind": "datastore"} for thing in things],
        "series": series,
    }


def _readings(folder: Path) -> Iterator[tuple[str, str, str, int, float]]:
    for path in sorted(folder.glob("aws_cloudwatch_metrics*.json")):
        data = case.load(path, {})
        found: Iterable[Mapping[str, Any]] = data.get("metric_data_results", ())
        for one in found or ([data] if "values" in data else []):
            metric = str(one.get("metric_name") or one.get("label") or "")
            thing = next((str(part["Value"]) for part in one.get("dimensions", ())), "database")
            if metric not in _METRICS:
                continue
            values = [float(value) for value in one.get("values", ())]
            top = max(values, default=0.0)
            for stamp, value in zip(one.get("timestamps", ()), values, strict=False):
                worse = top - value if metric in _FALLING else value
                yield thing, _METRICS[metric], metric, case.millis(stamp), worse
