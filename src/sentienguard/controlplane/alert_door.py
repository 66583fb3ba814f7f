"""The webhook of Alertmanager: take alerts, answer once they are durable.

Stands in front of the people's application, as bare ASGI: what a framework adds to a request costs
more than all that is done here. Rules:

1. Deny by default: a token made for this webhook, or 401 before a byte of the body is read.
2. 2xx comes after the commit that holds every alert of the body that was not refused.
3. What the sender should send again is answered with 503 and never with 429: Alertmanager repeats
   after 5xx only. What cannot be taken however often it is sent is answered with 4xx.
4. Bounded: bytes of one body, bytes of all bodies at hand, alerts waiting, alerts in a second.
"""

import hashlib
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from sentienguard.controlplane import problems
from sentienguard.controlplane.alert_intake import Backlog
from sentienguard.controlplane.centre import Centre
from sentienguard.controlplane.group_commit import GroupCommit
from sentienguard.controlplane.problems import ProblemError
from sentienguard.model import errors
from sentienguard.ports.alert_inbox import NewAlert
from sentienguard.ports.webhook_tokens import TokenUnknown, WebhookToken
from sentienguard.stages.observe import alertmanager

log = logging.getLogger(__name__)
PATH: Final = "/api/v1/webhooks/alertmanager"
PURPOSE: Final = "alertmanager"
MAX_BODY_BYTES: Final = 4 * 1024 * 1024  # about 8,000 alerts of usual size
READ_AT_ONCE_BYTES: Final = 64 * 1024  # a larger body is read in a thread: others are waiting
MAX_HELD_BYTES: Final = 64 * 1024 * 1024  # of all bodies that are being read
TOKEN_KNOWN_S: Final = 2.0  # a token revoked at another control plane is refused within this
MAX_KNOWN_TOKENS: Final = 1024
_JSON: Final = b"application/json"


@dataclass(slots=True)
class _Known:
    """A token that was looked up a moment ago, and what its holder may still send."""

    token: WebhookToken
    until: float  # monotonic
    allowance: float  # alerts
    counted_at: float  # monotonic


