"""Grafana, Datadog, PagerDuty, CloudEvents: what is read, what is refused by name, and no more."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentienguard.model.alert import AlertStatus
from sentienguard.stages.observe import alert_batch, cloudevents, datadog, grafana, pagerduty
from sentienguard.stages.observe.alert_batch import Batch, Malformed
from tests.support import sender_bodies

OURS = "inc_20260212_112600_a8f3b2c1"  # a page of ours
NOW = datetime(2026, 2, 12, 11, 26, tzinfo=UTC)
BINARY = {"specversion": "1.0", "id": "1", "source": "/s", "type": "t"}


def structured(body: bytes) -> Batch:
    return cloudevents.parse(body, cloudevents.STRUCTURED, {}, NOW)


def batched(body: bytes) -> Batch:
    return cloudevents.parse(body, f"{cloudevents.BATCHED}; charset=utf-8", {}, NOW)


def binary(body: bytes) -> Batch:
    return cloudevents.parse(body, "application/json", BINARY, NOW)


READERS: dict[str, Callable[[bytes], Batch]] = {
    "grafana": grafana.parse,
    "datadog": datadog.parse,
    "pagerduty": pagerduty.parse,
    "cloudevents": structured,
    "cloudevents-batch": batched,
    "cloudevents-binary": binary,
}


def read(sender: str, body: Any) -> Batch:
    return READERS[sender](json.dumps(body).encode())


def one(sender: str, body: Any) -> Any:
    [found] = read(sender, body).alerts
    return found


def test_the_body_that_grafana_writes_is_read() -> None:
    found = one("grafana", sender_bodies.grafana())
    assert (found.name, found.labels["zone"]) == ("High memory usage", "us-1")
    assert found.starts_at == datetime(2026, 11, 20, 20, 25, 22, 724220, tzinfo=UTC)
    assert found.annotations["summary"] == "This alert was triggered for zone us-1"
    assert found.heard_at is None


def test_grafana_tells_alerts_of_both_states_in_one_body() -> None:
    ended = sender_bodies.grafana_alert("Other", status="resolved")
    found = read("grafana", sender_bodies.grafana(sender_bodies.grafana_alert(), ended)).alerts
    assert [alert.status.value for alert in found] == ["firing", "resolved"]


def test_the_body_that_the_page_on_datadog_makes_is_read() -> None:
    found = one("datadog", sender_bodies.datadog())
    assert found.labels == {
        "alertname": "Disk is filling", "monitor_id": "1234", "host": "web-1",
        "device": "/dev/sda1", "severity": "critical",
        "sentienguard_metric": "system.disk_usage_percent", "sentienguard_subject": "/srv",
    }  # fmt: skip
    assert found.starts_at == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)


@pytest.mark.parametrize(
    ("transition", "title", "status", "guessed"),
    [
        ("Triggered", "[Triggered on {host:web-1}] Disk is filling", "firing", False),
        ("Re-Triggered", "[Re-Triggered on {host:web-1}] Disk is filling", "firing", True),
        ("Warn", "[Warn on {host:web-1}] Disk is filling", "firing", True),
        ("No Data", "[No data on {host:web-1}] Disk is filling", "firing", True),
        ("Recovered", "[Recovered on {host:web-1}] Disk is filling", "resolved", True),
        ("Recovered", "[P2] [Recovered] Disk is filling", "resolved", True),
    ],
)
def test_all_of_a_monitor_s_life_is_one_alert(transition, title, status, guessed) -> None:
    first = one("datadog", sender_bodies.datadog())
    found = one("datadog", sender_bodies.datadog(transition=transition, title=title))
    assert found.fingerprint == first.fingerprint
    assert found.status.value == status
    assert (found.heard_at is not None) is guessed


def test_what_datadog_left_empty_is_nothing() -> None:
    body = sender_bodies.datadog(hostname="$HOSTNAME", scope="*", tags="$TAGS", priority="",
                                 title="$EVENT_TITLE")  # fmt: skip
    found = one("datadog", body)
    assert found.labels == {"alertname": "monitor 1234", "monitor_id": "1234"}


def test_a_monitor_of_datadog_may_name_its_alert() -> None:
    found = one("datadog", sender_bodies.datadog(tags="alertname:HostOutOfDiskSpace,team:a"))
    assert (found.name, found.labels["team"]) == ("HostOutOfDiskSpace", "a")


def test_an_incident_of_pagerduty_begins_begins_again_and_ends() -> None:
    began = one("pagerduty", sender_bodies.pagerduty())
    again = one("pagerduty", sender_bodies.pagerduty("incident.reopened"))
    ended = one("pagerduty", sender_bodies.pagerduty("incident.resolved", title="Another"))
    assert began.fingerprint == again.fingerprint == ended.fingerprint
    assert (began.starts_at.year, again.starts_at.month, again.heard_at) == (2020, 10, None)
    assert ended.status is AlertStatus.RESOLVED
    assert ended.heard_at == datetime(2020, 10, 2, 18, 45, 22, 169000, tzinfo=UTC)


@pytest.mark.parametrize(
    "body",
    [sender_bodies.pagerduty_service(), sender_bodies.pagerduty("incident.acknowledged"),
     sender_bodies.pagerduty("incident.of.a.kind.to.come")],
)  # fmt: skip
def test_what_says_nothing_of_a_begin_or_end_is_skipped(body) -> None:
    assert read("pagerduty", body) == Batch((), skipped=1)


@pytest.mark.parametrize("deed", ["acknowledged", "resolved"])
def test_what_a_person_did_about_a_page_of_ours_is_told_as_such(deed: str) -> None:
    body = sender_bodies.pagerduty(f"incident.{deed}", incident_key=OURS, event="E1")
    found = read("pagerduty", body)
    assert (found.alerts, found.skipped) == ((), 0)
    [one] = found.handled
    assert (one.incident, one.deed.value, one.event) == (OURS, deed, "E1")
    assert (one.team, one.person, one.name) == ("acme", "PLH1HKV", "Tenex Engineer")


@pytest.mark.parametrize(
    "body",
    [
        *(sender_bodies.pagerduty(event, incident_key=OURS)
          for event in ("incident.triggered", "incident.reopened", "incident.escalated")),
        *(sender_bodies.pagerduty("incident.resolved", incident_key=OURS, by=machine)
          for machine in ("events_api_v2_inbound_integration_reference", "service_reference", "")),
        sender_bodies.pagerduty(incident_key=f"msg_{'0' * 24}"),
        sender_bodies.pagerduty("incident.resolved", incident_key=f"msg_{'0' * 24}"),
    ],
)  # fmt: skip
def test_a_page_of_ours_is_no_alert_whatever_machines_do_about_it(body) -> None:
    assert read("pagerduty", body) == Batch((), skipped=1)


@pytest.mark.parametrize(
    "key", [f"{OURS}0", f" {OURS}", OURS.upper(), f"{OURS}\n", "inc_1", "msg_1", f"a{OURS}"]
)
def test_a_key_that_only_looks_like_ours_is_an_alert_as_before(key: str) -> None:
    assert one("pagerduty", sender_bodies.pagerduty(incident_key=key)).labels == {
        "alertname": "PagerDuty incident", "pagerduty_incident": "PGR0VU2",
        "pagerduty_service": "PF9KMXH",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("key", "labels"),
    [
        ("alertname=DiskFull,host=web-1", {"alertname": "DiskFull", "host": "web-1"}),
        ("host=web-1", {}),
        ("alertname=DiskFull,web-1", {}),
        ("alertname=a,alertname=b", {}),
        ("alertname=", {}),
        ("srv01/HTTP", {}),
        ("", {}),
    ],
)
def test_a_key_declares_labels_as_a_whole_or_none(key, labels) -> None:
    assert pagerduty.declared_by(key) == labels


def test_a_cloud_event_says_what_it_is_in_its_data() -> None:
    found = one("cloudevents", sender_bodies.cloudevent())
    assert found.labels == {
        "alertname": "DiskFull", "host": "web-1", "type": "com.example.disk.full",
        "source": "/monitoring/eu", "subject": "web-1",
    }  # fmt: skip
    assert found.annotations == {"summary": "/srv is full"}
    assert found.starts_at == datetime(2018, 4, 5, 17, 31, tzinfo=UTC)


def test_an_event_in_binary_mode_is_the_same_as_in_structured_mode() -> None:
    event = sender_bodies.cloudevent()
    headers = {name: str(event[name]) for name in ("specversion", "type", "source", "subject",
                                                   "id", "time")}  # fmt: skip
    body = json.dumps(event["data"]).encode()
    found = cloudevents.parse(body, "application/json", headers, NOW)
    assert found == structured(json.dumps(event).encode())


def test_header_values_are_percent_decoded() -> None:
    headers = {**BINARY, "subject": "Euro%20%E2%82%AC%20%F0%9F%98%80"}
    [found] = cloudevents.parse(b"", "application/json", headers, NOW).alerts
    assert found.labels["subject"] == "Euro € 😀"
    assert found.starts_at == NOW


@pytest.mark.parametrize("data", [None, "text", 7, ["a"], {}])
def test_data_that_says_nothing_leaves_the_attributes(data) -> None:
    found = one("cloudevents", sender_bodies.cloudevent(data=data))
    assert found.labels["alertname"] == "com.example.disk.full"


def test_an_end_without_a_begin_is_of_the_episode_that_stood() -> None:
    body = sender_bodies.cloudevent(data={"status": "resolved"})
    assert one("cloudevents", body).heard_at == datetime(2018, 4, 5, 17, 31, tzinfo=UTC)
    told = sender_bodies.cloudevent(data={"status": "resolved", "startsAt": sender_bodies.BEGAN})
    assert one("cloudevents", told).heard_at is None


def test_of_a_batch_the_good_events_are_taken() -> None:
    good = sender_bodies.cloudevent()
    found = read("cloudevents-batch", [good, {}, 7, {**good, "data": {"status": "odd"}}, good])
    assert (len(found.alerts), found.refused) == (2, 3)
    assert found.reasons[2].startswith("events[3]: data: Invalid enum value 'odd' - at `$.status`")


LONG = "x" * (alert_batch.MAX_VALUE + 1)
MANY = {str(number): "" for number in range(alert_batch.MAX_LABELS + 1)}
WRONG = [
    ("grafana", {"version": "2", "alerts": []}, 'expected "version": "1" or "4", found \'2\''),
    ("grafana", {"alerts": {}}, "Expected `array`, got `object` - at `$.alerts`"),
    ("grafana", {"title": "my own template"}, "missing required field `alerts`"),
    ("grafana", {"alerts": [{}] * 10_001}, "expected at most 10000, found 10001"),
    ("datadog", {}, "missing required field `transition`"),
    ("datadog", sender_bodies.datadog(transition="Muted"), "transition: expected one of"),
    ("datadog", sender_bodies.datadog(transition=7), "Expected `str`, got `int` - at `$.transi"),
    ("datadog", sender_bodies.datadog(date="yesterday"), "date: expected milliseconds since 1970"),
    ("datadog", sender_bodies.datadog(date="-1"), "date: expected milliseconds since 1970"),
    ("datadog", sender_bodies.datadog(date="9" * 5000), "date: expected milliseconds since 1970"),
    ("datadog", sender_bodies.datadog(monitor_id="$ALERT_ID"), "monitor_id: expected the number"),
    ("datadog", sender_bodies.datadog(scope="a," * 2000), "scope: expected at most 1000 tags"),
    ("datadog", sender_bodies.datadog(scope=f"a:{LONG}"), "label 'a': expected at most 1024"),
    ("datadog", sender_bodies.datadog(scope=",".join(MANY)), "labels: expected 1 to 64, found"),
    ("pagerduty", {}, "missing required field `event`"),
    ("pagerduty", {"event": {"event_type": "incident.triggered"}}, "field `occurred_at`"),
    ("pagerduty", sender_bodies.pagerduty(created_at="2020"), "at `$.created_at`"),
    ("pagerduty", sender_bodies.pagerduty(id=LONG), "at `$.id`"),
    ("pagerduty", sender_bodies.pagerduty(incident_key=7), "at `$.incident_key`"),
    ("pagerduty", sender_bodies.pagerduty(incident_key=f"alertname={LONG}"), "at most 1024"),
    ("cloudevents", {}, "missing required field `specversion`"),
    ("cloudevents", sender_bodies.cloudevent(specversion="0.3"), "at `$.specversion`"),
    ("cloudevents", sender_bodies.cloudevent(id=""), "at `$.id`"),
    ("cloudevents", sender_bodies.cloudevent(type=LONG), "at `$.type`"),
    ("cloudevents", sender_bodies.cloudevent(time="now"), "at `$.time`"),
    ("cloudevents", sender_bodies.cloudevent(time="0001-01-01T00:00:00+09:00"), "years 1 to"),
    ("cloudevents", sender_bodies.cloudevent(data={"labels": MANY}), "length <= 64"),
    ("cloudevents", sender_bodies.cloudevent(data={"labels": {"a": 1}}), "data: Expected `str`"),
    ("cloudevents-batch", {}, "Expected `array`, got `object`"),
    ("cloudevents-batch", [1] * 10_001, "events: expected at most 10000, found 10001"),
]  # fmt: skip


@pytest.mark.parametrize(("sender", "body", "said"), WRONG)
def test_what_is_wrong_is_refused_by_its_name(sender: str, body: Any, said: str) -> None:
    with pytest.raises(Malformed, match=r".") as refused:
        read(sender, body)
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ({}, "found content type 'text/plain' without any of them"),
        ({"id": "1"}, "missing required field `specversion`"),
        ({**BINARY, "source": "%FF"}, "expected CloudEvents 1.0"),
        ({**BINARY, "time": "soon"}, "time"),
    ],
)
def test_headers_that_are_no_event_are_refused(headers: dict[str, str], said: str) -> None:
    with pytest.raises(Malformed) as refused:
        cloudevents.parse(b"hello", "text/plain", headers, NOW)
    assert said in str(refused.value)


@pytest.mark.parametrize("sender", READERS)
@given(noise=st.binary(max_size=200))
def test_noise_is_read_or_refused_and_nothing_else_happens(sender: str, noise: bytes) -> None:
    try:
        READERS[sender](noise)
    except Malformed as refused:
        assert str(refused)  # noqa: PT017  either may be


TEXT = st.text(max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
GOOD: dict[str, Any] = {
    "grafana": sender_bodies.grafana(),
    "datadog": sender_bodies.datadog(),
    "pagerduty": sender_bodies.pagerduty(),
    "cloudevents": sender_bodies.cloudevent(),
    "cloudevents-batch": [sender_bodies.cloudevent()],
    "cloudevents-binary": sender_bodies.cloudevent()["data"],
}


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else []
    inner = enumerate(value) if isinstance(value, list) else inner
    return [path, *(found for name, one in inner for found in _places(one, (*path, name)))]


def _with(value: Any, path: tuple[Any, ...], put: Any) -> Any:
    if not path:
        return put
    copy = list(value) if isinstance(value, list) else dict(value)
    copy[path[0]] = _with(value[path[0]], path[1:], put)
    return copy


@pytest.mark.parametrize("sender", READERS)
@given(data=st.data())
def test_one_wrong_member_in_a_good_body_is_read_or_refused(sender: str, data: Any) -> None:
    place = data.draw(st.sampled_from(_places(GOOD[sender])))
    body = json.dumps(_with(GOOD[sender], place, data.draw(JSON)))
    try:
        found = READERS[sender](body.encode("utf-8", "surrogatepass"))
    except Malformed:
        return
    for alert in found.alerts:
        assert 1 <= len(alert.labels) <= alert_batch.MAX_LABELS
        assert all(len(text) <= alert_batch.MAX_VALUE for text in alert.labels.values())
        assert alert_batch.decode(alert_batch.encode(alert)) == alert


@pytest.mark.parametrize("sender", READERS)
def test_depth_and_size_end_in_a_refusal(sender: str) -> None:
    for body in (b"[" * 100_000, b'{"x":' * 100_000, b'{"event":' + b"[" * 100_000):
        with pytest.raises(Malformed):
            READERS[sender](body)
