"""A second verifier of the audit log, written from its documents and from nothing else.

Used by tests alone. Sources: docs/reference/audit-log.md, RFC 6962 section 2.1, RFC 8785 and
c2sp.org/signed-note, tlog-checkpoint and tlog-cosignature. It shares neither code nor structure
with `stages.audit` and with tools/verify_audit_log.py: trees are the recursive definition word by
word, canonical form is the `rfc8785` package, signatures are the `cryptography` package. Where the
three disagree, one of them has not understood the document. Speed is no aim.
"""

import base64
import binascii
import dataclasses
import hashlib
import json
import pathlib
import statistics
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import rfc8785
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

TOLERANCE_MS = 300_000  # "more than five minutes"


class Wrong(Exception):
    """Something is not as the document says."""


@dataclasses.dataclass(frozen=True)
class Held:
    """What the judge brought from elsewhere; none of it was taken from the log's directory."""

    log: str  # vkey of the log
    checkpoints: Sequence[str] = ()  # notes that others kept
    witnesses: Sequence[str] = ()  # vkeys
    quorum: int = 0
    agents: Sequence[str] | None = None  # vkeys; None: as the log enrolled them
    said: Mapping[str, int] = dataclasses.field(default_factory=dict)  # source -> its own count


@dataclasses.dataclass(frozen=True)
class Signer:
    """A vkey taken apart."""

    name: str
    kind: int
    key: Ed25519PublicKey
    identity: bytes

    @classmethod
    def read(cls, vkey: str) -> "Signer":
        """Read `name+hex(id)+base64(kind || key)`."""
        name, shown, encoded = vkey.strip().split("+", 2)
        material = base64.b64decode(encoded)
        identity = hashlib.sha256(name.encode() + b"\x0a" + material).digest()[:4]
        if identity.hex() != shown:
            raise Wrong(f"vkey of {name}")
        return cls(name, material[0], Ed25519PublicKey.from_public_bytes(material[1:]), identity)

    def made(self, signature: bytes, message: bytes) -> bool:
        """Tell whether this key signed the message."""
        return _signed(self.key, signature, message)


@dataclasses.dataclass(frozen=True)
class Head:
    """A checkpoint that the log's key signed."""

    body: bytes
    size: int
    root: bytes
    lines: Sequence[tuple[str, bytes]]  # name, decoded signature with its key id


def judge(directory: pathlib.Path, held: Held) -> dict[str, list[str]]:
    """Return what is wrong, by check. Empty: the log is what its agents and its keeper say."""
    wrong: dict[str, list[str]] = defaultdict(list)

    def attempt(check: str, deed: Callable[[], Any]) -> Any:
        try:
            return deed()
        except (Wrong, ValueError, KeyError, TypeError, OSError) as error:
            wrong[check].append(str(error))
            return None

    log = Signer.read(held.log)
    stored: list[bytes] = []
    attempt("records", lambda: stored.extend(_unframe(directory)))
    members = [attempt("canonical", lambda one=one: _parse(one)) or {} for one in stored]
    head = attempt("checkpoint", lambda: _head((directory / "checkpoint").read_text(), log))
    if head is not None:
        attempt("root", lambda: _commits(head, stored, exactly=True))
    for text in _chains(members, held.said):
        wrong["sources"].append(text)
    for text in _signatures(members, held.agents):
        wrong["signatures"].append(text)
    for number, note in enumerate(held.checkpoints):
        kept = attempt("growth", lambda note=note: _head(note, log))
        if kept is not None:
            attempt("growth", lambda kept=kept, n=number: _commits(kept, stored, of=f"kept {n}: "))
    seen = attempt("witnesses", lambda: _witnessed(directory, log, stored, held))
    for text in _clocks(members, seen):
        wrong["clock"].append(text)
    return dict(wrong)


def tree_hash(leaves: Sequence[bytes]) -> bytes:
    """MTH of RFC 6962, section 2.1, over the entries themselves."""
    if not leaves:
        return hashlib.sha256().digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    k = _split(len(leaves))
    return hashlib.sha256(b"\x01" + tree_hash(leaves[:k]) + tree_hash(leaves[k:])).digest()


def path(m: int, leaves: Sequence[bytes]) -> list[bytes]:
    """PATH(m, D[n]) of RFC 6962, section 2.1.1."""
    if len(leaves) == 1:
        return []
    k = _split(len(leaves))
    if m < k:
        return [*path(m, leaves[:k]), tree_hash(leaves[k:])]
    return [*path(m - k, leaves[k:]), tree_hash(leaves[:k])]


