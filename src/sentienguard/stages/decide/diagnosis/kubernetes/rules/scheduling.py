"""Pods that no node takes: selectors, affinity, taints, cordons, capacity.

Fires on pods that are still without a node. What the scheduler counted decides; where its words
leave a choice, the nodes' own labels and cordons do.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from sentienguard.model import diagnosis
from sentienguard.stages.decide.diagnosis.kubernetes import finding, objects, observation, plain

_COUNTED: Final[tuple[tuple[str, re.Pattern[str]], ...]] = (
    # What the cluster taints by itself says that a node is unwell or reserved, not who is wrong.
    (
        "taint",
        re.compile(
            r"(\d+) node\(s\) had (?:untolerated )?taints? \{(?!node(?:-role)?\.kubernetes)"
        ),
    ),
    ("cordon", re.compile(r"(\d+) node\(s\) were unschedulable")),
    ("match", re.compile(r"(\d+) node\(s\) didn't match (?:Pod's )?node (?:affinity|selector)")),
    (
        "affinity",
        re.compile(
            r"(\d+) node\(s\) (?:didn't (?:match|satisfy)|violate)[^,.]*pods? (?:anti-)?affinity"
        ),
    ),
    ("cpu", re.compile(r"(\d+) Insufficient cpu")),
    ("memory", re.compile(r"(\d+) Insufficient memory")),
    ("pods", re.compile(r"(\d+) Too many pods")),
    ("ports", re.compile(r"(\d+) node\(s\) didn't have free ports")),
    ("volume", re.compile(r"(\d+) node\(s\) had volume node affinity conflict")),
)
_DIRECT: Final[Mapping[str, str]] = {  # what a count means by itself, the telling ones first
    "affinity": "pod_affinity_unsatisfied",
    "volume": "volume_node_conflict",
    "ports": "host_port_taken",
    "cpu": "cpu_request_unfit",
    "memory": "memory_request_unfit",
    "taint": "taint_not_tolerated",
    "pods": "node_pods_exhausted",
}


def find(seen: observation.Observed) -> Iterator[finding.Finding]:
    """Judge each pod without a node."""
    for workload in seen.cluster.workloads.values():
        for pod in workload.pods:
            if pod.node or pod.is_done or pod.phase not in {"Pending", ""}:
                continue
            said = [event.message for event in pod.events if event.reason == "FailedScheduling"]
            if said:
                cause, why = judge(seen, pod, said[-1])
                if cause:
                    yield finding.workload(workload.name, cause, 0.96, *why)
                break


def judge(
    seen: observation.Observed, pod: objects.Pod, message: str
) -> tuple[str, tuple[str, ...]]:
    """Say why no node takes a pod, "" if storage does or nothing is known."""
    counted = {}
    for name, pattern in _COUNTED:
        found = pattern.search(message.partition("preemption:")[0])
        if found:
            counted[name] = int(found.group(1))
    evidence = (f"the scheduler says: {message.partition(' preemption:')[0][:200]}",)
    direct = {name: counted[name] for name in _DIRECT if name in counted}
    if direct:
        most = max(direct, key=lambda name: direct[name])
        return _DIRECT[most], evidence
    if "match" in counted:
        fitting = [
            node
            for node in seen.cluster.nodes.values()
            if matches(node, pod.template) and not _is_reserved(node)
        ]
        if fitting and all(node.is_cordoned for node in fitting):
            names = ", ".join(node.name for node in fitting)
            return "nodes_cordoned", (*evidence, f"only {names} match, all cordoned")
        return _unmatched(seen, pod), evidence
    return ("nodes_cordoned", evidence) if "cordon" in counted else ("", ())


def _is_reserved(node: objects.Node) -> bool:
    """Tell whether a node is cordoned because it runs the cluster; nobody expects pods there."""
    roles = {node.labels.get("kubernetes.io/role", "")}
    roles |= {
        name.removeprefix("node-role.kubernetes.io/")
        for name in node.labels
        if name.startswith("node-role.kubernetes.io/")
    }
    return bool(roles & {"master", "control-plane"}) and node.is_cordoned


def _unmatched(seen: observation.Observed, pod: objects.Pod) -> str:
    """Tell a selector that no node has from an affinity that no node meets."""
    selector = pod.template.node_selector
    nodes = seen.cluster.nodes.values()
    if selector and not any(plain.is_selected(node.labels, selector) for node in nodes):
        return "node_selector_unmatched"
    return "node_affinity_unmatched" if _terms(pod.template) else "node_selector_unmatched"


def matches(node: objects.Node, template: objects.Template) -> bool:
    """Tell whether a node has what a pod's selector and required node affinity ask for."""
    selector = template.node_selector
    if selector and not plain.is_selected(node.labels, selector):
        return False
    terms = _terms(template)
    return not terms or any(_meets(node, term) for term in terms)


def _terms(template: objects.Template) -> tuple[diagnosis.PlainObject, ...]:
    return plain.each(
        template.affinity,
        "nodeAffinity",
        "requiredDuringSchedulingIgnoredDuringExecution",
        "nodeSelectorTerms",
    )


def _meets(node: objects.Node, term: object) -> bool:
    return all(_holds(node, one) for one in plain.each(term, "matchExpressions"))


def _holds(node: objects.Node, expression: object) -> bool:
    key, values = plain.text(expression, "key"), plain.words(expression, "values")
    value = node.labels.get(key)
    numbers = [int(one) for one in (value or "", *values[:1]) if one.isdigit()]
    compared = numbers[0] - numbers[1] if len(numbers) == 2 else 0  # noqa: PLR2004  both are numbers
    held = {
        "In": value in values,
        "NotIn": value not in values,
        "Exists": value is not None,
        "DoesNotExist": value is None,
        "Gt": compared > 0,
        "Lt": compared < 0,
    }
    return held.get(plain.text(expression, "operator"), False)
