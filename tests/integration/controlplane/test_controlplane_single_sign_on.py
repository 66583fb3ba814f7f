"""Log in through a real OpenID Connect provider on loopback, and every way to get in wrongly."""

import base64
import hashlib
import hmac
import json
import time
import urllib.parse
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from joserfc import jwk, jws

from sentienguard.controlplane import single_sign_on
from tests.servers.openid_provider import CLIENT, SECRET, Provider
from tests.support import sign_on_fixtures as fixtures
from tests.support.centre_process import Centre
from tests.support.sign_on import GROUPS, as_person, entries

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]
running_provider, provider = fixtures.running_provider, fixtures.provider
centre, admin, browser = fixtures.centre, fixtures.admin, fixtures.browser
BEGIN, CALLBACK = "/api/v1/auth/provider", "/api/v1/auth/provider/callback"


def begun(browser: httpx.Client, to: str = "/") -> str:
    """Begin a login; return where the provider sends the browser back to."""
    there = browser.get(BEGIN, params={"to": to})
    assert there.status_code == 303, there.text
    back = httpx.get(there.headers["location"])
    assert back.status_code == 302, back.text
    return str(back.headers["location"])


def logged_in(browser: httpx.Client, to: str = "/") -> httpx.Response:
    return browser.get(begun(browser, to))


def why(answer: httpx.Response) -> str:
    """Return what the login page is told; the browser has no session."""
    assert answer.status_code == 303, answer.text
    place = urllib.parse.urlsplit(answer.headers["location"])
    assert place.path == "/login", answer.headers["location"]
    assert "sentienguard_session" not in answer.headers.get("set-cookie", "")
    return urllib.parse.parse_qs(place.query)["why"][0]


def me(browser: httpx.Client) -> Any:
    answer = browser.get("/api/v1/auth/me")
    return answer.json() if answer.status_code == 200 else answer.status_code


def test_the_login_page_learns_what_to_offer(browser: httpx.Client) -> None:
    port = browser.base_url.port
    assert browser.get("/api/v1/auth/ways").json() == {
        "provider": "Example login",
        "command_line": ["browser", "paste"],
        "command_line_at": f"http://localhost:{port}/api/v1/auth/command-line",
    }


def test_a_person_of_a_mapped_group_gets_its_roles_and_the_page_they_wanted(
    admin: httpx.Client, provider: Provider, browser: httpx.Client
) -> None:
    as_person(provider, "ann")
    answer = logged_in(browser, "/incidents?status=open")
    assert (answer.status_code, answer.headers["location"]) == (303, "/incidents?status=open")
    assert me(browser)["name"] == "ann@example.org"
    assert me(browser)["roles"] == GROUPS["sre"]
    cookies = answer.headers.get_list("set-cookie")
    assert all("httponly" in one.lower() for one in cookies), cookies
    kept = next(one for one in cookies if one.startswith("sentienguard_session="))
    assert "samesite=strict" in kept.lower()
    found = entries(admin, "user.added")
    added = [one for one in found if one["data"]["user"] == "ann@example.org"]
    assert [one["actor"] for one in added] == ["single-sign-on"]


def test_roles_are_those_of_the_groups_at_each_login(
    provider: Provider, browser: httpx.Client
) -> None:
    as_person(provider, "rob")
    logged_in(browser)
    assert me(browser)["roles"] == GROUPS["sre"]
    provider.person["groups"] = ["everybody"]
    logged_in(browser)
    assert me(browser)["roles"] == GROUPS["everybody"]
    provider.person["groups"] = ["sre", "everybody", "unheard-of"]
    logged_in(browser)
    assert me(browser)["roles"] == {**GROUPS["sre"], "*": "observer"}


@pytest.mark.parametrize("groups", [[], ["unheard-of"], "SRE", None, [{"sre": 1}], ["sre "], 7])
def test_nobody_without_a_mapped_group_gets_in(
    provider: Provider, browser: httpx.Client, groups: Any
) -> None:
    as_person(provider, "nog", groups=groups)
    assert why(logged_in(browser)) == "no-role"
    assert me(browser) == 401


