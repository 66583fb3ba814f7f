"""What is read of a host, one file per collector.

Called by `agent.sampler`, once per sample, in one thread. What belongs here reads /proc, /sys, a
file system or a declared service, and turns bytes into readings. What does not: judging a reading,
keeping it, sending it.

A collector is a class with a `name`, a `read(into)` that adds to one `Reading`, and, where it has
to start something ahead of time, a `prepare()`. Rules:

1. No subprocess, no network beyond a health check, no file system that can hang (NFS, FUSE).
2. A failure is raised as OSError or ValueError; the sampler counts it, tells it and goes on with
   the next collector. Nothing half-read is added: compute first, add last.
3. Reading costs less than a millisecond, or is bounded by a limit of `settings.Limits`.
4. A rate needs two readings: the first sample leaves it out.

Add one: a file here with its class, one line in `collector.compose`, its metric names in the
reference, a test on recorded /proc text.
"""

import os
from dataclasses import dataclass, field
from typing import Protocol

from sentienguard.model import telemetry


@dataclass(slots=True)
class Reading:
    """What one sample gathers while the collectors run, one after another."""

    at_ns: int  # monotonic clock when the sample began, for rates
    at_ms: int  # wall clock, for log lines
    values: dict[tuple[str, str], float] = field(default_factory=dict)
    top_cpu: list[telemetry.ProcessUse] = field(default_factory=list)
    top_memory: list[telemetry.ProcessUse] = field(default_factory=list)
    top_io: list[telemetry.ProcessUse] = field(default_factory=list)
    top_paths: dict[str, tuple[telemetry.PathUse, ...]] = field(default_factory=dict)
    log_lines: list[telemetry.LogLine] = field(default_factory=list)


class Collector(Protocol):
    """Something that is read of the host."""

    name: str  # for the diary
    spare: bool  # it asks others, and may be asked less often while the host is short of time

    def prepare(self) -> None:
        """Start what takes time, up to 2.2 s before `read`."""

    def read(self, into: Reading) -> None:
        """Add readings. Raises OSError or ValueError where the host does not give them."""


class Unprepared:
    """For collectors that have nothing to start ahead of time, and ask nobody."""

    spare = False

    def prepare(self) -> None:
        """Do nothing."""


class KernelFile:
    """A file of /proc that is kept open and read from its beginning each time."""

    def __init__(self, path: str, size: int = 16384) -> None:
        self._path = path
        self._size = size  # bytes; /proc gives a consistent text in one read
        self._handle = -1

    def read(self) -> bytes:
        """Return the whole text. Raises OSError."""
        if self._handle < 0:
            self._handle = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        text = os.pread(self._handle, self._size, 0)
        while len(text) == self._size:
            self._size *= 2
            text = os.pread(self._handle, self._size, 0)
        return text


def significant(value: float, digits: int = 3) -> float:
    """Round to a number of significant digits: what changes in the noise need not travel."""
    return float(f"{value:.{digits}g}")
