"""What was going on around an incident, read and never written.

Called by the control plane when it gathers evidence, and by the adviser's tools. Offered by
controlplane.context. Three rules hold for whoever offers it:

1. Read only. No question changes anything, on the hosts or at the centre.
2. Bound to one incident: what the incident's environment may not show is not answered, whatever
   the question names.
3. Redacted and bounded before it is returned: texts are untrusted, secrets and personal data are
   gone from them, and no answer is longer than its limit says.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from sentienguard.model import errors

MOST_SERIES = 20  # of one answer; more says nothing more to a reader
MOST_POINTS = 60  # of one series: two hours by two minutes
MOST_LINES = 100  # of logs in one answer, the newest
MOST_DEPLOYMENTS = 50  # in one answer, the newest


class QuestionWrong(errors.Rejected):
    """Not answerable as it stands: not PromQL, a window too wide, another environment."""


class ContextAway(errors.Unavailable):
    """The place that knows did not answer in time; the incident goes on without it."""


@dataclass(frozen=True, slots=True)
class Series:
    """One series of an answer to a PromQL question."""

    labels: tuple[tuple[str, str], ...]  # sorted by name
    points: tuple[tuple[datetime, float], ...]  # oldest first


@dataclass(frozen=True, slots=True)
class MetricAnswer:
    """What the readings say to one PromQL question."""

    promql: str  # as it was asked
    series: tuple[Series, ...]  # at most MOST_SERIES
    more: bool  # whether series were left out


@dataclass(frozen=True, slots=True)
class LogFound:
    """One line of a log, redacted. Untrusted text."""

    at: datetime
    service: str  # or the host's name where the line is of no service
    where: str  # file, unit or stream
    text: str


@dataclass(frozen=True, slots=True)
class LogAnswer:
    """What the logs of one service say."""

    service: str  # as it was asked
    lines: tuple[LogFound, ...]  # newest last, at most MOST_LINES
    more: bool  # whether older ones were left out


@dataclass(frozen=True, slots=True)
class Deployment:
    """One change that somebody made and told us of. Untrusted text."""

    at: datetime
    service: str
    version: str  # "" if nobody said
    kind: str  # "deployment", "configuration", "commit"...
    by: str  # who is said to have made it; "" if nobody said
    summary: str  # in the words of its source, redacted


@dataclass(frozen=True, slots=True)
class DeploymentAnswer:
    """What was changed lately in one environment."""

    environment: str  # as it was asked
    deployments: tuple[Deployment, ...]  # newest first, at most MOST_DEPLOYMENTS
    more: bool  # whether older ones were left out


class Context(Protocol):
    """What can be asked about the time and the place of one incident."""

    def query_metrics(self, promql: str) -> MetricAnswer:
        """Return the readings of the two hours before the incident's decision.

        Raises QuestionWrong for what is no PromQL, ContextAway where readings are not to be had.
        """

    def fetch_recent_logs(self, service: str, timeframe: timedelta) -> LogAnswer:
        """Return the lines of `service` in the last `timeframe` before the decision.

        A service that nobody knows has no lines. Raises QuestionWrong for a timeframe of nothing
        or of more than a day, ContextAway.
        """

    def list_recent_deployments(self, environment: str) -> DeploymentAnswer:
        """Return the changes of the last day before the decision.

        Raises QuestionWrong for another environment than the incident's, ContextAway.
        """
