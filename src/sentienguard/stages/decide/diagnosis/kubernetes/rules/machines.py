"""Machines and what runs on each of them: kubelet, container runtime, kube-proxy, pressure.

Fires if something on the machine, or reached through it, suffers.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from sentienguard.stages.decide.diagnosis.kubernetes import finding, objects, observation

_UNITS: Final[Mapping[str, str]] = {
    "kubelet": "kubelet_down",
    "containerd": "container_runtime_down",
    "docker": "container_runtime_down",
    "crio": "container_runtime_down",
    "cri-o": "container_runtime_down",
    "kube-proxy": "kube_proxy_down",
}
_PRESSURES: Final[Mapping[str, str]] = {
    "MemoryPressure": "node_memory_pressure",
    "DiskPressure": "node_disk_pressure",
    "PIDPressure": "node_pid_pressure",
    "NetworkUnavailable": "node_network_unavailable",
}


def find(seen: observation.Observed) -> Iterator[finding.Finding]:
    """Judge each machine."""
    for node in seen.cluster.nodes.values():
        hurt = _hurt(seen, node)
        for unit in node.stopped:
            if unit in _UNITS:
                yield from _stopped(seen, node, unit, hurt)
        for condition, cause in _PRESSURES.items():
            if node.conditions.get(condition) == "True" and hurt:
                yield finding.node(node.name, cause, 0.9, f"condition {condition}", hurts=hurt)
        if node.conditions.get("Ready") in {"False", "Unknown"} and not node.stopped:
            said = f"Ready is {node.conditions['Ready']}"
            yield finding.node(node.name, "node_not_ready", 0.8, said, hurts=hurt)


def _stopped(
    seen: observation.Observed, node: objects.Node, unit: str, hurt: frozenset[str]
) -> Iterator[finding.Finding]:
    cause = _UNITS[unit]
    if cause == "kube_proxy_down":
        # Without it nothing on the machine finds a service; pods on it look well.
        hurt = _on(seen, node) or hurt
    evidence = [f"{unit} does not run on {node.name}"]
    if hurt:
        evidence.append(f"there: {', '.join(sorted(hurt)[:5])}")
    certainty = 0.97 if hurt else 0.85
    yield finding.node(node.name, cause, certainty, *evidence, hurts=hurt)


def _on(seen: observation.Observed, node: objects.Node) -> frozenset[str]:
    return frozenset(
        one.name
        for one in seen.cluster.workloads.values()
        if any(pod.node == node.name for pod in one.pods)
    )


def _hurt(seen: observation.Observed, node: objects.Node) -> frozenset[str]:
    return frozenset(
        name
        for name in _on(seen, node)
        if any(
            pod.node == node.name and not pod.is_ready for pod in seen.cluster.workloads[name].pods
        )
    )
