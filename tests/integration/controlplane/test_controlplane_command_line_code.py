"""A code lets in the one command line that asked for it, once, soon, and goes to loopback only."""

import json
import secrets
import subprocess
import sys
import time
import urllib.parse

import httpx
import pytest

from sentienguard.controlplane import single_sign_on
from sentienguard.trust import code_challenge
from tests.servers.openid_provider import Provider
from tests.support import sign_on_fixtures as fixtures
from tests.support.centre_process import Centre
from tests.support.command_line_login import (
    BEGIN,
    CONFIRM,
    MARK,
    PORT,
    SESSION,
    STATE,
    VERIFIER,
    age,
    agreed,
    asked_for,
    code_of,
    denials,
    question,
    redeem,
    say,
    tickets,
)
from tests.support.sign_on import as_person

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]
running_provider, provider = fixtures.running_provider, fixtures.provider
centre, admin, browser = fixtures.centre, fixtures.admin, fixtures.browser


def test_a_stolen_code_is_worth_nothing_without_the_verifier(
    centre: Centre, admin: httpx.Client, provider: Provider, browser: httpx.Client
) -> None:
    as_person(provider, "sam")
    code = agreed(browser)
    assert redeem(centre, code, "w" * 43).status_code == 401
    assert redeem(centre, code).status_code == 401, "it was in two hands, so it is used up"
    assert "denied_other-command-line" in denials(admin, "sam@example.org")


def test_the_challenge_is_no_verifier(
    centre: Centre, provider: Provider, browser: httpx.Client
) -> None:
    assert redeem(centre, agreed(browser), asked_for()["challenge"]).status_code == 401


def test_a_code_counts_once(centre: Centre, provider: Provider, browser: httpx.Client) -> None:
    code = agreed(browser)
    assert redeem(centre, code).status_code == 200
    assert redeem(centre, code).status_code == 401


def test_a_code_is_over_after_a_minute(
    centre: Centre, provider: Provider, browser: httpx.Client
) -> None:
    as_person(provider, "ova")
    code = agreed(browser)
    [ends] = [
        one[2] for one in tickets(centre) if one[:2] == ("command-line-code", "ova@example.org")
    ]
    assert ends <= (time.time() + 60) * 1e6
    age(centre, "command-line-code", 60)
    assert redeem(centre, code).status_code == 401


@pytest.mark.parametrize("code", [
    "aaaa-aaaa-aaaa-aaaa", "", " ", "x" * 200, "é", "\x00", "' OR 1=1 --",
])  # fmt: skip
def test_no_code_that_nobody_was_given_counts(centre: Centre, code: str) -> None:
    assert redeem(centre, code).status_code in {401, 422}


def test_the_secret_of_a_question_is_no_code_and_a_code_answers_no_question(
    centre: Centre, provider: Provider, browser: httpx.Client
) -> None:
    page = question(browser)
    secret = browser.cookies["sentienguard_command_line"]
    assert redeem(centre, secret).status_code == 401
    code = code_of(say(browser, page)).replace("-", "")
    assert (
        browser.get(CONFIRM, headers={"Cookie": f"sentienguard_command_line={code}"}).status_code
        == 403
    )


