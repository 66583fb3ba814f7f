"""Log a real command line in through a real provider, and every way to be let in wrongly.

The browser is a client that keeps cookies and fills in the real pages; Chromium does the same in
tests/browser/test_browser_command_line.py.
"""

import base64
import contextlib
import html
import json
import re
import secrets
import sqlite3
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from sentienguard.controlplane import single_sign_on
from sentienguard.trust import code_challenge, totp
from tests.servers import openid_provider
from tests.servers.openid_provider import Provider
from tests.support import centre_process, sign_on
from tests.support.centre_process import Centre
from tests.support.sign_on import ENDS_WITHIN_S, CommandLine, as_person, entries

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]
BEGIN, CONFIRM = "/api/v1/auth/command-line", "/api/v1/auth/command-line/confirm"
SESSION = "/api/v1/auth/command-line/session"
VERIFIER = "v" * 43
STATE = "s" * 43
MARK = re.compile(r'name="mark" value="([^"]+)"')
CODE = re.compile(r'<p class="code">([a-z2-7-]{19})</p>')
PORT = 45_678


@pytest.fixture(scope="module")
def running_provider() -> Iterator[Provider]:
    with openid_provider.running() as provider:
        yield provider


@pytest.fixture(scope="module")
def centre(
    tmp_path_factory: pytest.TempPathFactory, running_provider: Provider
) -> Iterator[Centre]:
    with sign_on.running(tmp_path_factory.mktemp("command-line"), running_provider) as running:
        yield running


@pytest.fixture(scope="module")
def admin(centre: Centre) -> httpx.Client:
    return centre.login("admin@local")


@pytest.fixture
def provider(running_provider: Provider) -> Iterator[Provider]:
    running_provider.reset()
    yield running_provider
    running_provider.reset()


@pytest.fixture
def browser(centre: Centre) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=centre.people, timeout=30) as client:
        yield client


def asked_for(**changes: Any) -> dict[str, Any]:
    """Return what a command line puts into its address."""
    challenge = code_challenge.challenge(VERIFIER)
    said = {"challenge": challenge, "state": STATE, "machine": "laptop-7", "port": PORT}
    return said | changes


def question(browser: httpx.Client, **changes: Any) -> httpx.Response:
    """Sign in for a command line; return the page that asks."""
    there = sign_on.signed_in(browser, BEGIN, **asked_for(**changes))
    assert (there.status_code, there.headers["location"]) == (303, CONFIRM), there.text
    page = browser.get(CONFIRM)
    assert page.status_code == 200, page.text
    return page


def say(browser: httpx.Client, page: httpx.Response, answer: str = "yes") -> httpx.Response:
    found = MARK.search(page.text)
    assert found is not None, page.text
    return browser.post(CONFIRM, data={"mark": html.unescape(found[1]), "answer": answer})


def code_of(answer: httpx.Response) -> str:
    assert answer.status_code == 303, answer.text
    query = urllib.parse.urlsplit(answer.headers["location"]).query
    return urllib.parse.parse_qs(query)["code"][0]


def agreed(browser: httpx.Client, **changes: Any) -> str:
    """Return the code of a command line to which somebody said yes."""
    return code_of(say(browser, question(browser, **changes)))


def redeem(centre: Centre, code: str, verifier: str = VERIFIER) -> httpx.Response:
    return centre.anonymous().post(SESSION, json={"code": code, "verifier": verifier})


def bearing(centre: Centre, answer: httpx.Response) -> httpx.Client:
    """Return the command line that was let in."""
    assert answer.status_code == 200, answer.text
    assert "set-cookie" not in answer.headers
    client = centre.anonymous()
    client.headers["authorization"] = f"Bearer {answer.json()['token']}"
    return client


def denials(admin: httpx.Client, actor: str) -> list[str]:
    found = entries(admin, "access.denied")
    return [one["data"]["result"] for one in found if one["actor"] == actor]


def tickets(centre: Centre) -> list[tuple[Any, ...]]:
    with contextlib.closing(sqlite3.connect(database(centre))) as opened:
        return opened.execute("SELECT purpose, user_name, expires_us FROM tickets").fetchall()


def database(centre: Centre) -> Path:
    return centre.data / "controlplane/sentienguard.db"


def sentienguard(data: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "sentienguard.cli.main", *words, "--data", str(data), "--json"],
        capture_output=True, text=True, timeout=ENDS_WITHIN_S, check=False,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip


def at_home(browser: httpx.Client, address: str) -> None:
    """Have the browser ask the host of an address: cookies belong to it."""
    parts = urllib.parse.urlsplit(address)
    browser.base_url = f"{parts.scheme}://{parts.netloc}"


