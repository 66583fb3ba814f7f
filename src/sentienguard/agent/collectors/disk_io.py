"""How busy each disk is and how long it takes to answer, from /proc/diskstats.

Gives system.disk_latency_ms (mean of the requests that ended since the sample before),
system.disk_busy_percent (share of the time with a request under way), system.disk_read_bytes_per_s
and system.disk_write_bytes_per_s, by device. A device that did nothing has no latency.

Left out: partitions (their disk is shown), loop devices, RAM disks and devices that never did
anything.
"""

from sentienguard.agent import collectors
from sentienguard.agent.collectors import rates
from sentienguard.stages.observe import redact

MOST_DEVICES = 32
_SECTOR_BYTES = 512  # of this file, whatever the disk has
_FIELDS = 14  # major, minor, name and the first eleven counters
_READS, _READ_SECTORS, _READ_MS = 3, 5, 6
_WRITES, _WRITTEN_SECTORS, _WRITE_MS, _BUSY_MS = 7, 9, 10, 12
_COUNTED = (_READS, _READ_SECTORS, _READ_MS, _WRITES, _WRITTEN_SECTORS, _WRITE_MS, _BUSY_MS)
_SKIPPED = ("loop", "ram", "zram", "sr", "fd")


class DiskIo(collectors.Unprepared):
    """Keeps the counters of the sample before."""

    name = "disk_io"

    def __init__(self, path: str = "/proc/diskstats") -> None:
        self._file = collectors.KernelFile(path)
        self._growth = rates.Growth[tuple[str, int]]()

    def read(self, into: collectors.Reading) -> None:
        """Add four readings for each disk, from the second sample on."""
        now = _counters(self._file.read())
        seconds, grown = self._growth.since(now, into.at_ns)
        for device in dict.fromkeys(name for name, _ in grown):
            counts = [grown.get((device, field)) for field in _COUNTED]
            if any(count is None for count in counts):
                continue  # one counter started again, so no two of them belong together
            reads, read, read_ms, writes, written, write_ms, busy_ms = (
                count or 0 for count in counts
            )
            if requests := reads + writes:
                latency = (read_ms + write_ms) / requests
                into.values["system.disk_latency_ms", device] = collectors.significant(latency)
            busy = min(busy_ms / seconds / 10, 100.0)
            into.values["system.disk_busy_percent", device] = round(busy, 1)
            for metric, sectors in (
                ("system.disk_read_bytes_per_s", read),
                ("system.disk_write_bytes_per_s", written),
            ):
                rate = collectors.significant(sectors * _SECTOR_BYTES / seconds)
                into.values[metric, device] = rate


def _counters(text: bytes) -> dict[tuple[str, int], int]:
    """Return the counters of each whole disk that ever did something."""
    found: dict[tuple[str, int], int] = {}
    disks: list[str] = []
    for line in text.splitlines():
        fields = line.split()
        if len(fields) < _FIELDS:
            raise ValueError(f"/proc/diskstats: expected {_FIELDS} fields, found {len(fields)}")
        device = redact.printable(fields[2].decode(errors="replace"))
        idle = fields[_READS] == fields[_WRITES] == b"0"
        if idle or device.startswith(_SKIPPED) or _is_partition(device, disks):
            continue
        if len(disks) == MOST_DEVICES:
            break
        disks.append(device)
        found |= {(device, field): int(fields[field]) for field in _COUNTED}
    return found


def _is_partition(device: str, disks: list[str]) -> bool:
    """Tell whether a device is a part of one before it: sda1 of sda, nvme0n1p2 of nvme0n1."""
    for disk in disks:
        rest = device.removeprefix(disk)
        if rest != device and rest.removeprefix("p").isdigit():
            return not disk[-1].isdigit() or rest.startswith("p")
    return False
