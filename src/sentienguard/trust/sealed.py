"""AES-256-GCM over what is kept: blobs with a key of their own, values under a key they share.

Called by adapters that store blobs of the audit log, rows with secrets, and data keys. A blob is
erased by erasing its key: the log keeps the digest of the plain bytes, so its proofs survive.
"""

from typing import Final

from cryptography import exceptions
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sentienguard.model import errors

KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12  # random where many values share a key: good for 2^32 of them
_NONCE: Final = bytes(NONCE_BYTES)  # of a key that seals one blob only: it need not differ


class NotSealedByThis(errors.Broken):
    """The sealed bytes were changed, or belong to another key or name."""


def seal(key: bytes, plain: bytes, name: str) -> bytes:
    """Encrypt a blob under a key of its own; `name` is bound to it, so blobs cannot be swapped."""
    return AESGCM(key).encrypt(_NONCE, plain, name.encode())


def unseal(key: bytes, sealed: bytes, name: str) -> bytes:
    """Decrypt a blob. Raises NotSealedByThis."""
    try:
        return AESGCM(key).decrypt(_NONCE, sealed, name.encode())
    except (exceptions.InvalidTag, ValueError) as error:
        raise NotSealedByThis(
            f"blob {name} cannot be opened: changed on disk, or wrong key"
        ) from error


def seal_value(key: bytes, plain: bytes, place: str, nonce: bytes) -> bytes:
    """Encrypt one of many values of a key; `nonce` is random, `place` bound to it as in `seal`."""
    return nonce + AESGCM(key).encrypt(nonce, plain, place.encode())


def open_value(key: bytes, sealed: bytes, place: str) -> bytes:
    """Decrypt what `seal_value` made. Raises NotSealedByThis."""
    nonce, content = sealed[:NONCE_BYTES], sealed[NONCE_BYTES:]
    try:
        return AESGCM(key).decrypt(nonce, content, place.encode())
    except (exceptions.InvalidTag, ValueError) as error:
        raise NotSealedByThis(
            f"{place} cannot be opened: changed, moved from another row, or wrong key"
        ) from error
