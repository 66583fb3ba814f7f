"""Prometheus remote write: what is answered to a body of version 1 or 2.

Called by controlplane.telemetry. The answers are those of the specifications: 204 when everything
is durable; 400 where some points were refused, the others being durable; 415 for another message
or another compression; 503 for what should be sent again. Version 2 is told in headers how many
samples are durable, whatever the status.
"""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Final

from sentienguard.controlplane import bodies, unpacking
from sentienguard.controlplane.problems import MEDIA_TYPE, ProblemError, body_of
from sentienguard.controlplane.telemetry_desk import Taken, TelemetryDesk
from sentienguard.controlplane.telemetry_door import Answer, Entrance, Headers, Request
from sentienguard.ports.metric_store import Moment
from sentienguard.stages.observe import outside, remote_write

PURPOSE: Final = "prometheus"
PATH: Final = "/api/v1/write"
_PROTOBUF: Final = "application/x-protobuf"
_WRITTEN: Final = b"x-prometheus-remote-write-%s-written"


def entrances(desk: TelemetryDesk) -> dict[str, Entrance]:
    """Return the path of remote write."""

    async def take(request: Request) -> Answer:
        version = _version(request.headers)
        moments, taken = await request.read(lambda one: _read(desk, one, version))
        request.spend(taken.written + taken.refused)
        await desk.keep(request.environment, moments)
        written = _counts(taken.written) if version == remote_write.V2 else ()
        if not taken.refused:
            return Answer(headers=written)
        detail = f"{taken.refused} samples refused, {taken.written} kept: " + "; ".join(
            taken.reasons
        )
        refusal = body_of(HTTPStatus.BAD_REQUEST, "partly-refused", detail[:1000], PATH)
        return Answer(HTTPStatus.BAD_REQUEST, refusal, MEDIA_TYPE.encode(), written, "partly")

    return {PATH: Entrance(PURPOSE, take)}


def _read(desk: TelemetryDesk, request: Request, version: str) -> tuple[Sequence[Moment], Taken]:
    unpacked = unpacking.snappy(request.body)
    try:
        batch = remote_write.parse(unpacked, version, desk.names)
    except outside.Malformed as cause:
        raise ProblemError(HTTPStatus.BAD_REQUEST, "malformed", str(cause)[:500]) from cause
    return desk.sort(batch, request.environment)


def _version(headers: Headers) -> str:
    """Return which message the body holds. Raises ProblemError: 415."""
    coding = bodies.text(headers, b"content-encoding").strip().lower()
    if coding != "snappy":
        raise _unsupported("content-encoding", "snappy", coding)
    media, _, parameters = bodies.text(headers, b"content-type").partition(";")
    if media.strip().lower() != _PROTOBUF:
        raise _unsupported("content-type", _PROTOBUF, media)
    for parameter in parameters.split(";"):
        name, _, value = parameter.strip().partition("=")
        if name.lower() == "proto" and value.strip('"') != remote_write.V1:
            if value.strip('"') == remote_write.V2:
                return remote_write.V2
            raise _unsupported("proto", f"{remote_write.V1} or {remote_write.V2}", value)
    return remote_write.V1


def _unsupported(what: str, expected: str, found: str) -> ProblemError:
    detail = f"{what}: expected {expected}, found {found[:80]!a}"
    return ProblemError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "unsupported", detail)


def _counts(written: int) -> tuple[tuple[bytes, bytes], ...]:
    """Return the headers of version 2; histograms and exemplars are never kept."""
    counts = {b"samples": written, b"histograms": 0, b"exemplars": 0}
    return tuple((_WRITTEN % kind, b"%d" % count) for kind, count in counts.items())
