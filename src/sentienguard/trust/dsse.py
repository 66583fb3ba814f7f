"""Payloads with signatures: DSSE envelopes, counted by distinct key.

Called by trust.root, catalogue and order, and by whoever defines a signed document of its own.

Rules of opening; the line that refuses names its rule:
1. The envelope has exactly the three members, in bounds, in strict base64.
2. The payload type is the expected one. It is signed too, so that a signature for one kind of
   document never counts for another.
3. `keyid` is a hint where to look first, never evidence.
4. A key counts once, however often it signed and under however many names it is trusted.
5. At least `threshold` distinct trusted keys signed; a threshold below 1 is refused.
"""

import base64
import binascii
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from sentienguard.model import errors
from sentienguard.trust import keys

MAX_PAYLOAD_BYTES: Final = 1024 * 1024  # a catalogue of 5,000 playbooks has 0.8 MB
MAX_SIGNATURES: Final = 32  # more than any role has keys; bounds the work of a hostile envelope
_MEMBERS: Final = {"payloadType", "payload", "signatures"}


class NotTrusted(errors.Rejected):
    """Not said by whom it has to be said by, or not in the form that was agreed."""


def seal(payload_type: str, payload: bytes, signers: Sequence[keys.SigningKey]) -> dict[str, Any]:
    """Return the envelope of a payload, signed by each of the keys."""
    message = pre_authentication(payload_type, payload)
    return {
        "payloadType": payload_type,
        "payload": base64.b64encode(payload).decode(),
        "signatures": [
            {"keyid": key.id, "sig": base64.b64encode(key.sign(message)).decode()}
            for key in signers
        ],
    }


def add_signature(envelope: Mapping[str, Any], signer: keys.SigningKey) -> dict[str, Any]:
    """Return the envelope with one more signature, for signers who never meet.

    Raises NotTrusted.
    """
    payload_type, payload, _ = _taken_apart(envelope)
    (added,) = seal(payload_type, payload, [signer])["signatures"]
    others = [one for one in envelope["signatures"] if one["keyid"] != signer.id]
    return {**envelope, "signatures": [*others, added]}


def open_envelope(
    envelope: Any,
    payload_type: str,
    trusted: Mapping[str, keys.VerifyKey],
    threshold: int,
) -> bytes:
    """Return the payload that at least `threshold` distinct trusted keys signed.

    `trusted` maps key ids to keys. Raises NotTrusted; never raises for what the envelope holds.
    """
    payload, signed_by = opened(envelope, payload_type, trusted.values())
    if threshold < 1:
        raise NotTrusted(f"rule 5: threshold {threshold} would accept what nobody signed")
    if len(signed_by) < threshold:
        raise NotTrusted(
            f"rule 5: {payload_type} needs {threshold} of {len(trusted)} trusted keys, but "
            f"{len(signed_by)} signed it; have it signed again by keys that the root lists"
        )
    return payload


def opened(
    envelope: Any, payload_type: str, trusted: Iterable[keys.VerifyKey]
) -> tuple[bytes, frozenset[keys.VerifyKey]]:
    """Return the payload and which of the trusted keys signed it, maybe none. Raises NotTrusted."""
    found_type, payload, signatures = _taken_apart(envelope)
    if found_type != payload_type:
        raise NotTrusted(f"rule 2: expected a payload of {payload_type}, got {found_type[:80]!r}")
    message = pre_authentication(payload_type, payload)
    remaining = {key.raw: key for key in trusted}  # rule 4: not by name
    signed_by: set[keys.VerifyKey] = set()  # rule 4: of keys, not of signatures
    for hint, signature in signatures:
        order = sorted(remaining.values(), key=lambda key: key.id != hint)
        signer = next((key for key in order if key.verify(signature, message)), None)  # rule 3
        if signer is not None:
            signed_by.add(signer)
            del remaining[signer.raw]  # each further signature has to be somebody else's
    return payload, frozenset(signed_by)


def pre_authentication(payload_type: str, payload: bytes) -> bytes:
    """Return the bytes that are signed: both parts with their lengths, so neither can slide."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def _taken_apart(envelope: Any) -> tuple[str, bytes, list[tuple[str, bytes]]]:
    if not isinstance(envelope, Mapping) or set(envelope) != _MEMBERS:
        raise NotTrusted("rule 1: an envelope has exactly payloadType, payload and signatures")
    signatures = envelope["signatures"]
    if not isinstance(envelope["payloadType"], str):
        raise NotTrusted("rule 1: payloadType is not text")
    if not isinstance(signatures, list) or len(signatures) > MAX_SIGNATURES:
        raise NotTrusted(f"rule 1: signatures is not a list of at most {MAX_SIGNATURES}")
    payload = _binary(envelope["payload"], "payload", MAX_PAYLOAD_BYTES)
    return envelope["payloadType"], payload, [_signature(one) for one in signatures]


def _signature(one: Any) -> tuple[str, bytes]:
    if not isinstance(one, Mapping) or set(one) != {"keyid", "sig"}:
        raise NotTrusted("rule 1: a signature has exactly keyid and sig")
    if not isinstance(one["keyid"], str):
        raise NotTrusted("rule 1: keyid is not text")
    return one["keyid"], _binary(one["sig"], "sig", keys.SIGNATURE_BYTES)


def _binary(text: Any, name: str, limit: int) -> bytes:
    if not isinstance(text, str) or len(text) > limit * 4 // 3 + 4:
        raise NotTrusted(f"rule 1: {name} is not base64 text of at most {limit} bytes")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise NotTrusted(f"rule 1: {name} is not standard base64") from error
