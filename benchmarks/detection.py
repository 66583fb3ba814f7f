"""False alarms and delay on made series, labelled series with --data, cost, and the metric store.

Eight days of each series at one reading a minute: seven to learn from, one to judge. The row of the
seed is its own method: mean and standard deviation after one 3-sigma trim, 3 sigma either way.
"""

import contextlib
import sqlite3
import tempfile
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import detection_cost, detection_labelled, detection_ramps
from sentienguard.adapters.metric_blocks.store import BlockStore
from sentienguard.model.ids import AgentId
from sentienguard.model.telemetry import Sample, Series
from sentienguard.stages.detect import baseline
from sentienguard.stages.detect.detector import Detector, Recent
from sentienguard.stages.detect.settings import DetectSettings

_START = datetime(2026, 2, 5, tzinfo=UTC)
_DAY = 1440  # readings
_DISK = Series("bench-01", "system.disk_usage_percent", "/var")
_CPU = Series("bench-01", "system.cpu_percent")
_HOUR = 60  # readings that the trend looks back on
_QUICK = 5  # of the labelled files, one in so many

Floats = NDArray[np.float64]
Made = tuple[Series, Floats, int | None]  # readings of eight days; where the fault begins, if any
Alarms = Callable[[Series, Floats], list[int]]  # readings of the last day -> where alarms begin


def run(options: Mapping[str, Any]) -> dict[str, Any]:
    """Measure; option `seeds` (5) says how many series of each kind. Delays are in minutes.

    `data` is a directory of labelled series, `only` some of its folders, separated by commas;
    `quick` takes one in five of their files, for a look at whether everything runs.
    """
    each = _QUICK if str(options.get("quick") or "0") != "0" else 1
    seeds = int(options.get("seeds") or 5)
    labelled: dict[str, Any] = {}
    if options.get("data"):
        data, only = Path(options["data"]), str(options.get("only") or "")
        labelled = {
            "labelled": detection_labelled.run(data, [one for one in only.split(",") if one], each),
            "named_metrics": detection_labelled.named_metrics(data),
            "ramps": detection_ramps.run(data, each),
        }
    return {
        **labelled,
        "cost": detection_cost.run(),
        "ours": _row(_ours, seeds),
        "seed_method": _row(_seeds, seeds),
        "metric_store": _store(),
        "seeds": seeds,
    }


def _row(alarms: Alarms, seeds: int) -> dict[str, Any]:
    return {name: _score(make, alarms, seeds) for name, make in _MADE.items()}


def _score(
    make: Callable[[np.random.Generator], Made], alarms: Alarms, seeds: int
) -> dict[str, Any]:
    false, delays, missed = 0, [], 0
    for seed in range(seeds):
        series, values, fault = make(np.random.default_rng(seed))
        found = alarms(series, values)
        false += sum(fault is None or one < fault for one in found)
        if fault is not None:
            after = [one - fault for one in found if one >= fault]
            delays += after[:1]
            missed += not after
    delay = round(float(np.median(delays)), 1) if delays else None
    return {"false_alarms_per_day": round(false / seeds, 2), "delay_min": delay, "missed": missed}


def _ours(series: Series, values: Floats) -> list[int]:
    times = int(_START.timestamp() * 1000) + np.arange(len(values), dtype=np.int64) * 60_000
    profiles = baseline.learn_one(series, times[: 7 * _DAY], values[: 7 * _DAY], DetectSettings())
    detector, found = Detector(DetectSettings()), []
    moments = [_START + timedelta(minutes=minute) for minute in range(len(values))]
    for index in range(7 * _DAY, len(values)):
        past = slice(index - _HOUR, index)
        recent = tuple(zip(moments[past], values[past].tolist(), strict=True))
        sample = Sample(
            agent=AgentId("bench"),
            host=series.host,
            environment="production",
            tags={},
            seq=index,
            at=moments[index],
            values={(series.metric, series.subject): float(values[index])},
        )
        judged = detector.judge(sample, profiles.lookup(sample.at), _always(recent))
        if judged.anomalies:
            found.append(index)
    return found


def _always(recent: Recent) -> Callable[[Series], Recent]:
    return lambda _: recent


