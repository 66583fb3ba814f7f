"""Find and empty deleted files that a service's processes still write to.

Called by stages.execute (step `open_files`). Offered by adapters.local_host.open_files and by
simulated hosts. Such a file has no name any more, so it is named by the process, its descriptor
and the inode; what is another file by the time of the cut is left alone.
"""

from dataclasses import dataclass
from typing import Protocol

from sentienguard.model import errors


class OpenFilesUnreadable(errors.Unavailable):
    """The open files of a process cannot be read; the executor needs the privilege."""


@dataclass(frozen=True, slots=True)
class Held:
    """One deleted regular file that is open for writing."""

    pid: int
    started: int  # clock ticks; with the pid it names the process
    descriptor: int
    device: int
    inode: int
    path: str  # that it had
    size: int  # bytes


class OpenFiles(Protocol):
    """The open files of one host's services."""

    def deleted(self, service: str) -> tuple[Held, ...]:
        """Return the deleted files that the service writes to, each once, biggest first.

        Raises services.UnknownService, OpenFilesUnreadable.
        """

    def truncate(self, held: Held) -> bool:
        """Cut it to nothing if it still is that file; tell whether it was.

        Raises OpenFilesUnreadable.
        """