def test_who_lost_their_groups_loses_roles_and_logins_at_the_next_try(
    centre: Centre, admin: httpx.Client, provider: Provider, browser: httpx.Client
) -> None:
    as_person(provider, "lou")
    logged_in(browser)
    assert me(browser)["name"] == "lou@example.org"
    provider.person["groups"] = []
    with httpx.Client(base_url=centre.people) as another:
        assert why(logged_in(another)) == "no-role"
    assert me(browser) == 401
    found = {one["name"]: one["roles"] for one in admin.get("/api/v1/users").json()["items"]}
    assert found["lou@example.org"] == {}


def test_nobody_takes_over_an_account_that_has_the_name(
    centre: Centre, admin: httpx.Client, provider: Provider, browser: httpx.Client
) -> None:
    as_person(provider, "thief", preferred_username="admin@local")
    assert why(logged_in(browser)) == "name-taken"
    as_person(provider, "first", preferred_username="shared@example.org")
    logged_in(browser)
    as_person(provider, "second", preferred_username="shared@example.org")
    with httpx.Client(base_url=centre.people) as another:
        assert why(logged_in(another)) == "name-taken"
    assert me(browser)["name"] == "shared@example.org"
    # The account's roles are as before, and an account of ours takes no name of the provider's.
    assert admin.get("/api/v1/auth/me").json()["roles"] == {"*": "administrator"}
    body = {"name": "shared@example.org", "password": "x" * 20, "roles": {}}
    assert admin.post("/api/v1/users", json=body).status_code == 422


def test_a_person_is_the_same_under_a_new_name_and_has_no_password_here(
    centre: Centre, provider: Provider, browser: httpx.Client
) -> None:
    as_person(provider, "mia")
    logged_in(browser)
    provider.person["preferred_username"] = "mia.married@example.org"
    logged_in(browser)
    assert me(browser)["name"] == "mia@example.org"
    for password in ("", "x", "x" * 20):
        answer = centre.anonymous().post(
            "/api/v1/auth/login", json={"name": "mia@example.org", "password": password}
        )
        assert answer.status_code in {401, 422}


@pytest.mark.parametrize("name", [
    "", "token:grafana", "a b", "x\ny", "<b>", "é", None, 7,
    "sentienguard", "SentienGuard", "clock", "single-sign-on",  # actors of the log
])  # fmt: skip
def test_a_name_that_could_be_taken_for_something_else_is_no_name(
    provider: Provider, browser: httpx.Client, name: Any
) -> None:
    as_person(provider, "odd", preferred_username=name)
    assert why(logged_in(browser)) == "no-name"


FORGED: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "of another issuer": lambda one: {**one, "iss": "https://login.example.com"},
    "of the issuer with a slash": lambda one: {**one, "iss": one["iss"] + "/"},
    "without an issuer": lambda one: {**one, "iss": None},
    "for another client": lambda one: {**one, "aud": "grafana"},
    "for others": lambda one: {**one, "aud": ["grafana", "wiki"]},
    "for us and others, issued to another": lambda one: {
        **one, "aud": ["grafana", CLIENT], "azp": "grafana"},
    "for us and others, issued to nobody": lambda one: {**one, "aud": ["grafana", CLIENT]},
    "for us, issued to another": lambda one: {**one, "azp": "grafana"},
    "without an audience": lambda one: {**one, "aud": None},
    "that is over": lambda one: {**one, "exp": time.time() - 61},
    "without an end": lambda one: {**one, "exp": None},
    "whose end is text": lambda one: {**one, "exp": "9999999999"},
    "whose end is true": lambda one: {**one, "exp": True},
    "of the future": lambda one: {**one, "iat": time.time() + 120},
    "without a time": lambda one: {**one, "iat": None},
    "with another nonce": lambda one: {**one, "nonce": "x" * 43},
    "without a nonce": lambda one: {**one, "nonce": None},
    "of nobody": lambda one: {**one, "sub": None},
    "of an endless name": lambda one: {**one, "sub": "x" * 256},
}  # fmt: skip


@pytest.mark.parametrize("what", FORGED)
def test_no_token_is_believed(provider: Provider, browser: httpx.Client, what: str) -> None:
    provider.forge = FORGED[what]
    assert why(logged_in(browser)) == "not-believed"
    assert me(browser) == 401


