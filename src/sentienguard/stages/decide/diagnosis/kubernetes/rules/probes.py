"""Probes that ask the wrong port, in the wrong language, or too early.

Fires on probes that fail now: a pod that is not ready, or containers that are killed for it. A
probe that failed while its container was starting and is content now stays silent.
"""

import re
from collections.abc import Iterator
from typing import Final

from sentienguard.stages.decide.diagnosis.kubernetes import finding, objects, observation

_MALFORMED: Final = re.compile(
    r"malformed HTTP|HTTP/1\.x transport|server gave HTTP response to HTTPS|preface|"
    r"unknown service grpc|not a TLS|http2|error reading server|statuscode: 40[45]|EOF",
    re.IGNORECASE,
)
_HASTY_S: Final = 5  # seconds of patience that no process of size starts in
_KILLED: Final = frozenset({137, 143})  # exit codes of a process that was told to end
_HARSH: Final = 1  # failures in a row after which a container is killed for one slow answer


def find(seen: observation.Observed) -> Iterator[finding.Finding]:
    """Judge each pod that a probe speaks against."""
    for workload in seen.cluster.workloads.values():
        for pod in workload.pods:
            if pod.is_done or not pod.node:
                continue
            found = list(_judge(workload, pod))
            yield from found
            if found:
                break


def _judge(workload: objects.Workload, pod: objects.Pod) -> Iterator[finding.Finding]:
    failing = {
        name: [
            event
            for event in pod.warnings
            if event.reason == "Unhealthy" and event.message.startswith(f"{name} probe")
        ]
        for name in ("Liveness", "Readiness", "Startup")
    }
    for container in pod.containers:
        killed = container.restarts > 0 and container.died != "OOMKilled"
        if container.liveness and failing["Liveness"] and killed:
            yield from _wrong(workload, container, "liveness", container.liveness, failing)
        if container.startup and failing["Startup"] and killed:
            yield from _wrong(workload, container, "startup", container.startup, failing)
        if (
            container.readiness
            and failing["Readiness"]
            and not pod.is_ready
            and not container.waiting
        ):
            yield from _wrong(workload, container, "readiness", container.readiness, failing)


def _wrong(
    workload: objects.Workload,
    container: objects.Container,
    name: str,
    probe: objects.Probe,
    failing: dict[str, list[objects.Event]],
) -> Iterator[finding.Finding]:
    heard = failing[name.capitalize()]
    said = f"{heard[-1].message[:160]} (x{heard[-1].count})"
    if misses_port(container, probe):
        other = ", ".join(sorted(str(port.number) for port in container.ports))
        why = f"its {name} probe asks port {probe.port}; {container.name} listens on {other}"
        yield finding.workload(workload.name, f"{name}_probe_port", 0.96, why, said)
    elif speaks_wrongly(container, probe, heard):
        why = f"its {name} probe speaks {probe.protocol} to port {probe.port}"
        yield finding.workload(workload.name, f"{name}_probe_protocol", 0.96, why, said)
    elif probe.patience_s <= _HASTY_S or probe.failures <= _HARSH:
        why = (
            f"its {name} probe gives up after {probe.patience_s} s"
            f" ({probe.failures} failures, {probe.timeout_s} s each)"
        )
        yield finding.workload(workload.name, f"{name}_probe_timing", 0.94, why, said)
    elif name != "readiness" and container.exit_code in _KILLED and container.restarts > 1:
        why = f"its {name} probe is right, and kills it again and again before it answers"
        yield finding.workload(workload.name, f"{name}_probe_timing", 0.6, why, said)
    else:
        yield finding.workload(workload.name, f"{name}_probe_failing", 0.3, said)


def misses_port(container: objects.Container, probe: objects.Probe) -> bool:
    """Tell whether a probe asks a port that the container does not declare."""
    if not probe.port or not container.ports:
        return False
    known = {str(port.number) for port in container.ports} | {one.name for one in container.ports}
    return probe.port not in known


def speaks_wrongly(
    container: objects.Container, probe: objects.Probe, heard: list[objects.Event]
) -> bool:
    """Tell whether a probe speaks another language than what it asks."""
    if any(_MALFORMED.search(event.message) for event in heard) and probe.protocol != "tcp":
        return True
    others = [
        one
        for one in (container.liveness, container.readiness, container.startup)
        if one is not None and one is not probe and one.port == probe.port
    ]
    return any({one.protocol, probe.protocol} == {"grpc", "http"} for one in others)
