"""Ed25519 keys: sign, verify, name.

Called by everything in trust and by whoever keeps a key file. A key id is the first 16 hex digits
of the SHA-256 of the raw public key; it says where to look and proves nothing.
"""

import base64
import binascii
import functools
import hashlib
from dataclasses import dataclass
from typing import Final, Self

from cryptography import exceptions
from cryptography.hazmat.primitives.asymmetric import ed25519

from sentienguard.model import errors

RAW_BYTES: Final = 32  # of a public key and of a seed, RFC 8032
SIGNATURE_BYTES: Final = 64  # RFC 8032
SHORT_BYTES: Final = 1024  # of a message, up to which an answer is remembered: checkpoints
LONG_BYTES: Final = 256 * 1024  # up to which one of the last is remembered: catalogues
_REMEMBERED: Final = 1024  # answers, one or two MB
_LAST: Final = 8  # answers about long messages: the signers of one catalogue, and two orders
LEAST_PASSPHRASE: Final = 16  # characters, for a key in a file that can be carried away
SEALED_MARK: Final = b"-----BEGIN ENCRYPTED PRIVATE KEY-----"
_PKCS8: Final = bytes.fromhex("302e020100300506032b657004220420")  # RFC 8410, before the seed


class BadKey(errors.Rejected):
    """This is not an Ed25519 key in the form that was asked for."""


