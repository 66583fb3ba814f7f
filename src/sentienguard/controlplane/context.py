"""What was going on around one incident: the answers to ports.context.

Called by the adviser's tools and by whoever else looks around an incident; made for each incident
by `Contexts`. Readings come through PromQL as people may ask it, log lines from our store, from
samples and from Loki where one is set, changes from our store and from a declared repository.
Everything is read only, of the incident's environment, bounded, and redacted before it is returned.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sentienguard.controlplane.queries import Asked, Queries, Scope
from sentienguard.flow.centre import Samples
from sentienguard.model import errors
from sentienguard.model.evidence import Changed
from sentienguard.model.incident import Incident
from sentienguard.ports import context
from sentienguard.ports.agent_store import AgentStore
from sentienguard.ports.change_store import ChangeReader
from sentienguard.ports.context import (
    ContextAway,
    Deployment,
    DeploymentAnswer,
    LogAnswer,
    LogFound,
    MetricAnswer,
    QuestionWrong,
)
from sentienguard.ports.log_search import LogSearch
from sentienguard.ports.outside_logs import OutsideLogs
from sentienguard.stages.observe import redact
from sentienguard.stages.observe.promql.faults import QueryTooLarge, QueryWrong

BACK: Final = timedelta(hours=2)  # of readings
CHANGES_BACK: Final = timedelta(days=1)
LONGEST: Final = timedelta(days=1)  # of log lines
BUDGET_S: Final = 3.0  # of one query
MOST_PROMQL: Final = 2000  # characters
_LOOKED_THROUGH: Final = 5000  # lines of the environment, to find those of one service
_KINDS: Final = {"deploy": "deployment", "config": "configuration"}


class Contexts:
    """Answers for incidents, from the stores of one control plane."""

    def __init__(
        self,
        queries: Queries,
        samples: Samples,
        *,
        agents: AgentStore,
        outside_logs: OutsideLogs,
        changes: ChangeReader,
        elsewhere: LogSearch | None = None,
    ) -> None:
        """Answer from these; `elsewhere` has more log lines."""
        self._queries = queries
        self._samples = samples
        self._agents = agents
        self._logs = outside_logs
        self._changes = changes
        self._elsewhere = elsewhere

    def of(self, incident: Incident, at: datetime) -> "Around":
        """Return what can be asked about an incident as things stood at `at`."""
        return Around(self, incident, at)

    def readings(self, incident: Incident, at: datetime, promql: str) -> dict[str, Any]:
        """Return the data of a range query over the two hours before `at`."""
        asked = Asked(Scope(frozenset({incident.environment})), BUDGET_S)
        end = int(at.timestamp() * 1000)
        step = int(BACK.total_seconds() * 1000) // context.MOST_POINTS
        span = (end - step * (context.MOST_POINTS - 1), end)
        return self._queries.ranged(asked, promql, span, step)

    def lines(
        self, incident: Incident, service: str, start: datetime, end: datetime
    ) -> tuple[list[LogFound], bool]:
        """Return the lines of a service or a host, and whether there were more."""
        place, wanted = incident.environment, service.casefold()
        kept = self._logs.between(place, start, end, limit=_LOOKED_THROUGH)
        found = [
            LogFound(one.at, one.service or one.host, "otlp", redact.line(one.text))
            for one in kept
            if wanted in {one.service.casefold(), one.host.casefold()}
        ]
        for agent in self._agents.list():
            if agent.environment == place and agent.host.casefold() == wanted:
                found += self._sampled(agent.id, start, end)
        if self._elsewhere is not None:
            for told in self._elsewhere.lines(place, service, start, end, limit=context.MOST_LINES):
                found.append(LogFound(told.at, service, told.where, redact.line(told.text)))
        return found, len(kept) >= _LOOKED_THROUGH

    def _sampled(self, agent: Any, start: datetime, end: datetime) -> Iterable[LogFound]:
        return [
            LogFound(line.at, sample.host, line.file, redact.line(line.text))
            for sample in self._samples.recent_samples(agent)
            for line in sample.log_lines
            if start <= line.at < end
        ]

    def changed(self, incident: Incident, at: datetime) -> Sequence[Changed]:
        """Return what was changed in the day before, newest first, one more than is shown."""
        return self._changes.between(
            incident.environment, at - CHANGES_BACK, at, limit=context.MOST_DEPLOYMENTS + 1
        )


class Around:
    """The context of one incident; see ports.context."""

    def __init__(self, contexts: Contexts, incident: Incident, at: datetime) -> None:
        self._contexts = contexts
        self._incident = incident
        self._at = at

    def query_metrics(self, promql: str) -> MetricAnswer:
        """Return the readings of the two hours before the decision."""
        if not 0 < len(promql) <= MOST_PROMQL:
            raise QuestionWrong(f"promql: expected 1 to {MOST_PROMQL} characters")
        try:
            data = self._contexts.readings(self._incident, self._at, promql)
        except (QueryWrong, QueryTooLarge) as cause:
            raise QuestionWrong(str(cause)[:300]) from cause
        except (errors.Unavailable, errors.Broken) as cause:
            raise ContextAway(f"readings are not to be had: {cause}"[:300]) from cause
        series = [_series(one) for one in data["result"]]
        kept = series[: context.MOST_SERIES]
        return MetricAnswer(promql, tuple(kept), more=len(series) > len(kept))

    def fetch_recent_logs(self, service: str, timeframe: timedelta) -> LogAnswer:
        """Return the lines of a service in the time before the decision."""
        if not timedelta(0) < timeframe <= LONGEST:
            raise QuestionWrong("timeframe: expected more than nothing, at most a day")
        try:
            found, more = self._contexts.lines(
                self._incident, service, self._at - timeframe, self._at
            )
        except (errors.Unavailable, errors.Broken) as cause:
            raise ContextAway(f"log lines are not to be had: {cause}"[:300]) from cause
        found.sort(key=lambda one: (one.at, one.where, one.text))
        kept = found[-context.MOST_LINES :]
        return LogAnswer(service, tuple(kept), more=more or len(found) > len(kept))

    def list_recent_deployments(self, environment: str) -> DeploymentAnswer:
        """Return the changes of the day before the decision."""
        if environment != self._incident.environment:
            message = f"environment: expected {self._incident.environment}, the incident's"
            raise QuestionWrong(message)
        try:
            found = self._contexts.changed(self._incident, self._at)
        except (errors.Unavailable, errors.Broken) as cause:
            raise ContextAway(f"changes are not to be had: {cause}"[:300]) from cause
        kept = found[: context.MOST_DEPLOYMENTS]
        return DeploymentAnswer(
            environment, tuple(_deployment(one) for one in kept), more=len(found) > len(kept)
        )


def _series(found: dict[str, Any]) -> context.Series:
    """Read one series of an answer in Prometheus' form; labels are text that its sender chose."""
    labels = tuple(sorted((name, redact.line(value)) for name, value in found["metric"].items()))
    points = tuple(
        (datetime.fromtimestamp(float(at), UTC), float(value)) for at, value in found["values"]
    )
    return context.Series(labels, points[-context.MOST_POINTS :])


def _deployment(one: Changed) -> Deployment:
    return Deployment(
        at=one.at,
        service=one.service,
        version=one.version,
        kind=_KINDS.get(one.kind, one.kind),
        by=one.by,
        summary=redact.line(one.summary),
    )
