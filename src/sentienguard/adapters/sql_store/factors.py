"""Keep second factors, recovery codes and tickets.

Called through ports.factor_store, whose rules hold here because each statement that uses something
up names the state that it must still have.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, text

from sentienguard.adapters.sql_store import codec, tokens
from sentienguard.adapters.sql_store.connections import Connections
from sentienguard.adapters.sql_store.data_keys import DataKeys
from sentienguard.adapters.sql_store.sealed_columns import FACTOR_SECRET, TICKET_CHALLENGE
from sentienguard.model import errors
from sentienguard.ports.factor_store import Factor, NoSuchFactor, NoSuchTicket, Ticket, Way

# Keep a new factor, unless its id or its credential is somebody's.
ADD = text("""
    INSERT INTO factors
    (id, user_name, way, label, made_us, secret, credential, party, used_through)
    VALUES (:id, :user, :way, :label, :made_us, :secret, :credential, :party, :used_through)
    ON CONFLICT DO NOTHING
""")

# The factors of a person, oldest first; one of them.
OF = text("SELECT * FROM factors WHERE user_name = :user ORDER BY made_us, id")
GET = text("SELECT * FROM factors WHERE id = :id AND user_name = :user")

# Note a time step or counter, unless it was reached before. A passkey without counter says 0.
ADVANCE = text("""
    UPDATE factors SET used_through = :through
    WHERE id = :id AND (used_through < :through OR (:through = 0 AND used_through = 0))
""")

# Take one factor, or all of a person.
REMOVE = text("DELETE FROM factors WHERE id = :id AND user_name = :user")
REMOVE_ALL = text("DELETE FROM factors WHERE user_name = :user")

# Recovery codes: replace all, use one up, count the rest.
DROP_CODES = text("DELETE FROM recovery_codes WHERE user_name = :user")
ADD_CODE = text("""
    INSERT INTO recovery_codes (user_name, code_sha256) VALUES (:user, :code_sha256)
    ON CONFLICT DO NOTHING
""")
USE_CODE = text("""
    UPDATE recovery_codes SET used_us = :at_us
    WHERE user_name = :user AND code_sha256 = :code_sha256 AND used_us IS NULL
""")
CODES_LEFT = text("""
    SELECT count(*) AS codes FROM recovery_codes WHERE user_name = :user AND used_us IS NULL
""")

# Tickets: keep, find, use up, forget those of a person and those that are over.
OPEN_TICKET = text("""
    INSERT INTO tickets (secret_sha256, purpose, user_name, challenge, about, expires_us)
    VALUES (:sha256, :purpose, :user, :challenge, :about, :expires_us)
""")
TICKET = text("""
    SELECT * FROM tickets
    WHERE secret_sha256 = :sha256 AND purpose = :purpose AND expires_us > :at_us
""")
TAKE_TICKET = text("DELETE FROM tickets WHERE secret_sha256 = :sha256 AND purpose = :purpose")
DROP_TICKETS = text("DELETE FROM tickets WHERE user_name = :user")
FORGET_TICKETS = text("DELETE FROM tickets WHERE expires_us <= :at_us")

# Wrong answers in a row, and until when none counts.
FAILURES = text("SELECT * FROM second_failures WHERE user_name = :user")
FAILED = text("""
    INSERT INTO second_failures (user_name, failures) VALUES (:user, 1)
    ON CONFLICT (user_name) DO UPDATE SET failures = second_failures.failures + 1
""")
LOCK = text("""
    UPDATE second_failures SET failures = 0, locked_us = :until_us
    WHERE user_name = :user AND failures >= :most
