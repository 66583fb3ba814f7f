"""One HTTP request over loopback, by hand.

http.client would load ssl and the e-mail parser, some 6 MB in a process that may have 25.
"""

import re
import socket
import time
from urllib.parse import urlsplit

from sentienguard.ports import http_probe

BODY_BYTES = 4096
_LOOPBACK = re.compile(r"127(?:\.(?:0|[1-9][0-9]{0,2})){3}\Z", re.ASCII)
METHODS = frozenset({"GET", "HEAD", "POST"})


class LoopbackProbe:
    """A ports.http_probe.HttpProbe."""

    def ask(self, url: str, limit: float, method: str = "GET") -> http_probe.Answer:
        """Ask once; see the port."""
        host, port, target = _parts(url)
        if method not in METHODS:
            raise http_probe.NotLoopback(f"{method} is not one of {', '.join(sorted(METHODS))}")
        began = time.monotonic()
        try:
            head, body = _exchange(host, port, _request(method, host, port, target), began + limit)
            status = _status(head)
        except (OSError, ValueError) as error:
            return http_probe.Answer(0, _since(began), str(error) or type(error).__name__)
        return http_probe.Answer(status, _since(began), "", body.decode("utf-8", "replace"))


def _since(began: float) -> int:
    return int((time.monotonic() - began) * 1000)


def _parts(url: str) -> tuple[str, int, str]:
    try:
        parts = urlsplit(url)
        port = parts.port or 80
    except ValueError as error:
        raise http_probe.NotLoopback(f"{url!r} is no address: {error}") from error
    host = parts.hostname or ""
    if parts.scheme != "http" or not _is_loopback(host):
        raise http_probe.NotLoopback(
            f"{url!r} is not http on this host; a health address is http://127.0.0.1:PORT/…"
        )
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if not target.isascii() or any(character <= " " for character in target):
        raise http_probe.NotLoopback(f"{url!r} holds characters that an address may not hold")
    return ("127.0.0.1" if host == "localhost" else host), port, target


def _is_loopback(host: str) -> bool:
    return host in {"localhost", "::1"} or _LOOPBACK.match(host) is not None


def _request(method: str, host: str, port: int, target: str) -> bytes:
    name = f"[{host}]" if ":" in host else host
    length = "Content-Length: 0\r\n" if method == "POST" else ""
    return (
        f"{method} {target} HTTP/1.0\r\nHost: {name}:{port}\r\n"
        f"User-Agent: sentienguard-executor\r\n{length}Connection: close\r\n\r\n"
    ).encode("ascii")


def _exchange(host: str, port: int, request: bytes, until: float) -> tuple[bytes, bytes]:
    """Send a request and read the head and the start of the body, all before `until`."""
    received = b""
    with socket.create_connection((host, port), timeout=_left(until)) as connection:
        connection.sendall(request)
        while b"\r\n\r\n" not in received or len(received) < BODY_BYTES:
            connection.settimeout(_left(until))
            try:
                data = connection.recv(BODY_BYTES)
            except TimeoutError:
                if b"\r\n\r\n" in received:
                    break  # it answered, and is slow with the rest
                raise
            if not data:
                break
            received += data
            if len(received) > 16 * BODY_BYTES:
                break
    head, _, body = received.partition(b"\r\n\r\n")
    return head, body[:BODY_BYTES]


def _left(until: float) -> float:
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError("no answer within the limit")
    return left


def _status(head: bytes) -> int:
    words = head.split(b"\r\n", 1)[0].split()
    if len(words) < 2 or not words[0].startswith(b"HTTP/") or not words[1].isdigit():  # noqa: PLR2004 - version and status
        raise ValueError("what answered does not speak HTTP")
    return int(words[1])
