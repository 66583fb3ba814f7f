"""The way to the control plane: HTTPS, TLS 1.3 or nothing, to a server that we know by its key.

Called by `agent.sender`, `agent.couriers` and `agent.enroll`. One object is one connection that is
kept open; a lock lets several threads take turns. Requests are written here in as few bytes as
HTTP/1.1 permits and leave in one TLS record; `http.client` reads the answers.

Rules, all checked before the first byte of a request is written:

1. TLS 1.3 at least. No proxy, no redirect, nothing from the environment.
2. The certificate chains to ca.pem, is within its dates and names the host (not at enrolment, when
   there is no ca.pem yet).
3. The SHA-256 of its public key is one of the pins, also at enrolment.
4. What does not hold is NotTrusted; what does not answer is Unreachable. Both are tried again later
   by the caller, NotTrusted with an alarm in the diary.
5. Where the control plane has several servers, the next one's turn comes when one does not answer
   or says that it cannot (503). One that answers is kept, so that it knows this host's history.
"""

import contextlib
import http.client
import json
import os
import socket
import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sentienguard.model import errors
from sentienguard.trust import pins

CONNECT_S = 10.0  # for TCP and TLS together, each step
ANSWER_S = 15.0  # for an answer beyond what the request asked the centre to wait
MOST_ANSWER = 8 << 20  # bytes; the playbooks of a configuration are the biggest answer
_PROBLEM = "application/problem+json"
_CANNOT_NOW = 503


class Unreachable(errors.Unavailable):
    """The control plane does not answer; try again later."""


class NotTrusted(errors.Unavailable):
    """Whoever answers is not our control plane; nothing was sent to it.

    Unavailable and not Rejected: the right server may be back in a minute, nothing is given up.
    """


@dataclass(frozen=True, slots=True)
class Address:
    """Whom to call, and how to know that it is them."""

    host: str
    port: int
    pins: tuple[str, ...]  # SHA-256 of the public key info, hex
    others: tuple[tuple[str, int], ...] = ()  # host and port of further servers, with the same pins


@dataclass(frozen=True, slots=True)
class Answer:
    """What the control plane said."""

    status: int
    headers: Mapping[str, str]  # by lower-case name
    body: bytes

    @property
    def ok(self) -> bool:
        """Tell whether the request was done."""
        return 200 <= self.status < 300  # noqa: PLR2004 - the successes of HTTP

    def json(self) -> dict[str, Any]:
        """Return the body as an object.

        Raises Unreachable where it is none: a proxy or a half-started server is talking.
        """
        try:
            record = json.loads(self.body)
        except (ValueError, RecursionError) as error:
            raise Unreachable(f"the control plane answered {self.status} without JSON") from error
        if not isinstance(record, dict):
            raise Unreachable(f"the control plane answered {self.status} without an object")
        return record

    def problem(self) -> str:
        """Return the type of the problem that an RFC 9457 body names, empty where there is none."""
        if not self.headers.get("content-type", "").startswith(_PROBLEM):
            return ""
        return str(self.json().get("type", ""))

    def reason(self) -> str:
        """Say in a few words what was answered, for the diary."""
        text = self.body[:300].decode(errors="replace")
        return f"{self.status} {text if text.isprintable() else ascii(text)}"


