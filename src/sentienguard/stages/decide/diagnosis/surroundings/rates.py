"""Series of other systems as they count up, to what they say of each stretch of time.

Prometheus and OpenTelemetry send totals since a process began. A total says nothing by its level,
so a `_total` becomes a rate, and the `_sum` and `_count` of a histogram become a mean.
"""

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sentienguard.model.diagnosis import MetricKind
from sentienguard.model.telemetry import Series
from sentienguard.stages.decide.diagnosis.surroundings import kinds


@dataclass(frozen=True, slots=True)
class Points:
    """Readings of one series, ascending in time."""

    times_ms: tuple[int, ...]
    values: tuple[float, ...]


def told(raw: Mapping[Series, Points]) -> Iterator[tuple[Series, MetricKind, Points]]:
    """Return what each series says, in order; one that says nothing by itself is left out."""
    for series in sorted(raw):
        kind = kinds.others(series.metric)
        if kind is None or series.metric.endswith(kinds.BUCKET):
            continue
        if series.metric.endswith(kinds.COUNT):
            yield series, MetricKind.TRAFFIC, rate(raw[series])
        elif series.metric.endswith(kinds.SUM):
            count = raw.get(_beside(series, kinds.SUM, kinds.COUNT))
            if count is not None:
                yield series, kind, mean(raw[series], count)
        elif series.metric.endswith(kinds.TOTAL):
            yield series, kind, rate(raw[series])
        else:
            yield series, kind, raw[series]


def rate(total: Points) -> Points:
    """Return what was added in each second between two readings; a fall is a new beginning."""
    times, values = [], []
    for at, before, now, earlier in _steps(total):
        times.append(at)
        values.append((now if now < before else now - before) * 1000 / (at - earlier))
    return Points(tuple(times), tuple(values))


def mean(total: Points, count: Points) -> Points:
    """Return the mean of what was added between two readings, where anything was."""
    counted = dict(zip(count.times_ms, count.values, strict=True))
    times, values = [], []
    for at, before, now, earlier in _steps(total):
        many = counted.get(at, 0.0) - counted.get(earlier, 0.0)
        if many > 0 and now >= before:
            times.append(at)
            values.append((now - before) / many)
    return Points(tuple(times), tuple(values))


def _steps(total: Points) -> Iterator[tuple[int, float, float, int]]:
    """Return time and both values of each step, and the time that it began."""
    pairs = list(zip(total.times_ms, total.values, strict=True))
    for (earlier, before), (at, now) in itertools.pairwise(pairs):
        if at > earlier:
            yield at, before, now, earlier


def _beside(series: Series, end: str, other: str) -> Series:
    name = series.metric.removesuffix(end) + other
    return Series(series.host, name, series.subject, series.labels)
