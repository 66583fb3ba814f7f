"""Where the excess of a symptom comes from, by an additive model of a call graph.

An object's time (or its failures) is its own and that of what it calls. What is in excess of usual
at the object with the symptom is handed down to callees in proportion to their own excess; what no
callee accounts for stays. Rules, cited below:
1. An effect counts only if its mediators moved: a callee in the noise gets nothing, and nothing
   passes through it to what it calls.
2. Load flows the other way. A callee that is asked more often than usual is charged for its usual
   number of requests only; the rest is the doing of whoever asks.
3. Readings count in proportion to how bad the symptom is at that moment.
4. What is usual includes the last readings before the symptom, because conditions drift; but not
   where the symptom was there already, noticed late: then a guard gap is kept.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from sentienguard.model import diagnosis
from sentienguard.stages.decide.diagnosis import readings, topology

_SIGNIFICANT: Final = 3.0  # robust deviations that a callee must have gone to count (rule 1)
_SYMPTOM: Final = 1.5  # the same for the symptom, which an alert stands behind already
COMMON: Final = 0.1  # of usual readings as bad as the symptom: then it is none
_CALLS: Final = frozenset(
    {diagnosis.EdgeKind.CALL, diagnosis.EdgeKind.DATASTORE, diagnosis.EdgeKind.QUEUE}
)


@dataclass(frozen=True, slots=True)
class Excess:
    """What one object has in excess of usual, weighed by the symptom."""

    mass: float  # time or failures of all its requests together, beyond usual
    deviations: float  # of its level from the usual one, weighed by the symptom


@dataclass(frozen=True, slots=True)
class Attribution:
    """How the symptom's excess divides."""

    shares: Mapping[str, float]  # object -> share of the symptom that is its own; sums up to 1
    paths: Mapping[str, tuple[str, ...]]  # object -> from it to the symptom, on the widest way
    excess: Mapping[str, Excess]
    common: float  # share of usual readings of the symptom that are as bad as its worst now


def attribute(snapshot: diagnosis.Snapshot) -> Attribution | None:
    """Divide the symptom among the objects below it.

    None where the symptom has no object, no calls, or no series with traffic to divide by; without
    shares where the symptom is nothing unusual.
    """
    symptom = snapshot.symptom
    if symptom is None or not symptom.object or symptom.kind not in readings.EFFECTS:
        return None
    levels = _series(snapshot, symptom.kind, symptom.metric)
    traffic = _series(snapshot, diagnosis.MetricKind.TRAFFIC, "")
    if symptom.object not in levels or symptom.object not in traffic:
        return None
    graph = topology.Graph.of(snapshot.edges, _CALLS)
    until_ms = _until(levels[symptom.object], snapshot)
    weights = _weights(levels[symptom.object], until_ms)
    common = _common(levels[symptom.object], until_ms)
    if _split(levels[symptom.object], until_ms) is None:
        return None
    if weights is None or common >= COMMON:
        return Attribution({}, {}, {}, common)
    excess = {
        name: one
        for name in sorted(levels)
        if name in traffic
        and (one := _excess(levels[name], traffic[name], weights, until_ms)) is not None
    }
    if symptom.object not in excess or excess[symptom.object].mass <= 0:
        return None
    shares: dict[str, float] = {}
    widest: dict[str, tuple[float, tuple[str, ...]]] = {}
    _hand_down(symptom.object, 1.0, (symptom.object,), graph, excess, shares, widest)
    return Attribution(
        shares=shares,
        paths={name: path for name, (_, path) in sorted(widest.items())},
        excess=excess,
        common=common,
    )


def _hand_down(  # noqa: PLR0917  one step of a recursion that carries what it fills
    name: str,
    amount: float,
    path: tuple[str, ...],
    graph: topology.Graph,
    excess: Mapping[str, Excess],
    shares: dict[str, float],
    widest: dict[str, tuple[float, tuple[str, ...]]],
) -> None:
    """Give each callee that moved its part of the amount, and keep the rest."""
    moved = [
        callee
        for callee in graph.dependencies(name)
        if callee not in path
        and callee in excess
        and excess[callee].deviations >= _SIGNIFICANT  # rule 1
        and excess[callee].mass > 0
    ]
    theirs = sum(excess[callee].mass for callee in moved)
    whole = max(theirs, excess[name].mass)
    own = amount * (1 - theirs / whole)
    shares[name] = shares.get(name, 0.0) + own
    if amount > widest.get(name, (0.0, ()))[0]:
        widest[name] = (amount, path)
    for callee in moved:
        part = amount * excess[callee].mass / whole
        _hand_down(callee, part, (callee, *path), graph, excess, shares, widest)


