"""Programs that use the writers of the product, say what they were promised, and look afterwards.

Called by the tests of this directory, in the test's process (crash states) and in processes under
strace. Each writer opens or recovers, works, and tells one line for each promise it was given.
Texts are short so that a crash state is small: `entry 3 <hash>`, `checkpoint 4`, `record 7`,
`sample 9`, `number 12`, `size 5`.

What was promised is compared with what `recovered` finds. `broken` are promises that do not hold.
"""

import contextlib
import hashlib
import itertools
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol, TypeVar

from sentienguard.adapters.audit_files import log, reader, segments
from sentienguard.adapters.execution_journal_files import journal
from sentienguard.agent import executor_state, private_files, spool
from sentienguard.model import errors
from sentienguard.ports import audit_log, execution_journal
from sentienguard.stages.audit import checkpoint, ledger, merkle, verify
from sentienguard.trust.keys import SigningKey
from sentienguard.trust.log_keys import LogKey, LogSigners

NOW = datetime(2026, 2, 12, 11, 26, tzinfo=UTC)
ORIGIN = "log.example/faults"
KEY = SigningKey.from_seed(b"f" * 32)
BATCHES = (1, 3, 2, 1)  # entries appended together, one batch after another

Tell = Callable[[str], None]
T = TypeVar("T")


class Writer(Protocol):
    """One durable writer, used as the product uses it."""

    def work(self, place: Path, tell: Tell) -> None:
        """Open, recover, work and close. Raises what the product raises."""

    def recover(self, place: Path) -> None:
        """Open and close."""

    def broken(self, place: Path, promised: Sequence[str]) -> Iterable[str]:
        """Recover and yield what was promised and is not so."""


def _bad_blob(audit: log.AuditFiles, sha256: str, promised: Sequence[str]) -> Iterable[str]:
    """Judge a blob: there, or erased where somebody began to erase it, and never damaged."""
    found = "there"
    try:
        if hashlib.sha256(audit.get_blob(sha256)).hexdigest() != sha256:
            found = "another one"
    except audit_log.BlobErased:
        found = "erased"
    except errors.SentienGuardError as error:
        found = f"lost: {error!r}"
    allowed = {"erased"} if f"erased {sha256}" in promised else {"there"}
    if f"erasing {sha256}" in promised:
        allowed.add("erased")
    if found not in allowed:
        yield f"blob {sha256[:8]} is {found}"


def _insisting(write: Callable[[], T], tell: Tell) -> T:
    """Write; where that breaks the writer, try again, and tell if it lets itself be persuaded."""
    try:
        return write()
    except errors.Broken:
        for _ in range(2):
            with contextlib.suppress(errors.Broken):
                write()
                tell("persuaded")
        raise


def _persuaded(promised: Sequence[str]) -> Iterable[str]:
    if "persuaded" in promised:
        yield "after a failed write or sync it wrote on"


def _entry(key: str) -> audit_log.NewEntry:
    return audit_log.NewEntry("decision.made", NOW, "production", "cp", "engine", key, None)


@dataclass(frozen=True)
class AuditLog:
    """The audit log: batches, a checkpoint after each second one, a blob, and a new segment."""

    batches: Sequence[int] = BATCHES
    blobs: bool = True
    roll_bytes: int = 1_400  # a new segment every few entries

    def work(self, place: Path, tell: Tell) -> None:
        """Go on where the log ends."""
        with self._open(place) as audit:
            tell(f"checkpoint {_size(audit.checkpoint())}")
            for turn, count in enumerate(self.batches):
                size = audit.size()
                keys = [f"k{number}" for number in range(size, size + count)]
                new = [_entry(key) for key in keys]
                for one in _insisting(lambda new=new: audit.append_many(new), tell):
                    assert isinstance(one, audit_log.Appended), one
                    tell(f"entry {one.index} {one.leaf_hash.hex()}")
                if self.blobs and turn % 2:
                    ref = audit.put_blob(f"output {size}".encode() * 9, "text/plain")
                    tell(f"blob {ref.sha256}")
                    if turn == len(self.batches) - 1:
                        tell(f"erasing {ref.sha256}")
                        audit.erase_blob(ref.sha256)
                        tell(f"erased {ref.sha256}")
                if turn % 2:
                    proof = audit.prove(audit.size() - 1)
                    tell(f"checkpoint {proof.size}")

    def recover(self, place: Path) -> None:
        """Open and close the log."""
        with _without_threads():
            self._open(place).close()

    def broken(self, place: Path, promised: Sequence[str]) -> Iterable[str]:
        """Open the log once more; verify it; look for each entry."""
        with _without_threads(), self._open(place) as audit:
            size, covered = audit.size(), _size(audit.checkpoint())
            if size != covered:
                yield f"the checkpoint covers {covered} of {size} entries"
            for line in promised:
                kind, what, *leaf = [*line.split(), ""]
                if kind == "checkpoint" and covered < int(what):
                    yield f"the checkpoint went back from {what} to {covered}"
                elif kind in {"blob", "erased"}:
                    yield from _bad_blob(audit, what, promised)
                elif kind == "entry" and int(what) >= size:
                    yield f"{line[:16]} is lost: the log has {size}"
                elif kind == "entry":
                    found = merkle.leaf_hash(audit.entry(int(what)).stored).hex()
                    if found != leaf[0]:
                        yield f"{line[:16]} is another one now"
        report = verify.verify(reader.read_stored(place))
        if not report.passed:
            yield f"the log does not verify: {report}"
        yield from _bad_tiles(place, size)
        yield from _persuaded(promised)

    def _open(self, place: Path) -> log.AuditFiles:
        segments.ROLL_BYTES = self.roll_bytes  # type: ignore[misc]  # the process is the test's
        return log.AuditFiles(place, ledger.Ledger(ORIGIN, LogSigners.of(KEY)))


