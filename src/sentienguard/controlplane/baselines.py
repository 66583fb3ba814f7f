"""What each series normally does, learned from the metric store and kept in memory.

Called by the intake for each sample and by the API; refreshed by loops.learning. Until a host was
learned there is no baseline, and limits and trends alone judge.
"""

import threading
from collections.abc import Callable
from datetime import datetime

import numpy as np

from sentienguard.model.anomaly import Baseline
from sentienguard.model.telemetry import Series
from sentienguard.ports.metric_store import MetricStore
from sentienguard.stages.detect import baseline
from sentienguard.stages.detect.settings import DetectSettings


class Baselines:
    """Profiles by host."""

    def __init__(self, store: MetricStore, settings: DetectSettings) -> None:
        """Start with nothing learned."""
        self._store = store
        self._settings = settings
        self._lock = threading.Lock()
        self._profiles: dict[str, baseline.Profiles] = {}

    def lookup(self, host: str, at: datetime) -> Callable[[Series], Baseline | None]:
        """Return the baselines of a host for the time of day of `at`."""
        with self._lock:
            profiles = self._profiles.get(host)
        return profiles.lookup(at) if profiles else lambda _series: None

    def of(self, series: Series, at: datetime) -> Baseline | None:
        """Return the baseline of one series for the time of day of `at`."""
        return self.lookup(series.host, at)(series)

    def learn(self, host: str, now: datetime) -> int:
        """Learn a host anew from its window; return how many series it has."""
        series = self._store.series(host)
        if not series:
            return 0
        start = now - self._settings.window
        found = [self._store.range(one, start, now) for one in series]
        times = np.unique(np.concatenate([one.times_ms for one in found]))
        values = np.full((len(series), len(times)), np.nan)
        for row, readings in enumerate(found):
            values[row, np.searchsorted(times, readings.times_ms)] = readings.values
        profiles = baseline.learn(series, times, values, self._settings)
        with self._lock:
            self._profiles[host] = profiles
        return len(series)
