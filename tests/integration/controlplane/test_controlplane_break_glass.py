"""Break-glass: two people, one right, one place, minutes; and everybody hears of it."""

import base64
import secrets
import socket
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from sentienguard.adapters.local_host.clock import LocalClock
from sentienguard.controlplane import app, app_notices, break_glass, evaluation, listeners
from sentienguard.controlplane import settings as settings_module
from sentienguard.controlplane.api import people
from sentienguard.controlplane.centre import Centre
from sentienguard.controlplane.notice_desk import NoticeDesk
from sentienguard.model.access import Role
from sentienguard.model.emergency import LONGEST, PURPOSES, TO_AGREE
from sentienguard.ports.factor_store import Factor, Way
from sentienguard.ports.session_store import Issued, Login, ReadToken
from tests.servers import chat_services
from tests.servers.chat_services import Services
from tests.support import accounts, centre_process

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]
PLACE, ELSEWHERE = "production", "staging"
REASON = "the pager burns and nobody else is awake"
PEOPLE = {
    "ada": {"staging": Role.ADMINISTRATOR},  # who asks: nobody in production
    "bob": {"production": Role.ADMINISTRATOR},
    "cyd": {"*": Role.ADMINISTRATOR},
    "rio": {"production": Role.REMEDIATION_AUTHORITY},
    "oli": {"*": Role.OBSERVER},
}


class Shifted(LocalClock):
    """The time of day, moved by a test."""

    ahead = timedelta(0)

    def now(self) -> datetime:
        return super().now() + self.ahead


@dataclass
class World:
    centre: Centre
    address: str
    desk: NoticeDesk
    services: Services
    clock: Shifted
    closing: ExitStack

    def as_(self, name: str) -> httpx.Client:
        """Return a client of somebody with a new login."""
        made, now = secrets.token_hex(16), self.clock.now()
        login = Login(f"log_{made[:16]}", name, now, now + timedelta(hours=12), "192.0.2.1")
        pair = Issued(made, now + timedelta(hours=3)), Issued(f"r{made}", now + timedelta(hours=3))
        self.centre.sessions.open(login, *pair)
        headers = {"Authorization": f"Bearer {made}"}
        client = httpx.Client(base_url=self.address, headers=headers, timeout=30)
        return self.closing.enter_context(client)

    def asked(self, by: str = "ada", **wish: Any) -> dict[str, Any]:
        body = {"environment": PLACE, "purpose": "freeze", "reason": REASON, "minutes": 10, **wish}
        answer = self.as_(by).post("/api/v1/break-glass", json=body)
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    def standing(self, **wish: Any) -> dict[str, Any]:
        return self.post("bob", self.asked(**wish)["id"], "agree").json()

    def post(self, by: str, emergency: str, what: str) -> Any:
        return self.as_(by).post(f"/api/v1/break-glass/{emergency}/{what}")

    def entries(self, emergency: str) -> list[tuple[str, str]]:
        """Return kind and actor of what is recorded about one."""
        found = self.centre.log.entries(0, self.centre.log.size())
        told = [one.fields for one in found if one.fields["data"].get("emergency") == emergency]
        return [(one["kind"], one["actor"]) for one in told]


@contextmanager
def served(centre: Centre) -> Iterator[str]:
    """Serve the people's API of a centre; yield its address."""
    server = listeners.people_server(people.application(centre), None)
    bound = socket.create_server(("127.0.0.1", 0))
    serving = threading.Thread(target=server.run, kwargs={"sockets": [bound]}, daemon=True)
    serving.start()
    yield f"http://127.0.0.1:{bound.getsockname()[1]}"
    server.should_exit = True
    serving.join(20)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    data = tmp_path_factory.mktemp("break-glass")
    directory, clock = data / "controlplane", Shifted()
    evaluation.prepare(directory, data / "offline-keys", {}, now=datetime.now(UTC))
    settings = settings_module.Settings(embeddings="off")
    with (
        chat_services.running() as services,
        app.centre_in(directory, settings, "https://127.0.0.1:1") as made,
    ):
        centre = replace(made, clock=clock)
        configure(directory, services)
        for name, roles in PEOPLE.items():
            accounts.add(centre.users, name, centre_process.PASSWORD, roles)
        with app_notices.opened(centre, directory, "http://sg.test") as told:
            assert told.desk is not None
            told.desk.round()
            with served(centre) as address:
                yield World(centre, address, told.desk, services, clock, ExitStack())


