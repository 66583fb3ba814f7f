"""Tell how long symptoms stood, and keep what was judged of recoveries after a remedy.

Called through ports.spell_store. A spell is read from what is there already: the episode says how
long, its incident whether it was handed to people, its order whether a remedy was released. A dry
run is no remedy, nor is what the host refused or the centre took back. Of several orders only the
last can have acted: the others were ruled out before their first step.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row, text

from sentienguard.adapters.sql_store import codec
from sentienguard.adapters.sql_store.connections import Connections
from sentienguard.model.ids import AgentId, Digest, Fingerprint, IncidentId, OrderId
from sentienguard.model.incident import Outcome
from sentienguard.model.spell import Spell
from sentienguard.model.target import kind

# How an incident ends when people were told to look, or did: what follows may be their work.
_OF_PEOPLE: Final = frozenset(Outcome) - {
    Outcome.RESOLVED,
    Outcome.SELF_RECOVERED,
    Outcome.NO_ACTION_NEEDED,
}

# Within a JSON string a quotation mark is escaped, so the pattern is found in the member alone. The
# colon is escaped, or it would be read as the begin of a parameter.
_SPELLS: Final = """
    SELECT episodes.incident, episodes.agent, episodes.fingerprint, episodes.started_us,
        episodes.cleared_us, incidents.anomaly, incidents.tags, incidents.outcome,
        incidents.closed_us, orders.id AS order_id, orders.released_us, orders.playbook,
        orders.counts
    FROM episodes JOIN incidents ON incidents.id = episodes.incident
        LEFT JOIN orders ON orders.incident = incidents.id
            AND orders.status NOT IN ('withdrawn', 'refused')
            AND orders.order_json NOT LIKE '%"dry_run"\\:true%'
            AND NOT EXISTS (
                SELECT 1 FROM orders AS later
                WHERE later.incident = orders.incident AND later.released_us > orders.released_us
            )
"""

# The spell of one incident.
OF = text(f"{_SPELLS} WHERE episodes.incident = :incident")

# Spells of an environment that began in some time, newest first.
AROUND = text(f"""{_SPELLS}
    WHERE incidents.environment = :environment
        AND incidents.opened_us >= :opened_since_us AND episodes.started_us >= :since_us
        AND episodes.started_us <= :until_us
    ORDER BY episodes.started_us DESC, episodes.incident
    LIMIT 500
""")

# Spells of one symptom at one place, newest first.
BEFORE = text(f"""{_SPELLS}
    WHERE incidents.agent = :agent AND incidents.fingerprint = :fingerprint
        AND incidents.opened_us >= :since_us
    ORDER BY episodes.started_us DESC, episodes.incident
    LIMIT 100
""")

# Keep a judgement; what was explained stays explained.
JUDGED = text("""
    UPDATE orders SET counts = :counts, counts_because = :because
    WHERE id = :id AND (counts IS NULL OR (counts = 1 AND :counts = 0))
""")


class SqlSpellStore:
    """Spells in the relational store; see ports.spell_store for what each method promises."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def of(self, incident: IncidentId) -> Spell | None:
        """Return the spell of an incident; None where no episode of it is known."""
        with self._connections.read() as transaction:
            row = transaction.row(OF, incident=incident)
        return None if row is None else _spell(row)

    def around(self, environment: str, *, since: datetime, until: datetime) -> Sequence[Spell]:
        """Return spells of an environment that began in that time, newest first, at most 500."""
        since_us = codec.micros(since)
        with self._connections.read() as transaction:
            rows = transaction.rows(
                AROUND,
                environment=environment,
                # An incident is opened after its episode's first reading; its index is what helps.
                opened_since_us=since_us,
                since_us=since_us,
                until_us=codec.micros(until),
            )
        return tuple(_spell(row) for row in rows)

    def before(
        self, agent: AgentId, fingerprint: Fingerprint, *, since: datetime
    ) -> Sequence[Spell]:
        """Return spells of one symptom at one place since then, newest first, at most 100."""
        with self._connections.read() as transaction:
            rows = transaction.rows(
                BEFORE, agent=agent, fingerprint=fingerprint, since_us=codec.micros(since)
            )
        return tuple(_spell(row) for row in rows)

    def judged(self, order: OrderId, *, counts: bool, because: str) -> bool:
        """Keep whether a recovery counts for its playbook; False where nothing changed."""
        with self._connections.write() as transaction:
            return transaction.change(JUDGED, id=order, counts=int(counts), because=because) == 1


def _spell(row: Row[Any]) -> Spell:
    """Read a row."""
    series = codec.ANOMALY.decode(row.anomaly).series
    outcome = None if row.outcome is None else codec.member(Outcome, row.outcome)
    to_people = outcome in _OF_PEOPLE and row.closed_us is not None
    return Spell(
        incident=IncidentId(row.incident),
        agent=AgentId(row.agent),
        fingerprint=Fingerprint(row.fingerprint),
        metric=series.metric,
        subject=series.subject,
        kind=kind(series.metric, series.subject, codec.TAGS.decode(row.tags)),
        started_at=codec.instant(row.started_us),
        ended_at=codec.instant_or_none(row.cleared_us),
        remedied_at=codec.instant_or_none(row.released_us),
        people_at=codec.instant(row.closed_us) if to_people else None,
        order=None if row.order_id is None else OrderId(row.order_id),
        playbook=None if row.playbook is None else Digest(row.playbook),
        counts=None if row.counts is None else bool(row.counts),
    )
