"""Load averages and time since boot, from /proc/loadavg and /proc/uptime.

Gives system.load_average_1m, _5m, _15m and system.uptime_s (to ten seconds: it only has to show a
reboot).
"""

from sentienguard.agent import collectors

_AVERAGES = ("system.load_average_1m", "system.load_average_5m", "system.load_average_15m")


class Load(collectors.Unprepared):
    """Reads two one-line files."""

    name = "load"

    def __init__(self, loadavg: str = "/proc/loadavg", uptime: str = "/proc/uptime") -> None:
        self._loadavg = collectors.KernelFile(loadavg, 256)
        self._uptime = collectors.KernelFile(uptime, 256)

    def read(self, into: collectors.Reading) -> None:
        """Add four readings."""
        averages = [float(field) for field in self._loadavg.read().split()[:3]]
        if len(averages) != len(_AVERAGES):
            raise ValueError("/proc/loadavg: expected three averages")
        uptime = int(float(self._uptime.read().split()[0]))
        for metric, average in zip(_AVERAGES, averages, strict=True):
            into.values[metric, ""] = average
        into.values["system.uptime_s", ""] = uptime - uptime % 10