@pytest.fixture
def world(running: World) -> Iterator[World]:
    running.clock.ahead = timedelta(0)
    with running.closing:
        yield running
    running.clock.ahead = timedelta(0)
    for one in running.centre.emergencies.list():
        if one.phase(running.clock.now()).value in {"standing", "asked"}:
            running.centre.emergencies.end(one.id, by="test", at=running.clock.now())


def configure(directory: Path, services: Services) -> None:
    (directory / "routing").write_text(chat_services.ROUTING)
    secret = base64.b64encode(chat_services.WEBHOOK_SECRET).decode()
    (directory / "whsec").write_text(f"whsec_{secret}")
    at = services.address
    document = {
        "channels": {
            "oncall": {"kind": "pagerduty", "url": f"{at}/v2/enqueue", "private": True,
                       "routing_key_file": "routing"},
            "hook": {"kind": "webhook", "url": f"{at}/webhook", "secret_file": "whsec",
                     "private": True},
        },
        "routes": [{"to": ["hook"], "environments": ["dev"], "events": ["opened"]}],
    }  # fmt: skip
    (directory / "notices.yaml").write_text(yaml.safe_dump(document))


def may_freeze(client: httpx.Client) -> bool:
    answer = client.put("/api/v1/freeze", json={"reason": "x"})
    assert answer.status_code in {200, 403}, answer.text
    return answer.status_code == 200


def permissions(client: httpx.Client, place: str) -> set[str]:
    return set(client.get("/api/v1/auth/me").json()["permissions"][place])


def test_one_right_in_one_place_for_its_minutes_and_no_second_longer(world: World) -> None:
    ada = world.as_("ada")
    assert permissions(ada, PLACE) == set()
    asked = world.asked()
    assert asked["phase"] == "asked"
    assert permissions(ada, PLACE) == set()
    given = world.post("bob", asked["id"], "agree").json()
    assert (given["phase"], given["agreed_by"]) == ("standing", "bob")
    assert permissions(ada, PLACE) == {"freeze", "view"}
    assert permissions(ada, "dev") == set()
    assert permissions(world.as_("oli"), PLACE) == {"view"}
    assert permissions(world.as_("bob"), ELSEWHERE) == set()
    world.clock.ahead = timedelta(minutes=9, seconds=55)
    assert permissions(ada, PLACE) == {"freeze", "view"}
    world.clock.ahead = timedelta(minutes=10)
    assert permissions(ada, PLACE) == set()


@pytest.mark.parametrize("purpose", [one.value for one in PURPOSES])
def test_each_purpose_is_one_permission(world: World, purpose: str) -> None:
    world.standing(purpose=purpose)
    assert permissions(world.as_("ada"), PLACE) == {purpose, "view"}


def test_nobody_agrees_to_their_own_request(world: World) -> None:
    asked = world.asked(by="cyd")
    answer = world.post("cyd", asked["id"], "agree")
    assert (answer.status_code, answer.json()["type"][-11:]) == (403, "own-request")
    assert world.centre.emergencies.get(asked["id"]).agreed_by is None
    assert world.entries(asked["id"]) == [("emergency.asked", "cyd")]


@pytest.mark.parametrize(("who", "status"), [("ada", 404), ("rio", 403), ("oli", 403)])
def test_who_answers_for_the_place_agrees_and_nobody_else(
    world: World, who: str, status: int
) -> None:
    """Who sees nothing of the place is not told that anybody asked."""
    asked = world.asked(by="cyd")
    assert world.post(who, asked["id"], "agree").status_code == status
    assert world.post("bob", asked["id"], "agree").status_code == 200


@pytest.mark.parametrize("who", ["rio", "oli"])
def test_who_may_not_break_glass_asks_for_nothing(world: World, who: str) -> None:
    body = {"environment": PLACE, "purpose": "freeze", "reason": REASON, "minutes": 10}
    assert world.as_(who).post("/api/v1/break-glass", json=body).status_code == 403


def test_the_owner_may_let_remediation_authorities_do_it(world: World) -> None:
    settings = replace(world.centre.settings, break_glass_by="remediation_authority")
    with served(replace(world.centre, settings=settings)) as address:
        other = replace(world, address=address)
        asked = other.asked(by="rio", environment=ELSEWHERE)
        assert other.post("oli", asked["id"], "agree").status_code == 403
        assert other.post("rio", asked["id"], "agree").status_code == 403
        assert other.post("ada", asked["id"], "agree").status_code == 200


