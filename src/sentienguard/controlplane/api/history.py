"""The past of a host's series, out of another system, so that baselines need no week to be of use.

Only readings of before the host's own are taken: what an agent measured is never replaced, and the
same import again changes nothing.
"""

import math
import re
from datetime import timedelta
from typing import Annotated

import numpy as np
from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from sentienguard.controlplane.api.caller import Caller, needs
from sentienguard.controlplane.problems import not_found
from sentienguard.model import errors
from sentienguard.model.access import Permission
from sentienguard.model.telemetry import Series
from sentienguard.ports.agent_store import Agent
from sentienguard.ports.metric_store import Readings, Retention
from sentienguard.stages.observe import payload

router = APIRouter(prefix="/api/v1/history", tags=["history"])
Importer = Annotated[Caller, Depends(needs(Permission.CHANGE_SETTINGS))]
MOST_READINGS = 20_000  # in one request
_METRIC = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+")


class HistoryWrong(errors.Rejected):
    """The readings are not the past of a series."""


class Stretch(BaseModel):
    """Readings of one series, ascending in time."""

    host: str = Field(max_length=200)
    metric: str = Field(max_length=200)
    subject: str = Field("", max_length=500)
    times_ms: list[int] = Field(max_length=MOST_READINGS)
    values: list[float] = Field(max_length=MOST_READINGS)


class Kept(BaseModel):
    """What became of a stretch."""

    kept: int  # readings; the others are not older than the host's own


class Learner(BaseModel):
    """Whose baselines are to be learned."""

    host: str = Field(max_length=200)


class Learned(BaseModel):
    """What was learned."""

    series: int


@router.post("")
def keep(stretch: Stretch, caller: Importer) -> Kept:
    """Keep the past of one series of an enrolled host."""
    _require_host(caller, stretch.host)
    series = Series(stretch.host, stretch.metric, stretch.subject)
    times = _checked(stretch, caller)
    if not len(times):
        return Kept(kept=0)
    values = np.array(stretch.values, dtype=np.float64)
    metrics = caller.centre.metrics
    own = metrics.range(series, payload.moment(int(times[0])), caller.centre.clock.now())
    before = len(times) if not len(own) else int(times.searchsorted(own.times_ms[0]))
    if before:
        metrics.load(series, Readings(times[:before], values[:before]))
    return Kept(kept=before)


@router.post("/learn")
def learn(learner: Learner, caller: Importer) -> Learned:
    """Learn a host's baselines now instead of at the next round."""
    _require_host(caller, learner.host)
    centre = caller.centre
    return Learned(series=centre.baselines.learn(learner.host, centre.clock.now()))


def _require_host(caller: Caller, host: str) -> Agent:
    found = [one for one in caller.centre.agents.list() if one.host == host]
    seen = [one for one in found if caller.may(Permission.VIEW, one.environment)]
    if not seen:
        raise not_found(f"no enrolled host has the name {host}")
    caller.require(Permission.CHANGE_SETTINGS, seen[0].environment, f"history of {host}")
    return seen[0]


def _checked(stretch: Stretch, caller: Caller) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    if _METRIC.fullmatch(stretch.metric) is None:
        raise HistoryWrong(
            f"metric {stretch.metric!r}: expected a name of ours such as system.cpu_percent"
        )
    if len(stretch.times_ms) != len(stretch.values):
        raise HistoryWrong(
            f"{len(stretch.times_ms)} times and {len(stretch.values)} values: expected as many"
        )
    if not all(math.isfinite(one) for one in stretch.values):
        raise HistoryWrong("a value is no finite number: leave such readings out")
    now = caller.centre.clock.now()
    span = (now - Retention().raw + timedelta(days=1), now)
    first, last = (round(one.timestamp() * 1000) for one in span)
    if not all(first <= at <= last for at in stretch.times_ms):
        raise HistoryWrong(f"expected times between {span[0]:%Y-%m-%d} and now")
    times = np.array(stretch.times_ms, dtype=np.int64)
    if bool((np.diff(times) <= 0).any()):
        raise HistoryWrong("times must ascend, none twice")
    return times