class _Still(threading.Thread):
    """A thread that is never started: to open a log and only read it needs none."""

    def start(self) -> None:
        """Do nothing."""

    def join(self, timeout: float | None = None) -> None:
        """Do nothing."""


@contextlib.contextmanager
def _without_threads() -> Iterator[None]:
    """Half of the time that a state takes would be spent on starting and ending threads."""
    usual, threading.Thread = threading.Thread, _Still  # type: ignore[misc]
    try:
        yield
    finally:
        threading.Thread = usual  # type: ignore[misc]


def _size(note: str) -> int:
    return checkpoint.open_checkpoint(note, ORIGIN, [LogKey(KEY.public)]).size


def _bad_tiles(place: Path, size: int) -> Iterable[str]:
    stored = [one for one in reader.read_stored(place).records if isinstance(one, bytes)]
    for first in range(0, size, 256):
        width = min(256, size - first)
        name = f"{first // 256:03d}" + ("" if width == 256 else f".p/{width}")
        hashes = b"".join(merkle.leaf_hash(one) for one in stored[first : first + width])
        bundle = b"".join(
            len(one).to_bytes(2, "big") + one for one in stored[first : first + width]
        )
        for kind, expected in (("0", hashes), ("entries", bundle)):
            path = place / "tile" / kind / name
            if not path.exists() or path.read_bytes() != expected:
                yield f"tile {kind}/{name} is not what the log holds"


class StubbornJournal(journal.JournalFile):
    """A planted bug: it forgets that a write or a sync failed, and goes on."""

    def _fail(self, error: OSError) -> execution_journal.JournalBroken:
        return execution_journal.JournalBroken(str(error))


@dataclass(frozen=True)
class Journal:
    """The executor's journal: lazy and durable records, and a rewrite."""

    appends: str = "dlLDdRldLd"  # d: one durable, D: two at once; l, L: lazy; R: rewrite
    file: type[journal.JournalFile] = journal.JournalFile

    def work(self, place: Path, tell: Tell) -> None:
        """Go on where the journal ends."""
        kept = self.file(place / "journal.log")
        with contextlib.closing(kept):
            upto = max((_upto(one) for one in kept.records()), default=0)
            for what in self.appends:
                if what == "R":
                    kept.rewrite([{"t": "start", "upto": upto}])
                else:
                    count = 2 if what.isupper() else 1
                    new = [_record(number) for number in range(upto + 1, upto + count + 1)]
                    durable = what in "dD"
                    _insisting(lambda new=new, sync=durable: kept.append(new, durable=sync), tell)
                    upto += count
                if what in "dDR":
                    tell(f"record {upto}")

    def recover(self, place: Path) -> None:
        """Open and close the journal."""
        journal.JournalFile(place / "journal.log").close()

    def broken(self, place: Path, promised: Sequence[str]) -> Iterable[str]:
        """Open it again; every record is whole and none is missing between two."""
        kept = journal.JournalFile(place / "journal.log")
        with contextlib.closing(kept):
            found = list(kept.records())
        upto = 0
        for one in found:
            expected = one if one["t"] == "start" and not upto else _record(upto + 1)
            if one != expected:
                yield f"after record {upto} comes {str(one)[:60]}"
            upto = _upto(one)
        yield from _persuaded(promised)
        for line in promised:
            if line.startswith("record") and int(line.split()[1]) > upto:
                yield f"{line} is lost: the journal ends with {upto}"


