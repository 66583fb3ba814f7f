"""What a series normally does at a time of day, learned from its last seven days.

Rules, cited below by number:

1. An outlier is a reading beyond what *most days* reach at that time and far from the median as
   well. A backup that lifts the disk to 92 % every night at 02:00 is therefore normal there, and
   one bad night is not learned. The bounds come from medians, which outliers cannot move (a
   3-sigma trim computes its bounds from the outliers it is to find).
2. Each part of the day learns from its neighbours too, because jobs start a little early or late.
3. The spread is at least what the 99th percentile says it is: for a skewed series the plain
   standard deviation calls its own tail impossible.
4. The spread has a floor for each metric, absolute and relative, so that a constant series can be
   judged.
5. Less than a day of history has not seen the rest of the day: its spread counts double.

Readings are thinned by leaving some out, never averaged: averages would wander less than the
readings that are judged by them.
"""

import json
import math
import zlib
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from sentienguard.model.anomaly import Baseline
from sentienguard.model.telemetry import Series
from sentienguard.stages.detect import kinds
from sentienguard.stages.detect.kinds import Direction, Kind
from sentienguard.stages.detect.settings import DetectSettings

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]

_DAY_MS = 86_400_000
_COLUMNS = 4032  # readings of a week that are learned from: one each two and a half minutes
_GOLDEN = (5**0.5 - 1) / 2  # multiples of it, without their whole part, are spread evenly
_FAR = 6.0  # robust deviations from the median at which a reading may be an outlier
_FAR_DAY = 3.0  # the same for the highest (lowest) reading of a day
_ROBUST = 1.4826  # a median absolute deviation times this is a normal standard deviation
_P99_SIGMA = 2.326  # standard deviations between median and 99th percentile, if normal
_DAYS_FOR_RECURRENCE = 3  # "most days" means nothing below this
_YOUNG_SPREAD = 2.0  # rule 5
_MILLISECOND = timedelta(milliseconds=1)
_COUNTERS = ("_total", "_sum", "_count", "_bucket", ".total", ".sum", ".count")
_STEPS_OF_COUNTER = 50  # readings before growing means counting; one fall among as many: a restart
_FIELDS = 6  # mean, stddev, p50, p95, p99, samples


