"""The audit log against what it replaces, in one run on one machine.

Verifying 23,445 records: hashing stored bytes under one signature, against parsing and writing each
record anew along a hash chain, and against a signature on each record. Appending: group commit
against one sync for each record. Proofs: size and time. Rates depend on the machine, ratios much
less; both are given. Every method verifies what it was made for, or the benchmark stops.
"""

import hashlib
import json
import pathlib
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sentienguard.adapters.audit_files import disk, log, reader
from sentienguard.ports import audit_log
from sentienguard.stages.audit import checkpoint, ledger, merkle, verify
from sentienguard.trust import canonical
from sentienguard.trust.keys import SigningKey
from sentienguard.trust.log_keys import LogKey, LogSigners

RECORDS = 23_445  # the log that the founding documents verify
SLOW_SYNC_S = 0.001  # a sync of a usual network disk
LAST_TRUSTED = 149  # records since the last checkpoint, for the incremental case
SIZES = {"small": 384, "usual": 800, "large": 4_000}  # bytes of a record, about
ORIGIN = "bench.example/log"
KEY = SigningKey.from_seed(b"benchmark key, worth nothing....")
NOW = datetime(2026, 2, 12, 11, 26, tzinfo=UTC)


def run(options: Mapping[str, Any]) -> dict[str, Any]:
    """Measure and return figures with their units in their names.

    Options, all optional: `records` (int), `repeats` (int, medians are taken), `directory` (where
    to write; what is measured is its disk), `appends` (int, for each way of appending).
    """
    records = int(options.get("records", RECORDS))
    repeats = int(options.get("repeats", 5))
    appends = int(options.get("appends", 2_000))
    with tempfile.TemporaryDirectory(dir=options.get("directory")) as place:
        base = pathlib.Path(place)
        found: dict[str, Any] = {"records": records, "repeats": repeats}
        for name, size in SIZES.items():
            found[f"verify_{name}"] = _verification(base / name, records, size, repeats)
        found["append"] = _appending(base, appends, repeats)
        found["proof"] = _proofs(repeats)
    return found


# --- verifying ----------------------------------------------------------------------------------


def _verification(place: pathlib.Path, records: int, size: int, repeats: int) -> dict[str, Any]:
    stored = _filled(place, records, size)
    chain, signatures = _chained(stored), [KEY.sign(one) for one in stored]
    files_s = _median(repeats, lambda: _verify_files(place))
    merkle_s = _median(repeats, lambda: _verify_merkle(stored))
    chain_s = _median(repeats, lambda: _verify_chain(stored, chain))
    signed_s = _median(1, lambda: _verify_signatures(stored, signatures))
    new_s = _median(repeats * 5, _incremental(stored))
    return {
        "bytes_per_record": sum(map(len, stored)) // len(stored),
        "directory_ms": round(files_s * 1000, 2),
        "merkle_ms": round(merkle_s * 1000, 2),
        "recanonicalised_chain_ms": round(chain_s * 1000, 2),
        "signature_for_each_ms": round(signed_s * 1000, 2),
        "incremental_ms": round(new_s * 1000, 4),
        "incremental_records": min(LAST_TRUSTED, records),
        "chain_over_merkle_ratio": round(chain_s / merkle_s, 1),
        "signature_for_each_over_merkle_ratio": round(signed_s / merkle_s, 1),
        "full_over_incremental_ratio": round(merkle_s / new_s, 1),
    }


def _filled(place: pathlib.Path, records: int, size: int) -> list[bytes]:
    empty = len(ledger.Ledger(ORIGIN, LogSigners.of(KEY)).admit(_entry(0, "")).stored or b"")
    text = "x" * max(size - empty - 80, 0)  # 80: the chain's hash and the number's digits
    with log.AuditFiles(place, ledger.Ledger(ORIGIN, LogSigners.of(KEY))) as audit:
        for start in range(0, records, 500):
            batch = [_entry(n, text) for n in range(start, min(start + 500, records))]
            audit.append_many(batch)
        return [one.stored for one in audit.entries(0, records)]


def _entry(number: int, text: str) -> audit_log.NewEntry:
    return audit_log.NewEntry(
        "log.started", NOW, "production", "cp", "benchmark", f"entry/{number}", data={"text": text}
    )


