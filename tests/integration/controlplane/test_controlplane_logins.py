"""Logins, their tokens, second factors and machines' tokens over the real API."""

import base64
import contextlib
import re
import sqlite3
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http import HTTPStatus

import httpx
import pytest

from sentienguard.trust import encoding, totp
from tests.support import centre_process
from tests.support.authenticator import Passkey
from tests.support.centre_process import PASSWORD, Centre

pytestmark = pytest.mark.integration
HEADER = {"X-Sentienguard-Request": "1"}


@pytest.fixture(scope="module")
def centre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Centre]:
    directory = tmp_path_factory.mktemp("logins")
    with centre_process.running(directory) as running:
        yield running


@pytest.fixture(scope="module")
def admin(centre: Centre) -> httpx.Client:
    return centre.login("admin@local")


def person(admin: httpx.Client, name: str, role: str = "administrator") -> str:
    body = {"name": name, "password": PASSWORD, "roles": {"*": role}}
    assert admin.post("/api/v1/users", json=body).status_code == 201
    return name


def logged_in(centre: Centre, name: str) -> tuple[httpx.Client, dict]:
    client = centre.anonymous()
    answer = client.post("/api/v1/auth/login", json={"name": name, "password": PASSWORD})
    assert answer.status_code == 200, answer.text
    client.cookies.clear()
    client.headers["authorization"] = f"Bearer {answer.json()['token']}"
    return client, answer.json()


def newest(admin: httpx.Client) -> int:
    """Return where the log ends now: what a test counts, it counts from there."""
    found = admin.get("/api/v1/audit/entries", params={"limit": 1}).json()["items"]
    return found[0]["index"]


def entries(admin: httpx.Client, kind: str, after: int = -1) -> list[dict]:
    found = admin.get("/api/v1/audit/entries", params={"limit": 200}).json()["items"]
    return [one["data"] for one in found if one["kind"] == kind and one["index"] > after]


def test_a_pair_of_tokens_lasts_as_long_as_it_says(centre: Centre) -> None:
    _, answer = logged_in(centre, "admin@local")
    now = datetime.now(UTC)
    ends = {key: datetime.fromisoformat(answer[key]) - now for key in
            ("expires_at", "refresh_until", "ends_at")}  # fmt: skip
    assert timedelta(minutes=14) < ends["expires_at"] <= timedelta(minutes=15)
    assert timedelta(minutes=59) < ends["refresh_until"] <= timedelta(minutes=60)
    assert timedelta(hours=11) < ends["ends_at"] <= timedelta(hours=12)


def test_a_refresh_token_that_comes_twice_ends_the_login_and_is_recorded(
    centre: Centre, admin: httpx.Client
) -> None:
    name = person(admin, "reuse@local")
    client, answer = logged_in(centre, name)
    first = {"refresh_token": answer["refresh_token"]}
    stolen = centre.anonymous()
    next_pair = stolen.post("/api/v1/auth/refresh", json=first).json()
    thief = {"Authorization": f"Bearer {next_pair['token']}"}
    assert stolen.get("/api/v1/auth/me", headers=thief).json()["name"] == name
    assert centre.anonymous().post("/api/v1/auth/refresh", json=first).status_code == 401
    stolen.cookies.clear()
    assert stolen.get("/api/v1/auth/me", headers=thief).status_code == 401
    assert client.get("/api/v1/auth/me").status_code == 401
    again = {"refresh_token": next_pair["refresh_token"]}
    assert centre.anonymous().post("/api/v1/auth/refresh", json=again).status_code == 401
    ended = [one for one in entries(admin, "session.ended") if one["user"] == name]
    assert [(one["because"], one["ip_address"]) for one in ended] == [("reuse", "127.0.0.1")]


