#!/usr/bin/env python3
"""Check a SentienGuard audit log offline, with nothing of SentienGuard.

One file, Python 3.11 and OpenSSL 3: read it, copy it, run it on a copy of the log's directory. It
shares no code with what wrote the log.

    verify_audit_log.py DIRECTORY --key log.vkey --witness vkeys --agents vkeys --against checkpoint

Give all four from elsewhere than the directory: who can replace the log can replace a key beside
it, and a log that was cut off or rewritten with its own stolen key looks sound by itself.
Exit status: 0 all passed, 1 something failed, 2 wrong use.

What is checked
    records     [length u32][crc32 u32][bytes], the crc over length and bytes; at most 4,096 bytes
    canonical   each entry is written in the one form that its content has
    checkpoint  origin, size, root; signed by the log's Ed25519 key (C2SP signed note)
    root        the RFC 6962 root over the entries is the signed one; none missing, none left over
    sources     each source's entries are numbered 1, 2, 3 ... and each names the hash of the last;
                no key stands twice; a source that told you its count (--said) has that many
    signatures  each agent's entry is signed by the key enrolled before it, or by the one you hold
    clock       no source's clock goes back, nothing is dated after the witnesses who saw it
    growth      the log begins with what each --against and each --stamp checkpoint committed to
    witnesses   cosigned checkpoints belong to this log and carry --quorum valid signatures
"""

import argparse
import base64
import binascii
import contextlib
import ctypes
import functools
import hashlib
import json
import pathlib
import re
import statistics
import struct
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
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
ED25519 = 1087  # its number in OpenSSL
TOLERANCE_MS = 300_000  # hosts disagree about the time by seconds; by minutes is worth a question
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
        hooks: Any = dict.fromkeys(("parse_int", "parse_float", "parse_constant"), whole)
        value: Any = json.loads(entry.decode("utf-8"), object_pairs_hook=pairs, **hooks)
        written = write(value)
    except (ValueError, RecursionError) as error:
        raise Bad(f"not canonical: {error}") from error
    if written != entry or not isinstance(value, dict):
        raise Bad("not canonical: the same content is written in another way")
    members = {"src": str, "src_seq": int, "ts_ms": int, "key": str, "data": dict}
    if not all(isinstance(value.get(name), kind) for name, kind in members.items()):
        raise Bad(f"not an entry: it lacks one of {', '.join(members)}")
    return value


def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make an object of its members; a key that comes twice shows when it is written again."""
    if wrong := [key for key, _ in found if not KEY_PATTERN.match(key)]:
        raise ValueError(f"key {wrong[0]!r}")
    return dict(found)


def whole(text: str) -> int:
    """Read an integer that every reader reads alike; refuse the rest: 1.5, 1e3, NaN."""
    if abs(int(text)) >= 2**53:
        raise ValueError(f"{text} is beyond 2**53 - 1")
    return int(text)


def write(value: Any) -> bytes:
    """Write a value as RFC 8785 says; with the keys and numbers allowed here, this does."""
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return text.encode("utf-8")


class Key:
    """A public key with the name it signs under."""

    def __init__(self, line: str) -> None:
        vkey, ends, until = line.strip().partition(" until=")
        self.until = int(until) if ends else 2**53  # the biggest size that it signs, if a log's
        name, _, rest = vkey.partition("+")
        identifier, _, material = rest.partition("+")
        raw = unbase64(material)
        if len(raw) != KEY_BYTES or raw[0] not in (1, 4):  # a log's, a witness's
            raise Bad(f"not the key of a log or witness: {vkey[:60]!r}")
        self.name, self.kind, self.raw = name, raw[0], raw[1:]
        self.identifier = hashlib.sha256(name.encode() + b"\n" + raw).digest()[:4]
        if self.identifier.hex() != identifier:
            raise Bad(f"the id in the key of {name} does not belong to it")


@functools.cache
def libcrypto() -> Any:
    """Load OpenSSL's library, which verifies 40 times faster than its command; None: not there."""
    try:
        library = ctypes.CDLL("libcrypto.so.3")
    except OSError:
        return None
    pointer, text, size = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t
    library.EVP_MD_CTX_new.restype = library.EVP_PKEY_new_raw_public_key.restype = pointer
    library.EVP_PKEY_new_raw_public_key.argtypes = [ctypes.c_int, pointer, text, size]
    library.EVP_DigestVerifyInit.argtypes = [pointer] * 5
    library.EVP_DigestVerify.argtypes = [pointer, text, size, text, size]
    library.EVP_MD_CTX_free.argtypes = library.EVP_PKEY_free.argtypes = [pointer]
    return library


