"""SSH signatures of files (SSHSIG), as `ssh-keygen -Y sign` makes them and `-Y verify` reads them.

Called by `sentienguard playbook sign` and `verify`, and for releases by scripts/agent_file.py and
`sentienguard-agent verify`. The format is OpenSSH's PROTOCOL.sshsig; of its keys only Ed25519 is
made and believed here. Such a signature says which person stands behind a file, for review and for
git. It lets nothing run: executors look at the signed catalogue alone (`catalogue`).
`ssh_approvals` reads the same armour in a namespace of its own, with keys that a root names.

Rules; the line that refuses names its rule:
1. The armour holds one blob and nothing else, canonical base64, no byte too many.
2. Version 1, an Ed25519 key, SHA-256 or SHA-512.
3. The namespace is the one that was asked for, so a signature made for something else says nothing.
4. The key is one of those that were named for this namespace.
5. The key signed exactly these bytes.
6. A key that is named with `valid-after` or `valid-before` counts at a moment within alone. When
   something was signed nobody can tell: the moment is the one at which it is verified.
7. A key that was revoked counts never.
"""

import base64
import binascii
import hashlib
import re
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from sentienguard.trust import keys
from sentienguard.trust import ssh_wire as wire
from sentienguard.trust.dsse import NotTrusted

PLAYBOOK: Final = "sentienguard.playbook"  # the namespace of signed playbooks
RELEASE: Final = "sentienguard.release"  # of what is shipped
APPROVAL: Final = "sentienguard.approval"  # of a person's yes to one order; see ssh_approvals
MAX_BYTES: Final = 8_192  # of an armoured signature; ours have 300
MAX_SIGNERS_BYTES: Final = 256 * 1024  # of a file of allowed signers
_MAGIC: Final = b"SSHSIG"
_VERSION: Final = 1
_KEY_TYPE: Final = b"ssh-ed25519"
_HASHES: Final = {b"sha256": hashlib.sha256, b"sha512": hashlib.sha512}
_BEGIN, _END = "-----BEGIN SSH SIGNATURE-----", "-----END SSH SIGNATURE-----"
_LINE: Final = 70  # characters of a line of armour, as ssh-keygen writes
_OPENSSH: Final = b"-----BEGIN OPENSSH PRIVATE KEY-----"
_OPTION: Final = re.compile(r'(namespaces|valid-after|valid-before)="([^"]*)"')
_MOMENTS: Final = {8: "%Y%m%d", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}  # digits -> form, before Z


@dataclass(frozen=True, slots=True)
class Signer:
    """One line of a file of allowed signers, or a public key."""

    principals: tuple[str, ...]  # who it is, by the words of the file; empty: a bare public key
    key: keys.VerifyKey
    after: datetime | None = None  # counts from then on; None: from ever
    before: datetime | None = None  # counts until then; None: for ever

    def counts(self, at: datetime | None) -> bool:
        """Tell whether the key counts at this moment (rule 6)."""
        if self.after is None and self.before is None:
            return True
        return (
            at is not None
            and (self.after is None or self.after <= at)
            and (self.before is None or at <= self.before)
        )


@dataclass(frozen=True, slots=True)
class Parts:
    """What an armoured signature holds, for one namespace; nothing of it is proven."""

    public: bytes  # blob of the key that it says it is by
    signature: bytes  # blob, of a form that the kind of key decides
    namespace: str
    hash: bytes

    def signed(self, message: bytes) -> bytes:
        """Return the bytes that a key has to have signed for this message."""
        return _signed(message, self.namespace.encode(), self.hash)


def sign(message: bytes, key: keys.SigningKey, *, namespace: str) -> str:
    """Return the armoured signature of these bytes."""
    signature = key.sign(_signed(message, namespace.encode(), b"sha512"))
    blob = b"".join(
        (
            _MAGIC,
            struct.pack(">I", _VERSION),
            wire.string(_public(key.public)),
            wire.string(namespace.encode()),
            wire.string(b""),
            wire.string(b"sha512"),
            wire.string(wire.string(_KEY_TYPE) + wire.string(signature)),
        )
    )
    text = base64.b64encode(blob).decode()
    lines = [text[at : at + _LINE] for at in range(0, len(text), _LINE)]
    return "\n".join([_BEGIN, *lines, _END, ""])


