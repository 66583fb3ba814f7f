"""A passkey in software, as wrong as a test wants it: its parts are made here and signed last.

passkey = Passkey("localhost", "http://localhost:7443")
client_data, attestation = passkey.make(challenge)
answer = passkey.answer(challenge)                          # right
answer = passkey.answer(challenge, origin="http://evil")    # signed all the same
"""

import hashlib
import json
import struct
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from sentienguard.trust import encoding, webauthn

UP, UV, AT = 0x01, 0x04, 0x40


@dataclass
class Passkey:
    """One credential of one authenticator."""

    party: str
    origin: str
    key: Any = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    credential: bytes = b"\x00credential of a test"
    counter: int = 0

    def client_data(self, kind: str, challenge: bytes, /, **changes: Any) -> bytes:
        """Return what a browser would say, with changes."""
        said = {
            "type": kind,
            "challenge": encoding.base64url(challenge),
            "origin": self.origin,
            "crossOrigin": False,
            **changes,
        }
        return json.dumps(said).encode()

    def data(self, *, flags: int = UP | UV, party: str = "", counter: int | None = None) -> bytes:
        """Return authenticator data."""
        hashed = hashlib.sha256((party or self.party).encode()).digest()
        return hashed + struct.pack(">BI", flags, self.counter if counter is None else counter)

    def make(
        self, challenge: bytes, /, *, flags: int = UP | UV | AT, party: str = "", **changes: Any
    ) -> tuple[bytes, bytes]:
        """Return client data and attestation of a new credential."""
        size = struct.pack(">H", len(self.credential))
        data = self.data(flags=flags, party=party) + bytes(16) + size + self.credential
        attestation = {"fmt": "none", "attStmt": {}, "authData": data + self.public_key()}
        return self.client_data("webauthn.create", challenge, **changes), cbor(attestation)

    def answer(
        self,
        challenge: bytes,
        /,
        *,
        kind: str = "webauthn.get",
        flags: int = UP | UV,
        party: str = "",
        counter: int | None = None,
        **changes: Any,
    ) -> webauthn.Assertion:
        """Return an assertion, signed over whatever it says."""
        client_data = self.client_data(kind, challenge, **changes)
        data = self.data(flags=flags, party=party, counter=counter)
        return webauthn.Assertion(client_data, data, self.sign(data, client_data))

    def sign(self, data: bytes, client_data: bytes) -> bytes:
        """Sign as the kind of key does."""
        signed = data + hashlib.sha256(client_data).digest()
        match self.key:
            case ec.EllipticCurvePrivateKey():
                return self.key.sign(signed, ec.ECDSA(hashes.SHA256()))
            case ed25519.Ed25519PrivateKey():
                return self.key.sign(signed)
            case _:
                return self.key.sign(signed, padding.PKCS1v15(), hashes.SHA256())

    def public_key(self) -> bytes:
        """Return the COSE key."""
        match self.key:
            case ec.EllipticCurvePrivateKey():
                numbers = self.key.public_key().public_numbers()
                curve = 1 if numbers.curve.name == "secp256r1" else 2
                x, y = (one.to_bytes(numbers.curve.key_size // 8, "big")
                        for one in (numbers.x, numbers.y))  # fmt: skip
                return cbor({1: 2, 3: -7, -1: curve, -2: x, -3: y})
            case ed25519.Ed25519PrivateKey():
                return cbor({1: 1, 3: -8, -1: 6, -2: self.key.public_key().public_bytes_raw()})
            case _:
                rsa_numbers = self.key.public_key().public_numbers()
                n = rsa_numbers.n.to_bytes((rsa_numbers.n.bit_length() + 7) // 8, "big")
                return cbor({1: 3, 3: -257, -1: n, -2: rsa_numbers.e.to_bytes(3, "big")})


def keys() -> dict[str, Any]:
    """Return a key of each kind that is taken."""
    return {
        "ES256": ec.generate_private_key(ec.SECP256R1()),
        "EdDSA": ed25519.Ed25519PrivateKey.generate(),
        "RS256": rsa.generate_private_key(65537, 2048),
    }


def cbor(item: Any) -> bytes:
    """Write CBOR as authenticators do: a second writer, beside the reader under test."""
    if isinstance(item, bool):
        return b"\xf5" if item else b"\xf4"
    if isinstance(item, int):
        return _head(0, item) if item >= 0 else _head(1, -1 - item)
    if isinstance(item, bytes):
        return _head(2, len(item)) + item
    if isinstance(item, str):
        return _head(3, len(item.encode())) + item.encode()
    if isinstance(item, list):
        return _head(4, len(item)) + b"".join(cbor(one) for one in item)
    body = b"".join(cbor(key) + cbor(value) for key, value in item.items())
    return _head(5, len(item)) + body


def _head(kind: int, argument: int) -> bytes:
    for short, code in ((">B", 24), (">H", 25), (">I", 26), (">Q", 27)):
        if code == 24 and argument < 24:
            return bytes([kind << 5 | argument])
        if argument < 1 << 8 * struct.calcsize(short):
            return bytes([kind << 5 | code]) + struct.pack(short, argument)
    raise ValueError(argument)
