"""Pushes of Azure and Google at the door: who is let in, and what is durable before the answer."""

import asyncio
import base64
import hmac
import json
import threading
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from joserfc import jws, jwt
from joserfc.jwk import RSAKey

from sentienguard.controlplane import push_senders
from sentienguard.controlplane.alert_door import MAX_BODY_BYTES, AlertDoor
from sentienguard.controlplane.alert_intake import Backlog
from sentienguard.controlplane.counters import Counters
from sentienguard.controlplane.group_commit import GroupCommit
from sentienguard.controlplane.refusals import Refusals
from sentienguard.controlplane.settings import Settings, SettingWrong
from sentienguard.ports.outbound import Answer, NoAnswer
from sentienguard.ports.webhook_tokens import TokenUnknown, WebhookToken
from tests.support import cloud_bodies

NOW = cloud_bodies.SAID
AUDIENCE = "https://guard.example.org/pubsub"
ACCOUNT = "pusher@shop.iam.gserviceaccount.com"
PUBSUB, GRID = "/api/v1/webhooks/pubsub", "/api/v1/webhooks/eventgrid"
PUSHED = cloud_bodies.push(cloud_bodies.incident())
SHOWN = json.dumps(
    [cloud_bodies.event(cloud_bodies.HEALTH, cloud_bodies.health("Unavailable"))]
).encode()


def made(name: str) -> RSAKey:
    return RSAKey.generate_key(2048, parameters={"kid": name, "use": "sig"})


KEY, OTHER = made("one"), made("two")


def token(key: Any = KEY, alg: str = "RS256", **changes: Any) -> str:
    """Return Google's token of one push; changes are of its claims, None leaves one out."""
    at = int(NOW.timestamp())
    claims = {
        "aud": AUDIENCE, "azp": "113774264463038321964", "email": ACCOUNT, "sub": "1137742",
        "email_verified": True, "exp": at + 3600, "iat": at, "iss": "https://accounts.google.com",
        **changes,
    }  # fmt: skip
    said = {name: value for name, value in claims.items() if value is not None}
    registry = jws.JWSRegistry(algorithms=[alg])
    return jwt.encode({"alg": alg, "kid": key.kid}, said, key, registry=registry)


def confused() -> str:
    """Return a token whose secret is Google's public key, which everybody has."""

    def part(said: Any) -> bytes:
        return base64.urlsafe_b64encode(json.dumps(said).encode()).rstrip(b"=")

    claims = json.loads(base64.urlsafe_b64decode(token().split(".")[1] + "=="))
    signed = part({"alg": "HS256", "kid": "one"}) + b"." + part(claims)
    proof = hmac.digest(KEY.as_pem(private=False), signed, "sha256")
    return (signed + b"." + base64.urlsafe_b64encode(proof).rstrip(b"=")).decode()


