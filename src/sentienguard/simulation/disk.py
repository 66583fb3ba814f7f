"""A disk that forgets what was not synced.

Called by `journal`, `audit_store` and `vault`, which keep on it what the product keeps in files.
Rules, as a hard world has them:

1. What was written survives the death of the process; what was synced survives the loss of power.
2. With the power goes any part of what was not synced: nothing, all, or a piece that ends anywhere.
3. A sync that fails has dropped what it should have kept. On most file systems it can be read until
   the power goes, a later sync that succeeds does not save it, and only writing it again does; on
   one that `forgets` it is gone at once.
4. A file that is replaced is the old one or the new one, never a mixture.
"""

import errno
import random
from collections.abc import Callable
from dataclasses import dataclass, field

Point = Callable[[str], None]  # called at every moment at which a crash makes a difference


@dataclass(slots=True)
class File:
    """What is in a file, and how much of it is safe."""

    data: bytearray = field(default_factory=bytearray)
    synced: int = 0  # bytes from the start that survive everything
    dropped: int | None = None  # from here on a failed sync lost it


class Disk:
    """The files of one machine."""

    def __init__(self, name: str, point: Point) -> None:
        """Begin empty. `point` may raise Crash."""
        self.name = name
        self.full = False
        self.fail_syncs = 0  # that many of the next ones fail
        self.forgets = False  # what a failed sync covered is gone at once
        self.failed = 0
        self._point = point
        self._files: dict[str, File] = {}
        self._whole: dict[str, bytes] = {}
        self.watchers: list[Callable[[str, bytes], None]] = []  # hear what became durable
        self.writers: list[Callable[[str, bytes], None]] = []  # hear what was written

    def read(self, name: str) -> bytes:
        """Return what is in a file; nothing where there is none."""
        found = self._files.get(name)
        return b"" if found is None else bytes(found.data)

    def synced(self, name: str) -> bytes:
        """Return what survives the loss of power for certain."""
        found = self._files.get(name)
        return b"" if found is None else bytes(found.data[: found.synced])

    def append(self, name: str, data: bytes, *, reserved: bool = False) -> None:
        """Write behind the end. `reserved`: room was set aside. Raises OSError, Crash."""
        self._point(f"{self.name} writes {name}")
        if self.full and not reserved:
            raise OSError(errno.ENOSPC, "no space left on device")
        self._files.setdefault(name, File()).data += data
        for writer in self.writers:
            writer(name, data)

    def sync(self, name: str) -> None:
        """Return when all that was written survives everything. Raises OSError, Crash."""
        self._point(f"{self.name} syncs {name}")
        file = self._files.setdefault(name, File())
        if self.fail_syncs:
            self.fail_syncs -= 1
            self.failed += 1
            file.dropped = file.synced if file.dropped is None else file.dropped
            if self.forgets:
                del file.data[file.dropped :]
            raise OSError(errno.EIO, "input/output error")
        if file.dropped is None:  # rule 3
            fresh = bytes(file.data[file.synced :])
            file.synced = len(file.data)
            if fresh:
                for watcher in self.watchers:
                    watcher(name, fresh)
        self._point(f"{self.name} synced {name}")

    def truncate(self, name: str, size: int) -> None:
        """Cut a file to what is intact, and write that again: what opens a log owes both."""
        file = self._files.setdefault(name, File())
        file.dropped = None
        del file.data[size:]
        fresh = bytes(file.data[file.synced :])
        file.synced = len(file.data)
        if fresh:
            for watcher in self.watchers:
                watcher(name, fresh)

    def replace(self, name: str, data: bytes) -> None:
        """Put a whole file in the place of another, durably. Raises OSError, Crash."""
        self._point(f"{self.name} replaces {name}")
        if self.full:
            raise OSError(errno.ENOSPC, "no space left on device")
        if self.fail_syncs:
            self.fail_syncs -= 1
            self.failed += 1
            raise OSError(errno.EIO, "input/output error")
        self._whole[name] = bytes(data)
        self._point(f"{self.name} replaced {name}")

    def replace_log(self, name: str, data: bytes) -> None:
        """Put a new file that can be appended to in the place of another, durably."""
        self.replace(name, data)
        del self._whole[name]
        self._files[name] = File(bytearray(data), len(data))

    def whole(self, name: str) -> bytes | None:
        """Return a file that is only ever replaced."""
        return self._whole.get(name)

    def power_cut(self, chance: random.Random) -> int:
        """Lose what was not synced, wholly or in part; return how many bytes went (rule 2)."""
        lost = 0
        for name in sorted(self._files):
            file = self._files[name]
            if file.dropped is not None:  # rule 3
                del file.data[file.dropped :]
                file.dropped = None
            loose = len(file.data) - file.synced
            if loose:
                kept = chance.choice((0, loose, chance.randint(0, loose)))
                lost += loose - kept
                del file.data[file.synced + kept :]
            fresh = bytes(file.data[file.synced :])
            file.synced = len(file.data)
            if fresh:
                for watcher in self.watchers:
                    watcher(name, fresh)
        return lost
