"""MySQL and MariaDB, the classic protocol: log in, ask one statement, read the answer as texts.

Called by `access` and by the collector of MySQL. The connection never asks for several statements
at once, so the server refuses a text that holds two. Values are bound by a prepared statement and
go beside it. A password goes over the connection only as a hash, or in clear text over a Unix
socket.
"""

import hashlib
import struct
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Self

from sentienguard.adapters.databases import login, wire

_PROTOCOL_41, _SECURE, _PLUGIN_AUTH, _CONNECT, _WITH_DB = 0x200, 0x8000, 0x80000, 0x1, 0x8
_OK, _ERROR, _END, _MORE, _NULL = 0x00, 0xFF, 0xFE, 0x01, 0xFB
_FAST_OK, _FULL = 3, 4  # what caching_sha2_password says next
_QUIT, _QUERY, _PREPARE, _EXECUTE = b"\x01", b"\x03", b"\x16", b"\x17"
_UTF8 = 33
_LONGEST_PACKET = 1 << 24
_NATIVE, _SHA2 = b"mysql_native_password", b"caching_sha2_password"
_PEER = frozenset({b"unix_socket", b"auth_socket"})  # the server asks the kernel who we are
_DENIED = frozenset({1044, 1045, 1698})
_CUT_OFF = frozenset({1028, 1053, 1205, 1317, 1969, 3024})  # killed, shut down, out of time
_NO_SUCH_SESSION = 1094
_TYPE_TEXT = b"\xfe\x00"
_INTEGERS = {1: "<b", 2: "<h", 3: "<i", 8: "<q", 9: "<i", 13: "<h"}  # type of a column -> layout
_FLOATS = {4: "<f", 5: "<d"}
_TEXTS = frozenset({0, 15, 245, 246, 249, 250, 251, 252, 253, 254})