def test_a_browser_refreshes_with_its_cookie_and_our_header(centre: Centre) -> None:
    browser = centre.anonymous()
    login = {"name": "admin@local", "password": PASSWORD}
    assert browser.post("/api/v1/auth/login", json=login).status_code == 200
    old = dict(browser.cookies)
    assert browser.post("/api/v1/auth/refresh", json={}).status_code == 403
    assert browser.post("/api/v1/auth/refresh", json={}, headers=HEADER).status_code == 200
    assert all(browser.cookies[name] != value for name, value in old.items())
    assert browser.get("/api/v1/auth/me").status_code == 200
    assert browser.post("/api/v1/auth/logout", headers=HEADER).status_code == 204
    assert browser.get("/api/v1/auth/me").status_code == 401


@pytest.mark.parametrize("token", ["", "sgf_" + "0" * 64, "\u00e4", "sga_"])
def test_no_other_token_refreshes(centre: Centre, token: str) -> None:
    answer = centre.anonymous().post(
        "/api/v1/auth/refresh", json={"refresh_token": token}, headers=HEADER
    )
    assert answer.status_code == 401


def test_an_access_token_refreshes_nothing_and_a_refresh_token_opens_nothing(
    centre: Centre,
) -> None:
    _, answer = logged_in(centre, "admin@local")
    swapped = {"Authorization": f"Bearer {answer['refresh_token']}"}
    assert centre.anonymous().get("/api/v1/auth/me", headers=swapped).status_code == 401
    body = {"refresh_token": answer["token"]}
    assert centre.anonymous().post("/api/v1/auth/refresh", json=body).status_code == 401


def test_revoking_all_counts_from_the_next_request_on(centre: Centre, admin: httpx.Client) -> None:
    name = person(admin, "many@local")
    clients = [logged_in(centre, name) for _ in range(3)]
    assert len(clients[0][0].get("/api/v1/account").json()["logins"]) == 3
    assert admin.delete(f"/api/v1/users/{name}/logins").json() == {"ended": 3}
    for client, answer in clients:
        assert client.get("/api/v1/auth/me").status_code == 401
        again = {"refresh_token": answer["refresh_token"]}
        assert centre.anonymous().post("/api/v1/auth/refresh", json=again).status_code == 401


def test_a_person_ends_one_login_or_all_of_their_own_only(
    centre: Centre, admin: httpx.Client
) -> None:
    name = person(admin, "tidy@local", "observer")
    (one, _), (two, _) = logged_in(centre, name), logged_in(centre, name)
    mine = next(x for x in one.get("/api/v1/account").json()["logins"] if not x["this"])
    assert admin.delete(f"/api/v1/account/logins/{mine['id']}").status_code == 404
    assert one.delete(f"/api/v1/account/logins/{mine['id']}").status_code == 200
    assert two.get("/api/v1/auth/me").status_code == 401
    assert one.delete("/api/v1/account/logins").json() == {"ended": 1}
    assert one.get("/api/v1/auth/me").status_code == 401


def test_the_live_stream_of_an_ended_login_ends(centre: Centre, admin: httpx.Client) -> None:
    client, _ = logged_in(centre, person(admin, "watch@local", "observer"))
    with client.stream("GET", "/api/v1/live", timeout=30) as stream:
        lines = stream.iter_lines()
        assert next(lines) == ": hello"
        assert admin.delete("/api/v1/users/watch@local/logins").status_code == 200
        rest = [line for line in lines if line.startswith(":")]
    assert rest == []