def verify(
    message: bytes,
    armoured: str,
    signers: Iterable[Signer],
    *,
    namespace: str,
    at: datetime | None = None,
    revoked: Iterable[keys.VerifyKey] = (),
) -> Signer:
    """Return who of these signed exactly these bytes. Raises NotTrusted.

    Without `at` nobody counts who is named for a while only.
    """
    parts = taken_apart(armoured, namespace)
    public, signature = _key(parts.public), wire.Reader(parts.signature)
    if public in revoked:
        raise NotTrusted(f"rule 7: the signature is by {fingerprint(public)}, which was revoked")
    signer = _who(public, signers, at)
    if signature.string() != _KEY_TYPE:
        raise NotTrusted("rule 2: the signature is of another kind than its key")
    raw = signature.string()
    signature.end()
    if not public.verify(raw, parts.signed(message)):
        raise NotTrusted("rule 5: the file is not what was signed, or the signature was changed")
    return signer


def taken_apart(armoured: str, namespace: str) -> Parts:
    """Read the armour of a signature for a namespace (rules 1 to 3). Raises NotTrusted."""
    reader = wire.Reader(_blob(armoured))
    if reader.take(len(_MAGIC)) != _MAGIC or reader.number() != _VERSION:
        raise NotTrusted("rule 2: this is no SSH signature of version 1")
    public, found, reserved, name = (reader.string() for _ in range(4))
    signature = reader.string()
    reader.end()
    if reserved or name not in _HASHES:
        raise NotTrusted(f"rule 2: expected SHA-256 or SHA-512, found {name[:20]!r}")
    if found != namespace.encode():
        raise NotTrusted(
            f"rule 3: the signature is for {found[:60]!r}, expected {namespace}; "
            f"sign with `ssh-keygen -Y sign -n {namespace}`"
        )
    return Parts(public, signature, namespace, name)


def allowed_signers(text: str, *, namespace: str) -> tuple[Signer, ...]:
    """Read a public key, or a file of allowed signers; keep those who may sign for a namespace.

    Raises NotTrusted for a line that cannot be read, or that limits in a way we do not look at.
    """
    if len(text) > MAX_SIGNERS_BYTES:
        raise NotTrusted(f"rule 4: at most {MAX_SIGNERS_BYTES} characters name the signers")
    found = []
    for number, line in enumerate(text.splitlines(), start=1):
        bare = line.strip()
        if bare and not bare.startswith("#") and _ours(bare):
            signer = _signer(bare, number, namespace)
            found += [] if signer is None else [signer]
    if not found:
        raise NotTrusted(
            f"rule 4: no Ed25519 key is named there for {namespace}; a line is `PRINCIPAL "
            f'namespaces="{namespace}" ssh-ed25519 AAAA...`, or a public key alone'
        )
    return tuple(found)


def revoked_keys(text: str) -> tuple[keys.VerifyKey, ...]:
    """Read public keys that count no more, one in a line, as `ssh-keygen -Y verify -r` does.

    Raises NotTrusted for a line that cannot be read: it might be the one that matters.
    """
    found = []
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.split()
        if not words or words[0].startswith("#") or words[0].startswith(("ssh-rsa", "ecdsa-")):
            continue  # of other kinds no key is believed anyway (rule 2)
        if words[0] != _KEY_TYPE.decode():
            raise NotTrusted(
                f"rule 7: line {number}: expected a public key alone, `ssh-ed25519 AAAA...`; "
                "a KRL is read by `ssh-keygen -Y verify -r` only"
            )
        found.append(_named_key(words[1:], number, "rule 7"))
    return tuple(found)


def private_key(pem: bytes) -> keys.SigningKey:
    """Read a key as ssh-keygen writes it, or PKCS#8. Raises keys.BadKey, which never quotes it."""
    if not pem.lstrip().startswith(_OPENSSH):
        return keys.SigningKey.from_pem(pem)
    from cryptography import exceptions  # noqa: PLC0415 - see keys.SigningKey.from_pem
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - the same
    from cryptography.hazmat.primitives.asymmetric import ed25519  # noqa: PLC0415 - the same

    try:
        key = serialization.load_ssh_private_key(pem, password=None)
    except (ValueError, TypeError, exceptions.UnsupportedAlgorithm) as error:
        raise keys.BadKey(
            "expected an OpenSSH private key without a passphrase; for one with a passphrase, or "
            f"in an agent or on a token, use `ssh-keygen -Y sign -n {PLAYBOOK} -f KEY FILE`"
        ) from error
    if not isinstance(key, ed25519.Ed25519PrivateKey):
        raise keys.BadKey(f"expected an Ed25519 key, got a {type(key).__name__}")
    return keys.SigningKey(key)


