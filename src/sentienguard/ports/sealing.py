"""Seal what is kept, so that files, backups and replicas of a database do not tell it.

Called by adapters.sql_store and by the adapters of the audit log. Offered by
adapters.sql_store.data_keys. A sealed value is bound to its place (table, column, row): put
anywhere else it does not open. What an earlier release kept in the clear comes back as it is.
"""

from typing import Protocol


class Sealer(Protocol):
    """AES-256-GCM under data keys that a key_keeper.KeyKeeper wraps."""

    def seal(self, plain: bytes, place: str) -> bytes:
        """Return the sealed form, ASCII. Raises KeeperAway, KeyRefused and what the store does."""

    def unseal(self, kept: bytes, place: str) -> bytes:
        """Return the plain form of what is kept. Raises Broken, and as `seal` does."""


class InTheClear:
    """What takes a sealer's place where nothing is sealed: tools and tests without a keeper."""

    def seal(self, plain: bytes, place: str) -> bytes:
        """Return it as it is."""
        del place
        return plain

    def unseal(self, kept: bytes, place: str) -> bytes:
        """Return it as it is."""
        del place
        return kept
