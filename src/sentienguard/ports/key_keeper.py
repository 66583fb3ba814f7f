"""Wrap a data key so that only whoever may use the keeper's key gets it back.

Called by adapters.sql_store, which keeps the wrapped keys. Offered by adapters.key_keepers: a file,
AWS KMS. The keeper's own key never leaves it, and a data key is never kept in the clear.
"""

from typing import Protocol

from sentienguard.model import errors


class KeeperAway(errors.Unavailable):
    """The keeper does not answer; to be asked again."""


class KeyRefused(errors.Broken):
    """The keeper has no such key, may not use it, or the wrapped key was changed."""


class KeyKeeper(Protocol):
    """One key that wraps others."""

    @property
    def name(self) -> str:
        """Which key wraps from now on: `file:…` with its fingerprint, `aws-kms:…`. No secret."""

    def wrap(self, data_key: bytes, about: str) -> tuple[str, bytes]:
        """Return the wrapping key's name and a data key wrapped by it, bound to `about`.

        Raises KeeperAway, KeyRefused.
        """

    def unwrap(self, name: str, wrapped: bytes, about: str) -> bytes:
        """Return the data key that the key of this name wrapped. Raises KeeperAway, KeyRefused."""
