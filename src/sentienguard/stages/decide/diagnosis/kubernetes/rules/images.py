"""Images that cannot be pulled: the name, the registry's name, or the right to pull.

Fires on containers that wait for their image now.
"""

import re
from collections.abc import Iterator
from typing import Final

from sentienguard.stages.decide.diagnosis.kubernetes import finding, objects, observation

_WAITING: Final = frozenset(
    {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"}
)
_UNRESOLVED: Final = re.compile(r"no such host|server misbehaving|name resolution", re.IGNORECASE)
_UNKNOWN: Final = re.compile(
    r"not found|manifest unknown|name unknown|invalid reference|couldn't parse image", re.IGNORECASE
)
_REFUSED: Final = re.compile(
    r"authoriz|unauthoris|authentication required|anonymous token|401|denied|no basic auth",
    re.IGNORECASE,
)
_EITHER: Final = re.compile(r"repository does not exist or may require", re.IGNORECASE)
_FORBIDDEN: Final = re.compile(r"status from HEAD request to (\S+): 40[34]")
_UNREACHED: Final = re.compile(
    r"i/o timeout|connection refused|TLS handshake|deadline", re.IGNORECASE
)


def find(seen: observation.Observed) -> Iterator[finding.Finding]:
    """Judge each container that waits for an image."""
    for workload in seen.cluster.workloads.values():
        for pod in workload.pods:
            for container in pod.containers:
                if container.waiting in _WAITING:
                    cause, certainty, why = judge(seen, pod, container)
                    yield finding.workload(
                        workload.name,
                        cause,
                        certainty,
                        f"{container.name} waits for image {container.image}: {container.waiting}",
                        why,
                    )


def judge(
    seen: observation.Observed, pod: objects.Pod, container: objects.Container
) -> tuple[str, float, str]:
    """Say why an image does not come, how surely, and what was said."""
    said = " ".join(
        event.message
        for event in pod.events
        if event.reason in {"Failed", "InspectFailed"} and "pull" in event.message
    )
    said = f"{said} {container.said}".strip()
    missing = [
        name for name in pod.template.pull_secrets if seen.cluster.exists("Secret", name) is False
    ]
    absent = f"pull secret {missing[0]} does not exist" if missing else ""
    forbidden = _FORBIDDEN.search(said)
    is_public = _EITHER.search(said) and not pod.template.pull_secrets
    judged: tuple[tuple[object, str, float], ...] = (
        (container.waiting == "InvalidImageName", "image_not_found", 0.97),
        (_UNRESOLVED.search(said), "registry_unresolved", 0.97),
        # A mirror that answers for a manifest refuses what it does not carry.
        (forbidden and "/manifests/" in forbidden.group(1), "image_not_found", 0.9),
        # That is what a public registry says of a name that it does not know.
        (is_public, "image_not_found", 0.85),
        (_REFUSED.search(said), "image_pull_unauthorised", 0.95),
        (_UNKNOWN.search(said), "image_not_found", 0.97),
        (_UNREACHED.search(said), "registry_unreachable", 0.8),
        (missing, "image_pull_unauthorised", 0.8),
        (True, "image_not_found", 0.5),
    )
    cause, certainty = next((cause, sure) for holds, cause, sure in judged if holds)
    why = absent if cause == "image_pull_unauthorised" and absent else _tail(said)
    return cause, certainty, why or "nobody said why"


def _tail(said: str) -> str:
    """Return the end of what was said, where the reason stands."""
    return said[-160:]
