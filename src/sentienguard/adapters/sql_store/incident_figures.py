"""Count over incidents, decisions and orders; called through ports.incident_figures.

The one module that reads other stores' tables, because its subject is how they go together. It
writes none. Rules:

1. The database counts; what comes back is a row for each span, band or playbook, or a page.
2. What an order did stands beside its report, which is sealed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, TextClause, text

from sentienguard.adapters.sql_store import codec
from sentienguard.adapters.sql_store.connections import Connections
from sentienguard.model import errors
from sentienguard.model.care import HANDED_TO_PEOPLE
from sentienguard.model.ids import IncidentId
from sentienguard.model.incident import Outcome, Status
from sentienguard.ports.incident_figures import Decided, Now, Record, Said, Tally

# Longest life of an incident that is looked for among orders: a question may wait for a week.
LONGEST_LIFE = timedelta(days=30)

# What is open at this moment.
NOW = """
    SELECT COUNT(*) AS unclosed,
        COALESCE(SUM(CASE WHEN status = 'AWAITING_APPROVAL' THEN 1 ELSE 0 END), 0) AS awaiting
    FROM incidents WHERE status <> 'CLOSED' AND environment IN ({places})
"""

# What closed without a remedy that worked, and that nobody took up, newest id first.
LEFT = """
    SELECT id FROM incidents
    WHERE status = 'CLOSED' AND environment IN ({places}) AND closed_us >= :since_us
        AND outcome IN ({handed})
        AND NOT EXISTS (
            SELECT 1 FROM incident_care WHERE incident_care.incident = incidents.id
                AND (acknowledged_by IS NOT NULL OR settled_by IS NOT NULL))
        AND NOT EXISTS (SELECT 1 FROM incidents AS next WHERE next.reopens = incidents.id)
    ORDER BY id DESC LIMIT :limit
"""
HANDED = ", ".join(f"'{outcome.value}'" for outcome in sorted(HANDED_TO_PEOPLE))

# Orders that changed something, or may have, one row for an incident: how the worst ended.
RAN = """
    SELECT incident,
        MAX(CASE WHEN ended = 'SUCCESS' THEN 1 ELSE 0 END) AS succeeded,
        MAX(CASE WHEN ended = 'ROLLED_BACK' THEN 1 ELSE 0 END) AS rolled_back,
        MAX(CASE WHEN ended = 'PARTIALLY_ROLLED_BACK'
            OR ended = 'UNKNOWN' THEN 1 ELSE 0 END) AS harmed
    FROM orders
    WHERE environment IN ({places}) AND released_us >= :released_us AND (
        ended = 'SUCCESS' OR ended = 'ROLLED_BACK'
        OR ended = 'PARTIALLY_ROLLED_BACK'
        OR ended = 'UNKNOWN')
    GROUP BY incident
"""

# Outcomes in which the symptom went, whoever ended it.
RECOVERED = ", ".join(
    f"'{outcome.value}'"
    for outcome in (
        Outcome.RESOLVED, Outcome.NO_ACTION_NEEDED, Outcome.SELF_RECOVERED, Outcome.FIXED_BY_PERSON,
    )
)  # fmt: skip

# How incidents that closed ended, one row for each span in which any did.
TALLIES = f"""
    SELECT span,
        COUNT(*) AS closed,
        SUM(CASE WHEN outcome = 'resolved' THEN 1 ELSE 0 END) AS resolved,
        SUM(CASE WHEN outcome = 'resolved' AND asked = 0 THEN 1 ELSE 0 END) AS unattended,
        SUM(ran) AS ran, SUM(rolled_back) AS rolled_back, SUM(harmed) AS harmed,
        AVG(CASE WHEN outcome = 'resolved' THEN took_us END) AS mean_us,
        AVG(CASE WHEN outcome = 'resolved' AND place IN ((every + 1) / 2, (every + 2) / 2)
            THEN took_us END) AS median_us,
        SUM(CASE WHEN outcome IN ({RECOVERED}) THEN 1 ELSE 0 END) AS recovered,
        AVG(CASE WHEN outcome IN ({RECOVERED}) THEN took_us END) AS recovered_us
    FROM (
        SELECT ended.*,
            ROW_NUMBER() OVER (PARTITION BY span, outcome ORDER BY took_us) AS place,
            COUNT(*) OVER (PARTITION BY span, outcome) AS every
        FROM (
            SELECT (closed_us - :start_us) / :width_us AS span, outcome,
                closed_us - opened_us AS took_us,
                CASE WHEN EXISTS (SELECT 1 FROM approvals WHERE approvals.incident = incidents.id)
                    THEN 1 ELSE 0 END AS asked,
                CASE WHEN ran.incident IS NULL THEN 0 ELSE 1 END AS ran,
                COALESCE(ran.rolled_back, 0) AS rolled_back,
                COALESCE(ran.harmed, 0) AS harmed
            FROM incidents LEFT JOIN ({RAN}) AS ran ON ran.incident = incidents.id
            WHERE status = 'CLOSED' AND environment IN ({{places}})
                AND closed_us >= :start_us AND closed_us < :end_us
        ) AS ended
    ) AS placed
    GROUP BY span