def _verify_files(place: pathlib.Path) -> None:
    """What `sentienguard audit verify` does: files, checksums, root, signature, sources."""
    assert verify.verify(reader.read_stored(place)).passed


def _verify_merkle(stored: Sequence[bytes]) -> None:
    """Hash the stored bytes; the one signature is over the root."""
    size, root = merkle.root_of(map(merkle.leaf_hash, stored))
    signed = checkpoint.sign(checkpoint.Checkpoint(ORIGIN, size, root), KEY)
    assert checkpoint.open_checkpoint(signed, ORIGIN, [LogKey(KEY.public)]).root == root


def _chained(stored: Sequence[bytes]) -> list[str]:
    previous, chain = "", []
    for one in stored:
        previous = hashlib.sha256(previous.encode() + one).hexdigest()
        chain.append(previous)
    return chain


def _verify_chain(stored: Sequence[bytes], chain: Sequence[str]) -> None:
    """The founding documents' way: parse each record, write it anew, follow `previous_hash`."""
    previous = ""
    for one, expected in zip(stored, chain, strict=True):
        written = canonical.encode(json.loads(one))
        previous = hashlib.sha256(previous.encode() + written).hexdigest()
        assert previous == expected


def _verify_signatures(stored: Sequence[bytes], signatures: Sequence[bytes]) -> None:
    public = KEY.public
    for one, signature in zip(stored, signatures, strict=True):
        assert public.verify(signature, one)


def _incremental(stored: Sequence[bytes]) -> Callable[[], None]:
    """Verify what is new since a checkpoint that was verified before."""
    tree = merkle.Tree()
    for one in stored:
        tree.append(merkle.leaf_hash(one))
    new = len(stored)
    old = max(new - LAST_TRUSTED, 0)
    old_root, new_root = tree.root(old), tree.root(new)
    signed = checkpoint.sign(checkpoint.Checkpoint(ORIGIN, new, new_root), KEY)
    edge = _edge(tree, old)

    def once() -> None:
        opened = checkpoint.open_checkpoint(signed, ORIGIN, [LogKey(KEY.public)])
        assert merkle.consistent(old, old_root, new, opened.root, tree.consistency(old, new))
        assert _grown(edge, old, stored[old:]) == opened.root

    return once


def _edge(tree: merkle.Tree, size: int) -> list[bytes]:
    """Return the roots of the complete subtrees of a tree: all one needs to go on from there."""
    edge, start = [], 0
    while start < size:
        height = (size - start).bit_length() - 1
        edge.append(tree.at(height, start >> height))
        start += 1 << height
    return edge


def _grown(edge: Sequence[bytes], size: int, added: Sequence[bytes]) -> bytes:
    row = list(edge)
    for one in added:
        carried, size = merkle.leaf_hash(one), size + 1
        trailing = size
        while not trailing & 1:
            carried, trailing = merkle.node_hash(row.pop(), carried), trailing >> 1
        row.append(carried)
    root = row.pop()
    while row:
        root = merkle.node_hash(row.pop(), root)
    return root


# --- appending ----------------------------------------------------------------------------------


def _appending(base: pathlib.Path, appends: int, repeats: int) -> dict[str, Any]:
    """Alternate the ways, so that a busy moment of the disk hits all of them.

    Once on this disk as it is, once with every sync held up to SLOW_SYNC_S: many a cloud's disk
    takes that long, and what group commit gains is a question of how long a sync takes.
    """
    return {
        "this_disk": _group_commit(base / "this", appends, repeats, disk.Disk()),
        f"sync_of_{SLOW_SYNC_S * 1000:g}_ms": _group_commit(
            base / "slow", appends // 2, repeats, _SlowDisk()
        ),
    }


