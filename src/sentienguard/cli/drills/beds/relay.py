"""The one connection out of a node: its loopback's port of the control plane leads to ours.

A node's network holds nothing but its own loopback. A socket that was made in a network stays in
it, so one thread goes there, listens and ends; what connects is served from here.
"""

import contextlib
import ctypes
import os
import socket
import threading

from sentienguard.cli.installation import ports
from sentienguard.model import errors

_NEW_NETWORK = 0x40000000  # CLONE_NEWNET of setns(2)
_PIECE = 64 << 10


class CannotListen(errors.Unavailable):
    """The node's network cannot be entered."""


class Relay:
    """Carries bytes from a port inside the network of a process to the same port here."""

    def __init__(self, inside: int, port: int) -> None:
        """Listen in the network of process `inside`. Raises CannotListen."""
        self._port = port
        self._listening = _listen(inside, port)
        threading.Thread(target=self._accept, name="relay", daemon=True).start()

    def close(self) -> None:
        """Take no further connections; those that stand end with the node."""
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _accept(self) -> None:
        while True:
            try:
                inner, _ = self._listening.accept()
            except OSError:
                return
            try:
                outer = socket.create_connection((ports.LOOPBACK, self._port), timeout=5)
            except OSError:
                inner.close()  # the control plane is away; the agent tries again
                continue
            outer.settimeout(None)
            for one, other in ((inner, outer), (outer, inner)):
                threading.Thread(target=_carry, args=(one, other), daemon=True).start()


def _carry(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while piece := source.recv(_PIECE):
            target.sendall(piece)
    for one in (source, target):
        with contextlib.suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
    source.close()


def _listen(inside: int, port: int) -> socket.socket:
    made: list[socket.socket | OSError] = []

    def listen() -> None:  # in a thread of its own: its network is that of the node for ever
        try:
            descriptor = os.open(f"/proc/{inside}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
            try:
                library = ctypes.CDLL(None, use_errno=True)
                if library.setns(descriptor, _NEW_NETWORK) != 0:
                    raise OSError(ctypes.get_errno(), "setns")
            finally:
                os.close(descriptor)
            made.append(socket.create_server((ports.LOOPBACK, port), backlog=16))
        except OSError as error:
            made.append(error)

    thread = threading.Thread(target=listen)
    thread.start()
    thread.join()
    found = made[0]
    if isinstance(found, OSError):
        raise CannotListen(f"port {port} in the network of process {inside}: {found}")
    return found
