"""Alerts from outside: what is taken and refused, what comes of it, and that nothing is lost."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support import centre_process, webhooks
from tests.support.centre_process import Centre, Host
from tests.support.webhooks import PATH, Sender, alert, body

pytestmark = pytest.mark.integration
DISK = ("system.disk_usage_percent", "/srv")
AT_85 = {("system.cpu_percent", ""): 3.0, DISK: 85.0}


@pytest.fixture(scope="module")
def centre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Centre]:
    with centre_process.running(tmp_path_factory.mktemp("alerts")) as running:
        yield running


@pytest.fixture(scope="module")
def sender(centre: Centre) -> Sender:
    return webhooks.sender(centre)


@pytest.fixture
def host(centre: Centre, request: pytest.FixtureRequest) -> Host:
    enrolled = centre.enrol(f"host-{abs(hash(request.node.name)) % 10**9}")
    assert enrolled.push(AT_85).status_code == 204
    time.sleep(1.1)  # so long a new host may be unknown to alerts
    return enrolled


def taken(answer: httpx.Response) -> int:
    assert answer.status_code == 200, answer.text
    return int(answer.json()["taken"])


def problem(answer: httpx.Response, status: int, kind: str) -> str:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == f"urn:sentienguard:problem:{kind}"
    return str(answer.json()["detail"])


def results(centre: Centre, name: str, many: int, *, within_s: float = 20.0) -> list[Any]:
    """Wait until so many alerts of this name were dealt with; return them, oldest first."""
    until = time.monotonic() + within_s
    admin = centre.login("admin@local")
    while True:
        found = [
            one
            for one in admin.get("/api/v1/alerts", params={"limit": 500}).json()["items"]
            if one["name"] == name and one["result"]
        ]
        if len(found) >= many or time.monotonic() > until:
            assert len(found) == many, [one["result"] for one in found]
            return found[::-1]
        time.sleep(0.05)


def incidents(centre: Centre, host: Host) -> list[Any]:
    page = centre.login("admin@local").get("/api/v1/incidents", params={"host": host.host})
    return list(page.json()["items"])


def test_an_alert_opens_one_incident_of_the_host_that_it_names(centre, sender, host) -> None:
    firing = alert("NodeFilesystemAlmostOutOfSpace", instance=f"{host.host}:9100",
                   mountpoint="/srv")  # fmt: skip
    assert taken(sender.send(body(firing))) == 1
    [dealt] = [
        one
        for one in results(centre, "NodeFilesystemAlmostOutOfSpace", 1)
        if host.host in one["labels"]["instance"]
    ]
    assert dealt["result"] == "opened"
    [found] = incidents(centre, host)
    assert found["id"] == dealt["incident"]
    story = centre.login("admin@local").get(f"/api/v1/incidents/{found['id']}").json()
    anomaly = story["anomaly"]
    assert (anomaly["metric"], anomaly["subject"], anomaly["value"]) == (*DISK, 85.0)
    assert anomaly["ground"] == "alert"
    entries = centre.login("admin@local").get("/api/v1/audit/entries").json()["items"]
    opened = next(one for one in entries if one["kind"] == "incident.opened"
                  and one["incident"] == found["id"])  # fmt: skip
    assert opened["data"]["alert"].startswith("sha256:")


def test_what_is_sent_again_is_thanked_for_and_opens_nothing(centre, sender, host) -> None:
    firing = alert("Again", host=host.host)
    assert [taken(sender.send(body(firing))) for _ in range(20)] == [1] * 20
    assert taken(sender.send(body(*[firing] * 50))) == 50
    assert [one["result"] for one in results(centre, "Again", 1)] == ["opened"]
    assert len(incidents(centre, host)) == 1


def test_an_alert_that_no_rule_knows_goes_to_people(centre, sender, host) -> None:
    taken(sender.send(body(alert("disk_full_run_journal_vacuum", host=host.host))))
    results(centre, "disk_full_run_journal_vacuum", 1)
    until = time.monotonic() + 15
    while (found := incidents(centre, host)[0])["status"] != "CLOSED":
        assert time.monotonic() < until
        time.sleep(0.05)
    assert found["metric"] == "alert.firing"
    assert found["outcome"] == "escalated"


def test_alerts_of_one_symptom_fold_and_end_together(centre, sender, host) -> None:
    labels = {"instance": host.host, "sentienguard_metric": DISK[0],
              "sentienguard_subject": DISK[1]}  # fmt: skip
    first, second = alert("Fold", level="warning", **labels), alert("Fold", level="bad", **labels)
    taken(sender.send(body(first, second)))
    taken(sender.send(body({**second, "status": "resolved"})))
    taken(sender.send(body({**first, "status": "resolved"})))
    assert [one["result"] for one in results(centre, "Fold", 4)] == [
        "opened", "folded", "still_firing", "recovered",
    ]  # fmt: skip
    assert len(incidents(centre, host)) == 1


def test_a_later_episode_after_the_end_is_a_new_incident(centre, sender, host) -> None:
    labels = {"instance": host.host}
    taken(sender.send(body(alert("Back", **labels))))
    until = time.monotonic() + 15
    while not (found := incidents(centre, host)) or found[0]["status"] != "CLOSED":
        assert time.monotonic() < until
        time.sleep(0.05)
    taken(sender.send(body(alert("Back", began_s=60, **labels))))  # its end was never heard
    assert [one["result"] for one in results(centre, "Back", 2)] == ["opened", "opened"]
    assert len(incidents(centre, host)) == 2


def test_an_end_that_came_first_opens_nothing(centre, sender, host) -> None:
    firing = alert("Late", instance=host.host)
    taken(sender.send(body({**firing, "status": "resolved"})))
    taken(sender.send(body(firing)))
    assert [one["result"] for one in results(centre, "Late", 2)] == ["nothing_open", "late"]
    assert incidents(centre, host) == []


@pytest.mark.parametrize(
    "labels",
    [{}, {"instance": "nobody:9100"}, {"agent": "00000000-0000-4000-8000-000000000000"}],
    ids=["no label", "not enrolled", "no such agent"],
)
def test_an_alert_of_no_enrolled_host_is_kept_and_counted(centre, sender, labels) -> None:
    name = f"Nowhere{len(str(labels))}"
    taken(sender.send(body(alert(name, **labels))))
    [found] = results(centre, name, 1)
    assert (found["result"], found["incident"]) == ("unknown_host", None)
    shown = centre.anonymous().get("/metrics").text
    assert 'sentienguard_alerts_total{result="unknown_host"}' in shown


def test_a_token_reaches_the_hosts_of_its_environment_only(centre, host) -> None:
    elsewhere = webhooks.sender(centre, "production")
    taken(elsewhere.send(body(alert("Elsewhere", instance=host.host))))
    taken(elsewhere.send(body(alert("Elsewhere", agent=host.agent))))
    found = results(centre, "Elsewhere", 2)
    assert {one["result"] for one in found} == {"unknown_host"}
    assert {one["environment"] for one in found} == {"production"}
    assert incidents(centre, host) == []


def test_a_waiting_question_is_withdrawn_when_the_alert_ends(centre, sender, host) -> None:
    """The readings never were beyond a limit, so only the alert's end says that it is over."""
    full = {**AT_85, DISK: 94.0}
    assert host.push(full).status_code == 204
    firing = alert("HostOutOfDiskSpace", instance=host.host, mountpoint="/srv")
    taken(sender.send(body(firing)))
    admin = centre.login("admin@local")
    until = time.monotonic() + 15
    while not (found := incidents(centre, host)) or found[0]["status"] in {"OPEN", "ANALYZING"}:
        assert time.monotonic() < until
        time.sleep(0.05)
    status = found[0]["status"]
    for _ in range(3):
        assert host.push(full).status_code == 204
    time.sleep(0.5)
    still = incidents(centre, host)[0]
    assert still["status"] == status, "readings below our limits end nothing that an alert says"
    taken(sender.send(body({**firing, "status": "resolved"})))
    results(centre, "HostOutOfDiskSpace", 2)
    if status == "AWAITING_APPROVAL":
        until = time.monotonic() + 15
        while (found := admin.get(f"/api/v1/incidents/{still['id']}").json())["status"] != "CLOSED":
            assert time.monotonic() < until
            time.sleep(0.05)
        assert found["outcome"] == "self_recovered"


