"""Keep second factors of people, their recovery codes, and what is under way with them.

Called by controlplane.second_factor. Offered by adapters.sql_store. The secret of a one-time
password is kept as it is, because codes are computed with it; of a passkey there is only the public
key; recovery codes and tickets are kept as SHA-256. Rules:

 1. A code, a recovery code and a ticket count once, whoever competes.
 2. A passkey's counter never goes back, unless it has none.
 3. Wrong answers are counted by person, not by attempt; too many in a row lock for a while.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from sentienguard.model import errors


class NoSuchFactor(errors.Rejected):
    """This person has no such second factor."""


class NoSuchTicket(errors.Rejected):
    """Nobody was given this ticket for this, or it was used or is over."""


class Way(StrEnum):
    """How somebody shows that it is they."""

    TOTP = "totp"
    WEBAUTHN = "webauthn"
    RECOVERY = "recovery"


@dataclass(frozen=True, slots=True)
class Factor:
    """Something that a person has besides the password."""

    id: str  # fac_ and 16 hex digits
    user: str
    way: Way  # TOTP or WEBAUTHN
    label: str  # in its owner's words
    made_at: datetime
    secret: bytes  # TOTP: the shared secret; WEBAUTHN: the COSE public key
    credential: bytes = b""  # WEBAUTHN: the credential's id
    party: str = ""  # WEBAUTHN: the relying party that it was made for, a host name
    used_through: int = 0  # TOTP: the last time step that counted; WEBAUTHN: the last counter


@dataclass(frozen=True, slots=True)
class Ticket:
    """Something that was begun and waits for a person's next answer."""

    purpose: str  # login, step-up, enrol-totp, enrol-webauthn, command-line, command-line-code
    user: str
    challenge: bytes  # what a passkey signs; enrol-totp: the new secret; else what was asked
    expires_at: datetime
    about: str = ""  # step-up: the login that is strengthened


class FactorStore(Protocol):
    """Factors by person, recovery codes by person, tickets by their secret."""

    def add(self, factor: Factor) -> None:
        """Keep a new one. Raises Rejected where the credential is somebody's already."""

    def of(self, user: str) -> Sequence[Factor]:
        """Return the factors of a person, oldest first."""

    def advance(self, factor: str, through: int) -> bool:
        """Note the time step or counter that was used; False where it was reached before."""

    def remove(self, factor: str, user: str) -> Factor:
        """Take one from its owner. Raises NoSuchFactor."""

    def remove_all(self, user: str) -> int:
        """Take all factors and recovery codes of a person; return how many factors there were."""

    def set_recovery_codes(self, user: str, codes: Sequence[str]) -> None:
        """Replace the recovery codes of a person."""

    def use_recovery_code(self, user: str, code: str, *, at: datetime) -> bool:
        """Use one up; False where it is unknown or was used."""

    def recovery_codes_left(self, user: str) -> int:
        """Return how many were not used yet."""

    def open_ticket(self, secret: str, ticket: Ticket, *, at: datetime) -> None:
        """Keep a ticket; those that are over are forgotten."""

    def ticket(self, secret: str, purpose: str, *, at: datetime) -> Ticket:
        """Return one that stands. Raises NoSuchTicket."""

    def take_ticket(self, secret: str, purpose: str, *, at: datetime) -> Ticket:
        """Use one up and return it. Raises NoSuchTicket."""

    def drop_tickets(self, user: str) -> None:
        """Forget all that a person has under way."""

    def failed(self, user: str, *, most: int, locked_until: datetime) -> bool:
        """Count a wrong answer; tell whether it was the one too many, which locks."""

    def locked_until(self, user: str, *, at: datetime) -> datetime | None:
        """Return until when no answer counts; None: they do."""

    def succeeded(self, user: str) -> None:
        """Count wrong answers from nought again."""
