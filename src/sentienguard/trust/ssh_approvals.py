"""Approvals that a person signs with an OpenSSH key, by plain `ssh-keygen -Y sign`.

Called by trust.approvers (which keys approve), trust.order (whether one did), the control plane and
the command line. What is signed is the approval's payload as it is, so that whoever has the file
can read it, sign it on any machine that has OpenSSH, and bring the signature back:

    ssh-keygen -Y sign -n sentienguard.approval -f KEY payload

Rules; the line that refuses names its rule:

1. The envelope has payloadType, payload and ssh, and nothing else; ssh is one armoured signature
   (`sshsig` rules 1 and 2: nothing behind it, SHA-256 or SHA-512).
2. Its namespace is `sentienguard.approval`: the signature of a playbook, of a release, of a commit
   or of a login is no yes, and a yes is none of those.
3. The key is one that the root lists, in exactly the bytes that it lists, and of a kind that is
   taken (`ssh_keys` rules 1 and 2).
4. It signed exactly this payload; a hardware key for its application and touched by a person
   (`ssh_keys` rules 3 to 5).
5. Where the root says `verify-required`, the hardware also asked who that person is (PIN or
   fingerprint). Elsewhere what it says of that is recorded, and asked of nobody: a file key cannot
   say it, and most hardware keys for SSH are made without.
6. A key is named by what it is, so that it counts once and is no passkey and no key file as well.
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from sentienguard.trust import dsse, ssh_keys, sshsig
from sentienguard.trust import ssh_wire as wire

MEMBER: Final = "ssh"  # in place of `signatures`
NAMESPACE: Final = sshsig.APPROVAL
VERIFY: Final = "verify-required"  # before a key, as in a file of authorized keys
_MEMBERS: Final = {"payloadType", "payload", MEMBER}


@dataclass(frozen=True, slots=True)
class ApproverSshKey:
    """An OpenSSH key that a root names, and what its owner has to show."""

    key: ssh_keys.SshKey
    verify_required: bool = False  # rule 5

    def __post_init__(self) -> None:
        """Refuse what could never approve. Raises dsse.NotTrusted."""
        if self.verify_required and not self.key.application:
            raise dsse.NotTrusted(f"rule 5: {VERIFY} is for hardware keys; {self.key.kind} is none")

    @property
    def id(self) -> str:
        """First 16 hex digits of the SHA-256 of what the key is (rule 6)."""
        return self.key.id

    @property
    def text(self) -> str:
        """The key on one line, as a root lists it."""
        return f"{VERIFY} {self.key.text}" if self.verify_required else self.key.text

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Read a line of a `.pub` file, or that behind `verify-required`. Raises NotTrusted."""
        bare = text.strip()
        wanted = bare.startswith(f"{VERIFY} ")
        return cls(ssh_keys.SshKey.from_text(bare.removeprefix(VERIFY)), wanted)


@dataclass(frozen=True, slots=True)
class Yes:
    """What an OpenSSH key of the root signed."""

    payload: bytes
    signer: ApproverSshKey
    verified: bool  # the hardware asked who it is

    @property
    def said(self) -> str:
        """How it was signed, for the record."""
        if not self.signer.key.application:
            return f"ssh {self.signer.key.fingerprint}"
        how = "touched and verified" if self.verified else "touched"
        return f"ssh hardware {self.signer.key.fingerprint}, {how}"


def record(listed: Mapping[str, ApproverSshKey]) -> dict[str, str]:
    """Return OpenSSH keys as a root lists them."""
    return {keyid: one.text for keyid, one in listed.items()}


def read(found: Any, limit: int) -> dict[str, ApproverSshKey]:
    """Read OpenSSH keys of a root. Raises dsse.NotTrusted."""
    if not isinstance(found, dict) or not 1 <= len(found) <= limit:
        raise dsse.NotTrusted(f"root: ssh_keys is not an object of 1 to {limit} members")
    listed = {}
    for keyid, text in found.items():
        if not isinstance(text, str):
            raise dsse.NotTrusted(f"root: SSH key {keyid} is not text")
        one = ApproverSshKey.from_text(text)
        if one.text != text:  # a comment, say: another text for the same key
            raise dsse.NotTrusted(f"root: SSH key {keyid} is not written as {one.text[:40]}...")
        if one.id != keyid:
            raise dsse.NotTrusted(f"rule 5: root lists SSH key {one.id} as {keyid}")
        listed[keyid] = one
    return listed


def envelope(payload_type: str, payload: bytes, armoured: str) -> dict[str, Any]:
    """Return a payload with an armoured signature in place of others; judges nothing."""
    return {
        "payloadType": payload_type,
        "payload": base64.b64encode(payload).decode(),
        MEMBER: armoured,
    }


def is_one(found: Any) -> bool:
    """Tell whether something has the form of an approval by an OpenSSH key, whatever it says."""
    return isinstance(found, Mapping) and MEMBER in found


def opened(found: Any, payload_type: str, trusted: Mapping[str, ApproverSshKey]) -> Yes:
    """Return what one of the trusted keys signed.

    Raises dsse.NotTrusted; never raises for what the envelope holds.
    """
    if not isinstance(found, Mapping) or set(found) != _MEMBERS:  # rule 1
        raise dsse.NotTrusted("an approval by an SSH key has payloadType, payload and ssh alone")
    if found["payloadType"] != payload_type:
        raise dsse.NotTrusted(f"expected a payload of {payload_type}")
    armoured, text = found[MEMBER], found["payload"]
    if not isinstance(armoured, str) or not isinstance(text, str):
        raise dsse.NotTrusted("rule 1: ssh and payload of an approval are text")
    if len(text) > dsse.MAX_PAYLOAD_BYTES * 4 // 3:
        raise dsse.NotTrusted(f"payload: expected at most {dsse.MAX_PAYLOAD_BYTES} bytes")
    parts = sshsig.taken_apart(armoured, NAMESPACE)  # rules 1 and 2
    signer = next((one for one in trusted.values() if one.key.blob == parts.public), None)
    if signer is None:
        raise dsse.NotTrusted("rule 3: the root names no approver with the key that signed")
    payload = wire.from_base64(text, "payload: it")
    flags = signer.key.verify(parts.signature, parts.signed(payload))  # rule 4
    verified = bool(flags & ssh_keys.VERIFIED)
    if signer.verify_required and not verified:
        raise dsse.NotTrusted(
            "rule 5: the root wants the hardware key to ask who signs, and it did not; make the "
            "key with `ssh-keygen -t ed25519-sk -O verify-required`"
        )
    return Yes(payload, signer, verified)
