#!/usr/bin/env python3
"""Check a SentienGuard evidence package offline, with nothing of SentienGuard.

One file, Python 3.11 and OpenSSL 3. It shares no code with what made the package: read it, copy it.

    verify_evidence.py DIRECTORY --key log.vkey --witness vkeys --agents vkeys

Give the keys from elsewhere than the package: who can make a package can make a key beside it.
Exit status: 0 all passed, 1 something failed, 2 wrong use.

What is checked
    files       the files are those of manifest.json, each with its digest; none besides
    checkpoint  origin, size, root; signed by the log's Ed25519 key (C2SP signed note)
    rows        rows.json has the entries first_index, first_index + 1, ... without a gap, each in
                its one canonical form, with its RFC 6962 leaf hash, marked in or out of the period
    proofs      each row's proof leads from its leaf hash to the signed root
    range       the entries right before and after the rows are proven too and dated outside the
                period, or the log begins and ends there: nothing was left out at either end
    table       rows.csv is what rows.json makes, byte for byte
    sources     each source's entries are numbered without a gap and each names the hash of the last
    signatures  each host's entry is signed with the key enrolled for it, or the one that you hold
    counts      rows, kinds, sources and controls are as many as manifest.json and gaps.json say
    witnesses   the checkpoint carries --quorum valid signatures of the witnesses that you name
    people      each pseudonym of --people belongs to the name beside it, by the key beside it
"""

import argparse
import base64
import binascii
import collections
import contextlib
import csv
import ctypes
import functools
import hashlib
import hmac
import json
import pathlib
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

FORMAT = 1
ED25519 = 1087  # its number in OpenSSL
PUBLIC_KEY_PREFIX = bytes.fromhex("302a300506032b6570032100")  # SubjectPublicKeyInfo of Ed25519
KEY_BYTES = 33  # kind and 32 raw bytes
MOST_SHOWN = 5  # findings of one check on the screen; --json has all
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a cell that begins so has an apostrophe before it
COLUMNS = (
    "index", "leaf_hash", "time", "in_period", "kind", "environment", "source", "source_seq",
    "actor", "incident", "controls", "key", "data", "blobs",
)  # fmt: skip


class Bad(Exception):
    """Something that is not as it has to be."""


class Results:
    """What the checks found, in their order."""

    def __init__(self) -> None:
        self.findings: dict[str, list[str]] = {}
        self.meaning: dict[str, str] = {}

    @contextlib.contextmanager
    def watching(self, check: str, what: str = "") -> Iterator[None]:
        """Turn what is raised inside into a finding of a check."""
        try:
            yield
        except Bad as bad:
            self.findings.setdefault(check, []).append(f"{what}{bad}")
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            text = f"{what}not in the form of a package: {type(error).__name__} {error}"
            self.findings.setdefault(check, []).append(text[:300])

    def lines(self) -> Iterator[str]:
        """Show the checks to a person."""
        for check in {**self.meaning, **self.findings}:
            meaning, found = self.meaning.get(check, ""), self.findings.get(check, [])
            yield f"[FAIL] {check}: {found[0]}" if found else f"[PASS] {meaning}"
            yield from (f"       {text}" for text in found[1:MOST_SHOWN])
            if len(found) > MOST_SHOWN:
                yield f"       and {len(found) - MOST_SHOWN} more"


# --- keys and notes -------------------------------------------------------------------------------


class Key:
    """A public key with the name it signs under (C2SP vkey)."""

    def __init__(self, line: str) -> None:
        vkey, ends, until = line.strip().partition(" until=")
        self.until = int(until) if ends else 2**53  # the biggest size that it signs, if a log's
        name, _, rest = vkey.partition("+")
        identifier, _, material = rest.partition("+")
        raw = unbase64(material)
        if len(raw) != KEY_BYTES or raw[0] not in (1, 4):
            raise Bad(f"not the key of a log or witness: {vkey[:60]!r}")
        self.name, self.raw = name, raw[1:]
        self.identifier = hashlib.sha256(name.encode() + b"\n" + raw).digest()[:4]
        if self.identifier.hex() != identifier:
            raise Bad(f"the id in the key of {name} does not belong to it")


