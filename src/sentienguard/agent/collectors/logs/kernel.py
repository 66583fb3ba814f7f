"""What the kernel says, from /dev/kmsg: disks that fail, processes that it kills, links that drop.

Only messages of warning and worse are taken, because a kernel is talkative. Reading starts at what
comes next: older messages were there before the agent. A kernel that lets only root read (the
sysctl `dmesg_restrict`) makes this source silent; it is no failure.
"""

import errno
import os

from sentienguard.agent.collectors import logs

SOURCE = "kernel"
MOST_RECORDS = 500  # of one sample
_LONGEST = 8192  # bytes of a record; the kernel's own bound
_LEVELS = {0: "fatal", 1: "fatal", 2: "fatal", 3: "error", 4: "warning"}  # the syslog severities
_SEVERITY = 7  # mask: the facility stands above it


class Kernel:
    """Holds /dev/kmsg open, which remembers how far it was read."""

    def __init__(self, path: str = "/dev/kmsg") -> None:
        self._handle = _open(path)
        self._not_kept: list[logs.Line] = []  # the kernel gives each message once

    def read(self) -> logs.News:
        """Return new messages of warning and worse."""
        news = logs.News()
        for _ in range(MOST_RECORDS if self._handle >= 0 else 0):
            try:
                record = os.read(self._handle, _LONGEST)
            except BlockingIOError:
                break
            except BrokenPipeError:  # the ring was overwritten; reading goes on at its oldest
                news.skipped_lines += 1
                continue
            line = _line(record)
            if line is not None:
                self._not_kept.append(line)
        news.lines = self._not_kept[-MOST_RECORDS:]
        news.skipped_lines += len(self._not_kept) - len(news.lines)
        self._not_kept = list(news.lines)
        return news

    def commit(self) -> bool:
        """Forget what was sent. Nothing is written down: the ring ends with the kernel."""
        self._not_kept = []
        return False


def _open(path: str) -> int:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in {errno.EPERM, errno.EACCES, errno.ENOENT, errno.ENXIO}:
            return -1
        raise
    os.lseek(handle, 0, os.SEEK_END)
    return handle


def _line(record: bytes) -> logs.Line | None:
    """Read `priority,number,microseconds,flags;text`, and leave out the lines of details."""
    head, _, text = record.partition(b";")
    priority = head.split(b",", 1)[0]
    level = _LEVELS.get(int(priority) & _SEVERITY) if priority.isdigit() else None
    message = text.split(b"\n", 1)[0]
    return logs.Line(SOURCE, message, level) if level and message else None
