"""The deviation lane of one host: all its series judged at each sample.

Called by controlplane.intake, for `detector.Detector`. Rules:

1. Series that appear together are judged together (`cohorts`). A series that stays away is missing
   and learns nothing.
2. A host has at most `MOST_SERIES` judged series; more are not judged.
3. Nothing is said before a cohort was read `LEARNED` times over `LEAST_S`: its means are young.
4. A sample that is not newer than the last one is not judged, and teaches nothing.
"""

import base64
import json
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sentienguard.model.telemetry import Series
from sentienguard.stages.detect import kinds
from sentienguard.stages.detect.cohorts import Cohorts, Key
from sentienguard.stages.detect.lanes import deviation
from sentienguard.stages.detect.lanes.levels import Floats

MOST_SERIES: Final = 2000
LEARNED: Final = 120  # readings
LEAST_S: Final = 1800.0  # seconds that they span


@dataclass(frozen=True, slots=True)
class Deviating:
    """How far one reading is from every mean of its series."""

    sigma: float  # standard deviations, without sign
    step: float  # from the shortest mean, in the metric's unit


@dataclass(slots=True)
class _Cohort:
    """Series that appeared together."""

    keys: tuple[Key, ...]
    lane: deviation.Deviation
    began_s: float  # of its first reading
    here_s: float  # of its last one
    places: dict[Key, int] = field(init=False)  # in `keys`

    def __post_init__(self) -> None:
        self.places = {key: place for place, key in enumerate(self.keys)}


class _Found(NamedTuple):
    """What is said of a cohort's readings: most of it is never asked for."""

    places: Mapping[Key, int]
    here: NDArray[np.bool_]
    sigmas: Floats
    steps: Floats


class Deviations:
    """The cohorts of one host."""

    def __init__(self) -> None:
        """Begin knowing nothing."""
        self._cohorts: Cohorts[_Cohort] = Cohorts(MOST_SERIES)
        self._last_s = float("-inf")

    def judge(
        self, at: datetime, values: Mapping[Key, float]
    ) -> Callable[[Series], Deviating | None]:
        """Judge one sample and learn it; return what is said of each of its series.

        None of a series of which nothing can be said yet.
        """
        at_s = at.timestamp()
        if at_s <= self._last_s:
            return lambda _series: None  # rule 4
        self._last_s = at_s
        self._cohorts.admit(values, _by_baseline, lambda new: _begun(new, at_s))
        found: list[_Found] = []
        for cohort in self._cohorts:
            readings = np.array([values.get(key, np.nan) for key in cohort.keys])
            here = np.isfinite(readings)
            if not here.any():
                continue
            cohort.here_s = at_s
            sigmas = cohort.lane.judge(at_s, readings)
            if cohort.lane.seen <= LEARNED or at_s - cohort.began_s < LEAST_S:
                continue  # rule 3
            found.append(_Found(cohort.places, here, sigmas, cohort.lane.step))
        return lambda series: _of(found, (series.metric, series.subject))

    def state(self) -> str:
        """Return all that was learned, as text."""
        rows = [
            [
                [list(key) for key in one.keys],
                one.began_s,
                one.here_s,
                base64.b64encode(one.lane.state()).decode(),
            ]
            for one in self._cohorts
        ]
        whole = json.dumps({"last_s": self._last_s, "cohorts": rows}).encode()
        return base64.b64encode(zlib.compress(whole, 1)).decode()

    def restore(self, state: str) -> None:
        """Go on from what `state` returned. Raises ValueError where another release wrote it."""
        try:
            read = json.loads(zlib.decompress(base64.b64decode(state)))
            cohorts = [_cohort(row) for row in read["cohorts"]]
            last_s = float(read["last_s"])
        except (KeyError, TypeError, IndexError, zlib.error) as cause:
            message = f"no deviations: {cause}"
            raise ValueError(message) from cause
        self._cohorts, self._last_s = Cohorts(MOST_SERIES, cohorts), last_s


def _of(found: Sequence[_Found], key: Key) -> Deviating | None:
    for one in found:
        place = one.places.get(key)
        if place is not None and one.here[place]:
            return Deviating(float(one.sigmas[place]), float(one.steps[place]))
    return None


def _by_baseline(metric: str) -> bool:
    return kinds.kind_of(metric).by_baseline


def _begun(keys: tuple[Key, ...], at_s: float) -> _Cohort:
    return _Cohort(keys, deviation.Deviation(len(keys)), at_s, at_s)


def _cohort(row: Sequence[object]) -> _Cohort:
    names, began_s, here_s, learned = row
    if not isinstance(names, list) or not isinstance(learned, str):
        message = "a cohort: expected names and what was learned"
        raise TypeError(message)
    lane = deviation.Deviation(len(names))
    lane.restore(base64.b64decode(learned))
    keys = tuple((str(metric), str(subject)) for metric, subject in names)
    return _Cohort(keys, lane, float(str(began_s)), float(str(here_s)))