def unbase64(encoded: str) -> bytes:
    """Read standard base64. Raises Bad."""
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError, TypeError) as error:
        raise Bad(f"not base64: {str(encoded)[:40]!r}") from error


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
    library = libcrypto()
    if library is None:
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


def open_checkpoint(
    note: str, log_keys: list[Key]
) -> tuple[int, bytes, str, list[tuple[str, bytes]]]:
    """Return size, root, text and signature lines of a checkpoint that the log signed."""
    body, separator, lines = note.removesuffix("\n").rpartition("\n\n")
    parts = body.split("\n")
    if not separator or len(parts) != 3 or not re.fullmatch(r"0|[1-9][0-9]{0,15}", parts[1]):
        raise Bad("not a checkpoint: origin, size, root, empty line, signatures")
    if parts[0] != log_keys[0].name:
        raise Bad(f"a checkpoint of {parts[0][:80]!r}, expected {log_keys[0].name!r}")
    signatures = []
    for line in lines.split("\n"):
        dash, _, rest = line.partition(" ")
        name, _, encoded = rest.partition(" ")
        if dash != "\N{EM DASH}" or not name:
            raise Bad(f"not a signature line: {line[:60]!r}")
        signatures.append((name, unbase64(encoded)))
    text = f"{body}\n"
    own = [(key, rest[4:]) for name, rest in signatures for key in log_keys
           if (name, rest[:4]) == (key.name, key.identifier)]  # fmt: skip
    if not own or not all(verified(key.raw, text.encode(), one) for key, one in own):
        raise Bad(f"the log's key did not sign this checkpoint of size {parts[1]}")
    if ended := [key.until for key, _ in own if int(parts[1]) > key.until]:
        raise Bad(f"a key that ended at size {ended[0]} signed size {parts[1]}")
    return int(parts[1]), unbase64(parts[2]), text, signatures


def check_witnesses(
    text: str, signatures: list[tuple[str, bytes]], witnesses: list[Key], wanted: int
) -> int:
    """Count the witnesses whose signature on the checkpoint is valid. Raises Bad."""
    valid = set()
    for witness in witnesses:
        for name, rest in signatures:
            if (name, rest[:4]) == (witness.name, witness.identifier):
                at = int.from_bytes(rest[4:12], "big")
                said = f"cosignature/v1\ntime {at}\n{text}".encode()
                if verified(witness.raw, said, rest[12:]):
                    valid.add(witness.name)
    if len(valid) < wanted:
        raise Bad(f"{len(valid)} of {wanted} witnesses signed the checkpoint")
    return len(valid)


# --- entries and proofs ---------------------------------------------------------------------------


def read_json(content: bytes) -> Any:
    """Read JSON in which no member stands twice and every number is whole. Raises Bad."""

    def members(found: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(found)) != len(found):
            raise Bad(f"a member stands twice among {[name for name, _ in found][:8]}")
        return dict(found)

    def refuse(text: str) -> Any:
        raise Bad(f"{text[:20]} is no whole number")

    try:
        return json.loads(
            content.decode("utf-8"), object_pairs_hook=members, parse_float=refuse,
            parse_constant=refuse,
        )  # fmt: skip
    except (ValueError, RecursionError) as error:
        raise Bad(f"not JSON: {error}") from error


def write(value: Any) -> str:
    """Write a value as RFC 8785 says; with the keys and numbers that entries have, this does."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def leaf_hash(entry: Mapping[str, Any]) -> bytes:
    """Return the RFC 6962 hash of an entry's canonical bytes."""
    return hashlib.sha256(b"\x00" + write(entry).encode()).digest()


