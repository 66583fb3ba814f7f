"""New lines of log files.

Rules:

1. A file is known by its inode. After a rotation the rest of the old file is read before the new
   one begins, also where the agent was not running meanwhile and the old one lies beside it under
   a longer name. A file that became shorter is read from its beginning.
2. A file is read in whole lines, at most `log_read_bytes` a sample: of more, the newest.
3. A file that was there when the agent first saw it is read from its end; one that appears later
   from its beginning.
"""

import os
import stat
from dataclasses import dataclass

from sentienguard.agent.collectors import logs

_MOST_SIBLINGS = 1000  # names looked at for the old file of a rotation


@dataclass(frozen=True, slots=True)
class Position:
    """How far a file has been read."""

    inode: int  # 0: the file was not there when it was looked for
    offset: int  # bytes


class Files:
    """Keeps each file open, so that its rest can be read after a rotation."""

    def __init__(
        self, files: tuple[str, ...], *, most_bytes: int, positions: dict[str, Position]
    ) -> None:
        self._files = files
        self._most_bytes = most_bytes
        self._positions = {path: positions[path] for path in files if path in positions}
        self._pending: dict[str, Position] = {}
        self._handles: dict[str, int] = {}
        self._skipped_bytes = 0

    @property
    def positions(self) -> dict[str, Position]:
        """Return how far each file has been read and kept."""
        return dict(self._positions)

    def commit(self) -> bool:
        """Keep the positions of the last `read`; tell whether any moved."""
        moved = any(self._positions.get(path) != at for path, at in self._pending.items())
        self._positions.update(self._pending)
        self._pending = {}
        return moved

    def read(self) -> logs.News:
        """Return the new lines of all files."""
        news = logs.News()
        self._pending, self._skipped_bytes = {}, 0
        for path in self._files:
            try:
                texts, position = self._new_lines(path)
            except OSError as error:
                news.failed.append(error)
                continue
            self._pending[path] = position
            news.lines.extend(logs.Line(path, text) for text in texts)
        news.skipped_bytes = self._skipped_bytes
        return news

    def _new_lines(self, path: str) -> tuple[list[bytes], Position]:
        """Return whole new lines of one file, and how far that is. Raises OSError."""
        now = _inode(path)
        before = self._positions.get(path)
        if before is None:
            return [], self._first_sight(path, now)
        texts: list[bytes] = []
        if before.inode != now:
            texts = self._rest_of(path, before)
            before = Position(now, 0)
        if not now:
            return texts, before
        handle = self._open(path)
        state = os.fstat(handle)
        start = before.offset if state.st_size >= before.offset else 0
        more, end = self._lines(handle, start, state.st_size)
        return texts + more, Position(state.st_ino, end)

    def _first_sight(self, path: str, inode: int) -> Position:
        if not inode:
            return Position(0, 0)
        state = os.fstat(self._open(path))
        return Position(state.st_ino, state.st_size)

    def _rest_of(self, path: str, before: Position) -> list[bytes]:
        """Read what was added to a file before it was rotated away."""
        handle = self._handles.pop(path, -1)
        if handle >= 0 and os.fstat(handle).st_ino != before.inode:
            os.close(handle)  # of a read that was not kept: it had reached the new file
            handle = -1
        if handle < 0:
            handle = _rotated(path, before.inode)
        if handle < 0:
            return []
        try:
            size = os.fstat(handle).st_size
            if size <= before.offset:
                return []
            return self._lines(handle, before.offset, size, whole=True)[0]
        finally:
            os.close(handle)

    def _open(self, path: str) -> int:
        if path not in self._handles:
            self._handles[path] = _open(path)
        return self._handles[path]

    def _lines(
        self, handle: int, start: int, size: int, *, whole: bool = False
    ) -> tuple[list[bytes], int]:
        """Return the lines from `start`, the newest where they are too many, and their end.

        The last line is left for later until it ends, unless it is `whole` as it stands.
        """
        begin = max(start, size - self._most_bytes)
        text = os.pread(handle, size - begin, begin)
        if begin > start:
            cut = text.find(b"\n") + 1
            self._skipped_bytes += begin + cut - start
            begin, text = begin + cut, text[cut:]
        complete = text.rfind(b"\n") + 1
        if whole or (not complete and len(text) >= self._most_bytes):
            complete = len(text)
        return [line for line in text[:complete].split(b"\n") if line], begin + complete


def _inode(path: str) -> int:
    """Return the inode of a file, 0 where there is none. Raises OSError."""
    try:
        return os.stat(path).st_ino  # noqa: PTH116 - a path object costs more than the call
    except FileNotFoundError:
        return 0


def _open(path: str) -> int:
    """Open a regular file; a pipe in its place does not stop the sampler."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(f"{path}: not a regular file")
    return handle


def _rotated(path: str, inode: int) -> int:
    """Find the old file of a rotation by its inode among the names that begin like its own."""
    folder, name = os.path.split(path)
    if not inode:
        return -1
    try:
        with os.scandir(folder) as found:
            for _, entry in zip(range(_MOST_SIBLINGS), found, strict=False):
                if entry.name.startswith(name) and entry.inode() == inode:
                    return _open(entry.path)
    except OSError:
        return -1
    return -1