def verified(raw: bytes, message: bytes, signature: bytes) -> bool:
    """Ask OpenSSL's library, or else its command, whether a key signed a message."""
    if (library := libcrypto()) is None:
        return ask_command(raw, message, signature)
    key = library.EVP_PKEY_new_raw_public_key(ED25519, None, raw, len(raw))
    context = library.EVP_MD_CTX_new()
    begun = library.EVP_DigestVerifyInit(context, None, None, None, key)
    asked = (context, signature, len(signature), message, len(message))
    answer: int = library.EVP_DigestVerify(*asked) if begun == 1 else 0
    library.EVP_MD_CTX_free(context)
    library.EVP_PKEY_free(key)
    return answer == 1


def ask_command(raw: bytes, message: bytes, signature: bytes) -> bool:
    """Ask the `openssl` command."""
    content = {"inkey": PUBLIC_KEY_PREFIX + raw, "in": message, "sigfile": signature}
    argv = ["openssl", "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-rawin"]
    with tempfile.TemporaryDirectory() as place:
        for option, data in content.items():
            (path := pathlib.Path(place, option)).write_bytes(data)
            argv += [f"-{option}", str(path)]
        return subprocess.run(argv, capture_output=True, check=False).returncode == 0


def unbase64(encoded: str) -> bytes:
    """Read standard base64. Raises Bad."""
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Bad(f"not base64: {encoded[:40]!r}") from error


def open_checkpoint(note: str, log_keys: list[Key]) -> tuple[int, bytes, str, Lines]:
    """Return size, root, text and signature lines of a checkpoint that the log signed."""
    body, separator, lines = note.removesuffix("\n").rpartition("\n\n")
    parts = body.split("\n")
    plain = note.endswith("\n") and not re.search(r"[\x00-\x09\x0b-\x1f]", note)
    if not (plain and separator and len(parts) == NOTE_LINES and SIZE_PATTERN.match(parts[1])):
        raise Bad("not a checkpoint: origin, size, root, empty line, signatures")
    if parts[0] != log_keys[0].name:
        raise Bad(f"a checkpoint of {parts[0][:80]!r}, expected {log_keys[0].name!r}")
    signatures, valid = Lines(), False
    for line in lines.split("\n"):
        dash, _, rest = line.partition(" ")
        name, _, encoded = rest.partition(" ")
        if dash != "\N{EM DASH}" or not name:
            raise Bad(f"not a signature line: {line[:60]!r}")
        decoded = unbase64(encoded)
        signatures.append((name, decoded[:4], decoded[4:]))
        for key in log_keys:
            if (name, decoded[:4]) == (key.name, key.identifier):
                if int(parts[1]) > key.until:
                    raise Bad(f"a key that ended at size {key.until} signed size {parts[1]}")
                valid = verified(key.raw, f"{body}\n".encode(), decoded[4:])
                if not valid:
                    raise Bad(f"the log's signature on size {parts[1]} is wrong")
    if not valid:
        raise Bad(f"the log's key did not sign the checkpoint of size {parts[1]}")
    return int(parts[1]), unbase64(parts[2]), f"{body}\n", signatures


