"""What services write to the journal of systemd, read through libsystemd.

A line belongs to `journal:UNIT`. Which units are read is declared (`journal_units`); without any,
the journal is not opened. A host without systemd has no such library and is no failure. The cursor
of the last line is kept, so a restart goes on where it was; a journal that was cut in between goes
on at its oldest line.
"""

import ctypes
import os

from sentienguard.agent.collectors import logs

MOST_LINES = 2000  # of one sample; of more, the newest
PREFIX = "journal:"
_LIBRARY = "libsystemd.so.0"
_LOCAL_ONLY = 1
_LONGEST = 8192  # bytes of a message that are taken
_LEVELS = {b"0": "fatal", b"1": "fatal", b"2": "fatal", b"3": "error", b"4": "warning"}
_PLAIN = {b"5": "info", b"6": "info", b"7": "debug"}


class Journal:
    """Keeps the journal open and its cursor."""

    def __init__(
        self, units: tuple[str, ...], *, cursor: str = "", directory: str | None = None
    ) -> None:
        """Open it at the first `read`; `directory` is for journals that lie elsewhere."""
        self._units = units
        self._directory = directory
        self._open: _Open | None = None
        self._cursor = self._pending = cursor

    @property
    def cursor(self) -> str:
        """Return where the last kept line stands; empty before the first."""
        return self._cursor

    def read(self) -> logs.News:
        """Return the new lines of the declared units. Raises OSError."""
        news = logs.News()
        if not self._units:
            return news
        if self._open is None:
            library = _library()
            if library is None:
                return news
            self._open = _Open(library, self._units, self._directory)
            self._cursor = self._pending = self._open.go_to(self._cursor)
        elif self._pending != self._cursor:
            self._open.go_to(self._cursor)  # what was read last was not kept
        self._open.refresh()
        while self._open.next():
            line = self._open.line()
            if line is not None:
                news.lines.append(line)
        news.skipped_lines = max(len(news.lines) - MOST_LINES, 0)
        del news.lines[: news.skipped_lines]
        self._pending = self._open.cursor() or self._pending
        return news

    def commit(self) -> bool:
        """Keep the cursor of the last `read`; tell whether it moved."""
        moved = self._pending != self._cursor
        self._cursor = self._pending
        return moved

    def close(self) -> None:
        """Close the journal."""
        if self._open is not None:
            self._open.close()
            self._open = None


class _Open:
    """The functions of sd-journal(3) on one open journal; each may raise OSError."""

    def __init__(self, library: ctypes.CDLL, units: tuple[str, ...], directory: str | None) -> None:
        self._library = library
        self._journal = ctypes.c_void_p()
        place = ctypes.byref(self._journal)
        if directory is None:
            self._check(library.sd_journal_open(place, _LOCAL_ONLY))
        else:
            self._check(library.sd_journal_open_directory(place, directory.encode(), 0))
        for unit in units:
            match = f"_SYSTEMD_UNIT={unit}".encode()
            self._check(library.sd_journal_add_match(self._journal, match, 0))

    def go_to(self, cursor: str) -> str:
        """Stand on the entry of a cursor, or before the oldest one after it.

        Without a cursor, or with one that means nothing here, at the end. Returns where that is.
        """
        if not cursor or self._library.sd_journal_seek_cursor(self._journal, cursor.encode()) < 0:
            self._check(self._library.sd_journal_seek_tail(self._journal))
            self._check(self._library.sd_journal_previous(self._journal))
            return self.cursor()
        self.next()
        if not self._library.sd_journal_test_cursor(self._journal, cursor.encode()) > 0:
            self._check(self._library.sd_journal_previous(self._journal))
        return cursor

    def refresh(self) -> None:
        """Take note of files that were added."""
        self._check(self._library.sd_journal_process(self._journal))

    def next(self) -> bool:
        """Go to the next entry; False where there is none."""
        return self._check(self._library.sd_journal_next(self._journal)) > 0

    def line(self) -> logs.Line | None:
        """Return the current entry, None where it has no message."""
        text, unit = self._field(b"MESSAGE"), self._field(b"_SYSTEMD_UNIT")
        if not text or not unit:
            return None
        priority = self._field(b"PRIORITY")
        level = _LEVELS.get(priority) or _PLAIN.get(priority, "")
        source = f"{PREFIX}{unit.decode(errors='replace')}"
        return logs.Line(source, text.replace(b"\n", b" "), level)

    def cursor(self) -> str:
        """Return the name of the current entry, empty where there is none."""
        cursor = ctypes.c_char_p()
        if self._library.sd_journal_get_cursor(self._journal, ctypes.byref(cursor)) < 0:
            return ""
        text = (cursor.value or b"").decode("ascii")
        ctypes.CDLL(None).free(cursor)
        return text

    def close(self) -> None:
        """Close it."""
        self._library.sd_journal_close(self._journal)

    def _field(self, name: bytes) -> bytes:
        """Return one field of the current entry, empty where it has none."""
        data, length = ctypes.c_void_p(), ctypes.c_size_t()
        status = self._library.sd_journal_get_data(
            self._journal, name, ctypes.byref(data), ctypes.byref(length)
        )
        if status < 0 or data.value is None:
            return b""
        taken = min(length.value, len(name) + 1 + _LONGEST)
        return ctypes.string_at(data.value, taken)[len(name) + 1 :]

    @staticmethod
    def _check(status: int) -> int:
        if status < 0:
            raise OSError(-status, f"systemd's journal: {os.strerror(-status)}")
        return status


def _library() -> ctypes.CDLL | None:
    try:
        return ctypes.CDLL(_LIBRARY)
    except OSError:
        return None
