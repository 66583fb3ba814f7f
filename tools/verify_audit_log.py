#!/usr/bin/env python3
"""Check a SentienGuard audit log offline, with nothing of SentienGuard.

One file, Python 3.11 and the `openssl` command (3.0 or later): read it, copy it, run it on a copy
of the log's directory. It shares no code with what wrote the log.

    verify_audit_log.py DIRECTORY --key log.vkey --witness witness.vkey --against old-checkpoint

Give --key from where you got it when the log was set up, not from the directory that you check: who
can replace the log can replace the key beside it. Give --against a checkpoint that you kept, or
--witness keys of parties that keep one: a log that was cut off or rewritten with its own stolen key
looks sound by itself. Exit status: 0 all passed, 1 something failed, 2 wrong use.

What is checked
    records     [length u32][crc32 u32][bytes], the crc over length and bytes; at most 4,096 bytes
    canonical   each entry is written in the one form that its content has
    checkpoint  origin, size, root; signed by the log's Ed25519 key (C2SP signed note)
    root        the RFC 6962 root over the entries is the signed one; none missing, none left over
    sources     each source's entries are numbered 1, 2, 3 ... and each names the hash of the last
    growth      the log begins with what each --against checkpoint committed to
    witnesses   cosigned checkpoints belong to this log and carry --quorum valid signatures
"""

import argparse
import base64
import binascii
import contextlib
import hashlib
import json
import pathlib
import re
import struct
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

MAX_ENTRY = 4096
BATCH_BIT = 0x80000000  # set in the length of the first record that was written together
SIZE_PATTERN = re.compile(r"(0|[1-9][0-9]{0,15})\Z")
KEY_PATTERN = re.compile(r"[A-Za-z0-9_.:/@\-]{1,128}\Z")
PUBLIC_KEY_PREFIX = bytes.fromhex("302a300506032b6570032100")  # SubjectPublicKeyInfo of Ed25519
KEY_BYTES = 33  # kind and 32 raw bytes
NOTE_LINES = 3  # origin, size, root
Lines = list[tuple[str, bytes, bytes]]  # signature lines: name, key id, the rest
MOST_SHOWN = 5  # findings of one check on the screen; --json has all


class Bad(Exception):
    """Something that is not as it has to be."""


class CutShort(Bad):
    """The last record is not there as a whole: cut off, or being written just now."""


class Results:
    """What the checks found, in the order of the checks."""

    def __init__(self) -> None:
        self.findings: dict[str, list[str]] = {}  # only of checks that failed
        self.meaning: dict[str, str] = {}  # what a check says when it found nothing

    @contextlib.contextmanager
    def watching(self, check: str, what: str = "") -> Iterator[None]:
        """Turn what is raised inside into a finding of a check."""
        try:
            yield
        except Bad as bad:
            self.findings.setdefault(check, []).append(f"{what}{bad}")

    def lines(self) -> Iterator[str]:
        """Show the checks to a person."""
        for check, meaning in self.meaning.items():
            found = self.findings.get(check, [])
            yield f"[FAIL] {check}: {found[0]}" if found else f"[PASS] {meaning}"
            yield from (f"       {text}" for text in found[1:MOST_SHOWN])
            if len(found) > MOST_SHOWN:
                yield f"       and {len(found) - MOST_SHOWN} more"


def read_records(directory: pathlib.Path) -> Iterator[bytes]:
    """Yield the bytes of each entry. Raises Bad at the first damage."""
    count = 0
    for path in sorted(directory.glob("segments/*.seg")):
        if not path.stem.isdigit() or int(path.stem) != count:
            raise Bad(f"{path.name}: {count} entries come before it")
        content, at = path.read_bytes(), 0
        while at < len(content):
            where = f"{path.name}, byte {at}, entry {count}"
            if at + 8 > len(content):
                raise CutShort(f"{where}: the file ends inside a record")
            word, crc = struct.unpack_from(">II", content, at)
            length = word & ~BATCH_BIT
            entry = content[at + 8 : at + 8 + length]
            if not 0 < length <= MAX_ENTRY:
                raise Bad(f"{where}: {length} bytes long; 1 to {MAX_ENTRY} are allowed")
            if len(entry) != length:
                raise CutShort(f"{where}: the file ends inside a record")
            if zlib.crc32(content[at : at + 4] + entry) != crc:
                raise Bad(f"{where}: the bytes do not fit their checksum")
            yield entry
            count, at = count + 1, at + 8 + length