class Profiles:
    """The baselines of several series of one host, at every time of day.

    `table[series, part]` holds the fields of a baseline; part 0 is the whole window, part 1 + n the
    n-th bucket of the day. Where a bucket knows too little, its mean is NaN.
    """

    def __init__(self, rows: Mapping[Series, int], table: Floats) -> None:
        self._rows = rows
        self._table = table
        self._buckets = table.shape[1] - 1
        # Of the bucket that was asked for last. One tuple: threads that ask for different times
        # swap it as a whole, and nobody reads answers of another bucket.
        self._remembered: tuple[int, dict[Series, Baseline | None]] = (-1, {})

    def at(self, series: Series, when: datetime) -> Baseline | None:
        """Return what this series normally does at this time of day; None: not known."""
        return self.lookup(when)(series)

    def lookup(self, when: datetime) -> Callable[[Series], Baseline | None]:
        """Return the reader of one moment, as `Detector.judge` takes it; it remembers answers."""
        bucket = _bucket_of(_ms(when), self._buckets)
        remembered = self._remembered
        if remembered[0] != bucket:
            remembered = self._remembered = (bucket, {})
        cached = remembered[1]

        def read(series: Series) -> Baseline | None:
            if series not in cached:
                cached[series] = self._read(series, bucket)
            return cached[series]

        return read

    def between(
        self, series: Series, start: datetime, end: datetime
    ) -> Sequence[tuple[datetime, Baseline]]:
        """Return what is usual in each part of a span, with the moment from which on it is.

        Reads past what `lookup` remembers, which is of the moment that is being judged.
        """
        first, last = (_ms(at) * self._buckets // _DAY_MS for at in (start, end))
        found = []
        for number in range(first, last + 1):
            known = self._read(series, number % self._buckets)
            begins = start + _MILLISECOND * (number * _DAY_MS / self._buckets - _ms(start))
            if known is not None:
                found.append((max(begins, start), known))
        return found

    @property
    def readings(self) -> int:
        """How many readings all of them were learned from."""
        return int(np.nansum(self._table[:, 0, _FIELDS - 1]))

    def dump(self) -> bytes:
        """Write everything as bytes that `load` reads."""
        series = [[one.host, one.metric, one.subject, one.labels] for one in self._rows]
        head = json.dumps({"shape": self._table.shape, "series": series}).encode()
        return zlib.compress(head + b"\n" + self._table.astype("<f8").tobytes())

    def _read(self, series: Series, bucket: int) -> Baseline | None:
        row = self._rows.get(series)
        if row is None:
            return None
        for part, seasonal in ((1 + bucket, True), (0, False)):
            mean, stddev, p50, p95, p99, samples = self._table[row, part].tolist()
            if not math.isnan(mean):
                return Baseline(mean, stddev, p50, p95, p99, int(samples), seasonal)
        return None


def load(content: bytes) -> Profiles:
    """Read what `Profiles.dump` wrote. Raises ValueError for anything else."""
    try:
        head, table = zlib.decompress(content).split(b"\n", maxsplit=1)
        read = json.loads(head)
        rows = {_series_of(*names): index for index, names in enumerate(read["series"])}
        values = np.frombuffer(table, dtype="<f8").reshape(read["shape"])
    except (zlib.error, KeyError, TypeError) as error:
        raise ValueError(f"no profiles: {error}") from error
    return Profiles(rows, values.astype(np.float64))


def _series_of(
    host: str, metric: str, subject: str, labels: Sequence[Sequence[str]] = ()
) -> Series:
    """Name a series; what an earlier release wrote has no labels."""
    return Series(host, metric, subject, tuple((name, value) for name, value in labels))


def learn(
    series: Sequence[Series],
    times_ms: Ints,
    values: Floats,
    settings: DetectSettings,
) -> Profiles:
    """Learn the baselines of series that were read together.

    `times_ms` (T) is UTC milliseconds, ascending; `values` (series, T) holds the readings, NaN
    where one is missing. Readings older than the window before the last one are left out.
    """
    rows = {one: index for index, one in enumerate(series)}
    table = np.full((len(series), 1 + settings.buckets, _FIELDS), np.nan)
    times_ms, values = _recent(times_ms, np.asarray(values, dtype=np.float64), settings)
    span = timedelta(milliseconds=int(times_ms[-1] - times_ms[0])) if len(times_ms) else timedelta()
    if span < settings.least_span:
        return Profiles(rows, table)
    times_ms, values = _thinned(times_ms, np.where(np.isfinite(values), values, np.nan))
    known = [kinds.kind_of(one.metric) for one in series]
    days = times_ms // _DAY_MS
    table[:, 0] = _summaries(values, days, known, settings.least_readings)
    if span < timedelta(days=1):
        table[:, 0, 1] *= _YOUNG_SPREAD  # rule 5
    for bucket, columns in _columns_of_buckets(times_ms, settings):
        table[:, 1 + bucket] = _summaries(values[:, columns], days[columns], known, 1)
    return Profiles(rows, table)


def gridded(times_ms: Ints, values: Floats, start_ms: int, settings: DetectSettings) -> Floats:
    """Return one reading for each part of the window from `start_ms` on, NaN where there is none.

    For series that share no times: rows of the same grid can be learned from together. Which
    reading of a part it is differs evenly from part to part, as in `_thinned`.
    """
    edges = start_ms + np.arange(_COLUMNS + 1) * (settings.window / _COLUMNS // _MILLISECOND)
    first = np.searchsorted(times_ms, edges)
    counts = np.diff(first)
    places = first[:-1] + (np.arange(_COLUMNS) * _GOLDEN % 1.0 * counts).astype(np.int64)
    row = np.full(_COLUMNS, np.nan)
    row[counts > 0] = values[places[counts > 0]]
    return row


def grid_times(start_ms: int, settings: DetectSettings) -> Ints:
    """Return the beginning of each part that `gridded` gives a reading of."""
    step: int = settings.window / _COLUMNS // _MILLISECOND
    return start_ms + np.arange(_COLUMNS, dtype=np.int64) * step


def counts_up(metric: str, values: Floats) -> bool:
    """Tell whether readings are a counter, of which no level is normal.

    By its name as Prometheus and OpenTelemetry have it, or because it never falls but at a restart
    and mostly grows.
    """
    if metric.endswith(_COUNTERS):
        return True
    steps = np.diff(values[np.isfinite(values)])
    if len(steps) < _STEPS_OF_COUNTER:
        return False
    falls = int((steps < 0).sum())
    return falls * _STEPS_OF_COUNTER <= len(steps) and int((steps > 0).sum()) * 2 > len(steps)


def learn_one(series: Series, times_ms: Ints, values: Floats, settings: DetectSettings) -> Profiles:
    """Learn the baselines of one series from its readings, both arrays (T)."""
    return learn([series], times_ms, values.reshape(1, -1), settings)


def _ms(when: datetime) -> int:
    return round(when.timestamp() * 1000)


def _bucket_of(at_ms: int, buckets: int) -> int:
    return at_ms % _DAY_MS * buckets // _DAY_MS


def _recent(times_ms: Ints, values: Floats, settings: DetectSettings) -> tuple[Ints, Floats]:
    if not len(times_ms):
        return times_ms, values
    window_ms = settings.window // timedelta(milliseconds=1)
    first = int(np.searchsorted(times_ms, times_ms[-1] - window_ms))
    return times_ms[first:], values[:, first:]


def _thinned(times_ms: Ints, values: Floats) -> tuple[Ints, Floats]:
    """Keep one reading of every n; the last one stays.

    Which of the n differs from one to the next, evenly: always the same one would show a job that
    runs every n readings either always or never, and drop whole series that take turns.
    """
    stride = -(-len(times_ms) // _COLUMNS)
    ends = np.arange((len(times_ms) - 1) % stride, len(times_ms), stride)
    back = (np.arange(len(ends))[::-1] * _GOLDEN % 1.0 * stride).astype(np.int64)
    kept = np.maximum(ends - back, 0)
    return times_ms[kept], values[:, kept]


def _columns_of_buckets(times_ms: Ints, settings: DetectSettings) -> list[tuple[int, Ints]]:
    """Return what each part of the day that was seen on enough days learns from (rule 2)."""
    buckets = times_ms % _DAY_MS * settings.buckets // _DAY_MS
    days = times_ms // _DAY_MS
    found = []
    for bucket in range(settings.buckets):
        if len(np.unique(days[buckets == bucket])) < settings.seasonal_days:
            continue
        apart = np.abs(buckets - bucket)
        near = np.minimum(apart, settings.buckets - apart) <= 1
        found.append((bucket, np.nonzero(near)[0]))
    return found


def _summaries(values: Floats, days: Ints, known: Sequence[Kind], least: int) -> Floats:
    """Return the fields of a baseline for each row of readings; NaN where readings are too few."""
    ordered = np.sort(values, axis=1)  # NaN last
    counts = np.sum(np.isfinite(values), axis=1)
    floors = np.array([kind.floor for kind in known])
    low, high = _bounds(values, ordered, counts, days, floors)
    kept = (values >= low[:, None]) & (values <= high[:, None])
    samples = np.sum(kept, axis=1)
    divisor = np.maximum(samples, 1)
    mean = np.sum(np.where(kept, values, 0.0), axis=1) / divisor
    squares = np.where(kept, values - mean[:, None], 0.0) ** 2
    stddev = np.sqrt(np.sum(squares, axis=1) / divisor)
    skipped = np.sum(ordered < low[:, None], axis=1)
    p1, p50, p95, p99 = (_pick(ordered, skipped, samples, q) for q in (0.01, 0.5, 0.95, 0.99))
    upper, lower = (p99 - p50) / _P99_SIGMA, (p50 - p1) / _P99_SIGMA
    up = np.array([kind.direction is not Direction.DOWN for kind in known])
    down = np.array([kind.direction is not Direction.UP for kind in known])
    tail = np.fmax(np.where(up, upper, 0.0), np.where(down, lower, 0.0))  # rule 3
    relative = np.array([kind.relative_floor for kind in known]) * np.abs(mean)
    spread = np.maximum.reduce([stddev, tail, floors, relative])  # rule 4
    table = np.stack([mean, spread, p50, p95, p99, samples.astype(np.float64)], axis=1)
    table[samples < max(least, 1)] = np.nan
    return table


def _bounds(
    values: Floats, ordered: Floats, counts: Ints, days: Ints, floors: Floats
) -> tuple[Floats, Floats]:
    """Return the lowest and the highest reading of each row that is no outlier (rule 1)."""
    none = np.zeros_like(counts)
    median = _pick(ordered, none, counts, 0.5)
    deviation = np.sort(np.abs(values - median[:, None]), axis=1)
    spread = np.fmax(_ROBUST * _pick(deviation, none, counts, 0.5), floors)
    low, high = median - _FAR * spread, median + _FAR * spread
    groups = [values[:, days == day] for day in np.unique(days)]
    if len(groups) >= _DAYS_FOR_RECURRENCE:
        highest = np.stack([np.fmax.reduce(group, axis=1) for group in groups], axis=1)
        lowest = np.stack([np.fmin.reduce(group, axis=1) for group in groups], axis=1)
        high = np.fmax(high, _usual(highest, floors, 1.0))
        low = np.fmin(low, _usual(lowest, floors, -1.0))
    return low, high


def _usual(extremes: Floats, floors: Floats, sign: float) -> Floats:
    """Return how far most days go, and a little further in the direction of `sign`."""
    ordered = np.sort(extremes, axis=1)
    counts = np.sum(np.isfinite(extremes), axis=1)
    none = np.zeros_like(counts)
    median = _pick(ordered, none, counts, 0.5)
    deviation = np.sort(np.abs(extremes - median[:, None]), axis=1)
    spread = np.fmax(_ROBUST * _pick(deviation, none, counts, 0.5), floors)
    return median + sign * _FAR_DAY * spread


def _pick(ordered: Floats, skipped: Ints, counts: Ints, quantile: float) -> Floats:
    """Return a quantile of `counts` readings of each ordered row, after `skipped` ones."""
    if ordered.shape[1] == 0:
        return np.full(len(ordered), np.nan)
    last = ordered.shape[1] - 1
    position = quantile * np.maximum(counts - 1, 0)
    below = np.floor(position).astype(np.int64)
    part = position - below
    rows = np.arange(len(ordered))
    lower = ordered[rows, np.minimum(skipped + below, last)]
    upper = ordered[
        rows, np.minimum(skipped + np.minimum(below + 1, np.maximum(counts - 1, 0)), last)
    ]
    picked = lower + (upper - lower) * part
    return np.where(counts > 0, picked, np.nan)
