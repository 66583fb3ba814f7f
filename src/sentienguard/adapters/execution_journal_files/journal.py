"""An append-only file of records, one line each: `S` or `L`, CRC-32, JSON.

Rules:
1. `S`: everything before this line was synced when it was written; `L`: it was not. A line that is
   damaged or cut ends the journal if no `S` follows: power that goes takes what was not synced in
   any order. If one does follow, something durable was altered: JournalBroken.
2. Space is reserved ahead of the end, so that a full disk does not keep the remedy for a full disk
   from being journaled, and so that a sync has no metadata to write.
3. A failed write or sync is never tried again: from then on every append raises. Opening writes all
   lines once more: those that a failed sync covered may be in memory alone.
4. A rewrite goes to a new file, is synced, and takes the name at once.
5. What nobody finds again is not durable: before each durable record, and before an order begins,
   the name must still lead to the open file, and the file hold all that was written. Where a remedy
   or a person removed or replaced it, it is written again from the open one, which still holds
   everything, and nothing more is taken: the next start reads it and ends what ran.
6. Where a journal is `expected`, none or an empty one is JournalBroken and no new one is made: an
   executor that forgot its past would run an order twice and number other events the same.
"""

import contextlib
import errno
import json
import os
import threading
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from sentienguard.ports import execution_journal

RESERVE_BYTES = 8 * 1024 * 1024  # about 60 steps that fill both output streams
LEAST_RESERVE_BYTES = 2 * 1024 * 1024  # below it more is reserved
_READ_BYTES = 1024 * 1024
_ENCODER = json.JSONEncoder(separators=(",", ":"))  # made once: `json.dumps` makes one a record