@dataclass(frozen=True, slots=True)
class VerifyKey:
    """The public half, 32 raw bytes."""

    raw: bytes

    def __post_init__(self) -> None:
        """Refuse what cannot be a key."""
        if len(self.raw) != RAW_BYTES:
            raise BadKey(f"expected a public key of {RAW_BYTES} bytes, got {len(self.raw)}")

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Read standard base64 of the raw bytes. Raises BadKey."""
        try:
            return cls(base64.b64decode(text, validate=True))
        except (binascii.Error, ValueError) as error:
            raise BadKey(f"expected base64 of a public key, got {text[:50]!r}") from error

    @property
    def text(self) -> str:
        """Standard base64 of the raw bytes, as on the wire."""
        return base64.b64encode(self.raw).decode()

    @property
    def id(self) -> str:
        """First 16 hex digits of the SHA-256 of the raw bytes."""
        return hashlib.sha256(self.raw).hexdigest()[:16]

    def verify(self, signature: bytes, message: bytes) -> bool:
        """Tell whether the private half signed exactly this message."""
        if len(signature) != SIGNATURE_BYTES:
            return False
        if len(message) > LONG_BYTES:
            return _verify(self.raw, signature, message)
        verify = _verify_again if len(message) <= SHORT_BYTES else _verify_long_again
        return verify(self.raw, signature, message)

    def to_pem(self) -> bytes:
        """Write as SubjectPublicKeyInfo PEM, which `openssl` reads."""
        from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - see from_pem

        key = ed25519.Ed25519PublicKey.from_public_bytes(self.raw)
        return key.public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )


def _verify(raw: bytes, signature: bytes, message: bytes) -> bool:
    try:
        ed25519.Ed25519PublicKey.from_public_bytes(raw).verify(signature, message)
    except (exceptions.InvalidSignature, ValueError):
        return False
    return True


# Every host of a fleet brings the same checkpoint, and the cosignature on it is asked about in
# three places. The answer depends on these bytes alone.
_verify_again: Final = functools.lru_cache(maxsize=_REMEMBERED)(_verify)

# Every order asks again who signed the catalogue. Nobody can put an answer here but by asking this
# question whole: key, signature and every byte of the message.
_verify_long_again: Final = functools.lru_cache(maxsize=_LAST)(_verify)


class SigningKey:
    """The private half. It never shows itself: not in repr, not in errors."""

    __slots__ = ("_key", "public")

    def __init__(self, key: ed25519.Ed25519PrivateKey) -> None:
        self._key = key
        self.public: Final = VerifyKey(key.public_key().public_bytes_raw())

    @classmethod
    def generate(cls) -> Self:
        """Make a new key from the operating system's entropy."""
        return cls(ed25519.Ed25519PrivateKey.generate())

    @classmethod
    def from_seed(cls, seed: bytes) -> Self:
        """Make the key of these 32 bytes: the same again for a simulated run. Raises BadKey."""
        if len(seed) != RAW_BYTES:
            raise BadKey(f"expected a seed of {RAW_BYTES} bytes, got {len(seed)}")
        return cls(ed25519.Ed25519PrivateKey.from_private_bytes(seed))

    @classmethod
    def from_pem(cls, pem: bytes) -> Self:
        """Read an unencrypted PKCS#8 PEM. Raises BadKey, which never quotes what it read.

        The form that `to_pem` writes is read without the library's loaders, which know every kind
        of key and cost the executor 3 MB.
        """
        if (seed := _plain_seed(pem)) is not None:
            return cls.from_seed(seed)
        from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - see above

        try:
            key = serialization.load_pem_private_key(pem, password=None)
        except (ValueError, TypeError, exceptions.UnsupportedAlgorithm) as error:
            raise BadKey("expected an unencrypted PKCS#8 PEM with an Ed25519 key") from error
        if not isinstance(key, ed25519.Ed25519PrivateKey):
            raise BadKey(f"expected an Ed25519 key, got a {type(key).__name__}")
        return cls(key)

    def to_pem(self) -> bytes:
        """Write as unencrypted PKCS#8 PEM; the file that holds it needs mode 0600."""
        from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - see from_pem

        return self._key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )

    @classmethod
    def from_sealed_pem(cls, pem: bytes, passphrase: str) -> Self:
        """Read an encrypted PKCS#8 PEM. Raises BadKey, which quotes neither."""
        from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - see from_pem

        try:
            key = serialization.load_pem_private_key(pem, password=passphrase.encode())
        except (ValueError, TypeError, exceptions.UnsupportedAlgorithm) as error:
            raise BadKey(
                "expected an encrypted PKCS#8 PEM with an Ed25519 key and its passphrase"
            ) from error
        if not isinstance(key, ed25519.Ed25519PrivateKey):
            raise BadKey(f"expected an Ed25519 key, got a {type(key).__name__}")
        return cls(key)

    def to_sealed_pem(self, passphrase: str) -> bytes:
        """Write as encrypted PKCS#8 PEM, as the library encrypts it. Raises BadKey.

        That is PBES2 with AES-256-CBC under PBKDF2-HMAC-SHA256 of 2,048 rounds, so what protects a
        stolen file is the length of the passphrase: a short one is refused.
        """
        from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - see from_pem

        if len(passphrase) < LEAST_PASSPHRASE:
            raise BadKey(
                f"expected a passphrase of {LEAST_PASSPHRASE} characters or more, got "
                f"{len(passphrase)}; six random words are good"
            )
        return self._key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(passphrase.encode()),
        )

    @property
    def id(self) -> str:
        """The id of the public half."""
        return self.public.id

    def sign(self, message: bytes) -> bytes:
        """Return the 64 bytes of the signature; the same again for the same message."""
        return self._key.sign(message)

    def __repr__(self) -> str:
        return f"SigningKey({self.id})"


def _plain_seed(pem: bytes) -> bytes | None:
    """Return the seed in a PKCS#8 PEM of exactly the form that `to_pem` writes, else None."""
    lines = pem.strip().split(b"\n")
    if len(lines) != 3 or lines[0] != b"-----BEGIN PRIVATE KEY-----":  # noqa: PLR2004 - head, body, foot
        return None
    try:
        der = base64.b64decode(lines[1], validate=True)
    except (binascii.Error, ValueError):
        return None
    right = der.startswith(_PKCS8) and len(der) == len(_PKCS8) + RAW_BYTES
    return der[len(_PKCS8) :] if right and lines[2] == b"-----END PRIVATE KEY-----" else None