# The way in.


def test_a_command_line_is_let_in_by_the_browser_of_its_machine(
    centre: Centre, admin: httpx.Client, provider: Provider, browser: httpx.Client, tmp_path: Path
) -> None:
    as_person(provider, "ann")
    with CommandLine(centre, tmp_path) as cli:
        at_home(browser, cli.address)
        assert sign_on.signed_in(browser, cli.address).headers["location"] == CONFIRM
        page = browser.get(CONFIRM)
        for shown in (cli.shown, "ann@example.org", "this computer"):
            assert shown in page.text
        place = say(browser, page).headers["location"]
        assert place.startswith("http://127.0.0.1:")
        assert "Back to the terminal" in httpx.get(place).text
        status, said = cli.end()
        assert status == 0, said
        assert "as ann@example.org" in said
        assert cli.session["name"] == "ann@example.org"
        assert (tmp_path / "cli-token").stat().st_mode & 0o777 == 0o600
    found = sentienguard(tmp_path, "incidents", "list")
    assert found.returncode == 0, found.stderr
    [login] = [one for one in entries(admin, "user.login") if one["actor"] == "ann@example.org"]
    assert login["data"]["how"] == "provider, command line"
    assert login["data"]["agreed_from"] == "127.0.0.1"
    assert login["data"]["machine"]
    assert not [name for name in browser.cookies if "session" in name], "the browser is not in"


def test_a_command_line_without_a_browser_takes_a_code_by_hand(
    centre: Centre, provider: Provider, browser: httpx.Client, tmp_path: Path
) -> None:
    as_person(provider, "pat")
    with CommandLine(centre, tmp_path, "--paste") as cli:
        at_home(browser, cli.address)
        sign_on.signed_in(browser, cli.address)
        page = browser.get(CONFIRM)
        assert cli.shown in page.text
        assert "Nobody ever needs you to read the code to them." in page.text
        code = CODE.search(say(browser, page).text)
        assert code is not None
        status, said = cli.end(code[1].upper().replace("-", " ") + "\n")
        assert status == 0, said
        assert cli.session["name"] == "pat@example.org"


def test_a_session_is_renewed_and_ended_like_any_other(
    centre: Centre, provider: Provider, browser: httpx.Client
) -> None:
    as_person(provider, "ren")
    answer = redeem(centre, agreed(browser))
    cli = bearing(centre, answer)
    again = {"refresh_token": answer.json()["refresh_token"]}
    assert centre.anonymous().post("/api/v1/auth/refresh", json=again).status_code == 200
    assert cli.post("/api/v1/auth/logout").status_code == 204
    assert cli.get("/api/v1/auth/me").status_code == 401


# What lets nobody in: the code.


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


def test_a_question_is_over_after_five_minutes(
    centre: Centre, provider: Provider, browser: httpx.Client
) -> None:
    page = question(browser)
    age(centre, "command-line", 300)
    assert browser.get(CONFIRM).status_code == 403
    assert say(browser, page).status_code == 403


def age(centre: Centre, purpose: str, seconds: int) -> None:
    """Have all of a purpose be older."""
    with contextlib.closing(sqlite3.connect(database(centre), timeout=20)) as opened, opened:
        opened.execute(
            "UPDATE tickets SET expires_us = expires_us - ? WHERE purpose = ?",
            (seconds * 1_000_000, purpose),
        )


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


# What lets nobody in: where the code goes.


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


# What lets nobody in: who says yes.


def test_the_page_names_what_asks_and_nothing_can_press_its_button(
    provider: Provider, browser: httpx.Client
) -> None:
    as_person(provider, "pam")
    page = question(browser, machine="build-host.example")
    for shown in (
        "build-host.example", "pam@example.org", f"127.0.0.1:{PORT}",
        code_challenge.compared(asked_for()["challenge"]), "say no",
    ):  # fmt: skip
        assert shown in page.text
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    assert "frame-ancestors 'none'" in policy
    assert f"form-action 'self' http://127.0.0.1:{PORT};" in policy
    assert "unsafe" not in policy
    assert "<script" not in page.text
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["referrer-policy"] == "no-referrer"
    [kept] = [vars(one) for one in browser.cookies.jar if one.name == "sentienguard_command_line"]
    assert kept["_rest"] == {"HttpOnly": None, "SameSite": "lax"}


