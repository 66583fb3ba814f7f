"""OpenSSH keys in software, hardware ones among them: signatures as wrong as a test wants them.

Written from OpenSSH's PROTOCOL.sshsig and PROTOCOL.u2f beside the reader under test, not with it.
That they are what OpenSSH makes is shown by `ssh-keygen -Y verify`, in test_trust_ssh_approvals.

    ann = SshKey(SK_ED25519, 31)
    armoured = ann.sign(payload)                            # right
    armoured = ann.sign(payload, flags=0)                   # signed all the same, by nobody's touch
"""

import base64
import hashlib
import struct
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa, utils
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15

ED25519 = "ssh-ed25519"
SK_ED25519 = "sk-ssh-ed25519@openssh.com"
SK_ECDSA = "sk-ecdsa-sha2-nistp256@openssh.com"
RSA = "ssh-rsa"
KINDS = (ED25519, SK_ED25519, SK_ECDSA)
NAMESPACE = "sentienguard.approval"
UP, UV = 0x01, 0x04


@dataclass(frozen=True)
class SshKey:
    """One private key of a kind; the same again for the same number."""

    kind: str
    number: int
    application: str = "ssh:"

    @property
    def private(self) -> Any:
        """The private half."""
        if self.kind == RSA:
            return _rsa()
        if self.kind == SK_ECDSA:
            return ec.derive_private_key(self.number, ec.SECP256R1())
        return ed25519.Ed25519PrivateKey.from_private_bytes(bytes([self.number]) * 32)

    @property
    def blob(self) -> bytes:
        """The public half, as on the wire."""
        public = self.private.public_key()
        if self.kind == RSA:
            numbers = public.public_numbers()
            return string(b"ssh-rsa") + mpint(numbers.e) + mpint(numbers.n)
        if self.kind == SK_ECDSA:
            numbers = public.public_numbers()
            point = b"\x04" + numbers.x.to_bytes(32) + numbers.y.to_bytes(32)
            parts = [b"nistp256", point]
        else:
            parts = [public.public_bytes_raw()]
        if self.kind != ED25519:
            parts.append(self.application.encode())
        return b"".join(string(one) for one in (self.kind.encode(), *parts))

    @property
    def line(self) -> str:
        """The line of the .pub file."""
        return f"{self.kind} {base64.b64encode(self.blob).decode()}"

    def sign(
        self,
        message: bytes,
        *,
        namespace: str = NAMESPACE,
        algorithm: str = "sha512",
        flags: int = UP,
        application: str | None = None,
        blob: bytes | None = None,
        kind: str | None = None,
    ) -> str:
        """Return an armoured signature; what is named goes in in place of what is right.

        `application` is what the hardware signs for, `blob` the public key that the signature says
        it is by, `kind` what the signature calls itself.
        """
        digest = hashlib.new(algorithm, message).digest()
        parts = (namespace.encode(), b"", algorithm.encode(), digest)
        signed = b"SSHSIG" + b"".join(string(one) for one in parts)
        asked = self.application if application is None else application
        signature = string((kind or self._signature_kind).encode()) + self._signature(
            signed, flags, asked
        )
        return armour(
            b"SSHSIG"
            + struct.pack(">I", 1)
            + string(self.blob if blob is None else blob)
            + b"".join(string(one) for one in parts[:3])
            + string(signature)
        )

    @property
    def _signature_kind(self) -> str:
        return "rsa-sha2-512" if self.kind == RSA else self.kind

    def _signature(self, signed: bytes, flags: int, application: str) -> bytes:
        if self.kind == RSA:
            return string(self.private.sign(signed, PKCS1v15(), hashes.SHA512()))
        if self.kind == ED25519:
            return string(self.private.sign(signed))
        tail = struct.pack(">BI", flags, 7)
        device = hashlib.sha256(application.encode()).digest() + tail
        device += hashlib.sha256(signed).digest()
        if self.kind == SK_ED25519:
            return string(self.private.sign(device)) + tail
        pair = utils.decode_dss_signature(self.private.sign(device, ec.ECDSA(hashes.SHA256())))
        return string(b"".join(mpint(one) for one in pair)) + tail


def string(content: bytes) -> bytes:
    """Return bytes with their length before them."""
    return struct.pack(">I", len(content)) + content


def mpint(number: int) -> bytes:
    """Return a positive number as SSH writes it."""
    return string(number.to_bytes(number.bit_length() // 8 + 1))


def armour(blob: bytes) -> str:
    """Return a blob as ssh-keygen writes it to a file."""
    text = base64.b64encode(blob).decode()
    lines = [text[at : at + 70] for at in range(0, len(text), 70)]
    begin, end = "-----BEGIN SSH SIGNATURE-----", "-----END SSH SIGNATURE-----"
    return "\n".join([begin, *lines, end, ""])


def unwrapped(armoured: str) -> bytearray:
    """Return the blob of an armoured signature."""
    return bytearray(base64.b64decode("".join(armoured.split("\n")[1:-2])))


_MADE: list[rsa.RSAPrivateKey] = []


def _rsa() -> rsa.RSAPrivateKey:
    if not _MADE:
        _MADE.append(rsa.generate_private_key(65537, 2048))
    return _MADE[0]
