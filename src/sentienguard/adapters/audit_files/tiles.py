"""C2SP tiles and entry bundles as files (c2sp.org/tlog-tiles), so that any such client can read us.

Called by log after each checkpoint's size is known. Tiles are made from what the segments hold. A
full one is written once and synced; opening a log makes again those that are missing or short, and
the partial ones, which are not synced.
"""

import pathlib
import struct
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from sentienguard.adapters.audit_files import disk as disks

WIDTH: Final = 256  # hashes or entries in a full tile
_LEVEL_HEIGHT: Final = 8  # tree levels in one tile level: 2**8 = 256
_HASH_BYTES: Final = 32
_LENGTH: Final = struct.Struct(">H")
_GROUP: Final = 1000  # an index is written in groups of three digits

RowOf = Callable[[int, int, int], bytes]  # height, start, count -> hashes
EntriesOf = Callable[[int, int], Sequence[bytes]]  # start, end -> stored bytes


class Tiles:
    """The tiles of one log."""

    def __init__(self, directory: pathlib.Path, disk: disks.Disk) -> None:
        self._directory = directory
        self._disk = disk

    def extend(self, old: int, new: int, row_of: RowOf, entries_of: EntriesOf) -> None:
        """Write the tiles that a tree of `new` leaves has and one of `old` leaves lacks."""
        for level, count_before, count in _levels(old, new):
            for number, width in _changed(count_before, count):
                row = row_of(_LEVEL_HEIGHT * level, number * WIDTH, width)
                self._write(f"{level}", number, width, row)
        for number, width in _changed(old, new):
            stored = entries_of(number * WIDTH, number * WIDTH + width)
            bundle = b"".join(_LENGTH.pack(len(one)) + one for one in stored)
            self._write("entries", number, width, bundle)

    def drop_partial(self, old: int, new: int) -> None:
        """Remove the partial tiles of a superseded checkpoint; bigger ones stand in their place."""
        for level, count_before, count in _levels(old, new):
            if count_before % WIDTH and count != count_before:
                self._remove(f"{level}", count_before)
        if old % WIDTH and new != old:
            self._remove("entries", old)

    def missing(self, size: int) -> int:
        """Return from which leaf on full tiles are missing or short in a tree of `size` leaves."""
        whole = size - size % WIDTH
        for number in range(size // WIDTH):
            if not _bytes_in(self._path("entries", number, WIDTH)):
                whole = min(whole, number * WIDTH)
        for level, _, count in _levels(0, size):
            for number in range(count // WIDTH):
                if _bytes_in(self._path(f"{level}", number, WIDTH)) != WIDTH * _HASH_BYTES:
                    whole = min(whole, number * WIDTH ** (level + 1))
        return whole

    def _write(self, kind: str, number: int, width: int, content: bytes) -> None:
        path = self._path(kind, number, width)
        full = width == WIDTH
        if full:
            self._disk.make_directory(path.parent)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
        self._disk.replace(path, content, durable=full)

    def _remove(self, kind: str, count: int) -> None:
        path = self._path(kind, count // WIDTH, count % WIDTH)
        path.unlink(missing_ok=True)
        if path.parent.exists() and not any(path.parent.iterdir()):
            path.parent.rmdir()

    def _path(self, kind: str, number: int, width: int) -> pathlib.Path:
        name = index_path(number)
        return self._directory / kind / (name if width == WIDTH else f"{name}.p/{width}")


def index_path(number: int) -> str:
    """Write a tile's index: 1234067 is x001/x234/067."""
    groups = [f"{number % _GROUP:03d}"]
    while number >= _GROUP:
        number //= _GROUP
        groups.append(f"x{number % _GROUP:03d}")
    return "/".join(reversed(groups))


def _levels(old: int, new: int) -> Iterator[tuple[int, int, int]]:
    """Yield each level with how many hashes it had and has."""
    level = 0
    while new:
        yield level, old, new
        level, old, new = level + 1, old // WIDTH, new // WIDTH


def _changed(old: int, new: int) -> Iterator[tuple[int, int]]:
    """Yield number and width of each tile that `new` hashes fill further than `old` ones did."""
    if new == old:
        return
    for number in range(old // WIDTH, (new + WIDTH - 1) // WIDTH):
        yield number, min(WIDTH, new - number * WIDTH)


def _bytes_in(path: pathlib.Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
