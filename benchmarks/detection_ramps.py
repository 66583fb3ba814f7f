"""Ramps put on real background: how early they are warned of, and what the background alone raises.

The background is the metrics of the labelled hosts that vary, one in so many. Its limit lies as far
above its highest reading as that lies above its lowest; the ramp takes one of SPANS to get there,
from where the series is in the last third of the file.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from benchmarks import detection_labelled
from sentienguard.stages.detect.lanes.ramp import Ramp

SPANS: Final[Mapping[str, float]] = {"6_hours": 21_600.0, "1_day": 86_400.0, "3_days": 259_200.0}
_EACH: Final = 8  # of the metrics, one in so many
_FOLDERS: Final = ("asd", "smd")
_AIM: Final = 0.9  # of the time to the limit
_ROWS: Final = 9_000  # of a file, the last ones: enough, and minutes are not hours

Floats = NDArray[np.float64]


def run(data: Path, each: int = 1) -> dict[str, Any]:
    """Return, for each span, how many ramps are warned of in time, and warnings without one.

    Of the backgrounds one in `each` is taken.
    """
    backgrounds = [one for folder in _FOLDERS for one in _backgrounds(data / folder)][::each]
    weeks = sum(times[-1] - times[0] for times, _ in backgrounds) / 604_800.0
    alone = [_warnings(times, values, _limit(values)) for times, values in backgrounds]
    found: dict[str, Any] = {
        "backgrounds": len(backgrounds),
        "warnings_on_background_alone_per_series_and_week": round(
            sum(map(len, alone)) / max(weeks, 1e-9), 3
        ),
        "backgrounds_without_any_warning": round(
            sum(not one for one in alone) / max(len(alone), 1), 3
        ),
    }
    for name, span in SPANS.items():
        left = [_left(times, values, span) for times, values in backgrounds]
        shares = [one for one in left if one is not None]
        found[f"ramp_of_{name}"] = {
            "warned": round(sum(one > 0 for one in shares) / max(len(shares), 1), 3),
            "warned_with_90_percent_left": round(
                sum(one >= _AIM for one in shares) / max(len(shares), 1), 3
            ),
            "median_share_of_time_left": round(float(np.median(shares)), 3),
        }
    return found


def _backgrounds(folder: Path) -> list[tuple[Floats, Floats]]:
    found = []
    for path in sorted(folder.glob("*.csv")):
        times, readings = detection_labelled.read(path)
        times, readings = times[-_ROWS:], readings[-_ROWS:]
        varied = [one for one in range(readings.shape[1]) if np.ptp(readings[:, one]) > 0]
        found += [(times, readings[:, one]) for one in varied[::_EACH]]
    return found


def _limit(values: Floats) -> float:
    return float(2 * values.max() - values.min())


def _warnings(times: Floats, values: Floats, limit: float) -> list[int]:
    lane = Ramp(limit)
    return [
        row
        for row, (at, value) in enumerate(zip(times, values, strict=True))
        if lane.judge(float(at), float(value)) is not None
    ]


def _left(times: Floats, values: Floats, span: float) -> float | None:
    """Return the share of the time to the limit that the first warning leaves; 0: no warning."""
    start = 2 * len(times) // 3
    end = int(np.searchsorted(times, times[start] + span))
    if end >= len(times):
        return None
    limit = _limit(values)
    way = limit - float(np.median(values[start - 20 : start]))
    ramped = values.copy()
    ramped[start:end] += way * (times[start:end] - times[start]) / span
    ramped = np.minimum(ramped[:end], limit)
    warned = [row for row in _warnings(times[:end], ramped, limit) if row >= start]
    return float(1 - (times[warned[0]] - times[start]) / span) if warned else 0.0
