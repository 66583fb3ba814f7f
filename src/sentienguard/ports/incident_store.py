"""Keep incidents, their decisions and their reports.

Called by controlplane (engine, detection loop, api). Offered by adapters.sql_store.
Every method is one transaction and durable when it returns.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sentienguard.model import errors
from sentienguard.model.anomaly import Severity
from sentienguard.model.decision import Decision
from sentienguard.model.ids import AgentId, Fingerprint, IncidentId, PlaybookName
from sentienguard.model.incident import Incident, Outcome, Status


class NoSuchIncident(errors.Rejected):
    """No incident has this id."""

    @classmethod
    def called(cls, incident: str) -> "NoSuchIncident":
        """Return what is said alike of one that is not there and of one that may not be seen."""
        return cls(f"no incident is called {incident[:80]!a}; list incidents to find its id")


class WrongTransition(errors.Broken):
    """The life of an incident does not lead from its present status to the wanted one."""


@dataclass(frozen=True, slots=True)
class IncidentFilter:
    """Which incidents to list; None means any."""

    status: Status | None = None
    outcome: Outcome | None = None
    environment: str | None = None
    host: str | None = None
    text: str | None = None  # case-insensitive part of id, host, metric, subject or summary
    within: frozenset[str] | None = None  # environments that the asker may see
    severity: Severity | None = None
    since: datetime | None = None  # opened then or later
    until: datetime | None = None  # opened before then


@dataclass(frozen=True, slots=True)
class Page:
    """One page of incidents, newest first."""

    incidents: tuple[Incident, ...]
    next_cursor: str | None  # opaque; None: this was the last page


class IncidentStore(Protocol):
    """Incidents by id and by fingerprint."""

    def open(self, incident: Incident) -> Incident:
        """Keep a new incident, unless one with its agent and fingerprint is not closed yet.

        Returns the incident that is open for that fingerprint afterwards: the given one, or the
        one that was there before (then nothing was written).
        """

    def get(self, incident: IncidentId) -> Incident:
        """Return one. Raises NoSuchIncident."""

    def move(
        self,
        incident: IncidentId,
        status: Status,
        *,
        summary: str,
        outcome: Outcome | None = None,
        at: datetime | None = None,
    ) -> Incident:
        """Move to `status` (a no-op where it is there already) and return the incident as it is.

        `outcome` and `at` go with CLOSED. Raises NoSuchIncident, WrongTransition (see model.NEXT).
        """

    def list(self, where: IncidentFilter, *, cursor: str | None, limit: int) -> Page:
        """List newest first by keyset; raises Rejected on a cursor that we did not give."""

    def unfinished(self, agent: AgentId | None = None) -> Sequence[Incident]:
        """Return all that are not closed, oldest first; of one agent where it is named."""

    def newest_unfinished(self, environment: str, *, most: int) -> Sequence[Incident]:
        """Return the newest of an environment that are not closed, oldest first, at most `most`."""

    def open_by_agent(self) -> Mapping[AgentId, int]:
        """Return how many of each agent are not closed; who has none is left out."""

    def agents_in(self, statuses: Collection[Status]) -> frozenset[AgentId]:
        """Return the agents that have an incident in one of these statuses."""

    def open_for(self, agent: AgentId, fingerprint: Fingerprint) -> Incident | None:
        """Return the one that is open for this symptom at this place."""

    def earlier(
        self, agent: AgentId, fingerprint: Fingerprint, *, since: datetime
    ) -> Sequence[Incident]:
        """Return closed ones with this fingerprint opened since then, newest first."""

    def put_decision(self, decision: Decision) -> None:
        """Keep the decision of an incident; the same incident again replaces nothing."""

    def put_further(self, decision: Decision, *, after: PlaybookName) -> None:
        """Keep a decision in the place of the one about `after`, which the host ruled out.

        Where that is not the one that is kept, nothing is written: this is the second call.
        """

    def decision(self, incident: IncidentId) -> Decision | None:
        """Return the decision of an incident, where one was made."""

    def outcomes(self, playbook: str, environment: str) -> Sequence[tuple[datetime, Outcome]]:
        """Return how incidents ended in which this playbook was the decision, newest first."""
