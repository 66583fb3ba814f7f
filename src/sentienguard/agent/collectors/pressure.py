"""How long work had to wait for processor, memory and disks, from /proc/pressure.

Gives system.pressure_percent (some task waited) and system.pressure_full_percent (no task could go
on) by resource: `cpu`, `memory`, `io`; the share of the time since the sample before, 0 to 100.

A kernel without pressure accounting, or one started with psi=0, gives nothing and is no failure.
"""

import errno

from sentienguard.agent import collectors
from sentienguard.agent.collectors import rates

_RESOURCES = ("cpu", "memory", "io")
_METRICS = {b"some": "system.pressure_percent", b"full": "system.pressure_full_percent"}
_ABSENT = frozenset({errno.ENOENT, errno.EOPNOTSUPP})
_TOTAL = b"total="


class Pressure(collectors.Unprepared):
    """Keeps the microseconds of waiting at the sample before."""

    name = "pressure"

    def __init__(self, directory: str = "/proc/pressure") -> None:
        self._files = {
            name: collectors.KernelFile(f"{directory}/{name}", 512) for name in _RESOURCES
        }
        self._waited = rates.Growth[tuple[str, str]]()

    def read(self, into: collectors.Reading) -> None:
        """Add up to six shares, from the second sample on."""
        now: dict[tuple[str, str], int] = {}
        for resource, file in self._files.items():
            try:
                now |= _totals(file.read(), resource)
            except OSError as error:
                if error.errno not in _ABSENT:
                    raise
        seconds, grown = self._waited.since(now, into.at_ns)
        for series, microseconds in grown.items():
            into.values[series] = round(min(microseconds / seconds / 1e4, 100.0), 1)


def _totals(text: bytes, resource: str) -> dict[tuple[str, str], int]:
    """Return microseconds by (metric, resource)."""
    found: dict[tuple[str, str], int] = {}
    for line in text.splitlines():
        kind, _, rest = line.partition(b" ")
        total = rest.rpartition(_TOTAL)[2]
        if kind == b"full" and resource == "cpu":
            continue  # for the whole host it has no meaning; the kernel writes zeros
        if kind not in _METRICS or not total.isdigit():
            raise ValueError(f"/proc/pressure/{resource}: expected some, full and total=N")
        found[_METRICS[kind], resource] = int(total)
    return found
