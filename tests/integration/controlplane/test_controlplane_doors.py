"""Whoever is refused at a door for machines is counted and recorded, and floods nothing."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

import httpx
import pytest

from sentienguard.controlplane import refusals
from sentienguard.controlplane.api import agents
from sentienguard.controlplane.centre import Centre
from sentienguard.model import errors
from sentienguard.model.ids import AgentId
from sentienguard.ports.webhook_tokens import WebhookToken
from sentienguard.trust import certificates
from tests.support import api_world, execution

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]
AWAY = "198.51.100.7"
SIGNED = WebhookToken("tok_signs", "pagerduty", "staging", "x", datetime.now(UTC), None, ("s",))
AGENT = "11111111-2222-4333-8444-555555555555"


class Doors:
    """A centre with both of its applications, and whoever knocks."""

    def __init__(self, centre: Centre, people: httpx.Client) -> None:
        self.centre, self.people = centre, people
        self.application: Any = agents.application(centre, None, None)  # type: ignore[arg-type]
        centre.webhook_tokens.add(SIGNED, "signs")

    def as_host(
        self, method: str, path: str, body: bytes = b"", der: bytes | None = None,
        address: str = AWAY,
    ) -> httpx.Response:  # fmt: skip
        """Ask the agents' application as a client that showed this certificate."""

        async def shown(scope: Any, receive: Any, send: Any) -> None:
            scope["state"] = {"peer_certificate": der}
            await self.application(scope, receive, send)

        async def ask() -> httpx.Response:
            way = httpx.ASGITransport(shown, client=(address, 1))
            async with httpx.AsyncClient(transport=way, base_url="https://centre") as client:
                return await client.request(method, path, content=body)

        return asyncio.run(ask())

    def certificate(self, *, ended: bool) -> bytes:
        """Return one of our own certificates, of a host that is not enrolled."""
        now, lasts = datetime.now(UTC), timedelta(hours=24)
        at = now - timedelta(days=3) if ended else now
        csr = certificates.make_request("web-1").csr_pem
        made = self.centre.trust.sign_agent(csr, AgentId(AGENT), at, lasts)
        return certificates.to_der(made)

    def denied(self, label: str) -> list[dict[str, Any]]:
        found = self.centre.log.entries(0, self.centre.log.size())
        ours = (one.fields for one in found if one.fields["kind"] == "access.denied")
        return [one for one in ours if one["data"]["action"] == label]

    def counted(self, label: str) -> int:
        return self.centre.counters.get("access_denied_total", label)


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    with (
        api_world.centre(tmp_path_factory.mktemp("doors")) as centre,
        api_world.client(centre) as people,
    ):
        yield Doors(centre, people)


@pytest.fixture(autouse=True)
def forgotten(doors: Doors) -> None:
    object.__setattr__(doors.centre, "refusals", refusals.Refusals())


def enrolment() -> bytes:
    wanted = {"token": "no", "host": "web\n9", "environment": "staging",
              "csr_pem": certificates.make_request("web-9").csr_pem.decode(),
              "executor_key": execution.key(7).public.text}  # fmt: skip
    return json.dumps(wanted).encode()


def by_webhook(secret: str, path: str) -> Any:
    def ask(doors: Doors) -> httpx.Response:
        headers = {"authorization": f"Bearer {secret}"}
        return doors.people.post(path, json={}, headers=headers)

    return ask


def by_people(path: str, **how: Any) -> Any:
    return lambda doors: doors.people.request("POST", path, **how)


def by_host(method: str, path: str, body: bytes = b"", ended: bool | None = None) -> Any:
    def ask(doors: Doors) -> httpx.Response:
        der = None if ended is None else doors.certificate(ended=ended)
        return doors.as_host(method, path, body, der)

    return ask


def chunks() -> Iterator[bytes]:
    for _ in range(40):
        yield b"x" * 65536


