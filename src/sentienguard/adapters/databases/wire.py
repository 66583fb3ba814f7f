"""A connection to a program on this host, with one deadline and a bound on what it may answer.

Called by the protocols here and by the other collectors of server programs.
"""

import socket
import time
from types import TracebackType
from typing import Self

MOST_BYTES = 4 << 20  # of all answers over one connection; 200 queues of RabbitMQ take 1 MB
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_PART = 65_536


class Refused(ValueError):
    """The program answers and does not let us in; asking again soon changes nothing."""


class Wire:
    """A stream over TCP or a Unix socket."""

    def __init__(self, address: str, within_s: float) -> None:
        """Connect to `host:port` of this host, or to a path. Raises OSError, ValueError."""
        self._deadline = time.monotonic() + within_s
        self._kept = b""
        self._left = MOST_BYTES
        if address.startswith("/"):
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                self._socket.settimeout(self._seconds())
                self._socket.connect(address)
            except OSError:
                self._socket.close()
                raise
        else:
            host, _, port = address.rpartition(":")
            if host.strip("[]") not in LOOPBACK:
                raise ValueError(
                    f"{address} is not on this host; expected 127.0.0.1:port or a path"
                )
            self._socket = socket.create_connection(
                (host.strip("[]"), int(port)), timeout=self._seconds()
            )

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close."""
        self.close()

    def close(self) -> None:
        """Close; twice is once."""
        self._socket.close()

    def send(self, data: bytes) -> None:
        """Send all of it. Raises OSError."""
        self._socket.settimeout(self._seconds())
        self._socket.sendall(data)

    def exactly(self, count: int) -> bytes:
        """Return the next `count` bytes. Raises OSError, ValueError where too much would come."""
        if count > self._left:
            raise ValueError(f"an answer of {count} bytes, expected at most {self._left}")
        while len(self._kept) < count:
            self._more()
        found, self._kept = self._kept[:count], self._kept[count:]
        return found

    def line(self) -> bytes:
        """Return the next line without its end. Raises OSError, ValueError."""
        while b"\n" not in self._kept:
            self._more()
        found, _, self._kept = self._kept.partition(b"\n")
        return found.removesuffix(b"\r")

    def rest(self) -> bytes:
        """Return what comes until the other side closes. Raises OSError, ValueError."""
        parts = [self._kept]
        while part := self._part():
            parts.append(part)
        self._kept = b""
        return b"".join(parts)

    def _more(self) -> None:
        part = self._part()
        if not part:
            raise ConnectionError("it closed the connection in the middle of an answer")
        self._kept += part

    def _part(self) -> bytes:
        self._socket.settimeout(self._seconds())
        part = self._socket.recv(_PART)
        self._left -= len(part)
        if self._left < 0:
            raise ValueError(f"an answer of more than {MOST_BYTES} bytes")
        return part

    def _seconds(self) -> float:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("no answer in time")
        return left
