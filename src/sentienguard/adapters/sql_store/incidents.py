"""Keep incidents and their decisions.

Called through ports.incident_store. Rules:

1. One open incident for each agent and fingerprint: the unique index over unclosed rows decides.
2. Moves are compare-and-set on the status that was read; model.incident.NEXT says which exist.
3. A page starts after the key (time, id) of the last row before it, so a late page costs what an
   early one costs. Only a search for text or a severity, or in several environments of more, reads
   rows that it does not return.
4. The severity stands in the JSON text of the anomaly, where a quote inside of a value is escaped:
   what a host wrote cannot look like a member.
5. A decision with its evidence (log lines, an adviser's words) is sealed; what is asked of it in
   SQL, its playbook and its confidence, stands beside it.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Row, TextClause, bindparam, text

from sentienguard.adapters.sql_store import codec, listing
from sentienguard.adapters.sql_store.connections import Connections, Transaction
from sentienguard.adapters.sql_store.data_keys import DataKeys
from sentienguard.adapters.sql_store.sealed_columns import DECISION_TEXT
from sentienguard.model import errors
from sentienguard.model.decision import Decision
from sentienguard.model.ids import AgentId, Fingerprint, IncidentId, PlaybookName
from sentienguard.model.incident import NEXT, Incident, Outcome, Status
from sentienguard.ports.incident_store import IncidentFilter, NoSuchIncident, Page, WrongTransition

_RACES = 10  # lost in a row by one call before it gives up

# Keep a new incident, unless its id is taken or its symptom has an open one.
OPEN = text("""
    INSERT INTO incidents
        (id, agent, host, environment, tags, fingerprint, anomaly, opened_us,
         status, outcome, closed_us, summary, earlier, search, reopens)
    VALUES
        (:id, :agent, :host, :environment, :tags, :fingerprint, :anomaly, :opened_us,
         :status, :outcome, :closed_us, :summary, :earlier, :search, :reopens)
    ON CONFLICT DO NOTHING
""")

# One incident by its id.
GET = text("SELECT * FROM incidents WHERE id = :id")

# The incident that is open for a symptom at a place; at most one.
OPEN_FOR = text("""
    SELECT * FROM incidents
    WHERE agent = :agent AND fingerprint = :fingerprint AND status <> 'CLOSED'
""")

# Move an incident, if it still is where it was read.
MOVE = text("""
    UPDATE incidents
    SET status = :status, outcome = :outcome, closed_us = :closed_us, summary = :summary,
        search = :search
    WHERE id = :id AND status = :was
""")

# All that are not closed, oldest first.
UNFINISHED = text("SELECT * FROM incidents WHERE status <> 'CLOSED' ORDER BY opened_us, id")

# The newest of an environment that are not closed, newest first; the index above serves it too.
NEWEST_UNFINISHED = text("""
    SELECT * FROM incidents WHERE status <> 'CLOSED' AND environment = :environment
    ORDER BY opened_us DESC, id DESC LIMIT :most
""")

# Those of one agent that are not closed, oldest first; asked with every sample.
UNFINISHED_OF = text("""
    SELECT * FROM incidents WHERE agent = :agent AND status <> 'CLOSED' ORDER BY opened_us, id
""")

# How many of each agent are not closed; out of the index of symptoms alone.
OPEN_BY_AGENT = text("""
    SELECT agent, count(*) AS open FROM incidents WHERE status <> 'CLOSED' GROUP BY agent
""")

# The agents that have an incident in one of these statuses.
AGENTS_IN = text("SELECT DISTINCT agent FROM incidents WHERE status IN :statuses").bindparams(
    bindparam("statuses", expanding=True)
)

# Closed incidents with this fingerprint that opened since then, newest first.
EARLIER = text("""
    SELECT * FROM incidents
    WHERE agent = :agent AND fingerprint = :fingerprint AND opened_us >= :since_us
        AND status = 'CLOSED'
    ORDER BY opened_us DESC, id DESC
