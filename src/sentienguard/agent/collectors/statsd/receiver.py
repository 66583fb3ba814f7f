"""The socket that applications send to, and the collector of what arrived.

Gives agent.statsd_accepted_per_s and agent.statsd_dropped_per_s (by reason) beside the readings of
the applications.
"""

import contextlib
import socket
import stat
import threading
import time
from pathlib import Path

from sentienguard.agent import collectors
from sentienguard.agent.collectors.statsd import aggregates

_LONGEST = 65_536  # bytes of a datagram
_BUFFER_BYTES = 4 << 20  # of the socket, as far as the kernel allows: bursts wait there
_TOGETHER = 64  # datagrams that are added under one hold of the lock
_PAUSE_S = 1.0  # after the socket failed
_MODE = 0o666  # every program of the host may send numbers


class Statsd(collectors.Unprepared):
    """Receives in a thread of its own."""

    name = "statsd"

    def __init__(self, path: Path) -> None:
        """Bind the socket. Raises OSError; a file that is no socket is not replaced."""
        with contextlib.suppress(FileNotFoundError):
            if not stat.S_ISSOCK(path.lstat().st_mode):
                raise FileExistsError(f"{path}: expected a socket, found another file")
            path.unlink()
        self._path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
        self._socket.bind(str(path))
        path.chmod(_MODE)
        self._lock = threading.Lock()
        self._aggregates = aggregates.Aggregates()
        self._before_ns: int | None = None
        self._closing = threading.Event()
        self._failed: OSError | None = None
        self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)
        self._thread.start()

    def read(self, into: collectors.Reading) -> None:
        """Add what arrived since the sample before. Raises OSError where receiving failed."""
        before_ns, self._before_ns = self._before_ns, into.at_ns
        if before_ns is None or into.at_ns <= before_ns:
            return
        seconds = (into.at_ns - before_ns) / 1e9
        with self._lock:
            accepted, dropped = self._aggregates.accepted, self._aggregates.dropped
            found = self._aggregates.take(seconds)
        for series, value in found.items():
            into.values[series] = collectors.significant(value, 6)
        rate = collectors.significant(accepted / seconds)
        into.values["agent.statsd_accepted_per_s", ""] = rate
        for reason, count in dropped.items():
            rate = collectors.significant(count / seconds)
            into.values["agent.statsd_dropped_per_s", reason] = rate
        failed, self._failed = self._failed, None
        if failed is not None:
            raise failed

    def close(self) -> None:
        """End the thread and remove the socket."""
        self._closing.set()
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(1.0)
        self._socket.close()
        with contextlib.suppress(OSError):
            self._path.unlink()

    def _run(self) -> None:
        held: list[bytes] = []
        while not self._closing.is_set():
            try:
                held.append(self._socket.recv(_LONGEST))
                while len(held) < _TOGETHER:
                    held.append(self._socket.recv(_LONGEST, socket.MSG_DONTWAIT))
            except BlockingIOError:
                pass
            except OSError as error:
                if self._closing.is_set():
                    return
                self._failed = error
                time.sleep(_PAUSE_S)
            with self._lock:
                for datagram in held:
                    self._aggregates.add(datagram)
            held.clear()
