"""Records in segment files: how they are written, found and told from torn bytes.

Called by log (appends, recovers) and by reader. A record is `[length u32][crc32 u32][bytes]`, big
endian. The highest bit of the length marks the first record of a batch: a batch begins only after
the one before was acknowledged, so that a valid beginning behind bad bytes shows that the bad bytes
are no torn end but damage. The crc covers the length word and the bytes.
"""

import pathlib
import struct
import zlib
from dataclasses import dataclass
from typing import Final

HEADER: Final = struct.Struct(">II")
MAX_RECORD: Final = 4096  # bytes of an entry, the log's own bound
ROLL_BYTES: Final = 32 * 1024 * 1024  # a new file then; small enough to copy, few enough to list
_BEGINS: Final = 0x8000_0000
_SUFFIX: Final = ".seg"
_WORD: Final = struct.Struct(">I")


@dataclass(frozen=True, slots=True)
class Parsed:
    """What the bytes of a segment hold."""

    offsets: list[int]  # where each record's bytes begin
    records: list[bytes]
    end: int  # behind the last valid record
    problem: str | None  # why it ends there; None: the file is exactly used up
    cut_short: bool  # the file stops inside the record that would come next


def frame(record: bytes, *, begins: bool) -> bytes:
    """Return a record as it is stored."""
    word = len(record) | (_BEGINS if begins else 0)
    return HEADER.pack(word, _crc(word, record)) + record


def parse(content: bytes) -> Parsed:
    """Read records until the end or until the first bytes that are none."""
    offsets: list[int] = []
    records: list[bytes] = []
    at, total, problem, cut_short = 0, len(content), None, False
    while at < total:
        start = at + HEADER.size
        if start > total:
            problem, cut_short = "the file ends inside a record's header", True
            break
        word, crc = HEADER.unpack_from(content, at)
        end = start + (word & ~_BEGINS)
        if end - start > MAX_RECORD or end == start:
            problem = f"a record cannot have {end - start} bytes"
            break
        if end > total:
            problem, cut_short = "the file ends inside a record", True
            break
        record = content[start:end]
        if _crc(word, record) != crc:
            problem = "the bytes do not fit their checksum"
            break
        offsets.append(start)
        records.append(record)
        at = end
    return Parsed(offsets, records, at, problem, cut_short)


def batch_begins_after(content: bytes, start: int) -> bool:
    """Tell whether a valid first record of a batch stands anywhere behind `start`."""
    at = content.find(b"\x80", start)
    while at != -1:
        if at + HEADER.size <= len(content):
            word, crc = HEADER.unpack_from(content, at)
            record = content[at + HEADER.size : at + HEADER.size + (word & ~_BEGINS)]
            whole = 0 < len(record) == word & ~_BEGINS <= MAX_RECORD
            if whole and _crc(word, record) == crc:
                return True
        at = content.find(b"\x80", at + 1)
    return False


def listed(directory: pathlib.Path) -> list[tuple[int, pathlib.Path]]:
    """Return the segments with the index of their first record, in order."""
    found = [path for path in directory.glob(f"*{_SUFFIX}") if path.stem.isdigit()]
    return sorted((int(path.stem), path) for path in found)


def named(directory: pathlib.Path, first: int) -> pathlib.Path:
    """Return the path of the segment that begins with this index."""
    return directory / f"{first:020d}{_SUFFIX}"


def _crc(word: int, record: bytes) -> int:
    return zlib.crc32(record, zlib.crc32(_WORD.pack(word)))
