"""How full a volume is: a mount point as `df` counts it, or a directory against its budget.

The mount table is read with the same rules as the agent's collector reads it, so that an order
names what a sample named: local, writable file systems, and the root of a container.
"""

import functools
import os
import re
from pathlib import Path

from sentienguard.ports import files

_LOCAL = frozenset(
    {
        *("bcachefs", "btrfs", "exfat", "ext2", "ext3", "ext4", "f2fs", "jfs", "ntfs3"),
        *("reiserfs", "tmpfs", "vfat", "xfs", "zfs"),
    }
)
_RUNTIME = ("/dev", "/run", "/proc", "/sys")  # tmpfs here belongs to the system
_ESCAPE = re.compile(r"\\([0-7]{3})")
_FIELDS = 4  # device, place, type, options
_BLOCK_BYTES = 512  # of st_blocks, whatever the file system
MAX_WALKED = 500_000  # entries of a directory with a budget


def mount_points(table: Path = Path("/proc/self/mounts")) -> frozenset[str]:
    """Return where real, local, writable file systems are mounted."""
    return _places(table.read_bytes())


@functools.lru_cache(maxsize=2)  # looked at for every order and every sample, and seldom another
def _places(table: bytes) -> frozenset[str]:
    found = set()
    for line in table.decode("utf-8", "surrogateescape").splitlines():
        fields = line.split(" ")
        if len(fields) < _FIELDS:
            continue
        place = _ESCAPE.sub(lambda octal: chr(int(octal[1], 8)), fields[1])
        if _counts(place, fields[2], fields[3].split(",")):
            found.add(place)
    return frozenset(found)


def _counts(place: str, kind: str, options: list[str]) -> bool:
    if "ro" in options:
        return False
    if kind == "overlay":
        return place == "/"
    runtime = any(f"{place}/".startswith(f"{root}/") for root in _RUNTIME)
    return kind in _LOCAL and not (kind == "tmpfs" and runtime)


def measure(path: str, budget_bytes: int | None) -> files.Volume:
    """Measure a volume. Raises OSError."""
    state = os.statvfs(path)
    inodes_used = state.f_files - state.f_ffree
    inodes = _share(inodes_used, inodes_used + state.f_favail)
    if budget_bytes is not None:
        used = used_below(path)
        free = max(0, min(budget_bytes - used, state.f_bavail * state.f_frsize))
        return files.Volume(path, 100.0 * used / budget_bytes, free, inodes)
    used_blocks = state.f_blocks - state.f_bfree
    share = _share(used_blocks, used_blocks + state.f_bavail)
    return files.Volume(path, share, state.f_bavail * state.f_frsize, inodes)


def used_below(path: str) -> int:
    """Sum what the files below a directory take of its disk; links and other disks left out."""
    device = Path(path).stat().st_dev
    total = walked = 0
    waiting = [path]
    while waiting:
        try:
            entries = os.scandir(waiting.pop())
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            continue
        with entries:
            for entry in entries:
                walked += 1
                if walked > MAX_WALKED:
                    raise OSError(f"{path} holds more than {MAX_WALKED} entries")
                try:
                    state = entry.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue
                if entry.is_dir(follow_symlinks=False):
                    if state.st_dev == device:
                        waiting.append(entry.path)
                elif entry.is_file(follow_symlinks=False):
                    total += min(state.st_size, state.st_blocks * _BLOCK_BYTES)
    return total


def _share(used: int, whole: int) -> float:
    return 100.0 * used / whole if whole > 0 else 0.0
