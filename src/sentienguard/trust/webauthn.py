"""What a passkey says: registered once, and then an assertion over a challenge of ours.

Called by controlplane.second_factor, which keeps the public key, the party and the counter. Follows
W3C Web Authentication Level 2, sections 7.1 and 7.2, without attestation: which make of
authenticator it is does not matter here, only that the same one answers again. Rules; the line that
refuses cites one:

 1. It was made for this act: type webauthn.create or webauthn.get.
 2. It answers the challenge that was given, which whoever calls gives once.
 3. It was made on the page of this origin, not inside another's.
 4. It was made for this relying party.
 5. A person was there (UP) and showed to the authenticator who they are (UV).
 6. The key is one that we take: ES256, EdDSA with Ed25519, RS256 of 2048 bits and more.
 7. The signature is of the registered key, over exactly what was said.
 8. The counter has grown, unless the authenticator has none; one that fell back was copied.
"""

import hashlib
import hmac
import json
from dataclasses import dataclass
from typing import Any, Final

from cryptography import exceptions
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from sentienguard.model import errors
from sentienguard.trust import cbor, encoding

MAX_CLIENT_DATA: Final = 4096
MAX_AUTHENTICATOR_DATA: Final = 4096
MAX_CREDENTIAL: Final = 1023  # bytes, by the standard
UP, UV, AT = 0x01, 0x04, 0x40
_FIXED: Final = 37  # rpIdHash 32, flags 1, counter 4
ES256, EDDSA, RS256 = -7, -8, -257
ALGORITHMS: Final = (ES256, EDDSA, RS256)  # in the order that we like them
_LEAST_RSA_BITS: Final = 2048
_P256_BYTES: Final = 32
_KEY_TYPE: Final = 1  # COSE: label of the key type; label 3 is the algorithm


class AssertionWrong(errors.Rejected):
    """What came from the authenticator does not show what it has to; the message names the rule."""


@dataclass(frozen=True, slots=True)
class Party:
    """For whom and where an authenticator has to answer."""

    id: str  # a host name, as the authenticator hashes it
    origin: str  # scheme://host[:port], as the browser says it


@dataclass(frozen=True, slots=True)
class Registered:
    """What is kept of a passkey."""

    credential: bytes
    public_key: bytes  # COSE, as the authenticator gave it
    counter: int


@dataclass(frozen=True, slots=True)
class Assertion:
    """What an authenticator answered, as the browser hands it over."""

    client_data: bytes
    authenticator_data: bytes
    signature: bytes


def register(party: Party, challenge: bytes, client_data: bytes, attestation: bytes) -> Registered:
    """Return a new passkey. Raises AssertionWrong (rules 1 to 6)."""
    _check_client_data(client_data, "webauthn.create", party, challenge)
    said = _map(attestation, "attestation object")
    data = said.get("authData")
    if not isinstance(data, bytes):
        raise AssertionWrong("attestation object: expected authData")
    flags, counter = _check_authenticator_data(data, party)
    if not flags & AT:
        raise AssertionWrong("authenticator data: expected a new credential")
    behind = data[_FIXED + 16 :]  # after the make of the authenticator
    size = int.from_bytes(behind[:2], "big")
    credential = behind[2 : 2 + size]
    if not 0 < size <= MAX_CREDENTIAL or len(credential) != size:
        raise AssertionWrong(f"credential id: expected 1 to {MAX_CREDENTIAL} bytes, found {size}")
    try:
        _, length = cbor.decode_first(behind[2 + size :])
    except cbor.NotCbor as cause:
        raise AssertionWrong(f"public key: {cause}") from cause
    public_key = behind[2 + size : 2 + size + length]
    _key(public_key)  # rule 6, before it is kept
    return Registered(credential, public_key, counter)


def verify(party: Party, challenge: bytes, known: Registered, given: Assertion) -> int:
    """Return the counter that the passkey says now. Raises AssertionWrong (rules 1 to 8)."""
    _check_client_data(given.client_data, "webauthn.get", party, challenge)
    _, counter = _check_authenticator_data(given.authenticator_data, party)
    signed = given.authenticator_data + hashlib.sha256(given.client_data).digest()
    try:
        _verify_signature(known.public_key, given.signature, signed)
    except exceptions.InvalidSignature as cause:
        raise AssertionWrong("signature: it is not of the registered key (rule 7)") from cause
    if (counter or known.counter) and counter <= known.counter:
        raise AssertionWrong(
            f"counter: expected more than {known.counter}, found {counter} (rule 8): the passkey "
            "was copied, or its answer came before; remove it and register another"
        )
    return counter


