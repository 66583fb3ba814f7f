"""How many bytes lie below a directory, and where most of them are, a slice at a time.

Called by `agent.collectors.volumes`. A walk of a big disk takes longer than one sample may, so it
stops at its limits and goes on where it was in the next one.

Rules:

1. Symbolic links are not followed and other file systems are not entered.
2. Memory is bounded: the biggest `keep` paths and the directories still to visit.
3. What cannot be read, or goes away meanwhile, is left out and counted.
4. A file counts with its length, or with its blocks where it has holes. A file with several names
   counts for each of them.
5. A directory is a path of its own (with a slash at its end) where many small files in it make up
   its size: the direct sum of its files, more than twice the biggest of them.
"""

import os
import time
from dataclasses import dataclass
from heapq import heappush, heappushpop
from pathlib import Path

_BLOCK = 512  # bytes of st_blocks, whatever the file system
_MOST_PENDING = 50_000  # directories still to visit; 5 MB of names


@dataclass(frozen=True, slots=True)
class Finding:
    """What a complete walk found."""

    at_ns: int  # monotonic clock when it was complete
    total_bytes: int
    entries: int  # files and directories looked at
    unread: int  # directories that could not be read, or were too many
    biggest: dict[str, int]  # path -> bytes, biggest first
    truncated: bool  # true: there are more paths than were kept


class Walk:
    """One pass over everything below `root`."""

    def __init__(self, root: str, keep: int = 64) -> None:
        self._root = root
        self._keep = keep
        self._device = Path(root).stat().st_dev  # raises OSError: there is no such directory
        self._pending = [root]
        self._heap: list[tuple[int, str]] = []
        self._total = self._entries = self._unread = 0
        self._truncated = False

    def advance(self, entries: int, deadline_ns: int) -> Finding | None:
        """Look at about `entries` more, until the monotonic clock shows the deadline.

        One directory is never split, so that a slice can be longer by one directory. Returns the
        finding once there is nothing left, None before.
        """
        until = self._entries + entries
        while self._pending:
            if self._entries >= until or time.monotonic_ns() >= deadline_ns:
                return None
            self._visit(self._pending.pop())
        biggest = {path: size for size, path in sorted(self._heap, reverse=True)}
        return Finding(
            time.monotonic_ns(), self._total, self._entries, self._unread, biggest, self._truncated
        )

    @property
    def entries(self) -> int:
        """Return how many files and directories were looked at."""
        return self._entries

    def _visit(self, directory: str) -> None:
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
        if directory != self._root:
            flags |= os.O_NOFOLLOW
        try:
            handle = os.open(directory, flags)
        except OSError:
            self._unread += 1
            return
        try:
            if os.fstat(handle).st_dev == self._device:
                self._sum(directory, handle)
        except OSError:
            self._unread += 1
        finally:
            os.close(handle)

    def _sum(self, directory: str, handle: int) -> None:
        prefix = directory if directory.endswith("/") else f"{directory}/"
        direct = largest = 0
        with os.scandir(handle) as found:
            for entry in found:
                self._entries += 1
                if entry.is_dir(follow_symlinks=False):
                    self._later(prefix + entry.name)
                elif entry.is_file(follow_symlinks=False):
                    size = _size(entry)
                    direct += size
                    largest = max(largest, size)
                    self._remember(size, prefix + entry.name)
        self._total += direct
        if direct > 2 * largest:
            self._remember(direct, prefix)

    def _later(self, directory: str) -> None:
        if len(self._pending) < _MOST_PENDING:
            self._pending.append(directory)
        else:
            self._unread += 1

    def _remember(self, size: int, path: str) -> None:
        if not size:
            return
        if len(self._heap) < self._keep:
            heappush(self._heap, (size, path))
        else:
            self._truncated = True
            if size > self._heap[0][0]:
                heappushpop(self._heap, (size, path))


def _size(entry: os.DirEntry[str]) -> int:
    try:
        state = entry.stat(follow_symlinks=False)
    except OSError:
        return 0  # went away meanwhile
    return min(state.st_size, state.st_blocks * _BLOCK)


def growth_per_hour(path: str, size: int, before: Finding | None, now: Finding) -> float:
    """Return the bytes per hour by which a path grew since an earlier finding; 0 without one.

    A path that was not among the biggest then had at most the size of the smallest of those.
    """
    if before is None or now.at_ns <= before.at_ns:
        return 0.0
    smallest = min(before.biggest.values(), default=0) if before.truncated else 0
    grown = size - before.biggest.get(path, min(smallest, size))
    return grown * 3600e9 / (now.at_ns - before.at_ns)
