"""A Unix socket that answers one JSON object per line, for peers that may be asked who they are.

Called by `executor`, which says what each operation does. Whatever a peer sends, it gets an answer
or is cut off; nothing that it sends ends the server.

Rules:
1. Only a process of an allowed user is answered (SO_PEERCRED, told by the kernel).
2. A line has at most `MAX_LINE` bytes and is one JSON object with a text `op`; anything else is
   answered with `error`. After a line that is too long the connection ends, since nobody knows
   where the next one begins.
3. At most `MAX_CONNECTIONS` at a time; one that asks for more waits in the kernel's queue.
"""

import contextlib
import json
import os
import socket
import struct
import threading
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from sentienguard.agent import diary
from sentienguard.model import errors

MAX_LINE = 16 * 1024 * 1024  # a configuration with 2,000 playbooks
MAX_CONNECTIONS = 16  # the collector has three
_CREDENTIALS = struct.Struct("3i")  # pid, uid, gid of SO_PEERCRED

Operation = Callable[[Mapping[str, Any]], Mapping[str, Any]]


class BadRequest(errors.Rejected):
    """The line is not a request that this server knows."""


class SocketServer:
    """Listens until `close`; each connection is served by a thread of its own."""

    def __init__(
        self,
        path: Path,
        operations: Mapping[str, Operation],
        allowed: Collection[int],
        told: diary.Diary,
    ) -> None:
        """Bind the socket with mode 0600. `allowed`: user ids. Raises OSError."""
        self._path = path
        self._operations = operations
        self._allowed = frozenset(allowed)
        self._diary = told
        self._slots = threading.BoundedSemaphore(MAX_CONNECTIONS)
        path.unlink(missing_ok=True)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        before = os.umask(0o177)
        try:
            self._socket.bind(str(path))
        finally:
            os.umask(before)
        self._socket.listen(MAX_CONNECTIONS)

    def serve(self) -> None:
        """Accept connections until the socket is closed."""
        while True:
            self._slots.acquire()
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return  # closed
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def close(self) -> None:
        """Stop accepting and give the name back."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._path.unlink(missing_ok=True)

    def _serve(self, connection: socket.socket) -> None:
        try:
            with connection, connection.makefile("rwb") as stream:
                uid = _peer(connection)
                if uid not in self._allowed:  # rule 1
                    _say(stream, {"error": f"user {uid} may not speak to the executor"})
                    return
                while line := stream.readline(MAX_LINE + 1):
                    if len(line) > MAX_LINE:  # rule 2
                        _say(stream, {"error": f"a line has at most {MAX_LINE} bytes"})
                        return
                    _say(stream, self.answer(line))
        except (OSError, ValueError):
            return  # the peer went away
        finally:
            self._slots.release()

    def answer(self, line: bytes) -> Mapping[str, Any]:
        """Return the answer to one line."""
        try:
            request = _request(line)
            return self._operation(request["op"])(request)
        except (errors.Rejected, errors.Unavailable) as error:
            return {"error": str(error)}
        except Exception as error:  # noqa: BLE001 - a request must not end the server
            self._diary.failed("request", error)
            return {"error": f"{type(error).__name__}: {error}"}

    def _operation(self, name: str) -> Operation:
        found = self._operations.get(name)
        if found is None:
            known = ", ".join(sorted(self._operations))
            raise BadRequest(f"op {name[:40]!r} is unknown; known: {known}")
        return found


def text(request: Mapping[str, Any], name: str, limit: int) -> str:
    """Return a text field. Raises BadRequest."""
    value = request.get(name)
    if not isinstance(value, str) or len(value) > limit:
        raise BadRequest(f"{name}: expected text of at most {limit} characters")
    return value


def number(request: Mapping[str, Any], name: str, most: float) -> float:
    """Return a number from 0 to `most`. Raises BadRequest."""
    value = request.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
        raise BadRequest(f"{name}: expected a number from 0 to {most}")
    return value


def _request(line: bytes) -> dict[str, Any]:
    try:
        request = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"expected one JSON object in a line: {error}") from error
    if not isinstance(request, dict) or not isinstance(request.get("op"), str):
        raise BadRequest("expected one JSON object with a text `op`")
    return request


def _peer(connection: socket.socket) -> int:
    found = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    uid: int = _CREDENTIALS.unpack(found)[1]
    return uid


def _say(stream: Any, answer: Mapping[str, Any]) -> None:
    stream.write(json.dumps(answer, separators=(",", ":")).encode() + b"\n")
    stream.flush()