@pytest.mark.parametrize("body", [
    {}, {"answer": "yes"}, {"answer": "yes", "mark": ""}, {"answer": "yes", "mark": "x" * 43},
    {"answer": "yes", "mark": "é"}, {"answer": "yes", "mark": "m" * 5000},
])  # fmt: skip
def test_a_yes_that_came_from_no_page_of_ours_is_none(
    admin: httpx.Client, provider: Provider, browser: httpx.Client, body: dict[str, str]
) -> None:
    page = question(browser)
    assert browser.post(CONFIRM, data=body).status_code == 403
    assert "denied_not-our-page" in denials(admin, "")
    assert say(browser, page).status_code == 303, "the question still stands"


def test_a_page_answers_in_the_browser_that_signed_in_alone(
    centre: Centre, provider: Provider, browser: httpx.Client
) -> None:
    """An attacker's page that is shown to, or posted by, somebody else's browser."""
    page = question(browser)
    with httpx.Client(base_url=centre.people) as another:
        assert another.get(CONFIRM).status_code == 403
        assert say(another, page).status_code == 403
        as_person(provider, "vic")
        mine = question(another)
        assert say(another, page).status_code == 403, "the mark is of another question"
        assert say(another, mine).status_code == 303


def test_asking_looking_and_looking_again_give_no_code(
    centre: Centre, provider: Provider, browser: httpx.Client
) -> None:
    as_person(provider, "loo")
    for _ in range(2):
        question(browser)
        assert browser.get(CONFIRM, params={"answer": "yes"}).status_code == 200
        assert browser.head(CONFIRM).status_code in {200, 405}
    purposes = {one[0] for one in tickets(centre) if one[1] == "loo@example.org"}
    assert purposes == {"command-line"}


@pytest.mark.parametrize("answer", ["no", "", "Yes", "maybe"])
def test_a_no_lets_nobody_in_and_is_on_record(
    admin: httpx.Client, provider: Provider, browser: httpx.Client, answer: str
) -> None:
    name = f"nay{len(answer)}"
    as_person(provider, name)
    said = say(browser, question(browser, port=0), answer)
    assert (said.status_code, "location" in said.headers) == (200, False)
    assert "Nobody was let in" in said.text
    page = question(browser)
    place = urllib.parse.urlsplit(say(browser, page, answer).headers["location"])
    assert place.netloc == f"127.0.0.1:{PORT}"
    assert urllib.parse.parse_qs(place.query) == {"error": ["access_denied"], "state": [STATE]}
    assert say(browser, page).status_code == 403, "it was answered"
    assert "denied_by-its-person" in denials(admin, f"{name}@example.org")


def test_a_terminal_hears_the_no_of_its_browser(
    centre: Centre, provider: Provider, browser: httpx.Client, tmp_path: Path
) -> None:
    with CommandLine(centre, tmp_path) as cli:
        at_home(browser, cli.address)
        sign_on.signed_in(browser, cli.address)
        httpx.get(say(browser, browser.get(CONFIRM), "no").headers["location"])
        status, said = cli.end()
        assert status == 1
        assert "no was said in the browser" in said
        assert cli.session is None


def test_a_question_is_answered_once(provider: Provider, browser: httpx.Client) -> None:
    page = question(browser)
    kept = browser.cookies["sentienguard_command_line"]
    assert say(browser, page).status_code == 303
    browser.cookies.set("sentienguard_command_line", kept)
    assert say(browser, page).status_code == 403


def test_a_code_of_somebody_else_that_is_put_into_a_command_line_does_not_log_it_in(
    centre: Centre, admin: httpx.Client, provider: Provider, browser: httpx.Client, tmp_path: Path
) -> None:
    """The attacker knows the state, and has the command line take a code of the attacker's."""
    as_person(provider, "mallory")
    with CommandLine(centre, tmp_path) as cli:
        theirs = urllib.parse.parse_qs(urllib.parse.urlsplit(cli.address).query)
        place = f"http://127.0.0.1:{theirs['port'][0]}/"
        code = agreed(browser)  # of the attacker's own verifier
        assert httpx.get(place, params={"code": code, "state": "x" * 43}).status_code == 404
        assert (
            httpx.get(place, params={"code": code, "state": theirs["state"][0]}).status_code == 200
        )
        status, said = cli.end()
        assert status == 1, said
        assert cli.session is None
    assert "denied_other-command-line" in denials(admin, "mallory@example.org")