@pytest.mark.parametrize("wish", [
    {"environment": "moon"}, {"environment": "*"}, {"environment": ""}, {"purpose": "view"},
    {"purpose": "manage_users"}, {"purpose": "change_settings"}, {"purpose": "export_evidence"},
    {"purpose": "break_glass"}, {"purpose": "*"}, {"reason": "because"}, {"reason": " " * 40},
    {"reason": "x" * 501}, {"reason": "a\x1b[2J reason of sorts"}, {"minutes": 0},
    {"minutes": 61}, {"minutes": -1}, {"minutes": 10.5},
])  # fmt: skip
def test_what_is_no_emergency_is_not_asked_for(world: World, wish: dict[str, Any]) -> None:
    body = {"environment": PLACE, "purpose": "freeze", "reason": REASON, "minutes": 10, **wish}
    answer = world.as_("ada").post("/api/v1/break-glass", json=body)
    assert answer.status_code == 422, answer.text


def test_the_owners_limit_of_minutes_holds_and_an_hour_is_the_most(world: World) -> None:
    assert timedelta(hours=1) == LONGEST
    settings = replace(world.centre.settings, break_glass_minutes=20)
    with served(replace(world.centre, settings=settings)) as address:
        other = replace(world, address=address)
        body = {"environment": PLACE, "purpose": "freeze", "reason": REASON, "minutes": 21}
        assert other.as_("ada").post("/api/v1/break-glass", json=body).status_code == 422
        other.asked(minutes=20)


def test_a_request_lapses_and_nobody_agrees_twice(world: World) -> None:
    late, given = world.asked(), world.standing()
    assert world.post("cyd", given["id"], "agree").status_code == 409
    assert world.centre.emergencies.get(given["id"]).agreed_by == "bob"
    world.clock.ahead = TO_AGREE
    answer = world.post("bob", late["id"], "agree")
    assert (answer.status_code, "lapsed" in answer.text) == (409, True)


@pytest.mark.parametrize("who", ["ada", "bob", "rio", "cyd"])
def test_it_ends_early_from_the_next_request_on(world: World, who: str) -> None:
    ada, given = world.as_("ada"), world.standing()
    assert permissions(ada, PLACE) == {"freeze", "view"}
    assert world.post(who, given["id"], "end").json()["phase"] == "ended"
    assert permissions(ada, PLACE) == set()
    assert world.post(who, given["id"], "end").status_code == 409 if who != "ada" else True
    assert world.entries(given["id"])[-1] == ("emergency.ended", who)


def test_who_may_not_freeze_there_ends_nothing_of_others(world: World) -> None:
    given = world.standing()
    assert world.post("oli", given["id"], "end").status_code == 403
    assert permissions(world.as_("ada"), PLACE) == {"freeze", "view"}


def test_a_request_is_withdrawn(world: World) -> None:
    asked = world.asked()
    assert world.post("ada", asked["id"], "end").json()["phase"] == "ended"
    assert world.post("bob", asked["id"], "agree").status_code == 409


def test_the_clocks_end_is_recorded_once(world: World) -> None:
    given = world.standing()
    break_glass.record_over(world.centre)
    kinds = [("emergency.asked", "ada"), ("emergency.agreed", "bob")]
    assert world.entries(given["id"]) == kinds
    world.clock.ahead = timedelta(minutes=10)
    break_glass.record_over(world.centre)
    break_glass.record_over(world.centre)
    assert world.entries(given["id"]) == [*kinds, ("emergency.ended", "clock")]
    listed = world.as_("bob").get("/api/v1/break-glass").json()["items"]
    assert next(one["phase"] for one in listed if one["id"] == given["id"]) == "over"


def test_every_channel_hears_of_it_whatever_its_routes_say(world: World) -> None:
    given = world.standing(minutes=7)
    world.post("ada", given["id"], "end")
    world.desk.round()
    assert world.services.refused == []
    for path in ("/webhook", "/v2/enqueue"):
        told = [str(one) for one in world.services.of(path) if given["id"] in str(one)]
        assert len(told) == 3, (path, told)
        assert all(REASON in one for one in told)
        assert "asked for by ada" in told[0]
        assert "agreed to by bob" in told[1]
        assert "is over: ended by ada" in told[2]


