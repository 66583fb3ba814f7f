"""The agents' listener: enrol, push samples, pull configuration, poll for orders, report events.

Every route but enrolment, and the renewal of what has ended, needs a client certificate that this
centre's authority signed, that lasts and whose key is enrolled; it says who is speaking, whatever
the body says. A connection that outlives its certificate is of no more use.
"""

import base64
import binascii
import functools
import hashlib
import json
import uuid
from collections.abc import Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Any, TypeVar

import msgspec
from fastapi import FastAPI, Request, Response
from starlette.concurrency import run_in_threadpool

from sentienguard.controlplane import problems, refusals, renewals
from sentienguard.controlplane.centre import Centre
from sentienguard.controlplane.poll_desk import PollDesk
from sentienguard.controlplane.problems import ProblemError
from sentienguard.controlplane.refusals import DoorRefusal
from sentienguard.controlplane.sample_desk import SampleDesk
from sentienguard.controlplane.short_way import ShortWay
from sentienguard.flow.dispatch import Poll
from sentienguard.flow.receipts import Event, Receipts
from sentienguard.model import errors, ids
from sentienguard.model.ids import AgentId
from sentienguard.ports.agent_store import Agent, NoSuchAgent, TokenRefused
from sentienguard.stages.observe import wire
from sentienguard.trust import certificates, dsse, keys, pins

MAX_SAMPLE_BYTES = 256 * 1024
MAX_JSON_BYTES = 4 * 1024 * 1024  # 64 events with their output blobs
MAX_RENEWAL_BYTES = 16 * 1024  # anybody may send one
LONGEST_WAIT_S = 55.0
_PINS_REMEMBERED = 16_384  # of certificates: to read one takes as long as to inflate a sample
T = TypeVar("T")


@functools.lru_cache(_PINS_REMEMBERED)
def _shown(der: bytes) -> tuple[str, datetime]:
    """Return the pin of a certificate and when it ends."""
    return pins.spki_sha256(der), certificates.life_of(der)[1]


class Enrolment(msgspec.Struct, forbid_unknown_fields=True):
    """What a host sends to join."""

    token: str
    host: str
    environment: str
    csr_pem: str
    executor_key: str
    tags: dict[str, str] = {}


class Ticket(msgspec.Struct, forbid_unknown_fields=True):
    """A nonce that the host issued."""

    nonce: str


class Witness(msgspec.Struct, forbid_unknown_fields=True):
    """The checkpoint that the host co-signed last."""

    checkpoint: str | None = None


class AgentStatus(msgspec.Struct, forbid_unknown_fields=True):
    """What the host is doing."""

    busy: str | None = None
    frozen: bool = False
    events_through: int = 0
    confinement: str = ""  # what the collector's process reached, such as landlock-7,seccomp
    settings_digest: str = ""  # of agent.json
    files_digest: str = ""  # of the agent's program files; empty in a checkout
    root_version: int = 0  # of the root document that the executor goes by
    drift: str = ""  # what changed while the executor runs; no order runs meanwhile


class PollBody(msgspec.Struct, forbid_unknown_fields=True):
    """A long poll."""

    ticket: Ticket
    witness: Witness
    status: AgentStatus
    tree_size: int
    wait_s: float


class BlobBody(msgspec.Struct, forbid_unknown_fields=True):
    """Output that belongs to an event."""

    sha256: str
    type: str
    data: str


class EventBody(msgspec.Struct, forbid_unknown_fields=True):
    """One event with the host's signature."""

    leaf: str
    sig: str
    blobs: list[BlobBody] = []


class EventsBody(msgspec.Struct, forbid_unknown_fields=True):
    """Events in their order."""

    events: list[EventBody]


_BODIES: Mapping[type[Any], msgspec.json.Decoder[Any]] = {
    kind: msgspec.json.Decoder(kind) for kind in (Enrolment, renewals.Renewal, PollBody, EventsBody)
}


