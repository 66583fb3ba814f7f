"""Keep logins, their tokens, and the tokens of machines that only read.

Called through ports.session_store, whose rules are cited here. Of tokens only the SHA-256 is kept.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, text

from sentienguard.adapters.sql_store import codec, tokens, users
from sentienguard.adapters.sql_store.connections import Connections, Transaction
from sentienguard.adapters.sql_store.data_keys import DataKeys
from sentienguard.adapters.sql_store.sealed_columns import LOGIN_ADDRESS
from sentienguard.model import errors
from sentienguard.model.access import User
from sentienguard.ports.session_store import (
    Issued,
    Login,
    NoSuchLogin,
    NoSuchReadToken,
    ReadToken,
    RefreshReused,
)
from sentienguard.ports.user_store import NoSuchUser, NotAuthenticated

# Forget tokens and logins that are over, so that their number follows the people, not the years.
FORGET_ACCESS = text("DELETE FROM login_tokens WHERE purpose = 'access' AND expires_us <= :at_us")
FORGET_TOKENS = text("""
    DELETE FROM login_tokens WHERE login IN (SELECT id FROM logins WHERE ends_us <= :at_us)
""")
FORGET_LOGINS = text("DELETE FROM logins WHERE ends_us <= :at_us")

# Keep a login, and one of its tokens.
OPEN = text("""
    INSERT INTO logins (id, user_name, opened_us, ends_us, address, strong_us)
    VALUES (:id, :user, :opened_us, :ends_us, :address, :strong_us)
    ON CONFLICT DO NOTHING
""")
ISSUE = text("""
    INSERT INTO login_tokens (token_sha256, login, purpose, expires_us)
    VALUES (:token_sha256, :login, :purpose, :expires_us)
    ON CONFLICT DO NOTHING
""")

# Whose access token this is, while it and its login last (rule 1).
BY_ACCESS = text("""
    SELECT users.name, users.roles, users.role_ends, logins.*
    FROM login_tokens
    JOIN logins ON logins.id = login_tokens.login
    JOIN users ON users.name = logins.user_name
    WHERE login_tokens.token_sha256 = :token_sha256 AND login_tokens.purpose = 'access'
    AND login_tokens.expires_us > :at_us AND logins.ends_us > :at_us AND logins.ended_us IS NULL
""")

# The refresh token and its login, whatever state they are in.
BY_REFRESH = text("""
    SELECT logins.*, login_tokens.expires_us, login_tokens.used_us
    FROM login_tokens JOIN logins ON logins.id = login_tokens.login
    WHERE login_tokens.token_sha256 = :token_sha256 AND login_tokens.purpose = 'refresh'
""")

# Use up a refresh token, unless somebody was quicker.
USE = text("""
    UPDATE login_tokens SET used_us = :at_us WHERE token_sha256 = :token_sha256 AND used_us IS NULL
""")

# When a second factor was last shown.
STRENGTHEN = text("""
    UPDATE logins SET strong_us = :at_us
    WHERE id = :id AND ended_us IS NULL AND ends_us > :at_us
""")

# One login of a user that is neither over nor ended, or all of them.
STANDS = text("""
    SELECT * FROM logins WHERE id = :id AND ended_us IS NULL AND ends_us > :at_us
""")
OF = text("""
    SELECT * FROM logins WHERE user_name = :user AND ended_us IS NULL AND ends_us > :at_us
    ORDER BY opened_us DESC, id
""")

# End one login, or all of a user.
END = text("""
    UPDATE logins SET ended_us = :at_us, ended_because = :because
    WHERE id = :id AND user_name = :user AND ended_us IS NULL AND ends_us > :at_us
""")
END_ALL = text("""
    UPDATE logins SET ended_us = :at_us, ended_because = :because
    WHERE user_name = :user AND ended_us IS NULL AND ends_us > :at_us
""")
GET = text("SELECT * FROM logins WHERE id = :id")

# From which networks a person's logins came.
NETWORKS = text("SELECT network FROM login_networks WHERE user_name = :user ORDER BY network")
CAME_FROM = text("""
    INSERT INTO login_networks (user_name, network, last_us) VALUES (:user, :network, :at_us)
    ON CONFLICT (user_name, network) DO UPDATE SET last_us = :at_us
