"""The processes of this machine, looked at and signalled one by one."""

import os
import select
import signal
import time
from collections.abc import Callable

from sentienguard.adapters.local_host import procfs
from sentienguard.ports import processes

KERNEL_THREADS = 2  # kthreadd, whose children are the kernel's own threads
NAME_BYTES = 15  # what the kernel keeps of a command name


class LocalProcesses:
    """A ports.processes.Processes."""

    def __init__(self, within: Callable[[int], bool] | None = None) -> None:
        """Take what tells whether a process counts; None: every process of the machine does."""
        self._within = within

    def find(self, pid: int) -> processes.Process | None:
        """Return a living process; see the port."""
        if self._within is not None and not self._within(pid):
            return None
        found = procfs.find(pid)
        return found if found is not None and procfs.alive(found) else None

    def named(self, name: str) -> tuple[processes.Process, ...]:
        """Return the living processes of one name; see the port."""
        wanted = name.encode()[:NAME_BYTES].decode("utf-8", "replace")
        found = (self.find(pid) for pid in procfs.pids())
        return tuple(each for each in found if each is not None and each.name == wanted)

    def cpu_percent(self, process: processes.Process, over_s: float) -> float:
        """Measure over a short time; see the port."""
        before, began = procfs.cpu_ticks(process.pid), time.monotonic()
        time.sleep(over_s)
        after, took = procfs.cpu_ticks(process.pid), time.monotonic() - began
        if before is None or after is None or not procfs.alive(process):
            raise processes.NoSuchProcess(f"process {process.pid} ended while it was measured")
        return 100.0 * (after - before) / procfs.TICKS_PER_SECOND / took

    def send(self, process: processes.Process, signal: processes.Signal) -> None:
        """Signal exactly this process; see the port."""
        self._guard(process)
        try:
            there = procfs.send(process, _number(signal))
        except PermissionError as error:
            raise processes.ProcessProtected(
                f"process {process.pid} belongs to another user; the executor may not signal it"
            ) from error
        if not there:
            raise processes.NoSuchProcess(
                f"process {process.pid} ({process.name}) ended, or its number has a new owner"
            )

    def wait_gone(self, process: processes.Process, limit: float) -> bool:
        """Wait for its end; see the port."""
        try:
            descriptor = os.pidfd_open(process.pid)
        except ProcessLookupError:
            return True
        try:
            if procfs.alive(process):
                select.select([descriptor], [], [], max(0.0, limit))
        finally:
            os.close(descriptor)
        return not procfs.alive(process)

    def renice(self, process: processes.Process, nice: int) -> None:
        """Set its niceness; see the port."""
        self._guard(process)
        if not procfs.alive(process):
            raise processes.NoSuchProcess(f"process {process.pid} ended before it was reniced")
        try:
            os.setpriority(os.PRIO_PROCESS, process.pid, nice)
        except ProcessLookupError as error:
            raise processes.NoSuchProcess(f"process {process.pid} ended") from error
        except PermissionError as error:
            raise processes.ProcessProtected(
                f"the executor may not set process {process.pid} to niceness {nice}"
            ) from error

    @staticmethod
    def _guard(process: processes.Process) -> None:
        own = {os.getpid(), os.getppid(), 1}
        kernel = KERNEL_THREADS in {process.pid, process.parent} and process.memory_bytes == 0
        if process.pid in own or kernel:
            raise processes.ProcessProtected(
                f"process {process.pid} ({process.name}) is the system's or the agent's own; "
                "no order may touch it"
            )


def _number(name: processes.Signal) -> signal.Signals:
    return signal.Signals[name.value]