@pytest.mark.parametrize(
    ("headers", "why"),
    [
        ({}, "no token"),
        ({"Authorization": "Bearer"}, "an empty one"),
        ({"Authorization": "Bearer 0123456789abcdef"}, "a guess"),
        ({"Authorization": "Basic YWRtaW46YWRtaW4="}, "another scheme"),
        ({"Authorization": "Bearer \xff\xfe"}, "noise"),
    ],
)
def test_without_a_token_of_its_own_nothing_is_read(centre, headers, why) -> None:
    said = {name: value.encode("latin-1") for name, value in headers.items()}
    answer = centre.anonymous().post(PATH, content=b"\0" * 1000, headers=said)
    problem(answer, 401, "unauthenticated")
    assert answer.headers["www-authenticate"] == "Bearer"


def test_a_session_opens_no_webhook_and_a_webhook_token_opens_nothing_else(
    centre: Centre, sender: Sender
) -> None:
    problem(centre.login("admin@local").post(PATH, json=body(alert())), 401, "unauthenticated")
    headers = {"Authorization": f"Bearer {sender.token}"}
    assert centre.anonymous().get("/api/v1/incidents", headers=headers).status_code == 401


def test_a_revoked_token_is_refused_from_the_next_request_on(centre: Centre) -> None:
    brief = webhooks.sender(centre)
    taken(brief.send(body(alert("Brief"))))
    admin = centre.login("admin@local")
    assert admin.delete(f"/api/v1/webhook-tokens/{brief.token_id}").status_code == 200
    problem(brief.send(body(alert("Brief"))), 401, "unauthenticated")
    shown = admin.get("/api/v1/webhook-tokens").json()["items"]
    assert brief.token not in str(shown)
    kinds = [one["kind"] for one in admin.get("/api/v1/audit/entries").json()["items"]]
    assert "token.revoked" in kinds


