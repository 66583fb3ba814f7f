"""A TCP port in front of another one that a test can shut: the network between two processes.

with tcp_gate.opened("127.0.0.1", 5432) as gate:
    connect("127.0.0.1", gate.port)
    gate.shut()   # cuts every connection and takes no new one
    gate.open()
"""

import contextlib
import socket
import threading
from collections.abc import Iterator

CHUNK = 65_536


class Gate:
    """The port and what goes through it."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port: int = self._listener.getsockname()[1]
        self._shut = False
        self._turn = threading.Lock()
        self._through: set[socket.socket] = set()
        threading.Thread(target=self._accept, name="gate", daemon=True).start()

    def shut(self) -> None:
        """Cut every connection and refuse new ones."""
        with self._turn:
            self._shut = True
            standing = list(self._through)
        for one in standing:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def open(self) -> None:
        """Let new connections through again."""
        with self._turn:
            self._shut = False

    def close(self) -> None:
        """End it for good."""
        self.shut()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                outside, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._join, args=(outside,), daemon=True).start()

    def _join(self, outside: socket.socket) -> None:
        with outside:
            try:
                inside = socket.create_connection(self._target, timeout=10)
            except OSError:
                return
            with inside:
                inside.settimeout(None)
                with self._turn:
                    if self._shut:
                        return
                    self._through |= {outside, inside}
                back = threading.Thread(target=_pump, args=(inside, outside), daemon=True)
                back.start()
                _pump(outside, inside)
                back.join()
                with self._turn:
                    self._through -= {outside, inside}


def _pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(CHUNK):
            target.sendall(data)
    for one in (source, target):
        with contextlib.suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def opened(host: str, port: int) -> Iterator[Gate]:
    """Open a gate in front of a port, and close it at the end."""
    gate = Gate(host, port)
    try:
        yield gate
    finally:
        gate.close()
