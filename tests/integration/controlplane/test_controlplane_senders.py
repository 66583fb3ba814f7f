"""Grafana, Datadog, PagerDuty and CloudEvents against a running control plane."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support import centre_process, sender_bodies, webhooks
from tests.support.centre_process import Centre, Host
from tests.support.webhooks import Sender

pytestmark = pytest.mark.integration
CALM = {("system.cpu_percent", ""): 3.0, ("system.disk_usage_percent", "/srv"): 85.0}
SECRET = "a secret that PagerDuty made"


@pytest.fixture(scope="module")
def centre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Centre]:
    with centre_process.running(tmp_path_factory.mktemp("senders")) as running:
        yield running


@pytest.fixture
def host(centre: Centre, request: pytest.FixtureRequest) -> Host:
    enrolled = centre.enrol(f"web-{abs(hash(request.node.name)) % 10**9}")
    assert enrolled.push(CALM).status_code == 204
    time.sleep(1.1)  # so long a new host may be unknown to alerts
    return enrolled


def results(centre: Centre, host: Host, many: int) -> list[Any]:
    """Wait until so many alerts that name this host were dealt with; oldest first."""
    until = time.monotonic() + 20
    admin = centre.login("admin@local")
    while True:
        page = admin.get("/api/v1/alerts", params={"limit": 500}).json()["items"]
        found = [one for one in page if host.host in str(one["labels"]) and one["result"]]
        if len(found) >= many or time.monotonic() > until:
            assert len(found) == many, [one["result"] for one in found]
            return found[::-1]
        time.sleep(0.05)


def accepted(sender: Sender, body: Any, **headers: str) -> None:
    answer = sender.send(body, **headers)
    assert (answer.status_code, answer.json()) == (200, {"taken": 1, "refused": 0}), answer.text


def incidents(centre: Centre, host: Host) -> list[Any]:
    page = centre.login("admin@local").get("/api/v1/incidents", params={"host": host.host})
    return list(page.json()["items"])


def test_an_alert_of_grafana_opens_one_incident_repeats_and_ends(centre, host) -> None:
    sender = webhooks.sender(centre, purpose="grafana")
    labels = {"alertname": "HostOutOfDiskSpace", "instance": f"{host.host}:9100",
              "mountpoint": "/srv"}  # fmt: skip
    firing = sender_bodies.grafana_alert(labels=labels)
    for _ in range(3):
        accepted(sender, sender_bodies.grafana(firing))
    accepted(sender, sender_bodies.grafana({**firing, "status": "resolved"}))
    assert [one["result"] for one in results(centre, host, 2)] == ["opened", "recovered"]
    [found] = incidents(centre, host)
    assert (found["metric"], found["subject"]) == ("system.disk_usage_percent", "/srv")


def test_a_monitor_of_datadog_is_one_alert_from_trigger_to_recovery(centre, host) -> None:
    sender = webhooks.sender(centre, purpose="datadog")
    mine = {"hostname": host.host, "scope": f"host:{host.host}"}
    accepted(sender, sender_bodies.datadog(**mine))
    accepted(sender, sender_bodies.datadog(transition="Re-Triggered", date="1700000600000", **mine))
    accepted(sender, sender_bodies.datadog(transition="Recovered", date="1700000900000", **mine))
    found = results(centre, host, 2)
    assert [one["result"] for one in found] == ["opened", "recovered"]
    assert found[0]["starts_at"] == found[1]["starts_at"], "the end is of the episode that stood"
    accepted(sender, sender_bodies.datadog(date="1700009900000", **mine))
    assert len(results(centre, host, 3)) == 3


def test_an_incident_of_pagerduty_is_signed_ends_and_is_reopened(centre, host) -> None:
    sender = webhooks.sender(centre, purpose="pagerduty")
    key = f"alertname=NodeFilesystemAlmostOutOfSpace,host={host.host},mountpoint=/srv"
    body, signature = sender_bodies.signed(sender_bodies.pagerduty(incident_key=key), SECRET)
    signed = {"X-PagerDuty-Signature": f"v1={signature}"}
    answer = sender.send(body, **signed)
    assert answer.status_code == 401, "no secret is registered"
    assert "sentienguard tokens secret" in answer.json()["detail"]
    admin = centre.login("admin@local")
    place = f"/api/v1/webhook-tokens/{sender.token_id}/signing-secrets"
    assert admin.put(place, json={"secrets": ["short"]}).status_code == 422
    made = admin.put(place, json={"secrets": [SECRET, "another secret"]})
    assert (made.status_code, made.json()["signing_secrets"]) == (200, 2)
    assert SECRET not in made.text
    accepted(sender, body, **signed)
    for event_type in ("incident.resolved", "incident.reopened", "incident.resolved"):
        next_body = sender_bodies.pagerduty(event_type, incident_key=key)
        body, signature = sender_bodies.signed(next_body, SECRET)
        accepted(sender, body, **{"X-PagerDuty-Signature": f"v1={signature}"})
    found = [one["result"] for one in results(centre, host, 4)]
    assert found[:2] == ["opened", "recovered"]
    assert found[2] in {"opened", "folded"}, "whether people had closed it by then"
    assert found[3] == "recovered"
    kinds = [one["kind"] for one in admin.get("/api/v1/audit/entries").json()["items"]]
    assert "token.secrets_set" in kinds


def test_cloud_events_come_in_three_modes_and_are_one_alert(centre, host) -> None:
    sender = webhooks.sender(centre, purpose="cloudevents")
    data = {"labels": {"alertname": "DiskFull", "host": host.host}}
    event = sender_bodies.cloudevent(data=data, subject=host.host)
    accepted(sender, event, **{"Content-Type": "application/cloudevents+json"})
    accepted(sender, [event], **{"Content-Type": "application/cloudevents-batch+json"})
    names = ("specversion", "type", "source", "subject", "id", "time")
    accepted(sender, data, **{f"ce-{name}": event[name] for name in names})
    [found] = results(centre, host, 1)
    assert (found["result"], found["labels"]["source"]) == ("opened", "/monitoring/eu")


@pytest.mark.parametrize("purpose", ["grafana", "datadog", "cloudevents"])
@pytest.mark.parametrize("content", [b"", b"[", b"{}", b"\xff\xfe", b"[" * 100_000, b"null"])
def test_garbage_is_refused_by_its_name_and_never_with_a_5xx(centre, purpose, content) -> None:
    answer = webhooks.sender(centre, purpose=purpose).send(content)
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == "urn:sentienguard:problem:malformed"
