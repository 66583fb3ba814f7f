"""The webhooks of alerts: take alerts of any known sender, answer once they are durable.

Stands in front of the people's application, as bare ASGI: what a framework adds to a request costs
more than all that is done here. Rules:

1. Deny by default: a token made for this webhook, or 401 before a byte of the body is read; where
   the sender signs, a signature by a secret that was registered for the token, or 401 before the
   body is looked into.
2. 2xx comes after the commit that holds every alert of the body that was not refused, and after
   what people did there about pages of ours is kept.
3. What the sender should send again is answered with 503 and never with 429: Alertmanager repeats
   after 5xx only. What cannot be taken however often it is sent is answered with 4xx.
4. Bounded: bytes of one body, bytes of all bodies at hand, alerts waiting, alerts in a second.
5. A handshake is answered as its sender expects and lets nobody send. OPTIONS alone needs no token:
   its answer says the same to everybody, and nothing of it is read but the origin that asks.
"""

import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Receive, Scope, Send

from sentienguard.controlplane import alert_senders, bodies, page_answers, problems, refusals
from sentienguard.controlplane.alert_intake import Backlog
from sentienguard.controlplane.alert_senders import Sender
from sentienguard.controlplane.centre import Centre
from sentienguard.controlplane.group_commit import GroupCommit
from sentienguard.controlplane.problems import ProblemError
from sentienguard.controlplane.push_senders import Keys, PushSenders
from sentienguard.controlplane.refusals import DoorRefusal
from sentienguard.controlplane.sender_access import Access, Known
from sentienguard.model import errors
from sentienguard.ports.alert_inbox import NewAlert
from sentienguard.stages.observe import alert_batch
from sentienguard.stages.observe.alert_batch import Batch
from sentienguard.trust.webhook_signatures import NotSigned

log = logging.getLogger(__name__)
MAX_BODY_BYTES: Final = 4 * 1024 * 1024  # about 8,000 alerts of usual size
READ_AT_ONCE_BYTES: Final = 64 * 1024  # a larger body is read in a thread: others are waiting


