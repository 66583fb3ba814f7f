"""Services that do not lead to the pods they stand for: selector, ports, protocol.

Fires if there are pods to lead to: a service without endpoints because its workload is down is the
workload's matter.
"""

from collections.abc import Iterator

from sentienguard.stages.decide.diagnosis.kubernetes import (
    finding,
    objects,
    observation,
    plain,
)


def find(seen: observation.Observed) -> Iterator[finding.Finding]:
    """Judge each service of a workload that runs."""
    for service in seen.cluster.services.values():
        workload = seen.cluster.workloads.get(service.workload)
        if workload is None or workload.wanted == 0 or not service.selector:
            continue
        hurts = frozenset({workload.name})
        if workload.name not in service.selected:
            if service.has_endpoints is not True and workload.ready:
                yield finding.workload(
                    workload.name,
                    "service_selector_unmatched",
                    0.97,
                    f"service {service.name} selects {_said(service.selector)},"
                    f" its pods are {_said(workload.template.labels)}",
                    hurts=hurts,
                )
            continue
        if workload.ready and not service.answers:
            yield from _ports(seen, service, workload)
    yield from _missing(seen)


def _missing(seen: observation.Observed) -> Iterator[finding.Finding]:
    """Find services that are declared, that somebody calls, and that do not exist."""
    for one in seen.cluster.manifests:
        name = plain.text(one, "metadata", "name")
        if (
            plain.text(one, "kind") != "Service"
            or seen.cluster.exists("Service", name) is not False
        ):
            continue
        selector = plain.mapping(one, "spec", "selector")
        for workload in seen.cluster.workloads.values():
            called = any(workload.name in needs for needs in seen.cluster.needs.values())
            if called and plain.is_selected(workload.template.labels, selector):
                yield finding.workload(
                    workload.name, "service_missing", 0.85, f"service {name} does not exist"
                )


def _ports(
    seen: observation.Observed, service: objects.Service, workload: objects.Workload
) -> Iterator[finding.Finding]:
    listening = [
        port for one in workload.template.containers for port in one.ports if not one.is_starter
    ]
    if not listening:
        return
    for port in service.ports:
        wanted = port.target or str(port.number)
        met = [one for one in listening if wanted in {str(one.number), one.name}]
        certainty = 0.97 if service.answers is False else 0.8
        if not met:
            yield finding.workload(
                workload.name,
                "service_port_unmatched",
                certainty,
                f"service {service.name} sends to port {wanted}; containers listen on"
                f" {', '.join(sorted({str(one.number) for one in listening}))}",
            )
        elif all(one.protocol != port.protocol for one in met):
            yield finding.workload(
                workload.name,
                "service_protocol_unmatched",
                certainty,
                f"service {service.name} speaks {port.protocol} on port {port.number},"
                f" containers {met[0].protocol}",
            )
    yield from _called_elsewhere(seen, service, workload)


def _called_elsewhere(
    seen: observation.Observed, service: objects.Service, workload: objects.Workload
) -> Iterator[finding.Finding]:
    """Find a service that listens on a port that none of several callers calls."""
    offered = {port.number for port in service.ports}
    called: dict[str, int] = {}
    for name, found in seen.cluster.calls.items():
        for address in found:
            if address.service == service.name and address.port and name != workload.name:
                called[name] = address.port
    if len(called) > 1 and len(set(called.values())) == 1 and not offered & set(called.values()):
        port = next(iter(called.values()))
        yield finding.workload(
            workload.name,
            "service_port_unmatched",
            0.93,
            f"{len(called)} callers call {service.name}:{port}, which offers {sorted(offered)}",
        )


def _said(labels: object) -> str:
    pairs = labels.items() if hasattr(labels, "items") else ()
    return ",".join(f"{name}={value}" for name, value in pairs if name != "pod-template-hash")
