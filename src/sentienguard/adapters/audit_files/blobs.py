"""Blobs by their digest, each encrypted under a key of its own; erasing the key erases the blob.

Called by log. The digest is of the plain bytes, as entries name it. An erased blob leaves its
encrypted bytes and an empty marker, so that "erased" can be told from "never kept". The marker is
durable before the key is touched: a key that a crash left half destroyed counts as destroyed.
Keys are sealed as the secrets of the relational store are: this directory alone opens no blob.
"""

import hashlib
import os
import pathlib
import threading
from collections.abc import Callable
from typing import Final

from sentienguard.adapters.audit_files import disk as disks
from sentienguard.model import errors
from sentienguard.ports import audit_log, sealing
from sentienguard.trust import sealed

MAX_BYTES: Final = 16 * 1024 * 1024  # of a blob; outputs of steps are bounded far below
_HEX_DIGITS: Final = 64


class Blobs:
    """The blobs of one log."""

    def __init__(
        self,
        directory: pathlib.Path,
        disk: disks.Disk,
        entropy: Callable[[int], bytes] = os.urandom,
        sealer: sealing.Sealer | None = None,
    ) -> None:
        self._directory = directory
        self._disk = disk
        self._entropy = entropy
        self._sealer = sealer or sealing.InTheClear()
        self._lock = threading.Lock()
        self._settled: set[pathlib.Path] = set()  # directories whose names this process synced

    def put(self, plain: bytes, media_type: str) -> audit_log.BlobRef:
        """Keep bytes durably. Raises EntryRefused where they are too long, AuditUnavailable."""
        if len(plain) > MAX_BYTES:
            raise audit_log.EntryRefused(f"a blob has at most {MAX_BYTES} bytes, not {len(plain)}")
        sha256 = hashlib.sha256(plain).hexdigest()
        body, key = self._paths(sha256)
        with self._lock:
            try:
                for folder in (key.parent, body.parent):
                    self._settle(folder)
                if not self._holds(sha256):
                    self._keep(body, key, plain, sha256)
            except OSError as error:
                raise audit_log.AuditUnavailable(
                    f"blob {sha256}: cannot be kept: {error}"
                ) from error
            except errors.Unavailable as error:
                raise audit_log.AuditUnavailable(f"blob {sha256}: no key now: {error}") from error
        return audit_log.BlobRef(sha256, len(plain), media_type)

    def get(self, sha256: str) -> bytes:
        """Return kept bytes. Raises NoSuchBlob, BlobErased, AuditBroken."""
        body, key = self._paths(sha256)
        try:
            secret, content = key.read_bytes(), body.read_bytes()
        except FileNotFoundError as error:
            raise self._absent(sha256) from error
        except OSError as error:
            raise audit_log.AuditUnavailable(f"blob {sha256}: cannot be read: {error}") from error
        try:
            plain = sealed.unseal(self._sealer.unseal(secret, _place(sha256)), content, sha256)
        except errors.Unavailable as error:
            raise audit_log.AuditUnavailable(f"blob {sha256}: no key now: {error}") from error
        except errors.Broken as error:  # a changed body, or a key that was destroyed
            if self._marker(key).exists():
                raise audit_log.BlobErased(f"blob {sha256} was erased on purpose") from error
            raise audit_log.AuditBroken(str(error)) from error
        return plain

    def erase(self, sha256: str) -> None:
        """Destroy the key for good. Raises NoSuchBlob; erasing twice is no error."""
        body, key = self._paths(sha256)
        with self._lock:
            if not body.exists():
                raise audit_log.NoSuchBlob(f"no blob {sha256} was ever kept")
            try:
                self._disk.replace(self._marker(key), b"")
                self._disk.erase(key)
            except OSError as error:
                raise audit_log.AuditUnavailable(f"blob {sha256}: not erased: {error}") from error

    def _keep(self, body: pathlib.Path, key: pathlib.Path, plain: bytes, sha256: str) -> None:
        secret = self._entropy(sealed.KEY_BYTES)
        self._disk.replace(key, self._sealer.seal(secret, _place(sha256)))
        self._disk.replace(body, sealed.seal(secret, plain, sha256))
        self._marker(key).unlink(missing_ok=True)

    def _holds(self, sha256: str) -> bool:
        """Tell whether a blob is there and can be read; a damaged one is kept anew."""
        try:
            self.get(sha256)
        except (audit_log.NoSuchBlob, audit_log.BlobErased, audit_log.AuditBroken):
            return False
        return True

    def _settle(self, folder: pathlib.Path) -> None:
        """Make a directory for blobs, and durable every name in it and of it.

        Once in each process, for what the one before made and may not have lived to sync.
        """
        if folder in self._settled:
            return
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for one in (folder, folder.parent, self._directory):
            self._disk.sync_directory(one)
        self._settled.add(folder)

    def _absent(self, sha256: str) -> audit_log.NoSuchBlob | audit_log.BlobErased:
        body, key = self._paths(sha256)
        if self._marker(key).exists():
            return audit_log.BlobErased(f"blob {sha256} was erased on purpose")
        if body.exists():
            return audit_log.BlobErased(f"the key of blob {sha256} is gone, and with it the blob")
        return audit_log.NoSuchBlob(f"no blob {sha256} was ever kept")

    def _paths(self, sha256: str) -> tuple[pathlib.Path, pathlib.Path]:
        if len(sha256) != _HEX_DIGITS or not set(sha256) <= set("0123456789abcdef"):
            raise audit_log.NoSuchBlob(f"expected 64 hex digits, got {sha256[:80]!r}")
        return (
            self._directory / "blobs" / sha256[:2] / sha256,
            self._directory / "blob-keys" / sha256[:2] / sha256,
        )

    def _marker(self, key: pathlib.Path) -> pathlib.Path:
        return key.with_name(f"{key.name}.erased")


def _place(sha256: str) -> str:
    return f"blob-keys/{sha256}"
