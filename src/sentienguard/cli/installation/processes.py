"""Processes of an installation, named so that none is mistaken for another.

A process id is used again after its process has ended. So each process is remembered with the clock
tick at which it began, and only exactly that process is ever signalled.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sentienguard.adapters.local_host import procfs
from sentienguard.cli import private_files
from sentienguard.model import errors

POLL_S = 0.05
FORCE_S = 5.0  # after SIGKILL only a process stuck in the kernel is still there
LOG_LINES_SHOWN = 15  # of a process that ended: enough for the end of a traceback


class DidNotStart(errors.Rejected):
    """A process ended before it was ready; the message shows its last lines."""


@dataclass(frozen=True, slots=True)
class Known:
    """One process, by its id and its start."""

    pid: int
    started: int  # clock tick since boot, /proc/PID/stat

    @property
    def alive(self) -> bool:
        """Tell whether exactly this process runs."""
        return procfs.lives(self.pid, self.started)

    def send(self, number: signal.Signals) -> bool:
        """Signal exactly this process; False where it is gone."""
        found = procfs.find(self.pid)
        if found is None or found.started != self.started:
            return False
        return procfs.send(found, number)


def known(pid: int) -> Known | None:
    """Name the process that has this id now."""
    found = procfs.find(pid)
    return Known(found.pid, found.started) if found and procfs.alive(found) else None


def remember(file: Path, process: Known) -> None:
    """Write down which process it is."""
    record = {"pid": process.pid, "started": process.started}
    private_files.write(file, json.dumps(record).encode())


def remembered(file: Path) -> Known | None:
    """Return the process that was written down, if it still runs."""
    try:
        found = json.loads(file.read_bytes())
        process = Known(int(found["pid"]), int(found["started"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return process if process.alive else None


def launch(module: Sequence[str], log: Path, *, cwd: Path | None = None) -> Known:
    """Start `python -m MODULE ARGUMENTS` in a session of its own, its output in `log`.

    Raises DidNotStart.
    """
    log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        child = subprocess.Popen(  # noqa: S603  # our own interpreter and module
            [sys.executable, "-m", *module],
            stdin=subprocess.DEVNULL,
            stdout=handle,
            stderr=handle,
            start_new_session=True,
            cwd=cwd,
        )
    except OSError as cause:
        raise DidNotStart(f"{module[0]} cannot be started: {cause}") from cause
    finally:
        os.close(handle)
    _children.append(child)
    process = known(child.pid)
    if process is None:
        raise DidNotStart(f"{module[0]} ended at once\n{tail(log)}")
    return process


def stop(process: Known, *, grace_s: float) -> bool:
    """End a process: SIGTERM, and SIGKILL after `grace_s`; True where it had to be killed.

    Raises errors.Broken where it does not even end by SIGKILL.
    """
    process.send(signal.SIGTERM)
    process.send(signal.SIGCONT)  # a stopped process hears no SIGTERM
    if wait_gone(process, grace_s):
        return False
    process.send(signal.SIGKILL)
    if not wait_gone(process, FORCE_S):
        raise errors.Broken(f"process {process.pid} does not even end by SIGKILL; look at it")
    return True


def wait_gone(process: Known, limit_s: float) -> bool:
    """Wait for a process to end; False where it still runs after `limit_s`."""
    until = time.monotonic() + limit_s
    while process.alive:
        reap()
        if time.monotonic() > until:
            return False
        time.sleep(POLL_S)
    reap()
    return True


def children(process: Known) -> dict[str, Known]:
    """Return the direct children of a process by the last word of their command line."""
    found = {}
    for each in procfs.descendants(process.pid):
        if each.parent == process.pid and procfs.alive(each):
            found[" ".join(command_line(each.pid))] = Known(each.pid, each.started)
    return found


def command_line(pid: int) -> tuple[str, ...]:
    """Return the words that a process was started with."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return ()
    return tuple(word.decode("utf-8", "replace") for word in words if word)


def tail(log: Path, lines: int = LOG_LINES_SHOWN) -> str:
    """Return the last lines of a log, indented."""
    try:
        text = log.read_text("utf-8", "replace")
    except OSError as error:
        return f"  ({log}: {error.strerror})"
    return "\n".join(f"  {line}" for line in text.splitlines()[-lines:])


_children: list[subprocess.Popen[bytes]] = []  # ours to collect, so that none stays a zombie


def reap() -> None:
    """Collect the children of this process that have ended."""
    _children[:] = [child for child in _children if child.poll() is None]
