"""Two processes of one pod that want the same port.

Fires if a sidecar is told, by an annotation or a setting, to use a port that another container of
the pod declares, and the pod is not ready.
"""

import re
from collections.abc import Iterator
from typing import Final

from sentienguard.stages.decide.diagnosis.kubernetes import finding, objects, observation

_PORT_SETTING: Final = re.compile(r"(\w*[pP]ort)\"?'?\s*[:=]\s*\"?'?(\d{2,5})\b")
_PROXY: Final = re.compile(r"istio|envoy|linkerd|proxy|sidecar|dapr|consul", re.IGNORECASE)


def find(seen: observation.Observed) -> Iterator[finding.Finding]:
    """Judge each workload that is not ready."""
    for workload in seen.cluster.workloads.values():
        if workload.name not in seen.down and workload.name not in seen.crashing:
            continue
        clash = conflict(workload.template) or next(
            (found for pod in workload.pods if (found := conflict(pod.template))), ""
        )
        if clash:
            yield finding.workload(workload.name, "port_conflict_in_pod", 0.96, clash)


def conflict(template: objects.Template) -> str:
    """Say which port two of a pod's containers want ("" if none)."""
    owners: dict[tuple[int, str], str] = {}
    for container in template.containers:
        if container.is_starter:
            continue
        for port in container.ports:
            key = (port.number, port.protocol)
            if port.number and owners.setdefault(key, container.name) != container.name:
                return f"{owners[key]} and {container.name} both want port {port.number}"
    for name, text in template.annotations.items():
        if not _PROXY.search(name):
            continue
        for setting, number in _PORT_SETTING.findall(text):
            for (taken, _), owner in owners.items():
                if taken == int(number):
                    return f"annotation {name} gives {setting} {number}, the port of {owner}"
    return ""
