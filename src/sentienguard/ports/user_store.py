"""Keep people, their roles and their passwords' hashes (argon2id).

Called by controlplane.api. Offered by adapters.sql_store. What they log in with besides: see
session_store and factor_store.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from sentienguard.model import errors
from sentienguard.model.access import Role, User


class NoSuchUser(errors.Rejected):
    """No user has this name."""


class NotAuthenticated(errors.Rejected):
    """Name and password do not match, or the token is unknown, revoked or expired."""


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

    def check_password(self, name: str, password: str) -> User:
        """Return the user. Takes as long for unknown names. Raises NotAuthenticated."""
