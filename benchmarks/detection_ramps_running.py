"""Ramps on real background through what the control plane runs: its lane, its detector, its words.

Called by `detection_ramps`. Each background becomes a series that fills up (`METRIC`), in percent
of the way from its lowest reading to its limit: by construction of the limit it lies between 0 and
50 %. Each sample goes through `stages.detect.ramps` and `stages.detect.detector` as in
controlplane.intake, with baselines learned anew each six hours from what lay before. Counted are
anomalies on the ground of a trend; those of severity info are forecasts, for people.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sentienguard.model.anomaly import Anomaly, Ground
from sentienguard.model.ids import AgentId
from sentienguard.model.telemetry import Sample, Series
from sentienguard.stages.detect import baseline
from sentienguard.stages.detect.detector import Detector, Recent
from sentienguard.stages.detect.ramps import Ramps
from sentienguard.stages.detect.settings import DetectSettings

METRIC: Final = "system.memory_percent"
_SERIES: Final = Series("bench-01", METRIC)
_LEARNED_EACH_S: Final = 6 * 3600.0
_RECENT_S: Final = 3600.0
_SETTINGS: Final = DetectSettings()

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Run:
    """What the control plane tells of one background."""

    alone: tuple[Anomaly, ...]  # without a ramp
    ramps: Mapping[str, tuple[Anomaly, ...]]  # from where the ramp begins, by its name


def run(times: Floats, values: Floats, limit: float, start: int, put: Mapping[str, Floats]) -> Run:
    """Judge a background and the ramps put on it, which begin at row `start`.

    Until then all are the same, so that they go on from one state.
    """
    lowest = float(values.min())
    series = {name: 100.0 * (one - lowest) / (limit - lowest) for name, one in put.items()}
    alone = 100.0 * (values - lowest) / (limit - lowest)
    before = _Judge()
    found = before.take(times, alone, 0, start)
    ramps = {
        name: tuple(before.fork().take(times, one, start, len(one))) for name, one in series.items()
    }
    return Run((*found, *before.take(times, alone, start, len(alone))), ramps)


class _Judge:
    """One host with one series."""

    def __init__(self) -> None:
        self.lane, self.detector = Ramps(), Detector(_SETTINGS)
        self.profiles: baseline.Profiles | None = None
        self.learned_s = 0.0

    def fork(self) -> "_Judge":
        """Return another that knows the same, as after a restart."""
        made = _Judge()
        made.lane.restore(self.lane.state())
        made.detector.restore(self.detector.state())
        made.profiles, made.learned_s = self.profiles, self.learned_s
        return made

    def take(self, times: Floats, percents: Floats, first: int, end: int) -> list[Anomaly]:
        found: list[Anomaly] = []
        rows = zip(times[first:end].tolist(), percents[first:end].tolist(), strict=True)
        for row, (at_s, value) in enumerate(rows, first):
            if at_s - self.learned_s >= _LEARNED_EACH_S and row:
                self._learn(times, percents, row)
            at = datetime.fromtimestamp(at_s, UTC)
            sample = Sample(
                agent=AgentId("bench"), host=_SERIES.host, environment="production", tags={},
                seq=row, at=at, values={(METRIC, ""): value},
            )  # fmt: skip
            judged = self.detector.judge(
                sample,
                self.profiles.lookup(at) if self.profiles else lambda _series: None,
                lambda _series, row=row: _recent(times, percents, row),  # type: ignore[misc]
                ramps=self.lane.judge(at, sample.values),
            )
            found += [one for one in judged.anomalies if one.ground is Ground.TREND]
        return found

    def _learn(self, times: Floats, percents: Floats, row: int) -> None:
        since = int(np.searchsorted(times, times[row] - _SETTINGS.window.total_seconds()))
        past = slice(since, row)
        times_ms = np.round(times[past] * 1000).astype(np.int64)
        self.profiles = baseline.learn_one(_SERIES, times_ms, percents[past], _SETTINGS)
        self.learned_s = float(times[row])


def _recent(times: Floats, percents: Floats, row: int) -> Recent:
    past = slice(int(np.searchsorted(times, times[row] - _RECENT_S)), row + 1)
    pairs = zip(times[past].tolist(), percents[past].tolist(), strict=True)
    return tuple((datetime.fromtimestamp(at, UTC), value) for at, value in pairs)