class Sources:
    """Where each source stands, entry by entry."""

    def __init__(self, held: Mapping[str, bytes] | None, seen: int, seen_s: int) -> None:
        self.held = held is not None  # or else agents have the keys that the log enrolled
        self.raws = dict(held or {})
        self.seen, self.seen_ms = seen, seen_s * 1000  # what witnesses saw, and when
        self.last: dict[str, tuple[int, str]] = {}  # number and hash
        self.keys: dict[str, int] = {}
        self.latest: dict[str, int] = {}
        self.signed = 0

    def follow(self, index: int, value: dict[str, Any]) -> None:
        """Require the source's next number, its chain, and a key of its own. Raises Bad."""
        source, number = value["src"], value["src_seq"]
        before, chained = self.last.get(source, (0, ""))
        self.last[source] = number, hashlib.sha256(unsigned(value)).hexdigest()
        agent = source.startswith("agent:")
        same = index if agent else self.keys.setdefault(value["key"], index)
        if same != index:
            raise Bad(f"{source} says again what entry {same} says: duplicated")
        if number != before + 1:
            why = "duplicated or out of order" if number <= before else "left out or removed"
            raise Bad(f"{source} number {number} comes after {before}: {why}")
        if value.get("src_prev") != chained:
            raise Bad(f"{source} number {number} breaks the chain: it or its last was changed")

    def check_signature(self, _: int, value: dict[str, Any]) -> None:
        """Require an agent's signature by the key held or else enrolled. Raises Bad."""
        source, agent = value["src"], value["src"].startswith("agent:")
        if value.get("kind") == "agent.enrolled" and not agent:
            name, raw = (str(value["data"].get(member)) for member in ("agent", "executor_key"))
            if not self.held:
                self.raws.setdefault(f"agent:{name}", unbase64(raw))
            if self.raws.get(f"agent:{name}") != unbase64(raw):
                raise Bad(f"enrols agent:{name} with a key that is not its own: invented")
        if agent != ("src_sig" in value):
            raise Bad(f"{source} {'has not signed: changed' if agent else 'signs no entries'}")
        if agent and source not in self.raws:
            raise Bad(f"{source} is not an agent of this log: from elsewhere")
        self.signed += agent
        message, signature = unsigned(value), unbase64(str(value.get("src_sig", "")))
        if agent and not verified(self.raws[source], message, signature):
            raise Bad(f"{source} did not sign this: changed or invented")

    def check_clock(self, index: int, value: dict[str, Any]) -> None:
        """Require that time goes on, and that witnesses saw nothing of the future. Raises Bad."""
        source, dated = value["src"], value["ts_ms"]
        back = self.latest.setdefault(source, dated) - dated
        self.latest[source] = max(self.latest[source], dated)
        if back > TOLERANCE_MS:
            self.latest[source] = dated  # one finding a jump
            raise Bad(f"the clock of {source} went back {back // 1000:,} s")
        if index < self.seen and dated - self.seen_ms > TOLERANCE_MS:
            raise Bad(f"dated {(dated - self.seen_ms) // 1000:,} s after witnesses saw it")

    def examine(
        self, entries: list[bytes], said: Mapping[str, int], results: Results
    ) -> dict[str, int]:
        """Run the checks of entries; return the number that each source came to."""
        clock, signed = self.check_clock, self.check_signature
        judges = {"sources": self.follow, "signatures": signed, "clock": clock}
        for index, entry in enumerate(entries):
            where = f"entry {index}: "
            with results.watching("canonical", where):
                value = check_canonical(entry)
                for check, judge in judges.items():
                    with results.watching(check, where):
                        judge(index, value)
        counts = {source: number for source, (number, _) in self.last.items()}
        for source, count in said.items():
            with results.watching("sources", f"{source} sent {count} entries, "):
                if counts.get(source, 0) != count:
                    raise Bad(f"{counts.get(source, 0)} are here: left out")
        results.meaning["sources"] = f"{len(counts)} sources, no gap and no break in any"
        results.meaning["signatures"] = f"{self.signed:,} entries are signed by their agents"
        results.meaning["clock"] = "No source's clock went back"
        return counts


def unsigned(value: dict[str, Any]) -> bytes:
    """Return the bytes that the source chained, and signed if it is an agent."""
    return write({name: member for name, member in value.items() if name != "src_sig"})


