"""Keep people, their roles, their passwords' hashes and their sessions.

Called by controlplane.api. Offered by adapters.sql_store. Secrets are kept as hashes only: argon2id
for passwords, SHA-256 for the random 256-bit tokens of sessions and of the command line.
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
    """Users by name, sessions by token."""

    def add(self, name: str, password: str, roles: Mapping[str, Role]) -> User:
        """Keep a new user. Raises Rejected where the name is taken or the password under 12."""

    def get(self, name: str) -> User:
        """Return one. Raises NoSuchUser."""

    def list(self) -> Sequence[User]:
        """Return all, by name."""

    def set_roles(self, name: str, roles: Mapping[str, Role]) -> User:
        """Replace a user's roles; effective on the next request. Raises NoSuchUser."""

    def check_password(self, name: str, password: str) -> User:
        """Return the user. Takes as long for unknown names. Raises NotAuthenticated."""

    def open_session(self, name: str, token: str, *, at: datetime, expires_at: datetime) -> None:
        """Keep the hash of a session's or API token."""

    def by_token(self, token: str, *, at: datetime) -> User:
        """Return whose token this is. Raises NotAuthenticated."""

    def revoke(self, token: str) -> None:
        """End one session; unknown tokens are ignored."""

    def revoke_all(self, name: str) -> int:
        """End all sessions of a user and return how many there were."""