def test_it_is_a_finding_and_evidence(world: World) -> None:
    given = world.standing(minutes=3, reason="a reason that only this test has")
    found = world.as_("cyd").get("/api/v1/findings").json()["items"]
    mine = [one for one in found if "a reason that only this test has" in one["detail"]]
    assert [(one["user"], one["finding"]) for one in mine] == [("ada", "break_glass")]
    log = world.centre.log.entries(0, world.centre.log.size())
    entry = next(one.fields for one in log if one.fields["data"].get("emergency") == given["id"])
    assert "hipaa_164.312.a.2.ii" in entry["controls"]
    assert entry["env"] == PLACE


def test_whoever_sees_the_place_sees_it_and_nobody_else(world: World) -> None:
    given = world.standing(minutes=2)

    def seen(who: str) -> bool:
        items = world.as_(who).get("/api/v1/break-glass").json()["items"]
        return given["id"] in {one["id"] for one in items}

    assert {who: seen(who) for who in PEOPLE} == {
        "ada": True, "bob": True, "cyd": True, "rio": True, "oli": True,
    }  # fmt: skip
    world.centre.users.set_roles("oli", {"dev": Role.OBSERVER})
    try:
        assert not seen("oli")
    finally:
        world.centre.users.set_roles("oli", PEOPLE["oli"])


def test_what_is_done_under_it_says_so(world: World) -> None:
    given = world.standing()
    held = world.centre.emergencies.of("ada", at=world.clock.now())
    assert [one.id for one in held] == [given["id"]]
    assert may_freeze(world.as_("ada"))
    world.centre.switches.set_freeze(None)


def test_a_second_factor_of_minutes_ago_is_asked_of_both(world: World) -> None:
    asked = world.asked()
    factor = Factor("fac_bob", "bob", Way.TOTP, "app", world.clock.now(), b"x" * 20)
    world.centre.factors.add(factor)
    try:
        answer = world.post("bob", asked["id"], "agree")
    finally:
        world.centre.factors.remove_all("bob")
    assert (answer.status_code, answer.json()["type"][-7:]) == (403, "step-up")


def test_a_machine_ends_nothing(world: World) -> None:
    given = world.standing()
    now = world.clock.now()
    made = ReadToken("rot_b", "grafana", PLACE, "x", now, now + timedelta(days=1))
    world.centre.sessions.add_read_token(made, "sgr_b")
    headers = {"Authorization": "Bearer sgr_b"}
    with httpx.Client(base_url=world.address, headers=headers) as machine:
        assert machine.post(f"/api/v1/break-glass/{given['id']}/end").status_code == 403


def test_what_is_not_recorded_does_not_stand(world: World, monkeypatch: Any) -> None:
    asked = world.asked()

    def away(*_: Any, **__: Any) -> None:
        raise sqlite3.OperationalError

    monkeypatch.setattr(type(world.centre.audit), "append", away)
    with pytest.raises(sqlite3.OperationalError):
        break_glass.agree(world.centre, asked["id"], "bob", "")
    assert world.centre.emergencies.get(asked["id"]).agreed_by is None


@pytest.mark.parametrize("left", [{}, {"staging": Role.OBSERVER}])
def test_whose_roles_are_taken_away_keeps_no_right_of_an_emergency(
    world: World, left: dict[str, Role]
) -> None:
    world.standing()
    ada = world.as_("ada")
    assert permissions(ada, PLACE) == {"freeze", "view"}
    world.centre.users.set_roles("ada", left)
    try:
        assert permissions(ada, PLACE) == set()
        assert not may_freeze(ada)
    finally:
        world.centre.users.set_roles("ada", PEOPLE["ada"])


def test_a_request_of_somebody_who_may_not_ask_any_more_gives_nothing(world: World) -> None:
    asked = world.asked()
    world.centre.users.set_roles("ada", {"staging": Role.OBSERVER})
    try:
        world.post("bob", asked["id"], "agree")
        assert permissions(world.as_("ada"), PLACE) == set()
    finally:
        world.centre.users.set_roles("ada", PEOPLE["ada"])


def test_nobody_wakes_everybody_with_more_than_a_few_requests(world: World) -> None:
    for _ in range(break_glass.MOST_ASKED):
        world.asked()
    body = {"environment": PLACE, "purpose": "freeze", "reason": REASON, "minutes": 10}
    answer = world.as_("ada").post("/api/v1/break-glass", json=body)
    assert (answer.status_code, "wait for a second person" in answer.text) == (422, True)
    assert world.asked(by="cyd")["phase"] == "asked", "others still ask"
    world.clock.ahead = TO_AGREE
    assert world.asked()["phase"] == "asked", "those that lapsed do not count"
