"""Answer PromQL over the metric store, as far as whoever asks may see.

Called by controlplane.api.queries. Readings get the names that Prometheus knows: the metric with
`_` for what its names must not have (`system.cpu_percent` is `system_cpu_percent`), and the labels
`host`, `environment` and, where it has one, `subject`. Series of other systems keep their labels.

Rules, cited below by number:

1. A series is seen by whoever may see its environment: that of its host's agent, or the one that
   its sender's token gave it. One of an unknown environment, by whoever may see them all.
2. A query is bounded in series, readings, points and time (`promql.source.Limits`, `BUDGET_S`), and
   few run at once; the next ones wait, and are turned away when they wait for too long.
"""

import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, cast

from sentienguard.controlplane.centre import Centre
from sentienguard.model import errors
from sentienguard.model.telemetry import Series
from sentienguard.ports.metric_store import Aspect, MetricStore, Readings
from sentienguard.stages.observe.promql import answer, evaluate, parse, regex
from sentienguard.stages.observe.promql.faults import QueryTooLarge, QueryWrong
from sentienguard.stages.observe.promql.source import Found, Limits, Query
from sentienguard.stages.observe.promql.tree import Compare, Matcher, Range, Subquery
from sentienguard.stages.observe.promql.values import NAME, Labels, changed, get

BUDGET_S: Final = 30.0  # time of one query
AT_ONCE: Final = 4  # queries; each may hold some hundred megabytes
PATIENCE_S: Final = 10.0  # how long a query waits for its turn
REMEMBERED: Final = 500_000  # series whose labels are kept made
_NO_NAME = re.compile(r"[^a-zA-Z0-9_:]")
_EARLIEST_MS, _LATEST_MS = -62_135_596_800_000, 253_402_300_799_000  # what datetime can hold


class TooManyQueries(errors.Unavailable):
    """As many queries run as may; this one waited long enough."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What somebody may see."""

    environments: frozenset[str]
    everything: bool = False  # all environments there are, and series of unknown ones


@dataclass(frozen=True, slots=True)
class Asked:
    """What every query has."""

    scope: Scope
    budget_s: float = BUDGET_S  # at most BUDGET_S counts


class Queries:
    """Queries over one metric store."""

    def __init__(self, centre: Centre, limits: Limits | None = None) -> None:
        """Start with nothing remembered."""
        self._centre = centre
        self._limits = limits or Limits()
        self._turns = threading.BoundedSemaphore(AT_ONCE)
        self._made: dict[Series, tuple[str, Labels]] = {}  # environment and labels

    def instant(self, asked: Asked, text: str, at_ms: int) -> dict[str, Any]:
        """Return the data of `/api/v1/query`. Raises what `promql.evaluate` raises."""
        with self._turn():
            node = parse.parse(text)
            query = self._query(asked, at_ms, at_ms, 0)
            source = self._source(asked.scope)
            if isinstance(node, Range | Subquery):
                return answer.readings(evaluate.readings(node, source, query))
            return answer.instant(evaluate.evaluate(node, source, query), at_ms)

    def ranged(
        self, asked: Asked, text: str, span_ms: tuple[int, int], step_ms: int
    ) -> dict[str, Any]:
        """Return the data of `/api/v1/query_range`. Raises what `promql.evaluate` raises."""
        if step_ms <= 0:
            raise QueryWrong("zero or negative query resolution step widths are not accepted")
        with self._turn():
            node = parse.parse(text)
            if isinstance(node, Range | Subquery):
                raise QueryWrong(
                    'invalid expression type "range vector" for range query, must be Scalar or '
                    "instant Vector"
                )
            query = self._query(asked, *span_ms, step_ms)
            value = evaluate.evaluate(node, self._source(asked.scope), query)
            return answer.ranged(value, evaluate.steps_of(query), self._limits.answer)

    def series(self, asked: Asked, selectors: Sequence[str], limit: int) -> list[dict[str, str]]:
        """Return the labels of the series that match any of these. Raises QueryWrong."""
        return [dict(labels) for labels in self._matching(asked, selectors)[:limit]]

    def label_names(self, asked: Asked, selectors: Sequence[str], limit: int) -> list[str]:
        """Return the names of labels of matching series, or of all. Raises QueryWrong."""
        found = self._matching(asked, selectors)
        return sorted({name for labels in found for name, _ in labels})[:limit]

    def label_values(
        self, asked: Asked, name: str, selectors: Sequence[str], limit: int
    ) -> list[str]:
        """Return the values of a label of matching series, or of all. Raises QueryWrong."""
        found = {get(labels, name) for labels in self._matching(asked, selectors)}
        return sorted(found - {""})[:limit]

    def _matching(self, asked: Asked, selectors: Sequence[str]) -> list[Labels]:
        conditions = [parse.selector(one) for one in selectors] or [()]
        with self._turn():
            source = self._source(asked.scope)
            return sorted({one for matchers in conditions for one in source.labels(matchers)})

    def _source(self, scope: Scope) -> "_Visible":
        homes = {agent.host: agent.environment for agent in self._centre.agents.list()}
        if len(self._made) > REMEMBERED:
            self._made.clear()
        return _Visible(self._centre.metrics, scope, homes, self._made)

    def _query(self, asked: Asked, start_ms: int, end_ms: int, step_ms: int) -> Query:
        clock = self._centre.clock
        ends = clock.monotonic() + min(asked.budget_s, BUDGET_S)
        return Query(start_ms, end_ms, step_ms, self._limits, lambda: clock.monotonic() < ends)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if not self._turns.acquire(timeout=PATIENCE_S):  # rule 2
            raise TooManyQueries(f"{AT_ONCE} queries run already: ask again in a moment")
        try:
            yield
        finally:
            self._turns.release()


