"""What a run left: processes, mounts and files below the directory of one bed.

Called when a bed is taken down, and before a run for the beds of runs that were killed. A bed's
directory has a name of its own, so that whatever names it belongs to that bed: a process whose
command line, environment, working directory or root lies there, a mount below it. Nothing else is
touched.
"""

import fcntl
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

from sentienguard.adapters.local_host import procfs
from sentienguard.model import errors
from sentienguard.ports import processes

LOCK = "lock"
GONE_S = 10.0  # after SIGKILL only what is stuck in the kernel is still there
MOUNTS = Path("/proc/self/mountinfo")


class StillThere(errors.Unavailable):
    """Something of a bed could not be removed."""


def lock(bed: Path) -> int:
    """Mark a bed as in use, until the descriptor is closed or this process ends."""
    descriptor = os.open(bed / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return descriptor


def sweep(beds: Path) -> list[str]:
    """Remove every bed below a directory that no living run uses; return their names."""
    removed = []
    for bed in sorted(beds.iterdir()) if beds.is_dir() else ():
        if not bed.is_dir():
            continue
        try:
            descriptor = lock(bed)
        except OSError:
            continue  # a run that lives
        try:
            remove(bed)
        finally:
            os.close(descriptor)
        removed.append(bed.name)
    return removed


def remove(bed: Path) -> None:
    """End all processes of a bed, unmount all below it, delete it. Raises StillThere."""
    until = time.monotonic() + GONE_S
    found = of(bed)
    while found:
        if time.monotonic() > until:
            raise StillThere(f"{bed}: process {found[0].pid} ({found[0].name}) does not end")
        for one in found:
            procfs.send(one, signal.SIGKILL)
        time.sleep(0.05)
        # Whose parent has ended is nobody's descendant any more, and may still be ending itself.
        found = [*(one for one in found if procfs.alive(one)), *of(bed)]
    for place in mounts(bed):
        done = subprocess.run(  # noqa: S603  # argv written here, no shell
            ["/bin/umount", "--lazy", str(place)], capture_output=True, text=True, check=False
        )
        if done.returncode != 0 and os.path.ismount(place):
            raise StillThere(f"{place} cannot be unmounted: {done.stderr.strip()}")
    shutil.rmtree(bed, ignore_errors=True)


def of(bed: Path) -> list[processes.Process]:
    """Return the living processes that belong to a bed, and those below them."""
    mark = os.fsencode(bed)
    mine = {pid for pid in procfs.pids() if pid != os.getpid() and _names(pid, mark)}
    below = {one.pid for pid in mine for one in procfs.descendants(pid)}
    found = [procfs.find(pid) for pid in sorted((mine | below) - {os.getpid()})]
    return [one for one in found if one is not None and procfs.alive(one)]


def mounts(bed: Path) -> list[Path]:
    """Return the mount points below a bed, the deepest first."""
    found = []
    for line in MOUNTS.read_bytes().splitlines():
        place = Path(os.fsdecode(line.split(b" ")[4].replace(b"\\040", b" ")))
        if place == bed or bed in place.parents:
            found.append(place)
    return sorted(found, key=lambda one: (len(one.parts), str(one)), reverse=True)


def _names(pid: int, mark: bytes) -> bool:
    """Tell whether a process says that it belongs there; its end on the way is a no."""
    place = Path("/proc") / str(pid)
    for name in ("cmdline", "environ"):
        try:
            if mark in (place / name).read_bytes():
                return True
        except OSError:
            return False
    for name in ("cwd", "root"):
        try:
            link = os.fsencode((place / name).readlink())
        except OSError:
            return False
        if link == mark or link.startswith(mark + b"/"):
            return True
    return False
