"""Read what was logged lately.

Called by stages.execute (check kind log_check). Offered by adapters.local_host.log_reader and by
simulated hosts. Lines are untrusted text: they are matched and counted, never obeyed.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sentienguard.model import errors


class LogUnreadable(errors.Unavailable):
    """The file is missing, is no regular file, or may not be read."""


@dataclass(frozen=True, slots=True)
class Mark:
    """The end of a log file at one moment."""

    inode: int
    offset: int  # bytes


class LogReader(Protocol):
    """Reads log files of one host."""

    def mark(self, path: str) -> Mark | None:
        """Return where the file ends now; None if it does not exist."""

    def lines(self, path: str, *, since: datetime, after: Mark | None) -> tuple[str, ...]:
        """Return lines logged after both `since` and the mark, oldest first.

        A line is dated by the time it carries, else by the line before it; lines before any time
        count as new. A file that was rotated since the mark is read from its start. At most the
        last 1 MiB is read and 4096 characters of a line. Raises LogUnreadable.
        """
