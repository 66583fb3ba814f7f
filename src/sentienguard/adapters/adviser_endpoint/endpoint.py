"""One turn of a model by one POST, within limits of time and size.

Whatever comes is an answer or one of the port's errors, no later than the limit: a socket that says
nothing, or one byte a second, is shut when the time is over.
"""

import contextlib
import email.utils
import json
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final, Protocol

import httpx

from sentienguard.adapters.adviser_endpoint import wire
from sentienguard.adapters.adviser_endpoint.chat import Chat
from sentienguard.adapters.adviser_endpoint.messages import Messages
from sentienguard.ports.adviser import (
    AdviserAway,
    AdviserBusy,
    AdviserDeclined,
    AdviserGarbled,
    Question,
    Reply,
)

_LONGEST_ANSWER: Final = 256 * 1024  # bytes; 1,500 tokens of JSON have 6 KB, streamed 150 KB
_TOO_MANY, _OVERLOADED, _UNAVAILABLE = 429, 529, 503  # statuses that ask for patience
_NO_ADVICE_S: Final = 1.0  # to wait where a busy endpoint does not say how long
_SHOWN: Final = 200  # bytes of an error's body in a message


class Protocols(Protocol):
    """What a protocol has to offer."""

    @property
    def path(self) -> str:
        """Where its requests go, below the address."""

    def headers(self, key: str) -> Mapping[str, str]:
        """Return what names the caller."""

    def body(self, model: str, question: Question, *, stream: bool) -> dict[str, Any]:
        """Return the request."""

    def whole(self, heard: bytes) -> Reply:
        """Read an answer in one piece."""

    def streamed(self, heard: bytes) -> Reply:
        """Read a stream."""


PROTOCOLS: Final[Mapping[str, Protocols]] = {
    "openai": Chat("max_completion_tokens"),
    "compatible": Chat("max_tokens"),
    "anthropic": Messages(),
}


@dataclass(frozen=True, slots=True)
class Address:
    """Where the model is and how it is spoken to."""

    protocol: str  # of PROTOCOLS
    url: str  # up to and without the protocol's path, such as https://api.example.com/v1
    model: str
    key: str = ""  # empty: none is sent
    streams: bool = False  # ask for the answer as a stream


class Endpoint:
    """One model."""

    def __init__(self, address: Address) -> None:
        """Prepare; nothing is sent yet."""
        self._address = address
        self._protocol = PROTOCOLS[address.protocol]
        self._url = address.url.rstrip("/") + self._protocol.path

    @property
    def model(self) -> str:
        """Its name and address."""
        return f"{self._address.model}@{self._address.url}"

    def turn(self, question: Question, *, limit_s: float) -> Reply:
        """Return the model's next turn; raises the port's errors."""
        wanted = self._protocol.body(self._address.model, question, stream=self._address.streams)
        sent = json.dumps(wanted).encode()
        heard = bytearray()
        until = time.monotonic() + limit_s
        try:
            streamed = self._post(sent, heard, limit_s, until)
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as cause:
            late = time.monotonic() >= until
            why = f"no answer within {limit_s:.1f} s" if late else f"no answer: {_named(cause)}"
            raise AdviserAway(f"{self._url}: {why}", sent=sent, heard=self._shown(heard)) from cause
        except wire.NotTheProtocol as cause:
            raise AdviserGarbled(
                f"{self._url}: {cause}", sent=sent, heard=self._shown(heard)
            ) from cause
        try:
            read = self._protocol.streamed if streamed else self._protocol.whole
            reply = read(bytes(heard))
        except wire.NotTheProtocol as cause:
            message = f"{self._url}: {cause}"
            raise AdviserGarbled(message, sent=sent, heard=self._shown(heard)) from cause
        return replace(reply, sent=sent, heard=self._shown(heard))

    def _post(self, sent: bytes, heard: bytearray, limit_s: float, until: float) -> bool:
        """Fill `heard` with the answer's body; return whether it is a stream of events."""
        sockets = _Sockets()
        headers = {
            "Content-Type": "application/json",
            "Accept": "text/event-stream" if self._address.streams else "application/json",
            "Accept-Encoding": "identity",  # what is small here is small when it is unpacked
            **self._protocol.headers(self._address.key),
        }
        with (
            httpx.Client(timeout=limit_s, follow_redirects=False, trust_env=False) as client,
            sockets.shut_after(limit_s),
            client.stream(
                "POST",
                self._url,
                content=sent,
                headers=headers,
                extensions={"trace": sockets.noticed},
            ) as answer,
        ):
            for chunk in answer.iter_raw():
                heard += chunk[: _LONGEST_ANSWER + 1 - len(heard)]
                if len(heard) > _LONGEST_ANSWER:
                    raise wire.NotTheProtocol(f"the answer is longer than {_LONGEST_ANSWER} bytes")
                if time.monotonic() >= until:
                    raise httpx.ReadTimeout("the answer did not end in time")
            if time.monotonic() >= until:  # a socket that was shut ends like one that was closed
                raise httpx.ReadTimeout("the answer did not end in time")
            self._check(answer, sent, heard)
            kind = str(answer.headers.get("content-type", ""))
            return kind.startswith("text/event-stream")

    def _check(self, answer: httpx.Response, sent: bytes, heard: bytearray) -> None:
        """Raise for a status that is no success."""
        status = answer.status_code
        if status == httpx.codes.OK:
            return
        body = self._shown(heard)
        said = body[:_SHOWN].decode("utf-8", "replace")
        message = f"{self._url}: status {status}: {said}"
        if status in {_TOO_MANY, _OVERLOADED, _UNAVAILABLE}:
            wait = _patience(answer.headers.get("retry-after", ""))
            raise AdviserBusy(message, retry_after_s=wait, sent=sent, heard=body)
        if status >= httpx.codes.INTERNAL_SERVER_ERROR or status == httpx.codes.REQUEST_TIMEOUT:
            raise AdviserAway(message, sent=sent, heard=body)
        raise AdviserDeclined(message, sent=sent, heard=body)

    def _shown(self, heard: bytearray) -> bytes:
        """Return what came, without our key, which some services repeat in their errors."""
        key = self._address.key.encode()
        return bytes(heard).replace(key, b"(key)") if key else bytes(heard)


class _Sockets:
    """The sockets of one request, which can be shut from outside while it waits on them."""

    def __init__(self) -> None:
        self._open: list[socket.socket] = []
        self._lock = threading.Lock()
        self._is_over = False

    def noticed(self, event: str, found: Mapping[str, Any]) -> None:
        """Hear of a connection; called by the transport."""
        if event not in {
            "connection.connect_tcp.complete",
            "connection.start_tls.complete",
        }:
            return
        opened = found["return_value"].get_extra_info("socket")
        with self._lock:
            self._open.append(opened)
            over = self._is_over
        if over:
            self._shut()

    @contextlib.contextmanager
    def shut_after(self, seconds: float) -> Iterator[None]:
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
                one.shutdown(socket.SHUT_RDWR)


def _patience(said: str) -> float:
    """Return the seconds of a Retry-After header: a number, or a date."""
    try:
        return max(0.0, float(said))
    except ValueError:
        pass
    try:
        at = email.utils.parsedate_to_datetime(said)
    except (ValueError, TypeError):
        return _NO_ADVICE_S
    aware = at if at.tzinfo else at.replace(tzinfo=UTC)
    return max(0.0, (aware - datetime.now(UTC)).total_seconds())


def _named(cause: Exception) -> str:
    return str(cause) or type(cause).__name__
