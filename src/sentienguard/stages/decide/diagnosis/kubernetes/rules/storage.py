"""Claims that no volume meets, and volumes that a pod cannot mount.

Fires on pods that wait for a claim which is not bound now. What the claim asks for is compared
with every volume that there is; the first difference of the volume that comes nearest is the cause.
"""

from collections.abc import Iterator

from sentienguard.stages.decide.diagnosis.kubernetes import finding, objects, observation, plain

_CAUSES = (  # in the order in which a difference is looked for
    "volume_selector_unmatched",
    "storage_class_unmatched",
    "volume_access_mode_unmatched",
    "volume_too_small",
    "volume_taken",
)


def find(seen: observation.Observed) -> Iterator[finding.Finding]:
    """Judge each workload that waits for storage."""
    for workload in seen.cluster.workloads.values():
        waiting = [pod for pod in workload.pods if not pod.is_ready and not pod.is_done]
        if not waiting:
            continue
        for name in workload.template.claims or waiting[0].template.claims:
            claim = seen.cluster.claims.get(name)
            if claim is not None and claim.phase != "Bound":
                yield from _unbound(seen, workload, _as_declared(seen, claim))
            elif claim is None and seen.cluster.exists("PersistentVolumeClaim", name) is False:
                yield finding.workload(
                    workload.name, "claim_missing", 0.7, f"its claim {name} does not exist"
                )
        yield from _unmounted(workload, waiting)


def _as_declared(seen: observation.Observed, claim: objects.Claim) -> objects.Claim:
    """Fill a claim with what its manifest asks for, where the live object does not show it."""
    for one in seen.cluster.manifests:
        same = plain.text(one, "metadata", "name") == claim.name
        if same and plain.text(one, "kind") == "PersistentVolumeClaim":
            declared = plain.at(one, "spec", "storageClassName")
            return objects.Claim(
                name=claim.name,
                phase=claim.phase,
                storage_class=claim.storage_class
                or (declared if isinstance(declared, str) else None),
                modes=claim.modes or plain.words(one, "spec", "accessModes"),
                size=claim.size or plain.text(one, "spec", "resources", "requests", "storage"),
                selector=claim.selector or plain.mapping(one, "spec", "selector", "matchLabels"),
                volume=claim.volume or plain.text(one, "spec", "volumeName"),
            )
    return claim


def _unbound(
    seen: observation.Observed, workload: objects.Workload, claim: objects.Claim
) -> Iterator[finding.Finding]:
    volumes = list(seen.cluster.volumes.values())
    compared = [(differences(claim, volume), volume) for volume in volumes]
    if not compared:
        yield finding.workload(
            workload.name, "claim_unbound", 0.5, f"claim {claim.name} is {claim.phase}"
        )
        return
    least = min(compared, key=lambda one: (len(one[0]), _nearness(claim, one[1]), one[1].name))
    found, volume = least
    if found:
        cause = next(cause for cause in _CAUSES if cause in found)
        yield finding.workload(
            workload.name,
            cause,
            0.95 if len(found) == 1 else 0.75,
            f"claim {claim.name} is {claim.phase}; volume {volume.name}: {found[cause]}",
        )


def _nearness(claim: objects.Claim, volume: objects.Volume) -> int:
    """Rank volumes that differ as much: one that carries the claim's name comes first."""
    return 0 if claim.name.rsplit("-", 1)[0] in volume.name else 1


def differences(claim: objects.Claim, volume: objects.Volume) -> dict[str, str]:
    """Say by cause in what a volume is not what a claim asks for."""
    found: dict[str, str] = {}
    if claim.selector and not plain.is_selected(volume.labels, claim.selector):
        found["volume_selector_unmatched"] = f"labels {volume.labels}, asked {claim.selector}"
    if claim.storage_class is not None and claim.storage_class != volume.storage_class:
        found["storage_class_unmatched"] = (
            f"class {volume.storage_class!r}, asked {claim.storage_class!r}"
        )
    if not set(claim.modes) <= set(volume.modes):
        found["volume_access_mode_unmatched"] = f"modes {volume.modes}, asked {claim.modes}"
    asked, offered = plain.quantity(claim.size), plain.quantity(volume.size)
    if asked is not None and offered is not None and asked > offered:
        found["volume_too_small"] = f"{volume.size}, asked {claim.size}"
    if volume.claimed_by and volume.claimed_by != claim.name:
        found["volume_taken"] = f"bound to claim {volume.claimed_by}"
    return found


def _unmounted(workload: objects.Workload, waiting: list[objects.Pod]) -> Iterator[finding.Finding]:
    for pod in waiting:
        for event in pod.warnings:
            if event.reason == "FailedAttachVolume" or (
                event.reason == "FailedMount" and "not found" not in event.message
            ):
                denied = "permission denied" in event.message.lower()
                cause = "volume_permission_denied" if denied else "volume_not_mounted"
                yield finding.workload(workload.name, cause, 0.8, event.message[:160])
                return