class AlertDoor:
    """Takes requests of the webhook; every other one goes to the application behind."""

    def __init__(
        self,
        centre: Centre,
        keeper: GroupCommit[NewAlert],
        backlog: Backlog,
    ) -> None:
        """Prepare; `keeper` is where alerts go, `backlog` how many of them wait."""
        self._centre = centre
        self._keeper = keeper
        self._backlog = backlog
        self._known: dict[bytes, _Known] = {}
        self._held = 0

    def before(self, app: ASGIApp) -> ASGIApp:
        """Return the application with this door before it."""

        async def door(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "http" and scope["path"] == PATH:
                await self._take(scope, receive, send)
            else:
                await app(scope, receive, send)

        return door

    def forget_tokens(self) -> None:
        """Look every token up again; called when one was revoked."""
        self._known.clear()

    async def _take(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            status, answer = HTTPStatus.OK, await self._accept(scope, receive)
        except ProblemError as problem:
            self._centre.counters.add("webhook_requests_total", problem.kind)
            await _refuse(problem, scope, receive, send)
            return
        except (errors.Unavailable, errors.Broken) as cause:
            log.warning("alerts were not taken: %s", cause)
            self._centre.counters.add("webhook_requests_total", "unavailable")
            refusal = ProblemError(
                HTTPStatus.SERVICE_UNAVAILABLE, "unavailable", "alerts cannot be kept now"
            )
            await _refuse(refusal, scope, receive, send)
            return
        self._centre.counters.add("webhook_requests_total", "accepted")
        await _send(send, status, answer, _JSON)

    async def _accept(self, scope: Scope, receive: Receive) -> bytes:
        headers = dict(scope["headers"])
        known = await self._authenticate(headers)
        if scope["method"] != "POST":
            raise ProblemError(HTTPStatus.METHOD_NOT_ALLOWED, "method-not-allowed", "expected POST")
        _require_json(headers)
        body = await self._body(headers, receive)
        read = run_in_threadpool if len(body) > READ_AT_ONCE_BYTES else _at_once
        batch, alerts = await read(self._read, body, known.token.environment)
        if batch.refused:
            self._centre.counters.add("alerts_refused_total", amount=batch.refused)
            log.warning("%d alerts refused: %s", batch.refused, "; ".join(batch.reasons))
        if batch.refused and not alerts:
            detail = f"none of {batch.refused} alerts can be read: {batch.reasons[0]}"[:500]
            raise ProblemError(HTTPStatus.BAD_REQUEST, "malformed", detail)
        self._require_room(known, len(alerts))
        await self._keeper.keep(alerts)
        return b'{"taken":%d,"refused":%d}' % (len(alerts), batch.refused)

    def _read(self, body: bytes, environment: str) -> tuple[alertmanager.Batch, Sequence[NewAlert]]:
        try:
            batch = alertmanager.parse(body)
        except alertmanager.Malformed as cause:
            raise ProblemError(HTTPStatus.BAD_REQUEST, "malformed", str(cause)[:500]) from cause
        now = self._centre.clock.now()
        return batch, [
            NewAlert(
                environment=environment,
                fingerprint=alert.fingerprint,
                starts_at=alert.starts_at,
                status=alert.status,
                received_at=now,
                text=alertmanager.encode(alert),
            )
            for alert in batch.alerts
        ]

    async def _authenticate(self, headers: Mapping[bytes, bytes]) -> _Known:  # rule 1
        scheme, _, secret = headers.get(b"authorization", b"").partition(b" ")
        if scheme.lower() != b"bearer" or not secret:
            raise self._unauthenticated("send a bearer token that was made for this webhook")
        name = hashlib.sha256(secret).digest()
        now = self._centre.clock.monotonic()
        known = self._known.get(name)
        if known is not None and now < known.until:
            return known
        try:
            token = await run_in_threadpool(
                self._centre.webhook_tokens.by_secret, secret.decode("latin-1"), PURPOSE
            )
        except TokenUnknown as cause:
            self._known.pop(name, None)
            raise self._unauthenticated(str(cause)) from cause
        if len(self._known) >= MAX_KNOWN_TOKENS:
            self._known.clear()
        rate = float(self._centre.settings.alerts_per_second)
        allowance, counted_at = (known.allowance, known.counted_at) if known else (rate, now)
        self._known[name] = _Known(token, now + TOKEN_KNOWN_S, allowance, counted_at)
        return self._known[name]

    def _unauthenticated(self, detail: str) -> ProblemError:
        self._centre.counters.add("access_denied_total", "webhook_token")
        return ProblemError(HTTPStatus.UNAUTHORIZED, "unauthenticated", detail)

    async def _body(self, headers: Mapping[bytes, bytes], receive: Receive) -> bytes:
        announced = headers.get(b"content-length", b"0")
        if announced.isdigit() and int(announced) > MAX_BODY_BYTES:
            raise _too_large()
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
                self._held += len(chunk)
                if size > MAX_BODY_BYTES:
                    raise _too_large()
                if self._held > MAX_HELD_BYTES:
                    raise _busy("too many large bodies at once")
                chunks.append(chunk)
                if not message.get("more_body", False):
                    return b"".join(chunks)
        finally:
            self._held -= size

    def _require_room(self, known: _Known, alerts: int) -> None:  # rule 4
        settings = self._centre.settings
        if self._backlog.waiting > settings.alert_backlog:
            raise _busy(f"{self._backlog.waiting} alerts wait to be processed")
        now = self._centre.clock.monotonic()
        rate = float(settings.alerts_per_second)
        passed = now - known.counted_at
        known.allowance = min(rate, known.allowance + passed * rate)
        known.counted_at = now
        if known.allowance <= 0:
            raise _busy(f"more than {rate:g} alerts in a second with one token")
        known.allowance -= max(alerts, 1)  # one body may overdraw; the next one waits for it


def describe(schema: dict[str, Any]) -> None:
    """Add the webhook to the description of the API, which FastAPI makes of its own routes."""
    schema["paths"][PATH] = {"post": _OPERATION}


_PROBLEM: Final[dict[str, Any]] = {"content": {problems.MEDIA_TYPE: {}}}
_STRINGS: Final = {"type": "object", "additionalProperties": {"type": "string"}}
_OPERATION: Final[dict[str, Any]] = {
    "tags": ["webhooks"],
    "summary": "Take alerts of Alertmanager",
    "description": "Webhook format 4. Answers once every alert that was not refused is durable. "
    "Needs a bearer token that was made for this webhook. Fields that are not named are ignored.",
    "operationId": "take_alerts_api_v1_webhooks_alertmanager_post",
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["alerts"],
                    "properties": {
                        "version": {"type": "string", "const": alertmanager.VERSION},
                        "alerts": {
                            "type": "array",
                            "items": {
                                "type": "object",
                                "required": ["status", "labels", "startsAt"],
                                "properties": {
                                    "status": {"enum": ["firing", "resolved"]},
                                    "labels": _STRINGS,
                                    "annotations": _STRINGS,
                                    "startsAt": {"type": "string", "format": "date-time"},
                                },
                            },
                        },
                    },
                }
            }
        },
    },
    "responses": {
        "200": {
            "description": "Durable.",
            "content": {
                "application/json": {
                    "schema": {
                        "type": "object",
                        "required": ["taken", "refused"],
                        "properties": {
                            "taken": {"type": "integer"},
                            "refused": {"type": "integer"},
                        },
                    }
                }
            },
        },
        "400": {"description": "No webhook of version 4, or no alert in it.", **_PROBLEM},
        "401": {"description": "No token, or none for this webhook.", **_PROBLEM},
        "413": {"description": "More than 4 MiB.", **_PROBLEM},
        "415": {"description": "Compressed.", **_PROBLEM},
        "503": {"description": "Not now; send it again.", **_PROBLEM},
    },
}


async def _at_once(
    read: Callable[[bytes, str], tuple[alertmanager.Batch, Sequence[NewAlert]]],
    body: bytes,
    environment: str,
) -> tuple[alertmanager.Batch, Sequence[NewAlert]]:
    return read(body, environment)


def _require_json(headers: Mapping[bytes, bytes]) -> None:
    coded = headers.get(b"content-encoding", b"identity")
    if coded.lower() != b"identity":
        detail = f"content-encoding {coded[:40]!a}: expected none"
        raise ProblemError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "unsupported", detail)


def _too_large() -> ProblemError:
    detail = f"body: expected at most {MAX_BODY_BYTES} bytes; send fewer alerts in one"
    return ProblemError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too-large", detail)


def _busy(detail: str) -> ProblemError:
    return ProblemError(
        HTTPStatus.SERVICE_UNAVAILABLE, "busy", f"{detail}; send it again"
    )  # rule 3


async def _refuse(problem: ProblemError, scope: Scope, receive: Receive, send: Send) -> None:
    response = problems.response(problem.status, problem.kind, problem.detail, Request(scope))
    if problem.status is HTTPStatus.UNAUTHORIZED:
        response.headers["WWW-Authenticate"] = "Bearer"
    response.headers["Cache-Control"] = "no-store"
    await response(scope, receive, send)


async def _send(send: Send, status: HTTPStatus, body: bytes, media_type: bytes) -> None:
    headers = [
        (b"content-type", media_type),
        (b"content-length", b"%d" % len(body)),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": status.value, "headers": headers})
    await send({"type": "http.response.body", "body": body})