def client_context(
    ca: Path | None, *, certificate: Path | None = None, key: Path | None = None
) -> ssl.SSLContext:
    """Make the TLS settings of rules 1 and 2. Raises OSError where a file cannot be used."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.options |= ssl.OP_NO_COMPRESSION
    if ca is None:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    else:
        context.load_verify_locations(cafile=str(ca))
    if certificate is not None:
        context.load_cert_chain(str(certificate), None if key is None else str(key))
    return context


class Uplink:
    """One connection to the control plane."""

    def __init__(self, address: Address, context: ssl.SSLContext) -> None:
        self._address = address
        self._context = context
        self._turn = threading.Lock()
        self._connection: ssl.SSLSocket | None = None
        self._closed = False
        self._stale = False  # the connection shows a certificate that was renewed
        self.server_key = ""  # pin of the server that was connected last
        self._servers = ((address.host, address.port), *address.others)
        self._server = 0  # whose turn it is

    def post(self, path: str, body: bytes, media_type: str, *, wait_s: float = 0) -> Answer:
        """Post a body; `wait_s` is how long the request asks the centre to hold it.

        Raises Unreachable or NotTrusted.
        """
        head = f"Content-Type: {media_type}\r\nContent-Length: {len(body)}\r\n"
        return self._exchange("POST", path, head, body, wait_s)

    def post_json(self, path: str, record: object, *, wait_s: float = 0) -> Answer:
        """Post an object as JSON. Raises as `post` does."""
        body = json.dumps(record, separators=(",", ":")).encode()
        return self.post(path, body, "application/json", wait_s=wait_s)

    def get(self, path: str, *, etag: str = "") -> Answer:
        """Get a resource, or 304 where it still has this tag. Raises as `post` does."""
        safe = etag if etag.isprintable() and etag.isascii() else ""
        return self._exchange("GET", path, f"If-None-Match: {safe}\r\n" if safe else "", b"", 0)

    @property
    def address(self) -> Address:
        """Whom this calls, and the keys by which it knows them now."""
        return self._address

    def know(self, keys: tuple[str, ...]) -> None:
        """Take these pins for the next connections; the one that is open stays."""
        self._address = replace(self._address, pins=keys)

    def renew(self) -> None:
        """Connect anew with the next request: what we show of ourselves has changed."""
        self._stale = True

    def close(self) -> None:
        """Close the connection for good and end a request that waits in another thread."""
        self._closed = True
        connection = self._connection
        if connection is not None:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        if self._turn.acquire(blocking=False):  # else the thread that waits drops it
            self._drop()
            self._turn.release()

    def _exchange(self, method: str, path: str, head: str, body: bytes, wait_s: float) -> Answer:
        with self._turn:
            if self._stale:
                self._stale = False
                self._drop()
            if self._connection is not None:
                with contextlib.suppress(_Idle):
                    return self._at_one(method, path, head, body, wait_s)
            # The centre closed an idle connection: every request of ours may be repeated.
            for _ in self._servers[1:]:
                with contextlib.suppress(Unreachable):
                    return self._at_one(method, path, head, body, wait_s)
            return self._at_one(method, path, head, body, wait_s)

    def _at_one(self, method: str, path: str, head: str, body: bytes, wait_s: float) -> Answer:
        """Ask the server whose turn it is; where it cannot answer the turn is the next one's."""
        reused = self._connection is not None
        request = f"{method} {path} HTTP/1.1\r\nHost: {self._host}\r\n{head}\r\n".encode() + body
        try:
            answer = self._once(method, request, wait_s)
        except (_Dropped, OSError) as error:
            where = self._where
            self._drop()
            if reused and not isinstance(error, TimeoutError) and not self._closed:
                raise _Idle from error
            self._next_server()
            raise Unreachable(f"{where}: {_said(error)}") from error
        except NotTrusted:
            self._next_server()
            raise
        if answer.status == _CANNOT_NOW and len(self._servers) > 1:  # rule 5
            self._drop()
            self._next_server()
        return answer

    def _next_server(self) -> None:
        self._server = (self._server + 1) % len(self._servers)

    def _once(self, method: str, request: bytes, wait_s: float) -> Answer:
        if self._closed:
            raise Unreachable("the connection was closed")
        if self._connection is None:
            self._connection = self._connect()
        connection = self._connection
        connection.settimeout(ANSWER_S + wait_s)
        connection.sendall(request)
        try:
            with http.client.HTTPResponse(connection, method=method) as response:
                response.begin()
                body = response.read(MOST_ANSWER + 1)
                headers = {name.lower(): value for name, value in response.getheaders()}
                answer, ends = Answer(response.status, headers, body), response.will_close
                missing = response.length or 0
        except http.client.HTTPException as error:
            raise _Dropped(_said(error)) from error
        if len(body) > MOST_ANSWER:
            raise _Dropped(f"an answer of more than {MOST_ANSWER} bytes")
        if missing:
            raise _Dropped(f"an answer that ended {missing} bytes early")
        if ends:
            self._drop()
        return answer

    def _connect(self) -> ssl.SSLSocket:
        server = self._servers[self._server]
        plain = socket.create_connection(server, timeout=CONNECT_S)
        try:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            connection = self._context.wrap_socket(plain, server_hostname=server[0])
        except ssl.SSLError as error:
            plain.close()
            raise NotTrusted(
                f"{self._where}: {_reason(error)}; if the server was renewed, enrol this host again"
            ) from error
        except OSError:
            plain.close()
            raise
        try:
            self._check_pin(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _check_pin(self, connection: ssl.SSLSocket) -> None:
        certificate = connection.getpeercert(binary_form=True)
        found = pins.spki_sha256(certificate) if certificate else "no certificate"
        if found not in self._address.pins:
            raise NotTrusted(
                f"{self._where}: its key {found} is none of the pinned {len(self._address.pins)};"
                " if the server's key was changed on purpose, enrol this host again"
            )
        self.server_key = found

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(OSError):
                connection.close()

    @property
    def _host(self) -> str:
        host, port = self._servers[self._server]
        name = f"[{host}]" if ":" in host else host
        return name if port == 443 else f"{name}:{port}"  # noqa: PLR2004 - https

    @property
    def _where(self) -> str:
        return f"https://{self._host}"


class _Dropped(Exception):
    """The connection ended, or what came was not HTTP."""


class _Idle(Exception):
    """A connection that was kept open is closed; nothing is known of the server."""


def _reason(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return str(error.verify_message)
    return str(error.reason or error)


def _said(error: BaseException) -> str:
    return f"{type(error).__name__} {error}".strip()


class Backoff:
    """How long to wait after a failure: twice as long each time, with jitter, up to a limit."""

    def __init__(self, first_s: float = 0.5, most_s: float = 60.0) -> None:
        self._first_s = first_s
        self._most_s = most_s
        self._next_s = first_s

    def failed(self) -> float:
        """Return the seconds to wait: half to all of the present step, so that agents spread."""
        step = self._next_s
        self._next_s = min(step * 2, self._most_s)
        return step * (0.5 + int.from_bytes(os.urandom(2), "big") / 131072)

    def worked(self) -> None:
        """Begin again with the first step."""
        self._next_s = self._first_s
