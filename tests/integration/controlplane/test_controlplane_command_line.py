"""Log a real command line in through a real provider: whom it lets in, and what the login may do.

The browser is a client that keeps cookies and fills in the real pages; Chromium does the same in
tests/browser/test_browser_command_line.py.
"""

import base64
import re
import subprocess
import sys
import time
import urllib.parse
from pathlib import Path
from typing import Any

import httpx
import pytest

from sentienguard.trust import totp
from tests.servers.openid_provider import Provider
from tests.support import centre_process, sign_on
from tests.support import sign_on_fixtures as fixtures
from tests.support.centre_process import Centre
from tests.support.command_line_login import (
    BEGIN,
    CONFIRM,
    SESSION,
    VERIFIER,
    agreed,
    asked_for,
    bearing,
    denials,
    redeem,
    say,
)
from tests.support.sign_on import ENDS_WITHIN_S, CommandLine, as_person, entries

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]
running_provider, provider = fixtures.running_provider, fixtures.provider
centre, admin, browser = fixtures.centre, fixtures.admin, fixtures.browser
CODE = re.compile(r'<p class="code">([a-z2-7-]{19})</p>')


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
