"""What an evaluation asks of whoever has the series, and what it may cost."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Protocol

from sentienguard.ports.metric_store import Aspect, Readings
from sentienguard.stages.observe.promql.tree import Matcher
from sentienguard.stages.observe.promql.values import Labels


@dataclass(frozen=True, slots=True)
class Found:
    """A series that matches."""

    labels: Labels
    key: Hashable  # what the source knows it by


class Source(Protocol):
    """Series and their readings."""

    def select(self, matchers: Sequence[Matcher], most: int) -> Sequence[Found]:
        """Return the series that match all, sorted by their labels. Raises QueryTooLarge."""

    def read(
        self, series: Sequence[Found], first_ms: int, last_ms: int, aspect: Aspect
    ) -> Sequence[Readings]:
        """Return the readings with first <= time <= last of each."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one query may cost."""

    steps: int = 11_000  # points for each series of a range query, as in Prometheus
    series: int = 10_000  # that one selector finds
    readings: int = 50_000_000  # loaded in all, as in Prometheus
    cells: int = 5_000_000  # series times steps of one intermediate result; 9 bytes each
    answer: int = 1_000_000  # points in an answer


@dataclass(frozen=True, slots=True)
class Query:
    """When a query is asked, and within which bounds."""

    start_ms: int
    end_ms: int
    step_ms: int  # 0: an instant query
    limits: Limits
    in_time: Callable[[], bool]  # False: the time of this query ran out
    lookback_ms: int = 300_000  # how old a reading may be and still count
    default_step_ms: int = 60_000  # of subqueries that name none
