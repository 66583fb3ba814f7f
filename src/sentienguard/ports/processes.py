"""Look at the processes of a host, and signal exactly the one that was meant.

Called by stages.execute (step `process`, check `process`, parameters of type pid). Offered by
adapters.local_host.processes and by simulated hosts. A process is named by its number *and* its
start, because numbers are used again.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from sentienguard.model import errors


class NoSuchProcess(errors.Rejected):
    """The process is gone, or its number belongs to another process by now."""


class ProcessProtected(errors.Rejected):
    """The process is one that no order may touch: process 1, a kernel thread or the agent."""


class Signal(StrEnum):
    """The signals that steps use."""

    TERMINATE = "SIGTERM"
    KILL = "SIGKILL"
    CONTINUE = "SIGCONT"
    STOP = "SIGSTOP"
    CHILD = "SIGCHLD"  # asks a parent to collect its zombies


@dataclass(frozen=True, slots=True)
class Process:
    """One process at one moment."""

    pid: int
    started: int  # clock ticks after boot; with `pid` it names the process for good
    name: str  # command name of at most 15 bytes
    state: str  # letter of /proc/PID/stat: R S D Z T ...
    parent: int
    nice: int
    group: int
    uptime_s: float
    memory_bytes: int  # resident


class Processes(Protocol):
    """The processes of one host."""

    def find(self, pid: int) -> Process | None:
        """Return the process with this number, or None."""

    def named(self, name: str) -> tuple[Process, ...]:
        """Return every process whose command name is `name` (compared on 15 bytes)."""

    def cpu_percent(self, process: Process, over_s: float) -> float:
        """Measure how much of one core it uses over `over_s` seconds.

        Raises NoSuchProcess if it ends meanwhile.
        """

    def send(self, process: Process, signal: Signal) -> None:
        """Signal exactly this process. Raises NoSuchProcess, ProcessProtected."""

    def wait_gone(self, process: Process, limit: float) -> bool:
        """Wait at most `limit` seconds for it to end; tell whether it did (a zombie has ended)."""

    def renice(self, process: Process, nice: int) -> None:
        """Set its niceness, -20 to 19. Raises NoSuchProcess, ProcessProtected."""