def proof(m: int, leaves: Sequence[bytes]) -> list[bytes]:
    """PROOF(m, D[n]) of RFC 6962, section 2.1.2."""

    def subproof(m: int, leaves: Sequence[bytes], *, complete: bool) -> list[bytes]:
        if m == len(leaves):
            return [] if complete else [tree_hash(leaves)]
        k = _split(len(leaves))
        if m <= k:
            return [*subproof(m, leaves[:k], complete=complete), tree_hash(leaves[k:])]
        return [*subproof(m - k, leaves[k:], complete=False), tree_hash(leaves[:k])]

    return subproof(m, leaves, complete=True)


def _split(n: int) -> int:
    """Return the largest power of two smaller than n."""
    return 1 << ((n - 1).bit_length() - 1)


def _unframe(directory: pathlib.Path) -> Iterable[bytes]:
    files = sorted((int(one.stem), one) for one in (directory / "segments").glob("*.seg"))
    count = 0
    for first, file in files:
        if first != count:
            raise Wrong(f"{file.name} does not continue at {count}")
        content, at = file.read_bytes(), 0
        while at < len(content):
            header, at = content[at : at + 8], at + 8
            if len(header) < 8:
                raise Wrong(f"record {count} has no whole header")
            length = int.from_bytes(header[:4], "big") & 0x7FFFFFFF
            body, at = content[at : at + length], at + length
            if not 1 <= length <= 4096 or len(body) != length:
                raise Wrong(f"record {count} is not whole")
            if zlib.crc32(header[:4] + body).to_bytes(4, "big") != header[4:]:
                raise Wrong(f"record {count} does not fit its checksum")
            yield body
            count += 1


def _parse(stored: bytes) -> dict[str, Any]:
    def refuse(text: str) -> Any:
        raise Wrong(f"{text} is no integer")

    found = json.loads(stored, parse_float=refuse, parse_constant=refuse)
    if not isinstance(found, dict) or rfc8785.dumps(found) != stored:
        raise Wrong("not the canonical form of an object")
    return found


def _chains(members: Sequence[Mapping[str, Any]], said: Mapping[str, int]) -> Iterable[str]:
    """Numbers from 1, each naming the hash of the one before; unique keys; the source's count."""
    spoken: dict[str, list[tuple[int, Mapping[str, Any]]]] = defaultdict(list)
    for index, one in enumerate(members):
        spoken[str(one.get("src"))].append((index, one))
    keys = [one.get("key") for one in members if not str(one.get("src")).startswith("agent:")]
    if len(set(map(str, keys))) != len(keys):
        yield "a key stands twice among the centre and people"
    for source, entries in spoken.items():
        before = ""
        for expected, (index, one) in enumerate(entries, 1):
            if one.get("src_seq") != expected:
                yield f"entry {index}: {source} says {one.get('src_seq')} in place {expected}"
            elif one.get("src_prev") != before:
                yield f"entry {index}: {source} {expected} does not follow from the one before"
            before = hashlib.sha256(_unsigned(one)).hexdigest() if one else ""
    for source, count in said.items():
        if len(spoken[source]) != count:
            yield f"{source} sent {count} entries, {len(spoken[source])} are here"


def _signatures(
    members: Sequence[Mapping[str, Any]], agents: Sequence[str] | None
) -> Iterable[str]:
    """Every agent's entry is signed by the key that was enrolled before it, or that is held."""
    keys = _enrolled(members, agents)
    for index, one in enumerate(members):
        source = str(one.get("src"))
        if index in keys.wrong:
            yield f"entry {index}: enrols wrongly"
        if not source.startswith("agent:"):
            if "src_sig" in one:
                yield f"entry {index}: {source} does not sign"
            continue
        since, key = keys.known.get(source, (index, None))
        if key is None or since > index:
            yield f"entry {index}: no key of {source}"
        elif not _signed(key, _sig(one), _unsigned(one)):
            yield f"entry {index}: not signed by {source}"


@dataclasses.dataclass
class _Keys:
    """Which key an agent has, from which entry on, and which entries enrol another one."""

    known: dict[str, tuple[int, Ed25519PublicKey]]
    wrong: set[int] = dataclasses.field(default_factory=set)


