"""Records on disk: append a batch, read one back, recover after a crash.

Called by log, which sees to threads. Nothing here knows what a record means.
"""

import contextlib
import fcntl
import os
import pathlib
from array import array
from bisect import bisect_right
from collections.abc import Sequence

from sentienguard.adapters.audit_files import disk as disks
from sentienguard.adapters.audit_files import segments
from sentienguard.ports import audit_log


class Store:
    """The segment files of one log, locked for this process."""

    def __init__(self, directory: pathlib.Path, disk: disks.Disk) -> None:
        """Lock the directory. Raises AuditUnavailable (another process holds it), AuditBroken."""
        self._disk = disk
        self._segments = directory / "segments"
        try:
            disk.make_directory(self._segments)
            self._lock = _locked(directory / "lock")
        except OSError as error:
            raise audit_log.AuditBroken(f"{directory}: cannot be opened: {error}") from error
        self._firsts: list[int] = []  # index of the first record of each segment
        self._files: list[int] = []  # descriptors, one for each segment
        self._offsets = array("Q")  # by index: where the record's bytes begin
        self._lengths = array("H")
        self._used = 0  # bytes in the newest segment
        self._spoiled = False

    def __len__(self) -> int:
        return len(self._offsets)

    def recover(self, committed: int) -> list[bytes]:
        """Read all records, cutting off a torn end. `committed` entries must be there.

        What is returned is durable. Raises AuditBroken for damage that is more than a torn end,
        OSError.
        """
        found: list[bytes] = []
        listed = segments.listed(self._segments)
        for position, (first, path) in enumerate(listed):
            if first != len(found):
                raise audit_log.AuditBroken(
                    f"{path}: begins with entry {first}, but {len(found)} entries come before it"
                )
            content = path.read_bytes()
            parsed = segments.parse(content)
            found += parsed.records
            self._firsts.append(first)
            self._files.append(self._disk.open_append(path))
            self._remember(parsed)
            if parsed.problem is not None:
                newest = position == len(listed) - 1
                self._cut_off(path, content, parsed, newest=newest, committed=committed)
        if len(found) < committed:
            raise audit_log.AuditBroken(
                f"{self._segments}: {len(found)} entries, but the checkpoint commits to "
                f"{committed}; entries were removed, restore the directory from a copy"
            )
        if listed:
            self._settle(listed[-1][1], committed)
        return found

    def _settle(self, newest: pathlib.Path, committed: int) -> None:
        """Make durable what the last process wrote and may not have lived to sync.

        Only behind the checkpoint, and only in the newest file: another is begun after a sync.
        """
        self._disk.sync_directory(self._segments)
        first = max(committed, self._firsts[-1])
        if first < len(self):
            start = self._offsets[first] - segments.HEADER.size
            with newest.open("rb") as file:
                file.seek(start)
                self._disk.write_again(newest, start, file.read(self._used - start))

    def append(self, records: Sequence[bytes]) -> None:
        """Write a batch and return when it is durable. Raises OSError; then never call it again."""
        if self._spoiled:
            raise OSError("an earlier write failed; the file's end is unknown")
        self._spoiled = True  # until all went well: a failed sync must not be tried again
        if not self._files or self._used >= segments.ROLL_BYTES:
            self._roll()
        frames = [segments.frame(one, begins=not at) for at, one in enumerate(records)]
        self._disk.write(self._files[-1], b"".join(frames))
        self._disk.sync_data(self._files[-1])
        for one in records:
            self._offsets.append(self._used + segments.HEADER.size)
            self._lengths.append(len(one))
            self._used += segments.HEADER.size + len(one)
        self._spoiled = False

    def read(self, index: int) -> bytes:
        """Return one record. Raises AuditBroken where the disk does not give it back."""
        segment = bisect_right(self._firsts, index) - 1
        length = self._lengths[index]
        try:
            found = os.pread(self._files[segment], length, self._offsets[index])
        except OSError as error:
            raise audit_log.AuditBroken(f"entry {index} cannot be read: {error}") from error
        if len(found) != length:
            raise audit_log.AuditBroken(f"entry {index} is cut off: its file was changed")
        return found

    def close(self) -> None:
        """Release the files and the lock."""
        for descriptor in (*self._files, self._lock):
            with contextlib.suppress(OSError):
                os.close(descriptor)
        self._files = []

    def _roll(self) -> None:
        path = segments.named(self._segments, len(self))
        self._files.append(self._disk.open_append(path))
        self._firsts.append(len(self))
        self._used = 0

    def _remember(self, parsed: segments.Parsed) -> None:
        self._offsets.extend(parsed.offsets)
        self._lengths.extend(len(one) for one in parsed.records)
        self._used = parsed.end

    def _cut_off(
        self,
        path: pathlib.Path,
        content: bytes,
        parsed: segments.Parsed,
        *,
        newest: bool,
        committed: int,
    ) -> None:
        where = f"{path}, byte {parsed.end}, entry {len(self)}: {parsed.problem}"
        if not newest or len(self) < committed:
            raise audit_log.AuditBroken(
                f"{where}; the checkpoint commits to {committed} entries, so this is damage and no "
                "torn end: restore the directory from a copy"
            )
        if segments.batch_begins_after(content, parsed.end + 1):
            raise audit_log.AuditBroken(
                f"{where}; acknowledged entries stand behind it, so this is damage and no torn "
                "end: restore the directory from a copy"
            )
        self._disk.truncate(self._files[-1], parsed.end)


def _locked(path: pathlib.Path) -> int:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        if not isinstance(error, BlockingIOError):
            raise
        raise audit_log.AuditUnavailable(
            f"{path.parent} is being written by another process; a log has one writer"
        ) from error
    return descriptor
