"""The executor's journal on a simulated disk. A ports.execution_journal.ExecutionJournal.

Called by `executor`. The format is the real journal's: a line `S` was synced before `append`
returned, a line `L` was not; a damaged line ends the journal, unless an `S` follows it.
"""

import json
import zlib
from collections.abc import Iterable, Iterator, Sequence

from sentienguard.ports import execution_journal
from sentienguard.simulation import disk as disks

FILE = "journal"


class SimulatedJournal:
    """An append-only list of records on a disk that forgets."""

    def __init__(self, disk: disks.Disk) -> None:
        """Open it and cut off a torn end. Raises JournalBroken."""
        self._disk = disk
        self._failed: str | None = None
        lines, end = intact(disk.read(FILE))
        rest, _ = intact(disk.read(FILE)[end:], anywhere=True)
        if any(durable for durable, _ in rest):
            raise execution_journal.JournalBroken(
                f"byte {end} is damaged and a durable record follows"
            )
        self._records = [record for _, record in lines]
        disk.truncate(FILE, end)

    def append(self, records: Sequence[execution_journal.Record], *, durable: bool) -> None:
        """Add records; see the port."""
        if self._failed is not None:
            raise execution_journal.JournalBroken(self._failed)
        try:
            self._disk.append(
                FILE, b"".join(line(each, durable=durable) for each in records), reserved=True
            )
            if durable:
                self._disk.sync(FILE)
        except OSError as error:
            self._failed = f"journal: {error}"
            raise execution_journal.JournalBroken(self._failed) from error

    def records(self) -> Iterator[execution_journal.Record]:
        """Yield what was found when it was opened; see the port."""
        return iter(self._records)

    def rewrite(self, records: Iterable[execution_journal.Record]) -> None:
        """Replace everything; see the port."""
        try:
            self._disk.replace_log(FILE, b"".join(line(each, durable=True) for each in records))
        except OSError as error:
            raise execution_journal.JournalFull(f"journal: {error}") from error

    def cramped(self) -> str | None:
        """Say why no order may begin; see the port."""
        return "the disk is full" if self._disk.full else None


def line(record: execution_journal.Record, *, durable: bool) -> bytes:
    """Return a record as it is kept."""
    body = json.dumps(record, separators=(",", ":")).encode("ascii")
    return b"%c %08x %s\n" % (b"S" if durable else b"L", zlib.crc32(body), body)


def intact(
    data: bytes, *, anywhere: bool = False
) -> tuple[list[tuple[bool, execution_journal.Record]], int]:
    """Return the records up to the first damaged line, and where they end.

    `anywhere`: damaged lines are passed over.
    """
    found: list[tuple[bool, execution_journal.Record]] = []
    at = 0
    for each in data.splitlines(keepends=True):
        good = len(each) > 12 and each.endswith(b"\n") and each[:2] in {b"S ", b"L "}  # noqa: PLR2004 - flag, checksum, {}
        if good and each[2:10] == b"%08x" % zlib.crc32(each[11:-1]):
            found.append((each[:1] == b"S", json.loads(each[11:])))
        elif not anywhere:
            return found, at
        at += len(each)
    return found, at
