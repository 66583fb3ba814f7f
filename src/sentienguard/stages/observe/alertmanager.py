"""The webhook of Alertmanager, version 4: bytes from outside to alerts, and alerts as kept text.

Called by controlplane.alert_door, which takes what `parse` returns, and by alert_intake, which
reads back what was kept. Rules:

1. A body that is no webhook of version 4 is refused whole.
2. In a body that is one, an alert that is none is refused by itself and the others are taken:
   Alertmanager does not repeat what was refused, so a refused body would lose all of them.
3. Fields that we do not know are ignored, because newer senders add some.
4. Of the annotations, which are text for people, three are kept, and cut. Labels say what an alert
   is and are kept whole or not at all.

Format: https://prometheus.io/docs/alerting/latest/configuration/#webhook_config
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal

import msgspec

from sentienguard.model import errors
from sentienguard.model.alert import Alert, AlertStatus

VERSION: Final = "4"
MAX_LABELS: Final = 64
MAX_NAME: Final = 256  # characters of a label's name
MAX_VALUE: Final = 1024  # characters of a label's value
KEPT_ANNOTATIONS: Final = ("summary", "description", "runbook_url")
MAX_ANNOTATION: Final = 500  # characters kept of one
MAX_REASONS: Final = 3  # refusals that are told; the others are counted


class Malformed(errors.Rejected):
    """The body is no webhook of Alertmanager."""


_Labels = Annotated[
    dict[
        Annotated[str, msgspec.Meta(max_length=MAX_NAME)],
        Annotated[str, msgspec.Meta(max_length=MAX_VALUE)],
    ],
    msgspec.Meta(min_length=1, max_length=MAX_LABELS),
]


class _Alert(msgspec.Struct, rename={"starts_at": "startsAt"}, gc=False):
    status: Literal["firing", "resolved"]
    labels: _Labels
    starts_at: Annotated[datetime, msgspec.Meta(tz=True)]
    annotations: dict[str, str] = {}


class _Body(msgspec.Struct, gc=False):
    alerts: list[_Alert]
    version: str = VERSION  # some relays leave it out


class _LooseBody(msgspec.Struct, gc=False):
    alerts: list[msgspec.Raw]
    version: str = VERSION


_WHOLE: Final = msgspec.json.Decoder(_Body)
_LOOSE: Final = msgspec.json.Decoder(_LooseBody)
_ONE: Final = msgspec.json.Decoder(_Alert)
_KEPT: Final = msgspec.json.Decoder(Alert)
_ENCODER: Final = msgspec.json.Encoder()
_UNREADABLE: Final = (msgspec.MsgspecError, UnicodeError, RecursionError, OverflowError, ValueError)


@dataclass(frozen=True, slots=True)
class Batch:
    """What one body holds."""

    alerts: tuple[Alert, ...]
    refused: int = 0  # alerts that are none
    reasons: tuple[str, ...] = ()  # why, of the first few


def parse(body: bytes) -> Batch:
    """Read one body. Raises Malformed, naming the place and what was expected there."""
    try:
        found = _WHOLE.decode(body)
        _require_version(found.version)
        return Batch(tuple(_alert(one) for one in found.alerts))
    except _UNREADABLE:
        return _one_by_one(body)


def encode(alert: Alert) -> str:
    """Return the text that is kept of an alert; what of it is evidence is its digest."""
    return _ENCODER.encode(alert).decode()


def decode(text: str) -> Alert:
    """Return the alert of a kept text. Raises Malformed where it is none."""
    try:
        return _KEPT.decode(text)
    except _UNREADABLE as cause:
        raise Malformed(f"kept alert: {cause}; it was written by a newer release or damaged") from (
            cause
        )


def _one_by_one(body: bytes) -> Batch:  # rule 2
    try:
        found = _LOOSE.decode(body)
    except _UNREADABLE as cause:
        raise Malformed(f"body: expected a webhook of Alertmanager, version 4: {cause}") from cause
    _require_version(found.version)
    alerts: list[Alert] = []
    reasons: list[str] = []
    for number, raw in enumerate(found.alerts):
        try:
            alerts.append(_alert(_ONE.decode(raw)))
        except _UNREADABLE as cause:
            reasons.append(f"alerts[{number}]: {cause}")
    return Batch(tuple(alerts), len(reasons), tuple(reasons[:MAX_REASONS]))


def _require_version(version: str) -> None:
    if version != VERSION:
        raise Malformed(f'body: expected "version": "4", found {version[:20]!a}')


def _alert(found: _Alert) -> Alert:
    starts_at = found.starts_at
    return Alert(
        status=AlertStatus(found.status),
        labels=found.labels,
        starts_at=starts_at if starts_at.tzinfo is UTC else starts_at.astimezone(UTC),
        annotations=_cut(found.annotations) if found.annotations else {},
    )


def _cut(annotations: dict[str, Any]) -> dict[str, str]:
    return {
        name: annotations[name][:MAX_ANNOTATION] for name in KEPT_ANNOTATIONS if name in annotations
    }
