"""How full the kernel's own tables are: open files, tracked connections, and kills for memory.

Gives system.open_files_percent (of the whole host's limit), system.conntrack_percent (where
connections are tracked), and system.oom_kills (processes that the kernel killed for want of memory
since the sample before).
"""

from sentienguard.agent import collectors
from sentienguard.agent.collectors import rates

_OOM = b"oom_kill"
_LEAST_FIELDS = 3  # of file-nr: allocated, unused, limit


class KernelTables(collectors.Unprepared):
    """Reads four small files."""

    name = "kernel_tables"

    def __init__(self, root: str = "/proc") -> None:
        self._files = collectors.KernelFile(f"{root}/sys/fs/file-nr", 256)
        tracked = f"{root}/sys/net/netfilter/nf_conntrack"
        self._tracked = collectors.KernelFile(f"{tracked}_count", 64)
        self._trackable = collectors.KernelFile(f"{tracked}_max", 64)
        self._vmstat = collectors.KernelFile(f"{root}/vmstat")
        self._kills = rates.Growth[bytes]()

    def read(self, into: collectors.Reading) -> None:
        """Add up to three readings."""
        files = [int(field) for field in self._files.read().split()]
        if len(files) < _LEAST_FIELDS or files[2] <= 0:
            raise ValueError("/proc/sys/fs/file-nr: expected three numbers")
        _, killed = self._kills.since(_oom_kills(self._vmstat.read()), into.at_ns)
        connections = self._conntrack()
        into.values["system.open_files_percent", ""] = _share(files[0] - files[1], files[2])
        if connections is not None:
            into.values["system.conntrack_percent", ""] = connections
        if _OOM in killed:
            into.values["system.oom_kills", ""] = killed[_OOM]

    def _conntrack(self) -> float | None:
        try:
            used, most = int(self._tracked.read()), int(self._trackable.read())
        except FileNotFoundError:
            return None  # the module is not loaded: no connection is tracked
        return _share(used, most) if most > 0 else None


def _share(used: int, most: int) -> float:
    return round(100 * used / most, 2)


def _oom_kills(text: bytes) -> dict[bytes, int]:
    """Return the counter of /proc/vmstat; kernels before 4.13 have none."""
    for line in text.splitlines():
        name, _, count = line.partition(b" ")
        if name == _OOM:
            return {name: int(count)}
    return {}