def identity(public_key: bytes) -> bytes:
    """Return what a key is, in whatever bytes it was written. Raises AssertionWrong (rule 6).

    Of an Ed25519 key it is the raw key, which names the key in an envelope too.
    """
    match _key(public_key):
        case ec.EllipticCurvePublicKey() as key:
            point = key.public_numbers()
            return b"ES256" + point.x.to_bytes(_P256_BYTES) + point.y.to_bytes(_P256_BYTES)
        case ed25519.Ed25519PublicKey() as key:
            return key.public_bytes_raw()
        case key:
            numbers = key.public_numbers()
            return b"RS256 %d %d" % (numbers.n, numbers.e)


def _check_client_data(data: bytes, kind: str, party: Party, challenge: bytes) -> None:
    if len(data) > MAX_CLIENT_DATA:
        raise AssertionWrong(f"client data: expected at most {MAX_CLIENT_DATA} bytes")
    try:
        said = json.loads(data, object_pairs_hook=_once)
    except (ValueError, RecursionError) as cause:
        raise AssertionWrong("client data: expected JSON with each member once") from cause
    if not isinstance(said, dict) or said.get("type") != kind:
        raise AssertionWrong(f"client data: expected type {kind} (rule 1)")
    answered = said.get("challenge")
    expected = encoding.base64url(challenge)
    if not isinstance(answered, str) or not hmac.compare_digest(
        answered.encode("utf-8", "replace"), expected.encode()
    ):
        raise AssertionWrong("client data: it answers another challenge (rule 2)")
    if said.get("origin") != party.origin or said.get("crossOrigin", False) is not False:
        raise AssertionWrong(f"client data: expected origin {party.origin} (rule 3)")


def _check_authenticator_data(data: bytes, party: Party) -> tuple[int, int]:
    if not _FIXED <= len(data) <= MAX_AUTHENTICATOR_DATA:
        raise AssertionWrong(f"authenticator data: found {len(data)} bytes, which it cannot have")
    if not hmac.compare_digest(data[:32], hashlib.sha256(party.id.encode()).digest()):
        raise AssertionWrong(f"authenticator data: expected relying party {party.id} (rule 4)")
    flags = data[32]
    if not flags & UP or not flags & UV:
        raise AssertionWrong("authenticator data: nobody showed who they are (rule 5: UP and UV)")
    return flags, int.from_bytes(data[33:37], "big")


def _verify_signature(public_key: bytes, signature: bytes, signed: bytes) -> None:
    """Check a signature (rule 7). Raises InvalidSignature, AssertionWrong (rule 6)."""
    match _key(public_key):
        case ec.EllipticCurvePublicKey() as key:
            key.verify(signature, signed, ec.ECDSA(hashes.SHA256()))
        case ed25519.Ed25519PublicKey() as key:
            key.verify(signature, signed)
        case key:
            key.verify(signature, signed, padding.PKCS1v15(), hashes.SHA256())


def _key(
    public_key: bytes,
) -> ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | rsa.RSAPublicKey:
    """Read a COSE key (RFC 9053). Raises AssertionWrong (rule 6)."""
    said = _map(public_key, "public key")
    numbers = [said.get(label) for label in (-1, -2, -3)]
    try:
        match said.get(_KEY_TYPE), said.get(3), numbers:
            case [2, -7, [1, bytes() as x, bytes() as y]]:
                return ec.EllipticCurvePublicKey.from_encoded_point(
                    ec.SECP256R1(), b"\x04" + _sized(x) + _sized(y)
                )
            case [1, -8, [6, bytes() as x, _]]:
                return ed25519.Ed25519PublicKey.from_public_bytes(x)
            case [3, -257, [bytes() as n, bytes() as e, _]]:
                modulus = int.from_bytes(n, "big")
                if modulus.bit_length() >= _LEAST_RSA_BITS:
                    return rsa.RSAPublicNumbers(int.from_bytes(e, "big"), modulus).public_key()
            case _:
                pass
    except ValueError as cause:
        raise AssertionWrong(f"public key: {cause} (rule 6)") from cause
    raise AssertionWrong("public key: expected ES256, Ed25519 or RS256 of 2048 bits (rule 6)")


def _sized(coordinate: bytes) -> bytes:
    if len(coordinate) != _P256_BYTES:
        raise ValueError("a coordinate has the wrong length")
    return coordinate


def _map(data: bytes, what: str) -> dict[Any, Any]:
    try:
        said = cbor.decode(data)
    except cbor.NotCbor as cause:
        raise AssertionWrong(f"{what}: {cause}") from cause
    if not isinstance(said, dict):
        raise AssertionWrong(f"{what}: expected a map")
    return said


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a member stands twice")
    return found
