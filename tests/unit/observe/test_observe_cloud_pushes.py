"""Events of Azure and Google to alerts: bodies after their documentation, and what is none."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentienguard.model.alert import AlertStatus
from sentienguard.stages.observe import alert_batch, cloudevents, eventgrid, pubsub
from tests.support.cloud_bodies import (
    HEALTH,
    MACHINE,
    SAID,
    cloud,
    event,
    health,
    incident,
    monitored,
    push,
    validation,
)


def grid(*events: Any) -> alert_batch.Batch:
    return eventgrid.parse(json.dumps(events).encode(), "application/json; charset=utf-8")


@pytest.mark.parametrize(
    ("state", "status"),
    [
        ("Unavailable", AlertStatus.FIRING),
        ("Degraded", AlertStatus.FIRING),
        ("Available", AlertStatus.RESOLVED),
        ("Unknown", None),
    ],
)
def test_the_health_of_a_machine_begins_and_ends_an_alert(state, status):
    batch = grid(event(HEALTH, health(state)))
    if status is None:
        assert (batch.alerts, batch.skipped) == ((), 1)
        return
    (alert,) = batch.alerts
    assert alert.status is status
    assert alert.labels["host"] == "web-1"
    assert alert.labels["resource"] == MACHINE
    assert alert.heard_at == (SAID if status is AlertStatus.RESOLVED else None)


def test_begin_and_end_are_one_alert():
    began, ended = (
        grid(event(HEALTH, health(state), id=name)).alerts[0]
        for state, name in (("Unavailable", "a"), ("Available", "b"))
    )
    assert began.fingerprint == ended.fingerprint


@pytest.mark.parametrize(
    ("condition", "status"),
    [("Fired", AlertStatus.FIRING), ("Resolved", AlertStatus.RESOLVED)],
)
def test_an_alert_of_azure_monitor_names_its_episode(condition, status):
    (alert,) = grid(event("shop.alert", monitored(condition, MACHINE))).alerts
    assert (alert.status, alert.name, alert.starts_at) == (status, "cpu too high", SAID)
    assert alert.labels["severity"] == "error"
    assert alert.labels["host"] == "web-1"
    assert alert.heard_at is None


def test_of_several_targets_none_is_meant_alone():
    (alert,) = grid(event("shop.alert", monitored("Fired", MACHINE, f"{MACHINE}2"))).alerts
    assert "host" not in alert.labels


def test_both_schemas_say_the_same():
    for data, kind in ((health("Unavailable"), HEALTH), (monitored("Fired", MACHINE), "shop.x")):
        (one,) = grid(event(kind, data)).alerts
        body = json.dumps(cloud(kind, data)).encode()
        (other,) = eventgrid.parse(body, cloudevents.STRUCTURED).alerts
        (third,) = eventgrid.parse(b"[%s]" % body, cloudevents.BATCHED).alerts
        assert other == third
        assert (one.status, one.name, one.starts_at) == (other.status, other.name, other.starts_at)


def test_what_says_nothing_of_an_alert_is_skipped_and_what_is_none_refused_by_itself():
    batch = grid(
        event("Microsoft.Storage.BlobCreated", {"api": "PutBlob"}),
        {"id": "1"},
        event("Microsoft.KeyVault.CertificateNearExpiry", {"VaultName": "v", "ObjectName": "web"}),
        event(HEALTH, health("Odd")),
        event(HEALTH, health("Unavailable"), eventTime="yesterday"),
    )
    assert (len(batch.alerts), batch.skipped, batch.refused) == (1, 1, 3)
    assert batch.alerts[0].name == "AzureCertificateNearExpiry"
    assert "events[1]" in batch.reasons[0]
    assert "availabilityState" in batch.reasons[1]


@pytest.mark.parametrize(
    ("media", "body"),
    [
        ("text/plain", b"[]"),
        ("", b"[]"),
        ("application/xml", b"[]"),
        ("application/json", b"{}"),
        ("application/json", b'[{"id":'),
        ("application/json", b"[" * 100_000),
        (cloudevents.BATCHED, b"{}"),
        ("application/json", b"[" + b"{}," * alert_batch.MAX_ALERTS + b"{}]"),
    ],
)
def test_another_content_type_or_half_a_body_is_refused(media, body):
    with pytest.raises(alert_batch.Malformed):
        eventgrid.parse(body, media)


def test_a_validation_event_is_answered_with_its_code():
    answer = eventgrid.handshake(validation(), "SubscriptionValidation")
    assert answer == b'{"validationResponse":"512d38b6-c7b8-40c8-89fe-f46f9e9622b6"}'
    assert eventgrid.handshake(validation(), "Notification") is None


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b"{}",
        validation(validationCode=""),
        validation(validationCode="x" * 513),
        json.dumps([event("other", {})]).encode(),
        b"\xff",
    ],
)
def test_what_is_no_validation_event_is_told_so(body):
    with pytest.raises(alert_batch.Malformed):
        eventgrid.handshake(body, "SubscriptionValidation")


@pytest.mark.parametrize(
    ("origin", "rate", "found"),
    [
        ("eventgrid.azure.net", "120", "120"),
        ("eventgrid.azure.net", "", "*"),
        ("eventgrid.azure.net", "1\r\nx: y", "*"),
        ("evil.example", "120", None),
        ("", "", None),
        ("eventgrid.azure.net.evil.example", "1", None),
    ],
)
def test_event_grid_alone_may_begin_to_send(origin, rate, found):
    headers = eventgrid.allowed(origin, rate)
    assert (headers or {}).get("WebHook-Allowed-Rate") == found


def test_an_incident_of_cloud_monitoring_begins_and_ends_one_episode():
    (began,), (ended,) = (
        pubsub.parse(push(incident(state, incident_id=state)), "application/json").alerts
        for state in ("open", "closed")
    )
    assert (began.status, ended.status) == (AlertStatus.FIRING, AlertStatus.RESOLVED)
    assert (began.fingerprint, began.starts_at) == (ended.fingerprint, ended.starts_at)
    assert began.starts_at == SAID
    assert began.labels["host"] == "web-1"
    assert began.labels["severity"] == "critical"
    assert began.annotations["summary"] == "disk of web-1 is above 90 %"


@pytest.mark.parametrize("data", [b"", b"hello", {"kind": "storage#object"}, {"incident": None}])
def test_another_message_is_skipped(data):
    assert pubsub.parse(push(data), "application/json").skipped == 1


@pytest.mark.parametrize(
    ("media", "body"),
    [
        ("text/plain", push(incident())),
        ("application/json", b""),
        ("application/json", b"{}"),
        ("application/json", push(incident())[:-20]),
        ("application/json", push(incident("broken"))),
        ("application/json", push(incident(started_at=-1))),
        ("application/json", push(incident(started_at=10**15))),
        ("application/json", push(incident(policy_name="x" * 2000))),
        ("application/json", b'{"message":{"data":"***"},"subscription":"s"}'),
        ("application/json", push(b'{"incident":' + b"[" * 100_000)),
    ],
)
def test_half_a_push_or_another_is_refused(media, body):
    with pytest.raises(alert_batch.Malformed):
        pubsub.parse(body, media)


@given(st.binary(max_size=300), st.sampled_from(["application/json", cloudevents.STRUCTURED,
                                                 cloudevents.BATCHED, "x"]))  # fmt: skip
def test_any_bytes_are_a_batch_or_malformed(body, media):
    for parse in (
        lambda: eventgrid.parse(body, media),
        lambda: pubsub.parse(body, media),
        lambda: pubsub.parse(push(body), "application/json"),
        lambda: eventgrid.handshake(body, "SubscriptionValidation"),
    ):
        try:
            parse()
        except alert_batch.Malformed:
            continue