class AlertDoor:
    """Takes requests of the webhooks; every other one goes to the application behind."""

    def __init__(
        self,
        centre: Centre,
        keeper: GroupCommit[NewAlert],
        backlog: Backlog,
        keys: Keys | None = None,
    ) -> None:
        """Prepare; `keeper` is where alerts go, `backlog` how many of them wait.

        `keys` are Google's, for who shows a token of Google; None: nobody does.
        """
        self._centre = centre
        self._keeper = keeper
        self._backlog = backlog
        self._access = Access(centre, float(centre.settings.alerts_per_second))
        self._push = PushSenders(centre, self._access, keys)
        self._bodies = bodies.Bodies(MAX_BODY_BYTES)

    def before(self, app: ASGIApp) -> ASGIApp:
        """Return the application with this door before it."""

        async def door(scope: Scope, receive: Receive, send: Send) -> None:
            sender = alert_senders.BY_PATH.get(scope["path"]) if scope["type"] == "http" else None
            if sender is None:
                await app(scope, receive, send)
            else:
                await self._take(sender, scope, receive, send)

        return door

    async def keep(self, alerts: Sequence[NewAlert]) -> None:
        """Return once alerts that we heard ourselves are durable. Raises what the store raises."""
        if alerts:
            await self._keeper.keep(alerts)

    def forget_tokens(self) -> None:
        """Look every token up again; called when one was revoked."""
        self._access.forget()

    async def _take(self, sender: Sender, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] == "OPTIONS" and sender.consent is not None:  # rule 5
            headers = sender.consent(dict(scope["headers"])) or {}
            self._centre.counters.add("webhook_requests_total", "asked_first")
            more = [(b"allow", b"POST, OPTIONS")]
            more += [(name.lower().encode(), value.encode()) for name, value in headers.items()]
            await bodies.answer(send, HTTPStatus.OK, more=more)
            return
        try:
            said = await self._accept(sender, scope, receive)
        except ProblemError as problem:
            self._centre.counters.add("webhook_requests_total", problem.kind)
            if isinstance(problem, DoorRefusal):
                await refusals.heard(self._centre, problem, scope)
            await bodies.refuse(problem, scope, receive, send)
            return
        except (errors.Unavailable, errors.Broken) as cause:
            log.warning("alerts were not taken: %s", cause)
            self._centre.counters.add("webhook_requests_total", "unavailable")
            refusal = ProblemError(
                HTTPStatus.SERVICE_UNAVAILABLE, "unavailable", "alerts cannot be kept now"
            )
            await bodies.refuse(refusal, scope, receive, send)
            return
        self._centre.counters.add("webhook_requests_total", "accepted")
        await bodies.answer(send, HTTPStatus.OK, said)

    async def _accept(self, sender: Sender, scope: Scope, receive: Receive) -> bytes:
        headers = dict(scope["headers"])
        known = await (
            self._push.authenticate(headers)
            if sender.by_google
            else self._access.authenticate(headers, sender.purpose)
        )
        if scope["method"] != "POST":
            raise ProblemError(HTTPStatus.METHOD_NOT_ALLOWED, "method-not-allowed", "expected POST")
        _require_plain(headers)
        body = await self._bodies.read(headers, receive)
        self._require_signed(sender, known, headers, body)
        greeting = self._greeting(sender, headers, body)
        if greeting is not None:
            return greeting
        if len(body) > READ_AT_ONCE_BYTES:
            environment = known.token.environment
            batch, alerts = await run_in_threadpool(self._read, sender, headers, body, environment)
        else:
            batch, alerts = self._read(sender, headers, body, known.token.environment)
        self._count(batch)
        if batch.refused and not alerts:
            detail = f"none of {batch.refused} alerts can be read: {batch.reasons[0]}"[:500]
            raise ProblemError(HTTPStatus.BAD_REQUEST, "malformed", detail)
        self._require_room(known, len(alerts))
        await self._keeper.keep(alerts)
        if batch.handled:
            environment = known.token.environment
            await run_in_threadpool(page_answers.take, self._centre, environment, batch.handled)
        return b'{"taken":%d,"refused":%d}' % (len(alerts), batch.refused)

    def _require_signed(
        self, sender: Sender, known: Known, headers: Mapping[bytes, bytes], body: bytes
    ) -> None:  # rule 1
        try:
            sender.require_signed(known.token, headers, body, self._centre.clock.now())
        except NotSigned as cause:
            raise DoorRefusal(
                HTTPStatus.UNAUTHORIZED,
                "not-signed",
                str(cause),
                label="webhook_signature",
                actor=known.token.id,
                environment=known.token.environment,
            ) from cause

    def _greeting(
        self, sender: Sender, headers: Mapping[bytes, bytes], body: bytes
    ) -> bytes | None:  # rule 5
        try:
            return None if sender.handshake is None else sender.handshake(body, headers)
        except alert_batch.Malformed as cause:
            raise ProblemError(HTTPStatus.BAD_REQUEST, "malformed", str(cause)[:500]) from cause

    def _read(
        self, sender: Sender, headers: Mapping[bytes, bytes], body: bytes, environment: str
    ) -> tuple[Batch, Sequence[NewAlert]]:
        now = self._centre.clock.now()
        try:
            batch = sender.read(body, headers, now)
        except alert_batch.Malformed as cause:
            raise ProblemError(HTTPStatus.BAD_REQUEST, "malformed", str(cause)[:500]) from cause
        return batch, [
            NewAlert(
                environment=environment,
                fingerprint=alert.fingerprint,
                starts_at=alert.starts_at,
                status=alert.status,
                received_at=now,
                text=alert_batch.encode(alert),
                sender=sender.purpose,
                heard_at=alert.heard_at,
            )
            for alert in batch.alerts
        ]

    def _count(self, batch: Batch) -> None:
        if batch.skipped:
            self._centre.counters.add("alerts_total", "skipped", batch.skipped)
        if batch.refused:
            self._centre.counters.add("alerts_refused_total", amount=batch.refused)
            log.warning("%d alerts refused: %s", batch.refused, "; ".join(batch.reasons))

    def _require_room(self, known: Known, alerts: int) -> None:  # rule 4
        settings = self._centre.settings
        if self._backlog.waiting > settings.alert_backlog:
            raise bodies.busy(f"{self._backlog.waiting} alerts wait to be processed")
        if not self._access.spend(known, alerts):
            rate = settings.alerts_per_second
            raise bodies.busy(f"more than {rate:g} alerts in a second with one token")


def describe(schema: dict[str, Any]) -> None:
    """Add the webhooks to the description of the API, which FastAPI makes of its own routes."""
    for sender in alert_senders.SENDERS:
        schema["paths"][sender.path] = {"post": _operation(sender)}


_PROBLEM: Final[dict[str, Any]] = {"content": {problems.MEDIA_TYPE: {}}}
_TAKEN: Final = {
    "type": "object",
    "required": ["taken", "refused"],
    "properties": {"taken": {"type": "integer"}, "refused": {"type": "integer"}},
}


def _operation(sender: Sender) -> dict[str, Any]:
    name = sender.path.strip("/").replace("/", "_").replace("-", "_")
    return {
        "tags": ["webhooks"],
        "summary": f"Take alerts of {sender.title}",
        "description": f"{sender.sentence} Answers once every alert that was not refused is "
        "durable. Needs a bearer token that was made for this webhook. Fields that are not named "
        "are ignored.",
        "operationId": f"take_alerts_{name}_post",
        "requestBody": {
            "required": True,
            "content": {one: {"schema": dict(sender.body)} for one in sender.media_types},
        },
        "responses": {
            "200": {
                "description": "Durable.",
                "content": {"application/json": {"schema": _TAKEN}},
            },
            "400": {"description": "Not what this sender sends, or no alert in it.", **_PROBLEM},
            "401": {
                "description": "No token, none for this webhook, or not signed.",
                **_PROBLEM,
            },
            "413": {"description": "More than 4 MiB.", **_PROBLEM},
            "415": {"description": "Compressed.", **_PROBLEM},
            "503": {"description": "Not now; send it again.", **_PROBLEM},
        },
    }


def _require_plain(headers: Mapping[bytes, bytes]) -> None:
    coded = headers.get(b"content-encoding", b"identity")
    if coded.lower() != b"identity":
        detail = f"content-encoding {coded[:40]!a}: expected none"
        raise ProblemError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "unsupported", detail)
