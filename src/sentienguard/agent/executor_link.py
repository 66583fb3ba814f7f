"""The collector's side of the Unix socket to the executor.

Called by `agent.couriers` and the command line. One JSON object per line, request then answer. The
collector is only a courier: what it passes on is judged by the executor, and what the executor says
about orders is signed by the executor. The other end must be a process of our own user or of root,
so that nobody else can pose as the executor.
"""

import contextlib
import json
import os
import socket
import struct
import threading
from pathlib import Path
from typing import Any

from sentienguard.model import errors

ANSWER_S = 15.0  # for an answer beyond what the request asked the executor to wait
MOST_ANSWER = 16 << 20  # bytes: 64 events with their blobs
_PART = 65536  # bytes read at once
_CREDENTIALS = struct.Struct("3i")  # pid, uid, gid of SO_PEERCRED


class ExecutorAway(errors.Unavailable):
    """The executor does not answer; orders wait at the centre until it does."""


class NotDone(errors.Unavailable):
    """The executor answered that it could not do what was asked; the message says why."""


class ExecutorLink:
    """One connection to the executor, opened when it is needed; one per thread."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: socket.socket | None = None
        self._turn = threading.Lock()
        self._closed = False

    def ask(self, operation: str, **fields: object) -> dict[str, Any]:
        """Send one request and return its answer. Raises ExecutorAway or NotDone.

        A field `wait_s` says how long the executor may wait, and this side waits so much longer.
        """
        wait_s = fields.get("wait_s", 0)
        line = json.dumps({"op": operation, **fields}, separators=(",", ":")).encode() + b"\n"
        with self._turn:
            try:
                connection = self._open()
                connection.settimeout(ANSWER_S + (wait_s if isinstance(wait_s, int | float) else 0))
                connection.sendall(line)
                record = json.loads(_line(connection))
            except (OSError, ValueError, RecursionError) as error:
                self._drop()
                raise ExecutorAway(
                    f"{self._path}: {error}; is `sentienguard-agent run executor` running?"
                ) from error
        if not isinstance(record, dict):
            self._drop()
            raise ExecutorAway(f"{self._path}: expected an object, got {ascii(record)[:80]}")
        if "error" in record:
            raise NotDone(f"the executor could not do `{operation}`: {record['error']}")
        return record

    def close(self) -> None:
        """Close for good and end a request that waits in another thread."""
        self._closed = True
        connection = self._connection
        if connection is not None:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        if self._turn.acquire(blocking=False):  # else the thread that waits drops it
            self._drop()
            self._turn.release()

    def _open(self) -> socket.socket:
        if self._closed:
            raise OSError("closed")
        if self._connection is None:
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            connection.settimeout(ANSWER_S)
            try:
                connection.connect(str(self._path))
                _check_peer(connection)
            except BaseException:
                connection.close()
                raise
            self._connection = connection
        return self._connection

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


def _check_peer(connection: socket.socket) -> None:
    """Raise OSError where the other end runs as somebody else than us or root."""
    size = _CREDENTIALS.size
    _, uid, _ = _CREDENTIALS.unpack(
        connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
    )
    if uid not in {0, os.geteuid()}:
        raise OSError(f"answered by user {uid}, expected {os.geteuid()} or root")


def _line(connection: socket.socket) -> bytes:
    parts: list[bytes] = []
    size = 0
    while not parts or not parts[-1].endswith(b"\n"):
        part = connection.recv(_PART)
        size += len(part)
        if not part or size > MOST_ANSWER:
            raise OSError("the connection ended" if not part else "the answer is too long")
        parts.append(part)
    return b"".join(parts)
