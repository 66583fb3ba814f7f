"""The door of the webhook, as bare ASGI: who is let in, when is answered, what is held."""

import asyncio
import json
import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from sentienguard.controlplane import alert_door
from sentienguard.controlplane.alert_door import AlertDoor
from sentienguard.controlplane.alert_intake import Backlog
from sentienguard.controlplane.counters import Counters
from sentienguard.controlplane.group_commit import GroupCommit
from sentienguard.controlplane.settings import Settings
from sentienguard.model import errors
from sentienguard.ports.alert_inbox import NewAlert
from sentienguard.ports.webhook_tokens import TokenUnknown, WebhookToken
from tests.support import webhooks

NOW = datetime(2026, 2, 12, 11, 26, tzinfo=UTC)
BODY = json.dumps(webhooks.body(webhooks.alert(instance="web-1"))).encode()


class Tokens:
    """One good token, and how often it was asked for."""

    def __init__(self) -> None:
        self.asked = 0

    def by_secret(self, secret: str, purpose: str) -> WebhookToken:
        self.asked += 1
        if (secret, purpose) != ("good", "alertmanager"):
            raise TokenUnknown("no")
        return WebhookToken("tok_1", purpose, "drill", "admin@local", NOW)


class World:
    """A door, a gate before every commit, and what was committed."""

    def __init__(self, **settings: Any) -> None:
        self.kept: list[NewAlert] = []
        self.gate = threading.Event()
        self.gate.set()
        self.trouble: Exception | None = None
        self.now = 0.0
        self.tokens = Tokens()
        self.backlog = Backlog()
        centre: Any = SimpleNamespace(
            settings=Settings(**settings),
            clock=SimpleNamespace(now=lambda: NOW, monotonic=lambda: self.now),
            counters=Counters(),
            webhook_tokens=self.tokens,
        )
        self.keeper = GroupCommit(self._put, most=1000)
        self.keeper.start()
        self.door = AlertDoor(centre, self.keeper, self.backlog)
        self.read = 0

    def _put(self, alerts: Sequence[NewAlert]) -> None:
        assert self.gate.wait(10)
        if self.trouble:
            raise self.trouble
        self.kept += alerts

    async def ask(self, *chunks: bytes, token: str = "good", cut_off: bool = False) -> Any:
        """Send one request; return what was answered: status, headers, JSON."""
        parts = list(chunks)
        sent: list[Any] = []

        async def receive() -> Any:
            self.read += 1
            if not parts and cut_off:
                return {"type": "http.disconnect"}
            body = parts.pop(0) if parts else b""
            return {"type": "http.request", "body": body, "more_body": bool(parts) or cut_off}

        async def send(message: Any) -> None:
            sent.append(message)

        async def behind(*_: Any) -> None:
            raise AssertionError("not for the application")

        scope = {
            "type": "http",
            "method": "POST",
            "path": webhooks.PATH,
            "query_string": b"",
            "headers": [(b"authorization", f"Bearer {token}".encode())],
        }
        await self.door.before(behind)(scope, receive, send)
        headers = dict(sent[0]["headers"])
        return sent[0]["status"], headers, json.loads(sent[1]["body"])


@pytest.fixture
def world() -> Any:
    made = World()
    yield made
    made.gate.set()
    made.keeper.stop()


def test_no_answer_comes_before_the_commit(world: World) -> None:
    async def run() -> None:
        world.gate.clear()
        asked = asyncio.create_task(world.ask(BODY))
        await asyncio.sleep(0.1)
        assert not asked.done()
        world.gate.set()
        status, _, said = await asked
        assert (status, said) == (200, {"taken": 1, "refused": 0})
        assert [one.environment for one in world.kept] == ["drill"]

    asyncio.run(run())


@pytest.mark.parametrize("kind", [errors.Unavailable, errors.Broken])
def test_what_could_not_be_kept_is_to_be_sent_again(world: World, kind: type[Exception]) -> None:
    world.trouble = kind("the disk is full")
    status, headers, said = asyncio.run(world.ask(BODY))
    assert status == 503
    assert headers[b"retry-after"]
    assert "disk" not in said["detail"], "what the store said is for our own log"


def test_without_a_token_no_byte_is_read(world: World) -> None:
    status, headers, _ = asyncio.run(world.ask(BODY, token="bad"))
    assert status == 401
    assert headers[b"www-authenticate"] == b"Bearer"
    assert world.read == 0
    assert world.kept == []


def test_half_a_body_is_nothing(world: World) -> None:
    status, _, _ = asyncio.run(world.ask(BODY[:100], cut_off=True))
    assert status == 400
    assert world.kept == []
    assert world.door._held == 0


def test_a_token_is_looked_up_again_after_a_while_and_after_a_revocation(world: World) -> None:
    async def run() -> None:
        for _ in range(3):
            await world.ask(BODY)
        assert world.tokens.asked == 1
        world.now += alert_door.TOKEN_KNOWN_S
        await world.ask(BODY)
        assert world.tokens.asked == 2
        world.door.forget_tokens()
        await world.ask(BODY)
        assert world.tokens.asked == 3

    asyncio.run(run())


def test_bodies_together_are_bounded_and_given_back(world: World, monkeypatch: Any) -> None:
    monkeypatch.setattr(alert_door, "MAX_HELD_BYTES", 2 * len(BODY) - 1)

    async def run() -> None:
        world.door._held = len(BODY)  # another one is being read
        status, _, said = await world.ask(BODY)
        assert (status, said["type"]) == (503, "urn:sentienguard:problem:busy")
        assert world.door._held == len(BODY)
        world.door._held = 0
        assert (await world.ask(BODY[:50], BODY[50:]))[0] == 200
        assert world.door._held == 0

    asyncio.run(run())


def test_a_long_backlog_asks_senders_to_wait(world: World) -> None:
    world.backlog.set(Settings().alert_backlog + 1)
    assert asyncio.run(world.ask(BODY))[0] == 503
    world.backlog.add(-1)
    assert asyncio.run(world.ask(BODY))[0] == 200


def test_the_rate_of_a_token_is_bounded_and_comes_back() -> None:
    world = World(alerts_per_second=2)
    try:
        answers = [asyncio.run(world.ask(BODY))[0] for _ in range(4)]
        assert answers == [200, 200, 503, 503]
        world.now += 0.5
        assert asyncio.run(world.ask(BODY))[0] == 200
    finally:
        world.keeper.stop()
