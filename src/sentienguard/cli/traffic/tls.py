"""What TLS shows before it is encrypted: the version that was agreed on, and the name asked for.

RFC 8446, 4.1.2, 4.1.3, 4.2.1 and 5.1; RFC 6066, 3. A stream that is not TLS gives None.
"""

import struct
from dataclasses import dataclass

_HANDSHAKE = 22
_KINDS = range(20, 25)  # change_cipher_spec, alert, handshake, application_data, heartbeat
_CLIENT_HELLO, _SERVER_HELLO = 1, 2
_SERVER_NAME, _SUPPORTED_VERSIONS = 0, 43
_LONGEST_RECORD = (1 << 14) + 256
VERSIONS = {0x0300: "SSL 3.0", 0x0301: "TLS 1.0", 0x0302: "TLS 1.1", 0x0303: "TLS 1.2",
            0x0304: "TLS 1.3"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Hello:
    """The first message of one side."""

    version: int  # agreed on (server), or the highest offered (client)
    name: str = ""  # server name that the client asked for


def client_hello(start: bytes) -> Hello | None:
    """Read the first message of a client."""
    return _hello(start, _CLIENT_HELLO)


def server_hello(start: bytes) -> Hello | None:
    """Read the first message of a server."""
    return _hello(start, _SERVER_HELLO)


def is_tls(start: bytes) -> bool:
    """Tell whether a stream consists of TLS records, as far as it was kept."""
    place = 0
    while place + 5 <= len(start):
        kind, major, length = start[place], start[place + 1], start[place + 3 : place + 5]
        size = struct.unpack("!H", length)[0]
        if kind not in _KINDS or major != 3 or size > _LONGEST_RECORD:  # noqa: PLR2004 - of each version
            return False
        place += 5 + size
    return place > 0


def _hello(start: bytes, wanted: int) -> Hello | None:
    try:
        return _read(_handshake(start), wanted)
    except (IndexError, struct.error, UnicodeDecodeError):
        return None


def _handshake(start: bytes) -> bytes:
    """Join the handshake records at the beginning; a message may be spread over several."""
    parts, place = [], 0
    while place + 5 <= len(start) and start[place] == _HANDSHAKE:
        size = struct.unpack("!H", start[place + 3 : place + 5])[0]
        parts.append(start[place + 5 : place + 5 + size])
        place += 5 + size
    return b"".join(parts)


def _read(message: bytes, wanted: int) -> Hello | None:
    if not message or message[0] != wanted:
        return None
    version = struct.unpack("!H", message[4:6])[0]
    place = 6 + 32
    place += 1 + message[place]  # session id
    if wanted == _CLIENT_HELLO:
        place += 2 + struct.unpack("!H", message[place : place + 2])[0]  # cipher suites
        place += 1 + message[place]  # compression methods
    else:
        place += 3  # cipher suite and compression method
    name = ""
    end = place + 2 + struct.unpack("!H", message[place : place + 2])[0]
    place += 2
    while place + 4 <= end:
        kind, size = struct.unpack("!HH", message[place : place + 4])
        body = message[place + 4 : place + 4 + size]
        place += 4 + size
        if kind == _SUPPORTED_VERSIONS:
            version = _version(body, wanted, version)
        elif kind == _SERVER_NAME and len(body) > 5:  # noqa: PLR2004 - lengths and kind before it
            name = body[5:].decode("ascii")
    return Hello(version, name)


def _version(body: bytes, wanted: int, otherwise: int) -> int:
    if wanted == _SERVER_HELLO:
        return int(struct.unpack("!H", body[:2])[0])
    offered = struct.unpack(f"!{body[0] // 2}H", body[1 : 1 + body[0] // 2 * 2])
    return max((one for one in offered if one in VERSIONS), default=otherwise)
