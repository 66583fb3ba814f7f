"""Who sends alerts: a row for each webhook, with how its bodies are read and who signed them.

Called by controlplane.alert_door, which treats all of them alike, and by the API, which makes
tokens for them and publishes the description of each. To add one: see the charter of
stages.observe.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeAlias

from sentienguard.controlplane import bodies
from sentienguard.ports.webhook_tokens import WebhookToken
from sentienguard.stages.observe import (
    alertmanager,
    cloudevents,
    datadog,
    eventbridge,
    eventgrid,
    grafana,
    pagerduty,
    pubsub,
)
from sentienguard.stages.observe.alert_batch import Batch
from sentienguard.trust import webhook_signatures

Headers: TypeAlias = Mapping[bytes, bytes]
Read: TypeAlias = Callable[[bytes, Headers, datetime], Batch]
Handshake: TypeAlias = Callable[[bytes, Headers], bytes | None]
Consent: TypeAlias = Callable[[Headers], Mapping[str, str] | None]
RequireSigned: TypeAlias = Callable[[WebhookToken, Headers, bytes, datetime], None]
PATHS: Final = "/api/v1/webhooks/"


def _anybody(_token: WebhookToken, _headers: Headers, _body: bytes, _now: datetime) -> None:
    """Ask for no signature: this sender makes none."""


@dataclass(frozen=True, slots=True)
class Sender:
    """One webhook."""

    purpose: str  # of its tokens, and the end of its path
    title: str  # how people call the sender
    sentence: str  # what its bodies are, for the description of the API
    body: Mapping[str, Any]  # JSON schema of its bodies, for the description of the API
    read: Read  # raises alert_batch.Malformed
    require_signed: RequireSigned = _anybody  # raises webhook_signatures.NotSigned
    media_types: tuple[str, ...] = ("application/json",)
    handshake: Handshake | None = None  # the answer to a body that only asks who is there
    consent: Consent | None = None  # headers that let an origin send, as OPTIONS asks; None: not it
    by_google: bool = False  # who sends shows a token of Google, and none of ours

    @property
    def path(self) -> str:
        """Where it sends to."""
        return PATHS + self.purpose


def _require_pagerduty(token: WebhookToken, headers: Headers, body: bytes, _now: datetime) -> None:
    given = bodies.text(headers, b"x-pagerduty-signature")
    webhook_signatures.require_pagerduty(given, body, token.signing_secrets)


def _require_grafana(token: WebhookToken, headers: Headers, body: bytes, now: datetime) -> None:
    """Ask for a signature once a secret is registered; Grafana makes one where it is told to."""
    if token.signing_secrets:
        webhook_signatures.require_grafana(
            bodies.text(headers, b"x-grafana-alerting-signature"),
            bodies.text(headers, b"x-grafana-alerting-timestamp"),
            body,
            token.signing_secrets,
            now=now,
        )


def _read_cloudevents(body: bytes, headers: Headers, received_at: datetime) -> Batch:
    prefix = cloudevents.PREFIX.encode()
    attributes = {
        name.removeprefix(prefix).decode("latin-1"): value.decode("latin-1")
        for name, value in headers.items()
        if name.startswith(prefix)
    }
    content_type = bodies.text(headers, b"content-type")
    return cloudevents.parse(body, content_type, attributes, received_at)


def _greeted(body: bytes, headers: Headers) -> bytes | None:
    return eventgrid.handshake(body, bodies.text(headers, b"aeg-event-type"))


def _consented(headers: Headers) -> Mapping[str, str] | None:
    return eventgrid.allowed(
        bodies.text(headers, b"webhook-request-origin"),
        bodies.text(headers, b"webhook-request-rate"),
    )


_TEXT: Final = {"type": "string"}
_MOMENT: Final = {"type": "string", "format": "date-time"}
_STRINGS: Final = {"type": "object", "additionalProperties": _TEXT}


def _object(required: tuple[str, ...], **properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": list(required), "properties": properties}


def _alertmanager_body(*versions: str) -> dict[str, Any]:
    one = _object(
        ("status", "labels", "startsAt"),
        status={"enum": ["firing", "resolved"]},
        labels=_STRINGS,
        annotations=_STRINGS,
        startsAt=_MOMENT,
    )
    return _object(
        ("alerts",), version={"enum": list(versions)}, alerts={"type": "array", "items": one}
    )


SENDERS: Final = (
    Sender(
        purpose="alertmanager",
        title="Alertmanager",
        sentence="Webhook format 4.",
        body=_alertmanager_body(alertmanager.VERSION),
        read=lambda body, _headers, _now: alertmanager.parse(body),
    ),
    Sender(
        purpose="grafana",
        title="Grafana",
        sentence="The webhook of Grafana's own alerting. Where a signing secret is registered for "
        "the token, X-Grafana-Alerting-Signature has to match.",
        body=_alertmanager_body(*grafana.VERSIONS),
        read=lambda body, _headers, _now: grafana.parse(body),
        require_signed=_require_grafana,
    ),
    Sender(
        purpose="datadog",
        title="Datadog",
        sentence="The payload that the page on Datadog says to paste.",
        body=_object(
            ("transition", "date", "monitor_id"),
            **dict.fromkeys(
                ("transition", "date", "monitor_id", "title", "body", "scope", "tags", "hostname",
                 "priority"),
                _TEXT,
            ),
        ),
        read=lambda body, _headers, _now: datadog.parse(body),
    ),
    Sender(
        purpose="pagerduty",
        title="PagerDuty",
        sentence="Webhook version 3, signed: X-PagerDuty-Signature has to match a signing secret "
        "that is registered for the token. What people did about pages of ours is care of our "
        "incident, and no alert.",
        body=_object(
            ("event",),
            event=_object(
                ("event_type", "occurred_at", "data"),
                id=_TEXT,
                event_type=_TEXT,
                agent=_object((), id=_TEXT, type=_TEXT, summary=_TEXT, html_url=_TEXT),
                occurred_at=_MOMENT,
                data=_object(("id", "created_at"), id=_TEXT, created_at=_MOMENT,
                             title=_TEXT, incident_key=_TEXT),
            ),
        ),
        read=lambda body, _headers, _now: pagerduty.parse(body),
        require_signed=_require_pagerduty,
    ),
    Sender(
        purpose="cloudevents",
        title="CloudEvents",
        sentence="CloudEvents 1.0, structured, binary or a batch; `data` tells the alert.",
        body=_object(
            ("specversion", "id", "source", "type"),
            **dict.fromkeys(("id", "source", "type", "subject"), _TEXT),
            specversion={"const": cloudevents.SPECVERSION},
            time=_MOMENT,
            data=_object((), status={"enum": ["firing", "resolved"]}, labels=_STRINGS,
                         annotations=_STRINGS, startsAt=_MOMENT),
        ),
        read=_read_cloudevents,
        media_types=(cloudevents.STRUCTURED, cloudevents.BATCHED, "application/json"),
    ),
    Sender(
        purpose="eventbridge",
        title="AWS EventBridge",
        sentence="One event, as an API destination sends it: alarms of CloudWatch, events of AWS "
        "Health and warnings of Spot are alerts, every other one is skipped.",
        body=_object(
            ("id", "detail-type", "source", "time"),
            **dict.fromkeys(("id", "detail-type", "source", "account", "region"), _TEXT),
            time=_MOMENT,
            detail=_object(()),
        ),
        read=lambda body, _headers, _now: eventbridge.parse(body),
    ),
    Sender(
        purpose="eventgrid",
        title="Azure Event Grid",
        sentence="Events in Event Grid's schema or as CloudEvents 1.0: alerts of Azure Monitor, "
        "health of resources and what expires in a key vault are alerts, every other one is "
        "skipped. A validation event is answered with its code.",
        body={"type": "array", "items": _object(
            ("id", "eventType", "subject", "eventTime"),
            **dict.fromkeys(("id", "eventType", "subject", "topic"), _TEXT),
            eventTime=_MOMENT,
            data=_object(()),
        )},
        read=lambda body, headers, _now: eventgrid.parse(
            body, bodies.text(headers, b"content-type")
        ),
        media_types=("application/json", cloudevents.STRUCTURED, cloudevents.BATCHED),
        handshake=_greeted,
        consent=_consented,
    ),
    Sender(
        purpose="pubsub",
        title="Google Pub/Sub",
        sentence="An authenticated push: incidents of Cloud Monitoring are alerts, every other "
        "message is skipped. The bearer token is Google's, of a service account that "
        "pubsub_senders names, and not one that was made here.",
        body=_object(
            ("message", "subscription"),
            message=_object((), data=_TEXT, messageId=_TEXT, attributes=_STRINGS),
            subscription=_TEXT,
        ),
        read=lambda body, headers, _now: pubsub.parse(body, bodies.text(headers, b"content-type")),
        by_google=True,
    ),
)  # fmt: skip
BY_PATH: Final[Mapping[str, Sender]] = {one.path: one for one in SENDERS}
BY_PURPOSE: Final[Mapping[str, Sender]] = {one.purpose: one for one in SENDERS}