class Tree:
    """The RFC 6962 tree over the entries that are there."""

    def __init__(self, entries: Sequence[bytes]) -> None:
        self.hashes = [hashlib.sha256(b"\x00" + entry).digest() for entry in entries]
        self.signed: list[tuple[int, bytes]] = []  # sizes and roots that the log's key signed

    def root(self, size: int) -> bytes:
        """Return the root over the first entries: pair neighbours, a lonely last one moves up."""
        row = self.hashes[:size] or [hashlib.sha256(b"").digest()]
        while len(row) > 1:
            joined = (b"\x01" + row[i] + row[i + 1] for i in range(0, len(row) - 1, 2))
            row = [*(hashlib.sha256(two).digest() for two in joined), *row[len(row) & ~1 :]]
        return row[0]

    def require(self, size: int, root: bytes, text: str) -> None:
        """Compare what a checkpoint commits to with what is there. Raises Bad."""
        there = len(self.hashes)
        if size <= there and self.root(size) == root:
            return
        judged = [(n, self.root(n) == known) for n, known in self.signed if n <= min(size, there)]
        begin = max((n for n, agrees in judged if agrees), default=0)
        end = min((n for n, agrees in judged if not agrees), default=size)
        among = f"first among entries {begin} to {end - 1}"
        if size <= there:
            raise Bad(f"the {size} entries {text} are others, {among}: rewritten")
        lost = f"{size} entries were {text}, {there} are there"
        raise Bad(f"{lost}: {'cut off or rolled back' if end == size else f'removed, {among}'}")


def check_witnesses(
    notes: Iterable[str], log_keys: list[Key], tree: Tree, witnesses: list[Key], wanted: int
) -> tuple[int, dict[str, int]]:
    """Return size and witnesses of the newest note with enough cosignatures. Raises Bad."""
    size, best = 0, dict[str, int]()
    by_id = {(witness.name, witness.identifier): witness for witness in witnesses}
    for note in notes:
        size, root, body, signatures = open_checkpoint(note, log_keys)
        times: dict[str, int] = {}
        for name, identifier, rest in signatures:
            at, witness = int.from_bytes(rest[:8], "big"), by_id.get((name, identifier))
            text = f"cosignature/v1\ntime {at}\n{body}".encode()
            if witness and verified(witness.raw, text, rest[8:]):
                times[name] = at
        if times:
            tree.require(size, root, "cosigned")
        best = max(best, times, key=len)
        if len(best) >= wanted:
            break
    if len(best) < wanted:
        raise Bad(f"{len(best)} of {wanted} witnesses cosigned one checkpoint: not their view")
    return size, best


def read_text(path: str | pathlib.Path) -> str:
    """Read a small file. Raises Bad."""
    try:
        return pathlib.Path(path).read_bytes().decode("utf-8")
    except (OSError, ValueError) as error:
        raise Bad(f"{path}: {error}") from error