def _enrolled(members: Sequence[Mapping[str, Any]], agents: Sequence[str] | None) -> _Keys:
    keys = _Keys({one.name: (-1, one.key) for one in map(Signer.read, agents or ())})
    for index, one in enumerate(members):
        if one.get("kind") != "agent.enrolled" or str(one.get("src")).startswith("agent:"):
            continue
        try:
            name = "agent:" + one["data"]["agent"]
            raw = base64.b64decode(one["data"]["executor_key"], validate=True)
            key = Ed25519PublicKey.from_public_bytes(raw)
        except (KeyError, TypeError, ValueError):
            keys.wrong.add(index)
            continue
        if agents is None:
            keys.known.setdefault(name, (index, key))
        if name not in keys.known or keys.known[name][1].public_bytes_raw() != raw:
            keys.wrong.add(index)
    return keys


def _sig(one: Mapping[str, Any]) -> bytes:
    try:
        return base64.b64decode(one["src_sig"], validate=True)
    except (KeyError, TypeError, binascii.Error):
        return b""


def _unsigned(one: Mapping[str, Any]) -> bytes:
    return rfc8785.dumps({name: value for name, value in one.items() if name != "src_sig"})


def _signed(key: Ed25519PublicKey, signature: bytes, message: bytes) -> bool:
    try:
        key.verify(signature, message)
    except InvalidSignature:
        return False
    return True


def _head(note: str, log: Signer) -> Head:
    """Read a checkpoint and require the log's signature on it."""
    body, gap, tail = note.rpartition("\n\n")
    origin, size, root = body.split("\n")
    if not gap or origin != log.name:
        raise Wrong(f"no checkpoint of {log.name}")
    lines = []
    for line in tail.splitlines():
        dash, name, encoded = line.split(" ")
        if dash != "\u2014":
            raise Wrong("no signature line")
        lines.append((name, base64.b64decode(encoded, validate=True)))
    head = Head(body.encode() + b"\n", int(size), base64.b64decode(root, validate=True), lines)
    made = [one for name, one in lines if name == log.name and one[:4] == log.identity]
    if not made or not all(log.made(one[4:], head.body) for one in made):
        raise Wrong(f"the log's key did not sign the checkpoint of {size}")
    return head


def _commits(head: Head, stored: Sequence[bytes], *, of: str = "", exactly: bool = False) -> None:
    if len(stored) < head.size:
        raise Wrong(f"{of}{head.size} committed to, {len(stored)} there")
    if tree_hash(stored[: head.size]) != head.root:
        raise Wrong(f"{of}the first {head.size} are others")
    if exactly and len(stored) != head.size:
        raise Wrong(f"{len(stored) - head.size} are signed by nobody")


def _witnessed(
    directory: pathlib.Path, log: Signer, stored: Sequence[bytes], held: Held
) -> tuple[int, float] | None:
    """Require the quorum on the newest note that has it; return its size and time in seconds."""
    if not held.witnesses:
        return None
    witnesses = {(one.name, one.identity): one for one in map(Signer.read, held.witnesses)}
    files = {int(one.name): one for one in (directory / "cosigned").glob("*")}
    for size in sorted(files, reverse=True):
        head = _head(files[size].read_text(), log)
        times: dict[str, int] = {}
        for name, blob in head.lines:
            witness = witnesses.get((name, blob[:4]))
            at = int.from_bytes(blob[4:12], "big")
            message = b"cosignature/v1\ntime %d\n" % at + head.body
            if witness is not None and witness.made(blob[12:], message):
                times[name] = at
        if len(times) >= held.quorum:
            _commits(head, stored, of="cosigned: ")
            return head.size, statistics.median_low(list(times.values()))
    raise Wrong(f"no checkpoint with {held.quorum} cosignatures")


def _clocks(members: Sequence[Mapping[str, Any]], seen: tuple[int, float] | None) -> Iterable[str]:
    """No source's clock goes back, and nothing is later than the witnesses who saw it."""
    latest: dict[str, int] = {}
    for index, one in enumerate(members):
        source, at = str(one.get("src")), one.get("ts_ms")
        if not isinstance(at, int):
            continue
        if at < latest.get(source, at) - TOLERANCE_MS:
            yield f"entry {index}: the clock of {source} went back"
        latest[source] = max(latest.get(source, at), at)
        if seen is not None and index < seen[0] and at > seen[1] * 1000 + TOLERANCE_MS:
            yield f"entry {index}: is later than its witnesses"