def application(centre: Centre, samples: SampleDesk, polls: PollDesk) -> ShortWay:
    """Return the agents' application."""
    app = FastAPI(title="SentienGuard agents", docs_url=None, redoc_url=None, openapi_url=None)
    problems.install(app)
    refusals.install(app, centre)
    receipts = Receipts(centre)

    @app.post("/api/v1/enroll", status_code=HTTPStatus.CREATED)
    async def enroll(request: Request) -> Response:
        wanted = _decode(await _body(request, MAX_JSON_BYTES), Enrolment, centre)
        answer = await run_in_threadpool(_enroll, centre, wanted)
        return Response(msgspec.json.encode(answer), 201, media_type="application/json")

    @app.post("/api/v1/certificate")
    async def certificate(request: Request) -> Response:
        wanted = _decode(await _body(request, MAX_RENEWAL_BYTES), renewals.Renewal, centre)
        answer = await run_in_threadpool(_renew, request, centre, wanted)
        return Response(msgspec.json.encode(answer), media_type="application/json")

    async def metrics(request: Request) -> Response:
        frame = await _body(request, MAX_SAMPLE_BYTES)
        return await _metrics(request, centre, samples, frame)

    @app.get("/api/v1/config")
    async def config(request: Request) -> Response:
        await run_in_threadpool(_agent, request, centre)
        return _config(request, centre)

    async def orders(request: Request) -> Response:
        body = _decode(await _body(request, MAX_JSON_BYTES), PollBody, centre)
        poll = Poll(
            nonce=body.ticket.nonce,
            busy=body.status.busy,
            tree_size=body.tree_size,
            cosigned=body.witness.checkpoint,
            root_version=body.status.root_version,
        )

        pin = _pin(request, centre)
        try:
            agent, answer = await polls.first(pin, poll)
        except NoSuchAgent as cause:
            raise _stranger(request) from cause
        if body.status.drift:
            await run_in_threadpool(_drifted, centre, agent, body.status)
        if not answer.has_work and body.wait_s > 0:
            # A second look after the bell. Without one it gets the newest checkpoint and asks
            # again, which is a look too.
            rung = await centre.bells.wait(agent.id, min(body.wait_s, LONGEST_WAIT_S))
            answer = await (polls.again(agent, poll) if rung else polls.nothing(poll))
        return Response(
            msgspec.json.encode(
                {
                    "order": answer.order,
                    "stop": answer.stop,
                    "checkpoint": answer.checkpoint,
                    "consistency": answer.consistency,
                }
            ),
            media_type="application/json",
        )

    @app.post("/api/v1/orders/events")
    async def events(request: Request) -> Response:
        body = _decode(await _body(request, MAX_JSON_BYTES), EventsBody, centre)
        agent = await run_in_threadpool(_agent, request, centre)
        through = await run_in_threadpool(
            receipts.take, agent, [_event(one) for one in body.events]
        )
        return Response(msgspec.json.encode({"through": through}), media_type="application/json")

    # These two come from every host all the time. The routes answer whoever asks by another method.
    app.add_route("/api/v1/metrics", metrics, methods=["POST"])
    app.add_route("/api/v1/orders", orders, methods=["POST"])
    return ShortWay(app, {"/api/v1/metrics": metrics, "/api/v1/orders": orders})


def _drifted(centre: Centre, agent: Agent, status: AgentStatus) -> None:
    """Record a host's changed files; one entry for what it changed to, however often it polls."""
    digests = f"{status.settings_digest[:80]}/{status.files_digest[:80]}"
    centre.audit.append(
        kind="agent.alarm",
        env=agent.environment,
        actor=agent.id,
        key=f"drift/{agent.id}/{ids.digest(digests.encode())}",
        data={
            "what": "files_changed",
            "agent": agent.id,
            "reason": status.drift[:500],
            "settings_digest": status.settings_digest[:80],
            "files_digest": status.files_digest[:80],
        },
    )


def _peer(request: Request) -> bytes | None:
    """Return the client certificate that TLS checked, DER; None: the client showed none."""
    found: bytes | None = request.scope.get("state", {}).get("peer_certificate")
    return found


def _pin(request: Request, centre: Centre) -> str:
    """Return whose key the client certificate has.

    Raises ProblemError where there is none, or where it has ended since the connection was made.
    """
    der = _peer(request)
    if der is None:
        raise DoorRefusal(
            HTTPStatus.UNAUTHORIZED,
            "no-certificate",
            "an enrolled agent's client certificate is needed; run sentienguard-agent enroll",
            label="no_certificate",
        )
    pin, ends = _shown(der)
    if centre.clock.now() > ends:
        raise DoorRefusal(
            HTTPStatus.UNAUTHORIZED,
            "certificate-ended",
            f"the client certificate ended at {ends:%Y-%m-%d %H:%M:%S}Z; ask for a new one",
            label="certificate_ended",
            actor=_named(der),
        )
    return pin


def _renew(request: Request, centre: Centre, wanted: renewals.Renewal) -> dict[str, str]:
    peer = _peer(request)
    if peer is None:
        return renewals.late(centre, wanted)
    return renewals.in_time(centre, _agent(request, centre), peer)


def _agent(request: Request, centre: Centre) -> Agent:
    pin = _pin(request, centre)
    try:
        return centre.agents.by_pin(pin)
    except NoSuchAgent as cause:
        raise _stranger(request) from cause


def _stranger(request: Request) -> DoorRefusal:
    """Return the refusal of a key that nobody here has."""
    return DoorRefusal(
        HTTPStatus.FORBIDDEN,
        "unknown-agent",
        "the key of this client certificate is not enrolled here; enrol the host again",
        label="unknown_agent",
        actor=_named(_peer(request)),
    )


def _named(der: bytes | None) -> str:
    """Return whom our own certificate names, for the record; empty: nobody."""
    try:
        return "" if der is None else certificates.agent_of(der)
    except (dsse.NotTrusted, pins.BadCertificate):
        return ""


