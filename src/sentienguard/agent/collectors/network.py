"""Traffic and errors of each network interface since the sample before, from /proc/net/dev.

Gives system.network_rx_bytes_per_s, system.network_tx_bytes_per_s and system.network_errors_per_s,
by interface. The loopback and the host ends of containers' cables (veth) are left out.
"""

from sentienguard.agent import collectors
from sentienguard.stages.observe import redact

MOST_INTERFACES = 32  # a router with more shows its first ones
_FIELDS = 16
_RX_BYTES, _RX_ERRORS, _TX_BYTES, _TX_ERRORS = 0, 2, 8, 10
_SKIPPED = ("lo", "veth")

_Counters = tuple[int, int, int]  # received bytes, sent bytes, errors of both directions


class Network(collectors.Unprepared):
    """Keeps the counters of the sample before."""

    name = "network"

    def __init__(self, path: str = "/proc/net/dev") -> None:
        self._file = collectors.KernelFile(path)
        self._before: dict[str, _Counters] = {}
        self._before_ns = 0

    def read(self, into: collectors.Reading) -> None:
        """Add three rates for each interface that was there a sample ago."""
        now = _counters(self._file.read())
        before, self._before = self._before, now
        seconds, self._before_ns = (into.at_ns - self._before_ns) / 1e9, into.at_ns
        for interface, counters in now.items():
            earlier = before.get(interface)
            if earlier is None or seconds <= 0:
                continue
            rx, tx, errors = (
                collectors.significant(max(new - old, 0) / seconds)
                for new, old in zip(counters, earlier, strict=True)
            )
            into.values["system.network_rx_bytes_per_s", interface] = rx
            into.values["system.network_tx_bytes_per_s", interface] = tx
            into.values["system.network_errors_per_s", interface] = errors


def _counters(text: bytes) -> dict[str, _Counters]:
    found: dict[str, _Counters] = {}
    for line in text.split(b"\n")[2:]:
        name, colon, rest = line.partition(b":")
        interface = redact.printable(name.strip().decode(errors="replace"))
        fields = rest.split()
        if (
            not colon
            or left_out(interface)
            or len(fields) < _FIELDS
            or len(found) >= MOST_INTERFACES
        ):
            continue
        errors = int(fields[_RX_ERRORS]) + int(fields[_TX_ERRORS])
        found[interface] = (int(fields[_RX_BYTES]), int(fields[_TX_BYTES]), errors)
    return found


def left_out(interface: str) -> bool:
    """Tell whether an interface is the loopback or the host end of a container's cable."""
    return interface == _SKIPPED[0] or interface.startswith(_SKIPPED[1])
