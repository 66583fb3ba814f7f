"""Read what another system measured, for a stretch of time.

Called by controlplane.cloud_metrics. Offered by adapters.cloudwatch. Whoever reads asks for the
same stretch twice where it has to: readings of another system come late, and are corrected.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from sentienguard.model import errors


class SourceAway(errors.Unavailable):
    """No answer in time, or not as it should be."""


class SourceThrottled(SourceAway):
    """It was asked too often; ask less often for a while."""


class SourceRefused(errors.Rejected):
    """It does not let us read, or says that the question is wrong: the owner has to look."""


@dataclass(frozen=True, slots=True)
class Query:
    """One series there, and what it is called here."""

    name: str  # of the metric, here
    labels: Mapping[str, str]  # here; `host` names an enrolled host
    namespace: str  # there
    metric: str  # there
    dimensions: Mapping[str, str]  # there
    statistic: str  # Average, Sum, Minimum, Maximum, SampleCount, p99, ...
    period_s: int  # between two readings


@dataclass(frozen=True, slots=True)
class Page:
    """A part of an answer."""

    points: Sequence[tuple[int, Sequence[tuple[int, float]]]]  # query, UTC milliseconds and values
    problems: Sequence[str] = field(default_factory=tuple)  # what is missing, and why, for people


class MetricSource(Protocol):
    """One place that has readings."""

    def read(self, queries: Sequence[Query], start: datetime, end: datetime) -> Iterator[Page]:
        """Yield the readings of these queries with start <= at < end, in any order.

        Raises SourceAway, SourceThrottled, SourceRefused.
        """
