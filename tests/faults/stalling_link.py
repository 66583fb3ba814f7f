"""A link between an agent and its centre that can stall: nothing comes through, nothing ends.

Called by test_faults_links. Unlike a port that refuses, a partition says nothing: connections stay
open on both sides, new ones are taken and hear no answer. What was under way is delivered when the
link heals, or lost with its connection.
"""

import contextlib
import socket
import threading
from typing import Self


class Link:
    """Passes bytes on to a port of this machine; a context manager."""

    def __init__(self, to_port: int) -> None:
        self._to = to_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._flows = threading.Event()
        self._flows.set()
        self._open: list[socket.socket] = []
        self._ended = False

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended = True
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._flows.set()
        self._cut()

    def stall(self) -> None:
        """Let nothing through from now on."""
        self._flows.clear()

    def heal(self, *, deliver: bool) -> None:
        """Let everything through again; what waited is delivered, or its connections end."""
        if not deliver:
            self._cut()
        self._flows.set()

    def _cut(self) -> None:
        for connection in self._open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()
        self._open = []

    def _accept(self) -> None:
        while not self._ended:
            try:
                near, _ = self._listener.accept()
                far = socket.create_connection(("127.0.0.1", self._to))
            except OSError:
                return
            self._open += [near, far]
            for source, target in ((near, far), (far, near)):
                threading.Thread(target=self._pump, args=(source, target), daemon=True).start()

    def _pump(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while part := source.recv(65536):
                self._flows.wait()
                target.sendall(part)
            target.shutdown(socket.SHUT_WR)
