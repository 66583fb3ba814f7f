"""Keep people, their roles and their sessions.

Called through ports.user_store. Secrets are kept as hashes only (`passwords`, `tokens`). Passwords
are hashed outside of transactions: a sign-in holds no lock while it computes.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, text

from sentienguard.adapters.sql_store import codec, tokens
from sentienguard.adapters.sql_store.connections import Connections
from sentienguard.adapters.sql_store.passwords import Passwords
from sentienguard.model import errors
from sentienguard.model.access import Role, User
from sentienguard.ports.user_store import NoSuchUser, NotAuthenticated

MAX_NAME = 254  # characters; the longest e-mail address

# Keep a new user, unless the name is taken.
ADD = text("""
    INSERT INTO users (name, password_hash, roles) VALUES (:name, :password_hash, :roles)
    ON CONFLICT DO NOTHING
""")

# One user by name.
GET = text("SELECT * FROM users WHERE name = :name")

# All users, by name.
LIST = text("SELECT * FROM users ORDER BY name")

# Replace the roles of a user.
SET_ROLES = text("UPDATE users SET roles = :roles WHERE name = :name")

# Keep a password in today's parameters, unless it was changed meanwhile.
REHASH = text("""
    UPDATE users SET password_hash = :password_hash WHERE name = :name AND password_hash = :was
""")

# Forget sessions that are over, so that their number follows the people and not the years.
FORGET_EXPIRED = text("DELETE FROM sessions WHERE expires_us <= :at_us")

# Keep the hash of a session's or API token.
OPEN_SESSION = text("""
    INSERT INTO sessions (token_sha256, user_name, opened_us, expires_us)
    VALUES (:token_sha256, :name, :opened_us, :expires_us)
    ON CONFLICT DO NOTHING
""")

# Whose session this is, while it lasts.
BY_TOKEN = text("""
    SELECT users.* FROM sessions JOIN users ON users.name = sessions.user_name
    WHERE sessions.token_sha256 = :token_sha256 AND sessions.expires_us > :at_us
""")

# End one session.
REVOKE = text("DELETE FROM sessions WHERE token_sha256 = :token_sha256")

# End all sessions of a user.
REVOKE_ALL = text("DELETE FROM sessions WHERE user_name = :name")


class SqlUserStore:
    """Users in the relational store; see ports.user_store for what each method promises."""

    def __init__(self, connections: Connections, passwords: Passwords | None = None) -> None:
        self._connections = connections
        self._passwords = passwords or Passwords()

    def add(self, name: str, password: str, roles: Mapping[str, Role]) -> User:
        """Keep a new user. Raises Rejected where the name is taken or the password under 12."""
        if not name or name != name.strip() or not name.isprintable() or len(name) > MAX_NAME:
            raise errors.Rejected(
                f"user name {name[:80]!a}: expected 1 to {MAX_NAME} printable characters "
                "without space around them"
            )
        password_hash = self._passwords.hash(password)
        with self._connections.write() as transaction:
            added = transaction.change(
                ADD, name=name, password_hash=password_hash, roles=codec.ROLES.encode(roles)
            )
        if not added:
            raise errors.Rejected(f"user name {name!r} is taken; choose another")
        return User(name, dict(roles))

    def get(self, name: str) -> User:
        """Return one. Raises NoSuchUser."""
        with self._connections.read() as transaction:
            row = transaction.row(GET, name=name)
        if row is None:
            raise _no_such_user(name)
        return _user(row)

    def list(self) -> Sequence[User]:
        """Return all, by name."""
        with self._connections.read() as transaction:
            return tuple(_user(row) for row in transaction.rows(LIST))

    def set_roles(self, name: str, roles: Mapping[str, Role]) -> User:
        """Replace a user's roles; effective on the next request. Raises NoSuchUser."""
        with self._connections.write() as transaction:
            if not transaction.change(SET_ROLES, name=name, roles=codec.ROLES.encode(roles)):
                raise _no_such_user(name)
        return User(name, dict(roles))

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
        return _user(row)

    def open_session(self, name: str, token: str, *, at: datetime, expires_at: datetime) -> None:
        """Keep the hash of a token. Raises NoSuchUser, Rejected where the token is in use."""
        with self._connections.write() as transaction:
            if transaction.row(GET, name=name) is None:
                raise _no_such_user(name)
            transaction.change(FORGET_EXPIRED, at_us=codec.micros(at))
            opened = transaction.change(
                OPEN_SESSION,
                token_sha256=tokens.digest(token),
                name=name,
                opened_us=codec.micros(at),
                expires_us=codec.micros(expires_at),
            )
        if not opened:
            raise errors.Rejected("this session token is in use; make a new random one")

    def by_token(self, token: str, *, at: datetime) -> User:
        """Return whose token this is. Raises NotAuthenticated."""
        with self._connections.read() as transaction:
            row = transaction.row(
                BY_TOKEN, token_sha256=tokens.digest(token), at_us=codec.micros(at)
            )
        if row is None:
            raise NotAuthenticated("the token is unknown, revoked or expired; sign in again")
        return _user(row)

    def revoke(self, token: str) -> None:
        """End one session; unknown tokens are ignored."""
        with self._connections.write() as transaction:
            transaction.change(REVOKE, token_sha256=tokens.digest(token))

    def revoke_all(self, name: str) -> int:
        """End all sessions of a user and return how many there were."""
        with self._connections.write() as transaction:
            return transaction.change(REVOKE_ALL, name=name)

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


def _user(row: Row[Any]) -> User:
    """Read a row."""
    return User(name=row.name, roles=codec.ROLES.decode(row.roles))
