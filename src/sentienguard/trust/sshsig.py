"""SSH signatures of files (SSHSIG), as `ssh-keygen -Y sign` makes them and `-Y verify` reads them.

Called by `sentienguard playbook sign` and `verify`, and for releases by scripts/agent_file.py and
`sentienguard-agent verify`. The format is OpenSSH's PROTOCOL.sshsig; of its keys only Ed25519 is
made and believed. Such a signature says which person stands behind a file, for review and for git.
It lets nothing run: executors look at the signed catalogue alone (`catalogue`).

Rules; the line that refuses names its rule:
1. The armour holds one blob and nothing else, canonical base64, no byte too many.
2. Version 1, an Ed25519 key, SHA-256 or SHA-512.
3. The namespace is the one that was asked for, so a signature made for something else says nothing.
4. The key is one of those that were named for this namespace.
5. The key signed exactly these bytes.
"""

import base64
import binascii
import hashlib
import re
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from sentienguard.trust import keys
from sentienguard.trust.dsse import NotTrusted

PLAYBOOK: Final = "sentienguard.playbook"  # the namespace of signed playbooks
RELEASE: Final = "sentienguard.release"  # of what is shipped
MAX_BYTES: Final = 8_192  # of an armoured signature; ours have 300
MAX_SIGNERS_BYTES: Final = 256 * 1024  # of a file of allowed signers
_MAGIC: Final = b"SSHSIG"
_VERSION: Final = 1
_KEY_TYPE: Final = b"ssh-ed25519"
_HASHES: Final = {b"sha256": hashlib.sha256, b"sha512": hashlib.sha512}
_BEGIN, _END = "-----BEGIN SSH SIGNATURE-----", "-----END SSH SIGNATURE-----"
_LINE: Final = 70  # characters of a line of armour, as ssh-keygen writes
_OPENSSH: Final = b"-----BEGIN OPENSSH PRIVATE KEY-----"
_NAMESPACES: Final = re.compile(r'namespaces="([^"]*)"')


@dataclass(frozen=True, slots=True)
class Signer:
    """One line of a file of allowed signers, or a public key."""

    principals: tuple[str, ...]  # who it is, by the words of the file; empty: a bare public key
    key: keys.VerifyKey


def sign(message: bytes, key: keys.SigningKey, *, namespace: str) -> str:
    """Return the armoured signature of these bytes."""
    signature = key.sign(_signed(message, namespace.encode(), b"sha512"))
    blob = b"".join(
        (
            _MAGIC,
            struct.pack(">I", _VERSION),
            _string(_public(key.public)),
            _string(namespace.encode()),
            _string(b""),
            _string(b"sha512"),
            _string(_string(_KEY_TYPE) + _string(signature)),
        )
    )
    text = base64.b64encode(blob).decode()
    lines = [text[at : at + _LINE] for at in range(0, len(text), _LINE)]
    return "\n".join([_BEGIN, *lines, _END, ""])


def verify(message: bytes, armoured: str, signers: Iterable[Signer], *, namespace: str) -> Signer:
    """Return who of these signed exactly these bytes. Raises NotTrusted."""
    reader = _Reader(_blob(armoured))
    if reader.take(len(_MAGIC)) != _MAGIC or reader.number() != _VERSION:
        raise NotTrusted("rule 2: this is no SSH signature of version 1")
    public = _key(reader.string())
    found, reserved, name = reader.string(), reader.string(), reader.string()
    signature = _Reader(reader.string())
    reader.end()
    if reserved or name not in _HASHES:
        raise NotTrusted(f"rule 2: expected SHA-256 or SHA-512, found {name[:20]!r}")
    if found != namespace.encode():
        raise NotTrusted(
            f"rule 3: the signature is for {found[:60]!r}, expected {namespace}; "
            f"sign with `ssh-keygen -Y sign -n {namespace}`"
        )
    signer = next((one for one in signers if one.key == public), None)
    if signer is None:
        raise NotTrusted(
            f"rule 4: the signature is by {fingerprint(public)}, which is none of the keys named"
        )
    if signature.string() != _KEY_TYPE:
        raise NotTrusted("rule 2: the signature is of another kind than its key")
    raw = signature.string()
    signature.end()
    if not public.verify(raw, _signed(message, found, name)):
        raise NotTrusted("rule 5: the file is not what was signed, or the signature was changed")
    return signer


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
    try:
        key = _key(base64.b64decode(after[0] if after else "", validate=True))
    except (binascii.Error, ValueError) as error:
        raise NotTrusted(f"rule 4: line {number}: the key is no base64") from error
    options = " ".join(before[1:])
    if rest := _NAMESPACES.sub("", options).strip(" ,"):
        raise NotTrusted(
            f"rule 4: line {number}: the option {rest[:60]!r} is not looked at here; verify with "
            "`ssh-keygen -Y verify`, or leave it out"
        )
    named = _NAMESPACES.search(options)
    if named is not None and namespace not in named[1].split(","):
        return None
    return Signer(tuple(before[0].split(",")) if before else (), key)


def _signed(message: bytes, namespace: bytes, name: bytes) -> bytes:
    """Return the bytes that the key signs: never the message itself."""
    digest = _HASHES[name](message).digest()
    return _MAGIC + b"".join(_string(one) for one in (namespace, b"", name, digest))


def _blob(armoured: str) -> bytes:
    lines = [line.rstrip("\r") for line in armoured.rstrip("\n").split("\n")]
    if len(armoured) > MAX_BYTES or len(lines) < 3 or (lines[0], lines[-1]) != (_BEGIN, _END):  # noqa: PLR2004 - head, body, foot
        raise NotTrusted(f"rule 1: expected one SSH signature between {_BEGIN} and {_END}")
    text = "".join(lines[1:-1])
    try:
        blob = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise NotTrusted("rule 1: the signature is no base64") from error
    if base64.b64encode(blob).decode() != text:
        raise NotTrusted("rule 1: the signature is no canonical base64")
    return blob


def _key(blob: bytes) -> keys.VerifyKey:
    reader = _Reader(blob)
    kind = reader.string()
    if kind != _KEY_TYPE:
        raise NotTrusted(f"rule 2: expected an Ed25519 key, found {kind[:40]!r}")
    raw = reader.string()
    reader.end()
    if len(raw) != keys.RAW_BYTES:
        raise NotTrusted("rule 2: the public key has another length than Ed25519 keys have")
    return keys.VerifyKey(raw)


def _public(key: keys.VerifyKey) -> bytes:
    return _string(_KEY_TYPE) + _string(key.raw)


def _string(content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + content


class _Reader:
    """Takes fields off the front of a blob. Raises NotTrusted where there is too little."""

    def __init__(self, blob: bytes) -> None:
        self._left = blob

    def take(self, count: int) -> bytes:
        if count > len(self._left):
            raise NotTrusted("rule 1: the signature ends too early")
        taken, self._left = self._left[:count], self._left[count:]
        return taken

    def number(self) -> int:
        return int.from_bytes(self.take(4), "big")

    def string(self) -> bytes:
        return self.take(self.number())

    def end(self) -> None:
        if self._left:
            raise NotTrusted("rule 1: something follows behind the signature")