EVERY_DOOR: dict[str, tuple[Any, int, str, str, str]] = {
    # what is tried: how, status, label, who it proved to be, environment
    "a webhook without a token": (
        by_people("/api/v1/webhooks/alertmanager", json={}), 401, "webhook_token", "", "",
    ),
    "a webhook with a token that nobody made": (
        by_webhook("guess", "/api/v1/webhooks/alertmanager"), 401, "webhook_token", "", "",
    ),
    "telemetry with a token that nobody made": (
        by_webhook("guess", "/api/v1/write"), 401, "webhook_token", "", "",
    ),
    "a body that its sender did not sign": (
        by_webhook("signs", "/api/v1/webhooks/pagerduty"),
        401, "webhook_signature", SIGNED.id, SIGNED.environment,
    ),
    "a read token that nobody made": (
        lambda doors: doors.people.get(
            "/api/v1/incidents", headers={"authorization": "Bearer sgr_0123456789"}
        ),
        401, "read_token", "", "",
    ),
    "a body that says it is too large": (
        by_people("/api/v1/auth/login", content=b"x" * (2 << 20)), 413, "too_large", "", "",
    ),
    "a host without a certificate": (
        by_host("GET", "/api/v1/config"), 401, "no_certificate", "", "",
    ),
    "a host whose certificate ended": (
        by_host("GET", "/api/v1/config", ended=True), 401, "certificate_ended", AGENT, "",
    ),
    "a host that is not enrolled": (
        by_host("GET", "/api/v1/config", ended=False), 403, "unknown_agent", AGENT, "",
    ),
    "a host with a join token that nobody made": (
        by_host("POST", "/api/v1/enroll", enrolment()), 403, "join_token", "", "staging",
    ),
    "a renewal for nobody": (
        by_host("POST", "/api/v1/certificate", b'{"certificate_pem":"x"}'),
        403, "renewal", "", "",
    ),
    "a body of a host that is none": (
        by_host("POST", "/api/v1/orders", b"{"), 400, "malformed", "", "",
    ),
    "a body of a host that is too large": (
        by_host("POST", "/api/v1/certificate", b"x" * 20_000), 413, "too_large", "", "",
    ),
}  # fmt: skip


@pytest.mark.parametrize("tried", EVERY_DOOR)
def test_a_refusal_at_a_door_is_counted_and_recorded_with_who_and_where(
    doors: Doors, tried: str
) -> None:
    ask, status, label, actor, environment = EVERY_DOOR[tried]
    counted, before = doors.counted(label), len(doors.denied(label))
    for _ in range(5):  # a machine tries again for ever: one entry
        answer = ask(doors)
        assert answer.status_code == status, answer.text
    assert doors.counted(label) == counted + 5
    [entry] = doors.denied(label)[before:]
    assert (entry["actor"], entry["env"]) == (actor, environment)
    assert entry["data"]["ip_address"] in {AWAY, "127.0.0.1"}
    assert entry["data"]["result"] == f"denied_{answer.json()['type'].rpartition(':')[2]}"


def test_a_body_that_grows_too_large_is_heard_too(doors: Doors) -> None:
    before = doors.counted("too_large")
    answer = doors.people.post("/api/v1/auth/login", content=chunks())
    assert answer.status_code in {400, 413, 422}
    assert doors.counted("too_large") > before
    assert len(doors.denied("too_large")) >= 1


def test_a_flood_from_everywhere_is_ten_entries_a_minute_and_says_what_it_left_out(
    doors: Doors,
) -> None:
    size, counted = doors.centre.log.size(), doors.counted("no_certificate")
    for number in range(300):
        address = f"10.{number // 200}.{number % 200}.1"
        answer = doors.as_host("GET", "/api/v1/config", address=address)
        assert answer.status_code == 401
    assert doors.counted("no_certificate") == counted + 300
    assert doors.centre.log.size() - size <= 2 * refusals.MOST_AT_A_DOOR


def test_an_ended_session_of_a_dashboard_is_counted_and_fills_no_log(doors: Doors) -> None:
    size, counted = doors.centre.log.size(), doors.counted("unauthenticated")
    for _ in range(3):
        headers = {"authorization": "Bearer 0123456789abcdef"}
        assert doors.people.get("/api/v1/incidents", headers=headers).status_code == 401
    assert (doors.centre.log.size(), doors.counted("unauthenticated")) == (size, counted + 3)


def test_a_machine_is_refused_though_the_log_takes_nothing(
    doors: Doors, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Away:
        def append(self, **_: Any) -> None:
            raise errors.Unavailable("the disk is full")

    broken = replace(doors.centre, audit=Away())  # type: ignore[arg-type]
    refusal = refusals.DoorRefusal(HTTPStatus.UNAUTHORIZED, "x", "y", label="no_certificate")
    asyncio.run(refusals.heard(broken, refusal, {"client": (AWAY, 1)}))
