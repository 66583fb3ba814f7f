"""End a request when its time is over, whatever it waits for.

Called by `client`. A read has a limit of its own, which one byte a second keeps, in the head of an
answer as in its body; so the sockets of a request are shut from outside when its time is over.
"""

import contextlib
import socket
import threading
from collections.abc import Iterator, Mapping
from typing import Any, Final

_OPENED: Final = frozenset({"connection.connect_tcp.complete", "connection.start_tls.complete"})


class Sockets:
    """The sockets of one request, which can be shut while it waits on them."""

    def __init__(self) -> None:
        """Begin with none."""
        self._open: list[socket.socket] = []
        self._lock = threading.Lock()
        self._is_over = False

    def noticed(self, event: str, found: Mapping[str, Any]) -> None:
        """Hear of a connection; called by the transport."""
        if event not in _OPENED:
            return
        opened = found["return_value"].get_extra_info("socket")
        with self._lock:
            self._open.append(opened)
            over = self._is_over
        if over:
            self._shut()

    @contextlib.contextmanager
    def cut_after(self, seconds: float) -> Iterator[None]:
        """Shut them when the time is over and the block still goes on."""
        timer = threading.Timer(seconds, self._shut)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _shut(self) -> None:
        with self._lock:
            self._is_over = True
            opened = list(self._open)
        for one in opened:
            with contextlib.suppress(OSError):  # it is closed, or became another by TLS
                # Of the base class: that of TLS would take the reader's state away from under it.
                socket.socket.shutdown(one, socket.SHUT_RDWR)