def verify(
    directory: pathlib.Path,
    *,
    key: str | None = None,
    against: Sequence[str] = (),
    witness_keys: Sequence[str] = (),
    quorum: int | None = None,
    agent_keys: Sequence[str] | None = None,
    said: Mapping[str, int] | None = None,
    live: bool = False,
) -> tuple[Results, dict[str, Any]]:
    """Run all checks; return the results and what is worth telling about the log."""
    results = Results()
    text = key if key is not None else read_text(directory / "log.vkey")
    log_keys = [Key(line) for line in text.strip().split("\n")]
    witnesses = [Key(vkey) for vkey in witness_keys]
    held = None if agent_keys is None else {one.name: one.raw for one in map(Key, agent_keys)}
    covered, root, entries = 0, None, list[bytes]()
    with results.watching("checkpoint"):  # first: a log in use has at least what this says
        covered, root, *_ = open_checkpoint(read_text(directory / "checkpoint"), log_keys)
    with results.watching("records"), contextlib.suppress(*([CutShort] if live else [])):
        entries.extend(read_records(directory))
    tree = Tree(entries)
    files = {int(one.name): one for one in directory.glob("cosigned/*") if one.name.isdigit()}
    cosigned = [read_text(files[size]) for size in sorted(files, reverse=True)]
    for note in (*against, *cosigned):
        with contextlib.suppress(Bad):
            tree.signed.append(open_checkpoint(note, log_keys)[:2])
    with results.watching("root"):
        if root is not None:
            tree.require(covered, root, "signed")
        if len(entries) > covered and not live:
            raise Bad(f"{len(entries) - covered} entries are signed by nobody (in use? --live)")
    meaning = results.meaning
    meaning["records"] = f"All {len(entries):,} records are readable"
    meaning["canonical"] = "Every entry is in canonical form"
    meaning["checkpoint"] = f"Checkpoint signed by {log_keys[0].name}"
    meaning["root"] = f"{covered:,} entries hash to the signed root"
    if against:
        meaning["growth"] = f"The log grew from {len(against)} checkpoints kept elsewhere"
    for number, note in enumerate(against, 1):
        with results.watching("growth", f"checkpoint {number}: "):
            tree.require(*open_checkpoint(note, log_keys)[:2], "committed to")
    seen, times = 0, dict[str, int]()
    if witnesses:
        wanted = len(witnesses) if quorum is None else quorum
        with results.watching("witnesses"):
            seen, times = check_witnesses(cosigned, log_keys, tree, witnesses, wanted)
        last = f"last at {datetime.fromtimestamp(max(times.values(), default=0), UTC):%F %T}Z"
        meaning["witnesses"] = f"{len(times)} witnesses cosigned {seen:,} entries, {last}"
    seen_s = statistics.median_low(times.values() or [0])
    counts = Sources(held, seen, seen_s).examine(entries, said or {}, results)
    return results, {"entries": len(entries), "covered": covered, "sources": counts}


def main() -> int:
    """Verify what the command line names, print what was found, return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("directory", type=pathlib.Path, help="the log's directory, or a copy of it")
    for name, what in (
        ("key", "file with the log's vkeys, from the root that its owners sign"),
        ("against", "a checkpoint that you or a host kept"),
        ("witness", "file with vkeys of witnesses"),
        ("agents", "file with vkeys of all agents; default: as the log enrolled them"),
    ):
        parser.add_argument(f"--{name}", type=read_text, action="append", default=[], help=what)
    parser.add_argument("--said", action="append", default=[], help="SOURCE=COUNT, told by a host")
    parser.add_argument("--quorum", type=int, help="witnesses needed; default: all that are given")
    parser.add_argument("--stamp", nargs=3, action="append", default=[], help="NOTE TOKEN CA.pem")
    parser.add_argument("--live", action="store_true", help="the log is being written just now")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    try:
        chosen = parser.parse_args()
        results, facts = verify(
            chosen.directory,
            key=chosen.key[-1] if chosen.key else None,
            against=[*chosen.against, *(read_text(stamped) for stamped, _, _ in chosen.stamp)],
            witness_keys="\n".join(chosen.witness).split(),
            quorum=chosen.quorum,
            agent_keys="\n".join(chosen.agents).split() if chosen.agents else None,
            said={name: int(n) for name, _, n in (one.rpartition("=") for one in chosen.said)},
            live=chosen.live,
        )
        for stamped, token, ca in chosen.stamp:
            argv = ["openssl", "ts", "-verify", "-data", stamped, "-in", token, "-CAfile", ca]
            if subprocess.run(argv, capture_output=True, check=False).returncode:
                results.findings.setdefault("growth", []).append(f"{stamped}: not stamped so")
    except (Bad, ValueError) as bad:
        print(f"cannot verify: {bad}", file=sys.stderr)
        return 2
    if chosen.json:
        facts["findings"] = {check: results.findings.get(check, []) for check in results.meaning}
        print(json.dumps({"passed": not results.findings, **facts}, indent=2))
    else:
        print(*results.lines(), sep="\n")
        if not chosen.key:
            print("[NOTE] The log's key was taken from the directory itself; give --key")
        if not chosen.agents:
            print("[NOTE] Agents' keys were taken from the log itself; give --agents")
        if not (chosen.against or chosen.witness or chosen.stamp):
            print("[NOTE] Nothing from elsewhere was compared; give --against or --witness")
    return 1 if results.findings else 0


if __name__ == "__main__":
    sys.exit(main())
