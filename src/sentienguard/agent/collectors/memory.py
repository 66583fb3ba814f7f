"""Memory and swap in use, from /proc/meminfo.

Gives system.memory_percent (what is not available without swapping; the page cache is available)
and system.swap_percent (0 where there is no swap).
"""

from sentienguard.agent import collectors

_WANTED = frozenset({b"MemTotal", b"MemAvailable", b"SwapTotal", b"SwapFree"})


class Memory(collectors.Unprepared):
    """Reads four lines of /proc/meminfo."""

    name = "memory"

    def __init__(self, path: str = "/proc/meminfo") -> None:
        self._file = collectors.KernelFile(path)

    def read(self, into: collectors.Reading) -> None:
        """Add both percentages."""
        kilobytes: dict[bytes, int] = {}
        for line in self._file.read().split(b"\n"):
            name, _, rest = line.partition(b":")
            if name in _WANTED:
                kilobytes[name] = int(rest.split()[0])
        if missing := _WANTED - kilobytes.keys():
            raise ValueError(f"/proc/meminfo: {min(missing).decode()} is missing")
        total, swap = kilobytes[b"MemTotal"], kilobytes[b"SwapTotal"]
        used = 100 * (1 - kilobytes[b"MemAvailable"] / total)
        swapped = 100 * (1 - kilobytes[b"SwapFree"] / swap) if swap else 0.0
        into.values["system.memory_percent", ""] = round(used, 1)
        into.values["system.swap_percent", ""] = round(swapped, 1)
