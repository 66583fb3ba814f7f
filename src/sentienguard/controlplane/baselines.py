"""What each series normally does, learned from the metric store and kept in memory.

Called by the intake for each sample and by the API; refreshed by loops.learning. Until a host was
learned there is no baseline, and limits and trends alone judge.

Control planes that share a database each have the readings of the agents that speak to them. They
share what they learned: of two control planes the one with more readings of a host teaches the
other, so that an agent that moves is judged by what it normally does.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from datetime import datetime

import numpy as np

from sentienguard.model.anomaly import Baseline
from sentienguard.model.telemetry import Series
from sentienguard.ports.metric_store import MetricStore
from sentienguard.ports.profile_store import ProfileStore, SharedProfiles
from sentienguard.stages.detect import baseline
from sentienguard.stages.detect.settings import DetectSettings

log = logging.getLogger(__name__)
_AT_ONCE = 32  # outside series that are read together: at 15 s some 40,000 readings each


class Baselines:
    """Profiles by host."""

    def __init__(
        self, store: MetricStore, settings: DetectSettings, shared: ProfileStore | None = None
    ) -> None:
        """Start with nothing learned; `shared` is what other control planes read and write too."""
        self._store = store
        self._shared = shared
        self._settings = settings
        self._lock = threading.Lock()
        self._profiles: dict[str, baseline.Profiles] = {}
        self._outside: dict[tuple[str, str], baseline.Profiles] = {}  # environment, host

    def lookup(self, host: str, at: datetime) -> Callable[[Series], Baseline | None]:
        """Return the baselines of a host for the time of day of `at`."""
        with self._lock:
            profiles = self._profiles.get(host)
        return profiles.lookup(at) if profiles else lambda _series: None

    def of(self, series: Series, at: datetime) -> Baseline | None:
        """Return the baseline of one series for the time of day of `at`."""
        if series.labels:
            with self._lock:
                outside = self._outside.get(
                    (dict(series.labels).get("environment", ""), series.host)
                )
            return outside.at(series, at) if outside else None
        return self.lookup(series.host, at)(series)

    def between(
        self, series: Series, start: datetime, end: datetime
    ) -> Sequence[tuple[datetime, Baseline]]:
        """Return what is usual in each part of a span, with the moment from which on it is."""
        with self._lock:
            if series.labels:
                place = (dict(series.labels).get("environment", ""), series.host)
                profiles = self._outside.get(place)
            else:
                profiles = self._profiles.get(series.host)
        return profiles.between(series, start, end) if profiles else ()

    def learn(self, host: str, now: datetime) -> int:
        """Learn a host anew from its window; return how many series it has here."""
        series = self._store.series(host)
        learned = self._learned(series, now) if series else None
        shared = self._shared
        profiles = learned if shared is None else self._agreed(shared, host, learned, now)
        if profiles is not None:
            with self._lock:
                self._profiles[host] = profiles
        return len(series)

    def outside_series(self) -> dict[tuple[str, str], list[Series]]:
        """Return the labelled series there are, by environment and host."""
        found: dict[tuple[str, str], list[Series]] = {}
        for metric in self._store.metrics():
            for one in self._store.find(metric):
                if one.labels and one.host:
                    place = (dict(one.labels).get("environment", ""), one.host)
                    found.setdefault(place, []).append(one)
        return found

    def learn_outside(self, place: tuple[str, str], series: Sequence[Series], now: datetime) -> int:
        """Learn what other systems send of a host; return how many series have a baseline.

        Each is thinned as it is read, so memory is bounded by the series and not by how often they
        are sent. Counters are left out. Each control plane learns what was sent to it.
        """
        start = now - self._settings.window
        start_ms = round(start.timestamp() * 1000)
        rows: list[baseline.Floats] = []
        learned: list[Series] = []
        for at in range(0, len(series), _AT_ONCE):
            few = series[at : at + _AT_ONCE]
            for one, readings in zip(few, self._store.read(few, start, now), strict=True):
                row = baseline.gridded(readings.times_ms, readings.values, start_ms, self._settings)
                if np.isfinite(row).any() and not baseline.counts_up(one.metric, row):
                    rows.append(row)
                    learned.append(one)
        profiles = None
        if learned:
            values = np.array(rows)
            heard = np.isfinite(values).any(axis=0)  # parts before the first reading are no span
            times = baseline.grid_times(start_ms, self._settings)[heard]
            profiles = baseline.learn(learned, times, values[:, heard], self._settings)
        with self._lock:
            if profiles is None:
                self._outside.pop(place, None)
            else:
                self._outside[place] = profiles
        return len(learned)

    def _learned(self, series: Sequence[Series], now: datetime) -> baseline.Profiles:
        start = now - self._settings.window
        found = self._store.read(series, start, now)
        times = np.unique(np.concatenate([one.times_ms for one in found]))
        values = np.full((len(series), len(times)), np.nan)
        for row, readings in enumerate(found):
            values[row, np.searchsorted(times, readings.times_ms)] = readings.values
        return baseline.learn(series, times, values, self._settings)

    def _agreed(
        self, shared: ProfileStore, host: str, learned: baseline.Profiles | None, now: datetime
    ) -> baseline.Profiles | None:
        """Teach the others what was learned here, or learn from them where they know more."""
        if learned is not None and learned.readings:
            mine = SharedProfiles(learned.readings, now, learned.dump())
            if shared.put(host, mine, outdated=now - self._settings.window):
                return learned
        known = shared.get(host)
        if known is None:
            return learned
        try:
            return baseline.load(known.content)
        except ValueError as problem:  # of another release: what was learned here serves
            log.warning("shared baselines of %s cannot be read: %s", host, problem)
            return learned
