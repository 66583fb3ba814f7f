"""C2SP signed notes: the log's and the witnesses' word on size and root.

Called by ledger, witness and verify. A checkpoint is three lines (origin, size, base64 root), an
empty line, and signature lines: `— name base64(key id + signature)`. The formats are those of
c2sp.org/signed-note, tlog-checkpoint and tlog-cosignature (Ed25519), so that other tools read them.
A signature line whose name and key id are unknown is ignored; one that claims to be of a known key
and does not verify spoils the note.
"""

import base64
import binascii
import functools
import hashlib
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, TypeAlias

from sentienguard.trust import canonical, dsse
from sentienguard.trust.keys import BadKey, SigningKey, VerifyKey
from sentienguard.trust.log_keys import LogKey

LOG_SIGNATURE: Final = 0x01  # Ed25519 over the text
COSIGNATURE: Final = 0x04  # Ed25519 over a header, a time and the text
MAX_NOTE_CHARACTERS: Final = 64 * 1024  # 400 cosignatures
_SHORT_CHARACTERS: Final = 1024  # of a note with one cosignature or two
_REMEMBERED: Final = 16  # short notes, and texts
_KEY_ID_BYTES: Final = 4
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST_S: Final = 253_402_300_799  # the end of the year 9999
_TIME_BYTES: Final = 8
_ROOT_BYTES: Final = 32
_DASH: Final = "\N{EM DASH} "
_NAME: Final = re.compile(r"[^\s+\x00-\x20]{1,200}\Z")
_CONTROL: Final = re.compile(r"[\x00-\x09\x0b-\x1f]")  # all but the newline
_SIZE: Final = re.compile(r"(0|[1-9][0-9]{0,15})\Z")
_UNTIL: Final = " until="

KeyOf: TypeAlias = Callable[[str], VerifyKey | None]  # name of a witness -> its key


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What the log commits to."""

    origin: str
    size: int
    root: bytes  # 32 bytes

    @property
    def text(self) -> str:
        """The three lines that are signed."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature line of a note."""

    name: str
    key_id: bytes  # 4 bytes
    body: bytes

    @property
    def line(self) -> str:
        """The line with its newline."""
        return f"{_DASH}{self.name} {base64.b64encode(self.key_id + self.body).decode()}\n"


@dataclass(frozen=True, slots=True)
class Note:
    """A text and who signed it; nothing of it is verified yet."""

    text: str
    signatures: tuple[Signature, ...]

    @property
    def written(self) -> str:
        """The note as it is stored and sent."""
        return f"{self.text}\n{''.join(one.line for one in self.signatures)}"


@dataclass(frozen=True, slots=True)
class Cosignature:
    """A witness's verified word that it saw the log grow to this checkpoint."""

    name: str
    at_s: int  # POSIX seconds


def read_note(written: str) -> Note:
    """Take a note apart. Raises dsse.NotTrusted for anything but the exact form."""
    return _read_again(written) if len(written) <= _SHORT_CHARACTERS else _read(written)


def _read(written: str) -> Note:
    if len(written) > MAX_NOTE_CHARACTERS:
        raise dsse.NotTrusted(f"a note has at most {MAX_NOTE_CHARACTERS} characters")
    if _CONTROL.search(written) or not written.endswith("\n"):
        raise dsse.NotTrusted("a note has no control characters and ends with a newline")
    text, separator, lines = written.rpartition("\n\n")
    if not separator or not text:
        raise dsse.NotTrusted("a note has a text, an empty line and signature lines")
    signatures = tuple(_signature(line) for line in lines[:-1].split("\n"))
    return Note(text + "\n", signatures)


# What a host cosigned is taken apart in five places on its way, and each host brings the text of
# the same checkpoint. What comes out depends on these characters alone.
_read_again: Final = functools.lru_cache(maxsize=_REMEMBERED)(_read)