class JournalFile:
    """A ports.execution_journal.ExecutionJournal."""

    def __init__(self, path: Path, *, expected: bool = False) -> None:
        """Open or make the file. `expected`: there was one with records. Raises JournalBroken."""
        self._path = path
        self._lock = threading.Lock()
        self._failed: str | None = None
        self._cramped: str | None = None
        self._settled = True  # everything up to the end is durable
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            flags = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW
            self._file = os.open(path, flags if expected else flags | os.O_CREAT, 0o600)
            self._end = self._intact_end()
            if expected and not self._end:
                raise self._missing("holds no record")
            self._wipe_tail()
            self._write_again()
            self._reserve()
            os.fsync(self._file)
            _sync_directory(path.parent)
        except FileNotFoundError as error:
            raise self._missing("is not there") from error
        except OSError as error:
            raise execution_journal.JournalBroken(f"journal {path}: {error}") from error

    @property
    def failed(self) -> bool:
        """Tell whether nothing more is taken (rules 3 and 5)."""
        return self._failed is not None

    @property
    def empty(self) -> bool:
        """Tell whether it holds no record."""
        return not self._end

    def append(self, records: Sequence[execution_journal.Record], *, durable: bool) -> None:
        """Add records; see the port."""
        with self._lock:
            if self._failed is not None:
                raise execution_journal.JournalBroken(self._failed)
            lines = [
                _line(record, settled=self._settled and not at) for at, record in enumerate(records)
            ]
            data = b"".join(lines)
            try:
                if durable and (lost := self._lost()) is not None:  # rule 5
                    raise self._put_back(lost)
                _write_at(self._file, data, self._end)
                self._end += len(data)
                if durable:
                    os.fdatasync(self._file)
                self._settled = durable or (self._settled and not data)
                self._reserve()
            except OSError as error:
                raise self._fail(error) from error

    def records(self) -> Iterator[execution_journal.Record]:
        """Yield what is on disk; see the port."""
        with self._path.open("rb") as file:
            at = 0
            while at < self._end:  # the zeros that are set aside behind it are no line
                line = file.readline(self._end - at)
                at += len(line)
                yield json.loads(line[11:])

    def rewrite(self, records: Iterable[execution_journal.Record]) -> None:
        """Replace everything; see the port."""
        with self._lock:
            if self._failed is not None:
                raise execution_journal.JournalBroken(self._failed)
            beside = self._path.with_name(f".{self._path.name}.new")
            try:
                file, end = _written(beside, records)
            except OSError as error:
                with contextlib.suppress(OSError):  # the next rewrite begins by emptying it
                    beside.unlink(missing_ok=True)
                raise execution_journal.JournalFull(f"journal {self._path}: {error}") from error
            try:
                beside.replace(self._path)
                os.close(self._file)
                self._file, self._end, self._settled = file, end, True
                _sync_directory(self._path.parent)
            except OSError as error:
                raise self._fail(error) from error

    def cramped(self) -> str | None:
        """Say why no order may begin; see the port."""
        with self._lock:
            if self._failed is None:
                try:
                    if (lost := self._lost()) is not None:  # rule 5
                        self._put_back(lost)
                    else:
                        self._reserve()
                except OSError as error:
                    self._fail(error)
            return self._failed or self._cramped

    def close(self) -> None:
        """Give the file back."""
        os.close(self._file)

    def _fail(self, error: OSError) -> execution_journal.JournalBroken:
        """Take nothing more (rule 3)."""
        self._failed = (
            f"journal {self._path}: {error}; nothing is executed until the executor has "
            "restarted and read what really reached the disk"
        )
        return execution_journal.JournalBroken(self._failed)

    def _missing(self, how: str) -> execution_journal.JournalBroken:
        """Say what is missing, and the way out (rule 6)."""
        return execution_journal.JournalBroken(
            f"journal {self._path}: expected what this executor did before, but the file {how}; "
            "nothing is executed, since an order could run twice. Look who removed it; then give "
            "the host a new identity with `sentienguard-agent enroll --replace`. An older copy "
            "from a backup is no way out: it would number other events the same"
        )

    def _lost(self) -> str | None:
        """Say what became of the file, or None: two looks, some microseconds. Raises OSError."""
        held = os.fstat(self._file)
        if held.st_size < self._end:
            return f"was cut to {held.st_size} bytes, {self._end} had been written"
        try:
            found = self._path.lstat()
        except FileNotFoundError:
            return "was removed"
        same = (found.st_dev, found.st_ino) == (held.st_dev, held.st_ino)
        return None if same else "was replaced by another"

    def _put_back(self, lost: str) -> execution_journal.JournalBroken:
        """Write the open file under its name again, and take nothing more (rule 5)."""
        beside = self._path.with_name(f".{self._path.name}.new")
        try:
            _copy(self._file, self._end, beside)
            beside.replace(self._path)
            _sync_directory(self._path.parent)
        except OSError as error:
            then = f"could not be written again: {error}"
        else:
            then = "was written again from what was still open"
        self._failed = (
            f"journal {self._path}: the file {lost} while it was in use, and {then}; nothing more "
            "is executed until the executor has restarted and read it. Look who removed it"
        )
        return execution_journal.JournalBroken(self._failed)

    def _reserve(self) -> None:
        """Have room for at least `LEAST_RESERVE_BYTES` more; the file grows by zeros.

        Where the disk gives none, what is left of the room is used up before anything breaks.
        Raises OSError.
        """
        self._cramped = None
        if os.fstat(self._file).st_size - self._end >= LEAST_RESERVE_BYTES:
            return
        try:
            os.posix_fallocate(self._file, self._end, RESERVE_BYTES)
        except OSError as error:
            if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
                raise
            self._cramped = (
                f"journal {self._path}: the disk has no room to set {RESERVE_BYTES} bytes aside; "
                "make room by hand"
            )
        else:
            os.fdatasync(self._file)
            self._settled = True

    def _wipe_tail(self) -> None:
        """Make zeros of what stands after the last intact line, and keep the room it takes."""
        rest = os.pread(self._file, RESERVE_BYTES * 2, self._end).rstrip(b"\0")
        if rest:
            _write_at(self._file, bytes(len(rest)), self._end)

    def _write_again(self) -> None:
        """Write the intact lines where they stand already (rule 3)."""
        for at in range(0, self._end, _READ_BYTES):
            size = min(_READ_BYTES, self._end - at)
            _write_at(self._file, os.pread(self._file, size, at), at)

    def _intact_end(self) -> int:
        """Return where the last intact line ends. Raises JournalBroken (rule 1)."""
        end: int | None = None
        at = 0
        with os.fdopen(os.dup(self._file), "rb", _READ_BYTES) as file:
            file.seek(0)
            for line in file:
                good = _intact(line)
                if not good and end is None:
                    end = at
                if good and end is not None and line[:1] == b"S":
                    raise execution_journal.JournalBroken(
                        f"journal {self._path}: byte {end} is damaged and a durable record follows "
                        f"at byte {at}; look at what the executor did, then give the host a new "
                        "identity with `sentienguard-agent enroll --replace`"
                    )
                at += len(line)
        return at if end is None else end


def _line(record: execution_journal.Record, *, settled: bool) -> bytes:
    body = _ENCODER.encode(record).encode("ascii")
    return b"%c %08x %s\n" % (b"S" if settled else b"L", zlib.crc32(body), body)


def _intact(line: bytes) -> bool:
    if len(line) < 13 or line[:2] not in {b"S ", b"L "} or not line.endswith(b"\n"):  # noqa: PLR2004 - flag, checksum, {}
        return False
    try:
        return int(line[2:10], 16) == zlib.crc32(line[11:-1])
    except ValueError:
        return False


def _written(path: Path, records: Iterable[execution_journal.Record]) -> tuple[int, int]:
    """Write a new journal and sync it; return its descriptor and its end. Raises OSError."""
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    end = 0
    try:
        for record in records:
            data = _line(record, settled=True)
            _write_at(file, data, end)
            end += len(data)
        os.posix_fallocate(file, end, RESERVE_BYTES)
        os.fsync(file)
    except BaseException:
        os.close(file)
        raise
    return file, end


def _copy(file: int, end: int, path: Path) -> None:
    """Write the first `end` bytes of an open file to a new one and sync it. Raises OSError."""
    if os.fstat(file).st_size < end:
        raise OSError(errno.ENODATA, "what was cut off is nowhere else")
    copy = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        for at in range(0, end, _READ_BYTES):
            _write_at(copy, os.pread(file, min(_READ_BYTES, end - at), at), at)
        os.fsync(copy)
    finally:
        os.close(copy)


def _write_at(file: int, data: bytes, at: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(file, view, at)
        view, at = view[written:], at + written


def _sync_directory(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
