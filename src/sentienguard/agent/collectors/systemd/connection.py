"""One connection to a bus, that never waits.

Called by `units`. The bus knows us by the user id that the kernel tells it (SASL EXTERNAL);
as sd-bus does, authentication and the first calls are sent in one go and the answers read when they
have come.
"""

import contextlib
import os
import socket
from collections.abc import Sequence

from sentienguard.agent.collectors.systemd import wire

BUS = "org.freedesktop.DBus"
_MOST_GREETING = 4096  # bytes that the bus may say before its first message
MOST_READ = 2 << 20  # bytes of one sample; more wait in the bus
MOST_UNSENT = 65_536  # bytes that the bus does not take


def of_bus(name: str) -> wire.Method:
    """Return a method of the bus itself."""
    return wire.Method(BUS, "/org/freedesktop/DBus", BUS, name)


class Lost(OSError):
    """The connection is of no more use."""


class Connection:
    """Sends calls and gives the messages that have come."""

    def __init__(self, path: str) -> None:
        """Connect and greet. Raises OSError where no bus listens."""
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        try:
            self._socket.settimeout(0)
            self._socket.connect(path)
        except OSError:
            self._socket.close()
            raise
        self._serial = 0
        self._came = bytearray()
        self._unsent = bytearray()
        self._greeted = False
        identity = str(os.getuid()).encode().hex()
        self._unsent += f"\0AUTH EXTERNAL {identity}\r\nBEGIN\r\n".encode()
        self.call(of_bus("Hello"))

    def close(self) -> None:
        """End it."""
        self._socket.close()

    def call(self, method: wire.Method, *arguments: str | Sequence[str]) -> int:
        """Send a call; return the serial that its answer will name. Raises Lost."""
        self._serial += 1
        self._unsent += wire.call(self._serial, method, arguments)
        self._send()
        return self._serial

    def messages(self) -> list[wire.Message]:
        """Return what has come. Raises Lost where the connection ended or is not D-Bus."""
        self._send()
        self._receive()
        if not self._greeted:
            self._read_greeting()
        found = []
        at = 0
        try:
            while self._greeted and (read := wire.read(self._came, at)):
                found.append(read[0])
                at += read[1]
        except wire.Malformed as error:
            raise Lost(f"the bus sent what is no message: {error}") from error
        finally:
            del self._came[:at]
        return found

    def _send(self) -> None:
        try:
            with contextlib.suppress(BlockingIOError):
                while self._unsent:
                    del self._unsent[: self._socket.send(self._unsent, socket.MSG_NOSIGNAL)]
        except OSError as error:
            raise Lost(f"the bus took no more: {error.strerror}") from error
        if len(self._unsent) > MOST_UNSENT:
            raise Lost("the bus does not read")

    def _receive(self) -> None:
        got = 0
        try:
            while got < MOST_READ and len(self._came) < MOST_READ:
                data = self._socket.recv(65_536)
                if not data:
                    raise Lost("the bus ended the connection")
                self._came += data
                got += len(data)
        except BlockingIOError:
            return
        except ConnectionError as error:
            raise Lost(f"the bus ended the connection: {error.strerror}") from error

    def _read_greeting(self) -> None:
        line, end, _ = self._came.partition(b"\r\n")
        if end and not line.startswith(b"OK "):
            raise Lost(f"the bus did not let us in: {bytes(line[:80])!r}")
        if not end and len(self._came) > _MOST_GREETING:
            raise Lost("the bus did not say whether it lets us in")
        if end:
            del self._came[: len(line) + 2]
            self._greeted = True