def unsigned(provider: Provider, claims: dict[str, Any]) -> str:
    _, body, _ = provider.signed(claims).split(".")
    header = base64.urlsafe_b64encode(b'{"alg":"none","kid":"%s"}' % provider.keys[-1].kid.encode())
    return f"{header.decode().rstrip('=')}.{body}."


def with_the_public_key_as_secret(provider: Provider, claims: dict[str, Any]) -> str:
    pem = provider.keys[-1].as_pem(private=False)
    header = {"alg": "HS256", "kid": provider.keys[-1].kid}
    said = [json.dumps(part).encode() for part in (header, claims)]
    text = ".".join(base64.urlsafe_b64encode(one).decode().rstrip("=") for one in said)
    mac = hmac.digest(pem, text.encode(), hashlib.sha256)
    return f"{text}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"


def by_another_key_of_that_id(provider: Provider, claims: dict[str, Any]) -> str:
    stranger = jwk.RSAKey.generate_key(2048, {"kid": provider.keys[-1].kid})
    return provider.signed(claims, stranger)


def by_a_key_that_is_not_published(provider: Provider, claims: dict[str, Any]) -> str:
    return provider.signed(claims, jwk.RSAKey.generate_key(2048, {"kid": "unknown"}))


def by_a_key_that_the_token_brings(provider: Provider, claims: dict[str, Any]) -> str:
    stranger = jwk.RSAKey.generate_key(2048, {"kid": provider.keys[-1].kid})
    header = {"alg": "RS256", "kid": stranger.kid, "jwk": stranger.as_dict(private=False)}
    return jws.serialize_compact(header, json.dumps(claims), stranger, algorithms=["RS256"])


def changed_after_signing(provider: Provider, claims: dict[str, Any]) -> str:
    head, _, mark = provider.signed({**claims, "groups": []}).split(".")
    return ".".join((head, provider.signed(claims).split(".")[1], mark))


def of_another_login(provider: Provider, claims: dict[str, Any]) -> str:
    return provider.tokens[-1]


SIGNED = [
    unsigned, with_the_public_key_as_secret, by_another_key_of_that_id,
    by_a_key_that_is_not_published, by_a_key_that_the_token_brings, changed_after_signing,
    of_another_login, lambda *_: "", lambda *_: "a.b.c", lambda *_: "x" * 40_000,
    lambda provider, claims: provider.signed(claims).replace(".", "..", 1),
]  # fmt: skip


@pytest.mark.parametrize("sign", SIGNED, ids=lambda sign: sign.__name__)
def test_no_signature_but_the_providers_counts(
    centre: Centre, provider: Provider, browser: httpx.Client, sign: Any
) -> None:
    with httpx.Client(base_url=centre.people) as somebody:
        logged_in(somebody)  # so that there is a token of another login
    provider.sign = sign
    assert why(logged_in(browser)) == "not-believed"
    assert me(browser) == 401


def test_a_provider_changes_its_keys_and_people_go_on_logging_in(
    provider: Provider, browser: httpx.Client
) -> None:
    as_person(provider, "kay")
    assert logged_in(browser).headers["location"] == "/"
    old = provider.keys[-1]
    provider.rotate()
    assert logged_in(browser).headers["location"] == "/"
    provider.sign = lambda one, claims: one.signed(claims, old)
    assert why(logged_in(browser)) == "not-believed"


def test_a_code_counts_once(provider: Provider, browser: httpx.Client) -> None:
    back = begun(browser)
    kept = browser.cookies["sentienguard_provider"]
    assert browser.get(back).headers["location"] == "/"
    browser.cookies.clear()
    assert why(browser.get(back)) == "began-elsewhere"  # the cookie was taken with the login
    headers = {"Cookie": f"sentienguard_provider={kept}"}
    assert why(browser.get(back, headers=headers)) == "not-believed"


def test_a_login_ends_in_the_browser_that_began_it(
    centre: Centre, provider: Provider, browser: httpx.Client
) -> None:
    back = begun(browser)
    with httpx.Client(base_url=centre.people) as another:
        assert why(another.get(back)) == "began-elsewhere"
        begun(another)
        assert why(another.get(back)) == "began-elsewhere"


