"""The steps by which a command line is let in: its address, the question, the answer, the code.

Called by the tests of command lines that log in through a provider. The browser is a client that
keeps cookies and fills in the real pages.
"""

import contextlib
import html
import re
import sqlite3
import urllib.parse
from pathlib import Path
from typing import Any

import httpx

from sentienguard.trust import code_challenge
from tests.support import sign_on
from tests.support.centre_process import Centre
from tests.support.sign_on import entries

BEGIN, CONFIRM = "/api/v1/auth/command-line", "/api/v1/auth/command-line/confirm"
SESSION = "/api/v1/auth/command-line/session"
VERIFIER = "v" * 43
STATE = "s" * 43
MARK = re.compile(r'name="mark" value="([^"]+)"')
PORT = 45_678


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


def age(centre: Centre, purpose: str, seconds: int) -> None:
    """Have all of a purpose be older."""
    with contextlib.closing(sqlite3.connect(database(centre), timeout=20)) as opened, opened:
        opened.execute(
            "UPDATE tickets SET expires_us = expires_us - ? WHERE purpose = ?",
            (seconds * 1_000_000, purpose),
        )
