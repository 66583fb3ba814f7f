"""The question whether a command line is let in: what it shows, and who may answer it, once."""

import urllib.parse

import httpx
import pytest

from sentienguard.trust import code_challenge
from tests.servers.openid_provider import Provider
from tests.support import sign_on_fixtures as fixtures
from tests.support.centre_process import Centre
from tests.support.command_line_login import (
    CONFIRM,
    PORT,
    STATE,
    age,
    asked_for,
    denials,
    question,
    say,
    tickets,
)
from tests.support.sign_on import as_person

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]
running_provider, provider = fixtures.running_provider, fixtures.provider
centre, admin, browser = fixtures.centre, fixtures.admin, fixtures.browser


def test_a_question_is_over_after_five_minutes(
    centre: Centre, provider: Provider, browser: httpx.Client
) -> None:
    page = question(browser)
    age(centre, "command-line", 300)
    assert browser.get(CONFIRM).status_code == 403
    assert say(browser, page).status_code == 403


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


def test_a_question_is_answered_once(provider: Provider, browser: httpx.Client) -> None:
    page = question(browser)
    kept = browser.cookies["sentienguard_command_line"]
    assert say(browser, page).status_code == 303
    browser.cookies.set("sentienguard_command_line", kept)
    assert say(browser, page).status_code == 403
