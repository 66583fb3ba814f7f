"""Packets out of a capture file: pcap in both byte orders and resolutions, and pcapng.

A file that ends in the middle of a packet (the capture was killed) gives what is whole. Packets
that are no TCP or UDP over IP are counted by the caller as they come: `Packet.protocol` names them.
"""

import ipaddress
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from sentienguard.model import errors

TCP, UDP = 6, 17
FIN, SYN, RST, ACK = 0x01, 0x02, 0x04, 0x10
_MICROSECONDS, _NANOSECONDS = 0xA1B2C3D4, 0xA1B23C4D
_SECTION, _INTERFACE, _ENHANCED, _SIMPLE = 0x0A0D0D0A, 1, 6, 3
_BYTE_ORDER = 0x1A2B3C4D
_RESOLUTION = 9  # the option of an interface
_LOOPBACK, _ETHERNET, _RAW, _RAW_LINUX, _COOKED, _COOKED_2 = 0, 1, 101, 12, 113, 276
_VLAN = frozenset({0x8100, 0x88A8})
_IPV4, _IPV6 = 0x0800, 0x86DD
_MOST_PACKET = 1 << 20  # bytes; larger ones are no packets


class NotACapture(errors.Rejected):
    """The file is no capture that can be read."""


@dataclass(frozen=True, slots=True)
class Packet:
    """One packet, as far as it was captured."""

    at: float  # seconds since 1970
    protocol: int  # of IP; TCP and UDP have ports, 0: not IP
    source: tuple[str, int]  # address and port
    target: tuple[str, int]
    flags: int = 0  # of TCP
    sequence: int = 0
    payload: bytes = b""
    length: int = 0  # bytes of payload on the network, captured or not


def packets(data: bytes) -> Iterator[Packet]:
    """Yield every packet in its order. Raises NotACapture."""
    if len(data) < 24:  # noqa: PLR2004 - the shorter of both headers
        raise NotACapture("expected a capture (pcap or pcapng), found a file of a few bytes")
    first = struct.unpack("<I", data[:4])[0]
    frames = _pcapng(data) if first == _SECTION else _pcap(data)
    for at, link, frame, length in frames:
        yield _packet(at, link, frame, length)


_Frames = Iterator[tuple[float, int, bytes, int]]  # time, kind of link, bytes, length on the wire


def _pcap(data: bytes) -> _Frames:
    for order in "<>":
        magic = struct.unpack(f"{order}I", data[:4])[0]
        if magic in {_MICROSECONDS, _NANOSECONDS}:
            break
    else:
        raise NotACapture(
            f"expected a capture of tcpdump or Wireshark, found a file that begins with"
            f" {data[:4].hex(' ')}"
        )
    scale = 1e-9 if magic == _NANOSECONDS else 1e-6
    link = struct.unpack(f"{order}I", data[20:24])[0] & 0xFFFF
    place = 24
    while place + 16 <= len(data):
        seconds, part, captured, length = struct.unpack(f"{order}IIII", data[place : place + 16])
        place += 16
        if captured > _MOST_PACKET:
            raise NotACapture(f"byte {place}: a packet of {captured} bytes")
        if place + captured > len(data):
            return
        yield seconds + part * scale, link, data[place : place + captured], length
        place += captured