def check_canonical(entry: bytes) -> dict[str, Any]:
    """Return the parsed entry. Raises Bad unless its bytes are the only way to write it."""
    try:
        value: Any = json.loads(
            entry.decode("utf-8"),
            object_pairs_hook=pairs,
            parse_float=no_float,
            parse_constant=no_float,
        )
        written = write(value).encode("utf-8")
    except (ValueError, RecursionError) as error:
        raise Bad(f"not canonical: {error}") from error
    if written != entry:
        raise Bad("not canonical: the same content is written in another way")
    entry_of = value if isinstance(value, dict) else {}
    if not isinstance(entry_of.get("src"), str) or not isinstance(entry_of.get("src_seq"), int):
        raise Bad("not an entry: it names no source and number")
    return entry_of


def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make an object of its members, refusing duplicates."""
    if len({key for key, _ in found}) != len(found):
        raise ValueError("an object has the same key twice")
    return dict(found)


def no_float(text: str) -> Any:
    """Refuse 1.5, 1e3, NaN."""
    raise ValueError(f"{text} is no integer")


def write(value: Any) -> str:
    """Write a value as RFC 8785 says."""
    if isinstance(value, dict):
        for key in value:
            if not KEY_PATTERN.match(key):
                raise ValueError(f"key {key!r}")
        return "{" + ",".join(f"{write(key)}:{write(value[key])}" for key in sorted(value)) + "}"
    if isinstance(value, list):
        return "[" + ",".join(write(member) for member in value) + "]"
    if isinstance(value, int) and abs(value) >= 2**53:
        raise ValueError(f"{value} is beyond 2**53 - 1")
    return json.dumps(value, ensure_ascii=False)


def tree_root(hashes: list[bytes]) -> bytes:
    """Return the root over leaf hashes: pair neighbours, a lonely last one moves up."""
    row = list(hashes)
    if not row:
        return hashlib.sha256(b"").digest()
    while len(row) > 1:
        above = [
            hashlib.sha256(b"\x01" + row[i] + row[i + 1]).digest()
            for i in range(0, len(row) - 1, 2)
        ]
        row = above + row[len(row) & ~1 :]
    return row[0]


class Key:
    """A public key with the name it signs under."""

    def __init__(self, vkey: str) -> None:
        name, _, rest = vkey.strip().partition("+")
        identifier, _, material = rest.partition("+")
        raw = unbase64(material)
        if len(raw) != KEY_BYTES or raw[0] not in (1, 4):  # a log's, a witness's
            raise Bad(f"not the key of a log or witness: {vkey.strip()[:60]!r}")
        self.name, self.kind, self.raw = name, raw[0], raw[1:]
        self.identifier = hashlib.sha256(name.encode() + b"\n" + raw).digest()[:4]
        if self.identifier.hex() != identifier:
            raise Bad(f"the id in the key of {name} does not belong to it")

    def signed(self, message: bytes, signature: bytes) -> bool:
        """Ask openssl whether this key signed the message."""
        with tempfile.TemporaryDirectory() as place:
            folder = pathlib.Path(place)
            (folder / "key.der").write_bytes(PUBLIC_KEY_PREFIX + self.raw)
            (folder / "message").write_bytes(message)
            (folder / "signature").write_bytes(signature)
            done = subprocess.run(
                ["openssl", "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-rawin",
                 "-inkey", folder / "key.der", "-in", folder / "message",
                 "-sigfile", folder / "signature"],
                capture_output=True, check=False,
            )  # fmt: skip
        return done.returncode == 0


def unbase64(encoded: str) -> bytes:
    """Read standard base64. Raises Bad."""
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Bad(f"not base64: {encoded[:40]!r}") from error


def read_note(note: str) -> tuple[str, str, int, bytes, Lines]:
    """Return text, origin, size, root and signature lines (name, key id, rest)."""
    body, separator, lines = note.rpartition("\n\n")
    parts = body.split("\n")
    if not separator or len(parts) != NOTE_LINES or not SIZE_PATTERN.match(parts[1]):
        raise Bad("not a checkpoint: origin, size, root, empty line, signatures")
    root = unbase64(parts[2])
    signatures = []
    for line in lines.splitlines():
        dash, _, rest = line.partition(" ")
        name, _, encoded = rest.partition(" ")
        if dash != "\N{EM DASH}" or not name:
            raise Bad(f"not a signature line: {line[:60]!r}")
        decoded = unbase64(encoded)
        signatures.append((name, decoded[:4], decoded[4:]))
    return body + "\n", parts[0], int(parts[1]), root, signatures


def open_checkpoint(note: str, log_key: Key) -> tuple[int, bytes, str, Lines]:
    """Return size, root, text and signatures of a checkpoint that the log signed."""
    body, origin, size, root, signatures = read_note(note)
    if origin != log_key.name:
        raise Bad(f"a checkpoint of {origin[:80]!r}, expected {log_key.name!r}")
    for name, identifier, signature in signatures:
        if (name, identifier) == (log_key.name, log_key.identifier):
            if log_key.signed(body.encode(), signature):
                return size, root, body, signatures
            raise Bad(f"the log's signature on size {size} is wrong")
    raise Bad(f"the log's key did not sign the checkpoint of size {size}")


def cosigners(body: str, signatures: Lines, witnesses: list[Key]) -> dict[str, int]:
    """Return which witnesses signed validly, and when (POSIX seconds)."""
    found: dict[str, int] = {}
    for name, identifier, rest in signatures:
        for witness in witnesses:
            if (name, identifier) == (witness.name, witness.identifier):
                at = int.from_bytes(rest[:8], "big")
                if witness.signed(f"cosignature/v1\ntime {at}\n{body}".encode(), rest[8:]):
                    found[name] = at
    return found


def check_sources(entries: list[bytes], results: Results) -> dict[str, int]:
    """Parse each entry and follow each source's numbers and chain."""
    last: dict[str, tuple[int, str]] = {}
    for index, entry in enumerate(entries):
        with results.watching("canonical", f"entry {index}: "):
            value = check_canonical(entry)
            source, number = value["src"], value["src_seq"]
            unsigned = {name: member for name, member in value.items() if name != "src_sig"}
            before, chained = last.get(source, (0, ""))
            last[source] = number, hashlib.sha256(write(unsigned).encode()).hexdigest()
            with results.watching("sources", f"entry {index}: {source} "):
                if number != before + 1:
                    raise Bad(f"goes from {before} to {number}")
                if value.get("src_prev") != chained:
                    raise Bad(f"number {number} breaks its chain")
                if source.startswith("agent:") and len(unsigned) == len(value):
                    raise Bad(f"did not sign number {number}")
    return {source: number for source, (number, _) in last.items()}


