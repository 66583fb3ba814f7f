"""How busy the processors were since the sample before, from /proc/stat.

Gives system.cpu_percent: the share of all processors' time that was not idle and not waiting for
disks, 0 to 100.
"""

from sentienguard.agent import collectors

_IDLE = 3  # position in the line "cpu user nice system idle iowait irq softirq steal guest ..."
_IOWAIT = 4
_COUNTED = 8  # guest time is already in user time


class Cpu(collectors.Unprepared):
    """Keeps the counters of the sample before."""

    name = "cpu"

    def __init__(self, path: str = "/proc/stat") -> None:
        self._file = collectors.KernelFile(path)
        self._before: tuple[int, int] | None = None

    def read(self, into: collectors.Reading) -> None:
        """Add system.cpu_percent, from the second sample on."""
        first = self._file.read().split(b"\n", 1)[0].split()
        if len(first) <= _IOWAIT or first[0] != b"cpu":
            raise ValueError(f"/proc/stat: expected `cpu` and counters, found {first[:2]}")
        ticks = [int(field) for field in first[1 : 1 + _COUNTED]]
        total, idle = sum(ticks), ticks[_IDLE] + ticks[_IOWAIT]
        before, self._before = self._before, (total, idle)
        if before is None or total <= before[0]:
            return
        busy = 1 - (idle - before[1]) / (total - before[0])
        into.values["system.cpu_percent", ""] = round(min(max(100 * busy, 0.0), 100.0), 1)