class World:
    """A door, a gate before every commit, keys that Google publishes, and what was committed."""

    def __init__(self, **settings: Any) -> None:
        self.kept: list[Any] = []
        self.gate = threading.Event()
        self.gate.set()
        self.now, self.at = 0.0, NOW
        self.published: Any = {"keys": [KEY.as_dict(private=False)]}
        self.fetched = 0
        self.read = 0
        self.counters = Counters()
        named = {"pubsub_senders": f"{ACCOUNT}=drill", "pubsub_audience": AUDIENCE, **settings}
        self.denied: list[Any] = []
        centre: Any = SimpleNamespace(
            settings=Settings(**named),
            clock=SimpleNamespace(now=lambda: self.at, monotonic=lambda: self.now),
            counters=self.counters,
            webhook_tokens=SimpleNamespace(by_secret=self._by_secret),
            refusals=Refusals(),
            audit=SimpleNamespace(append=lambda **entry: self.denied.append(entry["data"])),
        )
        self.keeper = GroupCommit(self._put, most=1000)
        self.keeper.start()
        way: Any = SimpleNamespace(send=self._send)
        keys = push_senders.Keys("https://keys.example", way)
        self.door = AlertDoor(centre, self.keeper, Backlog(), keys)

    def _by_secret(self, secret: str, purpose: str) -> WebhookToken:
        if (secret, purpose) != ("good", "eventgrid"):
            raise TokenUnknown("no")
        return WebhookToken("tok_1", purpose, "drill", "admin@local", NOW)

    def _send(self, _request: Any) -> Answer:
        self.fetched += 1
        if self.published is None:
            raise NoAnswer("nobody there")
        return Answer(200, {}, json.dumps(self.published).encode())

    def _put(self, alerts: Any) -> None:
        assert self.gate.wait(10)
        self.kept += alerts

    async def ask(
        self, body: bytes, path: str = PUBSUB, shown: str | None = None, method: str = "POST",
        **more: str,
    ) -> Any:  # fmt: skip
        sent: list[Any] = []
        headers = {"content-type": "application/json", **more}
        if shown is not None:
            headers["authorization"] = f"Bearer {shown}"

        async def receive() -> Any:
            self.read += 1
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        async def behind(*_: Any) -> None:
            raise AssertionError("not for the application")

        told = [
            (name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()
        ]
        scope = {"type": "http", "method": method, "path": path, "query_string": b"",
                 "headers": told}  # fmt: skip
        await self.door.before(behind)(scope, receive, send)
        return sent[0]["status"], dict(sent[0]["headers"]), sent[1]["body"]

    def status(self, body: bytes = PUSHED, **more: Any) -> int:
        return asyncio.run(self.ask(body, **more))[0]


@pytest.fixture
def world():
    found = World()
    yield found
    found.gate.set()
    found.keeper.stop()


@pytest.mark.parametrize(
    ("path", "shown", "body"), [(PUBSUB, token(), PUSHED), (GRID, "good", SHOWN)]
)
def test_no_answer_comes_before_the_commit(world, path, shown, body):
    async def run() -> None:
        world.gate.clear()
        asked = asyncio.create_task(world.ask(body, path=path, shown=shown))
        await asyncio.sleep(0.1)
        assert not asked.done()
        world.gate.set()
        status, _, said = await asked
        assert (status, json.loads(said)) == (200, {"taken": 1, "refused": 0})
        assert [one.environment for one in world.kept] == ["drill"]

    asyncio.run(run())


YEAR_S = 366 * 24 * 3600


@pytest.mark.parametrize(
    "shown",
    [
        None,
        "",
        "good",
        token(OTHER),
        token(aud="https://other.example"),
        token(aud=[AUDIENCE]),
        token(aud=None),
        token(iss="https://evil.example"),
        token(iss=None),
        token(email="somebody@shop.example"),
        token(email_verified=False),
        token(email_verified=None),
        token(email=None),
        token(exp=int(NOW.timestamp()) - 61),
        token(exp=None),
        token(iat=int(NOW.timestamp()) + YEAR_S, exp=int(NOW.timestamp()) + YEAR_S + 60),
        token(iat=int(NOW.timestamp()) - YEAR_S, exp=int(NOW.timestamp()) - YEAR_S + 3600),
        confused(),
        token(KEY, "RS512"),
        token()[:-8],
        token() + "x" * 40_000,
        ".".join([*token().split(".")[:2], ""]),
    ],
)
def test_who_shows_no_token_of_google_for_us_is_refused_before_a_byte_is_read(world, shown):
    assert world.status(shown=shown) == 401
    assert (world.read, world.kept) == (0, [])
    assert world.counters.get("access_denied_total", "webhook_token") == 1
    assert [one["action"] for one in world.denied] == ["webhook_token"]


def test_a_key_that_google_changed_is_fetched_and_nobody_can_make_us_ask_often(world):
    assert world.status(shown=token()) == 200
    assert world.fetched == 1
    for number in range(20):
        assert world.status(shown=token(OTHER, sub=str(number))) == 401
    assert world.fetched == 1
    world.published = {"keys": [OTHER.as_dict(private=False)]}
    world.now += push_senders.AGAIN_S
    assert world.status(shown=token(OTHER)) == 200
    assert world.fetched == 2


@pytest.mark.parametrize("published", [None, [], {"keys": 1}, {"other": []}])
def test_without_keys_the_push_is_to_be_sent_again(world, published):
    world.published = published
    assert world.status(shown=token()) == 503
    assert world.kept == []


def test_keys_that_are_known_outlive_an_outage_for_a_day(world):
    assert world.status(shown=token()) == 200
    world.published = None
    world.now += push_senders.KEPT_S + 1
    assert world.status(shown=token()) == 200
    world.now += push_senders.STALE_S
    assert world.status(shown=token()) == 503


def test_a_token_that_was_believed_is_not_believed_after_its_end(world):
    assert world.status(shown=token()) == 200
    world.now += push_senders.KNOWN_S
    world.at = NOW + timedelta(hours=2)
    assert world.status(shown=token()) == 401


def test_what_is_sent_again_is_the_same_alert(world):
    for _ in range(2):
        assert world.status(shown=token()) == 200
    first, second = world.kept
    assert (first.fingerprint, first.starts_at, first.status) == (
        second.fingerprint, second.starts_at, second.status)  # fmt: skip


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        ((PUBSUB, token(), PUSHED[:-9], {}), 400),
        ((PUBSUB, token(), PUSHED, {"content_type": "text/plain"}), 400),
        ((PUBSUB, token(), b"x" * (MAX_BODY_BYTES + 1), {}), 413),
        ((PUBSUB, token(), PUSHED, {"content_encoding": "gzip"}), 415),
        ((PUBSUB, token(), PUSHED, {"method": "PUT"}), 405),
        ((PUBSUB, token(), PUSHED, {"method": "OPTIONS"}), 405),
        ((GRID, "good", SHOWN[:-9], {}), 400),
        ((GRID, "good", SHOWN, {"content_type": "text/plain"}), 400),
        ((GRID, "good", b"[" + b" " * MAX_BODY_BYTES + b"]", {}), 413),
        ((GRID, "bad", SHOWN, {}), 401),
        ((GRID, token(), SHOWN, {}), 401),
        ((GRID, "good", b"[]", {"aeg_event_type": "SubscriptionValidation"}), 400),
    ],
)
def test_bad_input_is_told_so_and_kept_nowhere(world, request_, status):
    path, shown, body, more = request_
    assert world.status(body, path=path, shown=shown, **more) == status
    assert world.kept == []
    assert any("webhook_requests_total{" in line and not line.startswith("#")
               for line in world.counters.exposition().splitlines())  # fmt: skip


