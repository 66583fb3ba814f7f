"""Resolve, judge, connect, ask: the guarded client. The rules are those of the package."""

import socket
import ssl
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Final

import httpcore

from sentienguard.adapters.outbound_http import destinations
from sentienguard.adapters.outbound_http.destinations import Allowed, Destination
from sentienguard.ports.outbound import Answer, NoAnswer, NotAllowed, Request

LONGEST_ANSWER: Final = 1024 * 1024  # bytes; answers of chat services have a few thousand
LONGEST_BODY: Final = 1024 * 1024
METHODS: Final = frozenset({"GET", "POST", "PUT"})
Resolve = Callable[[str, int], Sequence[str]]


def resolve(host: str, port: int) -> Sequence[str]:
    """Return the addresses of a host. Raises OSError where there are none."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(one[4][0]) for one in found))


class GuardedClient:
    """Outbound requests to the allowed destinations, and to no other."""

    def __init__(
        self,
        allowed: Iterable[Allowed],
        *,
        limit_s: float = 10.0,
        tls: ssl.SSLContext | None = None,
        resolver: Resolve = resolve,
    ) -> None:
        """Allow these; `limit_s` bounds one request from its start to the answer's last byte."""
        self._allowed = tuple(allowed)
        self._limit_s = limit_s
        self._tls = tls or ssl.create_default_context()
        self._resolve = resolver

    @property
    def tls(self) -> ssl.SSLContext:
        """How the other side has to prove who it is."""
        return self._tls

    def send(self, request: Request) -> Answer:
        """Ask and return the answer; see ports.outbound."""
        destination = destinations.parse(request.url)
        if destination.scheme not in {"https", "http"} or request.method not in METHODS:
            raise NotAllowed(f"{destination.origin}: expected GET, POST or PUT over https")
        if len(request.body) > LONGEST_BODY:
            raise NotAllowed(f"{destination.origin}: a body has at most {LONGEST_BODY} bytes")
        headers = {name.lower(): value for name, value in request.headers.items()}
        if "host" in headers or any(
            not (name + value).isprintable() for name, value in headers.items()
        ):
            raise NotAllowed(f"{destination.origin}: expected printable headers without Host")
        grant = destinations.permit(destination, self._allowed)
        until = time.monotonic() + self._limit_s
        try:
            return self._ask(request, destination, grant, until)
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException) as cause:
            message = f"{destination.origin} did not answer: {str(cause) or type(cause).__name__}"
            raise NoAnswer(message) from cause
        except (OSError, ssl.SSLError) as cause:
            raise NoAnswer(f"{destination.origin} did not answer: {cause}") from cause

    def connect(self, url: str) -> socket.socket:
        """Return a bare connection to the host of an allowed URL, for other protocols.

        TLS is the caller's. Raises NotAllowed, NoAnswer.
        """
        destination = destinations.parse(url)
        grant = destinations.permit(destination, self._allowed)
        last: OSError | None = None
        for address in self._addresses(destination.host, destination.port, grant):
            try:
                return socket.create_connection((address, destination.port), timeout=self._limit_s)
            except OSError as cause:
                last = cause
        raise NoAnswer(f"{destination.origin} takes no connection: {last}") from last

    def _addresses(self, host: str, port: int, grant: Allowed) -> list[str]:
        try:
            found = self._resolve(host, port)
        except OSError as cause:
            raise NoAnswer(f"{host}: no address: {cause}") from cause
        return [str(one) for one in destinations.judge(found, grant)]

    def _ask(
        self, request: Request, destination: Destination, grant: Allowed, until: float
    ) -> Answer:
        backend = _Backend(lambda host, port: self._addresses(host, port, grant))
        timeouts = dict.fromkeys(("connect", "read", "write", "pool"), self._limit_s)
        headers = [
            (b"host", _host_header(destination)),
            (b"connection", b"close"),
            *((name.lower().encode(), value.encode()) for name, value in request.headers.items()),
        ]
        if request.body or request.method != "GET":
            headers.append((b"content-length", str(len(request.body)).encode()))
        with (
            httpcore.ConnectionPool(
                ssl_context=self._tls, network_backend=backend, retries=0
            ) as pool,
            pool.stream(
                request.method,
                httpcore.URL(
                    scheme=destination.scheme.encode(),
                    host=destination.host.encode(),
                    port=destination.port,
                    target=destination.target.encode(),
                ),
                headers=headers,
                content=request.body,
                extensions={"timeout": timeouts},
            ) as answer,
        ):
            body = bytearray()
            for chunk in answer.iter_stream():
                body += chunk
                if len(body) > LONGEST_ANSWER:
                    raise NoAnswer(f"{destination.origin} says more than {LONGEST_ANSWER} bytes")
                if time.monotonic() > until:  # a drop a second keeps each read within its limit
                    raise NoAnswer(f"{destination.origin} took more than {self._limit_s:g} s")
            given = {
                name.decode("latin-1").lower(): value.decode("latin-1")
                for name, value in answer.headers
            }
            return Answer(answer.status, given, bytes(body))


class _Backend(httpcore.SyncBackend):
    """Connects to a judged address of the host; TLS still asks for the name."""

    def __init__(self, addresses: Callable[[str, int], Sequence[str]]) -> None:
        self._addresses = addresses

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """Try the addresses in turn; rule 4: these, and no second look."""
        last: httpcore.NetworkError | httpcore.TimeoutException | None = None
        for address in self._addresses(host, port):
            try:
                return super().connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as cause:
                last = cause
        raise last or httpcore.ConnectError(f"{host} has no address")


def _host_header(destination: Destination) -> bytes:
    host = f"[{destination.host}]" if ":" in destination.host else destination.host
    usual = destinations.PORTS[destination.scheme] == destination.port
    return (host if usual else f"{host}:{destination.port}").encode()