async def _metrics(request: Request, centre: Centre, samples: SampleDesk, frame: bytes) -> Response:
    pin = _pin(request, centre)
    try:
        await samples.take(pin, frame)
    except NoSuchAgent as cause:
        raise _stranger(request) from cause
    except errors.Rejected as problem:
        return _refused(problem, request, centre)
    except wire.UnknownBase as problem:
        centre.counters.add("samples_total", "unknown_base")
        return problems.response(HTTPStatus.CONFLICT, "unknown-base", str(problem), request)
    return Response(status_code=HTTPStatus.NO_CONTENT)


def _refused(problem: errors.Rejected, request: Request, centre: Centre) -> Response:
    """Answer a sample that is not to be sent again."""
    centre.counters.add("samples_total", "refused")
    status, kind = HTTPStatus.UNPROCESSABLE_ENTITY, "sample-refused"
    if isinstance(problem, wire.Malformed):
        status, kind = HTTPStatus.BAD_REQUEST, "malformed-frame"
    return problems.response(status, kind, str(problem), request)


def _config(request: Request, centre: Centre) -> Response:
    trust = centre.trust
    listing = trust.listing  # once: a newer one may take its place meanwhile
    body = json.dumps(
        {
            "root": trust.root_envelope,
            "roots": trust.earlier_roots,
            "catalogue": listing.envelope,
            "playbooks": {
                digest: base64.b64encode(stored).decode()
                for digest, stored in listing.playbooks.items()
            },
            "interval_s": centre.settings.interval_s,
        }
    ).encode()
    tag = f'"{hashlib.sha256(body).hexdigest()}"'
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers={"ETag": tag})
    return Response(body, media_type="application/json", headers={"ETag": tag})


def _require_own_name(centre: Centre, wanted: Enrolment) -> None:
    """Refuse a name that a host of another environment has: readings are kept by it.

    Who may see one of the two environments would see the other's.
    """
    if centre.agents.environments(wanted.host) - {wanted.environment}:
        raise ProblemError(
            HTTPStatus.CONFLICT,
            "name-elsewhere",
            f"another environment has a host called {wanted.host}, and readings are kept by name: "
            "enrol this one under another name, or strike that one off first; the join token is "
            "used up",
        )


def _enroll(centre: Centre, wanted: Enrolment) -> dict[str, Any]:
    now = centre.clock.now()
    if wanted.environment not in centre.environments:
        known = ", ".join(centre.environments)
        message = f"environment {wanted.environment!r}: expected one of {known}"
        raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, "unknown-environment", message)
    keys.VerifyKey.from_text(wanted.executor_key)
    name = AgentId(str(uuid.UUID(bytes=centre.entropy.bytes(16), version=4)))
    lasts = renewals.lifetime(centre)
    certificate = centre.trust.sign_agent(wanted.csr_pem.encode(), name, now, lasts)
    try:
        centre.agents.redeem_token(
            wanted.token, environment=wanted.environment, host=wanted.host, at=now
        )
    except TokenRefused as cause:
        raise DoorRefusal(
            HTTPStatus.FORBIDDEN,
            "token-refused",
            str(cause),
            label="join_token",
            environment=wanted.environment,
        ) from cause
    _require_own_name(centre, wanted)  # after the token: nobody else learns which names there are
    agent = Agent(
        id=name,
        host=wanted.host,
        environment=wanted.environment,
        tags=wanted.tags,
        tls_pin=certificates.pin_of(certificate),
        executor_key=wanted.executor_key,
        enrolled_at=now,
        certificate_ends=certificates.life_of(certificates.to_der(certificate))[1],
    )
    centre.agents.add(agent)
    centre.audit.append(
        kind="agent.enrolled",
        env=agent.environment,
        actor=agent.id,
        data={
            "agent": agent.id,
            "host": agent.host,
            "executor_key": agent.executor_key,
            "tls_pin": agent.tls_pin,
        },
    )
    centre.live.changed("host", agent.id, now)
    return {
        "agent_id": agent.id,
        "certificate_pem": certificate.decode(),
        "ca_pem": centre.trust.authorities.read().trusted_pem.decode(),
        "root": centre.trust.root_envelope,
    }


def _event(body: EventBody) -> Event:
    try:
        return Event(
            leaf=body.leaf.encode(),
            signature=base64.b64decode(body.sig, validate=True),
            blobs=tuple(
                (blob.sha256, blob.type, base64.b64decode(blob.data, validate=True))
                for blob in body.blobs
            ),
        )
    except binascii.Error as cause:
        message = f"event: expected base64 in sig and blobs, found {cause}"
        raise ProblemError(HTTPStatus.BAD_REQUEST, "malformed-event", message) from cause


async def _body(request: Request, limit: int) -> bytes:
    """Read a body without ever holding more than `limit` bytes of it."""
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            message = f"expected at most {limit} bytes"
            status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
            raise DoorRefusal(status, "too-large", message, label="too_large")
        chunks.append(chunk)
    return b"".join(chunks)


def _decode(body: bytes, kind: type[T], centre: Centre) -> T:
    try:
        found: T = _BODIES[kind].decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as cause:
        centre.counters.add("requests_refused_total", kind.__name__)
        raise DoorRefusal(
            HTTPStatus.BAD_REQUEST, "malformed", f"body: {cause}", label="malformed"
        ) from cause
    return found