def root_by(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes:
    """Return the root to which a proof leads (RFC 9162, section 2.1.3.2). Raises Bad."""
    if not 0 <= index < size:
        raise Bad(f"entry {index} is not among {size}")
    at, last, carried = index, size - 1, leaf
    for node in path:
        if last == 0 or len(node) != 32:
            raise Bad("the proof is too long")
        if at & 1 or at == last:
            carried = hashlib.sha256(b"\x01" + node + carried).digest()
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            carried = hashlib.sha256(b"\x01" + carried + node).digest()
        at, last = at >> 1, last >> 1
    if last:
        raise Bad("the proof is too short")
    return carried


def moment(at_ms: int) -> str:
    """Write a moment as RFC 3339 in UTC."""
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at_ms)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z"


def csv_line(row: Mapping[str, Any]) -> str:
    """Write the line of CSV that belongs to a row."""
    entry = row["entry"]
    cells = (
        str(row["index"]), row["leaf_hash"], moment(entry["ts_ms"]),
        "yes" if row["in_period"] else "no", entry["kind"], entry["env"], entry["src"],
        str(entry["src_seq"]), entry["actor"], entry["incident"], "; ".join(row["controls"]),
        entry["key"], write(entry["data"]), write(entry["blobs"]),
    )  # fmt: skip
    return ",".join(map(csv_cell, cells)) + "\r\n"


def csv_cell(text: str) -> str:
    """Write a cell: no formula, quoted where RFC 4180 asks for it."""
    text = f"'{text}" if text[:1] in FORMULA and text else text
    return '"' + text.replace('"', '""') + '"' if re.search('[",\r\n]', text) else text


# --- the package ----------------------------------------------------------------------------------


