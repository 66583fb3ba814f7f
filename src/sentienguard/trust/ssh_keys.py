"""OpenSSH keys with which people approve: in a file or an agent, or bound to a hardware key.

Called by trust.ssh_approvals. Reads public keys as a `.pub` file has them, and judges what each
kind of key signed (OpenSSH's PROTOCOL and PROTOCOL.u2f). Rules; the line that refuses names one:

1. A key is `ssh-ed25519`, `sk-ssh-ed25519@openssh.com` or `sk-ecdsa-sha2-nistp256@openssh.com`.
   RSA, DSA, ECDSA without hardware, certificates and signatures that came by a browser
   (`webauthn-sk-*`) are none.
2. A hardware key's application begins with `ssh:`, so a key that logs in to web sites is none.
3. A signature is of the kind of its key, whole and with nothing behind it.
4. The key signed exactly these bytes; a hardware key for the application that its public key names.
5. A hardware key's signature says that a person was there (touched it).

The counter of a hardware key is read and compared with nothing: hosts keep none, and a signature
that was copied is the same signature, of one order, which runs once.
"""

import base64
import hashlib
from dataclasses import dataclass
from typing import Final, Self

from cryptography import exceptions
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils

from sentienguard.trust import keys
from sentienguard.trust import ssh_wire as wire
from sentienguard.trust.dsse import NotTrusted

ED25519: Final = "ssh-ed25519"
SK_ED25519: Final = "sk-ssh-ed25519@openssh.com"
SK_ECDSA: Final = "sk-ecdsa-sha2-nistp256@openssh.com"
KINDS: Final = (ED25519, SK_ED25519, SK_ECDSA)
MAX_TEXT: Final = 1_024  # characters of a public key without its comment; theirs have 200
PRESENT, VERIFIED = 0x01, 0x04  # flags of a hardware key: touched; PIN or fingerprint shown
_APPLICATION: Final = "ssh:"
_MAX_APPLICATION: Final = 256  # bytes
_CURVE: Final = b"nistp256"
_COORDINATE: Final = 32  # bytes
_POINT: Final = 1 + 2 * _COORDINATE  # 0x04, x, y


