"""Mechanisms that break in a cluster, one module for each family.

Called by `kubernetes.judging`. A module offers `find(seen) -> iterator of Finding`: it reads an
`observation.Observed` and says which object has which mechanism broken, how surely, on what
evidence, and whom it hurts. A rule needs both an anomaly and something that suffers from it now;
each has a test where it fires and a near miss where it stays silent.

To add one: a module here, its line in `RULES`, its causes in docs/explanation/
diagnosis-kubernetes.md. What a rule may not do: read the clock, know a product's or a data set's
names, or take a log's word without `Observed.believed_logs`.
"""

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Final, TypeAlias

from sentienguard.stages.decide.diagnosis.kubernetes import finding, observation
from sentienguard.stages.decide.diagnosis.kubernetes.rules import (
    admission,
    calls,
    configuration,
    control_plane,
    crashes,
    databases,
    images,
    machines,
    names,
    performance,
    policies,
    ports,
    probes,
    routing,
    scaling,
    scheduling,
    services,
    storage,
)

Rule: TypeAlias = Callable[[observation.Observed], Iterator[finding.Finding]]

RULES: Final[Mapping[str, Rule]] = MappingProxyType(
    {
        "admission": admission.find,
        "calls": calls.find,
        "configuration": configuration.find,
        "control_plane": control_plane.find,
        "crashes": crashes.find,
        "databases": databases.find,
        "images": images.find,
        "machines": machines.find,
        "names": names.find,
        "performance": performance.find,
        "policies": policies.find,
        "ports": ports.find,
        "probes": probes.find,
        "routing": routing.find,
        "scaling": scaling.find,
        "scheduling": scheduling.find,
        "services": services.find,
        "storage": storage.find,
    }
)