"""  # noqa: S608  # of constants; values are bound

# What people ended, one row for each span in which they did: at the time when somebody said so, for
# an incident that was handed to them has long been closed by then.
BY_PEOPLE = f"""
    SELECT span, COUNT(*) AS by_people, AVG(took_us) AS mean_us,
        AVG(CASE WHEN place IN ((every + 1) / 2, (every + 2) / 2) THEN took_us END) AS median_us
    FROM (
        SELECT span, took_us,
            ROW_NUMBER() OVER (PARTITION BY span ORDER BY took_us) AS place,
            COUNT(*) OVER (PARTITION BY span) AS every
        FROM (
            SELECT (ended_us - :start_us) / :width_us AS span, ended_us - opened_us AS took_us
            FROM (
                SELECT opened_us,
                    CASE WHEN outcome = '{Outcome.FIXED_BY_PERSON.value}' THEN closed_us
                        ELSE care.settled_us END AS ended_us
                FROM incidents LEFT JOIN incident_care AS care ON care.incident = incidents.id
                WHERE status = 'CLOSED' AND environment IN ({{places}})
                    AND (outcome = '{Outcome.FIXED_BY_PERSON.value}'
                        OR (outcome IN ({HANDED}) AND care.settled_us IS NOT NULL))
            ) AS ended
            WHERE ended_us >= :start_us AND ended_us < :end_us
        ) AS taken
    ) AS placed
    GROUP BY span
"""  # noqa: S608  # of constants; values are bound

# What was said of playbooks that ran, and what came of it, newest first.
SAID = f"""
    SELECT decisions.playbook, decisions.confidence,
        CASE WHEN incidents.outcome = 'resolved' AND ran.succeeded = 1 THEN 1 ELSE 0 END AS resolved
    FROM ({RAN}) AS ran
        JOIN incidents ON incidents.id = ran.incident
        JOIN decisions ON decisions.incident = ran.incident
    WHERE incidents.status = 'CLOSED' AND incidents.closed_us >= :since_us
        AND decisions.playbook IS NOT NULL {{of}}
    ORDER BY incidents.closed_us DESC, incidents.id DESC
    LIMIT :limit
"""  # noqa: S608  # of constants; values are bound
SAID_OF = "AND decisions.playbook = :playbook"

# How incidents ended by the playbook that was decided on.
RECORDS = """
    SELECT decisions.playbook, COUNT(*) AS closed,
        SUM(CASE WHEN incidents.outcome = 'resolved' THEN 1 ELSE 0 END) AS resolved
    FROM decisions JOIN incidents ON incidents.id = decisions.incident
    WHERE decisions.playbook IS NOT NULL AND incidents.status = 'CLOSED'
        AND incidents.environment IN ({places})
    GROUP BY decisions.playbook
"""

# Incidents in which a playbook was the decision, newest id first: ids begin with the time.
DECIDED = """
    SELECT incidents.id, incidents.host, incidents.environment, incidents.opened_us,
        incidents.status, incidents.outcome
    FROM decisions JOIN incidents ON incidents.id = decisions.incident
    WHERE decisions.playbook = :playbook AND incidents.environment IN ({places}) {before}
    ORDER BY decisions.incident DESC LIMIT :limit
