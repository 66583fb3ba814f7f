"""What /proc says of processes.

Used by the files of this package only. A process is named by its number and the clock tick at
which it started, because numbers are used again.
"""

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

from sentienguard.ports import processes

PROC = Path("/proc")
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_STAT_BYTES = 4096  # a line of 52 numbers and a short name
_DEAD = frozenset("ZXx")  # ended: nobody collected it yet


def pids() -> Iterator[int]:
    """Yield the number of every process there is."""
    for name in os.listdir(PROC):  # noqa: PTH208 - names only, no Path for each
        if name.isdigit():
            yield int(name)


def stat(pid: int) -> list[str] | None:
    """Return the fields of /proc/PID/stat from the name on; None if there is no such process.

    Index 0 is the name, 1 the state, and field N of proc(5) stands at N - 2.
    """
    try:
        file = os.open(f"/proc/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return None
    try:
        text = os.read(file, _STAT_BYTES).decode("utf-8", "replace")
    except ProcessLookupError:
        return None
    finally:
        os.close(file)
    name, _, rest = text.partition("(")[2].rpartition(")")  # a name may hold parentheses
    return [name, *rest.split()]


def cpu_ticks(pid: int) -> int | None:
    """Return the processor time a process has used so far, in ticks."""
    fields = stat(pid)
    return None if fields is None else int(fields[12]) + int(fields[13])


def uptime() -> float:
    """Return seconds since boot."""
    return float((PROC / "uptime").read_text("ascii").split()[0])


def find(pid: int) -> processes.Process | None:
    """Return a process, dead ones included; None if the number is free."""
    fields = stat(pid)
    if fields is None:
        return None
    started = int(fields[20])
    return processes.Process(
        pid=pid,
        started=started,
        name=fields[0],
        state=fields[1],
        parent=int(fields[2]),
        nice=int(fields[17]),
        group=int(fields[3]),
        uptime_s=max(0.0, uptime() - started / TICKS_PER_SECOND),
        memory_bytes=int(fields[22]) * PAGE_BYTES,
    )


def alive(process: processes.Process) -> bool:
    """Tell whether exactly this process still lives; a zombie does not."""
    return lives(process.pid, process.started)


def lives(pid: int, started: int) -> bool:
    """Tell whether the process that began at this tick under this number still lives."""
    fields = stat(pid)
    return fields is not None and int(fields[20]) == started and fields[1] not in _DEAD


def members(group: int) -> tuple[processes.Process, ...]:
    """Return the living processes of a process group."""
    found = (find(pid) for pid in pids())
    return tuple(each for each in found if each is not None and each.group == group and alive(each))


def descendants(pid: int) -> tuple[processes.Process, ...]:
    """Return the living processes below one, whatever group they are in."""
    every = [each for each in map(find, pids()) if each is not None]
    below: list[processes.Process] = []
    parents = {pid}
    while parents:
        children = [each for each in every if each.parent in parents and each.pid not in parents]
        below += children
        parents = {each.pid for each in children}
    return tuple(each for each in below if each.state not in _DEAD)


def environment(pid: int) -> bytes:
    """Return the environment a process was started with; empty if it may not be read."""
    with contextlib.suppress(OSError):
        return (PROC / str(pid) / "environ").read_bytes()
    return b""


def send(process: processes.Process, number: int) -> bool:
    """Signal exactly this process, without a moment in which its number could change hands.

    Returns whether it was there. Raises PermissionError.
    """
    try:
        descriptor = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return False
    try:
        if not alive(process):
            return False
        signal.pidfd_send_signal(descriptor, number)
    except ProcessLookupError:
        return False
    finally:
        os.close(descriptor)
    return True
