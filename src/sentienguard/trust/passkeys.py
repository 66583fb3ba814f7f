"""Approvals that a person signs with a passkey, for hosts that trust no control plane.

Called by trust.root (which passkeys approve), trust.order (whether one did), the control plane
(what to ask the browser) and `sentienguard trust`. An approval is the same payload as one that is
signed with a key file; the passkey answers a challenge that is the digest of it. Rules:

 1. The challenge is SHA-256 over the DSSE pre-authentication of the approval's type and payload:
    an answer for one deed is an answer for no other, and for no other kind of document.
 2. The page and the party are those that the root names beside the key, never what came along.
 3. The person showed to the authenticator who they are (webauthn rule 5).
 4. A passkey is named by its public key, in whatever bytes it was written, so that it counts once.
 5. A passkey is no key of an envelope and a key of an envelope is no passkey: neither signs in the
    other's form.

Hosts keep no counter of a passkey: a copied answer is the same answer, for the same order, which
runs once.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from sentienguard.trust import dsse, fields, webauthn

MEMBER: Final = "passkey"  # in place of `signatures`
MAX_KEY: Final = 1024  # bytes of a COSE key; RS256 of 4096 bits has 530
_MEMBERS: Final = {"payloadType", "payload", MEMBER}
_ANSWER: Final = {"keyid", "client_data", "authenticator_data", "signature"}
_LISTED: Final = {"public_key", "party", "origin"}
_LIMITS: Final = {
    "client_data": webauthn.MAX_CLIENT_DATA,
    "authenticator_data": webauthn.MAX_AUTHENTICATOR_DATA,
    "signature": 1024,
}
_PARTY: Final = re.compile(r"[a-z0-9]([a-z0-9.\-]{0,251}[a-z0-9])?\Z")
_ORIGIN: Final = re.compile(r"(https://[a-z0-9.\-]+|http://localhost)(:[0-9]{1,5})?\Z")
_WORD: Final = "webauthn"  # of a written key


@dataclass(frozen=True, slots=True)
class ApproverKey:
    """A passkey that a root names: its public key, and where its answers have to come from."""

    public_key: bytes  # COSE, as the authenticator gave it
    party: webauthn.Party

    def __post_init__(self) -> None:
        """Refuse what cannot be one. Raises webauthn.AssertionWrong."""
        if len(self.public_key) > MAX_KEY:
            raise webauthn.AssertionWrong(f"public key: expected at most {MAX_KEY} bytes")
        webauthn.identity(self.public_key)
        host = self.party.origin.partition("://")[2].partition(":")[0]
        party = self.party.id
        right = _PARTY.match(party) and _ORIGIN.match(self.party.origin)
        if not right or (host != party and not host.endswith(f".{party}")):
            raise webauthn.AssertionWrong(
                f"passkey of {party[:60]!r} at {self.party.origin[:80]!r}: expected a host name "
                "and an https address at it"
            )

    @property
    def id(self) -> str:
        """First 16 hex digits of the SHA-256 of what the key is (rule 4)."""
        return key_id(self.public_key)

    @property
    def text(self) -> str:
        """The key on one line, as its owner hands it to the holders of the root keys."""
        key = base64.b64encode(self.public_key).decode()
        return f"{_WORD} {self.party.id} {self.party.origin} {key}"

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Read what `text` wrote. Raises webauthn.AssertionWrong."""
        words = text.split()
        if len(words) != len((_WORD, *_LISTED)) or words[0] != _WORD:
            raise webauthn.AssertionWrong(
                "passkey: expected `webauthn PARTY ORIGIN KEY`, as the account page shows it"
            )
        return cls(_strict(words[3], "key", MAX_KEY), webauthn.Party(words[1], words[2]))


def key_id(public_key: bytes) -> str:
    """Return the id of a COSE key (rule 4). Raises webauthn.AssertionWrong."""
    return hashlib.sha256(webauthn.identity(public_key)).hexdigest()[:16]


