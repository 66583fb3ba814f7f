"""Keep people and their roles.

Called through ports.user_store. Of passwords only the hash is kept (`passwords`). They are hashed
outside of transactions: a sign-in holds no lock while it computes.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, text

from sentienguard.adapters.sql_store import codec
from sentienguard.adapters.sql_store.connections import Connections
from sentienguard.adapters.sql_store.passwords import Passwords
from sentienguard.model import errors
from sentienguard.model.access import Role, User
from sentienguard.ports.user_store import NoSuchUser, NotAuthenticated

MAX_NAME = 254  # characters; the longest e-mail address

# Keep a new user, unless the name is taken.
ADD = text("""
    INSERT INTO users (name, password_hash, roles, role_ends)
    VALUES (:name, :password_hash, :roles, :ends)
    ON CONFLICT DO NOTHING
""")

# One user by name.
GET = text("SELECT * FROM users WHERE name = :name")

# All users, by name.
LIST = text("SELECT * FROM users ORDER BY name")

# Replace the roles of a user.
SET_ROLES = text("UPDATE users SET roles = :roles, role_ends = :ends WHERE name = :name")

# Keep a password in today's parameters, unless it was changed meanwhile.
REHASH = text("""
    UPDATE users SET password_hash = :password_hash WHERE name = :name AND password_hash = :was
""")


class SqlUserStore:
    """Users in the relational store; see ports.user_store for what each method promises."""

    def __init__(self, connections: Connections, passwords: Passwords | None = None) -> None:
        self._connections = connections
        self._passwords = passwords or Passwords()

    def add(
        self,
        name: str,
        password: str,
        roles: Mapping[str, Role],
        ends: Mapping[str, datetime] | None = None,
    ) -> User:
        """Keep a new user. Raises Rejected where the name is taken or the password under 12."""
        if not name or name != name.strip() or not name.isprintable() or len(name) > MAX_NAME:
            raise errors.Rejected(
                f"user name {name[:80]!a}: expected 1 to {MAX_NAME} printable characters "
                "without space around them"
            )
        password_hash = self._passwords.hash(password)
        with self._connections.write() as transaction:
            added = transaction.change(
                ADD,
                name=name,
                password_hash=password_hash,
                roles=codec.ROLES.encode(roles),
                ends=_ends(ends),
            )
        if not added:
            raise errors.Rejected(f"user name {name!r} is taken; choose another")
        return User(name, dict(roles), dict(ends or {}))

    def get(self, name: str) -> User:
        """Return one. Raises NoSuchUser."""
        with self._connections.read() as transaction:
            row = transaction.row(GET, name=name)
        if row is None:
            raise _no_such_user(name)
        return user_of(row)

    def list(self) -> Sequence[User]:
        """Return all, by name."""
        with self._connections.read() as transaction:
            return tuple(user_of(row) for row in transaction.rows(LIST))

    def set_roles(
        self, name: str, roles: Mapping[str, Role], ends: Mapping[str, datetime] | None = None
    ) -> User:
        """Replace a user's roles; effective on the next request. Raises NoSuchUser."""
        kept = codec.ROLES.encode(roles)
        with self._connections.write() as transaction:
            if not transaction.change(SET_ROLES, name=name, roles=kept, ends=_ends(ends)):
                raise _no_such_user(name)
        return User(name, dict(roles), dict(ends or {}))

    def check_password(self, name: str, password: str) -> User:
        """Return the user. Takes as long for unknown names. Raises NotAuthenticated."""
        row = self._find(name)
        kept: str | None = None if row is None else row.password_hash
        if not self._passwords.matches(password, kept) or row is None or kept is None:
            raise NotAuthenticated("name and password do not match")
        if self._passwords.is_outdated(kept):
            renewed = self._passwords.hash(password)
            with self._connections.write() as transaction:
                transaction.change(REHASH, name=name, password_hash=renewed, was=kept)
        return user_of(row)

    def _find(self, name: str) -> Row[Any] | None:
        """Return the row of a name; a name that no column could hold is nobody's."""
        try:
            with self._connections.read() as transaction:
                return transaction.row(GET, name=name)
        except errors.Rejected:
            return None


def _no_such_user(name: str) -> NoSuchUser:
    """Return the error for a name that nobody has."""
    return NoSuchUser(f"no user is called {name!r}; list users to find the name")


def _ends(ends: Mapping[str, datetime] | None) -> str | None:
    """Return what is kept of the ends of roles."""
    if not ends:
        return None
    return codec.ENDS.encode({place: codec.micros(end) for place, end in ends.items()})


def user_of(row: Row[Any]) -> User:
    """Read a row with the columns of a user."""
    ends = {} if row.role_ends is None else codec.ENDS.decode(row.role_ends)
    return User(
        name=row.name,
        roles=codec.ROLES.decode(row.roles),
        ends={place: codec.instant(end) for place, end in ends.items()},
    )
