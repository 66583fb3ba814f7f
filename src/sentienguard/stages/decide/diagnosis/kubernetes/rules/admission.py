"""Pods and other objects that the cluster refuses to make: quotas, limits, accounts, policies.

Fires on what controllers were told, while the workload is still short of pods. A refusal that was
overcome is history, and stays silent.
"""

import re
from collections.abc import Iterator
from typing import Final

from sentienguard.stages.decide.diagnosis.kubernetes import finding, objects, observation, plain

_QUOTA: Final = re.compile(r"exceeded quota: (?P<name>[^,]+), requested: (?P<what>[^ ]+)")
_ACCOUNT: Final = re.compile(r"service ?account \"([^\"]+)\" not found")
_RESOURCES: Final = (  # in the order in which a name is looked at
    ("storage", "storage"),
    ("persistentvolumeclaims", "storage"),
    ("memory", "memory"),
    ("cpu", "cpu"),
    ("pods", "pods"),
    ("services", "services"),
)
_COUNTED: Final = {"Service": "services", "PersistentVolumeClaim": "persistentvolumeclaims"}
_DECLARED: Final = {"Service": "services", "PersistentVolumeClaim": "storage"}


def find(seen: observation.Observed) -> Iterator[finding.Finding]:
    """Give what refusals say."""
    for workload in seen.cluster.workloads.values():
        if workload.is_down:
            yield from _refused(seen, workload)
    yield from _never_made(seen)


def _refused(seen: observation.Observed, workload: objects.Workload) -> Iterator[finding.Finding]:
    hurts = frozenset({workload.name})
    for event in workload.events:
        if not event.reason.startswith("Failed"):
            continue
        quota = _QUOTA.search(event.message)
        account = _ACCOUNT.search(event.message)
        if quota:
            yield finding.namespace(
                seen.cluster.namespace,
                f"quota_exceeded.{resource(quota.group('what'))}",
                0.97,
                f"quota {quota.group('name')} refused {workload.name}: {quota.group('what')}",
                hurts=hurts,
            )
        elif account and not seen.cluster.exists("ServiceAccount", account.group(1)):
            yield finding.workload(
                workload.name,
                "service_account_missing",
                0.97,
                f"it is to run as {account.group(1)}, which does not exist",
            )
        elif "violates PodSecurity" in event.message:
            yield finding.workload(workload.name, "pod_security_violated", 0.9, event.message[:200])
        elif "is forbidden" in event.message and " per Container is " in event.message:
            yield finding.workload(workload.name, "limit_range_violated", 0.9, event.message[:200])
        elif "admission webhook" in event.message and "denied" in event.message:
            yield finding.workload(
                workload.name, "admission_webhook_denied", 0.8, event.message[:200]
            )


def resource(asked: str) -> str:
    """Name the resource that a quota is about, from `requests.cpu=500m` or `pods`."""
    found = [word for part, word in _RESOURCES if part in asked]
    return found[0] if found else "other"


def _never_made(seen: observation.Observed) -> Iterator[finding.Finding]:
    """Find what was declared, does not exist, and would break a quota."""
    for one in seen.cluster.manifests:
        kind, name = plain.text(one, "kind"), plain.text(one, "metadata", "name")
        if kind not in _DECLARED or seen.cluster.exists(kind, name) is not False:
            continue
        hurts = _users(seen, one)
        for quota in seen.cluster.quotas:
            blocked = _blocked(quota, kind, one)
            if blocked and hurts:
                yield finding.namespace(
                    seen.cluster.namespace,
                    f"quota_exceeded.{_DECLARED[kind]}",
                    0.95,
                    f"{kind} {name} was declared and does not exist; {blocked}",
                    hurts=hurts,
                )


def _users(seen: observation.Observed, one: object) -> frozenset[str]:
    kind, name = plain.text(one, "kind"), plain.text(one, "metadata", "name")
    if kind == "PersistentVolumeClaim":
        return frozenset(
            other.name
            for other in seen.cluster.workloads.values()
            if name in other.template.claims and other.name in seen.down
        )
    selector = plain.mapping(one, "spec", "selector")
    return frozenset(
        other.name
        for other in seen.cluster.workloads.values()
        if plain.is_selected(other.template.labels, selector)
    )


def _blocked(quota: objects.Quota, kind: str, one: object) -> str:
    """Say which entry of a quota leaves no room for an object ("" if none does)."""
    for entry, allowed in quota.hard.items():
        limit, used = plain.quantity(allowed), plain.quantity(quota.used.get(entry, "0"))
        asked: float | None = None
        if kind == "PersistentVolumeClaim" and entry == "requests.storage":
            asked = plain.quantity(plain.text(one, "spec", "resources", "requests", "storage"))
        elif entry.removeprefix("count/") == _COUNTED[kind]:
            asked = 1.0
        if limit is not None and used is not None and asked is not None and used + asked > limit:
            return f"quota {quota.name} allows {allowed} of {entry}, {quota.used.get(entry)} used"
    return ""
