"""The numbers of series and shapes, as memory knows them.

A *shape* is the list of series that a desk reports at one moment; a *desk* is a host, or what other
systems say of that host. The store writes, this remembers what was committed, never what was not.
"""

import json
import threading
from collections.abc import Iterable, Mapping
from typing import TypeAlias

import numpy as np

from sentienguard.model.telemetry import Series

Places: TypeAlias = dict[int, int]  # series number -> position in the rows of a shape
_ELSEWHERE = "\x1f"  # before the host of what other systems say; no host's name begins with it


def desk(series: Series) -> str:
    """Return whose tail a series is in: systems that report apart make no common moments."""
    return f"{_ELSEWHERE}{series.host}" if series.labels else series.host


def labels_text(series: Series) -> str:
    """Return the labels as stored; empty for a series without any."""
    return json.dumps(series.labels, ensure_ascii=False, separators=(",", ":")) * bool(
        series.labels
    )


def labels_of(text: str) -> tuple[tuple[str, str], ...]:
    """Return what `labels_text` wrote."""
    return tuple((name, value) for name, value in json.loads(text)) if text else ()


def places(ids: bytes) -> Places:
    """Return where each series stands in the rows of a shape."""
    return {number: place for place, number in enumerate(np.frombuffer(ids, "<i4").tolist())}


class Registry:
    """Numbers of series and shapes; written by one thread at a time, read by any."""

    def __init__(self) -> None:
        """Know nothing."""
        self._series: dict[Series, int] = {}
        self._by_metric: dict[str, dict[Series, int]] = {}
        self._found: dict[str, tuple[Series, ...]] = {}  # what `find` said, until it changes
        self._finding = threading.Lock()
        self._shapes: dict[bytes, int] = {}
        self._places: dict[int, Places] = {}

    def number(self, series: Series) -> int | None:
        """Return the number of a series."""
        return self._series.get(series)

    def shape(self, ids: bytes) -> int | None:
        """Return the number of a shape."""
        return self._shapes.get(ids)

    def places(self, shape: int) -> Places | None:
        """Return where each series stands in the rows of a shape."""
        return self._places.get(shape)

    def metrics(self) -> tuple[str, ...]:
        """Return the metric of every series, sorted."""
        return tuple(sorted(self._by_metric.copy()))  # a copy in one go: others may add meanwhile

    def find(self, metric: str) -> tuple[Series, ...]:
        """Return every series of a metric; the same tuple until there are others."""
        with self._finding:
            found = self._found.get(metric)
            if found is None:
                found = self._found[metric] = tuple(self._by_metric.get(metric, ()))
            return found

    def remember(self, series: Mapping[Series, int], shapes: Mapping[bytes, int]) -> None:
        """Take over what was committed."""
        self._series.update(series)
        with self._finding:
            for one, number in series.items():
                self._by_metric.setdefault(one.metric, {})[one] = number
                self._found.pop(one.metric, None)
        for ids, number in shapes.items():
            self._shapes[ids] = number
            self._places[number] = places(ids)

    def forget_series(self, numbers: set[int]) -> None:
        """Let go of series that were dropped."""
        gone = [one for one, number in self._series.items() if number in numbers]
        with self._finding:
            for one in gone:
                del self._series[one]
                of_metric = self._by_metric[one.metric]
                del of_metric[one]
                self._found.pop(one.metric, None)
                if not of_metric:
                    del self._by_metric[one.metric]

    def forget_shapes(self, numbers: Iterable[int]) -> None:
        """Let go of shapes that were dropped."""
        gone = set(numbers)
        for ids in [ids for ids, number in self._shapes.items() if number in gone]:
            del self._shapes[ids]
        for number in gone:
            self._places.pop(number, None)
