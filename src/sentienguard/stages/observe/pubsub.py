"""Notifications of Google Cloud Monitoring, as a subscription of Pub/Sub pushes them.

Called by controlplane.alert_senders. Rules, beside the family's (`alert_batch`):

1. A body is one message; its data is base64. An incident of Cloud Monitoring (version 1.2) in it is
   an alert; every other message is in order and skipped: a topic carries more.
2. An alert is called as its policy. Labels of the resource and of the policy (`policy_user_labels`)
   are its labels, the policy's own last: there an owner declares `host`, `sentienguard_metric` and
   `sentienguard_subject`. The incident's own name is none: the next episode has another.
3. `started_at` names the episode exactly, for its begin and its end.

Format: https://cloud.google.com/pubsub/docs/push,
https://cloud.google.com/monitoring/support/notification-options#schema-pubsub
"""

import base64
import binascii
from datetime import UTC, datetime
from typing import Annotated, Final, Literal

import msgspec

from sentienguard.model.alert import Alert, AlertStatus
from sentienguard.stages.observe import alert_batch
from sentienguard.stages.observe.alert_batch import UNREADABLE, Batch, LabelValue, Malformed

JSON: Final = "application/json"
_Text = Annotated[str, msgspec.Meta(min_length=1, max_length=alert_batch.MAX_VALUE)]
_Labels = Annotated[
    dict[Annotated[str, msgspec.Meta(max_length=alert_batch.MAX_NAME)], LabelValue],
    msgspec.Meta(max_length=alert_batch.MAX_LABELS),
]
_Seconds = Annotated[int, msgspec.Meta(ge=0, le=253402300799)]  # until the year 9999


class _Message(msgspec.Struct, gc=False):
    data: str = ""


class _Push(msgspec.Struct, gc=False):
    message: _Message
    subscription: _Text


class _Resource(msgspec.Struct, gc=False):
    type: LabelValue = ""
    labels: _Labels = {}


class _Incident(msgspec.Struct, gc=False):
    policy_name: _Text
    state: Literal["open", "closed", "OPEN", "CLOSED"]
    started_at: _Seconds
    condition_name: LabelValue = ""
    severity: LabelValue = ""
    resource: _Resource = msgspec.field(default_factory=_Resource)
    policy_user_labels: _Labels = {}
    summary: str = ""


class _Said(msgspec.Struct, gc=False):
    incident: _Incident | None = None


_PUSH: Final = msgspec.json.Decoder(_Push)
_SAID: Final = msgspec.json.Decoder(_Said)


def parse(body: bytes, content_type: str) -> Batch:
    """Read one push. Raises Malformed, naming what was expected and what was found."""
    media = content_type.partition(";")[0].strip().lower()
    if media not in {JSON, ""}:
        raise Malformed(f"content type: expected {JSON}, found {media[:80]!a}")
    try:
        push = _PUSH.decode(body)
        data = base64.b64decode(push.message.data, validate=True)
        if not data.lstrip().startswith(b"{"):
            return Batch((), skipped=1)  # rule 1
        said = _SAID.decode(data)
    except (*UNREADABLE, binascii.Error) as cause:
        raise Malformed(f"push: expected a message of Pub/Sub: {cause}") from cause
    if said.incident is None:
        return Batch((), skipped=1)
    return Batch((_alert(said.incident),))


def _alert(said: _Incident) -> Alert:
    labels = {
        **said.resource.labels,
        "alertname": said.policy_name,
        "condition": said.condition_name,
        "resource_type": said.resource.type,
        "severity": said.severity.lower(),
        **said.policy_user_labels,
    }
    labels = {name: value for name, value in labels.items() if value}
    alert_batch.require_bounds(labels)
    ended = said.state.lower() == "closed"
    return Alert(
        status=AlertStatus.RESOLVED if ended else AlertStatus.FIRING,
        labels=labels,
        starts_at=datetime.fromtimestamp(said.started_at, UTC),  # rule 3
        annotations=alert_batch.cut({"summary": said.summary}),
    )
