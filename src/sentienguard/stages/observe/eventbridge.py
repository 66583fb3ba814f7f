"""Events of AWS, as an API destination of EventBridge sends them: one event to one alert or none.

Called by controlplane.alert_senders. Rules, beside the family's (`alert_batch`):

1. A row of `_READERS` says an alert; every other event is in order and skipped: a bus carries more.
2. An alarm of CloudWatch fires in the state ALARM and ends in the state OK. INSUFFICIENT_DATA says
   neither and is skipped.
3. Account, region and what the alarm watches (namespace, metric, dimensions) are labels. A reason
   changes while an alarm lasts, so it is text for people.
4. An end tells no begin: it is of the episode that stood when it was said (`heard_at`).

Format: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-events-structure.html,
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-and-eventbridge.html
"""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final, TypeAlias

import msgspec

from sentienguard.model.alert import Alert, AlertStatus
from sentienguard.stages.observe import alert_batch
from sentienguard.stages.observe.alert_batch import (
    UNREADABLE,
    Batch,
    LabelValue,
    Malformed,
    Moment,
)

_Text = Annotated[str, msgspec.Meta(min_length=1, max_length=alert_batch.MAX_VALUE)]
_STATES: Final[Mapping[str, AlertStatus | None]] = {
    "ALARM": AlertStatus.FIRING,
    "OK": AlertStatus.RESOLVED,
    "INSUFFICIENT_DATA": None,
}
_MOST_DIMENSIONS: Final = 30  # of a metric of CloudWatch


class _Event(msgspec.Struct, rename={"kind": "detail-type"}, gc=False):
    id: _Text
    kind: _Text
    source: _Text
    time: Moment
    account: LabelValue = ""
    region: LabelValue = ""
    detail: msgspec.Raw = msgspec.Raw(b"{}")


class _State(msgspec.Struct, gc=False):
    value: str
    reason: str = ""


class _Metric(msgspec.Struct, gc=False):
    namespace: LabelValue = ""
    name: LabelValue = ""
    dimensions: dict[str, LabelValue] = {}


class _MetricStat(msgspec.Struct, gc=False):
    metric: _Metric = msgspec.field(default_factory=_Metric)


class _Watched(msgspec.Struct, rename={"stat": "metricStat"}, gc=False):
    stat: _MetricStat | None = None


class _Configuration(msgspec.Struct, gc=False):
    description: str = ""
    metrics: list[_Watched] = []


class _Alarm(msgspec.Struct, rename={"name": "alarmName"}, gc=False):
    name: _Text
    state: _State
    configuration: _Configuration = msgspec.field(default_factory=_Configuration)


class _Health(
    msgspec.Struct, rename={"arn": "eventArn", "code": "eventTypeCode", "status": "statusCode"},
    gc=False,
):  # fmt: skip
    arn: _Text
    code: _Text
    service: LabelValue = ""
    status: str = "open"


class _Spot(msgspec.Struct, rename={"instance": "instance-id"}, gc=False):
    instance: _Text


# What an event says: status (None: neither a begin nor an end), labels, text for people
_Said: TypeAlias = tuple[AlertStatus | None, dict[str, str], dict[str, Any]]
_EVENT: Final = msgspec.json.Decoder(_Event)
_ALARM: Final = msgspec.json.Decoder(_Alarm)
_HEALTH: Final = msgspec.json.Decoder(_Health)
_SPOT: Final = msgspec.json.Decoder(_Spot)


def parse(body: bytes) -> Batch:
    """Read one event. Raises Malformed, naming what was expected and what was found."""
    try:
        event = _EVENT.decode(body)
        reader = _READERS.get((event.source, event.kind))
        said = None if reader is None else reader(event.detail)
    except UNREADABLE as cause:
        raise Malformed(f"event: expected one of EventBridge: {cause}") from cause
    if said is None:
        return Batch((), skipped=1)
    status, labels, text = said
    if status is None:
        return Batch((), skipped=1)
    named = {"source": event.source, "account": event.account, "region": event.region}
    labels |= {name: value for name, value in named.items() if value}
    alert_batch.require_bounds(labels)
    at = alert_batch.utc(event.time)
    alert = Alert(
        status=status,
        labels=labels,
        starts_at=at,
        annotations=alert_batch.cut(text),
        heard_at=at if status is AlertStatus.RESOLVED else None,  # rule 4
    )
    return Batch((alert,))


def _alarm(detail: msgspec.Raw) -> _Said:
    alarm = _ALARM.decode(detail)
    if alarm.state.value not in _STATES:
        raise Malformed(f"detail.state.value: expected one of {', '.join(_STATES)}, "
                        f"found {alarm.state.value[:80]!a}")  # fmt: skip
    labels = {"alertname": alarm.name}
    for one in alarm.configuration.metrics[:1]:  # of several it is an expression over them
        if one.stat is not None:
            metric = one.stat.metric
            if len(metric.dimensions) > _MOST_DIMENSIONS:
                raise Malformed(f"dimensions: expected at most {_MOST_DIMENSIONS}")
            labels = {**metric.dimensions, "namespace": metric.namespace, "metric": metric.name,
                      **labels}  # fmt: skip
    text = {"summary": alarm.state.reason, "description": alarm.configuration.description}
    return _STATES[alarm.state.value], {k: v for k, v in labels.items() if v}, text


def _health(detail: msgspec.Raw) -> _Said:
    event = _HEALTH.decode(detail)
    ended = event.status == "closed"
    labels = {"alertname": event.code, "event": event.arn}
    if event.service:
        labels["service"] = event.service
    return AlertStatus.RESOLVED if ended else AlertStatus.FIRING, labels, {}


def _spot(detail: msgspec.Raw) -> _Said:
    event = _SPOT.decode(detail)
    labels = {"alertname": "EC2SpotInterruption", "InstanceId": event.instance}
    return AlertStatus.FIRING, labels, {"summary": "AWS takes this instance back in two minutes"}


_READERS: Final[Mapping[tuple[str, str], Callable[[msgspec.Raw], _Said]]] = {
    ("aws.cloudwatch", "CloudWatch Alarm State Change"): _alarm,
    ("aws.health", "AWS Health Event"): _health,
    ("aws.ec2", "EC2 Spot Instance Interruption Warning"): _spot,
}