def test_the_handshake_of_event_grid_s_schema_needs_the_token_too(world):
    body = cloud_bodies.validation()
    kind = {"aeg_event_type": "SubscriptionValidation"}
    assert world.status(body, path=GRID, **kind) == 401
    status, _, said = asyncio.run(world.ask(body, path=GRID, shown="good", **kind))
    assert (status, json.loads(said)) == (
        200, {"validationResponse": "512d38b6-c7b8-40c8-89fe-f46f9e9622b6"})  # fmt: skip
    assert world.kept == []


@pytest.mark.parametrize(
    ("origin", "is_let"), [("eventgrid.azure.net", True), ("evil.example", False)]
)
def test_the_handshake_of_cloudevents_lets_event_grid_begin_and_reads_nothing(
    world, origin, is_let
):
    status, headers, said = asyncio.run(
        world.ask(b"x", path=GRID, method="OPTIONS", webhook_request_origin=origin,
                  webhook_request_rate="120")
    )  # fmt: skip
    assert (status, said, world.read) == (200, b"", 0)
    assert (headers.get(b"webhook-allowed-origin") == origin.encode()) is is_let
    assert (b"webhook-allowed-rate" in headers) is is_let
    assert world.status(SHOWN, path=GRID) == 401, "a handshake is no token"


@pytest.mark.parametrize(
    "settings",
    [
        {"pubsub_senders": "nobody"},
        {"pubsub_senders": "a@b"},
        {"pubsub_senders": "ab=drill"},
        {"pubsub_senders": f"{ACCOUNT}=drill", "pubsub_audience": ""},
    ],
)
def test_a_setting_that_says_nothing_is_told_so(settings):
    with pytest.raises(SettingWrong, match="pubsub_"):
        push_senders.accounts(Settings(**settings))


def test_without_senders_nobody_is_let_in_and_nobody_is_asked():
    world = World(pubsub_senders="", pubsub_audience="")
    try:
        assert world.status(shown=token()) == 401
        assert world.fetched == 0
    finally:
        world.keeper.stop()


def test_while_google_does_not_answer_nobody_waits_for_who_asks_it() -> None:
    asked, opened = threading.Event(), threading.Event()

    def send(_request: Any) -> Answer:
        asked.set()
        assert opened.wait(20)
        return Answer(200, {}, json.dumps({"keys": []}).encode())

    way: Any = SimpleNamespace(send=send)
    keys = push_senders.Keys("https://keys.example", way)
    first = threading.Thread(target=keys.get, args=(0.0,), daemon=True)
    first.start()
    assert asked.wait(20)
    told: list[str] = []

    def ask() -> None:
        try:
            keys.get(1.0)
        except push_senders.KeysAway as cause:
            told.append(str(cause))

    second = threading.Thread(target=ask, daemon=True)
    second.start()
    second.join(2)
    waits = second.is_alive()
    opened.set()
    first.join(20)
    assert (waits, told) == (False, ["https://keys.example: no keys are to be had now"])
    assert keys.get(2.0) == {"keys": []}
