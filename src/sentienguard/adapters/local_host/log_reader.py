"""The end of log files of this machine, line by line, with the times that the lines carry.

Understood are ISO 8601 (with or without zone), syslog (`Nov 21 00:06:29`), the common log format
(`21/Nov/2025:00:06:29 +0000`) and seconds since 1970. A time without a zone is local time.
"""

import os
import re
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sentienguard.ports import log_reader

MAX_READ_BYTES = 1024 * 1024
MAX_LINE = 4096  # characters; bounds the work of a pattern on hostile lines
_HEAD = 64  # characters of a line in which its time stands
_ISO = re.compile(
    r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:[.,]\d+)?\s?(Z|[+-]\d\d:?\d\d)?", re.ASCII
)
_COMMON = re.compile(r"\[?(\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d) ([+-]\d{4})", re.ASCII)
_SYSLOG = re.compile(r"([A-Z][a-z]{2}) +(\d{1,2}) (\d\d:\d\d:\d\d)", re.ASCII)
_EPOCH = re.compile(r"\[?(\d{10})(?:\.\d+)?\b", re.ASCII)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class LocalLogs:
    """A ports.log_reader.LogReader."""

    def mark(self, path: str) -> log_reader.Mark | None:
        """Return where a file ends; see the port."""
        try:
            now = Path(path).stat()
        except OSError:
            return None
        return log_reader.Mark(now.st_ino, now.st_size)

    def lines(
        self, path: str, *, since: datetime, after: log_reader.Mark | None
    ) -> tuple[str, ...]:
        """Return what was logged lately; see the port."""
        text = _tail(path, after)
        fresh: list[str] = []
        is_new = True
        for line in text.splitlines():
            at = moment(line[:_HEAD], since)
            is_new = is_new if at is None else at >= since
            if is_new:
                fresh.append(line[:MAX_LINE])
        return tuple(fresh)


def _tail(path: str, after: log_reader.Mark | None) -> str:
    """Read what stands after the mark, at most the last 1 MiB, from the first whole line on."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise log_reader.LogUnreadable(f"log {path}: {error.strerror}") from error
    now = os.fstat(descriptor)
    if not stat.S_ISREG(now.st_mode):
        os.close(descriptor)
        raise log_reader.LogUnreadable(f"log {path} is no regular file")
    with os.fdopen(descriptor, "rb") as file:
        start = 0
        if after is not None and after.inode == now.st_ino and after.offset <= now.st_size:
            start = after.offset
        bound = now.st_size - MAX_READ_BYTES
        file.seek(max(start, bound))
        data = file.read(MAX_READ_BYTES)
    if bound > start:
        data = data.partition(b"\n")[2]
    return data.decode("utf-8", "replace")


def moment(head: str, near: datetime) -> datetime | None:
    """Return the time at the start of a line; None where there is none that we know.

    `near` tells the year of a time that has none.
    """
    try:
        if (found := _ISO.search(head)) is not None:
            zone = (found[3] or "").replace("Z", "+00:00")
            return _aware(datetime.fromisoformat(f"{found[1]}T{found[2]}{zone}"))
        if (found := _COMMON.search(head)) is not None:
            return datetime.strptime(f"{found[1]} {found[2]}", "%d/%b/%Y:%H:%M:%S %z")
        if (found := _SYSLOG.match(head)) is not None:
            return _syslog(found, near)
        if (found := _EPOCH.match(head)) is not None:
            return datetime.fromtimestamp(int(found[1]), UTC)
    except (ValueError, OverflowError):
        return None
    return None


def _syslog(found: re.Match[str], near: datetime) -> datetime:
    local = near.astimezone()
    month = _MONTHS.index(found[1]) + 1
    hour, minute, second = (int(part) for part in found[3].split(":"))
    at = local.replace(
        month=month, day=int(found[2]), hour=hour, minute=minute, second=second, microsecond=0
    )
    if at - local > timedelta(days=180):
        return at.replace(year=at.year - 1)
    return at if local - at < timedelta(days=180) else at.replace(year=at.year + 1)


def _aware(at: datetime) -> datetime:
    return at if at.tzinfo is not None else at.astimezone()