""")
SUCCEEDED = text("DELETE FROM second_failures WHERE user_name = :user")


class SqlFactorStore:
    """Second factors in the relational store; see ports.factor_store."""

    def __init__(self, connections: Connections, keys: DataKeys) -> None:
        self._connections = connections
        self._keys = keys

    def add(self, factor: Factor) -> None:
        """Keep a new one. Raises Rejected where the credential is somebody's already."""
        secret = self._keys.seal_text(factor.secret.hex(), FACTOR_SECRET, factor.id)
        with self._connections.write() as transaction:
            added = transaction.change(
                ADD,
                id=factor.id,
                user=factor.user,
                way=factor.way.value,
                label=factor.label,
                made_us=codec.micros(factor.made_at),
                secret=secret,
                credential=factor.credential.hex() or None,
                party=factor.party,
                used_through=factor.used_through,
            )
        if not added:
            raise errors.Rejected("this passkey is registered already; use it, or register another")

    def of(self, user: str) -> Sequence[Factor]:
        """Return the factors of a person, oldest first."""
        with self._connections.read() as transaction:
            rows = transaction.rows(OF, user=user)
        return tuple(self._factor(row) for row in rows)

    def advance(self, factor: str, through: int) -> bool:
        """Note the time step or counter that was used; False where it was reached before."""
        with self._connections.write() as transaction:
            return bool(transaction.change(ADVANCE, id=factor, through=through))

    def remove(self, factor: str, user: str) -> Factor:
        """Take one from its owner. Raises NoSuchFactor."""
        with self._connections.write() as transaction:
            row = transaction.row(GET, id=factor, user=user)
            transaction.change(REMOVE, id=factor, user=user)
        if row is None:
            raise NoSuchFactor(f"{user} has no second factor {factor[:80]!a}; list them to find it")
        return self._factor(row)

    def remove_all(self, user: str) -> int:
        """Take all factors and recovery codes of a person; return how many factors there were."""
        with self._connections.write() as transaction:
            transaction.change(DROP_CODES, user=user)
            return transaction.change(REMOVE_ALL, user=user)

    def set_recovery_codes(self, user: str, codes: Sequence[str]) -> None:
        """Replace the recovery codes of a person."""
        with self._connections.write() as transaction:
            transaction.change(DROP_CODES, user=user)
            for code in codes:
                transaction.change(ADD_CODE, user=user, code_sha256=tokens.digest(code))

    def use_recovery_code(self, user: str, code: str, *, at: datetime) -> bool:
        """Use one up; False where it is unknown or was used."""
        with self._connections.write() as transaction:
            return bool(
                transaction.change(
                    USE_CODE, user=user, code_sha256=tokens.digest(code), at_us=codec.micros(at)
                )
            )

    def recovery_codes_left(self, user: str) -> int:
        """Return how many were not used yet."""
        with self._connections.read() as transaction:
            row = transaction.row(CODES_LEFT, user=user)
        return 0 if row is None else int(row.codes)

    def open_ticket(self, secret: str, ticket: Ticket, *, at: datetime) -> None:
        """Keep a ticket; those that are over are forgotten."""
        sha256 = tokens.digest(secret)
        challenge = self._keys.seal_text(ticket.challenge.hex(), TICKET_CHALLENGE, sha256)
        with self._connections.write() as transaction:
            transaction.change(FORGET_TICKETS, at_us=codec.micros(at))
            transaction.change(
                OPEN_TICKET,
                sha256=sha256,
                purpose=ticket.purpose,
                user=ticket.user,
                challenge=challenge,
                about=ticket.about,
                expires_us=codec.micros(ticket.expires_at),
            )

    def ticket(self, secret: str, purpose: str, *, at: datetime) -> Ticket:
        """Return one that stands. Raises NoSuchTicket."""
        sha256 = tokens.digest(secret)
        with self._connections.read() as transaction:
            row = transaction.row(TICKET, sha256=sha256, purpose=purpose, at_us=codec.micros(at))
        if row is None:
            raise _no_such_ticket()
        return self._ticket(row)

    def take_ticket(self, secret: str, purpose: str, *, at: datetime) -> Ticket:
        """Use one up and return it. Raises NoSuchTicket."""
        sha256 = tokens.digest(secret)
        with self._connections.write() as transaction:
            row = transaction.row(TICKET, sha256=sha256, purpose=purpose, at_us=codec.micros(at))
            taken = transaction.change(TAKE_TICKET, sha256=sha256, purpose=purpose)
        if row is None or not taken:
            raise _no_such_ticket()
        return self._ticket(row)

    def drop_tickets(self, user: str) -> None:
        """Forget all that a person has under way."""
        with self._connections.write() as transaction:
            transaction.change(DROP_TICKETS, user=user)

    def failed(self, user: str, *, most: int, locked_until: datetime) -> bool:
        """Count a wrong answer; tell whether it was the one too many, which locks."""
        with self._connections.write() as transaction:
            transaction.change(FAILED, user=user)
            until_us = codec.micros(locked_until)
            return bool(transaction.change(LOCK, user=user, most=most, until_us=until_us))

    def locked_until(self, user: str, *, at: datetime) -> datetime | None:
        """Return until when no answer counts; None: they do."""
        with self._connections.read() as transaction:
            row = transaction.row(FAILURES, user=user)
        if row is None or row.locked_us is None or row.locked_us <= codec.micros(at):
            return None
        return codec.instant(row.locked_us)

    def succeeded(self, user: str) -> None:
        """Count wrong answers from nought again."""
        with self._connections.write() as transaction:
            transaction.change(SUCCEEDED, user=user)

    def _factor(self, row: Row[Any]) -> Factor:
        """Read a row."""
        return Factor(
            id=row.id,
            user=row.user_name,
            way=codec.member(Way, row.way),
            label=row.label,
            made_at=codec.instant(row.made_us),
            secret=bytes.fromhex(self._keys.unseal_text(row.secret, FACTOR_SECRET, row.id)),
            credential=bytes.fromhex(row.credential or ""),
            party=row.party,
            used_through=row.used_through,
        )

    def _ticket(self, row: Row[Any]) -> Ticket:
        """Read a row."""
        challenge = self._keys.unseal_text(row.challenge, TICKET_CHALLENGE, row.secret_sha256)
        return Ticket(
            purpose=row.purpose,
            user=row.user_name,
            challenge=bytes.fromhex(challenge),
            expires_at=codec.instant(row.expires_us),
            about=row.about,
        )


def _no_such_ticket() -> NoSuchTicket:
    return NoSuchTicket("this step is unknown, was used or took too long; begin again")