@dataclass(frozen=True, slots=True)
class SshKey:
    """A public key, read and judged (rules 1 and 2)."""

    kind: str
    raw: bytes  # 32 bytes of Ed25519, or the uncompressed point of P-256
    application: str  # of a hardware key; empty: the key is in a file or an agent

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Read `TYPE BASE64 [COMMENT]`, a line of a `.pub` file. Raises NotTrusted."""
        words = text.split(maxsplit=2)
        if len(words) < 2 or len(words[0]) + len(words[1]) > MAX_TEXT:  # noqa: PLR2004 - kind, key
            raise NotTrusted(
                "SSH key: expected one line such as `ssh-ed25519 AAAA... comment`, which "
                "ssh-keygen writes to a .pub file"
            )
        kind, blob = words[0], wire.from_base64(words[1], "SSH key: what follows its type")
        found = cls._read(blob)
        if found.kind != kind:
            raise NotTrusted(f"SSH key: it calls itself {kind[:60]!r} and is {found.kind}")
        return found

    @classmethod
    def _read(cls, blob: bytes) -> Self:
        reader = wire.Reader(blob, "SSH key: it")
        kind = reader.string().decode("ascii", "replace")
        if kind not in KINDS:
            raise NotTrusted(
                f"SSH key rule 1: expected {', '.join(KINDS)}, found {kind[:60]!r}; make one with "
                "`ssh-keygen -t ed25519-sk` (hardware) or `ssh-keygen -t ed25519`"
            )
        if kind == SK_ECDSA and reader.string() != _CURVE:
            raise NotTrusted("SSH key rule 1: the curve of an sk-ecdsa key is not nistp256")
        raw = reader.string()
        application = "" if kind == ED25519 else _application(reader.string())
        reader.end()
        _require_key(kind, raw)
        return cls(kind, raw, application)

    @property
    def blob(self) -> bytes:
        """The key in the form of the wire, which has no other bytes for it."""
        parts = [self.kind.encode(), self.raw]
        if self.kind == SK_ECDSA:
            parts.insert(1, _CURVE)
        if self.kind != ED25519:
            parts.append(self.application.encode())
        return b"".join(wire.string(one) for one in parts)

    @property
    def text(self) -> str:
        """The key on one line, without a comment."""
        return f"{self.kind} {base64.b64encode(self.blob).decode()}"

    @property
    def id(self) -> str:
        """First 16 hex digits of the SHA-256 of what the key is, as key files and passkeys have.

        The application is left out: one key is one key, whatever it is for.
        """
        is_point = self.kind == SK_ECDSA
        named = b"ES256" + self.raw[1:] if is_point else self.raw  # webauthn.identity says the same
        return hashlib.sha256(named).hexdigest()[:16]

    @property
    def fingerprint(self) -> str:
        """The fingerprint that `ssh-keygen -l` shows."""
        digest = base64.b64encode(hashlib.sha256(self.blob).digest()).decode()
        return "SHA256:" + digest.rstrip("=")

    def verify(self, signature: bytes, message: bytes) -> int:
        """Return the flags with which a hardware key signed this message; 0 for others.

        `signature` is the blob of an SSH signature. Raises NotTrusted (rules 3 to 5).
        """
        reader = wire.Reader(signature, "SSH key rule 3: the signature")
        kind = reader.string()
        if kind != self.kind.encode():
            raise NotTrusted(f"SSH key rule 3: expected a {self.kind} signature, got {kind[:60]!r}")
        said = wire.Reader(reader.string(), "SSH key rule 3: the signature's numbers")
        tail = b"" if self.kind == ED25519 else reader.take(5)  # flags 1, counter 4
        reader.end()
        signed = message
        if tail:
            asked = hashlib.sha256(self.application.encode()).digest()
            signed = asked + tail + hashlib.sha256(message).digest()
        if not self._is_of(said, signed):
            raise NotTrusted(
                "SSH key rule 4: the key did not sign this, or its hardware signed for another "
                "application"
            )
        if not tail:
            return 0
        _require_touch(tail[0])
        return tail[0]

    def _is_of(self, said: wire.Reader, signed: bytes) -> bool:
        if self.kind != SK_ECDSA:
            found = said.take(keys.SIGNATURE_BYTES)
            said.end()
            return keys.VerifyKey(self.raw).verify(found, signed)
        pair = utils.encode_dss_signature(said.integer(_COORDINATE), said.integer(_COORDINATE))
        said.end()
        try:
            _point(self.raw).verify(pair, signed, ec.ECDSA(hashes.SHA256()))
        except exceptions.InvalidSignature:
            return False
        return True


def _require_touch(flags: int) -> None:
    if not flags & PRESENT:
        raise NotTrusted(
            "SSH key rule 5: nobody touched the hardware key for this signature; keys that were "
            "made with `-O no-touch-required` approve nothing"
        )


def _application(found: bytes) -> str:
    try:
        application = found.decode("ascii")
    except UnicodeDecodeError as error:
        raise NotTrusted("SSH key rule 2: its application is not ASCII") from error
    fits = len(found) <= _MAX_APPLICATION and application.isprintable()
    if not application.startswith(_APPLICATION) or not fits:
        raise NotTrusted(
            f"SSH key rule 2: its application is {application[:60]!r}; expected {_APPLICATION}..., "
            "as ssh-keygen makes it"
        )
    return application


def _require_key(kind: str, raw: bytes) -> None:
    expected = _POINT if kind == SK_ECDSA else keys.RAW_BYTES
    if len(raw) != expected:
        raise NotTrusted(f"SSH key: expected {expected} bytes of a {kind} key, got {len(raw)}")
    if kind == SK_ECDSA:
        _point(raw)


def _point(raw: bytes) -> ec.EllipticCurvePublicKey:
    try:
        return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), raw)
    except ValueError as error:
        raise NotTrusted("SSH key: its point does not lie on nistp256") from error