def test_a_command_line_that_names_its_person_takes_no_other(
    centre: Centre, admin: httpx.Client, provider: Provider, browser: httpx.Client, tmp_path: Path
) -> None:
    """Login CSRF with the whole address known: the attacker says yes as themselves."""
    as_person(provider, "eve")
    with CommandLine(centre, tmp_path, "--name", "zed@example.org") as cli:
        at_home(browser, cli.address)
        sign_on.signed_in(browser, cli.address)
        httpx.get(say(browser, browser.get(CONFIRM)).headers["location"])
        status, said = cli.end()
        assert status == 1
        assert "signed in as eve@example.org, expected zed@example.org" in " ".join(said.split())
        assert cli.session is None
    ended = [
        one["data"] for one in entries(admin, "session.ended") if one["actor"] == "eve@example.org"
    ]
    assert [one["because"] for one in ended] == ["logout"]


# What the login may do.


def test_groups_decide_as_in_the_browser(
    centre: Centre, provider: Provider, browser: httpx.Client
) -> None:
    as_person(provider, "ida", groups=["everybody"])
    cli = bearing(centre, redeem(centre, agreed(browser)))
    assert cli.get("/api/v1/auth/me").json()["roles"] == sign_on.GROUPS["everybody"]
    as_person(provider, "ido", groups=["unheard-of"])
    answer = sign_on.signed_in(browser, BEGIN, **asked_for())
    assert answer.headers["location"] == "/login?why=no-role"
    assert browser.get(CONFIRM).status_code == 403


def test_a_second_factor_is_asked_for_again_where_much_is_at_stake(
    centre: Centre, provider: Provider, browser: httpx.Client
) -> None:
    as_person(provider, "tim")
    cli = bearing(centre, redeem(centre, agreed(browser)))
    begun = cli.post("/api/v1/account/totp", json={"password": "none"}).json()
    now = totp.code(base64.b32decode(begun["secret"]), int(time.time()) // 30)
    said = {"ticket": begun["ticket"], "code": now, "label": "app"}
    made = cli.post("/api/v1/account/totp/confirm", json=said)
    assert made.status_code == 201, made.text
    another = bearing(centre, redeem(centre, agreed(browser)))
    at_stake = "/api/v1/account/recovery-codes"
    assert another.post(at_stake).json()["type"].endswith(":step-up")
    step = another.post("/api/v1/auth/step-up").json()
    shown = {"ticket": step["ticket"], "recovery": made.json()["recovery_codes"][0]}
    assert another.post("/api/v1/auth/step-up/second", json=shown).status_code == 204
    assert another.post(at_stake).status_code == 201


def test_a_second_factor_is_as_old_as_the_provider_says_not_as_the_yes(
    centre: Centre, provider: Provider, browser: httpx.Client
) -> None:
    as_person(provider, "tom")
    assert strong(bearing(centre, redeem(centre, agreed(browser)))) is None
    shown = int(time.time()) - 240
    provider.forge = lambda one: {**one, "amr": ["hwk"], "auth_time": shown}
    kept = strong(bearing(centre, redeem(centre, agreed(browser))))
    assert kept is not None
    assert kept[:16] == time.strftime("%Y-%m-%dT%H:%M", time.gmtime(shown))


def strong(cli: httpx.Client) -> Any:
    logins = cli.get("/api/v1/account").json()["logins"]
    return next(one["strong_at"] for one in logins if one["this"])


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


# What the owner and the machine say.


def test_the_owner_closes_the_ways_of_command_lines(
    tmp_path: Path, running_provider: Provider
) -> None:
    running_provider.reset()
    (tmp_path / "centre").mkdir()
    with sign_on.running(tmp_path / "centre", running_provider, command_line=["browser"]) as centre:
        assert centre.anonymous().get("/api/v1/auth/ways").json()["command_line"] == ["browser"]
        closed = centre.anonymous().get(BEGIN, params=asked_for(port=0))
        assert closed.status_code == 422
        assert "closed this way (paste)" in closed.json()["detail"]
        assert centre.anonymous().get(BEGIN, params=asked_for()).status_code == 303
        found = sentienguard(tmp_path, "login", "--sso", "--paste", "--server", centre.people)
        assert found.returncode == 1
        assert "without --paste" in found.stderr


def test_a_control_plane_without_a_provider_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "centre").mkdir()
    with centre_process.running(tmp_path / "centre") as plain:
        found = sentienguard(tmp_path, "login", "--sso", "--server", plain.people)
        assert found.returncode == 1
        assert "log in with --name" in found.stderr
        for method, place in (
            ("GET", BEGIN), ("GET", CONFIRM), ("POST", CONFIRM), ("POST", SESSION),
        ):  # fmt: skip
            answer = plain.anonymous().request(
                method, place, params=asked_for() if method == "GET" else None,
                json={"code": "x", "verifier": VERIFIER} if place == SESSION else None,
            )  # fmt: skip
            assert answer.status_code == 404, (method, place, answer.text)