def require_commitment(size: int, root: bytes, hashes: list[bytes]) -> None:
    """Compare what a checkpoint commits to with what is there. Raises Bad."""
    if size > len(hashes):
        raise Bad(f"{size} entries are committed to, {len(hashes)} are there")
    if tree_root(hashes[:size]) != root:
        raise Bad(f"the first {size} entries are not the ones committed to")


def check_witnesses(
    directory: pathlib.Path, log_key: Key, hashes: list[bytes], witnesses: list[Key], wanted: int
) -> str:
    """Return what the newest checkpoint with enough cosignatures shows. Raises Bad."""
    best: dict[str, int] = {}
    size = 0
    for path in sorted(directory.glob("cosigned/[0-9]*"), reverse=True):
        size, root, body, signatures = open_checkpoint(read_text(path), log_key)
        names = cosigners(body, signatures, witnesses)
        if names:
            require_commitment(size, root, hashes)
        best = max(best, names, key=len)
        if len(best) >= wanted:
            break
    if len(best) < wanted:
        raise Bad(f"{len(best)} of {wanted} witnesses cosigned one checkpoint")
    at = datetime.fromtimestamp(max(best.values(), default=0), UTC)
    return f"{len(best)} witnesses cosigned {size:,} entries, last at {at:%Y-%m-%d %H:%M:%S}Z"


