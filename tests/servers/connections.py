"""Entries in this kernel's table of tracked connections, made over netlink, gone afterwards.

Nothing is sent: the entries are of a protocol between two addresses of loopback that nobody uses.
"""

import contextlib
import os
import socket
import struct
from collections.abc import Iterator

_NETFILTER = 12  # the netlink family
_NEW, _DELETE = 0x100, 0x102  # ctnetlink's messages
_REQUEST, _ACK, _EXCLUSIVE, _CREATE = 0x1, 0x4, 0x200, 0x400
_ORIGINAL, _REPLY, _TIMEOUT = 1, 2, 7
_UDP = 17
_NESTED = 0x8000
LIVE_S = 120  # a test that was killed leaves them for so long


def missing() -> str | None:
    """Say why none can be made here; None where they can."""
    if os.geteuid() != 0:
        return "entries of the table of connections need root"
    try:
        with tracked(1):
            return None
    except OSError as error:
        return f"this kernel takes no entries over netlink (nf_conntrack_netlink): {error}"


@contextlib.contextmanager
def tracked(count: int) -> Iterator[None]:
    """Have that many entries in the table until the block ends. Raises OSError."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETFILTER) as link:
        link.bind((0, 0))
        link.settimeout(5)
        made = 0
        try:
            for at in range(count):
                life = _attribute(_TIMEOUT, struct.pack(">I", LIVE_S))
                _ask(link, _NEW, _REQUEST | _ACK | _CREATE | _EXCLUSIVE, _both_ways(at) + life)
                made += 1
            yield
        finally:
            for at in range(made):
                with contextlib.suppress(OSError):  # its life ended
                    _ask(link, _DELETE, _REQUEST | _ACK, _both_ways(at))


def _both_ways(at: int) -> bytes:
    here, there = ("127.9.9.1", 1024 + at), ("127.9.9.2", 9)
    return _tuple(_ORIGINAL, here, there) + _tuple(_REPLY, there, here)


def _tuple(kind: int, source: tuple[str, int], target: tuple[str, int]) -> bytes:
    addresses = _attribute(1, socket.inet_aton(source[0])) + _attribute(
        2, socket.inet_aton(target[0])
    )
    ports = _attribute(2, struct.pack(">H", source[1])) + _attribute(
        3, struct.pack(">H", target[1])
    )
    protocol = _attribute(1, bytes([_UDP])) + ports
    inside = _attribute(1 | _NESTED, addresses) + _attribute(2 | _NESTED, protocol)
    return _attribute(kind | _NESTED, inside)


def _attribute(kind: int, value: bytes) -> bytes:
    length = 4 + len(value)
    return struct.pack("HH", length, kind) + value + bytes(-length % 4)


def _ask(link: socket.socket, message: int, flags: int, attributes: bytes) -> None:
    body = struct.pack("BBH", socket.AF_INET, 0, 0) + attributes
    link.send(struct.pack("IHHII", 16 + len(body), message, flags, 1, 0) + body)
    code: int = struct.unpack_from("i", link.recv(4096), 16)[0]
    if code:
        raise OSError(-code, os.strerror(-code))
