"""Bodies of requests as bare ASGI: read within bounds, refused as problems, answered.

Called by controlplane.alert_door and controlplane.telemetry_door, which stand before the
application because what a framework adds to a request costs more than all that they do.
"""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Final

from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from sentienguard.controlplane import problems
from sentienguard.controlplane.problems import ProblemError

MAX_HELD_BYTES: Final = 64 * 1024 * 1024  # of all bodies that one door is reading
JSON: Final = b"application/json"


class Bodies:
    """Reads bodies; together they are bounded too."""

    def __init__(self, most: int) -> None:
        """Take at most so many bytes in one body."""
        self._most = most
        self.held = 0  # bytes of all that are being read

    async def read(self, headers: Mapping[bytes, bytes], receive: Receive) -> bytes:
        """Return one body. Raises ProblemError: too large, too many at once, cut off."""
        announced = headers.get(b"content-length", b"0")
        if announced.isdigit() and int(announced) > self._most:
            raise self._too_large()
        chunks: list[bytes] = []
        size = 0
        try:
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ProblemError(
                        HTTPStatus.BAD_REQUEST, "cut-off", "the sender hung up in mid-sentence"
                    )
                chunk = message.get("body", b"")
                size += len(chunk)
                self.held += len(chunk)
                if size > self._most:
                    raise self._too_large()
                if self.held > MAX_HELD_BYTES:
                    raise busy("too many large bodies at once")
                chunks.append(chunk)
                if not message.get("more_body", False):
                    return b"".join(chunks)
        finally:
            self.held -= size

    def _too_large(self) -> ProblemError:
        detail = f"body: expected at most {self._most} bytes; send less in one"
        return ProblemError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too-large", detail)


def busy(detail: str) -> ProblemError:
    """Return the refusal of what should be sent again.

    503 and never 429: Alertmanager and Datadog repeat after 5xx only, and nobody minds.
    """
    return ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, "busy", f"{detail}; send it again")


def text(headers: Mapping[bytes, bytes], name: bytes) -> str:
    """Return a header as text; empty where it is missing."""
    return headers.get(name, b"").decode("latin-1")


async def refuse(problem: ProblemError, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with a problem."""
    response = problems.response(problem.status, problem.kind, problem.detail, Request(scope))
    if problem.status is HTTPStatus.UNAUTHORIZED:
        response.headers["WWW-Authenticate"] = "Bearer"
    response.headers["Cache-Control"] = "no-store"
    await response(scope, receive, send)


async def answer(
    send: Send,
    status: HTTPStatus,
    body: bytes = b"",
    media_type: bytes = JSON,
    more: Sequence[tuple[bytes, bytes]] = (),
) -> None:
    """Answer with a body, or with none where it is empty, and with more headers."""
    typed = [(b"content-type", media_type)] if body else []
    length = (b"content-length", b"%d" % len(body))
    headers = [*typed, length, (b"cache-control", b"no-store"), *more]
    await send({"type": "http.response.start", "status": status.value, "headers": headers})
    await send({"type": "http.response.body", "body": body})