def _pcapng(data: bytes) -> _Frames:
    place, order = 0, "<"
    links: list[tuple[int, float]] = []  # of each interface: kind of link, seconds of one tick
    while place + 12 <= len(data):
        kind, size = struct.unpack(f"{order}II", data[place : place + 8])
        if struct.unpack("<I", data[place : place + 4])[0] == _SECTION:
            magic = data[place + 8 : place + 12]
            order = "<" if struct.unpack("<I", magic)[0] == _BYTE_ORDER else ">"
            size = struct.unpack(f"{order}I", data[place + 4 : place + 8])[0]
            kind, links = _SECTION, []
        if size < 12 or size % 4 or size > 16 * _MOST_PACKET:  # noqa: PLR2004 - an empty block
            raise NotACapture(f"byte {place}: a block of {size} bytes")
        body = data[place + 8 : place + size - 4]
        if place + size > len(data):
            return
        place += size
        if kind == _INTERFACE and len(body) >= 8:  # noqa: PLR2004 - link, reserved, snapshot length
            link = struct.unpack(f"{order}H", body[:2])[0]
            links.append((link, _tick(body[8:], order)))
        elif kind == _ENHANCED and len(body) >= 20:  # noqa: PLR2004 - its fields before the packet
            which, high, low, captured, length = struct.unpack(f"{order}IIIII", body[:20])
            if which < len(links):
                link, tick = links[which]
                yield ((high << 32) + low) * tick, link, body[20 : 20 + captured], length
        elif kind == _SIMPLE and len(body) >= 4 and links:  # noqa: PLR2004 - its length
            length = struct.unpack(f"{order}I", body[:4])[0]
            yield 0.0, links[0][0], body[4 : 4 + length], length


def _tick(options: bytes, order: str) -> float:
    """Return the seconds of one tick of an interface's clock; a microsecond unless it says else."""
    place = 0
    while place + 4 <= len(options):
        code, size = struct.unpack(f"{order}HH", options[place : place + 4])
        if code == _RESOLUTION and size >= 1 and place + 4 < len(options):
            exponent = options[place + 4]
            return float(2.0 ** -(exponent & 0x7F) if exponent & 0x80 else 10.0**-exponent)
        place += 4 + size + (-size % 4)
    return 1e-6


def _packet(at: float, link: int, frame: bytes, length: int) -> Packet:
    """Take a frame apart down to the payload; what is not understood has protocol 0."""
    nothing = Packet(at, 0, ("", 0), ("", 0))
    try:
        kind, body = _network(link, frame)
        if kind == _IPV4:
            head = (body[0] & 0x0F) * 4
            protocol, total = body[9], struct.unpack("!H", body[2:4])[0]
            source, target = (str(ipaddress.ip_address(body[at : at + 4])) for at in (12, 16))
            inner = body[head:total] if total else body[head:]  # 0: cut up by the network card
            whole = (total or length - (len(frame) - len(body))) - head
        elif kind == _IPV6:
            protocol, whole = body[6], struct.unpack("!H", body[4:6])[0]
            source, target = (str(ipaddress.ip_address(body[at : at + 16])) for at in (8, 24))
            inner = body[40 : 40 + whole]
        else:
            return nothing
        return _transport(at, protocol, (source, target), inner, whole)
    except (IndexError, struct.error, ValueError):
        return nothing


def _transport(
    at: float, protocol: int, between: tuple[str, str], inner: bytes, whole: int
) -> Packet:
    ports = struct.unpack("!HH", inner[:4]) if protocol in {TCP, UDP} else (0, 0)
    source, target = (between[0], ports[0]), (between[1], ports[1])
    if protocol != TCP:
        return Packet(at, protocol, source, target, length=whole)
    sequence, head = struct.unpack("!I", inner[4:8])[0], (inner[12] >> 4) * 4
    return Packet(
        at, protocol, source, target, inner[13], sequence, inner[head:], max(whole - head, 0)
    )


def _network(link: int, frame: bytes) -> tuple[int, bytes]:
    """Return the kind of the network layer and its bytes."""
    if link in {_RAW, _RAW_LINUX}:
        return (_IPV6 if frame[0] >> 4 == 6 else _IPV4), frame  # noqa: PLR2004 - its version
    if link == _LOOPBACK:
        return (_IPV4 if 2 in frame[:4] else _IPV6), frame[4:]  # noqa: PLR2004 - AF_INET
    if link == _COOKED:
        return struct.unpack("!H", frame[14:16])[0], frame[16:]
    if link == _COOKED_2:
        return struct.unpack("!H", frame[0:2])[0], frame[20:]
    if link != _ETHERNET:
        raise ValueError(f"link {link}")
    place = 12
    kind = struct.unpack("!H", frame[place : place + 2])[0]
    while kind in _VLAN:
        place += 4
        kind = struct.unpack("!H", frame[place : place + 2])[0]
    return kind, frame[place + 2 :]