class Package:
    """A package's directory, and what the checks learn of it."""

    def __init__(self, directory: pathlib.Path, results: Results) -> None:
        self.directory, self.results = directory, results
        self.manifest = read_json((directory / "manifest.json").read_bytes())
        if not isinstance(self.manifest, dict) or self.manifest.get("format") != FORMAT:
            raise Bad(f"manifest.json: expected a package of format {FORMAT}")
        self.size, self.root = 0, b""
        self.rows: list[dict[str, Any]] = []
        self.beside: list[dict[str, Any]] = []

    def read(self, name: str) -> bytes:
        """Return a file's bytes. Raises Bad."""
        try:
            return (self.directory / name).read_bytes()
        except OSError as error:
            raise Bad(f"{name}: {error.strerror}") from error

    def in_period(self, entry: Mapping[str, Any]) -> bool:
        """Tell whether an entry is dated in the period."""
        period = self.manifest["period"]
        return bool(period["start_ms"] <= entry["ts_ms"] < period["end_ms"])

    def check_files(self) -> None:
        """Compare the files with the manifest."""
        self.results.meaning["files"] = f"{len(self.manifest['files'])} files have their digests"
        for name, said in self.manifest["files"].items():
            with self.results.watching("files"):
                content = self.read(name)
                if len(content) != said["bytes"]:
                    raise Bad(f"{name} has {len(content):,} bytes, expected {said['bytes']:,}")
                if hashlib.sha256(content).hexdigest() != said["sha256"]:
                    raise Bad(f"{name} is another than when the package was made")
        there = {path.name for path in self.directory.iterdir()}
        with self.results.watching("files"):
            extra = sorted(there - {*self.manifest["files"], "manifest.json"})
            if extra:
                raise Bad(f"{extra[0]} does not belong to the package")

    def check_checkpoint(self, keys: list[Key], witnesses: list[Key], quorum: int) -> None:
        """Open the signed checkpoint."""
        meaning = self.results.meaning
        with self.results.watching("checkpoint"):
            note = self.read("checkpoint").decode()
            self.size, self.root, text, signatures = open_checkpoint(note, keys)
            log = self.manifest["log"]
            said = (log["origin"], log["tree_size"], log["root"])
            if said != (keys[0].name, self.size, self.root.hex()):
                raise Bad("manifest.json names another log, size or root")
            if witnesses:
                meaning["witnesses"] = f"{quorum} or more witnesses signed the checkpoint"
                with self.results.watching("witnesses"):
                    check_witnesses(text, signatures, witnesses, quorum)
        meaning["checkpoint"] = f"Checkpoint of {self.size:,} entries, signed by {keys[0].name}"

    def check_rows(self) -> None:
        """Require the range without a gap, each entry proven."""
        with self.results.watching("rows"):
            self.rows = read_json(self.read("rows.json"))
        paths: list[Any] = []
        with self.results.watching("proofs"):
            paths = read_json(self.read("proofs.json"))
            if len(paths) != len(self.rows):
                raise Bad(f"{len(paths)} proofs for {len(self.rows)} rows")
        first, count = self.manifest["rows"]["first_index"], self.manifest["rows"]["count"]
        with self.results.watching("rows"):
            if len(self.rows) != count:
                raise Bad(f"{len(self.rows)} rows are here, {count} were handed over")
        for number, row in enumerate(self.rows):
            with self.results.watching("rows", f"row {number + 1}: "):
                self.check_row(row, first + number)
            if number < len(paths):
                with self.results.watching("proofs", f"row {number + 1}: "):
                    self.check_proof(row["entry"], row["index"], paths[number])
        self.results.meaning["rows"] = f"{len(self.rows):,} rows, no gap, each canonical"
        self.results.meaning["proofs"] = f"{len(self.rows):,} rows are in the signed tree"

    def check_row(self, row: Mapping[str, Any], index: int) -> None:
        """Judge what a row says beside its entry. Raises Bad."""
        entry = row["entry"]
        if row["index"] != index:
            raise Bad(f"entry {row['index']} stands where entry {index} belongs: removed or moved")
        if row["leaf_hash"] != leaf_hash(entry).hex():
            raise Bad(f"entry {index} does not hash to its leaf hash: changed")
        if row["in_period"] is not self.in_period(entry):
            raise Bad(f"entry {index} is marked wrongly: in_period")
        asked = self.manifest["controls"].items()
        controls = [name for name, one in asked if entry["kind"] in one["kinds"]]
        if row["controls"] != controls:
            raise Bad(f"entry {index} names other controls than its kind has")

    def check_proof(self, entry: Mapping[str, Any], index: int, path: Mapping[str, Any]) -> None:
        """Require that a proof leads from an entry to the signed root. Raises Bad."""
        if path["index"] != index:
            raise Bad(f"the proof is of entry {path['index']}, not of {index}")
        hashes = [unbase64(one) for one in path["hashes"]]
        if root_by(leaf_hash(entry), index, self.size, hashes) != self.root:
            raise Bad(f"entry {index} is not in the signed tree: changed or invented")

    def check_range(self) -> None:
        """Require proof that right before and after the rows the period does not go on."""
        start = self.manifest["rows"]["first_index"]
        stop = start + self.manifest["rows"]["count"]
        with self.results.watching("range"):
            self.beside = read_json(self.read("beside.json"))
        for one in self.beside:
            with self.results.watching("range", f"entry {one.get('index')} beside the rows: "):
                self.check_proof(one["entry"], one["index"], one["proof"])
                if one["why"] != "enrolment" and self.in_period(one["entry"]):
                    raise Bad("it is dated in the period: rows were left out at this end")
        there = {(one.get("why"), one.get("index")) for one in self.beside}
        with self.results.watching("range"):
            if start and ("before", start - 1) not in there:
                raise Bad(f"entry {start - 1}, right before the rows, is missing")
            if stop < self.size and ("after", stop) not in there:
                raise Bad(f"entry {stop}, right after the rows, is missing")
        period = self.manifest["period"]
        with self.results.watching("range"):
            first, last = moment(period["start_ms"]), moment(period["end_ms"] - 1)
            if (first[:10], last[:10]) != (period["from"], period["to"]):
                raise Bad("manifest.json names a period and proves another")
        text = f"No entry of {period['from']} to {period['to']} (UTC) was left out at either end"
        self.results.meaning["range"] = text

    def check_table(self) -> None:
        """Make rows.csv anew and compare."""
        self.results.meaning["table"] = "rows.csv says what rows.json says"
        with self.results.watching("table"):
            lines = self.read("rows.csv").decode("utf-8").split("\r\n")
            expected = [",".join(COLUMNS), *(csv_line(row)[:-2] for row in self.rows), ""]
            if lines == expected:
                return
            if len(lines) != len(expected):
                text = f"rows.csv has {len(lines) - 2} rows, rows.json {len(self.rows)}; "
            else:
                text = ""
            pairs = enumerate(zip(lines, expected, strict=False))
            at = next((n for n, (got, wanted) in pairs if got != wanted), len(expected) - 1)
            raise Bad(f"{text}line {at + 1} of rows.csv is not what rows.json makes")

    def check_sources(self, held: Mapping[str, bytes] | None) -> None:
        """Follow each source's numbers, chain and signatures."""
        keys = dict(held or {})
        for one in [*self.beside, *self.rows]:
            with self.results.watching("signatures"):
                entry = one["entry"]
                if (
                    held is None
                    and entry["kind"] == "agent.enrolled"
                    and "executor_key" in entry["data"]
                ):
                    name = f"agent:{entry['data'].get('agent')}"
                    keys.setdefault(name, unbase64(str(entry["data"].get("executor_key"))))
        last: dict[str, tuple[int, str]] = {}
        signed = 0
        for row in self.rows:
            with self.results.watching("sources", f"entry {row.get('index')}: "):
                self.follow(row["entry"], last)
            with self.results.watching("signatures", f"entry {row.get('index')}: "):
                signed += self.check_signature(row["entry"], keys)
        self.results.meaning["sources"] = f"{len(last)} sources, no gap and no break in any"
        self.results.meaning["signatures"] = f"{signed:,} entries are signed by their hosts"

    def follow(self, entry: Mapping[str, Any], last: dict[str, tuple[int, str]]) -> None:
        """Require the source's next number and its chain. Raises Bad."""
        source, number = entry["src"], entry["src_seq"]
        before = last.get(source)
        last[source] = number, hashlib.sha256(unsigned(entry)).hexdigest()
        if before is None:
            return
        if number != before[0] + 1:
            raise Bad(f"{source} number {number} comes after {before[0]}: left out or moved")
        if entry["src_prev"] != before[1]:
            raise Bad(f"{source} number {number} breaks the chain")

    def check_signature(self, entry: Mapping[str, Any], keys: Mapping[str, bytes]) -> bool:
        """Require a host's signature on its own entry. Raises Bad."""
        source = entry["src"]
        if not source.startswith("agent:"):
            return False
        if source not in keys:
            raise Bad(f"{source} has no key here: from elsewhere")
        if not verified(keys[source], unsigned(entry), unbase64(entry["src_sig"])):
            raise Bad(f"{source} did not sign this: changed or invented")
        return True

    def check_counts(self) -> None:
        """Count again what the manifest and the gap report say."""
        said, counted = self.manifest["rows"], collections.Counter[str]()
        sources: dict[str, dict[str, int]] = {}
        for row in self.rows:
            with self.results.watching("counts"):
                entry = row["entry"]
                counted[entry["kind"]] += bool(row["in_period"])
                number = entry["src_seq"]
                one = sources.setdefault(entry["src"], {"first": number, "last": 0, "rows": 0})
                one["last"], one["rows"] = number, one["rows"] + 1
        with self.results.watching("counts"):
            if said["in_period"] != counted.total() or said["by_kind"] != +counted:
                raise Bad("manifest.json counts other rows of some kind")
            if said["by_source"] != sources:
                raise Bad("manifest.json counts other rows of some source")
        with self.results.watching("counts"):
            gaps = {
                one["control"]: one["entries"]
                for one in read_json(self.read("gaps.json"))["controls"]
            }
            for name, one in self.manifest["controls"].items():
                there = sum(counted[kind] for kind in one["kinds"])
                if not there == one["entries"] == gaps.get(name):
                    raise Bad(f"{name} has {there} entries; manifest or gap report say otherwise")
        total = counted.total()
        self.results.meaning["counts"] = f"{total:,} entries of the period are counted rightly"


