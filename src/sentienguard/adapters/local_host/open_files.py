"""Deleted files that the services of this machine still write to, seen through /proc/PID/fd."""

import os
import stat
from collections.abc import Iterator

from sentienguard.adapters.local_host import procfs
from sentienguard.ports import open_files, processes, services

_GONE = " (deleted)"
_WRITING = os.O_WRONLY | os.O_RDWR
_PROCESSES, _DESCRIPTORS = 256, 65_536  # looked at for one service


class LocalOpenFiles:
    """A ports.open_files.OpenFiles."""

    def __init__(self, known: services.Services) -> None:
        """Take the port that knows which process a service is."""
        self._services = known

    def deleted(self, service: str) -> tuple[open_files.Held, ...]:
        """Find them; see the port."""
        found: dict[tuple[int, int], open_files.Held] = {}
        for process in self._family(service):
            for held in _held(process):
                found.setdefault((held.device, held.inode), held)
        return tuple(sorted(found.values(), key=lambda held: -held.size))

    def truncate(self, held: open_files.Held) -> bool:
        """Cut it through its descriptor; see the port."""
        if not procfs.lives(held.pid, held.started):
            return False
        try:
            descriptor = os.open(
                f"/proc/{held.pid}/fd/{held.descriptor}",
                os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC,
            )
        except FileNotFoundError:
            return False
        except OSError as error:
            raise open_files.OpenFilesUnreadable(f"{held.path}: {error.strerror}") from error
        try:
            now = os.fstat(descriptor)
            same = (now.st_dev, now.st_ino) == (held.device, held.inode)
            if not same or now.st_nlink or not stat.S_ISREG(now.st_mode):
                return False
            os.ftruncate(descriptor, 0)
        except OSError as error:
            raise open_files.OpenFilesUnreadable(f"{held.path}: {error.strerror}") from error
        finally:
            os.close(descriptor)
        return True

    def percent(self, service: str) -> float:
        """Return the open files of the service's fullest process, in percent of its limit."""
        shares = []
        for process in self._family(service):
            limit = _limit(process.pid)
            shares.append(100 * sum(1 for _ in _descriptors(process.pid)) / limit if limit else 0)
        return max(shares, default=0.0)

    def _family(self, service: str) -> tuple[processes.Process, ...]:
        pid = self._services.state(service).pid
        main = None if pid is None else procfs.find(pid)
        if main is None:
            return ()
        return (main, *procfs.descendants(main.pid))[:_PROCESSES]


def _held(process: processes.Process) -> Iterator[open_files.Held]:
    for name in _descriptors(process.pid):
        place = f"/proc/{process.pid}/fd/{name}"
        try:
            path = os.readlink(place)  # noqa: PTH115 - the text as the kernel wrote it
            if not path.endswith(_GONE) or not path.startswith("/"):
                continue
            found = os.stat(place)  # noqa: PTH116 - follows what no path leads to
            if found.st_nlink or not stat.S_ISREG(found.st_mode) or not _writes(process.pid, name):
                continue
        except OSError:
            continue  # closed meanwhile
        yield open_files.Held(
            pid=process.pid,
            started=process.started,
            descriptor=int(name),
            device=found.st_dev,
            inode=found.st_ino,
            path=path.removesuffix(_GONE),
            size=found.st_blocks * 512,
        )


def _descriptors(pid: int) -> Iterator[str]:
    try:
        with os.scandir(f"/proc/{pid}/fd") as entries:
            for count, entry in enumerate(entries):
                if count >= _DESCRIPTORS:
                    return
                yield entry.name
    except FileNotFoundError:
        return
    except PermissionError as error:
        raise open_files.OpenFilesUnreadable(
            f"the open files of process {pid} belong to another user"
        ) from error


def _writes(pid: int, name: str) -> bool:
    text = (procfs.PROC / str(pid) / "fdinfo" / name).read_text("ascii", "replace")
    flags = next((line for line in text.splitlines() if line.startswith("flags:")), "flags: 0")
    return bool(int(flags.split()[1], 8) & _WRITING)


def _limit(pid: int) -> int:
    try:
        text = (procfs.PROC / str(pid) / "limits").read_text("ascii", "replace")
    except OSError:
        return 0
    line = next((one for one in text.splitlines() if one.startswith("Max open files")), "")
    words = line.split()
    return int(words[3]) if len(words) > 3 and words[3].isdigit() else 0  # noqa: PLR2004 - soft