def read_text(path: pathlib.Path) -> str:
    """Read a small file. Raises Bad."""
    try:
        return path.read_bytes().decode("utf-8")
    except (OSError, ValueError) as error:
        raise Bad(f"{path}: {error}") from error


def verify(
    directory: pathlib.Path,
    *,
    key: str | None = None,
    against: Sequence[str] = (),
    witness_keys: Sequence[str] = (),
    quorum: int | None = None,
    live: bool = False,
) -> tuple[Results, dict[str, Any]]:
    """Run all checks; return the results and what is worth telling about the log."""
    results = Results()
    witnesses = [Key(vkey) for vkey in witness_keys]
    log_key = Key(key if key is not None else read_text(directory / "log.vkey"))
    covered, root, entries = 0, None, list[bytes]()
    with results.watching("checkpoint"):  # first: a log in use has at least what this says
        covered, root, *_ = open_checkpoint(read_text(directory / "checkpoint"), log_key)
    with results.watching("records"):
        try:
            entries.extend(read_records(directory))
        except CutShort:
            if not live:
                raise
    hashes = [hashlib.sha256(b"\x00" + entry).digest() for entry in entries]
    with results.watching("root"):
        if root is not None:
            require_commitment(covered, root, hashes)
        if len(entries) > covered and not live:
            raise Bad(f"{len(entries) - covered} entries are signed by nobody (in use? --live)")
    counts = check_sources(entries, results)
    results.meaning = {
        "records": f"All {len(entries):,} records are readable",
        "canonical": "Every entry is in canonical form",
        "checkpoint": f"Checkpoint signed by {log_key.name}",
        "root": f"{covered:,} entries hash to the signed root",
        "sources": f"{len(counts)} sources, no gap and no break in any",
    }
    if against:
        results.meaning["growth"] = f"The log grew from {len(against)} checkpoints kept elsewhere"
    for number, note in enumerate(against, 1):
        with results.watching("growth", f"checkpoint {number}: "):
            size, old_root, *_ = open_checkpoint(note, log_key)
            require_commitment(size, old_root, hashes)
    if witnesses:
        results.meaning["witnesses"] = ""
        with results.watching("witnesses"):
            wanted = len(witnesses) if quorum is None else quorum
            shown = check_witnesses(directory, log_key, hashes, witnesses, wanted)
            results.meaning["witnesses"] = shown
    return results, {"entries": len(entries), "covered": covered, "sources": counts}


def main() -> int:
    """Verify what the command line names, print what was found, return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("directory", type=pathlib.Path, help="the log's directory, or a copy of it")
    parser.add_argument("--key", type=pathlib.Path, help="file with the log's key (vkey)")
    for name, what in (
        ("against", "a checkpoint that you kept"),
        ("witness", "vkeys of witnesses"),
    ):
        parser.add_argument(f"--{name}", type=pathlib.Path, action="append", default=[], help=what)
    parser.add_argument("--quorum", type=int, help="witnesses needed; default: all that are given")
    parser.add_argument("--live", action="store_true", help="the log is being written just now")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    chosen = parser.parse_args()
    try:
        witness_files = [read_text(path) for path in chosen.witness]
        results, facts = verify(
            chosen.directory,
            key=read_text(chosen.key) if chosen.key else None,
            against=[read_text(path) for path in chosen.against],
            witness_keys=[line for file in witness_files for line in file.splitlines() if line],
            quorum=chosen.quorum,
            live=chosen.live,
        )
    except Bad as bad:
        print(f"cannot verify: {bad}", file=sys.stderr)
        return 2
    if chosen.json:
        findings = {check: results.findings.get(check, []) for check in results.meaning}
        told = {"passed": not results.findings, **facts, "findings": findings}
        print(json.dumps(told, indent=2))
    else:
        print(*results.lines(), sep="\n")
        if not chosen.key:
            print("[NOTE] The log's key was taken from the directory itself; give --key")
        if not (chosen.against or chosen.witness):
            print("[NOTE] Nothing from elsewhere was compared; give --against or --witness")
    return 1 if results.findings else 0


if __name__ == "__main__":
    sys.exit(main())
