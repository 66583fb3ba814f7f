"""Checkpoints with the signatures of witnesses: the files, and what is known of them in memory.

Called by `log`. Every host cosigns with every poll, which is hundreds a second in a large fleet,
and nearly all of them say again what is kept. Rules:

1. A cosignature is judged whenever it comes, by the log. The first of its witness for a size is
   kept; a later one, which only says that nothing newer was seen, where none was kept of this size
   within `AGAIN_S`. So the newest is never older than that, however many there are.
2. A note has room for so many signatures (`LARGEST`). Beyond that no witness is added to it: a note
   that nobody can read proves nothing, and some hundred witnesses prove what thousands would.
3. Files follow within the time in which checkpoints do, and are not synced: what is lost with the
   process its hosts say again with their next polls. So no poll waits for the disk.
4. `add` and `take` are called under the log's lock, `write` by one thread at a time without it.
"""

import bisect
import pathlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sentienguard.adapters.audit_files import disk as disks
from sentienguard.ports import audit_ledger

MOST_SIZES: Final = 64  # kept with cosignatures; a newer one covers all before it
LARGEST: Final = 48 * 1024  # characters of a note: some 300 hosts; readers refuse one of 64 Ki
AGAIN_S: Final = 1.0  # a checkpoint follows an entry as soon
_NEVER: Final = float("-inf")


@dataclass(frozen=True, slots=True)
class _Kept:
    """What is kept of one size."""

    note: str
    witnesses: frozenset[str]
    at_s: float  # when the last one was; monotonic


class Cosigned:
    """The newest checkpoints that witnesses cosigned."""

    def __init__(
        self,
        directory: pathlib.Path,
        disk: disks.Disk,
        ledger: audit_ledger.AuditLedger,
        read: Callable[[pathlib.Path], str | None],
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Find what is kept; `read` returns a file's text, None where there is no file."""
        self._directory = directory
        self._disk = disk
        self._ledger = ledger
        self._read = read
        self._monotonic = monotonic
        self._sizes = sorted(int(path.name) for path in directory.glob("[0-9]*"))
        self._known: dict[int, _Kept] = {}  # of these sizes
        self._unwritten: set[int] = set()  # of them
        self._newest = self._read(self._path(self._sizes[-1])) if self._sizes else None

    @property
    def newest(self) -> str | None:
        """The checkpoint of the largest size, with its signatures."""
        return self._newest

    def add(self, size: int, note: str, witnesses: Sequence[str]) -> int:
        """Keep a note that these witnesses validly cosigned; return how many did for this size."""
        if size not in self._sizes and len(self._sizes) >= MOST_SIZES and size < self._sizes[0]:
            return len(witnesses)  # it would be the first to make room
        kept = self._known.get(size) or self._stored(size)
        now_s = self._monotonic()
        if kept.witnesses.issuperset(witnesses):
            if now_s - kept.at_s < AGAIN_S:
                return len(kept.witnesses)  # rule 1
        elif len(kept.note) + len(note) > LARGEST:
            return len(kept.witnesses)  # rule 2
        merged = self._ledger.merged(kept.note, note)
        now_kept = _Kept(merged, kept.witnesses.union(witnesses), now_s)
        self._known[size] = now_kept
        self._unwritten.add(size)
        if size not in self._sizes:
            bisect.insort(self._sizes, size)
        if size == self._sizes[-1]:
            self._newest = merged
        return len(now_kept.witnesses)

    def take(self) -> Mapping[int, str | None]:
        """Return what is to be written, by size; None: it makes room for newer ones."""
        found: dict[int, str | None] = {}
        for size in self._sizes[:-MOST_SIZES]:
            found[size] = None
            self._known.pop(size, None)
        self._sizes = self._sizes[-MOST_SIZES:]
        for size in self._unwritten & self._known.keys():
            found[size] = self._known[size].note
        self._unwritten.clear()
        return found

    def write(self, taken: Mapping[int, str | None]) -> None:
        """Bring the files up to that. Raises OSError: they are when more is said of those sizes."""
        if not taken:
            return
        self._directory.mkdir(exist_ok=True, mode=0o700)
        for size, note in sorted(taken.items()):
            if note is None:
                self._path(size).unlink(missing_ok=True)
            else:
                self._disk.replace(self._path(size), note.encode(), durable=False)

    def _stored(self, size: int) -> _Kept:
        note = self._read(self._path(size)) or self._ledger.sign(size)
        return _Kept(note, frozenset(self._ledger.cosigned_by(note)), _NEVER)

    def _path(self, size: int) -> pathlib.Path:
        return self._directory / f"{size:020d}"
