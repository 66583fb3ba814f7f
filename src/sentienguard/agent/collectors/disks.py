"""How full each mounted disk is, from /proc/self/mounts and statvfs.

Gives system.disk_usage_percent, system.disk_free_bytes and system.inode_usage_percent by mount
point, as `df` counts them: used against what an unprivileged process could have.

Left out: kernel file systems, read-only mounts (nobody can fill or clean them), further mounts of
the same device, and file systems that live elsewhere (NFS, FUSE): asking one whose server is gone
would stop the sampler. The owner can watch such a directory as a volume.
"""

import os
import re

from sentienguard.agent import collectors
from sentienguard.stages.observe import redact

MOST_MOUNTS = 64
_LOCAL = frozenset(
    {b"bcachefs", b"btrfs", b"exfat", b"ext2", b"ext3", b"ext4", b"f2fs", b"jfs", b"ntfs3",
     b"reiserfs", b"tmpfs", b"vfat", b"xfs", b"zfs"}
)  # fmt: skip
_RUNTIME = ("/dev", "/run", "/proc", "/sys")  # tmpfs here belongs to the system
_ESCAPE = re.compile(rb"\\([0-7]{3})")


class Disks(collectors.Unprepared):
    """Looks at the mount table anew for each sample; mounts come and go."""

    name = "disks"

    def __init__(self, mounts: str = "/proc/self/mounts") -> None:
        self._file = collectors.KernelFile(mounts)

    def read(self, into: collectors.Reading) -> None:
        """Add three readings for each disk; one that cannot be asked leaves its readings out."""
        failed: OSError | None = None
        for mount in mounted(self._file.read()):
            try:
                add_volume(into, mount, os.statvfs(mount))
            except OSError as error:
                failed = error
        if failed is not None:
            raise failed


def mounted(text: bytes) -> list[str]:
    """Return the mount points of real, local, writable disks, each device once."""
    chosen: dict[bytes, bytes] = {}
    for line in text.split(b"\n"):
        fields = line.split(b" ")
        if len(fields) < 4:  # noqa: PLR2004 - device, place, type, options
            continue
        device, place, kind, options = fields[:4]
        place = _ESCAPE.sub(lambda octal: bytes([int(octal[1], 8) & 0xFF]), place)
        if not _counts(place, kind, options.split(b",")):
            continue
        key = place if kind in {b"tmpfs", b"overlay"} else device
        if key not in chosen or len(place) < len(chosen[key]):
            chosen[key] = place
    return [os.fsdecode(place) for place in list(chosen.values())[:MOST_MOUNTS]]


def _counts(place: bytes, kind: bytes, options: list[bytes]) -> bool:
    if b"ro" in options:
        return False
    if kind == b"overlay":
        return place == b"/"  # the root of a container
    runtime = any(os.fsdecode(place + b"/").startswith(f"{root}/") for root in _RUNTIME)
    return kind in _LOCAL and not (kind == b"tmpfs" and runtime)


def add_volume(into: collectors.Reading, subject: str, state: os.statvfs_result) -> None:
    """Add what statvfs says of one volume; one without blocks or inodes leaves that out."""
    name = redact.printable(subject)
    used, free = state.f_blocks - state.f_bfree, state.f_bavail
    if used + free > 0:
        into.values["system.disk_usage_percent", name] = round(100 * used / (used + free), 2)
        into.values["system.disk_free_bytes", name] = collectors.significant(
            free * state.f_frsize, 4
        )
    inodes_used, inodes_free = state.f_files - state.f_ffree, state.f_favail
    if inodes_used + inodes_free > 0:
        share = 100 * inodes_used / (inodes_used + inodes_free)
        into.values["system.inode_usage_percent", name] = round(share, 2)
