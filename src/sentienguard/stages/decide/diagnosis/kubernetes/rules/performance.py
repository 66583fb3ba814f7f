"""Workloads and machines that are slow: starved of processor, or far away in the network.

Fires on what monitors measured. Slowness travels from callee to caller, so the deepest slow
workload is the place: from each one the way goes down to a callee whose own typical answer is late
enough to explain the caller's. Several such places on one machine make it the machine's matter.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sentienguard.model import diagnosis
from sentienguard.stages.decide.diagnosis.kubernetes import finding, observation

_SURGE: Final = 1.3  # times the usual processor use that is no longer usual
_RUSH: Final = 3.0  # times the usual that explain slowness even where nobody throttles
_SHARE: Final = 0.25  # of a caller's slow answers that a callee must make up to be their cause
_PART: Final = 0.05  # the same of typical answers; a caller may ask many times for one of its own
_FEWEST: Final = 5  # readings that a level is taken from
_TAILS: Final = ("latency.p90", "latency.p95", "latency.p99")
_SLOWER_MS: Final = 5.0  # what nobody would call slower


@dataclass(frozen=True, slots=True)
class Slow:
    """By how much a workload answers later than usual."""

    typical_ms: float = 0.0  # the median
    tail_ms: float = 0.0  # the slowest tenth
    starved: bool = False  # throttled, and using much more processor than usual
    busy: bool = False  # using very much more processor than usual, throttled or not

    @property
    def is_slow(self) -> bool:
        """Tell whether it is slower than anybody would overlook."""
        return max(self.typical_ms, self.tail_ms) > _SLOWER_MS


def find(seen: observation.Observed) -> Iterator[finding.Finding]:
    """Judge who is slow by itself."""
    measured = {
        name: measure(seen.alerts.get(name, ()), seen.series.get(name, ()))
        for name in seen.cluster.workloads
        if name in seen.alerts or name in seen.series
    }
    slow = {name: one for name, one in measured.items() if one.is_slow}
    roots = deepest(seen.cluster.needs, slow)
    weight = 1.0 if seen.is_slow_symptom else 0.6
    starved = sorted(name for name, one in measured.items() if one.starved)
    lossy = _lossiest(seen)
    if lossy and len(slow) > 1:
        why = f"{lossy} sends far more again than usual; slow are {', '.join(sorted(slow)[:6])}"
        yield finding.node(
            lossy, "node_packet_loss", 0.93 * weight, why, hurts=frozenset(_on(seen, lossy))
        )
    if not starved:
        starved = sorted(name for name in roots if measured[name].busy)
    shared = _machine(seen, roots)
    for name in starved:
        certainty = 0.95 if name in slow and len(starved) == 1 else 0.7
        yield finding.workload(
            name, "cpu_overload", certainty * weight, "it uses far more processor than usual"
        )
    if shared and not starved:
        yield finding.node(
            shared,
            "node_network_delay",
            0.85 * weight,
            f"slow by themselves and all on {shared}: {', '.join(sorted(roots))}",
            hurts=frozenset(_on(seen, shared)),
        )
    for place, name in enumerate(sorted(roots, key=lambda one: (-roots[one], one))):
        if name in starved:
            continue
        certainty = 0.9 if len(roots) == 1 and not lossy and not starved else 0.6
        one = measured[name]
        yield finding.workload(
            name,
            "network_delay",
            max(certainty - 0.05 * place, 0.1) * weight,
            f"its typical answer comes {one.typical_ms:.0f} ms later, its slowest"
            f" {one.tail_ms:.0f} ms, with the processor as usual; nothing below it is slower",
        )


def measure(
    alerts: Sequence[diagnosis.Alert], series: Sequence[diagnosis.MetricSeries] = ()
) -> Slow:
    """Read what monitors say about one workload; its series where there are any."""
    later: dict[str, float] = {}
    ratio: dict[str, float] = {}
    kinds = {alert.metric for alert in alerts}
    for alert in alerts:
        normal, current = alert.threshold, alert.value
        if normal is not None and current is not None:
            later[alert.metric] = max(later.get(alert.metric, 0.0), current - normal)
            ratio[alert.metric] = current / normal if normal else float("inf")
    for one in series:
        if one.name.startswith("latency.") and len(one.values) >= _FEWEST:
            later[one.name] = _rise(one.values)
    throttled = "cpu.throttled" in kinds
    return Slow(
        typical_ms=later.get("latency.p50", 0.0),
        tail_ms=max(later.get(name, 0.0) for name in _TAILS),
        starved=throttled and ratio.get("cpu.cores", 0.0) >= _SURGE,
        busy=ratio.get("cpu.cores", 0.0) >= _RUSH,
    )


def _rise(values: Sequence[float]) -> float:
    """Return by how much a level that held for a while lies above where a series began."""
    head = sorted(values[: max(_FEWEST, len(values) // 5)])
    rest = sorted(values[len(head) :]) or head
    return max(rest[min(len(rest) - 1, len(rest) * 4 // 5)] - head[len(head) // 2], 0.0)


def deepest(needs: Mapping[str, frozenset[str]], slow: Mapping[str, Slow]) -> dict[str, float]:
    """Return where slowness begins, with how slow it is there, in ms."""
    most = max((one.typical_ms for one in slow.values()), default=0.0)
    floor = max(_SLOWER_MS, _PART * most)
    typical = [name for name, one in slow.items() if one.typical_ms > floor]
    roots: dict[str, float] = {}
    for start in sorted(typical or slow):
        place, seen = start, {start}
        while True:
            below = [
                name
                for name in sorted(needs.get(place, frozenset()))
                if name in slow and name not in seen and _explains(slow[name], slow[place])
            ]
            if not below:
                break
            place = max(below, key=lambda name: (slow[name].typical_ms, slow[name].tail_ms, name))
            seen.add(place)
        one = slow[place]
        roots[place] = one.typical_ms or one.tail_ms
    return {
        name: size
        for name, size in roots.items()
        # Who waits for a slow network also asks slowly; that shows a little at those it asks.
        if not any(name in needs.get(other, ()) and size < _PART * roots[other] for other in roots)
    }


def _explains(callee: Slow, caller: Slow) -> bool:
    if caller.typical_ms > _SLOWER_MS:
        return callee.typical_ms > max(_SLOWER_MS, _PART * caller.typical_ms)
    return callee.tail_ms >= _SHARE * caller.tail_ms


def _machine(seen: observation.Observed, roots: Mapping[str, float]) -> str:
    """Name the machine that several places share ("" if they do not share one)."""
    if len(roots) < 2:  # noqa: PLR2004  one place is no pattern
        return ""
    homes = [{pod.node for pod in seen.cluster.workloads[name].pods if pod.node} for name in roots]
    shared = set.intersection(*homes)
    return min(shared) if len(shared) == 1 else ""


def _on(seen: observation.Observed, node: str) -> set[str]:
    return {
        one.name
        for one in seen.cluster.workloads.values()
        if any(pod.node == node for pod in one.pods)
    }


def _lossiest(seen: observation.Observed) -> str:
    """Name the machine that sends the most again ("" if none is said to)."""
    loss: dict[str, float] = {}
    for name in seen.cluster.nodes:
        for alert in seen.alerts.get(name, ()):
            if alert.metric == "network.retransmissions" and alert.value is not None:
                loss[name] = max(loss.get(name, 0.0), alert.value)
    return max(sorted(loss), key=lambda name: loss[name]) if loss else ""
