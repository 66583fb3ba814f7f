"""Log records of OpenTelemetry: to lines, with secrets taken out before anything keeps them.

Called by controlplane.otlp. A line is redacted, printable and cut (`redact.line`); attributes are
not kept, because nothing here reads them. A record that is wrong is refused by itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from sentienguard.stages.observe import otlp_messages as messages
from sentienguard.stages.observe import otlp_metrics, outside, redact
from sentienguard.stages.observe.otlp_messages import Object
from sentienguard.stages.observe.outside import Malformed

MAX_RECORDS: Final = 50_000  # of one body
SEVERITIES: Final = ("trace", "debug", "info", "warn", "error", "fatal")  # four numbers each
_EACH: Final = 4
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a log of another system."""

    host: str  # empty: its resource says of none
    service: str  # the same
    at: datetime  # UTC
    severity: str  # one of SEVERITIES; empty: it says none
    text: str  # redacted, printable, at most redact.MAX_TEXT characters


@dataclass(frozen=True, slots=True)
class Lines:
    """What one body holds."""

    lines: Sequence[Line]
    refused: int = 0
    reasons: Sequence[str] = ()


def parse(body: bytes, media_type: str, received_at: datetime) -> Lines:
    """Read an unpacked body. Raises Malformed where it is no message at all."""
    request = messages.parse(body, media_type, messages.LOGS)
    lines: list[Line] = []
    reasons: list[str] = []
    seen = 0
    for resource in messages.items(request, "resourceLogs"):
        labels = otlp_metrics.resource_labels(
            messages.attributes(messages.inner(resource, "resource"))
        )
        for scope in messages.items(resource, "scopeLogs"):
            for record in messages.items(scope, "logRecords"):
                seen += 1
                if seen > MAX_RECORDS:
                    raise Malformed(f"logRecords: expected at most {MAX_RECORDS}")
                try:
                    lines.append(_line(record, labels, received_at))
                except Malformed as cause:
                    reasons.append(f"logRecords[{seen - 1}]: {cause}")
    return Lines(lines, len(reasons), reasons[: outside.MAX_REASONS])


def _line(record: Object, labels: dict[str, str], received_at: datetime) -> Line:
    return Line(
        host=redact.printable(labels.get("host", ""))[: outside.MAX_NAME],
        service=redact.printable(labels.get("service_name", ""))[: outside.MAX_NAME],
        at=_moment(record, received_at),
        severity=_severity(messages.whole(record, "severityNumber")),
        text=redact.line(messages.shown(messages.inner(record, "body"))),
    )


def _moment(record: Object, received_at: datetime) -> datetime:
    """Return when it was, else when it was seen; a moment far from now is when it came here."""
    at_ns = messages.whole(record, "timeUnixNano")
    at_ns = at_ns or messages.whole(record, "observedTimeUnixNano")
    now_ns = int(received_at.timestamp() * 1_000_000_000)
    if not at_ns or not (
        -outside.BEHIND_MS * 1_000_000 <= at_ns - now_ns <= outside.AHEAD_MS * 1_000_000
    ):
        return received_at
    return _EPOCH + timedelta(microseconds=at_ns // 1000)


def _severity(number: int) -> str:
    if not 1 <= number <= _EACH * len(SEVERITIES):
        return ""
    return SEVERITIES[(number - 1) // _EACH]