""")

# A list, newest first: its beginning, what each filter adds, and its end.
LIST = "SELECT * FROM incidents WHERE opened_us IS NOT NULL"
LIST_FILTERS = {
    "status": "AND status = :status",
    "outcome": "AND outcome = :outcome",
    "environment": "AND environment = :environment",
    "host": "AND host = :host",
    "severity": "AND anomaly LIKE :severity",
    "since": "AND opened_us >= :since_us",
    "until": "AND opened_us < :until_us",
    "text": "AND search LIKE :pattern ESCAPE '!'",
    "cursor": "AND (opened_us, id) < (:before_us, :before_id)",
}
LIST_END = "ORDER BY opened_us DESC, id DESC LIMIT :limit"

# Keep the decision of an incident; the first one stays.
PUT_DECISION = text("""
    INSERT INTO decisions (incident, playbook, decision, confidence)
    VALUES (:incident, :playbook, :decision, :confidence)
    ON CONFLICT DO NOTHING
""")

# Put a further decision in the place of the one that its host ruled out.
PUT_FURTHER = text("""
    UPDATE decisions SET playbook = :playbook, decision = :decision, confidence = :confidence
    WHERE incident = :incident AND playbook = :after
""")

# The decision of an incident.
DECISION = text("SELECT decision FROM decisions WHERE incident = :incident")

# How incidents ended in which this playbook was the decision, newest first.
OUTCOMES = text("""
    SELECT incidents.closed_us, incidents.outcome
    FROM decisions JOIN incidents ON incidents.id = decisions.incident
    WHERE decisions.playbook = :playbook AND incidents.environment = :environment
        AND incidents.status = 'CLOSED'
    ORDER BY incidents.closed_us DESC, incidents.id DESC
