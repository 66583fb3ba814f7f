"""Find and remove lock files that a dead process left behind.

Called by stages.execute (step `locks`). Offered by adapters.local_host.locks and by simulated
hosts. A lock file stands directly in one of the host's lock directories (agent.json,
`lock_directories`) and holds the number of a process. It is stale if no process has that number, or
only one that started after the file was written. A file that anybody holds a kernel lock on is not.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from sentienguard.model import errors


class LocksUnreadable(errors.Unavailable):
    """A lock directory cannot be read or changed."""


@dataclass(frozen=True, slots=True)
class Lock:
    """One stale lock file."""

    path: str
    pid: int  # that it names
    content: str  # at most 64 ASCII characters
    mode: int
    owner: int
    group: int
    modified_ns: int


class Locks(Protocol):
    """The lock files of one host."""

    def stale(self, min_age_s: float) -> tuple[Lock, ...]:
        """Return what is stale and was not modified for so long, oldest first."""

    def remove(self, stale: Sequence[Lock]) -> int:
        """Remove those that are still stale and as they were found; return how many."""

    def put_back(self, stale: Sequence[Lock]) -> int:
        """Write back those whose place is free; return how many are there now."""