def prometheus_name(metric: str) -> str:
    """Return the name of a metric as Prometheus can have it."""
    name = _NO_NAME.sub("_", metric)
    return f"_{name}" if name[:1].isdigit() else name


class _Visible:
    """A source of the series that somebody may see, for one query."""

    def __init__(
        self,
        metrics: MetricStore,
        scope: Scope,
        homes: Mapping[str, str],
        made: dict[Series, tuple[str, Labels]],
    ) -> None:
        self._metrics = metrics
        self._scope = scope
        self._homes = homes  # environment by host
        self._made = made

    def select(self, matchers: Sequence[Matcher], most: int) -> Sequence[Found]:
        """Return the series that match; see the protocol."""
        found: dict[Labels, Found] = {}
        for labels, series in self._each(matchers):
            found.setdefault(labels, Found(labels, series))
            if len(found) > most:
                raise QueryTooLarge(
                    f"a selector finds more than {most} series: name the metric, or more labels"
                )
        return [found[labels] for labels in sorted(found)]

    def labels(self, matchers: Sequence[Matcher]) -> Iterable[Labels]:
        """Return the labels of the series that match."""
        return (labels for labels, _ in self._each(matchers))

    def read(
        self, series: Sequence[Found], first_ms: int, last_ms: int, aspect: Aspect
    ) -> Sequence[Readings]:
        """Return readings; see the protocol."""
        keys = [cast("Series", one.key) for one in series]
        return self._metrics.read(keys, _moment(first_ms), _moment(last_ms + 1), aspect)

    def _each(self, matchers: Sequence[Matcher]) -> Iterator[tuple[Labels, Series]]:
        names = [_condition(one) for one in matchers if one.name == NAME]
        others = [(one.name, _condition(one)) for one in matchers if one.name != NAME]
        for metric in self._metrics.metrics():
            name = prometheus_name(metric)
            if not all(holds(name) for holds in names):
                continue
            for series in self._metrics.find(metric):
                environment, labels = self._of(series, name)
                if self._may_see(environment) and all(
                    holds(get(labels, label)) for label, holds in others
                ):
                    yield labels, series

    def _of(self, series: Series, name: str) -> tuple[str, Labels]:
        home = get(series.labels, "environment") or self._homes.get(series.host, "")
        made = self._made.get(series)
        if made is None or made[0] != home:
            own = {NAME: name, "host": series.host, "environment": home, "subject": series.subject}
            made = self._made[series] = (home, changed(series.labels, own))
        return made

    def _may_see(self, environment: str) -> bool:
        return self._scope.everything or environment in self._scope.environments  # rule 1


def _condition(matcher: Matcher) -> Callable[[str], bool]:
    wanted = matcher.value
    match matcher.how:
        case Compare.EQUAL:
            return lambda value: value == wanted
        case Compare.DIFFERS:
            return lambda value: value != wanted
        case Compare.MATCHES:
            matches = regex.compiled(wanted).fullmatch
            return lambda value: matches(value) is not None
        case Compare.NO_MATCH:
            avoids = regex.compiled(wanted).fullmatch
            return lambda value: avoids(value) is None


def _moment(at_ms: int) -> datetime:
    return datetime.fromtimestamp(min(max(at_ms, _EARLIEST_MS), _LATEST_MS) / 1000, UTC)
