"""Where other systems push telemetry: Prometheus remote write, and OpenTelemetry over HTTP.

Stands before the people's application as bare ASGI, as the door of alerts does. Rules:

1. Deny by default: a token made for this kind of sender, or 401 before a byte of the body is read.
2. 2xx comes after the commit of everything in the body that was not refused.
3. What should be sent again is answered with 503 and Retry-After. What cannot be taken however
   often it is sent is told as each protocol has it: remote write with 400 (the rest of the body is
   kept), OpenTelemetry with 200 and a partial success.
4. Bounded: bytes of a body as sent and unpacked, bytes of all bodies, bodies unpacked at a time,
   points of a body, points in a second, series of a host and of an environment.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, TypeAlias, TypeVar

from starlette.types import ASGIApp, Receive, Scope, Send

from sentienguard.controlplane import bodies, refusals
from sentienguard.controlplane.centre import Centre
from sentienguard.controlplane.outside_watch import OutsideWatch
from sentienguard.controlplane.problems import ProblemError
from sentienguard.controlplane.refusals import DoorRefusal
from sentienguard.controlplane.sender_access import Access, Known
from sentienguard.controlplane.series_limits import SeriesLimits
from sentienguard.model import errors

if TYPE_CHECKING:
    from sentienguard.controlplane.telemetry_desk import TelemetryDesk

log = logging.getLogger(__name__)
MAX_BODY_BYTES: Final = 8 * 1024 * 1024  # as sent; unpacked: see controlplane.unpacking
READERS: Final = 2  # bodies that are unpacked and read at a time; each may take 100 MB for a moment
Headers: TypeAlias = Mapping[bytes, bytes]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Request:
    """One body from somebody who is let in."""

    environment: str  # of the sender's token
    headers: Headers
    body: bytes  # as it was sent
    spend: Callable[[int], None]  # raises ProblemError where the sender sent too much in a second
    readers: Executor  # where bodies are unpacked and read, beside the loop

    async def read(self, work: Callable[["Request"], T]) -> T:
        """Unpack and read the body when it is its turn; raises what that raises."""
        return await asyncio.get_running_loop().run_in_executor(self.readers, work, self)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the sender is told."""

    status: HTTPStatus = HTTPStatus.NO_CONTENT
    body: bytes = b""
    media_type: bytes = bodies.JSON
    headers: tuple[tuple[bytes, bytes], ...] = ()
    kind: str = "accepted"  # as it is counted


Take: TypeAlias = Callable[[Request], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class Entrance:
    """One path."""

    purpose: str  # of the tokens that open it
    take: Take
    only_post: bool = False  # true: other methods are for the application behind


class TelemetryDoor:
    """Takes what is pushed; every other request goes to the application behind."""

    def __init__(
        self,
        centre: Centre,
        entrances: Mapping[str, Entrance],
        limits: SeriesLimits,
        watch: OutsideWatch | None = None,
    ) -> None:
        """Prepare; `entrances` are by path. `watch` is for who asks what was taken in."""
        self.limits = limits
        self.desk: TelemetryDesk | None = None  # for readings that we fetch ourselves
        self.watch = watch
        self._centre = centre
        self._entrances = entrances
        self._access = Access(centre, float(centre.settings.readings_per_second))
        self._bodies = bodies.Bodies(MAX_BODY_BYTES)
        self._readers = ThreadPoolExecutor(READERS, "telemetry-reader")

    def close(self) -> None:
        """Finish what is being read and read nothing more."""
        self._readers.shutdown()

    def before(self, app: ASGIApp) -> ASGIApp:
        """Return the application with this door before it."""

        async def door(scope: Scope, receive: Receive, send: Send) -> None:
            entrance = self._entrances.get(scope["path"]) if scope["type"] == "http" else None
            if entrance is None or (entrance.only_post and scope["method"] != "POST"):
                await app(scope, receive, send)
            else:
                await self._serve(entrance, scope, receive, send)

        return door

    def forget_tokens(self) -> None:
        """Look every token up again; called when one changed."""
        self._access.forget()

    async def _serve(self, entrance: Entrance, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            answer = await self._accept(entrance, scope, receive)
        except ProblemError as problem:
            self._centre.counters.add("telemetry_requests_total", problem.kind)
            if isinstance(problem, DoorRefusal):
                await refusals.heard(self._centre, problem, scope)
            await bodies.refuse(problem, scope, receive, send)
            return
        except (errors.Unavailable, errors.Broken) as cause:
            log.warning("telemetry was not taken: %s", cause)
            self._centre.counters.add("telemetry_requests_total", "unavailable")
            refusal = ProblemError(
                HTTPStatus.SERVICE_UNAVAILABLE, "unavailable", "telemetry cannot be kept now"
            )
            await bodies.refuse(refusal, scope, receive, send)
            return
        self._centre.counters.add("telemetry_requests_total", answer.kind)
        await bodies.answer(send, answer.status, answer.body, answer.media_type, answer.headers)

    async def _accept(self, entrance: Entrance, scope: Scope, receive: Receive) -> Answer:
        headers = dict(scope["headers"])
        known = await self._access.authenticate(headers, entrance.purpose)
        if scope["method"] != "POST":
            raise ProblemError(HTTPStatus.METHOD_NOT_ALLOWED, "method-not-allowed", "expected POST")
        body = await self._bodies.read(headers, receive)
        request = Request(
            known.token.environment, headers, body, self._spender(known), self._readers
        )
        return await entrance.take(request)

    def _spender(self, known: Known) -> Callable[[int], None]:
        def spend(points: int) -> None:
            if not self._access.spend(known, points):
                rate = self._centre.settings.readings_per_second
                raise bodies.busy(f"more than {rate:g} points in a second with one token")

        return spend
