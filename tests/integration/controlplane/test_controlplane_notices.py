"""People hear of incidents and answer them in Slack: a real control plane, services that check."""

import base64
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from sentienguard.controlplane import evaluation
from sentienguard.model.ids import PlaybookName, digest
from sentienguard.trust.catalogue import Proven, ProvingRecord
from tests.servers import chat_services
from tests.servers.chat_services import CHANNEL, TEAM, Services
from tests.support import centre_process
from tests.support.centre_process import Centre, Host

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]
REMEDY = PlaybookName("disk_cleanup_rotated_logs")
CALM = {("system.cpu_percent", ""): 3.0, ("system.disk_usage_percent", "/srv"): 40.0}
FULL = {**CALM, ("system.disk_usage_percent", "/srv"): 98.0}
PEOPLE = {"olga@local": {"staging": "observer"}, "rita@local": {"staging": "remediation_authority"}}
LINKED = {"U_RITA": "rita@local", "U_OLGA": "olga@local"}


@dataclass
class World:
    """The control plane and the services it tells."""

    centre: Centre
    services: Services
    admin: httpx.Client

    def question(self, host: Host) -> dict[str, Any]:
        """Fill the host's disk and return the message that asks about it."""
        host.push(CALM)
        host.push(FULL)
        return self.message(lambda one: buttons(one) and host.host in json.dumps(one))

    def message(self, wanted: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
        """Return the first posted message that is wanted."""

        def found() -> list[dict[str, Any]]:
            return [one for one in self.services.of("/api/chat.postMessage") if wanted(one)]

        self.services.wait(found)
        return found()[0]

    def whispered(self, text: str) -> None:
        """Wait until one person was told something."""
        self.services.wait(
            lambda: any(text in one["text"] for one in self.services.of("/api/chat.postEphemeral"))
        )

    def press(self, message: dict[str, Any], which: int, person: str, **more: Any) -> Any:
        """Press a button of a message over HTTP, as Slack would."""
        button = buttons(message)[which]
        click = chat_services.click(button["action_id"], button["value"], person, **more)
        body = chat_services.form(click)
        return httpx.post(
            f"{self.centre.people}/api/v1/webhooks/slack",
            content=body,
            headers=chat_services.signed(body),
        )

    def form(self, message: dict[str, Any]) -> dict[str, Any]:
        """Return the form that was opened for whoever pressed Deny in a message."""
        kept = f"{buttons(message)[0]['value']} {CHANNEL}"

        def found() -> list[dict[str, Any]]:
            opened = [one["view"] for one in self.services.of("/api/views.open")]
            return [one for one in opened if one["private_metadata"] == kept]

        self.services.wait(found)
        return found()[0]

    def hand_in(self, view: dict[str, Any], reason: str, person: str) -> Any:
        """Hand in a form over HTTP, as Slack would."""
        body = chat_services.form(chat_services.submission(view, reason, person))
        return httpx.post(
            f"{self.centre.people}/api/v1/webhooks/slack",
            content=body,
            headers=chat_services.signed(body),
        )

    def story(self, message: dict[str, Any]) -> dict[str, Any]:
        """Return the incident that a message is about."""
        approval = buttons(message)[0]["value"].split(" ")[0]
        listed = self.admin.get("/api/v1/approvals").json()["items"]
        incident = next(one["incident"] for one in listed if one["id"] == approval)
        return dict(self.admin.get(f"/api/v1/incidents/{incident}").json())


def buttons(message: dict[str, Any]) -> list[dict[str, Any]]:
    found = [one for one in message["blocks"] if one["type"] == "actions"]
    listed = found[0]["elements"] if found else []
    return [one for one in listed if "value" in one]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    data = tmp_path_factory.mktemp("notices")
    stored = (centre_process.PLAYBOOKS / REMEDY / "playbook.yaml").read_bytes()
    budget = {"service_budget_per_hour": "1000", "fleet_budget_per_hour": "1000"}
    with (
        chat_services.running() as services,
        centre_process.prepared(data, public_url="http://sg.test", **budget) as start,
    ):
        proven = (Proven("disk-full", 20, 20),)
        record = ProvingRecord(REMEDY, "1.0.0", digest(stored), proven)
        evaluation.sign_proving(data / "controlplane", data / "offline-keys", record)
        configure(data / "controlplane", services)
        with start() as running:
            admin = running.login("admin@local")
            for name, roles in PEOPLE.items():
                body = {"name": name, "password": centre_process.PASSWORD, "roles": roles}
                assert admin.post("/api/v1/users", json=body).status_code == 201
            for person, account in LINKED.items():
                link = {"service": "slack", "team": TEAM, "person": person, "account": account}
                answer = admin.put("/api/v1/chat-identities", json=link)
                assert answer.status_code == 200, answer.text
            yield World(running, services, admin)


def configure(directory: Path, services: Services) -> None:
    at = services.address
    secret = base64.b64encode(chat_services.WEBHOOK_SECRET).decode()
    for name, content in {
        "bot": chat_services.BOT, "app": chat_services.APP, "signing": chat_services.SIGNING,
        "routing": chat_services.ROUTING, "whsec": f"whsec_{secret}",
    }.items():  # fmt: skip
        (directory / name).write_text(content)
    slack = {
        "kind": "slack", "api": f"{at}/api", "team": TEAM, "channel": CHANNEL, "private": True,
        "token_file": "bot", "app_token_file": "app", "signing_secret_file": "signing",
        "sockets": at.replace("http:", "ws:"),
    }  # fmt: skip
    document = {
        "channels": {
            "ops": slack,
            "oncall": {"kind": "pagerduty", "url": f"{at}/v2/enqueue", "private": True,
                       "routing_key_file": "routing"},
            "hook": {"kind": "webhook", "url": f"{at}/webhook", "secret_file": "whsec",
                     "private": True},
        },
        "routes": [
            {"to": ["ops", "hook"]},
            {"to": ["oncall"], "events": ["escalated"], "severity": "critical"},
        ],
    }  # fmt: skip
    (directory / "notices.yaml").write_text(yaml.safe_dump(document))


def until(what: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 50
    while not (found := what()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert found
    return found


def closed(world: World, message: dict[str, Any]) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        story = world.story(message)
        return story if story["incident"]["status"] == "CLOSED" else None

    return dict(until(look))


def test_a_linked_person_approves_in_slack_and_the_order_is_released(world: World) -> None:
    host = world.centre.enrol("chat-yes", "staging")
    message = world.question(host)
    said = json.dumps(message)
    for part in ("[SentienGuard] Approval Required", "Incident: chat-yes", "Playbook:",
                 "This will:", "Estimated duration:", "Risk:"):  # fmt: skip
        assert part in said
    assert world.press(message, 0, "U_RITA").status_code == 200
    world.whispered("Approved: disk_cleanup_rotated_logs")
    assert until(lambda: host.poll()["order"])
    [decided] = [one for one in world.story(message)["timeline"]
                 if one["kind"] == "approval.decided"]  # fmt: skip
    assert decided["actor"] == "rita@local"
    assert decided["data"]["via"] == f"slack:{TEAM}/U_RITA"
    world.services.wait(
        lambda: any("Approved by rita@local" in json.dumps(one)
                    for one in world.services.of("/api/chat.update"))
    )  # fmt: skip
    assert world.press(message, 0, "U_RITA").status_code == 200
    world.whispered("answered before")
    assert world.services.refused == []


@pytest.mark.parametrize(
    ("person", "told", "actor"),
    [
        ("U_OLGA", "may not answer", "olga@local"),
        ("U_NOBODY", "linked to no account", f"slack:{TEAM}/U_NOBODY"),
    ],
)
def test_a_click_of_somebody_who_may_not_is_recorded_and_changes_nothing(
    world: World, person: str, told: str, actor: str
) -> None:
    host = world.centre.enrol(f"chat-{person.lower().replace('_', '-')}", "staging")
    message = world.question(host)
    assert world.press(message, 0, person).status_code == 200
    world.whispered(told)
    assert world.story(message)["incident"]["status"] == "AWAITING_APPROVAL"
    assert host.poll()["order"] is None
    entries = world.admin.get("/api/v1/audit/entries").json()["items"]
    denied = next(one for one in entries if one["kind"] == "access.denied")
    assert denied["actor"] == actor
    assert denied["data"]["via"] == f"slack:{TEAM}/{person}"


def test_forged_old_and_foreign_clicks_change_nothing(world: World) -> None:
    host = world.centre.enrol("chat-forged", "staging")
    message = world.question(host)
    button = buttons(message)[0]
    url = f"{world.centre.people}/api/v1/webhooks/slack"
    body = chat_services.form(chat_services.click("approve", button["value"], "U_RITA"))
    forged = [
        {},
        chat_services.signed(body, secret="another"),
        chat_services.signed(body, at=time.time() - 3600),
        chat_services.signed(body, at=time.time() + 3600),
        {**chat_services.signed(body), "X-Slack-Signature": "v0="},
        chat_services.signed(body + b"x"),
    ]
    for headers in forged:
        assert httpx.post(url, content=body, headers=headers).status_code == 401
    assert world.press(message, 0, "U_RITA", team="T_OTHER").status_code == 200
    wrong = chat_services.form(
        chat_services.click("approve", button["value"].split(" ")[0] + " sha256:00", "U_RITA")
    )
    assert httpx.post(url, content=wrong, headers=chat_services.signed(wrong)).status_code == 200
    world.whispered("has changed")
    for bad in (b"", b"payload=%7B", b"payload=%7B%7D", b"\xff"):
        answer = httpx.post(url, content=bad, headers=chat_services.signed(bad))
        assert answer.status_code == 400, answer.text
    assert world.story(message)["incident"]["status"] == "AWAITING_APPROVAL"
    assert host.poll()["order"] is None


def test_a_click_comes_over_the_socket_and_is_acknowledged(world: World) -> None:
    host = world.centre.enrol("chat-socket", "staging")
    message = world.question(host)
    before = world.services.opened
    world.services.drop_line()
    world.services.wait(lambda: world.services.opened > before)
    button = buttons(message)[1]
    payload = chat_services.click(button["action_id"], button["value"], "U_RITA")
    world.services.push(
        {"type": "interactive", "envelope_id": "e1", "accepts_response_payload": False,
         "payload": payload}
    )  # fmt: skip
    world.services.wait(lambda: {"envelope_id": "e1"} in world.services.acknowledged)
    view = world.form(message)
    for name, reason in (("f1", " "), ("f2", "the disk is replaced at noon")):
        world.services.push(
            {"type": "interactive", "envelope_id": name, "accepts_response_payload": True,
             "payload": chat_services.submission(view, reason, "U_RITA")}
        )  # fmt: skip
    world.services.wait(lambda: {"envelope_id": "f2"} in world.services.acknowledged)
    [left_open] = [one for one in world.services.acknowledged if one["envelope_id"] == "f1"]
    assert left_open["payload"]["response_action"] == "errors"
    story = closed(world, message)
    assert story["incident"]["outcome"] == "rejected"
    [decided] = [one for one in story["timeline"] if one["kind"] == "approval.decided"]
    assert decided["actor"] == "rita@local"
    assert decided["data"]["note"] == "the disk is replaced at noon"
    assert decided["data"]["via"] == f"slack:{TEAM}/U_RITA"
    until(lambda: [one for one in world.services.of("/v2/enqueue")
                   if one.get("payload", {}).get("source") == "chat-socket"])  # fmt: skip
    assert world.services.refused == []


def test_a_question_is_asked_in_slack_and_answered_from_the_record(world: World) -> None:
    host = world.centre.enrol("chat-ask", "staging")
    story = world.story(world.question(host))
    text = f"ask why did it not run alone {story['incident']['id']}?"
    world.services.push(
        {"type": "slash_commands", "envelope_id": "e2", "accepts_response_payload": True,
         "payload": {"team_id": TEAM, "user_id": "U_OLGA", "command": "/sentienguard",
                     "text": text}}
    )  # fmt: skip
    world.services.wait(
        lambda: any(one["envelope_id"] == "e2" for one in world.services.acknowledged)
    )
    [found] = [one for one in world.services.acknowledged if one["envelope_id"] == "e2"]
    assert "allows ASK at most" in found["payload"]["text"]
    chat_services.read_answer(found["payload"])
    runs = found["payload"]["blocks"][0]["elements"][0]["elements"]
    links = {one["text"]: one["url"] for one in runs if one["type"] == "link"}
    name = story["incident"]["id"]
    assert links.pop(name) == f"http://sg.test/incidents/{name}"
    assert links, "with its entries"
    for text, url in links.items():
        assert url == f"http://sg.test/audit/proof/{text.strip('[]')}"


def test_a_no_says_why_and_is_judged_again_when_it_does(world: World) -> None:
    host = world.centre.enrol("chat-no", "staging")
    message = world.question(host)
    assert world.press(message, 1, "U_RITA").status_code == 200
    view = world.form(message)
    assert world.story(message)["incident"]["status"] == "AWAITING_APPROVAL"
    blank = world.hand_in(view, "", "U_RITA")
    assert blank.json()["response_action"] == "errors"
    assert world.hand_in(view, "let me", "U_OLGA").status_code == 200
    world.whispered("olga@local may not answer")
    assert world.story(message)["incident"]["status"] == "AWAITING_APPROVAL"
    assert world.hand_in(view, "not today", "U_RITA").content == b""
    world.whispered("Denied: disk_cleanup_rotated_logs")
    assert closed(world, message)["approval"]["note"] == "not today"
    assert world.services.refused == []


def test_where_no_form_opens_one_is_led_to_the_page_that_asks_why(world: World) -> None:
    host = world.centre.enrol("chat-late", "staging")
    message = world.question(host)
    button = buttons(message)[1]
    late = {**chat_services.click("deny", button["value"], "U_RITA"), "trigger_id": "1.1.old"}
    body = chat_services.form(late)
    url = f"{world.centre.people}/api/v1/webhooks/slack"
    answer = httpx.post(url, content=body, headers=chat_services.signed(body))
    assert answer.status_code == 200
    story = world.story(message)
    world.whispered(
        f"The dashboard asks for it: http://sg.test/incidents/{story['incident']['id']}"
    )
    assert story["incident"]["status"] == "AWAITING_APPROVAL"


def test_what_was_not_delivered_before_a_crash_is_delivered_after_it(world: World) -> None:
    host = world.centre.enrol("chat-crash", "staging")
    world.services.refuse_next.extend([(503, {})] * 6)
    host.push(CALM)
    host.push(FULL)
    until(lambda: len(world.services.refuse_next) < 6)
    world.centre.kill()
    world.services.refuse_next.clear()
    world.centre.restart()
    world.admin = world.centre.login("admin@local")
    world.message(lambda one: buttons(one) and "chat-crash" in json.dumps(one))
    ids = [one["webhook-id"] for one in world.services.headers if "webhook-id" in one]
    listed = world.admin.get("/api/v1/notices").json()["items"]
    told = {"sent", "waiting", "folded"}  # folded: within a digest, as tests bring many at once
    assert {one["status"] for one in listed if one["channel"] == "ops"} <= told
    assert len(ids) >= len(set(ids))


def test_a_channel_is_tried_and_listed_by_administrators_alone(world: World) -> None:
    listed = world.admin.get("/api/v1/notices/channels").json()["items"]
    assert {one["name"] for one in listed} == {"ops", "oncall", "hook"}
    assert world.admin.post("/api/v1/notices/channels/hook/test").status_code == 204
    assert world.services.of("/webhook")[-1]["type"] == "incident.test"
    assert world.admin.post("/api/v1/notices/channels/none/test").status_code == 404
    rita = world.centre.login("rita@local")
    assert rita.post("/api/v1/notices/channels/hook/test").status_code == 403
    assert rita.get("/api/v1/chat-identities").status_code == 403
    link = {"service": "slack", "team": TEAM, "person": "U_RITA", "account": "admin@local"}
    assert rita.put("/api/v1/chat-identities", json=link).status_code == 403


def test_a_post_mortem_is_drafted_with_a_link_at_every_sentence(world: World) -> None:
    host = world.centre.enrol("chat-draft", "staging")
    message = world.question(host)
    world.press(message, 1, "U_RITA")
    world.hand_in(world.form(message), "not today", "U_RITA")
    story = closed(world, message)
    name = story["incident"]["id"]
    text = world.admin.get(f"/api/v1/incidents/{name}/postmortem").text
    claims = [line for line in text.splitlines() if line.startswith("- ")]
    assert len(claims) > 8
    for line in claims:
        assert "](http://sg.test/audit/proof/" in line, line
    asked = {"text": "what was tried?", "incident": name}
    answer = world.admin.post("/api/v1/ask", json=asked).json()
    assert answer["sentences"][0]["text"] == "Nothing was tried."
    lost = world.admin.post("/api/v1/ask", json={"text": "sing a song"}).json()
    assert not lost["understood"]
    assert len(lost["known"]) == 10
