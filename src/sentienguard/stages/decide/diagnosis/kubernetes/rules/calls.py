"""Settings that send a workload to an address where nobody is.

Fires if the workload is known to need something that its settings do not lead to, or names a
service almost rightly, or asks an existing one at a port that it does not offer. A setting for an
optional part that is not installed stays silent.
"""

from collections.abc import Iterator
from typing import Final

from sentienguard.stages.decide.diagnosis.kubernetes import (
    addresses,
    finding,
    objects,
    observation,
)

_ALIKE: Final = 0.75  # share of letter pairs that two names have in common


def find(seen: observation.Observed) -> Iterator[finding.Finding]:
    """Judge the addresses of each workload that runs."""
    for workload in seen.cluster.workloads.values():
        for address in seen.cluster.calls.get(workload.name, ()):
            if not address.is_inside(seen.cluster.namespace):
                continue
            service = seen.cluster.services.get(address.service)
            if service is None:
                yield from _nowhere(seen, workload, address)
            elif address.port:
                yield from _wrong_port(seen, workload, address, service)


def _nowhere(
    seen: observation.Observed, workload: objects.Workload, address: addresses.Address
) -> Iterator[finding.Finding]:
    if "." in address.host and not address.host.endswith(".local"):
        return
    meant = _meant(seen, workload, address)
    if meant:
        yield finding.workload(
            workload.name,
            "service_address_wrong",
            0.93,
            f"{address.setting} says {address.host}, which is no service; {meant} is",
        )


def _meant(
    seen: observation.Observed, workload: objects.Workload, address: addresses.Address
) -> str:
    """Name the service that an address without one was meant to lead to ("" if unclear)."""
    reached = {
        service.workload
        for other in seen.cluster.calls.get(workload.name, ())
        if (service := seen.cluster.services.get(other.service))
    }
    lost = sorted(seen.cluster.needs.get(workload.name, frozenset()) - reached)
    near = [name for name in seen.cluster.services if likeness(name, address.service) >= _ALIKE]
    also_lost = [name for name in near if seen.cluster.services[name].workload not in reached]
    if also_lost:
        return also_lost[0]
    words = address.setting.lower().replace("_", "")
    for name in lost:
        if any(part in words for part in name.lower().split("-") if len(part) > 3):  # noqa: PLR2004
            return name
    return lost[0] if len(lost) == 1 and not near else ""


def likeness(one: str, other: str) -> float:
    """Return the share of neighbouring letters that two names have in common, 0..1."""
    first = {one[place : place + 2] for place in range(len(one) - 1)}
    second = {other[place : place + 2] for place in range(len(other) - 1)}
    return 2 * len(first & second) / ((len(first) + len(second)) or 1)


def _wrong_port(
    seen: observation.Observed,
    workload: objects.Workload,
    address: addresses.Address,
    service: objects.Service,
) -> Iterator[finding.Finding]:
    offered = {port.number for port in service.ports}
    if not offered or address.port in offered:
        return
    target = seen.cluster.workloads.get(service.workload)
    listening = {
        port.number for one in (target.template.containers if target else ()) for port in one.ports
    }
    if address.port in listening and not offered & listening:
        return  # the service leads past its pods; the caller asks for what is there
    is_database = address.port_setting and any(
        word in address.setting.upper() for word in ("SQL", "DB", "DATABASE", "MONGO", "REDIS")
    )
    cause = "database_port_wrong" if is_database else "service_address_wrong"
    yield finding.workload(
        workload.name,
        cause,
        0.95,
        f"{address.port_setting or address.setting} says {address.host}:{address.port};"
        f" {service.name} offers {sorted(offered)}",
    )
