"""OpenTelemetry over HTTP: what is answered to metrics, logs and traces.

Called by controlplane.telemetry. Protobuf and JSON, plain or gzip. The answers are those of the
specification: 200 with an Export...ServiceResponse in the encoding of the request once everything
that was not refused is durable; what was refused is told in its partial success, and is not to be
sent again. Errors are problem+json, with the statuses that exporters look at: 400 and 413 for good,
503 with Retry-After to come again.
"""

import json
import threading
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Final, TypeVar

from starlette.concurrency import run_in_threadpool

from sentienguard.controlplane import bodies, unpacking
from sentienguard.controlplane.centre import Centre
from sentienguard.controlplane.group_commit import GroupCommit
from sentienguard.controlplane.problems import ProblemError
from sentienguard.controlplane.telemetry_desk import Taken, TelemetryDesk
from sentienguard.controlplane.telemetry_door import Answer, Entrance, Headers, Request, Take
from sentienguard.ports.metric_store import Moment
from sentienguard.ports.outside_logs import NewLine
from sentienguard.stages.observe import (
    otlp_logs,
    otlp_messages,
    otlp_metrics,
    otlp_traces,
    outside,
)

PURPOSE: Final = "otlp"
METRICS: Final = "/v1/metrics"
LOGS: Final = "/v1/logs"
TRACES: Final = "/v1/traces"
MOST_TOGETHER: Final = 64  # requests that share a commit
MOST_EDGES: Final = 5000  # calls between services of one environment
MAX_MESSAGE: Final = 1000  # characters of an error message
_LEN_1: Final = b"\x0a"  # field 1, with a length
_VARINT_1: Final = b"\x08"
_LEN_2: Final = b"\x12"
_SEVEN_BITS: Final = 0x7F
T = TypeVar("T")


class Otlp:
    """The three signals, from `start` to `stop`."""

    def __init__(self, centre: Centre, desk: TelemetryDesk) -> None:
        """Prepare; readings go to `desk`."""
        self._centre = centre
        self._desk = desk
        self._lines: GroupCommit[NewLine] = GroupCommit(centre.outside_logs.put, most=MOST_TOGETHER)
        self._links: dict[str, otlp_traces.Links] = {}  # by environment
        self._one_at_a_time = threading.Lock()

    def start(self) -> None:
        """Begin to take."""
        self._lines.start()

    def stop(self) -> None:
        """Commit what was taken, and take nothing more."""
        self._lines.stop()

    def entrances(self) -> dict[str, Entrance]:
        """Return the paths of the three signals."""
        takes: dict[str, Take] = {METRICS: self._metrics, LOGS: self._logs, TRACES: self._traces}
        return {path: Entrance(PURPOSE, take) for path, take in takes.items()}

    async def _metrics(self, request: Request) -> Answer:
        media = _media_type(request.headers)

        def read(one: Request) -> tuple[Sequence[Moment], Taken]:
            batch = _parsed(otlp_metrics.parse, _unpacked(one), media)
            return self._desk.sort(batch, one.environment)

        moments, taken = await request.read(read)
        request.spend(taken.written + taken.refused)
        await self._desk.keep(request.environment, moments)
        return _answer(media, "rejectedDataPoints", taken.refused, taken.reasons)

    async def _logs(self, request: Request) -> Answer:
        media = _media_type(request.headers)
        now = self._centre.clock.now()

        def read(one: Request) -> otlp_logs.Lines:
            return _parsed(otlp_logs.parse, _unpacked(one), media, now)

        found = await request.read(read)
        request.spend(len(found.lines) + found.refused)
        await self._lines.keep(
            [
                NewLine(
                    environment=request.environment,
                    host=line.host,
                    service=line.service,
                    at=line.at,
                    received_at=now,
                    severity=line.severity,
                    text=line.text,
                )
                for line in found.lines
            ]
        )
        self._centre.counters.add("outside_logs_total", "written", len(found.lines))
        self._centre.counters.add("outside_logs_total", "refused", found.refused)
        return _answer(media, "rejectedLogRecords", found.refused, found.reasons)

    async def _traces(self, request: Request) -> Answer:
        media = _media_type(request.headers)

        def read(one: Request) -> otlp_traces.Spans:
            return _parsed(otlp_traces.parse, _unpacked(one), media)

        found = await request.read(read)
        request.spend(len(found.spans) + found.refused)
        await run_in_threadpool(self._link, request.environment, found.spans)
        self._centre.counters.add("outside_spans_total", "read", len(found.spans))
        self._centre.counters.add("outside_spans_total", "refused", found.refused)
        return _answer(media, "rejectedSpans", found.refused, found.reasons)

    def _link(self, environment: str, spans: Sequence[otlp_traces.Span]) -> None:
        with self._one_at_a_time:
            links = self._links.setdefault(environment, otlp_traces.Links())
            calls = links.add(spans)
        beyond = self._centre.topology.saw(
            environment, calls, at=self._centre.clock.now(), most=MOST_EDGES
        )
        self._centre.counters.add("outside_spans_total", "edges_over_limit", beyond)


def _media_type(headers: Headers) -> str:
    """Return how the body is written. Raises ProblemError: 415."""
    media = bodies.text(headers, b"content-type").partition(";")[0].strip().lower()
    if media not in {otlp_messages.PROTOBUF, otlp_messages.JSON}:
        expected = f"{otlp_messages.PROTOBUF} or {otlp_messages.JSON}"
        raise _unsupported(f"content-type: expected {expected}, found {media[:80]!a}")
    return media


def _unpacked(request: Request) -> bytes:
    coding = bodies.text(request.headers, b"content-encoding").strip().lower()
    if coding == "gzip":
        return unpacking.gzip(request.body)
    if coding in {"", "identity"}:
        return request.body
    raise _unsupported(f"content-encoding: expected gzip or none, found {coding[:40]!a}")


def _unsupported(detail: str) -> ProblemError:
    return ProblemError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "unsupported", detail)


def _parsed(parse: Callable[..., T], *arguments: object) -> T:
    try:
        return parse(*arguments)
    except outside.Malformed as cause:
        raise ProblemError(HTTPStatus.BAD_REQUEST, "malformed", str(cause)[:500]) from cause


def _answer(media: str, counted: str, refused: int, reasons: Sequence[str]) -> Answer:
    message = "; ".join(reasons)[:MAX_MESSAGE] if refused else ""
    kind = "partly" if refused else "accepted"
    if media == otlp_messages.JSON:
        partial = {counted: str(refused), "errorMessage": message}
        body = json.dumps({"partialSuccess": partial} if refused else {}).encode()
    else:
        body = _partial_success(refused, message) if refused else b""
    return Answer(HTTPStatus.OK, body, media.encode(), kind=kind)


def _partial_success(refused: int, message: str) -> bytes:
    """Return the message with its one field, partial_success, as protobuf writes it."""
    said = message.encode()
    partial = _VARINT_1 + _varint(refused) + _LEN_2 + _varint(len(said)) + said
    return _LEN_1 + _varint(len(partial)) + partial


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > _SEVEN_BITS:
        out.append(value & _SEVEN_BITS | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