@functools.lru_cache(maxsize=_REMEMBERED)
def read_text(text: str) -> Checkpoint:
    """Read the text of a checkpoint; lines after the third are refused, we write none."""
    lines = text.split("\n")
    if len(lines) != 4 or lines[3] or not lines[0]:  # noqa: PLR2004 - three lines, each ended
        raise dsse.NotTrusted("a checkpoint has three lines: origin, size and root")
    if _SIZE.match(lines[1]) is None:
        raise dsse.NotTrusted(f"a checkpoint's size is a plain number, not {lines[1][:20]!r}")
    root = _binary(lines[2])
    if len(root) != _ROOT_BYTES:
        raise dsse.NotTrusted(f"a root has {_ROOT_BYTES} bytes, not {len(root)}")
    return Checkpoint(lines[0], int(lines[1]), root)


def key_id(name: str, kind: int, key: VerifyKey) -> bytes:
    """Return the four bytes that name a key in a signature line."""
    return hashlib.sha256(name.encode() + b"\n" + bytes([kind]) + key.raw).digest()[:_KEY_ID_BYTES]


def sign(checkpoint: Checkpoint, key: SigningKey) -> str:
    """Return the log's signed checkpoint; the key's name is the origin."""
    identifier = key_id(checkpoint.origin, LOG_SIGNATURE, key.public)
    signature = Signature(checkpoint.origin, identifier, key.sign(checkpoint.text.encode()))
    return Note(checkpoint.text, (signature,)).written


def open_checkpoint(written: str, origin: str, log_keys: Collection[LogKey]) -> Checkpoint:
    """Return the checkpoint that one of the log's keys signed within its reach.

    Raises dsse.NotTrusted.
    """
    note = read_note(written)
    checkpoint = read_text(note.text)
    if checkpoint.origin != origin:
        raise dsse.NotTrusted(f"expected a checkpoint of {origin}, got {checkpoint.origin[:100]}")
    signed = False
    for one in log_keys:
        identifier = key_id(origin, LOG_SIGNATURE, one.key)
        for line in note.signatures:
            if (line.name, line.key_id) == (origin, identifier):
                if not one.key.verify(line.body, note.text.encode()):
                    raise dsse.NotTrusted(
                        f"the signature of {origin} on size {checkpoint.size} is wrong"
                    )
                one.require_reach(checkpoint.size)
                signed = True
    if not signed:
        raise dsse.NotTrusted(f"no trusted key of {origin} signed the checkpoint")
    return checkpoint


def cosign(written: str, name: str, key: SigningKey, at_s: int) -> str:
    """Return the note with a witness's line in the place of any that it had."""
    note = read_note(written)
    identifier = key_id(name, COSIGNATURE, key.public)
    body = at_s.to_bytes(_TIME_BYTES, "big") + key.sign(_cosigned(note.text, at_s))
    others = tuple(one for one in note.signatures if (one.name, one.key_id) != (name, identifier))
    return Note(note.text, (*others, Signature(name, identifier, body))).written


def cosignatures(written: str, key_of: KeyOf) -> tuple[Cosignature, ...]:
    """Return the valid cosignatures of known witnesses, one for each name."""
    note = read_note(written)
    found: dict[str, Cosignature] = {}
    for one in note.signatures:
        key = key_of(one.name)
        if key is None or one.key_id != key_id(one.name, COSIGNATURE, key):
            continue
        at_s = int.from_bytes(one.body[:_TIME_BYTES], "big")
        if key.verify(one.body[_TIME_BYTES:], _cosigned(note.text, at_s)):
            found[one.name] = Cosignature(one.name, at_s)
    return tuple(found.values())


def moment(at_s: int) -> datetime:
    """Return a cosignature's time; beyond the year 9999 is that year's end."""
    return _EPOCH + timedelta(seconds=min(at_s, _LATEST_S))


def merged(one: str, other: str, key_of: KeyOf) -> str:
    """Return `one` with the valid cosignatures of `other`; both must have the same text.

    Where a note has no room for more it stays as it is: one that nobody can read proves nothing.
    """
    second = read_note(other)
    valid = {cosignature.name for cosignature in cosignatures(other, key_of)}
    added = tuple(line for line in second.signatures if line.name in valid)
    before = one
    if any(f"\n{_DASH}{name} " in one for name in valid):
        first = read_note(one)
        kept = tuple(line for line in first.signatures if line.name not in valid)
        before = Note(first.text, kept).written
    # The others' lines are not taken apart: hundreds of witnesses sign a checkpoint of a fleet.
    if not before.startswith(f"{second.text}\n"):
        raise dsse.NotTrusted("only notes of the same checkpoint can be merged")
    made = before + "".join(line.line for line in added)
    return made if len(made) <= MAX_NOTE_CHARACTERS else one


