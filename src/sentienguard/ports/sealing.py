"""Seal what is kept, so that files, backups and replicas of a database do not tell it.

Called by adapters.sql_store and by the adapters of the audit log. Offered by
adapters.sql_store.data_keys. A sealed value is bound to its place (table, column, row): put
anywhere else it does not open. What an earlier release kept in the clear comes back as it is.

The workflows' records have two kinds of places, named here for who writes them and who seals them
anew: an answer that a step recorded, and a message to an incident.
"""

from typing import Protocol


def step_place(incident: str, step: str) -> str:
    """Return what the answer of an incident's step is bound to; steps of one name share it."""
    return f"workflow.step/{incident}/{step}"


def message_place(incident: str) -> str:
    """Return what a message to an incident is bound to."""
    return f"workflow.message/{incident}"


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