""")


class SqlIncidentStore:
    """Incidents in the relational store; see ports.incident_store for what each method promises."""

    def __init__(self, connections: Connections, keys: DataKeys) -> None:
        self._connections = connections
        self._keys = keys

    def open(self, incident: Incident) -> Incident:
        """Keep a new incident, unless its symptom has one that is not closed yet.

        An id that was kept before returns what became of it, so a repeated call reopens nothing.
        Raises Rejected where another symptom has this id.
        """
        for _ in range(_RACES):
            with self._connections.write() as transaction:
                if transaction.change(OPEN, **_columns(incident)):
                    return incident
                same_id = transaction.row(GET, id=incident.id)
                if same_id is not None:
                    return _kept_before(incident, _incident(same_id))
                row = transaction.row(
                    OPEN_FOR, agent=incident.agent, fingerprint=incident.fingerprint
                )
                if row is not None:
                    return _incident(row)
            # The one that was in the way closed between our two statements: try again.
        raise errors.Unavailable(
            f"incident {incident.id}: others opened and closed its symptom {_RACES} times while it "
            "was being kept: try again"
        )

    def get(self, incident: IncidentId) -> Incident:
        """Return one. Raises NoSuchIncident."""
        with self._connections.read() as transaction:
            return _get(transaction, incident)

    def move(
        self,
        incident: IncidentId,
        status: Status,
        *,
        summary: str,
        outcome: Outcome | None = None,
        at: datetime | None = None,
    ) -> Incident:
        """Move to `status`; a no-op where it is there. Raises NoSuchIncident, WrongTransition."""
        for _ in range(_RACES):
            with self._connections.write() as transaction:
                before = _get(transaction, incident)
                if before.status == status:
                    return before
                after = _moved(before, status, summary, outcome, at)
                if transaction.change(MOVE, was=before.status, **_columns(after)):
                    return after
            # Somebody else moved it between our two statements: judge again from where it is now.
        raise errors.Unavailable(f"incident {incident} kept moving meanwhile: try again")

    def list(self, where: IncidentFilter, *, cursor: str | None, limit: int) -> Page:
        """List newest first; raises Rejected on a cursor that we did not give."""
        if limit < 1:
            raise errors.Rejected(f"a page of {limit} incidents: expected a limit of at least 1")
        statement, values = list_statement(where, cursor)
        with self._connections.read() as transaction:
            rows = transaction.rows(statement, limit=limit + 1, **values)
        incidents = tuple(_incident(row) for row in rows[:limit])
        return Page(incidents, _cursor_after(incidents[-1]) if len(rows) > limit else None)

    def unfinished(self, agent: AgentId | None = None) -> Sequence[Incident]:
        """Return all that are not closed, oldest first; of one agent where it is named."""
        with self._connections.read() as transaction:
            if agent is None:
                rows = transaction.rows(UNFINISHED)
            else:
                rows = transaction.rows(UNFINISHED_OF, agent=agent)
            return tuple(_incident(row) for row in rows)

    def newest_unfinished(self, environment: str, *, most: int) -> Sequence[Incident]:
        """Return the newest of an environment that are not closed, oldest first."""
        with self._connections.read() as transaction:
            rows = transaction.rows(NEWEST_UNFINISHED, environment=environment, most=most)
        return tuple(_incident(row) for row in reversed(rows))

    def open_by_agent(self) -> Mapping[AgentId, int]:
        """Return how many of each agent are not closed; who has none is left out."""
        with self._connections.read() as transaction:
            rows = transaction.rows(OPEN_BY_AGENT)
        return {AgentId(row.agent): row.open for row in rows}

    def agents_in(self, statuses: Collection[Status]) -> frozenset[AgentId]:
        """Return the agents that have an incident in one of these statuses."""
        if not statuses:
            return frozenset()
        with self._connections.read() as transaction:
            rows = transaction.rows(AGENTS_IN, statuses=sorted(one.value for one in statuses))
        return frozenset(AgentId(row.agent) for row in rows)

    def open_for(self, agent: AgentId, fingerprint: Fingerprint) -> Incident | None:
        """Return the one that is open for this symptom at this place."""
        with self._connections.read() as transaction:
            row = transaction.row(OPEN_FOR, agent=agent, fingerprint=fingerprint)
        return None if row is None else _incident(row)

    def earlier(
        self, agent: AgentId, fingerprint: Fingerprint, *, since: datetime
    ) -> Sequence[Incident]:
        """Return closed ones with this fingerprint opened since then, newest first."""
        with self._connections.read() as transaction:
            rows = transaction.rows(
                EARLIER, agent=agent, fingerprint=fingerprint, since_us=codec.micros(since)
            )
        return tuple(_incident(row) for row in rows)

    def put_decision(self, decision: Decision) -> None:
        """Keep the decision of an incident; the first one stays. Raises NoSuchIncident."""
        values = self._sealed(decision)
        with self._connections.write() as transaction:
            _get(transaction, decision.incident)
            transaction.change(PUT_DECISION, **values)

    def put_further(self, decision: Decision, *, after: PlaybookName) -> None:
        """Keep a decision in the place of the one about `after`, where that is kept."""
        values = self._sealed(decision)
        with self._connections.write() as transaction:
            transaction.change(PUT_FURTHER, **values, after=after)

    def decision(self, incident: IncidentId) -> Decision | None:
        """Return the decision of an incident, where one was made."""
        with self._connections.read() as transaction:
            row = transaction.row(DECISION, incident=incident)
        if row is None:
            return None
        return codec.DECISION.decode(self._keys.unseal_text(row.decision, DECISION_TEXT, incident))

    def outcomes(self, playbook: str, environment: str) -> Sequence[tuple[datetime, Outcome]]:
        """Return when and how incidents closed in which this playbook was the decision."""
        with self._connections.read() as transaction:
            rows = transaction.rows(OUTCOMES, playbook=playbook, environment=environment)
        return tuple(
            (codec.instant(row.closed_us), codec.member(Outcome, row.outcome)) for row in rows
        )

    def _sealed(self, decision: Decision) -> dict[str, str | float | None]:
        """Return what the row of a decision holds (rule 5). Raises Rejected."""
        kept = codec.DECISION.encode(decision)
        return {
            "incident": decision.incident,
            "playbook": decision.playbook,
            "decision": self._keys.seal_text(kept, DECISION_TEXT, decision.incident),
            "confidence": None if decision.confidence is None else decision.confidence.value,
        }


def list_statement(
    where: IncidentFilter, cursor: str | None
) -> tuple[TextClause, dict[str, str | int]]:
    """Return the statement of one page and its values, all but `limit`. Raises Rejected."""
    values: dict[str, str | int] = {}
    parts = [LIST]
    for name in ("status", "outcome", "environment", "host"):
        wanted = getattr(where, name)
        if wanted is not None:
            parts.append(LIST_FILTERS[name])
            values[name] = wanted
    if where.within is not None:
        places = {f"place_{number}": one for number, one in enumerate(sorted(where.within))}
        named = ", ".join(f":{name}" for name in places) or "NULL"  # in no place is nothing
        # Of several, the index by time is the one to follow: that by environment would be sorted.
        which = "environment" if len(places) == 1 else "environment || ''"
        parts.append(f"AND {which} IN ({named})")
        values |= places
    if where.severity is not None:
        parts.append(LIST_FILTERS["severity"])
        values["severity"] = f'%"severity":"{where.severity.value}"%'
    for name, at in (("since", where.since), ("until", where.until)):
        if at is not None:
            parts.append(LIST_FILTERS[name])
            values[f"{name}_us"] = codec.micros(at)
    if where.text:
        parts.append(LIST_FILTERS["text"])
        values["pattern"] = listing.pattern(where.text)
    if cursor is not None:
        parts.append(LIST_FILTERS["cursor"])
        values["before_us"], values["before_id"] = listing.read_cursor(cursor, _place)
    return text("\n".join((*parts, LIST_END))), values


def _cursor_after(last: Incident) -> str:
    """Name the place behind this incident."""
    return listing.cursor(f"{codec.micros(last.opened_at)} {last.id}")


def _place(written: str) -> tuple[int, str]:
    """Return the time and id behind which a page begins. Raises ValueError."""
    opened_us, incident = written.split(" ", maxsplit=1)
    return int(opened_us), incident


def _kept_before(given: Incident, kept: Incident) -> Incident:
    """Return the incident that has the id already, if it is about the same symptom."""
    if (kept.agent, kept.fingerprint) == (given.agent, given.fingerprint):
        return kept
    raise errors.Rejected(
        f"incident id {given.id} belongs to another symptom, on {kept.host}; make a new id"
    )


def _moved(
    before: Incident, status: Status, summary: str, outcome: Outcome | None, at: datetime | None
) -> Incident:
    """Return the incident after a move. Raises WrongTransition."""
    if status not in NEXT[before.status]:
        allowed = ", ".join(sorted(NEXT[before.status])) or "nothing"
        raise WrongTransition(
            f"incident {before.id} is {before.status} and cannot become {status}; "
            f"expected {allowed}: read it again before deciding"
        )
    if status is not Status.CLOSED:
        if outcome is not None:
            raise WrongTransition(f"incident {before.id}: outcome {outcome} goes with CLOSED only")
        return replace(before, status=status, summary=summary)
    if outcome is None or at is None:
        raise WrongTransition(f"incident {before.id}: CLOSED needs an outcome and a time")
    return replace(before, status=status, summary=summary, outcome=outcome, closed_at=at)


def _get(transaction: Transaction, incident: IncidentId) -> Incident:
    """Return one inside a transaction. Raises NoSuchIncident."""
    row = transaction.row(GET, id=incident)
    if row is None:
        raise NoSuchIncident.called(incident)
    return _incident(row)


def _columns(incident: Incident) -> dict[str, str | int | None]:
    """Return what the row of an incident holds."""
    return {
        "id": incident.id,
        "agent": incident.agent,
        "host": incident.host,
        "environment": incident.environment,
        "tags": codec.TAGS.encode(incident.tags),
        "fingerprint": incident.fingerprint,
        "anomaly": codec.ANOMALY.encode(incident.anomaly),
        "opened_us": codec.micros(incident.opened_at),
        "status": incident.status,
        "outcome": incident.outcome,
        "closed_us": None if incident.closed_at is None else codec.micros(incident.closed_at),
        "summary": incident.summary,
        "earlier": codec.EARLIER.encode(incident.earlier),
        "search": _search(incident),
        "reopens": incident.reopens,
    }


def _search(incident: Incident) -> str:
    """Return what people may look for, case-folded here: the engines fold ASCII only."""
    series = incident.anomaly.series
    fields = (incident.id, incident.host, series.metric, series.subject, incident.summary)
    return "\n".join(fields).casefold()


def _incident(row: Row[Any]) -> Incident:
    """Read a row."""
    return Incident(
        id=IncidentId(row.id),
        agent=AgentId(row.agent),
        host=row.host,
        environment=row.environment,
        tags=codec.TAGS.decode(row.tags),
        fingerprint=Fingerprint(row.fingerprint),
        anomaly=codec.ANOMALY.decode(row.anomaly),
        opened_at=codec.instant(row.opened_us),
        status=codec.member(Status, row.status),
        outcome=None if row.outcome is None else codec.member(Outcome, row.outcome),
        closed_at=codec.instant_or_none(row.closed_us),
        summary=row.summary,
        earlier=codec.EARLIER.decode(row.earlier),
        reopens=None if row.reopens is None else IncidentId(row.reopens),
    )