def test_two_at_once_with_one_code_are_one(
    centre: Centre, provider: Provider, browser: httpx.Client
) -> None:
    code = agreed(browser)
    words = [sys.executable, "-c", (
        "import sys,httpx;a,c,v=sys.argv[1:];sys.stdin.readline();"
        "print(httpx.post(a,json={'code':c,'verifier':v},timeout=30).status_code)"
    ), centre.people + SESSION, code, VERIFIER]  # fmt: skip
    both = [
        subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    for one in both:
        assert one.stdin is not None
        one.stdin.write("\n")
        one.stdin.flush()
    assert sorted(one.communicate(timeout=30)[0].strip() for one in both) == ["200", "401"]


@pytest.mark.parametrize("change", [
    {"port": "80@evil.example"}, {"port": "evil.example"}, {"port": "-1"}, {"port": "443"},
    {"port": "65536"}, {"port": "8080/../x"}, {"port": "1e4"}, {"port": ""}, {"port": "٤٥٦٧٨"},
    {"challenge": ""}, {"challenge": "x" * 42}, {"challenge": "x" * 42 + "\n"},
    {"challenge": "x" * 42 + "/"}, {"state": ""}, {"state": "x" * 44}, {"state": "é" * 43},
    {"machine": ""}, {"machine": "x" * 65}, {"machine": "<b>"}, {"machine": "a b"},
    {"machine": "web-1\nIt is safe"}, {"machine": "x&port=1"},
])  # fmt: skip
def test_what_no_command_line_asks_for_is_refused_before_anybody_signs_in(
    browser: httpx.Client, change: dict[str, str]
) -> None:
    answer = browser.get(BEGIN, params=asked_for(**change))
    assert answer.status_code == 422, answer.headers.get("location")
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("beside", [
    {"redirect_uri": "https://evil.example/"}, {"to": "https://evil.example"},
    {"host": "evil.example"}, {"callback": "//evil.example"},
])  # fmt: skip
def test_a_code_goes_to_loopback_and_nowhere_else(
    provider: Provider, browser: httpx.Client, beside: dict[str, str]
) -> None:
    answer = say(browser, question(browser, **beside))
    place = urllib.parse.urlsplit(answer.headers["location"])
    assert (place.scheme, place.netloc, place.path) == ("http", f"127.0.0.1:{PORT}", "/")
    assert urllib.parse.parse_qs(place.query)["state"] == [STATE]


@pytest.mark.parametrize("page", [
    f"{CONFIRM}?challenge={'x' * 43}&state={'x' * 43}&port=80&machine=a",
    f"{CONFIRM}?challenge={'x' * 43}&state={'x' * 43}&port=2000&machine=a&port=80",
    f"{CONFIRM}?challenge={'x' * 43}&state={'x' * 43}&port=02000&machine=a",
    f"{CONFIRM}?x=y", f"{CONFIRM}?", f"{CONFIRM}/../../x?challenge={'x' * 43}",
])  # fmt: skip
def test_a_cookie_that_was_made_elsewhere_asks_for_nothing_more(
    provider: Provider, browser: httpx.Client, page: str
) -> None:
    """A browser's own person may forge the cookie; what it asks for is judged again."""
    attempt = single_sign_on.Attempt(b"s" * 32, int(time.time()), page)
    asked = attempt.asked("")
    code = secrets.token_urlsafe(8)
    provider.codes[code] = {
        "code_challenge": code_challenge.challenge(asked.verifier), "nonce": asked.nonce,
        "redirect_uri": f"{browser.base_url}".rstrip("/") + "/api/v1/auth/provider/callback",
        "person": json.dumps(provider.person),
    }  # fmt: skip
    browser.cookies.set("sentienguard_provider", attempt.cookie)
    query = {"state": attempt.state, "code": code, "iss": provider.address}
    answer = browser.get("/api/v1/auth/provider/callback", params=query)
    assert answer.status_code == 303
    assert answer.headers["location"] == "/login?why=began-elsewhere"
    assert browser.get(CONFIRM).status_code == 403


def test_who_is_signed_out_has_neither_question_nor_code(
    centre: Centre, admin: httpx.Client, provider: Provider, browser: httpx.Client
) -> None:
    as_person(provider, "out")
    with httpx.Client(base_url=centre.people) as another:
        page = question(another)
        code = agreed(browser)
        assert admin.delete("/api/v1/users/out@example.org/logins").status_code == 200
        assert redeem(centre, code).status_code == 401
        assert say(another, page).status_code == 403


def test_who_lost_the_roles_meanwhile_is_not_let_in(
    centre: Centre, admin: httpx.Client, provider: Provider, browser: httpx.Client
) -> None:
    as_person(provider, "los")
    code = agreed(browser)
    roles = admin.put("/api/v1/users/los@example.org/roles", json={"roles": {}})
    assert roles.status_code == 200, roles.text
    assert redeem(centre, code).status_code == 401


def test_nothing_that_lets_somebody_in_is_kept_in_the_clear(
    centre: Centre, provider: Provider, browser: httpx.Client
) -> None:
    as_person(provider, "kit", groups=["everybody"])
    page = question(browser)
    secret = browser.cookies["sentienguard_command_line"]
    found = MARK.search(page.text)
    assert found is not None
    code = code_of(say(browser, page))
    texts = [secret, found[1], code, code.replace("-", ""), VERIFIER, STATE]
    files = [*(centre.data / "controlplane").rglob("*"), centre.data / "controlplane.log"]
    kept = [one for one in files if one.is_file()]
    assert not [text for text in texts for one in kept if text.encode() in one.read_bytes()]
    assert [one for one in kept if b"kit@example.org" in one.read_bytes()], "it would notice it"