def _seeds(series: Series, values: Floats) -> list[int]:
    """Judge by the method of the seed; readings in a row count as one alarm."""
    del series
    past = values[: 7 * _DAY]
    kept = past[np.abs(past - past.mean()) <= 3 * past.std()]
    with np.errstate(divide="ignore", invalid="ignore"):
        far = np.abs(values[7 * _DAY :] - kept.mean()) / kept.std() >= 3  # noqa: PLR2004  the seed's
    starts = np.nonzero(far & ~np.concatenate([[False], far[:-1]]))[0]
    return [7 * _DAY + int(start) for start in starts]


def _noise(rng: np.random.Generator, mean: float, spread: float) -> Floats:
    return np.clip(mean + rng.normal(0, spread, 8 * _DAY), 0, 100)


def _nightly(rng: np.random.Generator) -> Made:
    values = _noise(rng, 71, 0.5)
    for day in range(8):
        start = day * _DAY + 120 + int(rng.integers(-5, 6))
        values[start : start + 25] += 21
    return _DISK, values, None


def _flat(rng: np.random.Generator) -> Made:
    values = np.full(8 * _DAY, 40.0)
    values[rng.integers(0, 8 * _DAY, 20)] += 0.1
    return _DISK, values, None


def _daily(rng: np.random.Generator) -> Made:
    minutes = np.arange(8 * _DAY)
    wave = 30 - 20 * np.cos(minutes / _DAY * 2 * np.pi)
    return _CPU, np.clip(wave + rng.normal(0, 3, len(minutes)), 0, 100), None


def _growth(rng: np.random.Generator) -> Made:
    values, fault = _noise(rng, 60, 0.3), 7 * _DAY + 600
    values[fault:] += np.minimum(np.arange(len(values) - fault) / 6, 40)  # 10 points an hour
    return _DISK, np.minimum(values, 100), fault


def _spike(rng: np.random.Generator) -> Made:
    _, values, _ = _daily(rng)
    fault = 7 * _DAY + 180  # at night, where 60 % is far from normal and at noon is not
    values[fault : fault + 60] = 60 + rng.normal(0, 3, 60)
    return _CPU, values, fault


_MADE: Mapping[str, Callable[[np.random.Generator], Made]] = {
    "nightly_backup": _nightly,
    "flat": _flat,
    "daily_wave": _daily,
    "growth": _growth,
    "night_spike": _spike,
}


def _size(path: Path) -> int:
    """Return the bytes of the file without the free pages that the tail left and will use again."""
    copy = path.with_suffix(".copy")
    with contextlib.closing(sqlite3.connect(path)) as raw:
        raw.execute("VACUUM INTO ?", (str(copy),))
    return copy.stat().st_size


def _store() -> dict[str, float]:
    """Append a day of one host (170 series), compact it, and read a series back."""
    rng = np.random.default_rng(1)
    series = [Series("bench-01", f"app.queue_{number}_percent") for number in range(170)]
    samples = _DAY
    values = np.round(50 + np.cumsum(rng.normal(0, 0.3, (samples, len(series))), axis=0), 1)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "metrics.db"
        metrics = BlockStore(path)
        began = time.perf_counter()
        for index, row in enumerate(values.tolist()):
            at = _START + timedelta(minutes=index, milliseconds=int(rng.integers(0, 20)))
            metrics.append(AgentId("bench"), at, list(zip(series, row, strict=True)))
        appended = time.perf_counter() - began
        began = time.perf_counter()
        moved = metrics.compact()
        compacted = time.perf_counter() - began
        began = time.perf_counter()
        found = metrics.range(series[3], _START, _START + timedelta(days=2))
        read = time.perf_counter() - began
        assert np.array_equal(found.values, values[:, 3])
        metrics.close()
        size = _size(path)
    return {
        "durable_appends_per_s": round(samples / appended),
        "durable_readings_per_s": round(values.size / appended),
        "compacted_readings_per_s": round(moved / compacted),
        "file_bytes_per_reading": round(size / values.size, 2),
        "read_day_of_one_series_ms": round(read * 1000, 3),
    }
