"""Containers that end: out of memory, or for a reason that only their own words tell.

Fires on containers that were started again or wait to be. `permission denied` and its kin in a log
count here because the crash stands beside them.
"""

import re
from collections.abc import Iterator
from typing import Final

from sentienguard.stages.decide.diagnosis.kubernetes import finding, objects, observation

_OOM_EVENT: Final = re.compile(r"OOM-?killed|memory limit too low", re.IGNORECASE)
_DENIED: Final = re.compile(r"permission denied|read-only file system|EACCES", re.IGNORECASE)
_MISCONFIGURED: Final = re.compile(
    r"env(?:ironment)? var\w* \S+ (?:is )?(?:not set|missing|required)|configuration error|"
    r"invalid config|missing required (?:setting|configuration|environment)|config\w* not found",
    re.IGNORECASE,
)
_BUSY_PORT: Final = re.compile(r"address already in use|port \d+ was already in use", re.IGNORECASE)
_NO_COMMAND: Final = re.compile(
    r"executable file not found|no such file or directory", re.IGNORECASE
)


def find(seen: observation.Observed) -> Iterator[finding.Finding]:
    """Judge each workload whose containers end."""
    for workload in seen.cluster.workloads.values():
        for pod in workload.pods:
            if not pod.is_done:
                yield from _ended(seen, workload, pod)


def _ended(
    seen: observation.Observed, workload: objects.Workload, pod: objects.Pod
) -> Iterator[finding.Finding]:
    starved = [
        event.message
        for event in pod.warnings
        if not pod.is_ready
        and event.reason in {"FailedCreatePodSandBox", "Failed", "FailedKillPod"}
        and _OOM_EVENT.search(event.message)
    ]
    for container in pod.containers:
        killed = container.died == "OOMKilled" and container.restarts > 0
        if killed or (starved and not container.is_ready):
            limit = container.limits.get("memory", "unknown")
            yield finding.workload(
                workload.name,
                "out_of_memory",
                0.97 if killed or container.died or container.waiting else 0.9,
                f"{container.name} was killed for memory; its limit is {limit}",
            )
            return
    broken = [one for one in pod.containers if one.waiting == "CrashLoopBackOff" or one.restarts]
    for container in broken:
        if container.died not in {"", "Completed"} and not pod.is_ready:
            yield from _words(seen, workload, container)
            return


def _words(
    seen: observation.Observed, workload: objects.Workload, container: objects.Container
) -> Iterator[finding.Finding]:
    """Ask the log of a container that crashed for its reason."""
    texts = [container.said, *(log.text for log in seen.believed_logs(workload.name))]
    ended = f"{container.name} ended with {container.died} (exit code {container.exit_code})"
    denied = next((text for text in texts if _DENIED.search(text)), "")
    if denied:
        certainty = 0.93 if _has_volume(workload) else 0.5
        yield finding.workload(
            workload.name, "volume_permission_denied", certainty, ended, denied[:160]
        )
    elif any(_BUSY_PORT.search(text) for text in texts):
        yield finding.workload(workload.name, "port_conflict_in_pod", 0.7, ended)
    elif any(_MISCONFIGURED.search(text) for text in texts):
        said = next(text for text in texts if _MISCONFIGURED.search(text))
        yield finding.workload(workload.name, "configuration_refused", 0.8, ended, said[:160])
    elif any(_NO_COMMAND.search(text) for text in texts) and container.died == "StartError":
        yield finding.workload(workload.name, "command_not_found", 0.85, ended)
    else:
        yield finding.workload(workload.name, "crash_loop", 0.35, ended)


def _has_volume(workload: objects.Workload) -> bool:
    templates = (workload.template, *(pod.template for pod in workload.pods))
    return any(one.claims or one.mounts_host for one in templates)
