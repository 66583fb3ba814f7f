"""A model answers in Slack after its time: a real control plane, model server and Slack's rules."""

import json
import threading
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import yaml

from tests.servers import chat_services, language_model
from tests.servers.chat_services import COMMANDS, TEAM, Services
from tests.support import centre_process
from tests.support.centre_process import Centre

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]
FULL = {("system.cpu_percent", ""): 3.0, ("system.disk_usage_percent", "/"): 98.0}
ASK = "ask who touched the web server?"  # no template is for it
POINTS = language_model.Say(json.dumps({"sentences": [1]}))
LINKED = {"U_ADA": "admin@local", "U_OLGA": "olga@local"}


@dataclass
class World:
    """The control plane, the services it tells and the model it asks."""

    centre: Centre
    services: Services
    model: language_model.Server
    admin: httpx.Client

    def address(self, name: str) -> str:
        """Return a `response_url` as Slack would name one."""
        return f"{self.services.address}{COMMANDS}/{TEAM}/1/{name}"

    def by_http(self, text: str, where: str, person: str = "U_ADA") -> dict[str, Any]:
        """Type a command; return what is said at once."""
        body = urllib.parse.urlencode(chat_services.command(text, where, person)).encode()
        answer = httpx.post(
            f"{self.centre.people}/api/v1/webhooks/slack",
            content=body,
            headers=chat_services.signed(body),
        )
        assert answer.status_code == 200, answer.text
        chat_services.read_answer(answer.json())
        return dict(answer.json())

    def by_socket(self, text: str, where: str, name: str) -> dict[str, Any]:
        """Type a command over the socket; return what acknowledges it."""
        self.services.push(
            {"type": "slash_commands", "envelope_id": name, "accepts_response_payload": True,
             "payload": chat_services.command(text, where, "U_ADA")}
        )  # fmt: skip

        def found() -> list[dict[str, Any]]:
            return [one for one in self.services.acknowledged if one["envelope_id"] == name]

        self.services.wait(found)
        return dict(found()[0]["payload"])

    def answered(self, name: str) -> str:
        """Return what was said at a `response_url`, once it is."""
        path = f"{COMMANDS}/{TEAM}/1/{name}"
        self.services.wait(lambda: self.services.of(path))
        [body] = self.services.of(path)
        return str(body["text"])

    def pointed(self) -> list[dict[str, Any]]:
        """Return what the log says of questions that reached the model."""
        listed = self.admin.get("/api/v1/audit/entries", params={"kind": "answer.pointed"})
        return [one for one in listed.json()["items"] if one["kind"] == "answer.pointed"]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    data = tmp_path_factory.mktemp("asking")
    key = tmp_path_factory.mktemp("key") / "key"
    key.write_text(language_model.KEY)
    with (
        chat_services.running() as services,
        language_model.running() as model,
        centre_process.prepared(
            data, adviser="compatible", adviser_url=model.url, adviser_model="small-one",
            adviser_key_file=str(key), adviser_streams='"no"', adviser_may="shown",
            public_url="http://sg.test",
        ) as start,
    ):  # fmt: skip
        _configure(data / "controlplane", services)
        with start() as running:
            made = World(running, services, model, running.login("admin@local"))
            _people(made.admin)
            running.enrol("web-1", "drill").push(FULL)
            _incident(made)
            yield made


def _configure(directory: Any, services: Services) -> None:
    at = services.address
    secrets = {
        "bot": chat_services.BOT, "app": chat_services.APP, "signing": chat_services.SIGNING,
    }  # fmt: skip
    for name, content in secrets.items():
        (directory / name).write_text(content)
    slack = {
        "kind": "slack", "api": f"{at}/api", "team": TEAM, "channel": "C0001", "private": True,
        "token_file": "bot", "app_token_file": "app", "signing_secret_file": "signing",
        "sockets": at.replace("http:", "ws:"), "hooks": f"{at}{COMMANDS}",
    }  # fmt: skip
    document = {"channels": {"ops": slack}, "routes": [{"to": ["ops"]}]}
    (directory / "notices.yaml").write_text(yaml.safe_dump(document))


