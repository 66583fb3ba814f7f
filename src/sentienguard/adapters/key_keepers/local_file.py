"""A file of keys that only the control plane's user may read; the last one wraps.

One key in each line, base64 of 32 bytes. A stolen database or backup without this file opens
nothing; a stolen disk opens everything. Whoever needs more keeps the key elsewhere (`aws_kms`).
"""

import base64
import binascii
import hashlib
import os
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from sentienguard.ports.key_keeper import KeyRefused
from sentienguard.trust import sealed

PREFIX: Final = "file:"
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_FINGERPRINT: Final = 16  # hex digits


class LocalFile:
    """A key_keeper.KeyKeeper."""

    def __init__(self, path: Path, entropy: Callable[[int], bytes] = os.urandom) -> None:
        """Take the file's place; it is made when the first key is wrapped."""
        self._path = path
        self._entropy = entropy

    @property
    def name(self) -> str:
        """Return the name of the last key. Raises KeyRefused where there is none."""
        return list(self._keys())[-1]

    def wrap(self, data_key: bytes, about: str) -> tuple[str, bytes]:
        """Wrap under the last key, which is made where there is none. Raises KeyRefused."""
        if not self._path.exists():
            self.add()
        name, key = list(self._keys().items())[-1]
        nonce = self._entropy(sealed.NONCE_BYTES)
        return name, sealed.seal_value(key, data_key, about, nonce)

    def unwrap(self, name: str, wrapped: bytes, about: str) -> bytes:
        """Return a data key. Raises KeyRefused."""
        keys = self._keys()
        if name not in keys:
            raise KeyRefused(
                f"{self._path}: has no key {name}, which the database needs; restore the file from "
                "its backup, or copy it from the control plane that made it"
            )
        try:
            return sealed.open_value(keys[name], wrapped, about)
        except sealed.NotSealedByThis as error:
            raise KeyRefused(f"{self._path}: {error}") from error

    def add(self) -> str:
        """Add a key, durably, that wraps from now on; the others still unwrap. Return its name."""
        key = self._entropy(sealed.KEY_BYTES)
        kept = self._path.read_bytes() if self._path.exists() else b""
        draft = self._path.with_suffix(".new")
        draft.unlink(missing_ok=True)
        draft.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(kept + base64.b64encode(key) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self._path)
        directory = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
        return _name(key)

    def _keys(self) -> Mapping[str, bytes]:
        try:
            with self._path.open("rb") as file:
                if os.fstat(file.fileno()).st_mode & _OTHERS:
                    raise KeyRefused(
                        f"{self._path}: others may read it; chmod 600 it, then rotate its key"
                    )
                lines = file.read().split()
        except OSError as error:
            raise KeyRefused(
                f"{self._path}: {error.strerror}; restore it from its backup, or copy it from the "
                "control plane that made it"
            ) from error
        try:
            keys = [base64.b64decode(line, validate=True) for line in lines]
        except binascii.Error:
            keys = []
        if not keys or any(len(key) != sealed.KEY_BYTES for key in keys):
            raise KeyRefused(f"{self._path}: expected lines of base64 of {sealed.KEY_BYTES} bytes")
        return {_name(key): key for key in keys}


def _name(key: bytes) -> str:
    return PREFIX + hashlib.sha256(key).hexdigest()[:_FINGERPRINT]
