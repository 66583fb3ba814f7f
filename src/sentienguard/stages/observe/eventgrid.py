"""Events of Azure, as a subscription of Event Grid delivers them, in either of its two schemas.

Called by controlplane.alert_senders. Rules, beside the family's (`alert_batch`):

1. The media type tells the schema: `application/json` is a list of Event Grid events, the two of
   CloudEvents 1.0 are one event or a list. An event that is none is refused by itself.
2. An event says an alert where a row of `_READERS` is for its type, or where its data is an alert
   of Azure Monitor (the common schema). Every other event is in order and skipped: a topic carries
   more.
3. What an event is about is the label `resource`. A virtual machine's name is the label `host` too:
   it names the enrolled host that is called the same, and no other.
4. An end of a health status tells no begin: it is of the episode that stood when it was said.
5. The handshake of Event Grid's own schema is answered with its code, that of CloudEvents with the
   origin that asked, if it is Event Grid (`allowed`). Neither lets anybody send.

Format: https://learn.microsoft.com/azure/event-grid/event-schema,
https://learn.microsoft.com/azure/event-grid/end-point-validation-event-grid-events-schema,
https://learn.microsoft.com/azure/azure-monitor/alerts/alerts-common-schema
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Final, Literal, TypeAlias

import msgspec

from sentienguard.model.alert import Alert, AlertStatus
from sentienguard.stages.observe import alert_batch, cloudevents
from sentienguard.stages.observe.alert_batch import (
    UNREADABLE,
    Batch,
    LabelValue,
    Malformed,
    Moment,
)

JSON: Final = "application/json"
VALIDATION: Final = "Microsoft.EventGrid.SubscriptionValidationEvent"
COMMON_SCHEMA: Final = "azureMonitorCommonAlertSchema"
ORIGINS: Final = frozenset({"eventgrid.azure.net", "eventgrid.azure.us", "eventgrid.azure.cn"})
_LONGEST_CODE: Final = 512  # characters of a validation code; a real one has 36
_MACHINES: Final = "/microsoft.compute/virtualmachines/"
_Text = Annotated[str, msgspec.Meta(min_length=1, max_length=alert_batch.MAX_VALUE)]
_STATES: Final[Mapping[str, AlertStatus | None]] = {
    "Available": AlertStatus.RESOLVED,
    "Unavailable": AlertStatus.FIRING,
    "Degraded": AlertStatus.FIRING,
    "Unknown": None,
}


class _Event(
    msgspec.Struct, rename={"kind": "eventType", "time": "eventTime", "source": "topic"}, gc=False
):
    id: _Text
    kind: _Text
    subject: _Text
    time: Moment
    source: LabelValue = ""  # Event Grid fills it in for its own topics
    data: msgspec.Raw = msgspec.Raw(b"{}")


class _Cloud(msgspec.Struct, rename={"kind": "type"}, gc=False):
    specversion: Literal["1.0"]
    id: _Text
    source: _Text
    kind: _Text
    time: Moment
    subject: LabelValue = ""
    data: msgspec.Raw = msgspec.Raw(b"{}")


class _Essentials(msgspec.Struct, rename="camel", gc=False):
    alert_rule: _Text
    monitor_condition: Literal["Fired", "Resolved"]
    fired_date_time: Moment
    severity: LabelValue = ""
    alert_target_ids: list[LabelValue] = msgspec.field(name="alertTargetIDs", default_factory=list)
    description: str = ""


class _Common(msgspec.Struct, gc=False):
    essentials: _Essentials


class _Schema(msgspec.Struct, rename="camel", gc=False):
    schema_id: str = ""
    data: msgspec.Raw = msgspec.Raw(b"{}")


class _Health(msgspec.Struct, rename="camel", gc=False):
    class Info(msgspec.Struct, gc=False):
        class Properties(msgspec.Struct, rename="camel", gc=False):
            target_resource_id: _Text
            availability_state: str

        properties: Properties

    resource_info: Info


class _Expiring(msgspec.Struct, gc=False):
    vault: LabelValue = msgspec.field(name="VaultName", default="")
    object: LabelValue = msgspec.field(name="ObjectName", default="")


class _Code(msgspec.Struct, rename="camel", gc=False):
    validation_code: Annotated[str, msgspec.Meta(min_length=1, max_length=_LONGEST_CODE)]


_AnyEvent: TypeAlias = _Event | _Cloud
# What an event says: status (None: neither a begin nor an end), labels, text for people
_Said: TypeAlias = tuple[AlertStatus | None, dict[str, str], dict[str, Any]]
_Reader: TypeAlias = msgspec.json.Decoder[_Event] | msgspec.json.Decoder[_Cloud]
_MANY: Final = msgspec.json.Decoder(list[msgspec.Raw])
_EVENTS: Final = msgspec.json.Decoder(list[_Event])
_EVENT: Final = msgspec.json.Decoder(_Event)
_CLOUD: Final = msgspec.json.Decoder(_Cloud)
_CODE: Final = msgspec.json.Decoder(_Code)
_SCHEMA: Final = msgspec.json.Decoder(_Schema)
_COMMON: Final = msgspec.json.Decoder(_Common)
_HEALTH: Final = msgspec.json.Decoder(_Health)
_EXPIRING: Final = msgspec.json.Decoder(_Expiring)


def parse(body: bytes, content_type: str) -> Batch:
    """Read one body. Raises Malformed, naming what was expected and what was found."""
    media = content_type.partition(";")[0].strip().lower()
    try:
        kind, found = _split(body, media)
    except UNREADABLE as cause:
        raise Malformed(f"body: expected events as {media[:80]}: {cause}") from cause
    if len(found) > alert_batch.MAX_ALERTS:
        raise Malformed(f"events: expected at most {alert_batch.MAX_ALERTS}, found {len(found)}")
    alerts: list[Alert] = []
    reasons: list[str] = []
    skipped = 0
    for number, raw in enumerate(found):
        try:
            alert = _alert(kind.decode(raw))
        except (*UNREADABLE, Malformed) as cause:
            reasons.append(f"events[{number}]: {cause}")
            continue
        if alert is None:
            skipped += 1
        else:
            alerts.append(alert)
    told = tuple(reasons[: alert_batch.MAX_REASONS])
    return Batch(tuple(alerts), len(reasons), told, skipped)


def handshake(body: bytes, said: str) -> bytes | None:
    """Return what to answer to a validation event; None: it is none (rule 5).

    `said` is the header aeg-event-type. Raises Malformed.
    """
    if said != "SubscriptionValidation":
        return None
    try:
        (event,) = _EVENTS.decode(body)
        if event.kind != VALIDATION:
            raise Malformed(f"eventType: expected {VALIDATION}, found {event.kind[:80]!a}")
        code = _CODE.decode(event.data).validation_code
    except UNREADABLE as cause:
        raise Malformed(f"validation event: {cause}") from cause
    return msgspec.json.encode({"validationResponse": code})


def allowed(origin: str, rate: str) -> Mapping[str, str] | None:
    """Return the headers that let an origin send (CloudEvents' handshake); None: not this one."""
    if origin.lower() not in ORIGINS:
        return None
    permitted = rate if rate.isascii() and rate.isdigit() and len(rate) < 10 else "*"  # noqa: PLR2004  digits
    return {"WebHook-Allowed-Origin": origin, "WebHook-Allowed-Rate": permitted}


def _split(body: bytes, media: str) -> tuple[_Reader, Sequence[bytes | msgspec.Raw]]:
    if media == JSON:
        return _EVENT, _MANY.decode(body)
    if media == cloudevents.BATCHED:
        return _CLOUD, _MANY.decode(body)
    if media == cloudevents.STRUCTURED:
        return _CLOUD, [body]
    raise Malformed(
        f"content type: expected {JSON}, {cloudevents.STRUCTURED} or {cloudevents.BATCHED}, "
        f"found {media[:80]!a}"
    )


def _alert(event: _AnyEvent) -> Alert | None:
    reader = _READERS.get(event.kind)
    if reader is None:
        return _monitored(event.data)
    status, labels, text = reader(event.data)
    if status is None:
        return None
    named = {"source": event.source, "type": event.kind, "subject": event.subject}
    labels |= {name: value for name, value in named.items() if value and name not in labels}
    return _made(status, labels, text, at=event.time, exact=False)


def _made(
    status: AlertStatus, labels: dict[str, str], text: dict[str, Any], *, at: Moment, exact: bool
) -> Alert:
    resource = labels.get("resource", "")
    folded = resource.lower()
    if _MACHINES in folded:  # rule 3
        begin = folded.index(_MACHINES) + len(_MACHINES)
        labels["host"] = resource[begin:].partition("/")[0]
    alert_batch.require_bounds(labels)
    began = alert_batch.utc(at)
    guessed = status is AlertStatus.RESOLVED and not exact  # rule 4
    return Alert(
        status=status,
        labels={name: value for name, value in labels.items() if value},
        starts_at=began,
        annotations=alert_batch.cut(text),
        heard_at=began if guessed else None,
    )


def _monitored(data: msgspec.Raw) -> Alert | None:
    """Return an alert of Azure Monitor; None: the data is none (rule 2)."""
    if COMMON_SCHEMA.encode() not in bytes(data):
        return None
    schema = _SCHEMA.decode(data)
    if schema.schema_id != COMMON_SCHEMA:
        return None
    said = _COMMON.decode(schema.data).essentials
    targets = said.alert_target_ids
    labels = {"alertname": said.alert_rule, "severity": _SEVERITIES.get(said.severity, "")}
    if len(targets) == 1:  # of several none is meant alone
        labels["resource"] = targets[0]
    fired = said.monitor_condition == "Fired"
    status = AlertStatus.FIRING if fired else AlertStatus.RESOLVED
    return _made(status, labels, {"summary": said.description}, at=said.fired_date_time, exact=True)


_SEVERITIES: Final = {
    "Sev0": "critical", "Sev1": "error", "Sev2": "warning", "Sev3": "info", "Sev4": "info",
}  # fmt: skip


def _health(data: msgspec.Raw) -> _Said:
    found = _HEALTH.decode(data).resource_info.properties
    if found.availability_state not in _STATES:
        raise Malformed(f"availabilityState: expected one of {', '.join(_STATES)}, "
                        f"found {found.availability_state[:80]!a}")  # fmt: skip
    labels = {"alertname": "AzureResourceUnavailable", "resource": found.target_resource_id}
    return _STATES[found.availability_state], labels, {}


def _expiring(name: str) -> Callable[[msgspec.Raw], _Said]:
    def read(data: msgspec.Raw) -> _Said:
        found = _EXPIRING.decode(data)
        labels = {"alertname": name, "vault": found.vault, "object": found.object}
        return AlertStatus.FIRING, labels, {"summary": f"{found.object} of {found.vault}"}

    return read


def _failed(name: str) -> Callable[[msgspec.Raw], _Said]:
    return lambda _data: (AlertStatus.FIRING, {"alertname": name}, {})


_READERS: Final[Mapping[str, Callable[[msgspec.Raw], _Said]]] = {
    "Microsoft.ResourceNotifications.HealthResources.AvailabilityStatusChanged": _health,
    "Microsoft.KeyVault.CertificateNearExpiry": _expiring("AzureCertificateNearExpiry"),
    "Microsoft.KeyVault.CertificateExpired": _expiring("AzureCertificateExpired"),
    "Microsoft.KeyVault.SecretNearExpiry": _expiring("AzureSecretNearExpiry"),
    "Microsoft.KeyVault.SecretExpired": _expiring("AzureSecretExpired"),
    "Microsoft.ContainerService.NodePoolRollingFailed": _failed("AzureNodePoolRollingFailed"),
    "Microsoft.ContainerService.ClusterSupportEnded": _failed("AzureClusterSupportEnded"),
}
