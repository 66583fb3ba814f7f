"""The door of the webhook, as bare ASGI: who is let in, when is answered, what is held."""

import asyncio
import json
import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from sentienguard.controlplane import bodies, sender_access
from sentienguard.controlplane.alert_door import AlertDoor
from sentienguard.controlplane.alert_intake import Backlog
from sentienguard.controlplane.counters import Counters
from sentienguard.controlplane.group_commit import GroupCommit
from sentienguard.controlplane.refusals import Refusals
from sentienguard.controlplane.settings import Settings
from sentienguard.model import errors
from sentienguard.ports.alert_inbox import NewAlert
from sentienguard.ports.webhook_tokens import TokenUnknown, WebhookToken
from tests.support import sender_bodies, webhooks

NOW = datetime(2026, 2, 12, 11, 26, tzinfo=UTC)
BODY = json.dumps(webhooks.body(webhooks.alert(instance="web-1"))).encode()


class Tokens:
    """One good token, and how often it was asked for."""

    def __init__(self) -> None:
        self.asked = 0
        self.secrets: tuple[str, ...] = ()

    def by_secret(self, secret: str, purpose: str) -> WebhookToken:
        self.asked += 1
        if secret != "good":
            raise TokenUnknown("no")
        return WebhookToken(
            "tok_1", purpose, "drill", "admin@local", NOW, signing_secrets=self.secrets
        )


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
        self.denied: list[Any] = []
        centre: Any = SimpleNamespace(
            settings=Settings(**settings),
            clock=SimpleNamespace(now=lambda: NOW, monotonic=lambda: self.now),
            counters=Counters(),
            webhook_tokens=self.tokens,
            refusals=Refusals(),
            audit=SimpleNamespace(append=lambda **entry: self.denied.append(entry["data"])),
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

    async def ask(
        self,
        *chunks: bytes,
        token: str = "good",
        cut_off: bool = False,
        path: str = webhooks.PATH,
        **more: str,
    ) -> Any:
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
            "path": path,
            "query_string": b"",
            "headers": [
                (b"authorization", f"Bearer {token}".encode()),
                *((name.replace("_", "-").encode(), said.encode()) for name, said in more.items()),
            ],
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
    assert world.door._bodies.held == 0


def test_a_token_is_looked_up_again_after_a_while_and_after_a_revocation(world: World) -> None:
    async def run() -> None:
        for _ in range(3):
            await world.ask(BODY)
        assert world.tokens.asked == 1
        world.now += sender_access.TOKEN_KNOWN_S
        await world.ask(BODY)
        assert world.tokens.asked == 2
        world.door.forget_tokens()
        await world.ask(BODY)
        assert world.tokens.asked == 3

    asyncio.run(run())


def test_bodies_together_are_bounded_and_given_back(world: World, monkeypatch: Any) -> None:
    monkeypatch.setattr(bodies, "MAX_HELD_BYTES", 2 * len(BODY) - 1)

    async def run() -> None:
        world.door._bodies.held = len(BODY)  # another one is being read
        status, _, said = await world.ask(BODY)
        assert (status, said["type"]) == (503, "urn:sentienguard:problem:busy")
        assert world.door._bodies.held == len(BODY)
        world.door._bodies.held = 0
        assert (await world.ask(BODY[:50], BODY[50:]))[0] == 200
        assert world.door._bodies.held == 0

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


PAGERDUTY = "/api/v1/webhooks/pagerduty"
GRAFANA = "/api/v1/webhooks/grafana"
OLD, NEW = "the old secret", "the new secret"


@pytest.mark.parametrize(
    ("secrets", "signed_with", "status"),
    [
        ((), (NEW,), 401),
        ((NEW,), (), 401),
        ((NEW,), ("a guess",), 401),
        ((NEW,), (OLD, NEW), 200),
        ((OLD, NEW), (OLD,), 200),
        ((OLD,), (NEW,), 401),
    ],
)
def test_pagerduty_has_to_sign_with_a_registered_secret(
    world: World, secrets: tuple[str, ...], signed_with: tuple[str, ...], status: int
) -> None:
    world.tokens.secrets = secrets
    body = json.dumps(sender_bodies.pagerduty()).encode()
    made = ",".join(f"v1={sender_bodies.signed(body, secret)[1]}" for secret in signed_with)
    answer = asyncio.run(world.ask(body, path=PAGERDUTY, x_pagerduty_signature=made))
    assert answer[0] == status
    assert len(world.kept) == (status == 200)
    if status == 401:
        assert answer[2]["type"] == "urn:sentienguard:problem:not-signed"


def test_a_body_that_was_changed_after_it_was_signed_is_refused(world: World) -> None:
    world.tokens.secrets = (NEW,)
    body, made = sender_bodies.signed(sender_bodies.pagerduty(), NEW)
    forged = body.replace(b"PGR0VU2", b"PGR0VU3")
    assert (
        asyncio.run(world.ask(forged, path=PAGERDUTY, x_pagerduty_signature=f"v1={made}"))[0] == 401
    )


@pytest.mark.parametrize(
    ("secrets", "seconds_ago", "secret", "status"),
    [
        ((), None, None, 200),
        ((NEW,), None, None, 401),
        ((NEW,), None, NEW, 200),
        ((NEW,), 0, NEW, 200),
        ((NEW,), 299, NEW, 200),
        ((NEW,), 301, NEW, 401),
        ((NEW,), -301, NEW, 401),
        ((NEW,), 0, OLD, 401),
    ],
)
def test_grafana_has_to_sign_once_a_secret_is_registered(
    world: World, secrets: tuple[str, ...], seconds_ago: int | None, secret: str | None, status: int
) -> None:
    world.tokens.secrets = secrets
    at = "" if seconds_ago is None else str(int(NOW.timestamp()) - seconds_ago)
    body, made = sender_bodies.signed(sender_bodies.grafana(), secret or "", timestamp=at)
    more = {"x_grafana_alerting_signature": made} if secret else {}
    if at:
        more["x_grafana_alerting_timestamp"] = at
    assert asyncio.run(world.ask(body, path=GRAFANA, **more))[0] == status


@pytest.mark.parametrize("sender", ["datadog", "cloudevents", "grafana", "pagerduty"])
def test_a_token_is_for_one_webhook(world: World, sender: str) -> None:
    asked: list[str] = []
    world.tokens.by_secret = lambda _, purpose: asked.append(purpose) or _raise()  # type: ignore[method-assign]
    assert asyncio.run(world.ask(b"{}", path=f"/api/v1/webhooks/{sender}"))[0] == 401
    assert asked == [sender]


def _raise() -> Any:
    raise TokenUnknown("no")


def test_what_says_nothing_of_an_alert_is_thanked_for(world: World) -> None:
    world.tokens.secrets = (NEW,)
    body, made = sender_bodies.signed(sender_bodies.pagerduty_service(), NEW)
    answer = asyncio.run(world.ask(body, path=PAGERDUTY, x_pagerduty_signature=f"v1={made}"))
    assert (answer[0], answer[2]) == (200, {"taken": 0, "refused": 0})
    assert world.kept == []
