"""Keep people, their roles and their passwords' hashes (argon2id).

Somebody whom an identity provider knows has an account without a password. It is theirs by issuer
and subject, never by name: a name belongs to whoever had it first, here or there.

Called by controlplane.api. Offered by adapters.sql_store. What they log in with besides: see
session_store and factor_store.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sentienguard.model import errors
from sentienguard.model.access import Role, User


class NoSuchUser(errors.Rejected):
    """No user has this name."""


class NameTaken(errors.Rejected):
    """Somebody else has this name: another person of the provider, or an account of ours."""


class NotAuthenticated(errors.Rejected):
    """Name and password do not match, or the token is unknown, revoked or expired."""


@dataclass(frozen=True, slots=True)
class Outside:
    """Who somebody is to an identity provider."""

    issuer: str
    subject: str  # never given to another person by this issuer


class UserStore(Protocol):
    """Users by name."""

    def add(
        self,
        name: str,
        password: str,
        roles: Mapping[str, Role],
        ends: Mapping[str, datetime] | None = None,
    ) -> User:
        """Keep a new user. Raises Rejected where the name is taken or the password under 12."""

    def get(self, name: str) -> User:
        """Return one. Raises NoSuchUser."""

    def list(self) -> Sequence[User]:
        """Return all, by name."""

    def set_roles(
        self, name: str, roles: Mapping[str, Role], ends: Mapping[str, datetime] | None = None
    ) -> User:
        """Replace a user's roles; effective on the next request. Raises NoSuchUser."""

    def adopt(
        self,
        who: Outside,
        name: str,
        roles: Mapping[str, Role],
        ends: Mapping[str, datetime] | None = None,
    ) -> User:
        """Return the account of a provider's person with these roles, made where there is none.

        An account keeps the name that it was made with. Raises NameTaken, Rejected.
        """

    def outside(self, who: Outside) -> User | None:
        """Return the account of a provider's person, where there is one."""

    def is_outside(self, name: str) -> bool:
        """Tell whether this account belongs to a provider's person, so has no password."""

    def check_password(self, name: str, password: str) -> User:
        """Return the user. Takes as long for unknown names.

        Raises NotAuthenticated; Unavailable at once where too many are being checked.
        """
