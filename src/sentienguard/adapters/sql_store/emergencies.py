"""Keep emergencies.

Called through ports.emergency_store, whose rules are cited here. Why somebody asked is sealed.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, text

from sentienguard.adapters.sql_store import codec
from sentienguard.adapters.sql_store.connections import Connections, Transaction
from sentienguard.adapters.sql_store.data_keys import DataKeys
from sentienguard.adapters.sql_store.sealed_columns import EMERGENCY
from sentienguard.model import errors
from sentienguard.model.access import Permission
from sentienguard.model.emergency import Emergency, EmergencyId, Phase
from sentienguard.ports.emergency_store import EmergencyOver, NoSuchEmergency, OwnRequest
from sentienguard.ports.user_store import NoSuchUser

# Keep a request of somebody who has an account.
ASK = text("""
    INSERT INTO emergencies
        (id, user_name, environment, purpose, reason, minutes, asked_us, expires_us)
    VALUES (:id, :user, :environment, :purpose, :reason, :minutes, :asked_us, :expires_us)
    ON CONFLICT DO NOTHING
""")
KNOWN = text("SELECT 1 FROM users WHERE name = :user")

GET = text("SELECT * FROM emergencies WHERE id = :id")

# Let a request stand, where a second person agrees in time and nobody has (rules 1 and 2).
AGREE = text("""
    UPDATE emergencies SET agreed_by = :by, agreed_us = :at_us, ends_us = :ends_us
    WHERE id = :id AND user_name <> :by AND agreed_us IS NULL AND ended_us IS NULL
    AND expires_us > :at_us
""")

# End one that stands, or a request that somebody could still agree to (rule 3).
END = text("""
    UPDATE emergencies SET ended_by = :by, ended_us = :at_us
    WHERE id = :id AND ended_us IS NULL AND COALESCE(ends_us, expires_us) > :at_us
""")

# Note that the time of one is up.
NOTE_OVER = text("""
    UPDATE emergencies SET ended_by = '', ended_us = ends_us
    WHERE id = :id AND ended_us IS NULL AND ends_us <= :at_us
""")

# Those of a person that stand.
OF = text("""
    SELECT * FROM emergencies
    WHERE user_name = :user AND ends_us > :at_us AND ended_us IS NULL ORDER BY asked_us, id
""")

LIST = text("SELECT * FROM emergencies ORDER BY asked_us DESC, id LIMIT 200")

# Those whose end by time was not noted.
UNRECORDED = text("""
    SELECT * FROM emergencies WHERE ends_us <= :at_us AND ended_us IS NULL ORDER BY ends_us, id
""")


class SqlEmergencyStore:
    """Emergencies in the relational store; see ports.emergency_store."""

    def __init__(self, connections: Connections, keys: DataKeys) -> None:
        self._connections = connections
        self._keys = keys

    def ask(self, emergency: Emergency) -> None:
        """Keep a request. Raises Rejected where the id is taken, NoSuchUser."""
        reason = self._keys.seal_text(emergency.reason, EMERGENCY, emergency.id)
        with self._connections.write() as transaction:
            if transaction.row(KNOWN, user=emergency.user) is None:
                raise NoSuchUser(f"no user is called {emergency.user[:80]!a}")
            added = transaction.change(
                ASK,
                id=emergency.id,
                user=emergency.user,
                environment=emergency.environment,
                purpose=emergency.purpose.value,
                reason=reason,
                minutes=emergency.minutes,
                asked_us=codec.micros(emergency.asked_at),
                expires_us=codec.micros(emergency.expires_at),
            )
        if not added:
            raise errors.Rejected(f"the id {emergency.id} is taken; make a new random one")

    def get(self, emergency: EmergencyId) -> Emergency:
        """Return one. Raises NoSuchEmergency."""
        with self._connections.read() as transaction:
            return self._required(transaction, emergency)

    def agree(self, emergency: EmergencyId, *, by: str, at: datetime) -> Emergency:
        """Let it stand from now for its minutes (rules 1 and 2).

        Raises NoSuchEmergency, OwnRequest, EmergencyOver.
        """
        with self._connections.write() as transaction:
            asked = self._required(transaction, emergency)
            if asked.user == by:
                raise OwnRequest(f"{by} asked for {emergency}; somebody else has to agree to it")
            ends = at + timedelta(minutes=asked.minutes)
            times = {"at_us": codec.micros(at), "ends_us": codec.micros(ends)}
            if not transaction.change(AGREE, id=emergency, by=by, **times):
                raise _over(asked, at)
            return self._required(transaction, emergency)

    def end(self, emergency: EmergencyId, *, by: str, at: datetime) -> Emergency:
        """End it, or withdraw the request; empty `by`: its time is up (rule 3).

        Raises NoSuchEmergency, EmergencyOver where it does not stand and nobody can agree.
        """
        with self._connections.write() as transaction:
            found = self._required(transaction, emergency)
            values = {"id": emergency, "at_us": codec.micros(at)}
            ended = (
                transaction.change(END, by=by, **values)
                if by
                else transaction.change(NOTE_OVER, **values)
            )
            if not ended:
                raise _over(found, at)
            return self._required(transaction, emergency)

    def of(self, user: str, *, at: datetime) -> Sequence[Emergency]:
        """Return those of a person that stand, oldest first."""
        with self._connections.read() as transaction:
            rows = transaction.rows(OF, user=user, at_us=codec.micros(at))
        return tuple(self._emergency(row) for row in rows)

    def list(self) -> Sequence[Emergency]:
        """Return the newest 200, newest first."""
        with self._connections.read() as transaction:
            return tuple(self._emergency(row) for row in transaction.rows(LIST))

    def unrecorded(self, *, at: datetime) -> Sequence[Emergency]:
        """Return those whose time is up and that `end` has not been told of."""
        with self._connections.read() as transaction:
            rows = transaction.rows(UNRECORDED, at_us=codec.micros(at))
        return tuple(self._emergency(row) for row in rows)

    def _required(self, transaction: Transaction, emergency: EmergencyId) -> Emergency:
        row = transaction.row(GET, id=emergency)
        if row is None:
            raise NoSuchEmergency.called(emergency)
        return self._emergency(row)

    def _emergency(self, row: Row[Any]) -> Emergency:
        """Read a row."""
        return Emergency(
            id=EmergencyId(row.id),
            user=row.user_name,
            environment=row.environment,
            purpose=Permission(row.purpose),
            reason=self._keys.readable_text(row.reason, EMERGENCY, row.id),
            minutes=row.minutes,
            asked_at=codec.instant(row.asked_us),
            expires_at=codec.instant(row.expires_us),
            agreed_by=row.agreed_by,
            agreed_at=codec.instant_or_none(row.agreed_us),
            ends_at=codec.instant_or_none(row.ends_us),
            ended_by=row.ended_by,
            ended_at=codec.instant_or_none(row.ended_us),
        )


def _over(found: Emergency, at: datetime) -> EmergencyOver:
    phase = found.phase(at)
    told = f", agreed to by {found.agreed_by}" if phase is Phase.STANDING else ""
    return EmergencyOver(f"emergency {found.id} is {phase.value}{told}; ask for a new one")