def _series(
    snapshot: diagnosis.Snapshot, kind: diagnosis.MetricKind, name: str
) -> Mapping[str, diagnosis.MetricSeries]:
    """Pick one series of the kind for each object: that of the name, or the first by name."""
    picked: dict[str, diagnosis.MetricSeries] = {}
    for series in snapshot.series:
        if series.kind is not kind:
            continue
        there = picked.get(series.object)
        if there is None or (series.name != name, series.name) < (there.name != name, there.name):
            picked[series.object] = series
    return picked


def _until(series: diagnosis.MetricSeries, snapshot: diagnosis.Snapshot) -> int:
    """Give the time that what is usual ends at (rule 4)."""
    at_ms = snapshot.symptom.at_ms if snapshot.symptom else snapshot.since_ms
    split = _split(series, at_ms)
    if split is None:
        return at_ms
    _, worse, before = split
    level, scale = readings.usual(worse[before], series.kind)
    late = _recent(worse[before]) - level >= readings.MOVED * scale
    return readings.boundary(snapshot) if late else at_ms


def _common(series: diagnosis.MetricSeries, until_ms: int) -> float:
    """Give the share of usual readings that are as bad as the worst since."""
    split = _split(series, until_ms)
    if split is None:
        return 1.0
    _, worse, before = split
    return float(np.mean(worse[before] >= worse[~before].max()))


def _weights(series: diagnosis.MetricSeries, until_ms: int) -> Mapping[int, float] | None:
    """Give each time since what is usual ended a weight, summing up to 1 (rule 3)."""
    split = _split(series, until_ms)
    if split is None:
        return None
    times, worse, before = split
    level, scale = readings.usual(worse[before], series.kind)
    level = max(level, _recent(worse[before]))
    beyond = np.where(~before, np.maximum(0.0, worse - level), 0.0)
    if beyond.max() < _SYMPTOM * scale:
        return None
    return {int(t): float(b / beyond.sum()) for t, b in zip(times, beyond, strict=True) if b > 0}


def _split(
    series: diagnosis.MetricSeries, until_ms: int
) -> tuple[np.ndarray, readings.Floats, np.ndarray] | None:
    """Give times, badness, and which of them lie wholly before the time."""
    times = np.asarray(series.times_ms, dtype=np.int64)
    if times.size < 2:  # noqa: PLR2004  one reading has no step
        return None
    step = int(np.median(np.diff(times)))
    before = times + step <= until_ms
    if not before.any() or before.all():
        return None
    return times, readings.badness(series), before


def _recent(worse: readings.Floats) -> float:
    """Give the level right before the symptom: conditions drift away from an old baseline."""
    return float(np.median(worse[-2:]))


def _excess(
    series: diagnosis.MetricSeries,
    traffic: diagnosis.MetricSeries,
    weights: Mapping[int, float],
    until_ms: int,
) -> Excess | None:
    split = _split(series, until_ms)
    if split is None:
        return None  # nothing was there before: what it does now was asked of it (rule 2)
    times, worse, before = split
    level, scale = readings.usual(worse[before], series.kind)
    level = max(level, _recent(worse[before]))
    counts = dict(zip(traffic.times_ms, traffic.values, strict=True))
    asked = [counts[time] for time in times[before].tolist() if time in counts]
    most = max(float(np.median(asked)), float(np.median(asked[-2:]))) if asked else 0.0
    beyond = dict(zip(times.tolist(), (worse - level).tolist(), strict=True))
    mass = deviations = 0.0
    for time, weight in weights.items():  # rule 3
        if time in beyond:
            requests = min(counts.get(time, 0.0), most)  # rule 2
            mass += weight * requests * beyond[time]
            deviations += weight * beyond[time] / scale
    return Excess(mass=mass, deviations=deviations)