""")

# Read tokens: keep, find by secret while it stands, list, one by id, end.
ADD_READ = text("""
    INSERT INTO read_tokens (id, token_sha256, name, environment, made_by, made_us, expires_us)
    VALUES (:id, :token_sha256, :name, :environment, :made_by, :made_us, :expires_us)
    ON CONFLICT DO NOTHING
""")
BY_READ = text("""
    SELECT * FROM read_tokens
    WHERE token_sha256 = :token_sha256 AND revoked_us IS NULL AND expires_us > :at_us
""")
LIST_READ = text("SELECT * FROM read_tokens ORDER BY made_us, id")
GET_READ = text("SELECT * FROM read_tokens WHERE id = :id")
REVOKE_READ = text("""
    UPDATE read_tokens SET revoked_us = :at_us WHERE id = :id AND revoked_us IS NULL
""")

UNKNOWN = "the token is unknown, revoked or expired; sign in again"


class SqlSessionStore:
    """Logins in the relational store; see ports.session_store for what each method promises."""

    def __init__(self, connections: Connections, keys: DataKeys) -> None:
        self._connections = connections
        self._keys = keys

    def open(self, login: Login, access: Issued, refresh: Issued) -> None:
        """Keep a new login with its first pair of tokens. Raises NoSuchUser, Rejected."""
        at_us = codec.micros(login.opened_at)
        address = self._keys.seal_text(login.address, LOGIN_ADDRESS, login.id)
        with self._connections.write() as transaction:
            if transaction.row(users.GET, name=login.user) is None:
                raise NoSuchUser(f"no user is called {login.user!r}; list users to find the name")
            for forget in (FORGET_ACCESS, FORGET_TOKENS, FORGET_LOGINS):
                transaction.change(forget, at_us=at_us)
            strong = None if login.strong_at is None else codec.micros(login.strong_at)
            opened = transaction.change(
                OPEN,
                id=login.id,
                user=login.user,
                opened_us=at_us,
                ends_us=codec.micros(login.ends_at),
                address=address,
                strong_us=strong,
            )
            if not opened:
                raise errors.Rejected("this login exists; make a new random id")
            _issue(transaction, login.id, access, refresh)

    def by_access(self, token: str, *, at: datetime) -> tuple[User, Login]:
        """Return whose access token this is, and of which login. Raises NotAuthenticated."""
        with self._connections.read() as transaction:
            row = transaction.row(
                BY_ACCESS, token_sha256=tokens.digest(token), at_us=codec.micros(at)
            )
        if row is None:
            raise NotAuthenticated(UNKNOWN)
        return users.user_of(row), self._login(row)

    def refresh(self, token: str, access: Issued, refresh: Issued, *, at: datetime) -> Login:
        """Use up a refresh token for the next pair. Raises RefreshReused, NotAuthenticated."""
        sha256, at_us = tokens.digest(token), codec.micros(at)
        with self._connections.write() as transaction:
            row = transaction.row(BY_REFRESH, token_sha256=sha256)
            if row is None or row.ended_us is not None or row.ends_us <= at_us:
                raise NotAuthenticated(UNKNOWN)
            used = row.used_us is not None
            if not used and row.expires_us <= at_us:
                raise NotAuthenticated(UNKNOWN)
            # Of two at once on PostgreSQL the second finds it used, as if it had come later.
            if not used and transaction.change(USE, token_sha256=sha256, at_us=at_us):
                _issue(transaction, row.id, access, refresh)
                return self._login(row)
            ended = transaction.change(  # rule 3; committed before anybody hears of it
                END, id=row.id, user=row.user_name, at_us=at_us, because="reuse"
            )
        if not ended:  # somebody else noticed at the same moment
            raise NotAuthenticated(UNKNOWN)
        raise RefreshReused(self._login(row))

    def strengthen(self, login: str, *, at: datetime) -> None:
        """Note that a second factor was shown. Raises NoSuchLogin."""
        with self._connections.write() as transaction:
            if not transaction.change(STRENGTHEN, id=login, at_us=codec.micros(at)):
                raise _no_such_login(login)

    def stands(self, login: str, *, at: datetime) -> bool:
        """Tell whether a login is neither over nor ended."""
        with self._connections.read() as transaction:
            return transaction.row(STANDS, id=login, at_us=codec.micros(at)) is not None

    def end(self, login: str, *, user: str, at: datetime, because: str) -> Login:
        """End one login of this user. Raises NoSuchLogin."""
        with self._connections.write() as transaction:
            ended = transaction.change(
                END, id=login, user=user, at_us=codec.micros(at), because=because
            )
            row = transaction.row(GET, id=login)
        if not ended or row is None:
            raise _no_such_login(login)
        return self._login(row)

    def end_all(self, user: str, *, at: datetime, because: str) -> int:
        """End all logins of a user and return how many there were."""
        with self._connections.write() as transaction:
            return transaction.change(END_ALL, user=user, at_us=codec.micros(at), because=because)

    def of(self, user: str, *, at: datetime) -> Sequence[Login]:
        """Return the standing logins of a user, newest first."""
        with self._connections.read() as transaction:
            rows = transaction.rows(OF, user=user, at_us=codec.micros(at))
            return tuple(self._login(row) for row in rows)

    def came_from(self, user: str, network: str, *, at: datetime) -> Sequence[str]:
        """Note where a login came from; return the networks that were known of this person."""
        with self._connections.write() as transaction:
            known = [row.network for row in transaction.rows(NETWORKS, user=user)]
            transaction.change(CAME_FROM, user=user, network=network, at_us=codec.micros(at))
        return known

    def add_read_token(self, token: ReadToken, secret: str) -> None:
        """Keep a new one. Raises Rejected where id or secret is taken."""
        with self._connections.write() as transaction:
            added = transaction.change(
                ADD_READ,
                id=token.id,
                token_sha256=tokens.digest(secret),
                name=token.name,
                environment=token.environment,
                made_by=token.made_by,
                made_us=codec.micros(token.made_at),
                expires_us=codec.micros(token.expires_at),
            )
        if not added:
            raise errors.Rejected("this read-only token was made before; make a new random one")

    def by_read_token(self, secret: str, *, at: datetime) -> ReadToken:
        """Return the standing one of this secret. Raises NotAuthenticated."""
        with self._connections.read() as transaction:
            row = transaction.row(
                BY_READ, token_sha256=tokens.digest(secret), at_us=codec.micros(at)
            )
        if row is None:
            raise NotAuthenticated("the read-only token is unknown, revoked or expired")
        return _read_token(row)

    def read_tokens(self) -> Sequence[ReadToken]:
        """Return all, oldest first, ended ones included."""
        with self._connections.read() as transaction:
            return tuple(_read_token(row) for row in transaction.rows(LIST_READ))

    def revoke_read_token(self, token: str, *, at: datetime) -> ReadToken:
        """End one; the first time counts. Raises NoSuchReadToken."""
        with self._connections.write() as transaction:
            transaction.change(REVOKE_READ, id=token, at_us=codec.micros(at))
            row = transaction.row(GET_READ, id=token)
        if row is None:
            raise NoSuchReadToken(f"no read-only token is called {token[:80]!a}; list them")
        return _read_token(row)

    def _login(self, row: Row[Any]) -> Login:
        """Read a row."""
        return Login(
            id=row.id,
            user=row.user_name,
            opened_at=codec.instant(row.opened_us),
            ends_at=codec.instant(row.ends_us),
            address=self._keys.unseal_text(row.address, LOGIN_ADDRESS, row.id),
            strong_at=codec.instant_or_none(row.strong_us),
            ended_at=codec.instant_or_none(row.ended_us),
            ended_because=row.ended_because or "",
        )


def _issue(transaction: Transaction, login: str, access: Issued, refresh: Issued) -> None:
    """Keep a pair of tokens."""
    for purpose, issued in (("access", access), ("refresh", refresh)):
        kept = transaction.change(
            ISSUE,
            token_sha256=tokens.digest(issued.token),
            login=login,
            purpose=purpose,
            expires_us=codec.micros(issued.expires_at),
        )
        if not kept:
            raise errors.Rejected("this token is in use; make a new random one")


def _no_such_login(login: str) -> NoSuchLogin:
    return NoSuchLogin(f"no standing login is called {login[:80]!a}; list your logins to find it")


def _read_token(row: Row[Any]) -> ReadToken:
    """Read a row."""
    return ReadToken(
        id=row.id,
        name=row.name,
        environment=row.environment,
        made_by=row.made_by,
        made_at=codec.instant(row.made_us),
        expires_at=codec.instant(row.expires_us),
        revoked_at=codec.instant_or_none(row.revoked_us),
    )