def record(listed: Mapping[str, ApproverKey]) -> dict[str, Any]:
    """Return passkeys as a root lists them."""
    return {
        keyid: {
            "public_key": base64.b64encode(one.public_key).decode(),
            "party": one.party.id,
            "origin": one.party.origin,
        }
        for keyid, one in listed.items()
    }


def read(found: Any, limit: int) -> dict[str, ApproverKey]:
    """Read passkeys of a root. Raises dsse.NotTrusted."""
    if not isinstance(found, dict) or not 1 <= len(found) <= limit:
        raise dsse.NotTrusted(f"root: passkeys is not an object of 1 to {limit} members")
    listed = {}
    for keyid, one in found.items():
        what = f"root: passkey {keyid}"
        members = fields.exact(one, what, _LISTED)
        if not all(isinstance(value, str) for value in members.values()):
            raise dsse.NotTrusted(f"{what}: a member is not text")
        try:
            public_key = _strict(members["public_key"], what, MAX_KEY)
            party = webauthn.Party(members["party"], members["origin"])
            listed[keyid] = ApproverKey(public_key, party)
        except webauthn.AssertionWrong as cause:
            raise dsse.NotTrusted(f"{what}: {cause}") from cause
        if listed[keyid].id != keyid:
            raise dsse.NotTrusted(f"rule 5: root lists passkey {listed[keyid].id} as {keyid}")
    return listed


def challenge(payload_type: str, payload: bytes) -> bytes:
    """Return what the passkey has to answer (rule 1)."""
    return hashlib.sha256(dsse.pre_authentication(payload_type, payload)).digest()


def envelope(
    payload_type: str, payload: bytes, keyid: str, answer: webauthn.Assertion
) -> dict[str, Any]:
    """Return a payload with the answer of a passkey in place of signatures; judges nothing."""
    return {
        "payloadType": payload_type,
        "payload": base64.b64encode(payload).decode(),
        MEMBER: {
            "keyid": keyid,
            "client_data": base64.b64encode(answer.client_data).decode(),
            "authenticator_data": base64.b64encode(answer.authenticator_data).decode(),
            "signature": base64.b64encode(answer.signature).decode(),
        },
    }


def is_one(found: Any) -> bool:
    """Tell whether something has the form of an answer by passkey, whatever it says."""
    return isinstance(found, Mapping) and MEMBER in found


def opened(found: Any, payload_type: str, trusted: Mapping[str, ApproverKey]) -> tuple[bytes, str]:
    """Return the payload and the id of the trusted passkey that answered for it.

    Raises dsse.NotTrusted; never raises for what the envelope holds.
    """
    if not isinstance(found, Mapping) or set(found) != _MEMBERS:  # rule 5
        raise dsse.NotTrusted("an approval by passkey has payloadType, payload and passkey alone")
    if found["payloadType"] != payload_type:
        raise dsse.NotTrusted(f"expected a payload of {payload_type}")
    said = fields.exact(found[MEMBER], "passkey", _ANSWER)
    key = trusted.get(said["keyid"]) if isinstance(said["keyid"], str) else None
    if key is None:
        raise dsse.NotTrusted("passkey: the root names no such approver")
    try:
        payload = _strict(found["payload"], "payload", dsse.MAX_PAYLOAD_BYTES)
        parts = {name: _strict(said[name], name, limit) for name, limit in _LIMITS.items()}
        known = webauthn.Registered(b"", key.public_key, 0)
        webauthn.verify(
            key.party, challenge(payload_type, payload), known, webauthn.Assertion(**parts)
        )
    except webauthn.AssertionWrong as cause:
        raise dsse.NotTrusted(f"passkey {key.id}: {cause}") from cause
    return payload, key.id


def _strict(text: Any, what: str, limit: int) -> bytes:
    if not isinstance(text, str) or len(text) > limit * 4 // 3 + 4:
        raise webauthn.AssertionWrong(f"{what}: expected base64 of at most {limit} bytes")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as cause:
        raise webauthn.AssertionWrong(f"{what}: expected standard base64") from cause
