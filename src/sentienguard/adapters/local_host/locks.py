"""Lock files of this machine: whose process is gone, and nobody holds them in the kernel."""

import contextlib
import fcntl
import os
import re
import stat
import time
from collections.abc import Sequence
from pathlib import Path

from sentienguard.adapters.local_host import procfs
from sentienguard.ports import locks

MOST_ENTRIES = 1_000  # of one directory
MOST_BYTES = 64  # of a lock file that names a process
CLOCK_SLACK_S = 10.0  # wall clocks step, and file systems round
_NUMBER = re.compile(r"\s*([1-9][0-9]{0,9})\s*")
_FLAGS = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class LocalLocks:
    """A ports.locks.Locks."""

    def __init__(self, directories: Sequence[str]) -> None:
        """Take the lock directories that the owner of the host declared."""
        self._directories = tuple(directories)

    def stale(self, min_age_s: float) -> tuple[locks.Lock, ...]:
        """Find them; see the port."""
        found = [
            lock
            for directory in self._directories
            for name in _names(directory)
            if (lock := _stale(f"{directory}/{name}")) is not None
            and time.time() - lock.modified_ns / 1e9 >= min_age_s
        ]
        return tuple(sorted(found, key=lambda lock: (lock.modified_ns, lock.path)))

    def remove(self, stale: Sequence[locks.Lock]) -> int:
        """Remove what is still stale and the same; see the port."""
        removed = 0
        for lock in stale:
            self._ours(lock)
            if _stale(lock.path) != lock:
                continue
            try:
                os.unlink(lock.path)  # noqa: PTH108 - no Path is needed
                removed += 1
            except FileNotFoundError:
                continue
            except OSError as error:
                raise locks.LocksUnreadable(f"{lock.path}: {error.strerror}") from error
        return removed

    def put_back(self, stale: Sequence[locks.Lock]) -> int:
        """Write them where nobody has taken the place; see the port."""
        there = 0
        for lock in stale:
            self._ours(lock)
            with contextlib.suppress(FileExistsError):
                _write(lock)
            there += _stale(lock.path) == lock
        return there

    def _ours(self, lock: locks.Lock) -> None:
        if lock.path.rpartition("/")[0] not in self._directories:
            raise locks.LocksUnreadable(f"{lock.path} is in no lock directory of this host")


def _names(directory: str) -> list[str]:
    try:
        return sorted(os.listdir(directory))[:MOST_ENTRIES]  # noqa: PTH208 - names only
    except FileNotFoundError:
        return []
    except OSError as error:
        raise locks.LocksUnreadable(f"{directory}: {error.strerror}") from error


def _stale(path: str) -> locks.Lock | None:
    """Return the lock file if its process is gone and nobody holds it."""
    try:
        descriptor = os.open(path, os.O_RDONLY | _FLAGS)
    except OSError:
        return None
    try:
        about = os.fstat(descriptor)
        small = 0 < about.st_size <= MOST_BYTES and about.st_nlink == 1
        if not stat.S_ISREG(about.st_mode) or not small:
            return None
        text = os.read(descriptor, MOST_BYTES).decode("ascii", "replace")
        named = _NUMBER.fullmatch(text)
        if named is None or _lives(int(named[1]), about.st_mtime) or _held(descriptor):
            return None
    except OSError:
        return None
    finally:
        os.close(descriptor)
    return locks.Lock(
        path=path,
        pid=int(named[1]),
        content=text,
        mode=stat.S_IMODE(about.st_mode),
        owner=about.st_uid,
        group=about.st_gid,
        modified_ns=about.st_mtime_ns,
    )


def _lives(pid: int, written: float) -> bool:
    """Tell whether the process that wrote the file may still live; a later one is another."""
    process = procfs.find(pid)
    if process is None or not procfs.alive(process):
        return False
    return time.time() - process.uptime_s <= written + CLOCK_SLACK_S


def _held(descriptor: int) -> bool:
    """Tell whether somebody holds a flock or a record lock on it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        fcntl.flock(descriptor, fcntl.LOCK_UN)
        fcntl.lockf(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        fcntl.lockf(descriptor, fcntl.LOCK_UN)
    except OSError:
        return True
    return False


def _write(lock: locks.Lock) -> None:
    try:
        descriptor = os.open(lock.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _FLAGS, lock.mode)
    except FileExistsError:
        raise
    except OSError as error:
        raise locks.LocksUnreadable(f"{lock.path}: {error.strerror}") from error
    try:
        os.write(descriptor, lock.content.encode("ascii", "replace"))
        os.fchmod(descriptor, lock.mode)
        with contextlib.suppress(PermissionError):
            os.fchown(descriptor, lock.owner, lock.group)
    finally:
        os.close(descriptor)
    os.utime(lock.path, ns=(lock.modified_ns, lock.modified_ns))


def here(directories: Sequence[str]) -> tuple[str, ...]:
    """Return those that exist, links resolved, each once: /var/lock is mostly /run/lock."""
    real = (str(Path(one).resolve()) for one in directories if Path(one).is_dir())
    return tuple(dict.fromkeys(real))
