"""One connection to a declared address: host:port of loopback, or the path of a Unix socket."""

import socket
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from sentienguard.ports import servers

LIMIT_S = 5.0  # of one question, connecting included
MOST_BYTES = 4 << 20  # of one answer
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_PIECE = 65_536


class Wire:
    """A stream that ends by itself when its time is over."""

    def __init__(self, address: str, limit: float = LIMIT_S) -> None:
        """Connect. Raises servers.ServerFailed, servers.NotControlled."""
        self._address = address
        self._until = time.monotonic() + limit
        self._kept = b""
        try:
            self._socket = _connected(address, limit)
        except OSError as error:
            raise servers.ServerFailed(f"{address}: {error.strerror or error}") from error

    def __enter__(self) -> Self:
        """Use it."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it."""
        self._socket.close()

    def send(self, data: bytes) -> None:
        """Send all of it. Raises servers.ServerFailed."""
        try:
            self._timed()
            self._socket.sendall(data)
        except OSError as error:
            raise servers.ServerFailed(f"{self._address}: {error}") from error

    def line(self) -> bytes:
        """Return the next line without its end. Raises servers.ServerFailed."""
        while b"\r\n" not in self._kept:
            self._more()
        line, _, self._kept = self._kept.partition(b"\r\n")
        return line

    def exactly(self, count: int) -> bytes:
        """Return so many bytes and step over the line end behind them."""
        if count > MOST_BYTES:
            raise servers.ServerFailed(f"{self._address}: an answer of {count} bytes")
        while len(self._kept) < count + 2:
            self._more()
        found, self._kept = self._kept[:count], self._kept[count + 2 :]
        return found

    def rest(self) -> bytes:
        """Return everything until the other side closes."""
        while True:
            try:
                self._more()
            except EOFError:
                return self._kept

    def _more(self) -> None:
        if len(self._kept) > MOST_BYTES:
            raise servers.ServerFailed(f"{self._address}: an answer of over {MOST_BYTES} bytes")
        try:
            self._timed()
            piece = self._socket.recv(_PIECE)
        except OSError as error:
            raise servers.ServerFailed(f"{self._address}: {error}") from error
        if not piece:
            raise _Closed(f"{self._address}: it closed the connection")
        self._kept += piece

    def _timed(self) -> None:
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError("no answer in time")
        self._socket.settimeout(left)


class _Closed(servers.ServerFailed, EOFError):
    """The other side said all it had to say."""


def _connected(address: str, limit: float) -> socket.socket:
    if address.startswith("/"):
        found = socket.socket(socket.AF_UNIX)
        found.settimeout(limit)
        try:
            found.connect(address)
        except OSError:
            found.close()
            raise
        return found
    return socket.create_connection(loopback(address), limit)


def loopback(address: str) -> tuple[str, int]:
    """Return host and port. Raises servers.NotControlled for what is not on this machine."""
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    if host not in _LOOPBACK or not port.isdigit():
        raise servers.NotControlled(f"{address!r} is no host:port of loopback")
    return host, int(port)


def password(file: str | None) -> str:
    """Return the first line of the file, or nothing. Raises servers.ServerFailed."""
    if file is None:
        return ""
    try:
        return Path(file).read_text("utf-8").split("\n", 1)[0].strip()
    except (OSError, UnicodeDecodeError) as error:
        raise servers.ServerFailed(f"password file {file} cannot be read") from error
