"""Connections out of packets: who opened each, to where, what it says first, and when it sends."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from sentienguard.cli.traffic import capture

_KEPT_BYTES = 32_768  # of each direction: the part of TLS that is not encrypted fits
_KEPT_PARTS = 1_000  # out of their order, before the gap in front of them is filled
_HALF = 1 << 31
_WHOLE = 1 << 32

End = tuple[str, int]  # address and port


@dataclass(slots=True)
class Stream:
    """One direction of a connection."""

    total: int = 0  # bytes on the network, what was sent again not counted
    start: bytes = b""  # the first bytes, in order
    sent: list[tuple[float, int]] = field(default_factory=list)  # when, how many bytes
    lost: bool = False  # the capture misses a part of the start
    _first: int | None = None  # sequence number of the first byte
    _end: int = 0  # offset of the furthest byte
    _parts: dict[int, bytes] = field(default_factory=dict)

    def begin(self, sequence: int) -> None:
        """Note where numbering starts."""
        self._first = sequence % _WHOLE

    def add(self, packet: capture.Packet) -> None:
        """Take the payload of one packet."""
        if self._first is None:
            self._first, self.lost = packet.sequence, True
        offset = (packet.sequence - self._first) % _WHOLE
        if offset >= _HALF:
            return  # before the beginning: a keep-alive, or sent again
        fresh = offset + packet.length - max(self._end, offset)
        if fresh > 0:
            self.total += fresh
            self.sent.append((packet.at, fresh))
            self._end = max(self._end, offset + packet.length)
        if len(self.start) < _KEPT_BYTES and packet.payload and len(self._parts) < _KEPT_PARTS:
            self._parts.setdefault(offset, packet.payload)
            self._join()

    def _join(self) -> None:
        for offset in sorted(self._parts):
            if offset > len(self.start):
                return
            part = self._parts.pop(offset)
            self.start += part[len(self.start) - offset :]


@dataclass(slots=True)
class Connection:
    """One TCP connection."""

    client: End  # who opened it; where that was before the capture, who seems to have
    server: End
    began: float
    seen_opening: bool
    up: Stream = field(default_factory=Stream)  # from the client
    down: Stream = field(default_factory=Stream)


@dataclass(slots=True)
class Traffic:
    """Everything in a capture."""

    connections: list[Connection] = field(default_factory=list)
    datagrams: dict[tuple[End, End], int] = field(default_factory=dict)  # UDP: packets by ends
    others: int = 0  # packets that are neither TCP nor UDP
    packets: int = 0
    began: float | None = None
    ended: float = 0.0


def gather(packets: Iterable[capture.Packet]) -> Traffic:
    """Put packets together."""
    traffic = Traffic()
    open_: dict[tuple[End, End], Connection] = {}
    for packet in packets:
        traffic.packets += 1
        traffic.began = packet.at if traffic.began is None else traffic.began
        traffic.ended = max(traffic.ended, packet.at)
        if packet.protocol == capture.UDP:
            ends = (packet.source, packet.target)
            traffic.datagrams[ends] = traffic.datagrams.get(ends, 0) + 1
        elif packet.protocol == capture.TCP:
            _take(traffic, open_, packet)
        else:
            traffic.others += 1
    return traffic


def _take(
    traffic: Traffic, open_: dict[tuple[End, End], Connection], packet: capture.Packet
) -> None:
    ends, back = (packet.source, packet.target), (packet.target, packet.source)
    opening = packet.flags & (capture.SYN | capture.ACK) == capture.SYN
    found = open_.get(ends) or open_.get(back)
    if found is None or (opening and found.up.total + found.down.total):
        if not opening and not packet.length:
            return  # the end of a connection that the capture did not see
        found = _meet(packet, opening=opening)
        open_.pop(back, None)
        open_[ends] = found
        traffic.connections.append(found)
    stream = found.up if packet.source == found.client else found.down
    if packet.flags & capture.SYN:
        stream.begin(packet.sequence + 1)
    elif packet.length:
        stream.add(packet)


def _meet(packet: capture.Packet, *, opening: bool) -> Connection:
    """Begin a connection; without its opening, the higher port is taken for the client's."""
    client, server = packet.source, packet.target
    if not opening and client[1] < server[1]:
        client, server = server, client
    return Connection(client, server, packet.at, seen_opening=opening)
