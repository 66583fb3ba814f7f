"""Keep who looks after which incident.

Called through ports.incident_care. One row for an incident that people did something about. Why it
was closed by hand is sealed.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Row, text

from sentienguard.adapters.sql_store import codec
from sentienguard.adapters.sql_store.connections import Connections, Transaction
from sentienguard.adapters.sql_store.data_keys import DataKeys
from sentienguard.adapters.sql_store.sealed_columns import SETTLED
from sentienguard.model.care import Care, Signed
from sentienguard.model.ids import IncidentId
from sentienguard.ports.incident_care import AlreadySettled

# Make the row of an incident, unless it is there.
BEGIN = text("INSERT INTO incident_care (incident) VALUES (:incident) ON CONFLICT DO NOTHING")

# Somebody has it in hand; the first one stays.
ACKNOWLEDGE = text("""
    UPDATE incident_care SET acknowledged_by = :made_by, acknowledged_us = :at_us
    WHERE incident = :incident AND acknowledged_by IS NULL
""")

# Whose it is.
ASSIGN = text("""
    UPDATE incident_care SET assigned_to = :to, assigned_by = :made_by, assigned_us = :at_us
    WHERE incident = :incident
""")

# Who closed it by hand; the first one stays.
SETTLE = text("""
    UPDATE incident_care
    SET settled_by = :made_by, settled_us = :at_us, settled_because = :because
    WHERE incident = :incident AND settled_by IS NULL
""")

# What people did about some incidents, and which ones go on with them.
OF_MANY = """
    SELECT * FROM incident_care WHERE incident IN ({places})
"""
NEXT_OF_MANY = """
    SELECT reopens, id FROM incidents WHERE reopens IN ({places}) ORDER BY opened_us, id
"""


class SqlIncidentCare:
    """Care in the relational store; see ports.incident_care for what each method promises."""

    def __init__(self, connections: Connections, keys: DataKeys) -> None:
        self._connections = connections
        self._keys = keys

    def of(self, incident: IncidentId) -> Care:
        """Return what people did about one; nothing where nobody did anything."""
        return self.of_many([incident])[incident]

    def of_many(self, incidents: Sequence[IncidentId]) -> Mapping[IncidentId, Care]:
        """Return the same of many; of each, also where nobody did anything."""
        with self._connections.read() as transaction:
            return self._of_many(transaction, incidents)

    def acknowledge(self, incident: IncidentId, who: Signed) -> Care:
        """Remember that somebody has it in hand; the first one stays."""
        with self._connections.write() as transaction:
            transaction.change(BEGIN, incident=incident)
            transaction.change(ACKNOWLEDGE, incident=incident, **_signed(who))
            return self._of_many(transaction, [incident])[incident]

    def assign(self, incident: IncidentId, to: str | None, who: Signed) -> Care:
        """Give it to a person, or to nobody; the last one counts."""
        with self._connections.write() as transaction:
            transaction.change(BEGIN, incident=incident)
            transaction.change(ASSIGN, incident=incident, to=to, **_signed(who))
            return self._of_many(transaction, [incident])[incident]

    def settle(self, incident: IncidentId, who: Signed, because: str) -> Care:
        """Remember who closed it by hand. Raises AlreadySettled."""
        sealed = self._keys.seal_text(because, SETTLED, incident)
        with self._connections.write() as transaction:
            transaction.change(BEGIN, incident=incident)
            if not transaction.change(SETTLE, incident=incident, because=sealed, **_signed(who)):
                message = f"incident {incident} was closed by hand before; read it again"
                raise AlreadySettled(message)
            return self._of_many(transaction, [incident])[incident]

    def _of_many(
        self, transaction: Transaction, incidents: Sequence[IncidentId]
    ) -> dict[IncidentId, Care]:
        if not incidents:
            return {}
        names = {f"incident_{number}": one for number, one in enumerate(incidents)}
        places = ", ".join(f":{name}" for name in names)
        rows = transaction.rows(text(OF_MANY.format(places=places)), **names)
        following = transaction.rows(text(NEXT_OF_MANY.format(places=places)), **names)
        after = {IncidentId(row.reopens): IncidentId(row.id) for row in following}
        found = {IncidentId(row.incident): row for row in rows}
        return {one: self._care(one, found.get(one), after.get(one)) for one in incidents}

    def _care(self, incident: IncidentId, row: Row[Any] | None, after: IncidentId | None) -> Care:
        """Read a row."""
        because = None if row is None else row.settled_because
        if row is None:
            return Care(incident, reopened_as=after)
        return Care(
            incident=incident,
            acknowledged=_who(row.acknowledged_by, row.acknowledged_us),
            assigned_to=row.assigned_to,
            assigned=_who(row.assigned_by, row.assigned_us),
            settled=_who(row.settled_by, row.settled_us),
            settled_because=self._keys.readable_text(because, SETTLED, incident) if because else "",
            reopened_as=after,
        )


def _signed(who: Signed) -> dict[str, str | int]:
    return {"made_by": who.by, "at_us": codec.micros(who.at)}


def _who(by: str | None, at_us: int | None) -> Signed | None:
    return None if by is None or at_us is None else Signed(by, codec.instant(at_us))
