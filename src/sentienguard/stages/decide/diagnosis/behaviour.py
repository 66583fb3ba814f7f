"""Requests that do other things than they used to: lines not written, calls not made, errors.

Everything is compared for each request of one operation, so neither load nor a shifted mix of
requests counts. Rules, cited below:
1. What vanished counts by how completely it vanished: a line that every request wrote and none
   writes now is a change of the code's way, a line that half of them write is a change of what
   people ask for.
2. What is newly written never makes a claim stronger, because anybody who can write to a log can
   write anything. It tells the kind of fault: who writes something else went another way, who
   only stops was aborted. Where nothing vanished or failed, it makes a claim of text alone.
3. Who calls something that changed changes too. It is charged for what exceeds its callees' change.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sentienguard.model import diagnosis
from sentienguard.stages.decide.diagnosis import claims, topology

_BAD: Final = frozenset({"error", "fatal", "critical", "severe", "panic"})
_ALARMING: Final = _BAD | {"warn", "warning"}  # whose absence is good news
_EXPLAINED: Final = 0.6  # of a callee's change that its caller's is taken to come from (rule 3)
_LEAST_CALLS: Final = 2  # requests on either side below which nothing is compared
_CHANCE: Final = 2.0  # standard deviations that some of a thousand comparisons reach by chance
_HALF: Final = 2.0  # change beyond chance (standard deviations, by completeness) of strength 1/2

CAUSE_WRONG: Final = "wrong_answer"  # requests go another way than they used to
CAUSE_ABORTED: Final = "aborted"  # requests stop halfway

_Operation = tuple[str, str]  # object, operation


@dataclass(frozen=True, slots=True)
class _Change:
    """How one thing that requests of an operation do has changed."""

    operation: _Operation
    what: str
    size: float  # standard deviations, weighed by how complete it is
    new: bool  # something that is newly written; otherwise something that vanished or failed


def claims_of(snapshot: diagnosis.Snapshot) -> tuple[claims.Claim, ...]:
    """Say which objects' requests behave unlike before, deepest first."""
    calls = _calls(snapshot.traces)
    own: dict[str, list[_Change]] = {}
    for change in (
        *_lines(snapshot.logs, calls),
        *_missing_calls(snapshot.traces, calls),
        *_failures(calls),
    ):
        own.setdefault(change.operation[0], []).append(change)
    sizes = {name: _largest(found) for name, found in own.items()}
    graph = topology.Graph.of(edges(snapshot))
    return tuple(
        _claim(
            name,
            own[name],
            sizes[name],
            max((sizes.get(below, 0.0) for below in _below(name, graph)), default=0.0),
        )
        for name in sorted(own)
    )


def _largest(changes: Sequence[_Change]) -> float:
    return max((change.size for change in changes if not change.new), default=0.0)


def _claim(name: str, changes: Sequence[_Change], size: float, deepest: float) -> claims.Claim:
    """Judge one object by what vanished or failed there, and by its callees' (rules 2 and 3)."""
    ordered = sorted(changes, key=lambda one: (one.new, -one.size, one.what))
    written = [change for change in ordered if change.new]
    if not size:
        return claims.Claim(
            object=name,
            cause=CAUSE_WRONG,
            strength=claims.strength(written[0].size, _HALF),
            evidence=tuple(change.what for change in written[:3]),
            against=("nothing but its own lines speaks for it",),
            text_alone=True,
        )
    elsewhere = any(change.operation == ordered[0].operation for change in written)
    return claims.Claim(
        object=name,
        cause=CAUSE_WRONG if elsewhere else CAUSE_ABORTED,
        strength=claims.strength(size - _EXPLAINED * deepest, _HALF),
        evidence=tuple(change.what for change in (*ordered[:2], *written[:1])),
        against=("what it calls changed as well",) if deepest > 0 else (),
    )


@dataclass(frozen=True, slots=True)
class _Calls:
    now: float
    usual: float
    failed: float
    failed_usual: float