def _record(number: int) -> Mapping[str, object]:
    return {"t": "end", "n": number, "text": "x" * (number * 97 % 700)}


def _upto(record: Mapping[str, object]) -> int:
    found = record["upto"] if record["t"] == "start" else record["n"]
    assert isinstance(found, int)
    return found


@dataclass(frozen=True)
class Spool:
    """The agent's spool: some samples while the centre answers, then some while it does not."""

    answered: int = 2
    unanswered: int = 6
    most_bytes: int = 1_200

    def work(self, place: Path, tell: Tell) -> None:
        """Sample; each number is used up when it is told."""
        if not (place / "spool").exists():  # 99 to 100: a torn number can be higher than both
            private_files.directory(place / "spool")
            private_files.write(place / "spool" / "seq", b"97")
        kept = spool.Spool(place / "spool", most_bytes=1 << 20)
        kept._segment_bytes = self.most_bytes // 2  # several segments of a few samples
        with contextlib.closing(kept):
            for turn in itertools.count():
                if turn == self.answered + self.unanswered:
                    break
                kept.patient = turn < self.answered
                number = kept.number()
                tell(f"number {number}")
                on_disk = kept.append(number, sample(number))
                if on_disk and not kept.patient:
                    tell(f"sample {number}")
                if turn >= self.answered and turn % 2:
                    head = kept.head()
                    assert head is not None
                    tell(f"gone {head.seq}")  # the centre holds it: it may go from here on
                    kept.acknowledged(head.seq)

    def recover(self, place: Path) -> None:
        """Open and close the spool."""
        spool.Spool(place / "spool", most_bytes=1 << 20).close()

    def broken(self, place: Path, promised: Sequence[str]) -> Iterable[str]:
        """Open it again, look at every sample and at the next number."""
        given = {int(line.split()[1]) for line in promised if line.startswith("number")}
        gone = max(
            (int(line.split()[1]) for line in promised if line.startswith("gone")), default=0
        )
        kept = spool.Spool(place / "spool", most_bytes=1 << 20)
        with contextlib.closing(kept):
            following = kept._next
            found = [
                (seq, segment.path.read_bytes()[at : at + length])
                for segment in kept._segments
                for seq, at, length in spool._index(segment.path, kept._acknowledged)[0]
            ]
        for at, (seq, body) in enumerate(found):
            if spool._unpack(body) != sample(seq):
                yield f"sample {seq} has another text"
            if at and seq <= found[at - 1][0]:
                yield f"sample {seq} comes after {found[at - 1][0]}"
        waiting = {seq for seq, _ in found}
        if given and following <= max(given):
            yield f"number {following} is given again"
        for line in promised:
            kind, number = line.split()
            if kind == "sample" and int(number) > gone and int(number) not in waiting:
                yield f"{line} is lost"


def sample(number: int) -> bytes:
    """Return the text of a sample; it packs badly, so that records have some size."""
    return hashlib.shake_128(str(number).encode()).hexdigest(60 + number % 50).encode()


@dataclass(frozen=True)
class Witness:
    """What a witness has seen: a small file that is replaced whole."""

    turns: int = 4

    def work(self, place: Path, tell: Tell) -> None:
        """See a bigger tree each time."""
        state = executor_state.ExecutorState(place / "state.json")
        for _ in range(self.turns):
            size = int(state.get("witness").get("size", 0)) + 1
            state.keep("witness", {"size": size, "cosigned": "note " * (10 + size)})
            tell(f"size {size}")

    def recover(self, place: Path) -> None:
        """Read the state."""
        executor_state.ExecutorState(place / "state.json")

    def broken(self, place: Path, promised: Sequence[str]) -> Iterable[str]:
        """Read it again; it never forgets what it signed."""
        found = executor_state.ExecutorState(place / "state.json").get("witness")
        size = int(found.get("size", 0))
        if size and found["cosigned"] != "note " * (10 + size):
            yield "what was cosigned does not fit its size"
        for line in promised:
            if int(line.split()[1]) > size:
                yield f"{line} is forgotten: the state says {size}"


WRITERS: Mapping[str, Writer] = {
    "audit": AuditLog(),
    "small audit": AuditLog(
        batches=(2, 1), blobs=False, roll_bytes=600
    ),  # for those who live many lives
    "journal": Journal(),
    "blobs": AuditLog(batches=(1, 1)),
    "stubborn journal": Journal(file=StubbornJournal),  # to show that it would be found
    "spool": Spool(),
    "witness": Witness(),
}
