"""The centre's incidents in memory, the open ones apart, each with its decision.

Called by `centre`; `permitted` reads the rows. `database` has the rules of all stores.
"""

import dataclasses
from collections.abc import Sequence
from datetime import datetime

from sentienguard.model.decision import Decision
from sentienguard.model.ids import AgentId, Fingerprint, IncidentId, PlaybookName
from sentienguard.model.incident import NEXT, Incident, Outcome, Status
from sentienguard.ports import incident_store
from sentienguard.simulation.stores.database import Database


class Incidents:
    """The part of ports.incident_store.IncidentStore that the centre's work asks for."""

    def __init__(self, database: Database) -> None:
        """Begin empty."""
        self._database = database
        self.rows: dict[IncidentId, Incident] = {}
        self.open_rows: dict[IncidentId, Incident] = {}
        self._decisions: dict[IncidentId, Decision] = {}

    def open(self, incident: Incident) -> Incident:
        """Keep a new incident, unless one with its agent and fingerprint is open."""
        self._database.write("incident")
        standing = self.open_for(incident.agent, incident.fingerprint)
        if standing is None:
            self.rows[incident.id] = self.open_rows[incident.id] = incident
        self._database.wrote("incident")
        return standing or incident

    def get(self, incident: IncidentId) -> Incident:
        """Return one. Raises NoSuchIncident."""
        self._database.read()
        found = self.rows.get(incident)
        if found is None:
            raise incident_store.NoSuchIncident(f"no incident {incident}")
        return found

    def move(
        self,
        incident: IncidentId,
        status: Status,
        *,
        summary: str,
        outcome: Outcome | None = None,
        at: datetime | None = None,
    ) -> Incident:
        """Move to a status. Raises NoSuchIncident, WrongTransition."""
        self._database.write("move")
        found = self.get(incident)
        if found.status is not status:
            if status not in NEXT[found.status]:
                raise incident_store.WrongTransition(f"{incident}: {found.status} to {status}")
            moved = dataclasses.replace(
                found, status=status, summary=summary, outcome=outcome, closed_at=at
            )
            self.rows[incident] = self.open_rows[incident] = moved
            if status is Status.CLOSED:
                del self.open_rows[incident]
        self._database.wrote("move")
        return self.rows[incident]

    def unfinished(self, agent: AgentId | None = None) -> Sequence[Incident]:
        """Return all that are not closed, oldest first."""
        self._database.read()
        return [one for one in self.open_rows.values() if agent in {None, one.agent}]

    def open_for(self, agent: AgentId, fingerprint: Fingerprint) -> Incident | None:
        """Return the one that is open for this symptom at this place."""
        self._database.read()
        wanted = (agent, fingerprint)
        found = (one for one in self.open_rows.values() if (one.agent, one.fingerprint) == wanted)
        return next(found, None)

    def earlier(
        self, agent: AgentId, fingerprint: Fingerprint, *, since: datetime
    ) -> Sequence[Incident]:
        """Return closed ones with this fingerprint opened since then, newest first."""
        self._database.read()
        wanted = (agent, fingerprint)
        found = [
            one
            for one in self.rows.values()
            if (one.agent, one.fingerprint) == wanted
            and one.status is Status.CLOSED
            and one.opened_at >= since
        ]
        return sorted(found, key=lambda one: one.opened_at, reverse=True)

    def put_decision(self, decision: Decision) -> None:
        """Keep the decision of an incident, the first one."""
        self._database.write("decision")
        self._decisions.setdefault(decision.incident, decision)
        self._database.wrote("decision")

    def put_further(self, decision: Decision, *, after: PlaybookName) -> None:
        """Keep a decision in the place of the one that was about `after`."""
        self._database.write("decision")
        kept = self._decisions.get(decision.incident)
        if kept is not None and kept.playbook == after:
            self._decisions[decision.incident] = decision
        self._database.wrote("decision")

    def decision(self, incident: IncidentId) -> Decision | None:
        """Return the decision of an incident, where one was made."""
        self._database.read()
        return self._decisions.get(incident)
