"""Series as deviations from what was usual before the symptom.

What is usual is the median before the symptom less a guard gap, because readings that are close to
an alert already hold its onset: without the gap a late alert makes the fault its own baseline.
"""

from collections.abc import Iterator, Mapping, Sequence
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

    def told(self) -> str:
        """Say it in four digits that count: 2,980,000 and not 2.98e+06."""
        usual, peak = (f"{float(f'{level:.4g}'):,.15g}" for level in (self.usual, self.peak))
        return f"{self.name or self.kind} went from {usual} to {peak}"


def badness(series: diagnosis.MetricSeries, values: Floats | None = None) -> Floats:
    """Give the readings turned so that up is worse; of an availability, the share that fails.

    `values` are those of the series where they are an array already.
    """
    if values is None:
        values = np.asarray(series.values, dtype=np.float64)
    if series.kind is diagnosis.MetricKind.AVAILABILITY:
        whole = 100.0 if values.size and values.max() > 1.0 else 1.0
        return (whole - values) / whole
    return -values if series.kind in WORSE_DOWN else values


def movements(snapshot: diagnosis.Snapshot) -> tuple[Movement, ...]:
    """Measure every series that has readings before and after the boundary."""
    at_ms = boundary(snapshot)
    clocks: dict[tuple[int, ...], list[int]] = {}
    for place, series in enumerate(snapshot.series):
        clocks.setdefault(series.times_ms, []).append(place)
    found: dict[int, Movement] = {}
    for places in clocks.values():
        moved = _moved([snapshot.series[place] for place in places], at_ms)
        found |= zip(places, moved, strict=False)  # all of them have one, or none
    return tuple(
        sorted(
            (found[place] for place in sorted(found)),
            key=lambda one: (-one.deviations, one.object, one.kind, one.name),
        )
    )


def boundary(snapshot: diagnosis.Snapshot) -> int:
    """Give the time before which readings are taken for normal."""
    if snapshot.symptom is None:
        return snapshot.since_ms
    gap = snapshot.symptom.at_ms - snapshot.since_ms
    return snapshot.symptom.at_ms - int(min(GUARD_MS, max(0.0, gap * GUARD_SHARE)))


def _moved(together: Sequence[diagnosis.MetricSeries], at_ms: int) -> Iterator[Movement]:
    """Measure series that were read at the same times: a host's are, and there are hundreds.

    Each is a row. What is computed of a row is what would be computed of it alone, to the last bit.
    """
    times = np.asarray(together[0].times_ms, dtype=np.int64)
    before = times < at_ms
    if not before.any() or before.all():  # no reading on one of the sides
        return
    values = np.asarray([one.values for one in together], dtype=np.float64)
    worse = np.stack([badness(one, row) for one, row in zip(together, values, strict=True)])
    levels, scales = _usual(worse[:, before], np.array([_least(one.kind) for one in together]))
    distances = (worse - levels[:, None]) / scales[:, None]
    either = np.array([one.kind not in WORSE_UP | WORSE_DOWN for one in together])
    distances[either] = np.abs(distances[either])
    held = np.where(before, -np.inf, _held(distances))
    tops = np.argmax(held, axis=1)
    usually = quantile(np.sort(values[:, before]), 0.5)
    for row, series in enumerate(together):
        top, size = int(tops[row]), abs(float(levels[row]))
        deviations = float(max(0.0, held[row, top]))
        gone = abs(float(worse[row, top]) - float(levels[row]))
        yield Movement(
            object=series.object,
            kind=series.kind,
            name=series.name,
            usual=float(usually[row]),
            peak=float(values[row, top]),
            deviations=deviations,
            growth=max(0.0, gone / size) if size else float("inf"),
            onset_ms=_onset(times, distances[row], top) if deviations >= MOVED else None,
        )


def usual(worse: Floats, kind: diagnosis.MetricKind) -> tuple[float, float]:
    """Give the level and the robust scale of readings that are taken for normal.

    The scale is never below a share of the level, so that a flat line does not make noise a fault.
    Of few readings the best is the level: the others may hold the onset, and no median outvotes it.
    """
    levels, scales = _usual(worse[None, :], np.array([_least(kind)]))
    return float(levels[0]), float(scales[0])


def _usual(worse: Floats, least: Floats) -> tuple[Floats, Floats]:
    """Give level and scale of each row; `least` are the smallest scales."""
    levels: Floats
    scales: Floats
    if worse.shape[1] <= _FEW:
        levels = worse.min(axis=1)
        scales = np.maximum(_FEW_FLOOR * np.abs(levels), least)
        return levels, scales
    ordered = np.sort(worse)
    low, levels, high = (quantile(ordered, share) for share in (0.25, 0.5, 0.75))
    off = quantile(np.sort(np.abs(worse - levels[:, None])), 0.5)
    spread = np.maximum(1.4826 * off, (high - low) / 1.349)
    scales = np.maximum(np.maximum(spread, _FLOOR * np.abs(levels)), least)
    return levels, scales


def quantile(ordered: Floats, share: float) -> Floats:
    """Return what `np.quantile` returns for one share of each row, each being in order already.

    An incident looks at hundreds of short series, and it takes a hundred microseconds of each.
    """
    last = ordered.shape[-1] - 1
    place = last * share
    below = int(place)
    low: Floats = ordered[..., below]
    high: Floats = ordered[..., min(below + 1, last)]
    weight = place - below
    nearer = weight >= 0.5  # noqa: PLR2004 - from that one, as NumPy does, to the same last bit
    found: Floats = high - (high - low) * (1 - weight) if nearer else low + (high - low) * weight
    return found


def _least(kind: diagnosis.MetricKind) -> float:
    share = kind in {diagnosis.MetricKind.AVAILABILITY, diagnosis.MetricKind.ERRORS}
    return _FAILING if share else 1e-9


def _held(distances: Floats) -> Floats:
    """Give what each reading of a row and the one after it both reach: one alone is a blip.

    The last reading stands alone, as nobody knows yet whether it holds.
    """
    following = np.concatenate((distances[..., 1:], distances[..., -1:]), axis=-1)
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
