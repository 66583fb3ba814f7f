"""Accounts that a test only needs to be there: the hash of their password is made once.

A hash is argon2id at its full cost, 64 MiB and a quarter of a second of processor, and most tests
that begin with two people ask nothing of their passwords. Whoever logs in is checked in full each
time. Tests of passwords themselves call the store's own `add`.
"""

from collections.abc import Mapping
from datetime import datetime

import argon2

from sentienguard.adapters.sql_store.passwords import Passwords
from sentienguard.adapters.sql_store.users import SqlUserStore
from sentienguard.model.access import Role, User


class _Once(argon2.PasswordHasher):
    """Gives the same hash, as dear to check as any, for the same password."""

    def __init__(self) -> None:
        super().__init__()
        self._made: dict[str | bytes, str] = {}

    def hash(self, password: str | bytes, *, salt: bytes | None = None) -> str:
        assert salt is None
        if password not in self._made:
            self._made[password] = super().hash(password)
        return self._made[password]


_PASSWORDS = Passwords(_Once())


def add(
    users: SqlUserStore,
    name: str,
    password: str,
    roles: Mapping[str, Role],
    ends: Mapping[str, datetime] | None = None,
) -> User:
    """Keep a new user; as SqlUserStore.add, with whatever it refuses."""
    return SqlUserStore(users._connections, users._keys, _PASSWORDS).add(
        name, password, roles, ends
    )