def _group_commit(
    base: pathlib.Path, appends: int, repeats: int, files: disk.Disk
) -> dict[str, Any]:
    base.mkdir()
    singles, ones, manies, waits = [], [], [], list[float]()
    for turn in range(repeats):
        singles.append(_synced_one_by_one(base / f"single{turn}", appends // 4, files))
        ones.append(_written_by(base / f"one{turn}", 1, appends // 4, [], files))
        manies.append(_written_by(base / f"many{turn}", 64, appends * 4, waits, files))
    single, one, many = map(statistics.median, (singles, ones, manies))
    return {
        "one_sync_for_each_per_s": round(single),
        "one_writer_per_s": round(one),
        "writers_64_per_s": round(many),
        "writers_64_p50_ack_ms": round(statistics.median(waits) * 1000, 2),
        "writers_64_p99_ack_ms": round(statistics.quantiles(waits, n=100)[98] * 1000, 2),
        "writers_64_over_one_sync_for_each_ratio": round(many / single, 1),
    }


class _SlowDisk(disk.Disk):
    """The same disk, but no sync returns before SLOW_SYNC_S."""

    def sync_data(self, descriptor: int) -> None:
        until = time.perf_counter() + SLOW_SYNC_S
        super().sync_data(descriptor)
        time.sleep(max(until - time.perf_counter(), 0))


def _synced_one_by_one(path: pathlib.Path, count: int, files: disk.Disk) -> float:
    """The same ledger, each record written and synced alone: records per second."""
    rules = ledger.Ledger(ORIGIN, LogSigners.of(KEY))
    descriptor = files.open_append(path)
    started = time.perf_counter()
    for number in range(count):
        files.write(descriptor, rules.admit(_entry(number, "x" * 300)).stored or b"")
        files.sync_data(descriptor)
    return count / (time.perf_counter() - started)


def _written_by(
    place: pathlib.Path, writers: int, count: int, waits: list[float], files: disk.Disk
) -> float:
    """Append from several threads at once: acknowledged records per second."""

    def write(writer: int) -> None:
        for number in range(count // writers):
            asked = time.perf_counter()
            audit.append(_entry(writer * count + number, "x" * 300))
            waits.append(time.perf_counter() - asked)

    with log.AuditFiles(place, ledger.Ledger(ORIGIN, LogSigners.of(KEY)), disk=files) as audit:
        threads = [threading.Thread(target=write, args=(writer,)) for writer in range(writers)]
        started = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return (count // writers) * writers / (time.perf_counter() - started)


# --- proofs -------------------------------------------------------------------------------------


def _proofs(repeats: int) -> dict[str, Any]:
    """Prove entries of a tree of a million, every proof made and checked."""
    size, tree = 10**6, merkle.Tree()
    for number in range(size):
        tree.append(merkle.leaf_hash(b"%d" % number))
    root, old = tree.root(), size - LAST_TRUSTED
    old_root, places = tree.root(old), range(0, size, size // 1_000)
    leaves = {at: merkle.leaf_hash(b"%d" % at) for at in places}
    proofs = {at: tree.inclusion(at, size) for at in places}
    growth = tree.consistency(old, size)
    assert all(merkle.included(leaves[at], at, size, proofs[at], root) for at in places)
    assert merkle.consistent(old, old_root, size, root, growth)
    longest = max(proofs, key=lambda at: len(proofs[at]))
    leaf, inclusion = leaves[longest], proofs[longest]
    make = _each(repeats, lambda: tree.inclusion(longest, size))
    check = _each(repeats, lambda: merkle.included(leaf, longest, size, inclusion, root))
    grow = _each(repeats, lambda: merkle.consistent(old, old_root, size, root, growth))
    return {
        "records": size,
        "proofs_checked": len(proofs),
        "inclusion_hashes_most": len(inclusion),
        "inclusion_bytes_most": sum(map(len, inclusion)),
        "inclusion_make_us": round(make * 1e6, 2),
        "inclusion_verify_us": round(check * 1e6, 2),
        "consistency_hashes": len(growth),
        "consistency_verify_us": round(grow * 1e6, 2),
    }


def _each(repeats: int, work: Callable[[], object], times: int = 500) -> float:
    """Return the seconds of one call, measured over many."""
    return _median(repeats, lambda: [work() for _ in range(times)]) / times


def _median(repeats: int, work: Callable[[], object]) -> float:
    """Return the median of the seconds that the work takes."""
    taken = []
    for _ in range(max(repeats, 1)):
        started = time.perf_counter()
        work()
        taken.append(time.perf_counter() - started)
    return statistics.median(taken)
