"""What every sender of alerts has in common: bounds, batches, and alerts as kept text.

Called by the readers of this family (`alertmanager`, `grafana`, `datadog`, `pagerduty`,
`cloudevents`, `eventbridge`, `eventgrid`, `pubsub`), which turn bodies into a `Batch`, and by the
control plane, which keeps the text of `encode` and reads it back with `decode`.
Rules for every reader:

1. Pure and total: bytes in, a Batch or `Malformed` out, whatever the bytes are.
2. Labels say what an alert is and are kept whole or not at all; text for people is cut.
3. Fields that we do not know are ignored, because newer senders add some; a field that we do know
   and that is wrong is refused by its name, with what was expected there and what was found.
4. Nothing in the text of an alert is interpreted beyond what a table declares.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Final

import msgspec

from sentienguard.model import errors
from sentienguard.model.alert import Alert
from sentienguard.model.ids import IncidentId

MAX_ALERTS: Final = 10_000  # of one body; 4 MiB of the smallest that are any are about 50,000
MAX_LABELS: Final = 64
MAX_NAME: Final = 256  # characters of a label's name
MAX_VALUE: Final = 1024  # characters of a label's value
KEPT_ANNOTATIONS: Final = ("summary", "description", "runbook_url")
MAX_ANNOTATION: Final = 500  # characters kept of one
MAX_REASONS: Final = 3  # refusals that are told; the others are counted
UNREADABLE: Final = (msgspec.MsgspecError, UnicodeError, RecursionError, OverflowError, ValueError)

Labels = Annotated[
    dict[
        Annotated[str, msgspec.Meta(max_length=MAX_NAME)],
        Annotated[str, msgspec.Meta(max_length=MAX_VALUE)],
    ],
    msgspec.Meta(min_length=1, max_length=MAX_LABELS),
]
Moment = Annotated[datetime, msgspec.Meta(tz=True)]  # RFC 3339, with its time zone
LabelValue = Annotated[str, msgspec.Meta(max_length=MAX_VALUE)]

_KEPT: Final = msgspec.json.Decoder(Alert)
_ENCODER: Final = msgspec.json.Encoder()


class Malformed(errors.Rejected):
    """The body is not what this sender sends."""


class Deed(StrEnum):
    """What a person did elsewhere about a page of ours."""

    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class Handled:
    """A person dealt with a page that we had sent to the service that now tells of it."""

    incident: IncidentId  # as the page names it: whether there is one, and whose, is not known yet
    deed: Deed
    team: str  # the service's name of the account that the person belongs to; empty: none came
    person: str  # the service's id
    name: str  # what the service calls them; for people to read
    event: str  # the service's id of this message: the same when it is sent again


@dataclass(frozen=True, slots=True)
class Batch:
    """What one body holds."""

    alerts: tuple[Alert, ...]
    refused: int = 0  # alerts that are none
    reasons: tuple[str, ...] = ()  # why, of the first few
    skipped: int = 0  # messages that are in order and say nothing of an alert's begin or end
    handled: tuple[Handled, ...] = ()  # pages of ours that people dealt with there


def encode(alert: Alert) -> str:
    """Return the text that is kept of an alert; what of it is evidence is its digest."""
    return _ENCODER.encode(alert).decode()


def decode(text: str) -> Alert:
    """Return the alert of a kept text. Raises Malformed where it is none."""
    try:
        return _KEPT.decode(text)
    except UNREADABLE as cause:
        raise Malformed(f"kept alert: {cause}; it was written by a newer release or damaged") from (
            cause
        )


def utc(moment: datetime) -> datetime:
    """Return the same moment in UTC. Raises Malformed where that lies outside of the calendar."""
    if moment.tzinfo is UTC:
        return moment
    try:
        return moment.astimezone(UTC)
    except OverflowError as cause:
        raise Malformed(f"time {moment.isoformat()}: expected one of the years 1 to 9999") from (
            cause
        )


def cut(annotations: Mapping[str, Any]) -> dict[str, str]:
    """Return the annotations that are kept, each cut to its limit; of others than text nothing."""
    return {
        name: said[:MAX_ANNOTATION]
        for name in KEPT_ANNOTATIONS
        if isinstance(said := annotations.get(name), str)
    }


def require_bounds(labels: Mapping[str, str]) -> None:
    """Raise Malformed where labels that a reader put together are too many or too long."""
    if not 1 <= len(labels) <= MAX_LABELS:
        raise Malformed(f"labels: expected 1 to {MAX_LABELS}, found {len(labels)}")
    for name, value in labels.items():
        if len(name) > MAX_NAME:
            raise Malformed(f"label {name[:40]!a}: expected a name of at most {MAX_NAME} characters"
                            f", found {len(name)}")  # fmt: skip
        if len(value) > MAX_VALUE:
            raise Malformed(f"label {name[:40]!a}: expected at most {MAX_VALUE} characters, found "
                            f"{len(value)}")  # fmt: skip