class Connection:
    """One session."""

    def __init__(self, to: login.Login, within_s: float) -> None:
        """Log in. Raises OSError, ValueError; wire.Refused where we are not let in."""
        self._name = to.name
        self.version = ""  # as the server tells it; MariaDB's holds that word
        self._wire = wire.Wire(to.address, within_s)
        try:
            self._log_in(to)
        except BaseException:
            self._wire.close()
            raise

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Say goodbye where the server still listens, and close."""
        if kind is None:
            self._send(0, _QUIT)
        self.close()

    def close(self) -> None:
        """Close without a word; twice is once."""
        self._wire.close()

    def run(self, statement: str, values: Sequence[str], most_rows: int) -> login.Told:
        """Run one statement, each `?` bound to a value in turn.

        Raises OSError, ValueError, login.Failed, login.TooMany where there are more rows.
        """
        if values:
            return self._prepared(statement, values, most_rows)
        self._send(0, _QUERY + statement.encode())
        head = self._first()
        if head[0] == _OK:
            return _done(head)
        names = tuple(name for name, _ in self._columns(head[0]))
        packets = self._rows(most_rows)
        return login.Told(names, tuple(tuple(_texts(one)) for one in packets), 0)

    def _prepared(self, statement: str, values: Sequence[str], most_rows: int) -> login.Told:
        self._send(0, _PREPARE + statement.encode())
        head = self._first()
        columns, wanted = struct.unpack("<HH", head[5:9])
        if wanted:
            self._columns(wanted)
        if columns:
            self._columns(columns)
        if wanted != len(values):
            raise login.Failed(f"{self._name}: {wanted} places for {len(values)} values")
        nulls, types = bytes((len(values) + 7) // 8), _TYPE_TEXT * len(values)
        bound = b"".join(_counted(value.encode()) for value in values)
        once = b"\x00" + (1).to_bytes(4, "little")
        self._send(0, _EXECUTE + head[1:5] + once + nulls + b"\x01" + types + bound)
        head = self._first()
        if head[0] == _OK:
            return _done(head)
        described = self._columns(head[0])
        packets = self._rows(most_rows)
        kinds = [kind for _, kind in described]
        names = tuple(name for name, _ in described)
        return login.Told(names, tuple(tuple(_binary(one, kinds)) for one in packets), 0)

    def _first(self) -> bytes:
        head = self._receive()[1]
        if head[0] == _ERROR:
            raise _failure(head, self._name)
        return head

    def _columns(self, count: int) -> list[tuple[str, int]]:
        """Read the descriptions of so many columns: name and type."""
        found = []
        for _ in range(count):
            packet = self._receive()[1]
            parts = list(_texts(packet[:-13]))  # 13 bytes about its type
            found.append((parts[4] or "", packet[-6]))
        if not _ends(self._receive()[1]):
            raise ValueError(f"{self._name}: expected the end of the columns")
        return found

    def _rows(self, most: int) -> list[bytes]:
        packets: list[bytes] = []
        count = 0
        while not _ends(packet := self._receive()[1]):
            if packet[0] == _ERROR:
                raise _failure(packet, self._name)
            count += 1
            if count <= most:
                packets.append(packet)
        if count > most:
            raise login.TooMany(f"{self._name}: more than {most} rows")
        return packets

    def _log_in(self, to: login.Login) -> None:
        number, greeting = self._receive()
        if greeting[0] == _ERROR:
            raise _failure(greeting, to.name)
        if greeting[:1] != b"\x0a":
            raise ValueError(f"{to.name}: expected protocol 10, found {greeting[:1]!r}")
        end = greeting.index(b"\0", 1)
        self.version = greeting[1:end].decode("ascii", "replace")
        salt = greeting[end + 5 : end + 13]
        rest = greeting[end + 14 :]  # flags, character set, status, flags, length, ten zeros
        salt += rest[18:30]
        plugin = rest[31:].rstrip(b"\0") if len(rest) > 31 else _NATIVE  # noqa: PLR2004 - layout
        flags = _PROTOCOL_41 | _SECURE | _PLUGIN_AUTH | _CONNECT | (_WITH_DB if to.database else 0)
        plugin = plugin if plugin in {_NATIVE, _SHA2} else _NATIVE
        proof = _proof(plugin, to.password.encode(), salt)
        packet = flags.to_bytes(4, "little") + (1 << 24).to_bytes(4, "little") + bytes([_UTF8])
        packet += bytes(23) + to.user.encode() + b"\0" + bytes([len(proof)]) + proof
        packet += (to.database.encode() + b"\0" if to.database else b"") + plugin + b"\0"
        self._send(number + 1, packet)
        while True:
            number, answer = self._receive()
            if answer[0] == _OK:
                return
            if answer[0] == _ERROR:
                raise _failure(answer, to.name)
            reply = _next_proof(answer, to)
            if reply is not None:
                self._send(number + 1, reply)

    def _send(self, number: int, packet: bytes) -> None:
        self._wire.send(len(packet).to_bytes(3, "little") + bytes([number & 0xFF]) + packet)

    def _receive(self) -> tuple[int, bytes]:
        head = self._wire.exactly(4)
        length = int.from_bytes(head[:3], "little")
        if length == 0 or length == _LONGEST_PACKET - 1:
            raise ValueError(f"{self._name}: a packet of {length} bytes")
        return head[3], self._wire.exactly(length)


def _next_proof(answer: bytes, to: login.Login) -> bytes | None:
    """Answer another request for proof; None where nothing is to be sent."""
    if answer[0] == _END and len(answer) > 1:
        plugin, _, salt = answer[1:].partition(b"\0")
        if plugin in _PEER:
            return b""
        return _proof(plugin, to.password.encode(), salt.rstrip(b"\0"))
    if answer[0] == _MORE and answer[1:2] == bytes([_FAST_OK]):
        return None
    if answer[0] == _MORE and answer[1:2] == bytes([_FULL]):
        if to.address.startswith("/"):
            return to.password.encode() + b"\0"
        raise wire.Refused(
            f"{to.name}: it wants the password in clear text; declare its Unix socket instead"
        )
    raise ValueError(f"{to.name}: an answer to the login that is not understood")


def _proof(plugin: bytes, password: bytes, salt: bytes) -> bytes:
    """Return what shows that we know the password. Raises wire.Refused."""
    if plugin not in {_NATIVE, _SHA2}:
        raise wire.Refused(f"the login plugin {ascii(plugin.decode('ascii', 'replace'))[:64]}")
    if not password:
        return b""
    digest = hashlib.sha1 if plugin == _NATIVE else hashlib.sha256
    once = digest(password).digest()
    twice = digest(once).digest()
    mask = digest(salt + twice if plugin == _NATIVE else twice + salt).digest()
    return bytes(one ^ other for one, other in zip(once, mask, strict=True))


def _ends(packet: bytes) -> bool:
    return packet[0] == _END and len(packet) < 9  # noqa: PLR2004 - longer: a long text


def _done(packet: bytes) -> login.Told:
    return login.Told((), (), _number(packet, 1)[0])


def _number(packet: bytes, at: int) -> tuple[int, int]:
    """Read a number of the protocol; return it and where the next thing begins."""
    first = packet[at]
    if first < _NULL:
        return first, at + 1
    size = {0xFC: 2, 0xFD: 3, 0xFE: 8}[first]
    return int.from_bytes(packet[at + 1 : at + 1 + size], "little"), at + 1 + size


def _counted(text: bytes) -> bytes:
    if len(text) < _NULL:
        return bytes([len(text)]) + text
    return b"\xfd" + len(text).to_bytes(3, "little") + text


def _texts(packet: bytes) -> Iterator[str | None]:
    at = 0
    while at < len(packet):
        if packet[at] == _NULL:
            at += 1
            yield None
            continue
        length, at = _number(packet, at)
        yield packet[at : at + length].decode("utf-8", "replace")
        at += length


def _binary(packet: bytes, kinds: Sequence[int]) -> Iterator[str | None]:
    """Read a row of a prepared statement. Raises ValueError for a type that is none of ours."""
    at = 1 + (len(kinds) + 9) // 8  # a header, and two bits more than there are columns
    for index, kind in enumerate(kinds):
        if packet[1 + (index + 2) // 8] >> ((index + 2) % 8) & 1:
            yield None
        elif kind in _TEXTS:
            length, at = _number(packet, at)
            yield packet[at : at + length].decode("utf-8", "replace")
            at += length
        elif layout := _INTEGERS.get(kind) or _FLOATS.get(kind):
            size = struct.calcsize(layout)
            yield f"{struct.unpack(layout, packet[at : at + size])[0]}"
            at += size
        else:
            raise ValueError(f"MySQL: a column of type {kind}; convert it to a number or a text")


def _failure(packet: bytes, name: str) -> ValueError:
    """Return the error that a packet tells; whoever may not log in, is refused."""
    code = int.from_bytes(packet[1:3], "little")
    message = f"{name}: {ascii(packet[3:].decode('utf-8', 'replace'))[:120]}"
    if code in _DENIED:
        return wire.Refused(message)
    if 1142 <= code <= 1227 and code != 1205:  # noqa: PLR2004 - privileges
        return login.Denied(message)
    if code == _NO_SUCH_SESSION:
        return login.Gone(message)
    return login.CutOff(message) if code in _CUT_OFF else login.Failed(message)
