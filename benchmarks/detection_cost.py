"""What judging costs on one core, beside the seed's code and NumPy that recomputes a week.

Processor time, not wall time: other work on the machine shall not count. The lanes judge many
series at a time, as the control plane reads them.
"""

import gc
import time
from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sentienguard.stages.detect.lanes import (
    deviation,
    host,
    novelty,
    ramp,
    scalar,
    scalar_ramp,
)

_WEEK: Final = 20_160  # readings of a week, one each thirty seconds
_SERIES: Final = 4_096
_STEP_S: Final = 30.0
_DAYS: Final = 1_920  # readings of SLOW_S: the second half is after two days, where ramps are told
_SLOW_S: Final = 180.0
_GATHERED: Final = 10  # readings of thirty seconds in the five minutes that novelty looks at


def run() -> dict[str, Any]:
    """Measure series-readings a second, and bytes of state a series."""
    rng = np.random.default_rng(1)
    novel = _rate(novelty.Novelty(512), 512, 240, 300.0, rng)
    return {
        "deviation_per_s": _rate(deviation.Deviation(_SERIES), _SERIES, 240, _STEP_S, rng),
        "host_per_s": _rate(host.Host(_SERIES), _SERIES, 120, _STEP_S, rng),
        "ramp_per_s": _rate(ramp.Ramp([100.0] * _SERIES), _SERIES, _DAYS, _SLOW_S, rng),
        "novelty_states_per_s": novel,
        "novelty_readings_per_s": novel * _GATHERED,
        "bytes_a_series": {
            "deviation": _bytes(deviation.Deviation(100)),
            "novelty": _bytes(novelty.Novelty(100)),
            "host": _bytes(host.Host(100)),
            "ramp": _bytes(ramp.Ramp([100.0] * 100)),
        },
        "scalar_us_a_reading": _scalar_us(scalar.Deviation()),
        "scalar_ramp_us_a_reading": _scalar_us(scalar_ramp.Ramp(100.0)),
        "seed_code_per_s": _repeated(_seed, 5),
        "numpy_recomputing_a_week_per_s": _repeated(_recomputed, 200),
    }


def _rate(lane: Any, series: int, rows: int, step_s: float, rng: np.random.Generator) -> int:
    readings = rng.normal(50, 2, (rows, series)).astype(np.float32)
    warm = rows // 2
    for at in range(warm):
        lane.judge(at * step_s, readings[at])
    gc.collect()
    began = time.process_time()
    for at in range(warm, rows):
        lane.judge(at * step_s, readings[at])
    return round((rows - warm) * series / (time.process_time() - began))


def _scalar_us(lane: Any) -> float:
    """Return what a reading costs where there is no numpy, as on a host."""
    readings = np.random.default_rng(3).normal(50, 2, 20_000).tolist()
    began = time.process_time()
    for row, reading in enumerate(readings):
        lane.judge(row * _STEP_S, reading)
    return round((time.process_time() - began) / len(readings) * 1e6, 2)


def _repeated(judge: Callable[[NDArray[np.float64]], object], times: int) -> int:
    week = np.random.default_rng(2).normal(50, 2, _WEEK)
    began = time.process_time()
    for _ in range(times):
        judge(week)
    return round(times / (time.process_time() - began))


def _seed(week: NDArray[np.float64]) -> tuple[float, ...]:
    """Compute the seed's baseline as it is written: a list comprehension over a week's readings."""
    data = week.tolist()
    mean, spread = np.mean(data), np.std(data)
    kept = [one for one in data if abs(one - mean) <= 3 * spread]
    return (
        float(np.mean(kept)),
        float(np.std(kept)),
        *(float(np.percentile(kept, one)) for one in (50, 95, 99)),
    )


def _recomputed(week: NDArray[np.float64]) -> tuple[float, float]:
    mean, spread = week.mean(), week.std()
    kept = week[np.abs(week - mean) <= 3 * spread]
    return float(kept.mean()), float(kept.std())


def _bytes(lane: Any) -> int:
    """Return the bytes of the arrays of a lane of a hundred series, for each."""
    found: dict[int, int] = {}
    todo: list[Any] = [lane]
    while todo:
        one = todo.pop()
        if isinstance(one, np.ndarray):
            found[id(one)] = one.nbytes
        elif isinstance(one, list | tuple):
            todo.extend(one)
        elif type(one).__module__.startswith("sentienguard"):
            todo.extend(vars(one).values())
    return round(sum(found.values()) / 100)
