"""What somebody changed, as pipelines tell it: our own JSON, and CDEvents in CloudEvents.

Called by controlplane.changes. Rules:

1. Pure and total: bytes in, a `Batch` or `Malformed` out, whatever the bytes are.
2. Of CloudEvents those of CDEvents (`dev.cdevents.*`) say a change where `_CDEVENTS` has a row;
   every other event is skipped and counted: a bus carries more than changes.
3. Every text is redacted, made printable and cut before it leaves here. It stays untrusted.
4. A change that names no id has one made of all it says, so that telling it again is no second.
5. A moment more than five minutes ahead is refused: it would come after its own effects.

Formats: docs/reference/changes.md; https://cdevents.dev 0.4, CloudEvents 1.0 binding by HTTP
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, Final, Literal

import msgspec

from sentienguard.model.evidence import Changed
from sentienguard.stages.observe import alert_batch, redact
from sentienguard.stages.observe.alert_batch import UNREADABLE, Malformed

MAX_CHANGES: Final = 1000  # of one body
AHEAD: Final = timedelta(minutes=5)
STRUCTURED: Final = "application/cloudevents+json"
BATCHED: Final = "application/cloudevents-batch+json"
_LONGEST: Final = 256  # characters of an id, a service, a version, a name
_MADE: Final = 32  # hexadecimal digits of an id that was made here
_PREFIX: Final = "dev.cdevents."

# What comes after the prefix, without its version -> the kind of change
_CDEVENTS: Final[Mapping[str, str]] = {
    "service.deployed": "deploy",
    "service.upgraded": "deploy",
    "service.rolledback": "deploy",
    "service.published": "deploy",
    "service.removed": "deploy",
    "environment.modified": "config",
    "change.merged": "commit",
}

_Text = Annotated[str, msgspec.Meta(max_length=4096)]


class _Change(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    service: Annotated[str, msgspec.Meta(min_length=1, max_length=_LONGEST)]
    kind: Literal["deploy", "commit", "flag", "config", "scale", "event"] = "deploy"
    at: alert_batch.Moment | None = None
    id: Annotated[str, msgspec.Meta(max_length=_LONGEST)] = ""
    version: Annotated[str, msgspec.Meta(max_length=_LONGEST)] = ""
    by: Annotated[str, msgspec.Meta(max_length=_LONGEST)] = ""
    summary: _Text = ""


class _Changes(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    changes: Annotated[list[_Change], msgspec.Meta(max_length=MAX_CHANGES)]


class _Event(msgspec.Struct, gc=False):
    specversion: Literal["1.0"]
    id: Annotated[str, msgspec.Meta(min_length=1, max_length=_LONGEST)]
    source: Annotated[str, msgspec.Meta(min_length=1, max_length=1024)]
    type: Annotated[str, msgspec.Meta(min_length=1, max_length=_LONGEST)]
    time: alert_batch.Moment | None = None
    data: Any = None


_ONE: Final = msgspec.json.Decoder(_Event)
_MANY: Final = msgspec.json.Decoder(list[_Event])
_OUR_ONE: Final = msgspec.json.Decoder(_Change)
_OURS: Final = msgspec.json.Decoder(_Changes)


@dataclass(frozen=True, slots=True)
class Batch:
    """What one body holds."""

    changes: tuple[Changed, ...]
    skipped: int = 0  # events that say no change


def parse(
    body: bytes, content_type: str, attributes: Mapping[str, str], received_at: datetime
) -> Batch:
    """Read one body; `attributes` are the `ce-` headers of binary mode, without their prefix.

    Raises Malformed, naming what was expected and what was found.
    """
    mode = content_type.partition(";")[0].strip().lower()
    try:
        if mode == BATCHED:
            events = _MANY.decode(body)
        elif mode == STRUCTURED:
            events = [_ONE.decode(body)]
        elif attributes:
            data = msgspec.json.decode(body) if body.strip() else None
            events = [msgspec.convert({**attributes, "data": data}, _Event, strict=False)]
        elif mode == "application/json":
            return Batch(tuple(_ours(one, received_at) for one in _read(body)))
        else:
            raise Malformed(
                f"content-type: expected application/json, {STRUCTURED} or {BATCHED}, found "
                f"{mode[:80]!a}"
            )
    except UNREADABLE as cause:
        raise Malformed(f"change: {cause}") from cause
    if len(events) > MAX_CHANGES:
        raise Malformed(f"events: expected at most {MAX_CHANGES}, found {len(events)}")
    told = [_of_event(one, received_at) for one in events]
    found = tuple(one for one in told if one is not None)
    return Batch(found, len(told) - len(found))


def _read(body: bytes) -> list[_Change]:
    """Read one change, or an object with many."""
    if b'"changes"' in body:
        return _OURS.decode(body).changes
    return [_OUR_ONE.decode(body)]


def _ours(one: _Change, received_at: datetime) -> Changed:
    return _changed(
        {
            "id": one.id,
            "service": one.service,
            "kind": one.kind,
            "version": one.version,
            "by": one.by,
            "summary": one.summary,
        },
        one.at or received_at,
        received_at,
        is_dated=one.at is not None,
    )


def _of_event(event: _Event, received_at: datetime) -> Changed | None:
    name = event.type.removeprefix(_PREFIX)
    kind = _CDEVENTS.get(".".join(name.split(".")[:2]))
    if not event.type.startswith(_PREFIX) or kind is None:
        return None  # rule 2
    data = event.data if isinstance(event.data, dict) else {}
    subject = data.get("subject")
    subject = subject if isinstance(subject, dict) else {}
    content = subject.get("content")
    content = content if isinstance(content, dict) else {}
    artifact = _said(content.get("artifactId"))
    said = {
        "id": f"{event.source} {event.id}",
        "service": _said(subject.get("id")),
        "kind": kind,
        "version": artifact.rpartition("@")[2].partition("?")[0],
        "by": "",
        "summary": f"{name.split('.')[1]} {artifact}".strip(),
    }
    return _changed(said, event.time or received_at, received_at, is_dated=True)


def _said(value: object) -> str:
    return value[:1024] if isinstance(value, str) else ""


def _changed(
    said: Mapping[str, str], at: datetime, received_at: datetime, *, is_dated: bool
) -> Changed:
    moment = alert_batch.utc(at)
    if moment > received_at + AHEAD:
        raise Malformed(f"at: expected a moment that has come, found {moment.isoformat()}")
    clean = {name: redact.line(text)[:_LONGEST] for name, text in said.items()}
    clean["summary"] = redact.line(said["summary"])
    if not clean["id"]:  # rule 4
        stamp = [moment.isoformat()] if is_dated else [f"{received_at:%Y-%m-%dT%H}"]
        text = "\n".join([*stamp, *(clean[name] for name in sorted(clean))])
        clean["id"] = hashlib.sha256(text.encode()).hexdigest()[:_MADE]
    return Changed(
        id=clean["id"],
        at=moment,
        service=clean["service"],
        kind=clean["kind"],
        version=clean["version"],
        by=clean["by"],
        summary=clean["summary"],
    )