def check_people(results: Results, text: str, package: Package) -> None:
    """Require that each pseudonym is whose the table says; say who did how much in the rows."""
    table = csv.DictReader(text.splitlines())
    names: dict[str, str] = {}
    for one in table:
        with results.watching("people"):
            pseudonym, name = one["pseudonym"], one["name"]
            content = b"sentienguard person v1\0" + name.encode()
            digest = hmac.new(bytes.fromhex(one["key"]), content, hashlib.sha256).hexdigest()
            if pseudonym != f"person_{digest[:32]}":
                raise Bad(f"{pseudonym} is not {name!r}'s by the key beside it")
            names[pseudonym] = name
    done = collections.Counter(row["entry"]["actor"] for row in package.rows)
    acting = sorted((name, done[one]) for one, name in names.items() if done[one])
    unknown = len({one for one in done if one.startswith("person_")} - set(names))
    said = ", ".join(f"{name} {count:,}" for name, count in acting[:20]) or "nobody in the rows"
    more = f"; {unknown} others are not in the table" if unknown else ""
    results.meaning["people"] = (
        f"{len(names)} pseudonyms are whose they are said to be: {said}{more}"
    )


def unsigned(entry: Mapping[str, Any]) -> bytes:
    """Return the bytes that the source chained, and signed if it is a host."""
    return write({name: value for name, value in entry.items() if name != "src_sig"}).encode()


