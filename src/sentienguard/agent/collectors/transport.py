"""How well TCP gets through, and which interfaces are up.

Gives system.tcp_retransmit_percent (of the segments sent since the sample before; left out where
fewer than `LEAST_SEGMENTS` were), system.listen_drops_per_s (connections that a full queue of a
listening program turned away), and system.interface_up (1 or 0) by interface.

From /proc/net/snmp, /proc/net/netstat and /sys/class/net. Interfaces as in `network`.
"""

import os

from sentienguard.agent import collectors
from sentienguard.agent.collectors import network, rates
from sentienguard.stages.observe import redact

LEAST_SEGMENTS = 100  # sent between two samples; a share of fewer says nothing
_SENT, _AGAIN, _DROPPED = "OutSegs", "RetransSegs", "ListenDrops"
_UP = frozenset({b"up", b"unknown"})  # tunnels and bridges do not know


class Transport(collectors.Unprepared):
    """Keeps the counters of the sample before."""

    name = "transport"

    def __init__(self, root: str = "/proc/net", interfaces: str = "/sys/class/net") -> None:
        self._snmp = collectors.KernelFile(f"{root}/snmp")
        self._netstat = collectors.KernelFile(f"{root}/netstat")
        self._interfaces = interfaces
        self._growth = rates.Growth[str]()

    def read(self, into: collectors.Reading) -> None:
        """Add up to two rates, and one reading for each interface."""
        now = _named(self._snmp.read(), b"Tcp:", (_SENT, _AGAIN))
        now |= _named(self._netstat.read(), b"TcpExt:", (_DROPPED,))
        up = self._up()
        seconds, grown = self._growth.since(now, into.at_ns)
        if grown.get(_SENT, 0) >= LEAST_SEGMENTS and _AGAIN in grown:
            share = min(100 * grown[_AGAIN] / grown[_SENT], 100.0)
            into.values["system.tcp_retransmit_percent", ""] = round(share, 2)
        if _DROPPED in grown:
            rate = collectors.significant(grown[_DROPPED] / seconds)
            into.values["system.listen_drops_per_s", ""] = rate
        into.values.update(up)

    def _up(self) -> dict[tuple[str, str], float]:
        found: dict[tuple[str, str], float] = {}
        for name in sorted(os.listdir(self._interfaces)):  # noqa: PTH208 - names only
            if network.left_out(name) or len(found) == network.MOST_INTERFACES:
                continue
            try:
                with open(f"{self._interfaces}/{name}/operstate", "rb") as file:  # noqa: PTH123
                    state = file.read(32).strip()
            except OSError:
                continue  # gone since it was listed, or a file like bonding_masters
            found["system.interface_up", redact.printable(name)] = int(state in _UP)
        return found


def _named(text: bytes, table: bytes, wanted: tuple[str, ...]) -> dict[str, int]:
    """Return counters of one table, which is a line of names and a line of numbers."""
    lines = [line.split() for line in text.splitlines() if line.startswith(table)]
    if len(lines) != 2 or len(lines[0]) != len(lines[1]):  # noqa: PLR2004 - names, numbers
        raise ValueError(f"{table.decode()} expected names and as many numbers")
    row = dict(zip(lines[0], lines[1], strict=True))
    return {name: int(row[name.encode()]) for name in wanted if name.encode() in row}
