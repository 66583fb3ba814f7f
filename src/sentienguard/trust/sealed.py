"""Blobs that are erased by erasing their key.

Called by adapters that store blobs of the audit log. AES-256-GCM with a key of its own for each
blob: the log keeps the digest of the plain bytes, so its proofs survive when the key is destroyed.
"""

from typing import Final

from cryptography import exceptions
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sentienguard.model import errors

KEY_BYTES: Final = 32
_NONCE: Final = bytes(12)  # a key seals one blob only, so its nonce need not differ from anything


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