@pytest.mark.parametrize(
    ("content", "status", "kind"),
    [
        (b"", 400, "malformed"),
        (b"not json", 400, "malformed"),
        (b"[]", 400, "malformed"),
        (b"null", 400, "malformed"),
        (b'{"version":"4"}', 400, "malformed"),
        (b'{"version":"3","alerts":[]}', 400, "malformed"),
        (b'{"version":"4","alerts":{}}', 400, "malformed"),
        (b'{"version":"4","alerts":[{}]}', 400, "malformed"),
        ((b'{"version":"4","alerts":[{"status":"firing","labels":{},"startsAt":'
         b'"2026-11-20T21:25:22Z"}]}'), 400, "malformed"),
        ((b'{"version":"4","alerts":[{"status":"firing","labels":{"a":"b"},"startsAt":'
         b'"2026-11-20T21:25:22"}]}'), 400, "malformed"),
        ((b'{"version":"4","alerts":[{"status":"firing","labels":{"a":"b"},"startsAt":'
         b'"0001-01-01T00:00:00+09:00"}]}'), 400, "malformed"),
        ((b'{"version":"4","alerts":[{"status":"firing","labels":{"a":"\xff\xfe"},"startsAt":'
         b'"2026-11-20T21:25:22Z"}]}'), 400, "malformed"),
        ((b'{"version":"4","alerts":[{"status":"firing","labels":{"a":"\\ud800"},"startsAt":'
         b'"2026-11-20T21:25:22Z"}]}'), 400, "malformed"),
        (b'{"x":' + b"[" * 100_000, 400, "malformed"),
        (b'{"alerts":' + b"[" * 100_000, 400, "malformed"),
        (b'{"version":"4","alerts":[]}' + b" " * 10_000_000, 413, "too-large"),
    ],
    ids=["empty", "no json", "list", "null", "no alerts", "version 3", "alerts no list",
         "no members", "no labels", "no time zone", "before the year 1", "not utf-8",
         "half a pair", "deep unknown", "deep alerts", "10 MB"],
)  # fmt: skip
def test_garbage_is_refused_and_the_next_good_one_is_taken(sender, content, status, kind) -> None:
    problem(sender.send(content), status, kind)
    assert taken(sender.send(body(alert("Good")))) == 1


def test_a_long_body_of_unknown_length_is_cut_off(sender: Sender) -> None:
    def parts() -> Iterator[bytes]:
        for _ in range(200):
            yield b" " * 65536

    answer = sender.client.post(
        PATH, content=parts(), headers={"Authorization": f"Bearer {sender.token}"}
    )
    problem(answer, 413, "too-large")


