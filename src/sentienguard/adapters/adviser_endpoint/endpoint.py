"""One turn of a model by one POST, within limits of time and size.

Whatever comes is an answer or one of the port's errors, no later than the limit. The key is fetched
for each turn and kept by nobody; an answer that repeats it is kept without, or not at all.
"""

import email.utils
import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final, Protocol

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
from sentienguard.ports.outbound import Answer, NoAnswer, NotAllowed, Outbound, Request, TooLong
from sentienguard.ports.secrets import Fetch, SecretMissing, SecretNameWrong, SecretsAway

LONGEST_ANSWER: Final = 256 * 1024  # bytes; 1,500 tokens of JSON have 6 KB, streamed 150 KB
LONGEST_QUESTION: Final = 8 * 1024 * 1024  # bytes; a million tokens have four
_TOO_MANY, _OVERLOADED, _UNAVAILABLE = 429, 529, 503  # statuses that ask for patience
_NO_ADVICE_S: Final = 1.0  # to wait where a busy endpoint does not say how long
_SHOWN: Final = 200  # bytes of an error's body in a message
_ESCAPE: Final = re.compile(r"\\u([0-9a-fA-F]{4})")  # of one character in JSON
_REPEATS: Final = b"(an answer that repeats our key)"  # in the place of one that escapes it


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
    streams: bool = False  # ask for the answer as a stream


class Endpoint:
    """One model."""

    def __init__(self, address: Address, way: Outbound, key: Fetch | None = None) -> None:
        """Ask it there by this way; nothing is sent yet. Without a key none is sent."""
        self._address = address
        self._protocol = PROTOCOLS[address.protocol]
        self._url = address.url.rstrip("/") + self._protocol.path
        self._way = way
        self._key = key

    @property
    def model(self) -> str:
        """Its name and address."""
        return f"{self._address.model}@{self._address.url}"

    def turn(self, question: Question, *, limit_s: float) -> Reply:
        """Return the model's next turn; raises the port's errors."""
        wanted = self._protocol.body(self._address.model, question, stream=self._address.streams)
        sent = json.dumps(wanted).encode()
        until = time.monotonic() + limit_s
        key = self._fetched(sent)
        answer = self._post(sent, key, until, limit_s)
        heard = _without(answer.body, key)
        self._check(answer, sent, heard)
        try:
            kind = answer.headers.get("content-type", "")
            streamed = kind.startswith("text/event-stream")
            read = self._protocol.streamed if streamed else self._protocol.whole
            reply = read(heard)
        except wire.NotTheProtocol as cause:
            raise AdviserGarbled(f"{self._url}: {cause}", sent=sent, heard=heard) from cause
        if key and key in _texts(reply):  # a stream brought it in pieces
            message = f"{self._url}: the answer repeats our key, so nothing of it is kept"
            raise AdviserGarbled(message, sent=sent, heard=_REPEATS)
        return replace(reply, sent=sent, heard=heard)

    def _fetched(self, sent: bytes) -> str:
        try:
            return self._key().reveal() if self._key is not None else ""
        except (SecretMissing, SecretNameWrong, SecretsAway) as cause:
            raise AdviserAway(f"{self._url}: no key: {cause}", sent=sent, heard=b"") from cause

    def _post(self, sent: bytes, key: str, until: float, limit_s: float) -> Answer:
        headers = {
            "Content-Type": "application/json",
            "Accept": "text/event-stream" if self._address.streams else "application/json",
            **self._protocol.headers(key),
        }
        left = max(0.0, until - time.monotonic())
        try:
            return self._way.send(Request("POST", self._url, headers, sent, left))
        except TooLong as cause:
            message = f"{self._url}: {cause}"
            raise AdviserGarbled(message, sent=sent, heard=_without(cause.heard, key)) from cause
        except NotAllowed as cause:
            raise AdviserAway(f"{self._url}: {cause}", sent=sent, heard=b"") from cause
        except NoAnswer as cause:
            late = time.monotonic() >= until
            why = f"no answer within {limit_s:.1f} s" if late else f"no answer: {cause}"
            heard = _without(cause.heard, key)
            raise AdviserAway(f"{self._url}: {why}", sent=sent, heard=heard) from cause

    def _check(self, answer: Answer, sent: bytes, heard: bytes) -> None:
        """Raise for a status that is no success."""
        status = answer.status
        if status == HTTPStatus.OK:
            return
        said = heard[:_SHOWN].decode("utf-8", "replace")
        message = f"{self._url}: status {status}: {said}"
        if status in {_TOO_MANY, _OVERLOADED, _UNAVAILABLE}:
            wait = _patience(answer.headers.get("retry-after", ""))
            raise AdviserBusy(message, retry_after_s=wait, sent=sent, heard=heard)
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.REQUEST_TIMEOUT:
            raise AdviserAway(message, sent=sent, heard=heard)
        raise AdviserDeclined(message, sent=sent, heard=heard)


def _without(heard: bytes, key: str) -> bytes:
    """Return what came, without our key, which some services repeat in their errors."""
    if not key:
        return heard
    without = heard.replace(key.encode(), b"(key)")
    return _REPEATS if key in _unescaped(without.decode("utf-8", "replace")) else without


def _texts(reply: Reply) -> str:
    """Return all that a turn says, also what its tools would read from it."""
    calls = (text for call in reply.calls for text in (call.id, call.name, call.arguments))
    return _unescaped("\n".join((reply.text, reply.refusal, *calls)))


def _unescaped(text: str) -> str:
    """Return a text as whoever reads its JSON sees it."""
    return _ESCAPE.sub(lambda found: chr(int(found[1], 16)), text)


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
