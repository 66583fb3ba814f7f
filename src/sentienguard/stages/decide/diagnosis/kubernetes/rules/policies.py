"""Network policies that shut out those who call a workload.

Fires if a policy takes the workload's pods, shuts out callers, and the workload cannot be connected
to or requests to it fail. Where somebody did connect the policy is not enforced (not every network
of a cluster does), and it stays silent.
"""

from collections.abc import Iterator

from sentienguard.stages.decide.diagnosis.kubernetes import finding, objects, observation, plain


def find(seen: observation.Observed) -> Iterator[finding.Finding]:
    """Judge each policy for the workloads that it takes."""
    for policy in seen.cluster.policies:
        if plain.at(policy, "spec", "podSelector") is None:
            continue  # an empty selector takes every pod; an unknown one says nothing
        selector = plain.mapping(policy, "spec", "podSelector", "matchLabels")
        for workload in seen.cluster.workloads.values():
            labels = workload.template.labels
            if selector and not plain.is_selected(labels, selector):
                continue
            shut = _shut_out(seen, policy, workload)
            fails = workload.name in seen.unreachable or seen.failing & frozenset(shut)
            if shut and fails and not _is_reached(seen, workload):
                yield finding.workload(
                    workload.name,
                    "network_policy_denies",
                    0.93,
                    f"policy {plain.text(policy, 'metadata', 'name')} shuts out {', '.join(shut)}",
                )


def _is_reached(seen: observation.Observed, workload: objects.Workload) -> bool:
    return any(
        service.answers
        for service in seen.cluster.services.values()
        if service.workload == workload.name
    )


def _shut_out(seen: observation.Observed, policy: object, workload: objects.Workload) -> list[str]:
    if "Ingress" not in (plain.words(policy, "spec", "policyTypes") or ("Ingress",)):
        return []
    callers = sorted(name for name, needs in seen.cluster.needs.items() if workload.name in needs)
    return [name for name in callers if not _admits(policy, seen.cluster.workloads[name])]


def _admits(policy: object, caller: objects.Workload) -> bool:
    for rule in plain.each(policy, "spec", "ingress"):
        sources = plain.each(rule, "from")
        if not sources:
            return True
        for source in sources:
            selector = plain.mapping(source, "podSelector", "matchLabels")
            other = plain.has(source, "ipBlock") or plain.has(source, "namespaceSelector")
            empty = plain.at(source, "podSelector") == {}
            if other or empty or plain.is_selected(caller.template.labels, selector):
                return True
    return False