def _calls(traces: Iterable[diagnosis.TraceEdge]) -> Mapping[_Operation, _Calls]:
    """Count the requests of each operation, whoever calls."""
    sums: dict[_Operation, list[float]] = {}
    for edge in traces:
        if edge.usual_calls is None:
            continue
        counts = sums.setdefault((edge.callee, edge.operation), [0.0] * 4)
        for place, count in enumerate(
            (edge.calls, edge.usual_calls, edge.errors, edge.usual_errors or 0.0)
        ):
            counts[place] += count
    return {
        operation: _Calls(*counts)
        for operation, counts in sorted(sums.items())
        if min(counts[:2]) >= _LEAST_CALLS
    }


def _lines(
    logs: Iterable[diagnosis.LogTemplate], calls: Mapping[_Operation, _Calls]
) -> Iterable[_Change]:
    for line in logs:
        operation = (line.object, line.operation)
        if line.usual is None or operation not in calls:
            continue
        there = calls[operation]
        new = line.count * there.usual > line.usual * there.now
        bad = line.severity in _BAD
        size = _size(line.count, there.now, line.usual, there.usual, gain=new)
        if size > 0 and (bad if new else line.severity not in _ALARMING):
            rates = f"{line.usual:g} of {there.usual:g} before, {line.count:g} of {there.now:g} now"
            verb = "write an error" if new else "no longer write"
            what = f"requests of {operation[1]} {verb} ({rates}): {line.text[:80]}"
            yield _Change(operation, what, size, new=new)


def _missing_calls(
    traces: Iterable[diagnosis.TraceEdge], calls: Mapping[_Operation, _Calls]
) -> Iterable[_Change]:
    sums: dict[tuple[_Operation, _Operation], list[float]] = {}
    for edge in traces:
        if edge.caller and edge.usual_calls is not None:
            key = ((edge.caller, edge.within), (edge.callee, edge.operation))
            counts = sums.setdefault(key, [0.0, 0.0])
            counts[0] += edge.calls
            counts[1] += edge.usual_calls
    for (operation, callee), (now, before) in sorted(sums.items()):
        if operation in calls:
            there = calls[operation]
            size = _size(now, there.now, before, there.usual, gain=False)
            if size > 0:
                yield _Change(
                    operation,
                    f"{operation[1]} no longer calls {' '.join(callee)}",
                    size,
                    new=False,
                )


def _failures(calls: Mapping[_Operation, _Calls]) -> Iterable[_Change]:
    for operation, there in calls.items():
        size = _size(there.failed, there.now, there.failed_usual, there.usual, gain=True)
        if size > 0:
            what = f"{there.failed:g} of {there.now:g} requests of {operation[1]} fail"
            yield _Change(operation, what, size, new=False)


def _size(now: float, of: float, before: float, out_of: float, *, gain: bool) -> float:
    """Measure a change of rate for the worse: how sure, by how complete (rule 1)."""
    rate, usual = min(1.0, now / of), min(1.0, before / out_of)
    if (rate <= usual) if gain else (rate >= usual):
        return 0.0
    complete = (rate - usual) / (1 - usual) if gain else 1 - rate / usual
    return max(0.0, _sureness(rate, of, usual, out_of) - _CHANCE) * complete**2


def _sureness(rate: float, of: float, usual: float, out_of: float) -> float:
    """Give the root of the log likelihood ratio of two rates: standard deviations, about."""
    pooled = (rate * of + usual * out_of) / (of + out_of)
    gained = (
        _likelihood(rate, of, rate)
        + _likelihood(usual, out_of, usual)
        - _likelihood(rate, of, pooled)
        - _likelihood(usual, out_of, pooled)
    )
    return math.sqrt(max(0.0, 2 * gained))


def _likelihood(rate: float, of: float, chance: float) -> float:
    hits, misses = rate * of, (1 - rate) * of
    return (hits * math.log(chance) if hits else 0.0) + (
        misses * math.log(1 - chance) if misses else 0.0
    )


def edges(snapshot: diagnosis.Snapshot) -> Iterable[diagnosis.Edge]:
    """Yield what depends on what, as the snapshot says and as its traces show."""
    yield from snapshot.edges
    for edge in snapshot.traces:
        if edge.caller and edge.caller != edge.callee:
            yield diagnosis.Edge(edge.caller, edge.callee)


def _below(name: str, graph: topology.Graph) -> Iterable[str]:
    """Give everything that a request to it may pass."""
    seen = {name}
    line = [name]
    while line:
        for below in graph.dependencies(line.pop(0)):
            if below not in seen:
                seen.add(below)
                line.append(below)
                yield below