def test_a_compressed_body_and_another_method_are_refused(sender: Sender) -> None:
    problem(sender.send(b"\x1f\x8b", **{"Content-Encoding": "gzip"}), 415, "unsupported")
    answer = sender.client.get(PATH, headers={"Authorization": f"Bearer {sender.token}"})
    problem(answer, 405, "method-not-allowed")


def test_the_good_alerts_of_a_body_are_taken_and_the_bad_ones_counted(centre, sender) -> None:
    good = [alert("Mixed", instance=f"h{number}") for number in range(3)]
    bad = [{"status": "odd"}, 7, alert("Mixed", long="x" * 5000),
           {**alert("Mixed"), "labels": {"alertname": 1}}]  # fmt: skip
    answer = sender.send(body(good[0], *bad, *good[1:], unknown={"deep": [1]}))
    assert answer.json() == {"taken": 3, "refused": 4}
    assert len(results(centre, "Mixed", 3)) == 3


def test_five_hundred_alerts_in_one_body_are_taken(centre: Centre, sender: Sender) -> None:
    many = [alert("Many", instance=f"h{number}") for number in range(500)]
    assert taken(sender.send(body(*many))) == 500
    results(centre, "Many", 500)


def test_many_senders_at_once_lose_nothing(centre: Centre, sender: Sender) -> None:
    together = threading.Barrier(8)

    def send(number: int) -> int:
        mine = Sender(httpx.Client(base_url=centre.people, timeout=30), sender.token, "")
        with mine.client:
            together.wait()
            return sum(
                taken(mine.send(body(alert("Crowd", instance=f"h{number}-{turn}"))))
                for turn in range(25)
            )

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(send, range(8))) == 200
    results(centre, "Crowd", 200)


def test_text_of_an_alert_orders_no_terminal_and_no_log_about(centre, sender, host) -> None:
    evil = {"summary": "\x1b[2J\x1b]0;owned\x07\u202e rm -rf / \u0000\r\nfake: line"}
    taken(sender.send(body(alert("Evil", annotations=evil, host=host.host))))
    results(centre, "Evil", 1)
    [found] = incidents(centre, host)
    assert found["summary"].isprintable()
    story = centre.login("admin@local").get(f"/api/v1/incidents/{found['id']}").json()
    assert story["anomaly"]["reason"].isprintable()


def test_more_than_the_allowed_rate_is_asked_to_come_again(tmp_path: Path) -> None:
    with centre_process.running(tmp_path, alerts_per_second="5") as centre:
        sender = webhooks.sender(centre)
        many = [alert("Fast", instance=f"h{number}") for number in range(50)]
        assert taken(sender.send(body(*many))) == 50  # one body may overdraw
        answer = sender.send(body(alert("Fast")))
        problem(answer, 503, "busy")  # 503, because Alertmanager does not repeat after 429
        assert answer.headers["retry-after"]


@pytest.mark.timeout(180)
def test_killed_after_the_answer_nothing_is_lost_and_nothing_is_done_twice(tmp_path: Path) -> None:
    """Acknowledged alerts of enrolled hosts, killed at once, again and again."""
    with centre_process.running(tmp_path) as centre:
        hosts = [centre.enrol(f"web-{number}") for number in range(12)]
        sender = webhooks.sender(centre)
        acknowledged = []
        for turn in range(4):
            for host in hosts[turn * 3 : turn * 3 + 3]:
                for name in ("Down", "Slow"):
                    one = alert(name, instance=f"{host.host}:9100")
                    if taken(sender.send(body(one))):
                        acknowledged.append((host.host, name))
            centre.kill()
            centre.restart()
            sender = Sender(centre.anonymous(), sender.token, sender.token_id)
        found = results(centre, "Down", 12) + results(centre, "Slow", 12)
        assert {(one["labels"]["instance"].partition(":")[0], one["name"]) for one in found} == set(
            acknowledged
        )
        assert {one["result"] for one in found} <= {"opened", "folded"}
        for host in hosts:
            subjects = [one["subject"] for one in incidents(centre, host)]
            assert sorted(subjects) == ["Down", "Slow"], host.host