def now_code(secret: str, steps: int = 0) -> str:
    raw = base64.b32decode(secret + "=" * (-len(secret) % 8))
    return totp.code(raw, int(time.time()) // 30 + steps)


def with_app(client: httpx.Client) -> tuple[str, list[str]]:
    """Register an app; the code that it shows next is still good afterwards."""
    begun = client.post("/api/v1/account/totp", json={"password": PASSWORD}).json()
    body = {"ticket": begun["ticket"], "code": now_code(begun["secret"]), "label": "phone"}
    made = client.post("/api/v1/account/totp/confirm", json=body)
    assert made.status_code == 201, made.text
    return begun["secret"], made.json()["recovery_codes"]


def second(centre: Centre, name: str) -> tuple[httpx.Client, dict]:
    client = centre.anonymous()
    answer = client.post("/api/v1/auth/login", json={"name": name, "password": PASSWORD})
    assert answer.status_code == HTTPStatus.ACCEPTED
    assert not client.cookies
    assert "token" not in answer.json()
    return client, answer.json()


def test_with_an_app_the_password_alone_opens_nothing(centre: Centre, admin: httpx.Client) -> None:
    name, before = person(admin, "totp@local"), newest(admin)
    client, _ = logged_in(centre, name)
    refused = client.post("/api/v1/account/totp", json={"password": "not the password"})
    assert refused.status_code == 403
    secret, codes = with_app(client)
    assert len(codes) == 10
    door, step = second(centre, name)
    assert step["ways"] == ["totp", "recovery"]
    wrong = {"ticket": step["ticket"], "code": "000000"}
    assert door.post("/api/v1/auth/login/second", json=wrong).status_code == 401
    right = {"ticket": step["ticket"], "code": now_code(secret, 1)}
    answer = door.post("/api/v1/auth/login/second", json=right)
    assert answer.status_code == 200, answer.text
    used = door.post("/api/v1/auth/login/second", json=right)
    assert used.json()["type"].endswith("ticket-over")
    door, step = second(centre, name)
    again = {"ticket": step["ticket"], "code": right["code"]}  # the code counted
    assert door.post("/api/v1/auth/login/second", json=again).status_code == 401
    recovery = {"ticket": step["ticket"], "recovery": codes[0].upper()}
    assert door.post("/api/v1/auth/login/second", json=recovery).status_code == 200
    door, step = second(centre, name)
    spent = {"ticket": step["ticket"], "recovery": codes[0]}
    assert door.post("/api/v1/auth/login/second", json=spent).status_code == 401
    found = [one["way"] for one in entries(admin, "access.denied", before)
             if one.get("result") == "denied_second_factor"]  # fmt: skip
    assert sorted(found) == ["recovery", "totp", "totp"]


def test_five_wrong_codes_lock_whatever_ticket_they_come_on(
    centre: Centre, admin: httpx.Client
) -> None:
    name = person(admin, "guess@local")
    secret, _ = with_app(logged_in(centre, name)[0])
    kinds = []
    for _ in range(6):
        door, step = second(centre, name)
        body = {"ticket": step["ticket"], "code": "12345x"}
        kinds.append(door.post("/api/v1/auth/login/second", json=body).json()["type"])
    assert [kind.rpartition(":")[2] for kind in kinds] == [
        *["second-factor-wrong"] * 5, "second-factor-locked",
    ]  # fmt: skip
    right = {"ticket": step["ticket"], "code": now_code(secret, 1)}
    assert door.post("/api/v1/auth/login/second", json=right).status_code == 401


def origin_of(centre: Centre) -> str:
    return re.sub(r"//[^:]+", "//localhost", centre.people)


def with_passkey(centre: Centre, client: httpx.Client, credential: bytes) -> Passkey:
    passkey = Passkey("localhost", origin_of(centre), credential=credential, counter=1)
    begun = client.post("/api/v1/account/passkeys", json={"password": PASSWORD}).json()
    data, attestation = passkey.make(encoding.from_base64url(begun["challenge"]))
    body = {
        "ticket": begun["ticket"],
        "client_data": encoding.base64url(data),
        "attestation": encoding.base64url(attestation),
        "label": "key",
    }
    made = client.post("/api/v1/account/passkeys/confirm", json=body)
    assert made.status_code == 201, made.text
    assert client.post("/api/v1/account/passkeys/confirm", json=body).status_code == 422
    return passkey


def signed(passkey: Passkey, step: dict, **changes) -> dict:
    passkey.counter += 1
    answer = passkey.answer(encoding.from_base64url(step["challenge"]), **changes)
    return {
        "ticket": step["ticket"],
        "passkey": {
            "credential": encoding.base64url(passkey.credential),
            "client_data": encoding.base64url(answer.client_data),
            "authenticator_data": encoding.base64url(answer.authenticator_data),
            "signature": encoding.base64url(answer.signature),
        },
    }


def test_a_passkey_opens_for_its_ticket_only(centre: Centre, admin: httpx.Client) -> None:
    name = person(admin, "key@local")
    passkey = with_passkey(centre, logged_in(centre, name)[0], b"first")
    door, step = second(centre, name)
    assert step["credentials"] == [encoding.base64url(b"first")]
    _, another = second(centre, name)
    for wrong in (
        {**signed(passkey, step), "ticket": another["ticket"]},  # another's challenge
        signed(passkey, step, origin="http://localhost:1"),
        signed(Passkey("localhost", passkey.origin, credential=b"first", counter=9), step),
    ):
        assert door.post("/api/v1/auth/login/second", json=wrong).status_code == 401
    right = signed(passkey, step)
    assert door.post("/api/v1/auth/login/second", json=right).status_code == 200
    assert door.post("/api/v1/auth/login/second", json=right).status_code == 401


def test_what_is_at_stake_asks_again_for_the_factor(centre: Centre, admin: httpx.Client) -> None:
    name = person(admin, "fresh@local")
    early, _ = logged_in(centre, name)
    passkey = with_passkey(centre, logged_in(centre, name)[0], b"second")
    body = {"environment": "drill"}
    assert early.get("/api/v1/incidents").status_code == 200
    for method, path, json in (
        ("POST", "/api/v1/tokens", body),
        ("POST", "/api/v1/users", {"name": "x", "password": PASSWORD, "roles": {}}),
        ("DELETE", "/api/v1/users/key@local/factors", None),
        ("POST", "/api/v1/read-tokens", {"name": "g", "environment": "drill"}),
        ("GET", "/api/v1/evidence/entries", None),
        ("POST", "/api/v1/account/totp", {"password": PASSWORD}),
        ("POST", "/api/v1/account/recovery-codes", None),
        ("DELETE", "/api/v1/freeze", None),
        ("POST", "/api/v1/playbook-drafts", {"name": "mine_of_the_team"}),
        ("POST", "/api/v1/playbook-drafts/drf_none/signed", {}),
    ):
        answer = early.request(method, path, json=json)
        assert (answer.status_code, answer.json()["type"].rpartition(":")[2]) == (403, "step-up")
    step = early.post("/api/v1/auth/step-up").json()
    other, _ = logged_in(centre, "admin@local")
    stolen = other.post("/api/v1/auth/step-up/second", json=signed(passkey, step))
    assert stolen.status_code == 403
    step = early.post("/api/v1/auth/step-up").json()
    done = early.post("/api/v1/auth/step-up/second", json=signed(passkey, step))
    assert done.status_code == 204
    assert early.post("/api/v1/tokens", json=body).status_code == 201


def test_a_stolen_token_does_not_lift_the_kill_switch_and_freezing_stays_one_request(
    centre: Centre, admin: httpx.Client
) -> None:
    name = person(admin, "thaw@local")
    stolen, _ = logged_in(centre, name)
    passkey = with_passkey(centre, logged_in(centre, name)[0], b"third")
    frozen = stolen.put("/api/v1/freeze", json={"reason": "something is wrong"})
    assert (frozen.status_code, frozen.json()["frozen"]) == (200, True)
    refused = stolen.delete("/api/v1/freeze")
    assert (refused.status_code, refused.json()["type"][-7:]) == (403, "step-up")
    assert admin.get("/api/v1/freeze").json()["frozen"]
    step = stolen.post("/api/v1/auth/step-up").json()
    done = stolen.post("/api/v1/auth/step-up/second", json=signed(passkey, step))
    assert done.status_code == 204
    assert stolen.delete("/api/v1/freeze").json() == {
        "frozen": False, "by": None, "at": None, "reason": None,
    }  # fmt: skip


def test_who_lost_a_factor_is_let_in_again_by_an_administrator(
    centre: Centre, admin: httpx.Client
) -> None:
    name = person(admin, "lost@local")
    with_app(logged_in(centre, name)[0])
    assert admin.delete(f"/api/v1/users/{name}/factors").json() == {"ended": 1}
    logged_in(centre, name)
    assert {"user": name, "way": "all"}.items() <= entries(admin, "user.factor_removed")[0].items()


def test_a_machine_s_token_reads_one_environment_and_nothing_else(
    centre: Centre, admin: httpx.Client
) -> None:
    made = admin.post("/api/v1/read-tokens", json={"name": "grafana", "environment": "staging"})
    assert made.status_code == 201
    machine = centre.anonymous()
    machine.headers["authorization"] = f"Bearer {made.json()['token']}"
    told = machine.get("/api/v1/auth/me").json()
    assert told["roles"] == {"staging": "observer"}
    assert {place: len(may) for place, may in told["permissions"].items() if may} == {"staging": 1}
    assert machine.post("/api/v1/query", data={"query": "1"}).status_code == 200
    for method, path, status in (
        ("GET", "/api/v1/account", 403), ("POST", "/api/v1/auth/logout", 403),
        ("POST", "/api/v1/auth/step-up", 403), ("PUT", "/api/v1/freeze", 403),
        ("GET", "/api/v1/users", 403), ("GET", "/api/v1/read-tokens", 403),
    ):  # fmt: skip
        json = {"reason": "x"} if method == "PUT" else None
        assert machine.request(method, path, json=json).status_code == status, path
    shown = admin.get("/api/v1/read-tokens").json()["items"]
    assert made.json()["token"] not in str(shown)
    gone = admin.delete(f"/api/v1/read-tokens/{made.json()['id']}").json()
    assert gone["revoked_at"]
    assert machine.get("/api/v1/auth/me").status_code == 401


def test_an_auditor_has_an_end_and_changes_nothing(centre: Centre, admin: httpx.Client) -> None:
    soon = datetime.now(UTC) + timedelta(days=20)
    body = {"name": "aud@local", "password": PASSWORD, "roles": {"production": "auditor"}}
    for ends in ({}, {"production": (soon + timedelta(days=31)).isoformat()},
                 {"production": (soon - timedelta(days=21)).isoformat()},
                 {"staging": soon.isoformat()}):  # fmt: skip
        assert admin.post("/api/v1/users", json={**body, "ends": ends}).status_code == 422
    ends = {"production": soon.isoformat()}
    assert admin.post("/api/v1/users", json={**body, "ends": ends}).status_code == 201
    auditor, _ = logged_in(centre, "aud@local")
    assert auditor.get("/api/v1/users").status_code == 200
    assert auditor.get("/api/v1/audit/entries").status_code == 200
    assert auditor.put("/api/v1/freeze", json={"reason": "no"}).status_code == 403
    with contextlib.closing(
        sqlite3.connect(centre.data / "controlplane/sentienguard.db", timeout=20)
    ) as database:  # three weeks later
        database.execute(
            "UPDATE users SET role_ends = '{\"production\":1}' WHERE name = 'aud@local'"
        )
        database.commit()
    assert auditor.get("/api/v1/audit/entries").status_code == 403
    assert auditor.get("/api/v1/users").status_code == 403


def test_where_everybody_needs_a_second_factor_nothing_is_open_without(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    directory = tmp_path_factory.mktemp("required")
    with centre_process.running(directory, second_factor="required") as running:
        client, _ = logged_in(running, "admin@local")
        refused = client.get("/api/v1/incidents")
        assert refused.json()["type"].endswith("second-factor-required")
        assert client.get("/api/v1/account").json()["second_factor"] == "required"
        with_app(client)
        assert client.get("/api/v1/incidents").status_code == 200