def test_a_code_of_another_login_is_not_redeemed(
    centre: Centre, provider: Provider, browser: httpx.Client
) -> None:
    """Its verifier of PKCE is in the other browser."""
    with httpx.Client(base_url=centre.people) as another:
        stolen = urllib.parse.parse_qs(urllib.parse.urlsplit(begun(another)).query)["code"][0]
    mine = urllib.parse.urlsplit(begun(browser))
    query = {**dict(urllib.parse.parse_qsl(mine.query)), "code": stolen}
    assert why(browser.get(CALLBACK, params=query)) == "not-believed"


@pytest.mark.parametrize("change", [
    {"state": ""}, {"state": "x" * 43}, {"state": "😀"}, {"code": ""}, {"code": "\x00"},
    {"code": "x" * 4096}, {"iss": "https://login.example.com"}, {"iss": ""},
    {"error": "access_denied"}, {"code": "é"},
])  # fmt: skip
def test_an_answer_that_was_changed_lets_nobody_in(
    provider: Provider, browser: httpx.Client, change: dict[str, str]
) -> None:
    query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(begun(browser)).query))
    assert why(browser.get(CALLBACK, params={**query, **change})) in {
        "began-elsewhere", "not-believed", "refused-there",
    }  # fmt: skip
    assert me(browser) == 401


def test_the_cookie_cannot_be_made_to_lead_elsewhere_or_to_last(
    provider: Provider, browser: httpx.Client
) -> None:
    now = int(time.time())
    for secret, began, page, state_of in (
        (b"s" * 32, now, "https://evil.example", None),
        (b"s" * 32, now, "//evil.example", None),
        (b"s" * 32, now - 601, "/", None),
        (b"s" * 32, now + 60, "/", None),
        (b"s" * 31, now, "/", None),
        (b"s" * 32, now, "/hosts", single_sign_on.Attempt(b"s" * 32, now, "/")),
    ):
        attempt = single_sign_on.Attempt(secret, began, page)
        state = (state_of or attempt).state
        browser.cookies.set("sentienguard_provider", attempt.cookie)
        answer = browser.get(CALLBACK, params={"state": state, "code": "x"})
        assert why(answer) in {"began-elsewhere", "too-late"}, page
    for cookie in ("", ".", "..", "a.b.c", "é", "x" * 3000, f"{'A' * 43}.+1.Lw"):
        headers = {"Cookie": f"sentienguard_provider={cookie}".encode()}
        answer = browser.get(CALLBACK, params={"state": "x", "code": "x"}, headers=headers)
        assert why(answer) == "began-elsewhere", cookie


@pytest.mark.parametrize("to", [
    "https://evil.example/", "//evil.example", "/\\evil.example", "/%0d%0aSet-Cookie: a=b",
    "javascript:alert(1)", "/\r\nx: y", "/login", "/api/v1/auth/logout", "", "\\\\evil", "/é",
    "/" + "x" * 600, "/ //evil",
])  # fmt: skip
def test_a_login_leads_to_a_page_of_ours(
    provider: Provider, browser: httpx.Client, to: str
) -> None:
    assert logged_in(browser, to).headers["location"] in {"/", "/%0d%0aSet-Cookie:%20a=b"}


def test_the_providers_second_factor_counts_where_the_owner_says_so(
    provider: Provider, browser: httpx.Client
) -> None:
    def strong(**claims: Any) -> Any:
        as_person(provider, "sue", **claims)
        assert logged_in(browser).headers["location"] == "/"
        logins = browser.get("/api/v1/account").json()["logins"]
        return next(one["strong_at"] for one in logins if one["this"])

    assert strong() is None
    assert strong(amr=["pwd", "sms"]) is None
    provider.forge = lambda one: {**one, "auth_time": None}
    assert strong(amr=["hwk"]) is None
    provider.forge = lambda one: {**one, "auth_time": int(time.time()) - 3600}
    assert strong(amr=["hwk"])[:13] < time.strftime("%Y-%m-%dT%H:%M", time.gmtime())
    provider.forge = lambda one: {**one, "auth_time": int(time.time()) + 3600}
    assert strong(amr=["pwd", "hwk"])[:13] <= time.strftime("%Y-%m-%dT%H:%M", time.gmtime())


