"""CloudEvents 1.0 over HTTP, in structured, binary and batch mode: events to alerts.

Called by controlplane.alert_senders. Rules, beside the family's (`alert_batch`):

1. `specversion`, `id`, `source` and `type` are required and not empty, as the standard says. In a
   batch an event that is none is refused by itself and the others are taken.
2. The alert is what `data` says, in the words of Alertmanager: `status` (firing, or resolved),
   `labels`, `annotations`, `startsAt`. All may be missing: an event without them fires, is called
   by its `type`, and began at its `time`.
3. The attributes `type`, `source` and `subject` are labels too. The `id` is not: the same thing
   said again has another one. Two events are one alert if labels and begin are the same.
4. Data that is no JSON object says nothing; it is neither read nor kept.

Format: https://github.com/cloudevents/spec, HTTP protocol binding 1.0.2, JSON event format 1.0.2
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Final, Literal
from urllib.parse import unquote

import msgspec

from sentienguard.model.alert import Alert, AlertStatus
from sentienguard.stages.observe import alert_batch
from sentienguard.stages.observe.alert_batch import UNREADABLE, Batch, Malformed, Moment

STRUCTURED: Final = "application/cloudevents+json"
BATCHED: Final = "application/cloudevents-batch+json"
PREFIX: Final = "ce-"  # of a header that holds an attribute, in binary mode
SPECVERSION: Final = "1.0"

_Attribute = Annotated[str, msgspec.Meta(min_length=1, max_length=alert_batch.MAX_VALUE)]
_SomeLabels = Annotated[
    dict[
        Annotated[str, msgspec.Meta(max_length=alert_batch.MAX_NAME)],
        Annotated[str, msgspec.Meta(max_length=alert_batch.MAX_VALUE)],
    ],
    msgspec.Meta(max_length=alert_batch.MAX_LABELS),
]


class _Event(msgspec.Struct, gc=False):
    specversion: Literal["1.0"]
    id: _Attribute
    source: _Attribute
    type: _Attribute
    subject: _Attribute | None = None
    time: Moment | None = None
    datacontenttype: str | None = None
    data: msgspec.Raw = msgspec.Raw(b"{}")


class _Data(msgspec.Struct, rename={"starts_at": "startsAt"}, gc=False):
    status: Literal["firing", "resolved"] = "firing"
    labels: _SomeLabels = {}
    annotations: dict[str, msgspec.Raw] = {}
    starts_at: Moment | None = None
    summary: msgspec.Raw = msgspec.Raw(b"null")


_ONE: Final = msgspec.json.Decoder(_Event)
_MANY: Final = msgspec.json.Decoder(list[msgspec.Raw])
_DATA: Final = msgspec.json.Decoder(_Data)
_ANY: Final = msgspec.json.Decoder()


def parse(
    body: bytes, content_type: str, attributes: Mapping[str, str], received_at: datetime
) -> Batch:
    """Read one body.

    Args:
        body: of the request.
        content_type: its media type, with or without parameters; it tells the mode.
        attributes: header values of binary mode by attribute, without `ce-`, as they came.
        received_at: the begin of an event that tells no time.

    Raises Malformed, naming the attribute, what was expected and what was found.
    """
    mode = content_type.partition(";")[0].strip().lower()
    if mode == BATCHED:
        return _batch(body, received_at)
    try:
        event = _ONE.decode(body) if mode == STRUCTURED else _binary(body, mode, attributes)
        return Batch((_alert(event, received_at),))
    except UNREADABLE as cause:
        raise Malformed(f"event: expected CloudEvents {SPECVERSION}: {cause}") from cause


def _batch(body: bytes, received_at: datetime) -> Batch:
    try:
        found = _MANY.decode(body)
    except UNREADABLE as cause:
        raise Malformed(f"body: expected a batch of CloudEvents: {cause}") from cause
    if len(found) > alert_batch.MAX_ALERTS:
        raise Malformed(f"events: expected at most {alert_batch.MAX_ALERTS}, found {len(found)}")
    alerts: list[Alert] = []
    reasons: list[str] = []
    for number, raw in enumerate(found):
        try:
            alerts.append(_alert(_ONE.decode(raw), received_at))
        except (*UNREADABLE, Malformed) as cause:
            reasons.append(f"events[{number}]: {cause}")
    return Batch(tuple(alerts), len(reasons), tuple(reasons[: alert_batch.MAX_REASONS]))


def _binary(body: bytes, mode: str, attributes: Mapping[str, str]) -> _Event:
    if not attributes:
        raise Malformed(
            f"event: expected {STRUCTURED}, {BATCHED} or headers {PREFIX}specversion, {PREFIX}id, "
            f"{PREFIX}source, {PREFIX}type; found content type {mode[:80]!a} without any of them"
        )
    said = {name: unquote(value, errors="strict") for name, value in attributes.items()}
    is_json = mode == "application/json" or mode.endswith("+json")
    known = {name: said[name] for name in _Event.__struct_fields__ if name in said}
    event = msgspec.convert({**known, "datacontenttype": mode}, _Event, strict=False)
    if is_json and body.strip():
        event.data = msgspec.Raw(body)
    return event


def _alert(event: _Event, received_at: datetime) -> Alert:
    data = _said(event)
    labels = {"alertname": event.type, "type": event.type, "source": event.source}
    if event.subject is not None:
        labels["subject"] = event.subject
    labels |= data.labels
    alert_batch.require_bounds(labels)
    said = alert_batch.utc(event.time) if event.time else received_at
    guessed = data.starts_at is None and data.status == "resolved"  # its time is that of the end
    return Alert(
        status=AlertStatus(data.status),
        labels=labels,
        starts_at=alert_batch.utc(data.starts_at) if data.starts_at else said,
        annotations=_annotations(data),
        heard_at=said if guessed else None,
    )


def _said(event: _Event) -> _Data:
    if not bytes(event.data).lstrip().startswith(b"{"):
        _ANY.decode(event.data)  # rule 4: it says nothing, but it has to be JSON
        return _Data()
    try:
        return _DATA.decode(event.data)
    except UNREADABLE as cause:
        raise Malformed(f"data: {cause}") from cause


def _annotations(data: _Data) -> dict[str, str]:
    said = {name: _ANY.decode(raw) for name, raw in data.annotations.items()
            if name in alert_batch.KEPT_ANNOTATIONS}  # fmt: skip
    said.setdefault("summary", _ANY.decode(data.summary))
    return alert_batch.cut(said)
