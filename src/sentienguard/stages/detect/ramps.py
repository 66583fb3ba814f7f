"""The ramp lane of one host: all its series that fill up, judged each five minutes.

Called by controlplane.intake, for `detector.Detector`. Rules:

1. Judged are series of kinds that say where they end and that they fill up (`kinds.Kind.by_trend`).
   Series that appear together are judged together (`cohorts`), at most `MOST_SERIES` of a host.
2. The lane gets the lowest reading of each `SLOT_S`, however often a host samples: it was chosen on
   series of one reading a minute and one each five. Where samples come less often, it gets each.
3. A ramp begins where the lane tells of it, and what it says of the time left is renewed whenever
   it sees it. It is over where the lane has not seen it for `OVER_S`, or where half of the rise is
   undone.
4. A sample that is not newer than the last one is not judged, and teaches nothing.
5. `unsaved` says that a ramp began or ended since `state`: a restart that forgot that would tell of
   it twice.
"""

import base64
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from sentienguard.stages.detect import kinds
from sentienguard.stages.detect.cohorts import Cohorts, Key
from sentienguard.stages.detect.lanes import ramp

Floats: TypeAlias = NDArray[np.float64]
SLOT_S: Final = 300.0  # seconds; at one reading a minute, a third fewer false warnings than without
MOST_SERIES: Final = 500
_NAMES_REMEMBERED: Final = 4096  # asked of each series of each sample; names come from hosts
OVER_S: Final = 6 * 3600.0  # seconds, and as long as its blocks hold: noise hides ramps for a while
_HOUR_S: Final = 3600.0
_UNDONE: Final = 0.5  # of the rise
_KEPT: Final = 6  # of a ramp: what `Ramping` says, in seconds, and when the lane saw it


@dataclass(frozen=True, slots=True)
class Ramping:
    """A series on its way to where it ends, unlike all that it did before."""

    per_hour: float  # in the unit of the series
    hours_left: float  # from the moment that is judged, at that rate
    soonest_hours: float  # the interval
    latest_hours: float
    undone_below: float  # a reading under it: the rise is undone
    lately: bool  # the lane sees it still; else it may have stopped


class _Cohort:
    """Series that appeared together."""

    __slots__ = ("here_s", "keys", "lane", "low", "ramping")

    def __init__(self, keys: tuple[Key, ...], here_s: float) -> None:
        self.keys = keys
        self.here_s = here_s  # of the last reading
        self.lane = ramp.Ramp([kinds.kind_of(metric).ceiling or np.nan for metric, _ in keys])
        self.low = np.full(len(keys), np.nan)  # of the slot at hand
        self.ramping = np.full((_KEPT, len(keys)), np.nan)  # NaN: no ramp

    def note(self, at_s: float, values: Mapping[Key, float]) -> None:
        readings = np.array([values.get(key, np.nan) for key in self.keys])
        readings[~np.isfinite(readings)] = np.nan
        if not np.isnan(readings).all():
            self.here_s = at_s
            np.fmin(self.low, readings, out=self.low)

    def close(self, at_s: float) -> bool:
        """Judge the slot that ended; tell whether a ramp began or ended (rule 3)."""
        before = np.isfinite(self.ramping[0])
        told = np.isfinite(self.lane.judge(at_s, self.low)[0])
        left, soonest, latest, per_s, rise, floor = self.lane.shown
        seen = np.isfinite(left) & (before | told)
        now = np.array([per_s, left, soonest, latest, floor - _UNDONE * rise, at_s + 0 * left])
        self.ramping[:, seen] = now[:, seen]
        hidden = ~self.lane.climbs & (at_s - self.ramping[5] > OVER_S)
        over = hidden | (self.low < self.ramping[4])
        self.ramping[:, over] = np.nan
        self.low[:] = np.nan
        return bool((np.isfinite(self.ramping[0]) != before).any())


class Ramps:
    """The cohorts of one host."""

    def __init__(self) -> None:
        """Begin knowing nothing."""
        self._cohorts: Cohorts[_Cohort] = Cohorts(MOST_SERIES)
        self._last_s = float("-inf")
        self.unsaved = False

    def judge(self, at: datetime, values: Mapping[Key, float]) -> Mapping[Key, Ramping]:
        """Judge one sample and learn it; return which series ramp, and how."""
        at_s = at.timestamp()
        if at_s > self._last_s:  # rule 4
            if at_s // SLOT_S != self._last_s // SLOT_S:
                for one in self._cohorts:
                    self.unsaved |= one.close(self._last_s)
            self._cohorts.admit(values, _fills, lambda new: _Cohort(new, at_s))
            for one in self._cohorts:
                one.note(at_s, values)
            self._last_s = at_s
        return self._found(at_s)

    def state(self) -> str:
        """Return all that was learned, as text."""
        rows = [
            [
                [list(key) for key in one.keys],
                one.here_s,
                _text(one.lane.state()),
                _text(np.vstack([one.low, one.ramping]).astype("<f8").tobytes()),
            ]
            for one in self._cohorts
        ]
        self.unsaved = False
        whole = json.dumps({"last_s": self._last_s, "cohorts": rows}).encode()
        return _text(zlib.compress(whole, 1))

    def restore(self, state: str) -> None:
        """Go on from what `state` returned. Raises ValueError where another release wrote it."""
        try:
            read = json.loads(zlib.decompress(base64.b64decode(state)))
            cohorts = [_cohort(row) for row in read["cohorts"]]
            last_s = float(read["last_s"])
        except (KeyError, TypeError, IndexError, zlib.error) as cause:
            message = f"no ramps: {cause}"
            raise ValueError(message) from cause
        self._cohorts, self._last_s = Cohorts(MOST_SERIES, cohorts), last_s
        self.unsaved = False

    def _found(self, at_s: float) -> dict[Key, Ramping]:
        found: dict[Key, Ramping] = {}
        for one in self._cohorts:
            for place in np.flatnonzero(np.isfinite(one.ramping[0])).tolist():
                lately = bool(one.lane.climbs[place])
                found[one.keys[place]] = _ramping(one.ramping[:, place].tolist(), at_s, lately)
        return found


@lru_cache(maxsize=_NAMES_REMEMBERED)
def _fills(metric: str) -> bool:
    kind = kinds.kind_of(metric)
    return kind.by_trend and kind.ceiling is not None


def _ramping(kept: Sequence[float], at_s: float, lately: bool) -> Ramping:  # noqa: FBT001
    per_s, left_s, soonest_s, latest_s, undone_below, seen_s = kept
    passed_s = at_s - seen_s
    left, soonest, latest = (
        max(one - passed_s, 0.0) / _HOUR_S for one in (left_s, soonest_s, latest_s)
    )
    return Ramping(per_s * _HOUR_S, left, soonest, latest, undone_below, lately)


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _cohort(row: Sequence[object]) -> _Cohort:
    names, here_s, learned, rest = row
    if not isinstance(names, list) or not isinstance(learned, str) or not isinstance(rest, str):
        message = "a cohort: expected names and what was learned"
        raise TypeError(message)
    keys = tuple((str(metric), str(subject)) for metric, subject in names)
    made = _Cohort(keys, float(str(here_s)))
    made.lane.restore(base64.b64decode(learned))
    kept = np.frombuffer(base64.b64decode(rest), dtype="<f8").reshape(1 + _KEPT, len(keys))
    made.low, made.ramping = kept[0].copy(), kept[1:].copy()
    return made
