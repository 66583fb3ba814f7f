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
from sentienguard.adapters.sql_store.data_keys import DataKeys
from sentienguard.adapters.sql_store.passwords import Passwords
from sentienguard.adapters.sql_store.sealed_columns import PASSWORD_HASH
from sentienguard.model import errors
from sentienguard.model.access import NO_PEOPLE, Role, User
from sentienguard.ports.user_store import NameTaken, NoSuchUser, NotAuthenticated, Outside

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

# The account of a provider's person; whose account a name is; keep whose a new one is.
OUTSIDE = text("""
    SELECT users.* FROM outside_people JOIN users ON users.name = outside_people.user_name
    WHERE outside_people.issuer = :issuer AND outside_people.subject = :subject
""")
IS_OUTSIDE = text("SELECT 1 FROM outside_people WHERE user_name = :name")
ADOPT = text("""
    INSERT INTO outside_people (issuer, subject, user_name) VALUES (:issuer, :subject, :name)
    ON CONFLICT DO NOTHING
""")

# Keep a password in today's parameters, unless it was changed meanwhile.
REHASH = text("""
    UPDATE users SET password_hash = :password_hash WHERE name = :name AND password_hash = :was
""")


class _AnotherWasFirst(Exception):
    """Another control plane, or another browser, has just made this person's account."""


class SqlUserStore:
    """Users in the relational store; see ports.user_store for what each method promises."""

    def __init__(
        self, connections: Connections, keys: DataKeys, passwords: Passwords | None = None
    ) -> None:
        self._connections = connections
        self._keys = keys
        self._passwords = passwords or Passwords()

    def add(
        self,
        name: str,
        password: str,
        roles: Mapping[str, Role],
        ends: Mapping[str, datetime] | None = None,
    ) -> User:
        """Keep a new user. Raises Rejected where the name is taken or the password under 12."""
        _require_name(name)
        password_hash = self._hash(name, password)
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
        _require_name(name)
        kept = {"roles": codec.ROLES.encode(roles), "ends": _ends(ends)}
        try:
            owner = self._adopt(who, name, kept)
        except _AnotherWasFirst:
            owner = self._adopt(who, name, kept)  # and finds the account that was made meanwhile
        return User(owner, dict(roles), dict(ends or {}))

    def _adopt(self, who: Outside, name: str, kept: Mapping[str, str | None]) -> str:
        """Return whose account it is. Raises NameTaken, _AnotherWasFirst."""
        with self._connections.write() as transaction:
            row = transaction.row(OUTSIDE, issuer=who.issuer, subject=who.subject)
            if row is None:
                made = transaction.change(
                    ADD, name=name, password_hash=self._passwords.of_nobody, **kept
                )
                # Of two first logins at once the second finds the first one's account.
                row = transaction.row(OUTSIDE, issuer=who.issuer, subject=who.subject)
                if not made and row is None:
                    raise NameTaken(f"the name {name!r} is somebody else's here")
                mine = {"issuer": who.issuer, "subject": who.subject, "name": name}
                if made and not transaction.change(ADOPT, **mine):
                    raise _AnotherWasFirst  # under another name; ours is taken back
            owner = name if row is None else str(row.name)
            transaction.change(SET_ROLES, name=owner, **kept)
        return owner

    def outside(self, who: Outside) -> User | None:
        """Return the account of a provider's person, where there is one."""
        with self._connections.read() as transaction:
            row = transaction.row(OUTSIDE, issuer=who.issuer, subject=who.subject)
        return None if row is None else user_of(row)

    def is_outside(self, name: str) -> bool:
        """Tell whether this account belongs to a provider's person, so has no password."""
        with self._connections.read() as transaction:
            return transaction.row(IS_OUTSIDE, name=name) is not None

    def check_password(self, name: str, password: str) -> User:
        """Return the user. Takes as long for unknown names. Raises NotAuthenticated."""
        row = self._find(name)
        kept = None
        if row is not None:
            kept = self._keys.unseal_text(row.password_hash, PASSWORD_HASH, name)
        if not self._passwords.matches(password, kept) or row is None or kept is None:
            raise NotAuthenticated("name and password do not match")
        if self._passwords.is_outdated(kept):
            renewed = self._hash(name, password)
            with self._connections.write() as transaction:
                transaction.change(REHASH, name=name, password_hash=renewed, was=row.password_hash)
        return user_of(row)

    def _hash(self, name: str, password: str) -> str:
        """Return what is kept of a password. Raises Rejected where it is too short."""
        return self._keys.seal_text(self._passwords.hash(password), PASSWORD_HASH, name)

    def _find(self, name: str) -> Row[Any] | None:
        """Return the row of a name; a name that no column could hold is nobody's."""
        try:
            with self._connections.read() as transaction:
                return transaction.row(GET, name=name)
        except errors.Rejected:
            return None


def _require_name(name: str) -> None:
    if not name or name != name.strip() or not name.isprintable() or len(name) > MAX_NAME:
        raise errors.Rejected(
            f"user name {name[:80]!a}: expected 1 to {MAX_NAME} printable characters "
            "without space around them"
        )
    if name.casefold() in NO_PEOPLE:
        raise errors.Rejected(f"user name {name!a}: the audit log calls a part of us so")


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
