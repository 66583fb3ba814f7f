"""Objects whose own processor, memory or wire is to blame: what does not travel along calls.

Rules, cited below:
1. A jump counts against the jumps of all others of its kind, not by its deviations alone: a quiet
   object's deviations grow without bound.
2. What allocates burns processor time, and what burns it allocates little. So memory is the cause
   where the memory gained is a good part of what such an object usually holds.
3. Slow wires are put down to the end that most of them share, and an end pays for its wires that
   are not slow: a fault of it would have reached them too.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from sentienguard.model import diagnosis
from sentienguard.stages.decide.diagnosis import claims, readings

_KINDS: Final = (
    diagnosis.MetricKind.CPU,
    diagnosis.MetricKind.MEMORY,
    diagnosis.MetricKind.DISK,
    diagnosis.MetricKind.RESTARTS,
)
_HALF: Final = 30.0  # robust deviations with a strength of one half
_FOOTPRINT: Final = (
    0.1  # of the usual memory of an object of its kind: gained memory that is a fault
)
_BURNS: Final = 0.25  # of the largest jump: below it an object only carries others' load (rule 1)
_WIRE_MS: Final = 5.0  # waiting that schedulers and garbage collectors make by themselves
_WIRE_FACTOR: Final = 3.0  # of the usual wait of a pair, likewise
_WIRE_HALF: Final = 10.0  # times the usual wait of all pairs, with a strength of one half
_WIRE_CALLER: Final = 0.9  # of a wait that counts against who waits: faults flow to callers
_WIRE_CALLS: Final = 3  # on either side, below which a median is one caller's luck


def claims_of(
    snapshot: diagnosis.Snapshot, moved: Sequence[readings.Movement]
) -> tuple[claims.Claim, ...]:
    """Say which objects' own resources left their usual level by much."""
    found: list[claims.Claim] = []
    for kind in _KINDS:
        found += _jumps([one for one in moved if one.kind is kind], kind)
    found += _wires(snapshot.traces)
    memory = {claim.object for claim in found if claim.cause == diagnosis.MetricKind.MEMORY}
    return tuple(
        claim
        for claim in found
        if not (claim.cause == diagnosis.MetricKind.CPU and claim.object in memory)  # rule 2
    )


def _jumps(
    moved: Sequence[readings.Movement], kind: diagnosis.MetricKind
) -> Iterable[claims.Claim]:
    jumps = {one: max(0.0, one.peak - one.usual) for one in moved}
    largest = max(jumps.values(), default=0.0)
    footprint = float(np.median([one.usual for one in moved])) if moved else 0.0
    for one, jump in jumps.items():
        if one.deviations < readings.MOVED or jump < _BURNS * largest:
            continue
        if kind is diagnosis.MetricKind.MEMORY and jump < _FOOTPRINT * footprint:
            continue  # rule 2
        yield claims.Claim(
            object=one.object,
            cause=str(kind),
            strength=claims.strength(one.deviations, _HALF) * jump / largest,  # rule 1
            evidence=(f"{one.told()} ({one.deviations:.0f} robust deviations)",),
        )


@dataclass(slots=True)
class _Pair:
    """The wire between a caller and a callee."""

    calls: float = 0.0
    usual_calls: float = 0.0
    wait: float | None = None
    usual: float | None = None


def _wires(traces: Iterable[diagnosis.TraceEdge]) -> Iterable[claims.Claim]:
    """Put excess waiting between two objects down to the end that has most of it (rule 3)."""
    pairs = _pairs(traces)
    common = float(np.median([pair[1] for pair in pairs.values()])) if pairs else 0.0
    excess = {
        ends: wait - usual
        for ends, (wait, usual) in pairs.items()
        if wait > _WIRE_FACTOR * usual + _WIRE_MS
    }
    whole = sum(excess.values())
    touched: dict[str, list[tuple[float, str]]] = {}
    for (caller, callee), wait in excess.items():
        touched.setdefault(caller, []).append((_WIRE_CALLER * wait, callee))
        touched.setdefault(callee, []).append((wait, caller))
    for name in sorted(touched):
        part = sum(wait for wait, _ in touched[name]) / whole
        size = claims.strength(max(touched[name])[0], _WIRE_HALF * max(common, 1e-3))
        spared = sum(name in ends for ends in pairs) - len(touched[name])
        reached = len(touched[name]) / (len(touched[name]) + spared)
        others = ", ".join(sorted({other for _, other in touched[name]}))
        yield claims.Claim(
            object=name,
            cause="network",
            strength=size * part**2 * (1 + reached) / 2,
            evidence=(
                (
                    f"{part:.0%} of the excess waiting on the wire is to or from it ({others}),"
                    f" up to {max(touched[name])[0]:.0f} ms"
                ),
            ),
            against=(f"{spared} of its wires are as quick as usual",) if spared else (),
        )


def _pairs(
    traces: Iterable[diagnosis.TraceEdge],
) -> Mapping[tuple[str, str], tuple[float, float]]:
    """Give the wait and the usual wait of each pair that was measured often enough."""
    pairs: dict[tuple[str, str], _Pair] = {}
    for edge in traces:
        if not edge.caller:
            continue
        pair = pairs.setdefault((edge.caller, edge.callee), _Pair())
        pair.calls += edge.calls
        pair.usual_calls += edge.usual_calls or 0.0
        if edge.wire_ms is not None and edge.usual_wire_ms is not None:
            pair.wait = max(edge.wire_ms, pair.wait or 0.0)
            pair.usual = max(edge.usual_wire_ms, pair.usual or 0.0)
    return {
        ends: (pair.wait, pair.usual)
        for ends, pair in sorted(pairs.items())
        if pair.wait is not None
        and pair.usual is not None
        and min(pair.calls, pair.usual_calls) >= _WIRE_CALLS
    }