"""
DECIDED_BEFORE = "AND decisions.incident < :before"


class SqlIncidentFigures:
    """Figures in the relational store; see ports.incident_figures."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def now(self, environments: Sequence[str]) -> Now:
        """Count what is open."""
        if not environments:
            return Now(0, 0)
        statement, values = _in(NOW, environments)
        (row,) = self._rows(statement, **values)
        return Now(int(row.unclosed), int(row.awaiting))

    def left_to_people(
        self, environments: Sequence[str], *, since: datetime, limit: int
    ) -> Sequence[IncidentId]:
        """Return closed ones that wait for people and that nobody took up, newest id first."""
        if not environments:
            return ()
        statement, values = _in(LEFT, environments, handed=HANDED)
        rows = self._rows(statement, since_us=codec.micros(since), limit=limit, **values)
        return tuple(IncidentId(row.id) for row in rows)

    def tallies(
        self, environments: Sequence[str], *, start: datetime, width: timedelta, count: int
    ) -> Sequence[Tally]:
        """Return a tally for each span; one in which nothing closed is empty."""
        if width <= timedelta(0) or count < 1:
            raise errors.Rejected(
                f"{count} spans of {width}: expected at least one, of some length"
            )
        if not environments:
            return (Tally(),) * count
        spans = {
            "start_us": codec.micros(start),
            "end_us": codec.micros(start + width * count),
            "width_us": width // timedelta(microseconds=1),
        }
        released_us = codec.micros(start - LONGEST_LIFE)
        statement, values = _in(TALLIES, environments)
        rows = self._rows(statement, released_us=released_us, **spans, **values)
        found = {int(row.span): _tally(row) for row in rows}
        statement, values = _in(BY_PEOPLE, environments)
        for row in self._rows(statement, **spans, **values):
            found[int(row.span)] = _with_people(found.get(int(row.span), Tally()), row)
        return tuple(found.get(span, Tally()) for span in range(count))

    def said(
        self, environments: Sequence[str], *, since: datetime, playbook: str | None, limit: int
    ) -> Sequence[Said]:
        """Return what was said and what came of it, the newest."""
        if not environments:
            return ()
        of = {} if playbook is None else {"playbook": playbook}
        statement, values = _in(SAID, environments, of=SAID_OF if of else "")
        rows = self._rows(
            statement,
            since_us=codec.micros(since),
            released_us=codec.micros(since - LONGEST_LIFE),
            limit=limit,
            **of,
            **values,
        )
        return tuple(
            Said(row.playbook, float(row.confidence), bool(row.resolved))
            for row in rows
            if row.confidence is not None
        )

    def records(self, environments: Sequence[str]) -> Mapping[str, Record]:
        """Return the record of each playbook that was ever decided on."""
        if not environments:
            return {}
        statement, values = _in(RECORDS, environments)
        rows = self._rows(statement, **values)
        return {row.playbook: Record(int(row.closed), int(row.resolved)) for row in rows}

    def decided(
        self, playbook: str, environments: Sequence[str], *, before: str | None, limit: int
    ) -> Sequence[Decided]:
        """Return incidents in which this playbook was the decision, newest first."""
        if not environments:
            return ()
        after = {} if before is None else {"before": before}
        statement, values = _in(DECIDED, environments, before=DECIDED_BEFORE if after else "")
        rows = self._rows(statement, playbook=playbook, limit=limit, **after, **values)
        return tuple(
            Decided(
                incident=IncidentId(row.id),
                host=row.host,
                environment=row.environment,
                opened_at=codec.instant(row.opened_us),
                status=codec.member(Status, row.status),
                outcome=None if row.outcome is None else codec.member(Outcome, row.outcome),
            )
            for row in rows
        )

    def _rows(self, statement: TextClause, **values: Any) -> Sequence[Row[Any]]:
        with self._connections.read() as transaction:
            return transaction.rows(statement, **values)


def _in(
    statement: str, environments: Sequence[str], **parts: str
) -> tuple[TextClause, dict[str, str]]:
    """Return the statement with a name for each environment, and their values."""
    values = {f"place_{number}": one for number, one in enumerate(environments)}
    places = ", ".join(f":{name}" for name in values)
    return text(statement.format(places=places, **parts)), values


def _tally(row: Row[Any]) -> Tally:
    return Tally(
        closed=int(row.closed),
        resolved=int(row.resolved),
        unattended=int(row.unattended),
        ran=int(row.ran),
        rolled_back=int(row.rolled_back),
        harmed=int(row.harmed),
        mean_s=_seconds(row.mean_us),
        median_s=_seconds(row.median_us),
        recovered=int(row.recovered),
        recovered_mean_s=_seconds(row.recovered_us),
    )


def _with_people(tally: Tally, row: Row[Any]) -> Tally:
    return replace(
        tally,
        by_people=int(row.by_people),
        by_people_mean_s=_seconds(row.mean_us),
        by_people_median_s=_seconds(row.median_us),
    )


def _seconds(us: Any) -> float | None:
    return None if us is None else round(float(us) / 1e6, 3)