def public_line(key: keys.VerifyKey) -> str:
    """Return a public key as OpenSSH writes it."""
    return f"{_KEY_TYPE.decode()} {base64.b64encode(_public(key)).decode()}"


def fingerprint(key: keys.VerifyKey) -> str:
    """Return a key's fingerprint as `ssh-keygen -l` shows it."""
    digest = hashlib.sha256(_public(key)).digest()
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


def _ours(line: str) -> bool:
    """Tell whether a line names an Ed25519 key; others may stand beside it."""
    return _KEY_TYPE.decode() in line.split()


def _signer(line: str, number: int, namespace: str) -> Signer | None:
    words = line.split()
    at = words.index(_KEY_TYPE.decode())
    before, after = words[:at], words[at + 1 :]
    key = _named_key(after, number, "rule 4")
    options = " ".join(before[1:])
    if rest := _OPTION.sub("", options).strip(" ,"):
        raise NotTrusted(
            f"rule 4: line {number}: the option {rest[:60]!r} is not looked at here; verify with "
            "`ssh-keygen -Y verify`, or leave it out"
        )
    said = dict(_OPTION.findall(options))
    if "namespaces" in said and namespace not in said["namespaces"].split(","):
        return None
    return Signer(
        tuple(before[0].split(",")) if before else (),
        key,
        _moment(said.get("valid-after"), number),
        _moment(said.get("valid-before"), number),
    )


def _who(public: keys.VerifyKey, signers: Iterable[Signer], at: datetime | None) -> Signer:
    """Return the line that names this key and counts now. Raises NotTrusted."""
    named = [one for one in signers if one.key == public]
    if not named:
        raise NotTrusted(
            f"rule 4: the signature is by {fingerprint(public)}, which is none of the keys named"
        )
    found = next((one for one in named if one.counts(at)), None)
    if found is None:
        spans = "; ".join(f"from {one.after or 'ever'} to {one.before or 'ever'}" for one in named)
        raise NotTrusted(
            f"rule 6: the signature is by {fingerprint(public)}, which counts {spans}, and it is "
            f"{at or 'not known when'}"
        )
    return found


def _moment(said: str | None, number: int) -> datetime | None:
    """Read a moment of a file of allowed signers; in UTC alone, so that it is one moment."""
    if said is None:
        return None
    digits = said.removesuffix("Z")
    form = _MOMENTS.get(len(digits))
    if form is None or digits == said or not digits.isdecimal():
        raise NotTrusted(
            f"rule 6: line {number}: expected a moment of UTC such as 20270131Z or 202701312359Z, "
            f"found {said[:20]!r}"
        )
    try:
        return datetime.strptime(digits, form).replace(tzinfo=UTC)
    except ValueError as error:
        raise NotTrusted(f"rule 6: line {number}: {said} is no day") from error


def _named_key(words: list[str], number: int, rule: str) -> keys.VerifyKey:
    try:
        return _key(base64.b64decode(words[0] if words else "", validate=True))
    except (binascii.Error, ValueError) as error:
        raise NotTrusted(f"{rule}: line {number}: the key is no base64") from error


def _signed(message: bytes, namespace: bytes, name: bytes) -> bytes:
    """Return the bytes that the key signs: never the message itself."""
    digest = _HASHES[name](message).digest()
    return _MAGIC + b"".join(wire.string(one) for one in (namespace, b"", name, digest))


def _blob(armoured: str) -> bytes:
    lines = [line.rstrip("\r") for line in armoured.rstrip("\n").split("\n")]
    if len(armoured) > MAX_BYTES or len(lines) < 3 or (lines[0], lines[-1]) != (_BEGIN, _END):  # noqa: PLR2004 - head, body, foot
        raise NotTrusted(f"rule 1: expected one SSH signature between {_BEGIN} and {_END}")
    text = "".join(lines[1:-1])
    return wire.from_base64(text, "rule 1: the signature")


def _key(blob: bytes) -> keys.VerifyKey:
    reader = wire.Reader(blob)
    kind = reader.string()
    if kind != _KEY_TYPE:
        raise NotTrusted(f"rule 2: expected an Ed25519 key, found {kind[:40]!r}")
    raw = reader.string()
    reader.end()
    if len(raw) != keys.RAW_BYTES:
        raise NotTrusted("rule 2: the public key has another length than Ed25519 keys have")
    return keys.VerifyKey(raw)


def _public(key: keys.VerifyKey) -> bytes:
    return wire.string(_KEY_TYPE) + wire.string(key.raw)