def test_the_provider_is_asked_for_a_factor_as_fresh_as_we_ask_for_one(
    browser: httpx.Client,
) -> None:
    asked = urllib.parse.urlsplit(browser.get(BEGIN).headers["location"]).query
    assert urllib.parse.parse_qs(asked)["max_age"] == ["300"]


def test_whose_factor_is_the_providers_is_told_to_log_in_again_and_then_goes_on(
    provider: Provider, browser: httpx.Client
) -> None:
    headers = {"X-Sentienguard-Request": "1"}

    def ask(method: str, path: str) -> tuple[int, str, str]:
        answer = browser.request(method, path, headers=headers)
        told = answer.json()
        return answer.status_code, told["type"].rpartition(":")[2], told["detail"]

    provider.forge = lambda one: {**one, "auth_time": int(time.time()) - 3600}
    as_person(provider, "old", amr=["hwk"])
    logged_in(browser)
    for method, path in (
        ("POST", "/api/v1/account/recovery-codes"),
        ("POST", "/api/v1/auth/step-up"),  # there is nothing here to show
    ):
        status, kind, detail = ask(method, path)
        assert (status, kind) == (403, "login-again"), path
        assert "`sentienguard login --sso`" in detail
    provider.forge = lambda one: {**one, "auth_time": int(time.time())}
    logged_in(browser)
    answer = browser.post("/api/v1/account/totp", json={"password": ""}, headers=headers)
    assert answer.status_code == 200, answer.text


def test_a_first_second_factor_needs_no_password_but_a_new_login(
    provider: Provider, browser: httpx.Client
) -> None:
    as_person(provider, "tom")
    logged_in(browser)
    headers = {"X-Sentienguard-Request": "1"}
    answer = browser.post("/api/v1/account/totp", json={"password": ""}, headers=headers)
    assert answer.status_code in {200, 422}, answer.text
    answer = browser.post("/api/v1/account/totp", json={"password": "none"}, headers=headers)
    assert answer.status_code == 200, answer.text


def test_every_refusal_is_recorded_with_its_reason_and_address(
    admin: httpx.Client, provider: Provider, browser: httpx.Client
) -> None:
    as_person(provider, "zoe", groups=["nothing"])
    assert why(logged_in(browser)) == "no-role"
    found = [one for one in entries(admin, "access.denied") if one["actor"] == "zoe@example.org"]
    assert [one["data"]["result"] for one in found] == ["denied_no-role"]
    assert found[0]["data"]["ip_address"] == "127.0.0.1"


def test_a_browser_that_came_under_another_name_is_not_sent_there(browser: httpx.Client) -> None:
    answer = browser.get(BEGIN, headers={"Host": "evil.example"})
    assert answer.status_code == 422
    assert "people_origin" in answer.json()["detail"]


def test_nothing_of_a_login_is_kept_here_neither_under_way_nor_afterwards(
    centre: Centre, provider: Provider, browser: httpx.Client
) -> None:
    as_person(provider, "kim", groups=["everybody"])
    answer = begun(browser)
    under_way = urllib.parse.parse_qs(urllib.parse.urlsplit(answer).query)
    [cookie] = [one.value or "" for one in browser.cookies.jar if "session" not in one.name]
    attempt = single_sign_on._read(cookie)
    assert attempt is not None
    asked = attempt.asked("")
    secrets = {
        "secret": cookie.split(".")[0], "raw secret": attempt.secret, "state": asked.state,
        "nonce": asked.nonce, "verifier": asked.verifier, "code": under_way["code"][0],
        "client secret": SECRET,
    }  # fmt: skip
    assert found_in(centre, secrets) == []
    assert browser.get(answer).status_code == 303
    assert me(browser)["name"] == "kim@example.org"
    assert found_in(centre, secrets) == []
    assert found_in(centre, {"name": "kim@example.org"}), "the search would notice it"


def found_in(centre: Centre, secrets: dict[str, str | bytes]) -> list[tuple[str, str]]:
    """Return which of these stand in which files of the control plane, its diary included."""
    files = [*(centre.data / "controlplane").rglob("*"), centre.data / "controlplane.log"]
    return [
        (file.name, what)
        for file in files
        if file.is_file()
        for what, one in secrets.items()
        if (one if isinstance(one, bytes) else one.encode()) in file.read_bytes()
    ]
