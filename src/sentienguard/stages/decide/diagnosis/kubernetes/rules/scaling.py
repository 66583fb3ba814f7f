"""Workloads that somebody set to no pods at all.

Fires if others need the workload or its service is asked for; a workload that nobody calls may
well be switched off on purpose.
"""

from collections.abc import Iterator

from sentienguard.stages.decide.diagnosis.kubernetes import finding, observation


def find(seen: observation.Observed) -> Iterator[finding.Finding]:
    """Judge each workload that is to have no pods."""
    for workload in seen.cluster.workloads.values():
        if workload.wanted != 0:
            continue
        callers = sorted(
            name for name, needs in seen.cluster.needs.items() if workload.name in needs
        )
        if callers or workload.name in seen.unreachable:
            asked = ", ".join(callers[:5]) or "its service"
            yield finding.workload(
                workload.name,
                "scaled_to_zero",
                0.96,
                f"it is to have 0 pods while it is needed by {asked}",
            )
