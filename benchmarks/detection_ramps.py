"""Ramps put on real background: how early they are warned of, and what the background alone raises.

The background is the metrics of the labelled hosts that vary, one in so many. Its limit lies as far
above its highest reading as that lies above its lowest; the ramp takes one of SPANS to get there,
from where the series is in the last third of the file. The lane was chosen on the hosts of
CHOSEN_ON; the others are reported apart. Beside the lane by itself stands what the running control
plane tells of the same (`detection_ramps_running`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from benchmarks import detection_labelled, detection_ramps_bound, detection_ramps_running
from sentienguard.model.anomaly import Anomaly
from sentienguard.stages.detect.lanes.ramp_definition import Ahead
from sentienguard.stages.detect.lanes.scalar_ramp import Ramp

SPANS: Final[Mapping[str, float]] = {"6_hours": 21_600.0, "1_day": 86_400.0, "3_days": 259_200.0}
CHOSEN_ON: Final = ("omi-1", "omi-3", "omi-8", "machine-1-6", "machine-2-8")
_EACH: Final = 8  # of the metrics, one in so many
_FOLDERS: Final = ("asd", "smd")
_AIM: Final = 0.9  # of the time to the limit
_ROWS: Final = 9_000  # of a file, the last ones: enough, and minutes are not hours
_WEEK_S: Final = 604_800.0
_HOUR_S: Final = 3_600.0

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Background:
    host: str
    times: Floats
    values: Floats

    @property
    def limit(self) -> float:
        return float(2 * self.values.max() - self.values.min())


@dataclass(frozen=True, slots=True)
class _Told:
    """What was told of one ramp, and what the bound says of it."""

    left: float  # share of the time to the limit that the first warning left; 0: no warning
    bound: float  # the same of the filters that know the background
    inside: bool | None  # whether the limit came within the interval of the warning
    running: float  # as `left`, of the control plane
    running_inside: bool | None  # as `inside`, of the same


@dataclass(frozen=True, slots=True)
class _Judged:
    background: _Background
    alone: int  # warnings without a ramp
    running_alone: tuple[Anomaly, ...]  # those of the control plane
    ramps: Mapping[str, _Told]


def run(data: Path, each: int = 1) -> dict[str, Any]:
    """Return, for each span, how many ramps are warned of in time, and warnings without one.

    Of the backgrounds one in `each` is taken.
    """
    backgrounds = [one for folder in _FOLDERS for one in _backgrounds(data / folder)][::each]
    judged = [_judged(one) for one in backgrounds]
    return {
        "all": _row(judged),
        "hosts_it_was_chosen_on": _row([one for one in judged if _chosen_on(one)]),
        "other_hosts": _row([one for one in judged if not _chosen_on(one)]),
    }


def _chosen_on(judged: _Judged) -> bool:
    return judged.background.host in CHOSEN_ON


def _row(judged: Sequence[_Judged]) -> dict[str, Any]:
    times = [one.background.times for one in judged]
    weeks = sum(one[-1] - one[0] for one in times) / _WEEK_S
    inside = [ramp.inside for one in judged for ramp in one.ramps.values()]
    running_inside = [ramp.running_inside for one in judged for ramp in one.ramps.values()]
    forecasts = [found.is_forecast for one in judged for found in one.running_alone]
    row: dict[str, Any] = {
        "backgrounds": len(judged),
        "warnings_on_background_alone_per_series_and_week": round(
            sum(one.alone for one in judged) / max(weeks, 1e-9), 3
        ),
        "backgrounds_without_any_warning": _share([not one.alone for one in judged]),
        "limit_within_the_interval": _share([one for one in inside if one is not None]),
        "running_forecasts_on_background_alone_per_series_and_week": round(
            sum(forecasts) / max(weeks, 1e-9), 3
        ),
        "running_worse_on_background_alone_per_series_and_week": round(
            (len(forecasts) - sum(forecasts)) / max(weeks, 1e-9), 3
        ),
        "running_backgrounds_without_any": _share([not one.running_alone for one in judged]),
        "running_limit_within_the_interval": _share(
            [one for one in running_inside if one is not None]
        ),
    }
    for name in SPANS:
        found = [one.ramps[name] for one in judged if name in one.ramps]
        row[f"ramp_of_{name}"] = {
            "ramps": len(found),
            "warned": _share([one.left > 0 for one in found]),
            "warned_with_90_percent_left": _share([one.left >= _AIM for one in found]),
            "median_share_of_time_left": _median([one.left for one in found]),
            "running_warned": _share([one.running > 0 for one in found]),
            "running_with_90_percent_left": _share([one.running >= _AIM for one in found]),
            "running_median_share_of_time_left": _median([one.running for one in found]),
            "bound_with_90_percent_left": _share([one.bound >= _AIM for one in found]),
            "bound_median_share_of_time_left": _median([one.bound for one in found]),
        }
    return row


def _share(held: Sequence[bool]) -> float:
    return round(sum(held) / max(len(held), 1), 3)


def _median(shares: Sequence[float]) -> float | None:
    return round(float(np.median(shares)), 3) if shares else None


def _backgrounds(folder: Path) -> list[_Background]:
    found = []
    for path in sorted(folder.glob("*.csv")):
        times, readings = detection_labelled.read(path)
        times, readings = times[-_ROWS:], readings[-_ROWS:]
        varied = [one for one in range(readings.shape[1]) if np.ptp(readings[:, one]) > 0]
        found += [_Background(path.stem, times, readings[:, one]) for one in varied[::_EACH]]
    return found


def _judged(background: _Background) -> _Judged:
    """Put each ramp that ends within the file on the background, and look when it is told."""
    times, values, limit = background.times, background.values, background.limit
    start = _start(background)
    put: dict[str, Floats] = {}
    for name, span in SPANS.items():
        end = int(np.searchsorted(times, times[start] + span))
        if end < len(times):
            put[name] = _ramped(background, start, end, span)
    least = detection_ramps_bound.least_shares(
        times, values, [(one, start) for one in put.values()]
    )
    running = detection_ramps_running.run(times, values, limit, start, put)
    told = {
        name: _told(background, ramped, SPANS[name], 1.0 - (share or 1.0), running.ramps[name])
        for (name, ramped), share in zip(put.items(), least, strict=True)
    }
    return _Judged(background, len(_warnings(times, values, limit)), running.alone, told)


def _start(background: _Background) -> int:
    return 2 * len(background.times) // 3


def _ramped(background: _Background, start: int, end: int, span: float) -> Floats:
    times, limit = background.times, background.limit
    ramped = background.values[:end].copy()
    way = limit - float(np.median(ramped[start - 20 : start]))
    ramped[start:] += way * (times[start:end] - times[start]) / span
    return np.minimum(ramped, limit)


def _warnings(times: Floats, values: Floats, limit: float) -> dict[int, Ahead]:
    """Return row -> what was told there."""
    lane = Ramp(limit)
    found = {}
    for row, (at, value) in enumerate(zip(times.tolist(), values.tolist(), strict=False)):
        ahead = lane.judge(at, value)
        if ahead is not None:
            found[row] = ahead
    return found


def _told(
    background: _Background,
    ramped: Floats,
    span: float,
    bound: float,
    running: Sequence[Anomaly],
) -> _Told:
    times, start = background.times, _start(background)
    tells = _by_control_plane(running, float(times[start]) + span)
    now, now_inside = (tells[0] / span, tells[1]) if tells else (0.0, None)
    told = _warnings(times, ramped, background.limit)
    first = min((row for row in told if row >= start), default=None)
    if first is None:
        return _Told(0.0, bound, None, now, now_inside)
    left_s = float(span - (times[first] - times[start]))
    inside = told[first].soonest_s <= left_s <= told[first].latest_s
    return _Told(left_s / span, bound, inside, now, now_inside)


def _by_control_plane(found: Sequence[Anomaly], ends_s: float) -> tuple[float, bool] | None:
    """Return the seconds that its first warning left, and whether its interval held the end."""
    if not found or found[0].trend is None:
        return None
    first = found[0].trend
    left_s = ends_s - found[0].at.timestamp()
    soonest, latest = first.soonest_hours or 0.0, first.latest_hours or np.inf
    return left_s, soonest * _HOUR_S <= left_s <= latest * _HOUR_S
