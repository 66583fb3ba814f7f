"""Samples that the centre has not acknowledged: on disk, in order, bounded.

Called by `agent.sampler`, which appends, and `agent.sender`, which takes from the head.

    spool/seq               the end of the reserved block of sequence numbers, in decimal
    spool/acknowledged      the highest acknowledged number; changed when it was acknowledged
    spool/lock              locked by the one process that writes here
    spool/0000000017.seg    records in the order of their numbers; the name is the first number
    rejected/17.json        the text of a sample that the centre refused, for people

A record: length of the body u32, CRC-32 of the body u32, number u32, big-endian; then the body, the
text as a raw deflate stream.

Rules:

1. A number is never given twice: blocks of `RESERVED` are reserved durably, the rest of a block is
   given up by a crash. Numbers rise and may leave gaps. Without the file `seq`, the clock gives the
   first number, so that a spool that was wiped does not repeat either. Both files of numbers are
   written in place, which a full disk permits; a checksum tells an `acknowledged` that was torn,
   without which it could name a sample that still waits.
2. A sample is written before it is offered to the sender, so `kill -9` loses none. It is fsynced
   while the centre does not answer (`patient` is false): while it does, the sample is acknowledged
   and cut off within milliseconds and never reaches the disk. A sync that failed is never tried
   again: the next sample begins a segment of its own.
3. What is on disk is older than what is in memory. Where the disk is full, samples wait in a ring
   of `RING` and go to disk before newer ones once it has room.
4. More than the limit in bytes: the oldest segment goes. What went is counted.
5. A torn or damaged record ends its segment; the rest of that segment is cut off and counted once.
"""

import errno
import fcntl
import os
import struct
import threading
import time
import zlib
from collections import deque
from dataclasses import dataclass
from pathlib import Path

from sentienguard.agent import private_files
from sentienguard.model import errors

RESERVED = 1024  # numbers in a block: one fsync every eight hours at 30 s
RING = 256  # samples in memory while the disk is full, about 300 kB
SEGMENTS = 8  # that the limit in bytes is divided into; the oldest goes as a whole
_LEAST_SEGMENT = 64 << 10  # bytes
_RECORD = struct.Struct(">III")
_MOST_BODY = 2 << 20  # bytes; a longer one is damage
_CLOCK_ORIGIN = 1_704_067_200  # 2024-01-01: seconds since then are the first number without `seq`
_RAW = -15
_WIDTH = 20  # characters of the number in `acknowledged`


class SpoolUnusable(errors.Broken):
    """The spool directory cannot be used at all; the message says why."""


@dataclass(frozen=True, slots=True)
class Kept:
    """One sample that waits for its acknowledgement."""

    seq: int
    text: bytes


@dataclass(frozen=True, slots=True)
class Depth:
    """How much waits, and what was lost so far in this run."""

    waiting: int  # samples, on disk and in memory
    on_disk_bytes: int
    dropped: int  # samples given up because there was no room
    damaged: int  # records that were torn or changed
    refused: int  # samples that the centre refused for good


@dataclass(slots=True)
class _Segment:
    path: Path
    size: int  # bytes
    records: int  # that wait in it
    last: int  # highest number in it