def _people(admin: httpx.Client) -> None:
    olga = {"name": "olga@local", "password": centre_process.PASSWORD,
            "roles": {"production": "observer"}}  # fmt: skip
    assert admin.post("/api/v1/users", json=olga).status_code == 201
    for person, account in LINKED.items():
        link = {"service": "slack", "team": TEAM, "person": person, "account": account}
        assert admin.put("/api/v1/chat-identities", json=link).status_code == 200


def _incident(world: World) -> None:
    """Wait until there is something to ask about, and let the model be done with its advice."""

    def told() -> bool:
        items = world.admin.get("/api/v1/incidents").json()["items"]
        stories = [world.admin.get(f"/api/v1/incidents/{one['id']}").json() for one in items]
        return any(one["advice"] for one in stories)

    pause = threading.Event()
    for _ in range(600):
        if told():
            return
        pause.wait(0.1)
    raise AssertionError("no incident within a minute")


def _holds(go_on: threading.Event) -> language_model.Act:
    """Return a model that answers when it may."""

    def act(handler: language_model.Handler, wanted: dict[str, Any]) -> None:
        assert go_on.wait(30)
        handler.say(POINTS, wanted)

    return act


@pytest.mark.parametrize("way", ["http", "socket"])
def test_the_wait_is_said_at_once_and_the_answer_follows_from_the_record(
    world: World, way: str
) -> None:
    go_on, before = threading.Event(), len(world.pointed())
    world.model.plan = [_holds(go_on)]
    where = world.address(way)
    said = world.by_http(ASK, where) if way == "http" else world.by_socket(ASK, where, "ask-1")
    assert "Looking at the record" in said["text"]
    assert world.services.of(f"{COMMANDS}/{TEAM}/1/{way}") == [], "the model has not answered yet"
    go_on.set()
    answer = world.answered(way)
    assert answer.startswith("You asked: who touched the web server?")
    entries = world.pointed()
    assert "Chosen by small-one@" in answer, entries[0]["data"]
    assert len(entries) == before + 1
    assert entries[0]["actor"] == "admin@local"
    assert entries[0]["data"]["given"]
    assert world.services.refused == []


def test_a_model_that_fails_leaves_the_answer_without_one(world: World) -> None:
    world.model.plan = [language_model.Say("rm -rf / <!channel>")]
    world.by_http(ASK, world.address("fails"))
    answer = world.answered("fails")
    assert "I do not understand this question." in answer
    assert "what was tried INCIDENT?" in answer
    assert "rm -rf" not in answer


@pytest.mark.parametrize("path", ["/webhook", "/api/chat.postMessage", "/commands/../webhook"])
def test_an_address_that_is_not_slack_s_is_never_asked(world: World, path: str) -> None:
    world.model.plan = [POINTS]
    seen, asked = len(world.model.seen), len(world.services.of(path))
    said = world.by_http(ASK, f"{world.services.address}{path}")
    assert said["text"].startswith("I do not understand this question.")
    assert (len(world.model.seen), len(world.services.of(path))) == (seen, asked)


def test_who_sees_no_incident_reaches_no_model(world: World) -> None:
    seen = len(world.model.seen)
    said = world.by_http(ASK, world.address("olga"), "U_OLGA")
    assert said["text"].startswith("I do not understand this question.")
    assert len(world.model.seen) == seen


def test_what_a_crash_cut_off_is_answered_after_it(world: World) -> None:
    go_on = threading.Event()
    world.model.plan = [_holds(go_on), POINTS]
    seen = len(world.model.seen)
    assert "Looking" in world.by_http(ASK, world.address("crash"))["text"]
    pause = threading.Event()
    while len(world.model.seen) == seen:
        pause.wait(0.02)
    world.centre.kill()
    go_on.set()
    assert world.services.of(f"{COMMANDS}/{TEAM}/1/crash") == []
    world.centre.restart()
    assert "Chosen by small-one@" in world.answered("crash")
    assert list((world.centre.data / "controlplane/late-answers").iterdir()) == []
