"""How long something takes a server, whatever else the machine does meanwhile.

with own_time.of(process.pid) as spent:
    client.get(...)
assert spent.s < 2.0

Called by tests that bound an answer. Linux counts for each thread how long it stood
in line for a processor (`/proc/PID/task/TID/schedstat`, nanoseconds). Rules:

1. What somebody waited is counted, less the time in which a thread of the server or the asker was
   ready and others had the processors: that is the machine's, and the rest is the server's own,
   sleeping, locks and disks with it.
2. It is never less than the processor time of the server: threads that stood in line together do
   not make an answer free.
"""

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_NS = 1e9
_OWN = Path("/proc/self/task")


@dataclass(slots=True)
class Spent:
    """Of one piece of work, in seconds; all 0 until it is over."""

    wall_s: float = 0.0
    processor_s: float = 0.0  # by all threads of the server
    in_line_s: float = 0.0  # threads of the server and of the asker, ready and not running

    @property
    def s(self) -> float:
        """What it would have taken on a machine that does nothing else."""
        return max(self.wall_s - self.in_line_s, self.processor_s)


@contextlib.contextmanager
def of(pid: int) -> Iterator[Spent]:
    """Measure the block, as what the process `pid` does for this thread."""
    spent = Spent()
    asker, before, began = threading.get_native_id(), _threads(pid), time.perf_counter()
    before[asker] = _read(_OWN / str(asker))
    used = _processor_s(pid)
    yield spent
    spent.wall_s = time.perf_counter() - began
    after = {**_threads(pid), asker: _read(_OWN / str(asker))}
    spent.processor_s = _processor_s(pid) - used
    spent.in_line_s = sum(stood - before.get(one, 0) for one, stood in after.items()) / _NS


def _processor_s(pid: int) -> float:
    """Return what all threads of a process used, those that ended with them."""
    return time.clock_gettime((~pid << 3) | 2)  # the kernel's CPUCLOCK_SCHED of a process


def _threads(pid: int) -> dict[int, int]:
    found = {}
    for one in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it ended meanwhile
            found[int(one.name)] = _read(one)
    return found


def _read(task: Path) -> int:
    """Return how long a thread stood in line, ns."""
    _, stood, _ = (task / "schedstat").read_text().split()
    return int(stood)