class Spool:
    """The queue between sampling and sending; safe to use from both threads."""

    def __init__(self, directory: Path, *, most_bytes: int, most_rejected: int = 50) -> None:
        self._directory = directory
        self._rejected = directory.parent / "rejected"
        self._most_bytes = most_bytes
        self._most_rejected = most_rejected
        self._segment_bytes = max(most_bytes // SEGMENTS, _LEAST_SEGMENT)
        self._changed = threading.Condition()
        self._segments: deque[_Segment] = deque()
        self._ring: deque[tuple[int, bytes]] = deque()
        self._head: deque[tuple[int, int, int]] = deque()  # (number, offset, length), first segment
        self._writer = -1
        self._named = False  # the name of the segment that is written to is durable
        self._dropped = self._damaged = self._refused = 0
        self.patient = True  # the centre answers, so what is written is soon acknowledged
        try:
            private_files.directory(directory)
            self._lock_file = _open(directory / "lock")
            fcntl.flock(self._lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._acknowledged = _acknowledged(directory)
            self._open_segments()
            self._next, self._reserved = self._first_number(), 0
            self._seq_file = _open(directory / "seq")
            self._ack_file = _open(directory / "acknowledged")
            private_files.sync_directory(directory)
        except BlockingIOError as error:
            raise SpoolUnusable(
                f"{directory}: another collector uses it; stop that one first"
            ) from error
        except OSError as error:
            raise SpoolUnusable(
                f"{directory}: {error.strerror}; the agent's user must own it and have room there"
            ) from error

    # Numbers

    def number(self) -> int:
        """Return the number of the next sample; it is never returned again. Raises OSError."""
        with self._changed:
            if self._next > self._reserved:
                self._reserve()
            number, self._next = self._next, self._next + 1
            return number

    def _first_number(self) -> int:
        path = self._directory / "seq"
        fallback = int(time.time()) - _CLOCK_ORIGIN
        newest = max((segment.last for segment in self._segments), default=0)
        return max(_number(path, fallback), newest, self._acknowledged) + 1

    def _reserve(self) -> None:
        reserved = self._next + RESERVED - 1
        if self._seq_file < 0:
            self._seq_file = _open(self._directory / "seq")
        try:
            _put(self._seq_file, reserved)
            os.fdatasync(self._seq_file)
        except OSError:
            handle, self._seq_file = self._seq_file, -1  # rule 2; the next try writes it anew
            os.close(handle)
            raise
        self._reserved = reserved

    # The tail: what was sampled

    def append(self, seq: int, text: bytes) -> bool:
        """Keep a sample; tell whether it is on disk (false: in memory until there is room)."""
        packer = zlib.compressobj(6, zlib.DEFLATED, _RAW)
        body = packer.compress(text) + packer.flush()
        with self._changed:
            self._ring.append((seq, body))
            on_disk = self._write_ring()
            if len(self._ring) > RING:
                self._ring.popleft()
                self._dropped += 1
            self._changed.notify_all()
        return on_disk

    def _write_ring(self) -> bool:
        try:
            while self._ring:
                seq, body = self._ring[0]
                self._write(seq, body)
                self._ring.popleft()
            if not self.patient:
                self._settle()
        except OSError:
            return False
        return True

    def _settle(self) -> None:
        """Return when the segment that is written to, and its name, survive a power cut."""
        if self._writer < 0:
            return
        try:
            os.fdatasync(self._writer)
            if not self._named:
                private_files.sync_directory(self._directory)
                self._named = True
        except OSError:
            self._close_writer()  # rule 2
            raise

    def _write(self, seq: int, body: bytes) -> None:
        record = _RECORD.pack(len(body), zlib.crc32(body), seq) + body
        self._make_room(len(record))
        if self._writer < 0:
            self._begin_segment(seq)
        segment = self._segments[-1]
        written = 0
        try:
            written = os.pwrite(self._writer, record, segment.size)
        finally:
            if written != len(record):
                os.ftruncate(self._writer, segment.size)
        if written != len(record):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if len(self._segments) == 1:
            self._head.append((seq, segment.size + _RECORD.size, len(body)))
        segment.size += len(record)
        segment.records += 1
        segment.last = seq

    def _begin_segment(self, seq: int) -> None:
        path = self._directory / f"{seq:010d}.seg"
        flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
        self._writer = os.open(path, flags, private_files.FILE_MODE)
        self._named = False
        self._segments.append(_Segment(path, 0, 0, 0))

    def _make_room(self, length: int) -> None:
        if self._segments and self._segments[-1].size + length > self._segment_bytes:
            if not self.patient:
                self._settle()
            self._close_writer()
        while self._size() and self._size() + length > self._most_bytes:
            self._dropped += self._segments[0].records
            self._drop_first()

    def _size(self) -> int:
        return sum(segment.size for segment in self._segments)

    def _close_writer(self) -> None:
        if self._writer >= 0:
            os.close(self._writer)
            self._writer = -1

    # The head: what is to be sent

    def wait(self, seconds: float) -> bool:
        """Wait until a sample is there; tell whether one is."""
        with self._changed:
            return self._changed.wait_for(self._any, seconds)

    def wake(self) -> None:
        """End every wait, for a process that stops."""
        with self._changed:
            self._changed.notify_all()

    def head(self) -> Kept | None:
        """Return the oldest sample that waits, None where there is none."""
        with self._changed:
            while self._head:
                kept = self._read_head()
                if kept is not None:
                    return kept
            if self._ring:
                seq, body = self._ring[0]
                return Kept(seq, _unpack(body))
            return None

    def acknowledged(self, seq: int) -> None:
        """Forget a sample that the centre holds, and everything before it."""
        with self._changed:
            self._acknowledged = max(self._acknowledged, seq)
            while self._head and self._head[0][0] <= seq:
                self._head.popleft()
                self._segments[0].records -= 1
            while self._ring and self._ring[0][0] <= seq:
                self._ring.popleft()
            if self._segments and not self._head:
                self._drop_first()
            _put_checked(self._ack_file, self._acknowledged)

    def refused(self, seq: int, reason: str) -> None:
        """Set a sample aside that the centre will never take, with its reason."""
        kept = self.head()
        if kept is not None and kept.seq == seq:
            self._set_aside(kept, reason)
        with self._changed:
            self._refused += 1
        self.acknowledged(seq)

    @property
    def depth(self) -> Depth:
        """Return how much waits."""
        with self._changed:
            waiting = sum(segment.records for segment in self._segments) + len(self._ring)
            size = self._size()
            return Depth(waiting, size, self._dropped, self._damaged, self._refused)

    def close(self) -> None:
        """Give unused numbers back and close the files."""
        with self._changed:
            try:
                if self._reserved and self._seq_file >= 0:
                    _put(self._seq_file, self._next - 1)
                    os.fdatasync(self._seq_file)
            finally:
                self._close_writer()
                for handle in (self._seq_file, self._ack_file, self._lock_file):
                    if handle >= 0:
                        os.close(handle)

    def _any(self) -> bool:
        return bool(self._head or self._ring)

    def _read_head(self) -> Kept | None:
        """Return the first record on disk; one that is damaged ends its segment."""
        seq, offset, length = self._head[0]
        try:
            with self._segments[0].path.open("rb") as file:
                file.seek(offset)
                return Kept(seq, _unpack(file.read(length)))
        except (OSError, zlib.error):
            self._damaged += len(self._head)
            self._drop_first()
            return None

    def _drop_first(self) -> None:
        """Give up the first segment; the one that is written to is emptied and written on."""
        segment = self._segments[0]
        self._head.clear()
        if len(self._segments) == 1 and self._writer >= 0:
            os.ftruncate(self._writer, 0)
            segment.size = segment.records = 0
            return
        self._segments.popleft()
        segment.path.unlink(missing_ok=True)
        if self._segments:
            self._head.extend(_index(self._segments[0].path, self._acknowledged)[0])

    def _open_segments(self) -> None:
        for path in sorted(self._directory.glob("*.seg")):
            index, end, damaged = _index(path, self._acknowledged)
            self._damaged += damaged
            if not index:
                path.unlink()
                continue
            if damaged:
                os.truncate(path, end)
            if not self._segments:
                self._head = deque(index)
            self._segments.append(_Segment(path, end, len(index), index[-1][0]))

    def _set_aside(self, kept: Kept, reason: str) -> None:
        try:
            private_files.directory(self._rejected)
            name = self._rejected / f"{kept.seq}.json"
            private_files.write(name, kept.text + b"\n", durable=False)
            private_files.write(name.with_suffix(".reason"), reason.encode(), durable=False)
            aside = sorted(self._rejected.glob("*.json"), key=lambda path: int(path.stem))
            for old in aside[: -self._most_rejected]:
                old.unlink()
                old.with_suffix(".reason").unlink(missing_ok=True)
        except (OSError, ValueError):
            return  # a full disk: the sample is counted, its text is lost


def _unpack(body: bytes) -> bytes:
    return zlib.decompress(body, _RAW)


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, private_files.FILE_MODE)


def _put(handle: int, number: int) -> None:
    os.pwrite(handle, f"{number:0{_WIDTH}d}".encode(), 0)


def _put_checked(handle: int, number: int) -> None:
    digits = f"{number:0{_WIDTH}d}".encode()
    os.pwrite(handle, b"%s %08x" % (digits, zlib.crc32(digits)), 0)


def _number(path: Path, missing: int) -> int:
    """Read a file that holds one number; one that was torn on its way up is at least the old."""
    try:
        return int(path.read_bytes()[:_WIDTH])
    except (FileNotFoundError, ValueError):
        return missing


def _acknowledged(directory: Path) -> int:
    """Read the highest acknowledged number; 0 where the file was torn: what waits goes again."""
    try:
        content = (directory / "acknowledged").read_bytes()
        digits, _, checksum = content.partition(b" ")
        return int(digits) if int(checksum or b"0", 16) == zlib.crc32(digits) else 0
    except (FileNotFoundError, ValueError):
        return 0


def _index(path: Path, acknowledged: int) -> tuple[list[tuple[int, int, int]], int, int]:
    """Return (number, offset, length) of the records that wait, their end, and 1 where damaged."""
    records: list[tuple[int, int, int]] = []
    offset = last = 0
    with path.open("rb") as file:
        while len(header := file.read(_RECORD.size)) == _RECORD.size:
            length, checksum, seq = _RECORD.unpack(header)
            body = file.read(length) if length <= _MOST_BODY else b""
            if len(body) != length or zlib.crc32(body) != checksum or seq <= last:
                return records, offset, 1
            if seq > acknowledged:
                records.append((seq, offset + _RECORD.size, length))
            offset, last = offset + _RECORD.size + length, seq
    return records, offset, int(bool(header))


@dataclass(frozen=True, slots=True)
class Last:
    """The newest sample that the centre acknowledged."""

    seq: int  # 0: none yet
    at: float  # when, in seconds since 1970


def last_acknowledged(directory: Path) -> Last:
    """Return the newest acknowledgement of an agent that may be running. Raises OSError."""
    file = directory / "acknowledged"
    return Last(_acknowledged(directory), file.stat().st_mtime)


def waiting(directory: Path) -> Depth:
    """Return how much waits in the spool of an agent that may be running, without touching it."""
    acknowledged = _acknowledged(directory)
    indexes = [_index(path, acknowledged) for path in sorted(directory.glob("*.seg"))]
    aside = len(list((directory.parent / "rejected").glob("*.json")))
    return Depth(
        waiting=sum(len(records) for records, _, _ in indexes),
        on_disk_bytes=sum(end for _, end, _ in indexes),
        dropped=0,
        damaged=sum(damaged for _, _, damaged in indexes),
        refused=aside,
    )
