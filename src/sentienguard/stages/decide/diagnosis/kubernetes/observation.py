"""What is seen to be wrong, before anybody asks why.

A rule may only say why something is as it is; that it is so stands here: pods that are not ready,
services that nobody answers for, alerts, and logs that something measured stands beside.
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import cached_property

from sentienguard.model import diagnosis
from sentienguard.stages.decide.diagnosis.kubernetes import objects, reading

_ASKERS = range(400, 500)  # statuses of answers to a wrong question


def _is_askers(status: float | None) -> bool:
    return status is not None and int(status) in _ASKERS


@dataclass(frozen=True)
class Observed:
    """One snapshot, arranged for the rules. Workloads are called by their names in the cluster."""

    snapshot: diagnosis.Snapshot
    cluster: objects.Cluster

    @cached_property
    def bare(self) -> Mapping[str, str]:
        """Inventory name -> name in the cluster."""
        known = {*self.cluster.workloads, *self.cluster.nodes}
        return {
            thing.name: next(
                (spelling for spelling in (*thing.aliases, thing.name) if spelling in known),
                thing.name,
            )
            for thing in self.snapshot.objects
        }

    @cached_property
    def inventory(self) -> Mapping[tuple[str, str], str]:
        """Kind (node, namespace, workload) and any spelling -> name in the inventory."""
        found: dict[tuple[str, str], str] = {}
        for thing in sorted(self.snapshot.objects, key=lambda one: one.name):
            kind = thing.kind if thing.kind in {"node", "namespace"} else "workload"
            for spelling in (thing.name, *thing.aliases, thing.name.rpartition("/")[2]):
                found.setdefault((kind, spelling), thing.name)
        return found

    @cached_property
    def alerts(self) -> Mapping[str, tuple[diagnosis.Alert, ...]]:
        """Name in the cluster -> what monitors say about it."""
        groups: dict[str, list[diagnosis.Alert]] = {}
        for alert in sorted(self.snapshot.alerts, key=lambda one: (one.object, one.id)):
            groups.setdefault(self.bare.get(alert.object, alert.object), []).append(alert)
        return {name: tuple(group) for name, group in sorted(groups.items())}

    @cached_property
    def series(self) -> Mapping[str, tuple[diagnosis.MetricSeries, ...]]:
        """Name in the cluster -> its readings."""
        groups: dict[str, list[diagnosis.MetricSeries]] = {}
        for one in sorted(self.snapshot.series, key=lambda one: (one.object, one.name)):
            groups.setdefault(self.bare.get(one.object, one.object), []).append(one)
        return {name: tuple(group) for name, group in sorted(groups.items())}

    @cached_property
    def _logs(self) -> Mapping[str, tuple[diagnosis.LogTemplate, ...]]:
        groups: dict[str, list[diagnosis.LogTemplate]] = {}
        for log in sorted(self.snapshot.logs, key=lambda one: (one.object, -one.count, one.text)):
            groups.setdefault(self.bare.get(log.object, log.object), []).append(log)
        return {name: tuple(group) for name, group in sorted(groups.items())}

    @cached_property
    def down(self) -> frozenset[str]:
        """Workloads that do not have the pods they should have, or are to have none."""
        return frozenset(one.name for one in self.cluster.workloads.values() if one.is_down)

    @cached_property
    def short(self) -> frozenset[str]:
        """Workloads of which some pod is not ready, though enough others may be."""
        return frozenset(
            one.name
            for one in self.cluster.workloads.values()
            if any(not pod.is_ready and not pod.is_done for pod in one.pods)
        )

    @cached_property
    def crashing(self) -> frozenset[str]:
        """Workloads whose containers end badly."""
        return frozenset(one.name for one in self.cluster.workloads.values() if one.has_crashed)

    @cached_property
    def unreachable(self) -> frozenset[str]:
        """Workloads of services that have no endpoints, or that somebody could not connect to."""
        return frozenset(
            service.workload
            for service in self.cluster.services.values()
            if service.workload and (service.has_endpoints is False or service.answers is False)
        )

    @cached_property
    def failing(self) -> frozenset[str]:
        """Workloads that monitors say requests fail at."""
        return frozenset(
            name
            for name, alerts in self.alerts.items()
            if name in self.cluster.workloads
            and any(alert.metric in {"requests.failed", "requests.success"} for alert in alerts)
        )

    @cached_property
    def erring(self) -> frozenset[str]:
        """Those of them that fail by themselves; *not found* is the fault of who asks."""
        return frozenset(
            name
            for name in self.failing
            if any(
                alert.metric == "requests.success"
                or (alert.metric == "requests.failed" and not _is_askers(alert.value))
                for alert in self.alerts[name]
            )
        )

    @cached_property
    def is_slow_symptom(self) -> bool:
        """Tell whether the complaint is about being slow and not about being away."""
        symptom = self.snapshot.symptom
        return symptom is not None and symptom.kind is diagnosis.MetricKind.LATENCY

    def suffers(self, workload: str) -> bool:
        """Tell whether anything measured is wrong with a workload itself."""
        return (
            workload in self.down
            or workload in self.short
            or workload in self.unreachable
            or workload in self.crashing
            or workload in self.alerts
        )

    def callers(self, workload: str) -> frozenset[str]:
        """Return whoever depends on a workload, directly or through others."""
        found: set[str] = set()
        queue = [workload]
        while queue:
            asked = queue.pop()
            for name, needs in self.cluster.needs.items():
                if asked in needs and name not in found and name != workload:
                    found.add(name)
                    queue.append(name)
        return frozenset(found)

    def complains(self, workloads: AbstractSet[str]) -> bool:
        """Tell whether any of these writes errors: enough beside a broken setting, never alone."""
        return any(
            log.severity == "error" for name in workloads for log in self._logs.get(name, ())
        )

    def told_of(self, speaker: str, victim: str) -> tuple[diagnosis.LogTemplate, ...]:
        """Return what one workload writes of another that does not run: the crash is beside it."""
        beside = self.crashing | self.down
        return self._logs.get(speaker, ()) if victim in beside else ()

    def believed_logs(self, workload: str) -> tuple[diagnosis.LogTemplate, ...]:
        """Return a workload's logs if a crash, missing pods or failing requests stand beside them.

        Anybody who may write to a log can frame a service with it; nobody can make it crash so.
        """
        beside = self.crashing | self.down | self.erring
        if workload in beside or self.erring & self.callers(workload):
            return self._logs.get(workload, ())
        return ()


def observe(snapshot: diagnosis.Snapshot) -> Observed:
    """Arrange a snapshot."""
    return Observed(snapshot, reading.cluster(snapshot))
