"""How many series other systems may have here: a label that never repeats must not fill the store.

Called by controlplane.telemetry_desk with every series that is sent, and by the API, which shows
who is at the limit. A series counts while it is sent, and for a day after; what is known is of this
process, so a restart begins anew.
"""

import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from sentienguard.model.telemetry import Series

Key = TypeVar("Key")
FORGOTTEN_S: Final = 86_400.0
SWEEP_S: Final = 600.0
MOST_SHOWN: Final = 1000  # places in a report
MOST_REFUSED: Final = 10_000  # places whose refusals are told apart; more are counted together


@dataclass(frozen=True, slots=True)
class Place:
    """What one host, or what has none, sends to one environment."""

    environment: str
    host: str  # empty: series that name no host
    series: int  # that count now
    refused: int  # points of series beyond a limit, since the start


class SeriesLimits:
    """Series by place, from any thread."""

    def __init__(self, per_host: int, per_environment: int) -> None:
        """Start with none."""
        self._per_host = per_host
        self._per_environment = per_environment
        self._lock = threading.Lock()
        self._seen: dict[Series, float] = {}
        self._at_host: Counter[tuple[str, str]] = Counter()
        self._at_environment: Counter[str] = Counter()
        self._refused: Counter[tuple[str, str]] = Counter()
        self._swept = float("-inf")

    def admit(self, environment: str, series: Series, points: int, now: float) -> str:
        """Return "" where the series may be kept, else which limit it is beyond.

        `points` is how many readings of it are refused then, `now` monotonic.
        """
        place = (environment, series.host)
        with self._lock:
            if series in self._seen:
                self._seen[series] = now
                return ""
            if now - self._swept > SWEEP_S:
                self._sweep(now)
            beyond = ""
            if self._at_host[place] >= self._per_host:
                beyond = f"series_per_host ({self._per_host})"
            elif self._at_environment[environment] >= self._per_environment:
                beyond = f"series_per_environment ({self._per_environment})"
            if beyond:
                self._refuse(place, points)
                return beyond
            self._seen[series] = now
            self._at_host[place] += 1
            self._at_environment[environment] += 1
            return ""

    def places(self) -> Sequence[Place]:
        """Return the places with most series, and those that were refused some."""
        with self._lock:
            counted, refused = Counter(self._at_host), Counter(self._refused)
        ordered = sorted(counted | refused, key=lambda one: (-refused[one], -counted[one], one))
        return [Place(*one, counted[one], refused[one]) for one in ordered[:MOST_SHOWN]]

    def _refuse(self, place: tuple[str, str], points: int) -> None:
        known = place in self._refused or len(self._refused) < MOST_REFUSED
        self._refused[place if known else (place[0], "")] += points
        if not self._at_host[place]:
            del self._at_host[place]

    def _sweep(self, now: float) -> None:
        self._swept = now
        for series, at in list(self._seen.items()):
            if now - at > FORGOTTEN_S:
                del self._seen[series]
                environment = dict(series.labels).get("environment", "")
                _drop(self._at_host, (environment, series.host))
                _drop(self._at_environment, environment)


def _drop(counter: Counter[Key], key: Key) -> None:
    """Count one less; what is none is not kept."""
    counter[key] -= 1
    if counter[key] <= 0:
        del counter[key]