def verify(
    directory: pathlib.Path,
    key: str | None = None,
    witness_keys: Sequence[str] = (),
    quorum: int | None = None,
    agent_keys: Sequence[str] | None = None,
    *,
    people: str | None = None,
) -> tuple[Results, dict[str, Any]]:
    """Run all checks; return the results and the manifest."""
    results = Results()
    package = Package(directory, results)
    text = key if key is not None else package.read("log.vkey").decode()
    log_keys = [Key(line) for line in text.strip().split("\n")]
    witnesses = [Key(vkey) for vkey in witness_keys]
    held = None if agent_keys is None else {one.name: one.raw for one in map(Key, agent_keys)}
    with results.watching("files"):
        package.check_files()
    package.check_checkpoint(log_keys, witnesses, len(witnesses) if quorum is None else quorum)
    for check in (
        package.check_rows,
        package.check_range,
        package.check_table,
        lambda: package.check_sources(held),
        package.check_counts,
    ):
        with results.watching("rows"):
            check()
    if people is not None:
        with results.watching("people"):
            check_people(results, people, package)
    return results, package.manifest


def main() -> int:
    """Verify what the command line names, print what was found, return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("directory", type=pathlib.Path, help="the package's directory")
    for name, what in (
        ("key", "file with the log's vkeys, from the root that its owners sign"),
        ("witness", "file with vkeys of witnesses"),
        ("agents", "file with vkeys of all hosts; default: as the log enrolled them"),
        ("people", "table of pseudonym, name and key, as `evidence people` writes it"),
    ):
        parser.add_argument(f"--{name}", type=pathlib.Path, help=what)
    parser.add_argument("--quorum", type=int, help="witnesses needed; default: all that are given")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    chosen = parser.parse_args()
    try:
        results, manifest = verify(
            chosen.directory,
            key=chosen.key.read_text() if chosen.key else None,
            witness_keys=chosen.witness.read_text().split() if chosen.witness else (),
            quorum=chosen.quorum,
            agent_keys=chosen.agents.read_text().split() if chosen.agents else None,
            people=chosen.people.read_text() if chosen.people else None,
        )
    except (Bad, OSError, ValueError, KeyError) as bad:
        print(f"cannot verify: {bad}", file=sys.stderr)
        return 2
    if chosen.json:
        checks = {**results.meaning, **results.findings}
        findings = {check: results.findings.get(check, []) for check in checks}
        about = {name: manifest.get(name) for name in ("evidence_for", "period")}
        print(json.dumps({"passed": not results.findings, **about, "findings": findings}, indent=1))
        return 1 if results.findings else 0
    print(*results.lines(), sep="\n")
    if not chosen.key:
        print("[NOTE] The log's key was taken from the package itself; give --key")
    if not chosen.witness:
        print("[NOTE] No witness was asked; give --witness")
    return 1 if results.findings else 0


if __name__ == "__main__":
    sys.exit(main())
