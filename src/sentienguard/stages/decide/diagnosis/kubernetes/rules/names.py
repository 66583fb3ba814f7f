"""Names that do not resolve: a pod's own resolver settings, or the cluster's resolver.

Fires on settings only where the workload or what calls it suffers, and on what logs say only where
the service that they name exists and something measured stands beside the log.
"""

import re
from collections.abc import Iterator
from typing import Final

from sentienguard.stages.decide.diagnosis.kubernetes import finding, objects, observation

_FAILING: Final = re.compile(
    r"no such host|name resolution|getaddrinfo|ENOTFOUND|unable to resolve|"
    r"UnknownHostException|DNS resolution failed|server misbehaving|could not resolve",
    re.IGNORECASE,
)


def find(seen: observation.Observed) -> Iterator[finding.Finding]:
    """Judge each workload's names."""
    for workload in seen.cluster.workloads.values():
        template = workload.template
        why = _odd(seen, template)
        if why:
            said = [log.text[:120] for log in seen.believed_logs(workload.name) if _names(log.text)]
            hurt = seen.suffers(workload.name) or bool(seen.failing & seen.callers(workload.name))
            certainty = 0.95 if said or hurt else 0.75
            yield finding.workload(
                workload.name, "name_resolution_failing", certainty, why, *said[:1]
            )
        elif workload.name in seen.crashing | seen.down | seen.failing:
            yield from _crashes(seen, workload)


def _crashes(seen: observation.Observed, workload: objects.Workload) -> Iterator[finding.Finding]:
    """Believe a workload that does not work and says that it cannot resolve a name."""
    said = [log.text for log in seen.believed_logs(workload.name) if _names(log.text)]
    if said:
        known = any(name in said[0] for name in seen.cluster.services)
        certainty = 0.88 if known else 0.7
        yield finding.workload(workload.name, "name_resolution_failing", certainty, said[0][:160])


def _odd(seen: observation.Observed, template: objects.Template) -> str:
    """Say what is wrong with a template's resolver settings ("" if nothing)."""
    aliased = sorted(name for name in template.host_aliases if _own(seen, name))
    if aliased:
        return f"{aliased[0]} is pinned to {template.host_aliases[aliased[0]]}"
    if template.dns_policy == "None" and template.nameservers:
        return f"it asks {', '.join(template.nameservers)} instead of the cluster's resolver"
    if template.dns_policy == "Default":
        return "it asks its node's resolver, which knows no services"
    return ""


def _own(seen: observation.Observed, host: str) -> bool:
    return host.split(".", maxsplit=1)[0] in seen.cluster.services


def _names(text: str) -> bool:
    return bool(_FAILING.search(text))
