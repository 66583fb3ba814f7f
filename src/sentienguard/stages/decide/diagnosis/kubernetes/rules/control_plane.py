"""What runs the cluster: scheduler, controller manager, API server, its store.

Fires if the component does not run and what it is there for is not done: pods without a node that
no scheduler speaks about, workloads without pods that no controller made.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from sentienguard.stages.decide.diagnosis.kubernetes import finding, observation

_COMPONENTS: Final[Mapping[str, str]] = {
    "kube-scheduler": "scheduler_down",
    "kube-controller-manager": "controller_manager_down",
    "kube-apiserver": "api_server_down",
    "etcd": "etcd_down",
}


def find(seen: observation.Observed) -> Iterator[finding.Finding]:
    """Judge each component that does not run."""
    unscheduled = frozenset(
        one.name
        for one in seen.cluster.workloads.values()
        if any(not pod.node and not pod.is_done and not pod.warnings for pod in one.pods)
    )
    unmade = frozenset(
        one.name
        for one in seen.cluster.workloads.values()
        if one.wanted and not one.pods and not one.events
    )
    for node in seen.cluster.nodes.values():
        for unit in node.stopped:
            if unit not in _COMPONENTS:
                continue
            hurt = unscheduled if unit == "kube-scheduler" else unmade
            evidence = [f"{unit} does not run on {node.name}"]
            if hurt:
                evidence.append(f"nothing was done for {', '.join(sorted(hurt)[:5])}")
            certainty = 0.97 if hurt else 0.7
            yield finding.node(node.name, _COMPONENTS[unit], certainty, *evidence, hurts=hurt)
