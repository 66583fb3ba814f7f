"""Resolve, judge, connect, ask: the guarded client. The rules are those of the package."""

import functools
import socket
import ssl
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Final

import httpcore

from sentienguard.adapters.outbound_http import cutting, destinations
from sentienguard.adapters.outbound_http.destinations import Allowed, Destination
from sentienguard.ports.outbound import Answer, NoAnswer, NotAllowed, Request, TooLong

LONGEST_ANSWER: Final = 1024 * 1024  # bytes; answers of chat services have a few thousand
LONGEST_BODY: Final = 1024 * 1024
METHODS: Final = frozenset({"GET", "POST", "PUT"})
Resolve = Callable[[str, int], Sequence[str]]


def resolve(host: str, port: int) -> Sequence[str]:
    """Return the addresses of a host. Raises OSError where there are none."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(one[4][0]) for one in found))


@functools.cache
def _usual() -> ssl.SSLContext:
    """Trust whom the system trusts; read once, which takes 30 ms, for all clients of a process."""
    return ssl.create_default_context()


class GuardedClient:
    """Outbound requests to the allowed destinations, and to no other."""

    def __init__(
        self,
        allowed: Iterable[Allowed],
        *,
        limit_s: float = 10.0,
        tls: ssl.SSLContext | None = None,
        resolver: Resolve = resolve,
        longest_answer: int = LONGEST_ANSWER,
        longest_body: int = LONGEST_BODY,
    ) -> None:
        """Allow these; `limit_s` bounds one request from its start to the answer's last byte.

        A request with a limit of its own has that one. The longest are in bytes.
        """
        self._allowed = tuple(allowed)
        self._limit_s = limit_s
        self._longest_answer = longest_answer
        self._longest_body = longest_body
        self._tls = tls or _usual()
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
        if len(request.body) > self._longest_body:
            raise NotAllowed(f"{destination.origin}: a body has at most {self._longest_body} bytes")
        headers = {name.lower(): value for name, value in request.headers.items()}
        if "host" in headers or any(
            not (name + value).isprintable() for name, value in headers.items()
        ):
            raise NotAllowed(f"{destination.origin}: expected printable headers without Host")
        grant = destinations.permit(destination, self._allowed)
        limit_s = self._limit_s if request.limit_s is None else request.limit_s
        until = time.monotonic() + limit_s
        heard = bytearray()
        late = f"{destination.origin} took more than {limit_s:g} s"
        try:
            answer = self._ask(request, destination, grant, limit_s, heard)
        except (
            *(httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException),
            *(OSError, ssl.SSLError),
        ) as cause:
            said = f"{destination.origin} did not answer: {str(cause) or type(cause).__name__}"
            message = late if time.monotonic() >= until else said
            raise NoAnswer(message, bytes(heard)) from cause
        if time.monotonic() >= until:  # a socket that was cut ends like one that was closed
            raise NoAnswer(late, bytes(heard))
        return answer

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
        self,
        request: Request,
        destination: Destination,
        grant: Allowed,
        limit_s: float,
        heard: bytearray,
    ) -> Answer:
        """Fill `heard` with the answer's body, and return it with its head."""
        backend = _Backend(lambda host, port: self._addresses(host, port, grant))
        timeouts = dict.fromkeys(("connect", "read", "write", "pool"), limit_s)
        sockets = cutting.Sockets()
        headers = [
            (b"host", _host_header(destination)),
            (b"connection", b"close"),
            (b"accept-encoding", b"identity"),  # what is small here is small when it is unpacked
            *((name.encode(), value.encode()) for name, value in request.headers.items()),
        ]
        if request.body or request.method != "GET":
            headers.append((b"content-length", str(len(request.body)).encode()))
        with (
            httpcore.ConnectionPool(
                ssl_context=self._tls, network_backend=backend, retries=0
            ) as pool,
            sockets.cut_after(limit_s),
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
                extensions={"timeout": timeouts, "trace": sockets.noticed},
            ) as answer,
        ):
            for chunk in answer.iter_stream():
                heard += chunk[: self._longest_answer + 1 - len(heard)]
                if len(heard) > self._longest_answer:
                    message = f"{destination.origin} says more than {self._longest_answer} bytes"
                    raise TooLong(message, bytes(heard))
            given = {
                name.decode("latin-1").lower(): value.decode("latin-1")
                for name, value in answer.headers
            }
            return Answer(answer.status, given, bytes(heard))


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
