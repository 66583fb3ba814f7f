"""Secrets and config maps that a container cannot start without.

Fires on containers and pods that wait for them now, or whose reference points to nothing while
they do not run.
"""

import re
from collections.abc import Iterator
from typing import Final

from sentienguard.stages.decide.diagnosis.kubernetes import finding, objects, observation

_NOT_FOUND: Final = re.compile(r"(secret|configmap) \"([^\"]+)\" not found", re.IGNORECASE)
_NO_KEY: Final = re.compile(r"couldn't find key (\S+) in (Secret|ConfigMap) (\S+)", re.IGNORECASE)
_WAITING: Final = frozenset({"CreateContainerConfigError", "CreateContainerError"})


def find(seen: observation.Observed) -> Iterator[finding.Finding]:
    """Judge each workload that is down."""
    for workload in seen.cluster.workloads.values():
        if workload.name in seen.down:
            yield from _waits(seen, workload)


def _waits(seen: observation.Observed, workload: objects.Workload) -> Iterator[finding.Finding]:
    for pod in workload.pods:
        if pod.is_ready:
            continue
        waiting = any(container.waiting in _WAITING for container in pod.containers)
        said = " ".join(container.said for container in pod.containers)
        heard = [
            event.message
            for event in pod.warnings
            if event.reason == "FailedMount" or (waiting and event.reason == "Failed")
        ]
        for text in (*heard, said):
            missing, key = _NOT_FOUND.search(text), _NO_KEY.search(text)
            kind = (missing.group(1) if missing else key.group(2) if key else "").lower()
            if kind:
                name = missing.group(2) if missing else (key.group(3) if key else "")
                if seen.cluster.exists(_kind(kind), name) and not key:
                    continue  # it has come since
                yield _blame(workload.name, kind, f"its pod waits: {text[:160]}")
                return
        if waiting:
            yield from _absent(seen, workload, pod)


def _absent(
    seen: observation.Observed, workload: objects.Workload, pod: objects.Pod
) -> Iterator[finding.Finding]:
    """Look for a reference to nothing, where the cluster's own words are gone."""
    for container in pod.containers:
        for kind, references in (("secret", container.secrets), ("configmap", container.configs)):
            for name, _ in references:
                if seen.cluster.exists(_kind(kind), name) is False:
                    yield _blame(workload.name, kind, f"it refers to {kind} {name}, which is not")


def _kind(word: str) -> str:
    return "Secret" if word == "secret" else "ConfigMap"


def _blame(name: str, kind: str, why: str) -> finding.Finding:
    cause = "secret_missing" if kind == "secret" else "config_map_missing"
    return finding.workload(name, cause, 0.97, why)
