"""Keep logins of people, their tokens, and the tokens of machines that only read.

Called by controlplane.api. Offered by adapters.sql_store. Tokens are random 256-bit texts and kept
as SHA-256 only. Rules:

 1. A login is one act of showing who one is. It has an absolute end, and ends earlier when somebody
    says so; from then on none of its tokens opens anything.
 2. An access token opens requests for minutes. A refresh token gives the next pair, once.
 3. A refresh token that comes a second time is in two hands: its whole login ends.
 4. A read token belongs to a machine: one environment, named, with an end, revocable.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sentienguard.model import errors
from sentienguard.model.access import User
from sentienguard.ports.user_store import NotAuthenticated

ACCESS_PREFIX = "sga_"
REFRESH_PREFIX = "sgf_"
READ_PREFIX = "sgr_"


class NoSuchLogin(errors.Rejected):
    """This person has no such login, or it is over."""


class NoSuchReadToken(errors.Rejected):
    """No read-only token has this id."""


class RefreshReused(NotAuthenticated):
    """A refresh token came a second time, so the login that it belongs to was ended."""

    def __init__(self, login: "Login") -> None:
        """Name the login that was ended."""
        super().__init__("this refresh token was used before: the login was ended; log in again")
        self.login = login


@dataclass(frozen=True, slots=True)
class Login:
    """One act of logging in, and what became of it."""

    id: str  # log_ and 16 hex digits
    user: str
    opened_at: datetime
    ends_at: datetime  # whatever happens
    address: str  # where it came from
    strong_at: datetime | None = None  # when a second factor was last shown in it
    ended_at: datetime | None = None
    ended_because: str = ""  # logout, revoked, reuse, password


@dataclass(frozen=True, slots=True)
class Issued:
    """A token as its holder gets it, and until when it is good."""

    token: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class ReadToken:
    """What is known of a machine's token; the token itself is known to its holder alone."""

    id: str  # rot_ and 16 hex digits
    name: str  # what it is for, in its maker's words
    environment: str
    made_by: str
    made_at: datetime
    expires_at: datetime
    revoked_at: datetime | None = None


class SessionStore(Protocol):
    """Logins by their tokens, and read tokens."""

    def open(self, login: Login, access: Issued, refresh: Issued) -> None:
        """Keep a new login with its first pair of tokens. Raises NoSuchUser, Rejected."""

    def by_access(self, token: str, *, at: datetime) -> tuple[User, Login]:
        """Return whose access token this is, and of which login. Raises NotAuthenticated."""

    def refresh(self, token: str, access: Issued, refresh: Issued, *, at: datetime) -> Login:
        """Use up a refresh token for the next pair (rules 2 and 3).

        Raises RefreshReused after the login was ended, NotAuthenticated for any other token.
        """

    def strengthen(self, login: str, *, at: datetime) -> None:
        """Note that a second factor was shown. Raises NoSuchLogin."""

    def stands(self, login: str, *, at: datetime) -> bool:
        """Tell whether a login is neither over nor ended."""

    def end(self, login: str, *, user: str, at: datetime, because: str) -> Login:
        """End one login of this user. Raises NoSuchLogin."""

    def end_all(self, user: str, *, at: datetime, because: str) -> int:
        """End all logins of a user and return how many there were."""

    def of(self, user: str, *, at: datetime) -> Sequence[Login]:
        """Return the standing logins of a user, newest first."""

    def came_from(self, user: str, network: str, *, at: datetime) -> Sequence[str]:
        """Note where a login came from; return the networks that were known of this person."""

    def add_read_token(self, token: ReadToken, secret: str) -> None:
        """Keep a new one. Raises Rejected where id or secret is taken."""

    def by_read_token(self, secret: str, *, at: datetime) -> ReadToken:
        """Return the standing one of this secret. Raises NotAuthenticated."""

    def read_tokens(self) -> Sequence[ReadToken]:
        """Return all, oldest first, ended ones included."""

    def revoke_read_token(self, token: str, *, at: datetime) -> ReadToken:
        """End one; the first time counts. Raises NoSuchReadToken."""
