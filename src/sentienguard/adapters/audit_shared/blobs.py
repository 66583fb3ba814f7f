"""Blobs by their digest, each encrypted under a key of its own; erasing the key erases the blob.

Called by log. A database keeps old rows until it is vacuumed, and in its write-ahead log and
backups for longer: an erased key is gone from this log at once, and from those when they expire.
"""

import hashlib
import os
from collections.abc import Callable
from typing import Final

from sentienguard.ports import audit_log
from sentienguard.ports.audit_storage import AuditStorage, Blob
from sentienguard.trust import sealed

MAX_BYTES: Final = 16 * 1024 * 1024  # of a blob; outputs of steps are bounded far below
_HEX_DIGITS: Final = 64


class Blobs:
    """The blobs of one log."""

    def __init__(self, storage: AuditStorage, entropy: Callable[[int], bytes] = os.urandom) -> None:
        self._storage = storage
        self._entropy = entropy

    def put(self, plain: bytes, media_type: str) -> audit_log.BlobRef:
        """Keep bytes durably. Raises EntryRefused where they are too long."""
        if len(plain) > MAX_BYTES:
            raise audit_log.EntryRefused(f"a blob has at most {MAX_BYTES} bytes, not {len(plain)}")
        sha256 = hashlib.sha256(plain).hexdigest()
        known = self._storage.blob(sha256)
        if known is None or known.secret is None:
            secret = self._entropy(sealed.KEY_BYTES)
            self._storage.put_blob(sha256, Blob(sealed.seal(secret, plain, sha256), secret))
        return audit_log.BlobRef(sha256, len(plain), media_type)

    def get(self, sha256: str) -> bytes:
        """Return kept bytes. Raises NoSuchBlob, BlobErased, AuditBroken."""
        kept = self._storage.blob(_checked(sha256))
        if kept is None:
            raise audit_log.NoSuchBlob(f"no blob {sha256} was ever kept")
        if kept.secret is None:
            raise audit_log.BlobErased(f"blob {sha256} was erased on purpose")
        try:
            return sealed.unseal(kept.secret, kept.sealed, sha256)
        except sealed.NotSealedByThis as error:
            raise audit_log.AuditBroken(str(error)) from error

    def erase(self, sha256: str) -> None:
        """Destroy the key for good. Raises NoSuchBlob; erasing twice is no error."""
        if not self._storage.erase_blob(_checked(sha256)):
            raise audit_log.NoSuchBlob(f"no blob {sha256} was ever kept")


def _checked(sha256: str) -> str:
    if len(sha256) != _HEX_DIGITS or not set(sha256) <= set("0123456789abcdef"):
        raise audit_log.NoSuchBlob(f"expected 64 hex digits, got {sha256[:80]!r}")
    return sha256
