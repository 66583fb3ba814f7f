"""Series as deviations from what was usual before the symptom.

What is usual is the median before the symptom less a guard gap, because readings that are close to
an alert already hold its onset: without the gap a late alert makes the fault its own baseline.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sentienguard.model import diagnosis

Floats = NDArray[np.float64]

GUARD_MS: Final = 600_000  # ten minutes: what alert rules wait for, twice
GUARD_SHARE: Final = 2 / 3  # of what was observed before the symptom, at most
MOVED: Final = 4.0  # deviations from which on a series counts as moved
SAFE: Final = 2.0  # deviations below which an onset is traced back
_FLOOR: Final = 0.05  # of the usual level: what nobody would call a change
_FAILING: Final = 0.002  # of requests: failures that nobody would call a change
_FEW: Final = 5  # readings that do not show their noise
_FEW_FLOOR: Final = 0.2  # of the usual level, where there are only few readings

WORSE_UP: Final = frozenset(
    {
        diagnosis.MetricKind.LATENCY,
        diagnosis.MetricKind.ERRORS,
        diagnosis.MetricKind.CPU,
        diagnosis.MetricKind.MEMORY,
        diagnosis.MetricKind.DISK,
        diagnosis.MetricKind.SATURATION,
        diagnosis.MetricKind.BACKLOG,
        diagnosis.MetricKind.RESTARTS,
    }
)
WORSE_DOWN: Final = frozenset({diagnosis.MetricKind.AVAILABILITY, diagnosis.MetricKind.HIT_RATIO})
EFFECTS: Final = frozenset(  # what travels along calls, so that it may have come from elsewhere
    {
        diagnosis.MetricKind.LATENCY,
        diagnosis.MetricKind.ERRORS,
        diagnosis.MetricKind.AVAILABILITY,
    }
)


@dataclass(frozen=True, slots=True)
class Movement:
    """How far one series went from its usual level, in the direction that is worse."""

    object: str
    kind: diagnosis.MetricKind
    name: str
    usual: float  # level before
    peak: float  # the worst level since that held
    deviations: float  # robust deviations of the peak from the usual level, >= 0
    growth: float  # peak as a share of the usual level, less one, towards worse; >= 0
    onset_ms: int | None  # the first reading that had left the usual level for good


def badness(series: diagnosis.MetricSeries) -> Floats:
    """Give the readings turned so that up is worse; of an availability, the share that fails."""
    values = np.asarray(series.values, dtype=np.float64)
    if series.kind is diagnosis.MetricKind.AVAILABILITY:
        whole = 100.0 if values.size and values.max() > 1.0 else 1.0
        return (whole - values) / whole
    return -values if series.kind in WORSE_DOWN else values


def movements(snapshot: diagnosis.Snapshot) -> tuple[Movement, ...]:
    """Measure every series that has readings before and after the boundary."""
    found = (movement(series, snapshot) for series in snapshot.series)
    return tuple(
        sorted(
            (one for one in found if one is not None),
            key=lambda one: (-one.deviations, one.object, one.kind, one.name),
        )
    )


def boundary(snapshot: diagnosis.Snapshot) -> int:
    """Give the time before which readings are taken for normal."""
    if snapshot.symptom is None:
        return snapshot.since_ms
    gap = snapshot.symptom.at_ms - snapshot.since_ms
    return snapshot.symptom.at_ms - int(min(GUARD_MS, max(0.0, gap * GUARD_SHARE)))


def movement(series: diagnosis.MetricSeries, snapshot: diagnosis.Snapshot) -> Movement | None:
    """Measure one series; None where it has no reading on one of the sides."""
    times = np.asarray(series.times_ms, dtype=np.int64)
    worse = badness(series)
    before = times < boundary(snapshot)
    if not before.any() or before.all():
        return None
    level, scale = usual(worse[before], series.kind)
    distances = (worse - level) / scale
    if series.kind not in WORSE_UP | WORSE_DOWN:
        distances = np.abs(distances)
    held = np.where(before, -np.inf, _held(distances))
    top = int(np.argmax(held))
    deviations = float(max(0.0, held[top]))
    values = np.asarray(series.values, dtype=np.float64)
    usually, size = quantile(np.sort(values[before]), 0.5), abs(level)
    return Movement(
        object=series.object,
        kind=series.kind,
        name=series.name,
        usual=usually,
        peak=float(values[top]),
        deviations=deviations,
        growth=float(max(0.0, abs(worse[top] - level) / size)) if size else float("inf"),
        onset_ms=_onset(times, distances, top) if deviations >= MOVED else None,
    )


def usual(worse: Floats, kind: diagnosis.MetricKind) -> tuple[float, float]:
    """Give the level and the robust scale of readings that are taken for normal.

    The scale is never below a share of the level, so that a flat line does not make noise a fault.
    Of few readings the best is the level: the others may hold the onset, and no median outvotes it.
    """
    if worse.size <= _FEW:
        level = float(worse.min())
        return level, max(_FEW_FLOOR * abs(level), _least(kind))
    ordered = np.sort(worse)
    low, level, high = (quantile(ordered, share) for share in (0.25, 0.5, 0.75))
    off = quantile(np.sort(np.abs(worse - level)), 0.5)
    spread = max(1.4826 * off, (high - low) / 1.349)
    return level, max(spread, _FLOOR * abs(level), _least(kind))


def quantile(ordered: Floats, share: float) -> float:
    """Return what `np.quantile` returns for one share, the readings being in order already.

    An incident looks at a thousand short series, and it takes a hundred microseconds of each.
    """
    place = (ordered.size - 1) * share
    below = int(place)
    low, high = float(ordered[below]), float(ordered[min(below + 1, ordered.size - 1)])
    weight = place - below
    if weight >= 0.5:  # noqa: PLR2004 - from the nearer one, as NumPy does, to the same last bit
        return high - (high - low) * (1 - weight)
    return low + (high - low) * weight


def _least(kind: diagnosis.MetricKind) -> float:
    share = kind in {diagnosis.MetricKind.AVAILABILITY, diagnosis.MetricKind.ERRORS}
    return _FAILING if share else 1e-9


def _held(distances: Floats) -> Floats:
    """Give what each reading and the one after it both reach: one reading alone is a blip.

    The last reading stands alone, as nobody knows yet whether it holds.
    """
    following = np.concatenate((distances[1:], distances[-1:]))
    held: Floats = np.minimum(distances, following)
    return held


def _onset(times: NDArray[np.int64], distances: Floats, place: int) -> int:
    """Trace back from the peak to the reading that left the usual level first.

    That may lie before the guard gap: then the alert came very late.
    """
    while place > 0 and distances[place - 1] >= SAFE:
        place -= 1
    return int(times[place])


def by_object(found: Sequence[Movement]) -> Mapping[str, tuple[Movement, ...]]:
    """Group what moved by object, in a fixed order."""
    groups: dict[str, list[Movement]] = {}
    for one in found:
        groups.setdefault(one.object, []).append(one)
    return {name: tuple(groups[name]) for name in sorted(groups)}