def with_log_signature(note: str, signed: str) -> str:
    """Return a note with the log's signature of another one of the same text, in its place."""
    kept, other = read_note(note), read_note(signed)
    if kept.text != other.text:
        raise dsse.NotTrusted("a note keeps its text when it is signed anew")
    origin = read_text(kept.text).origin
    others = tuple(one for one in kept.signatures if one.name != origin)
    return Note(kept.text, (*other.signatures, *others)).written


def verifier_key(name: str, key: VerifyKey, kind: int = LOG_SIGNATURE) -> str:
    """Write a key as a C2SP vkey: `name+hex id+base64(kind, raw key)`."""
    material = base64.b64encode(bytes([kind]) + key.raw).decode()
    return f"{name}+{key_id(name, kind, key).hex()}+{material}"


def read_verifier_key(text: str) -> tuple[str, VerifyKey, int]:
    """Read a vkey: name, key and kind of signature. Raises dsse.NotTrusted."""
    name, _, rest = text.strip().partition("+")
    identifier, _, material = rest.partition("+")
    raw = _binary(material)
    try:
        key, kind = VerifyKey(raw[1:]), raw[0] if raw else 0
    except BadKey as error:
        raise dsse.NotTrusted(f"vkey of {name[:100]}: {error}") from error
    if kind not in {LOG_SIGNATURE, COSIGNATURE} or key_id(name, kind, key).hex() != identifier:
        raise dsse.NotTrusted(f"vkey of {name[:100]}: its id does not belong to its key")
    return name, key, kind


def write_log_keys(origin: str, log_keys: Collection[LogKey]) -> str:
    """Write a log's keys, a line each: its vkey, then ` until=SIZE` where the key has an end."""
    return "\n".join(
        verifier_key(origin, one.key) + ("" if one.until is None else f"{_UNTIL}{one.until}")
        for one in log_keys
    )


def read_log_keys(text: str) -> tuple[str, tuple[LogKey, ...]]:
    """Read what write_log_keys wrote: the log's name and its keys. Raises dsse.NotTrusted."""
    found: dict[VerifyKey, LogKey] = {}
    names = set()
    for line in text.strip().split("\n"):
        written, _, end = line.strip().partition(_UNTIL)
        name, key, kind = read_verifier_key(written)
        if kind != LOG_SIGNATURE or key in found:
            raise dsse.NotTrusted(f"vkey of {name[:100]}: expected each key of a log once")
        if _UNTIL in line and (_SIZE.match(end) is None or int(end) > canonical.MAX_INTEGER):
            raise dsse.NotTrusted(f"vkey of {name[:100]}: its end is no size, but {end[:20]!r}")
        names.add(name)
        found[key] = LogKey(key, int(end) if end else None)
    if len(names) != 1:
        raise dsse.NotTrusted(f"keys of {len(names)} logs where those of one are expected")
    return names.pop(), tuple(found.values())


def _signature(line: str) -> Signature:
    name, _, encoded = line.removeprefix(_DASH).partition(" ")
    if not line.startswith(_DASH) or _NAME.match(name) is None:
        raise dsse.NotTrusted(f"expected a signature line, got {line[:60]!r}")
    decoded = _binary(encoded)
    if len(decoded) <= _KEY_ID_BYTES:
        raise dsse.NotTrusted(f"the signature of {name} is too short")
    return Signature(name, decoded[:_KEY_ID_BYTES], decoded[_KEY_ID_BYTES:])


def _cosigned(text: str, at_s: int) -> bytes:
    return f"cosignature/v1\ntime {at_s}\n{text}".encode()


def _binary(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise dsse.NotTrusted(f"expected standard base64, got {text[:40]!r}") from error
