"""Let a real command line in with a real browser: its policies of content and of forms hold here.

Chromium applies `form-action` to where a form is redirected, so the code comes through only where
the page's own policy names the one port.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright import sync_api

from tests.browser.test_browser_access import look
from tests.browser.test_browser_pages import CHROMIUM, FLAGS
from tests.servers import openid_provider
from tests.servers.openid_provider import Provider
from tests.support import sign_on
from tests.support.centre_process import Centre
from tests.support.sign_on import CommandLine

pytestmark = [pytest.mark.stories, pytest.mark.timeout(240)]
expect = sync_api.expect


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with openid_provider.running() as running:
        yield running


@pytest.fixture(scope="module")
def centre(tmp_path_factory: pytest.TempPathFactory, provider: Provider) -> Iterator[Centre]:
    with sign_on.running(tmp_path_factory.mktemp("command-line"), provider) as running:
        yield running


@pytest.fixture(params=["light desktop", "dark phone"])
def page(request: pytest.FixtureRequest) -> Iterator[Any]:
    scheme, device = request.param.split()
    size = {"width": 390, "height": 844} if device == "phone" else {"width": 1280, "height": 800}
    with sync_api.sync_playwright() as driver:
        launched = driver.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        opened = launched.new_context(color_scheme=scheme, viewport=size).new_page()  # type: ignore[arg-type]
        opened.set_default_timeout(20_000)
        yield opened
        launched.close()


def names(page: Any, what: str) -> str:
    return f"command-line-{what}-{page.viewport_size['width']}"


def test_a_yes_in_the_browser_lets_the_terminal_in(
    centre: Centre, provider: Provider, page: Any, tmp_path: Path
) -> None:
    provider.reset()
    sign_on.as_person(provider, "bea")
    with CommandLine(centre, tmp_path) as cli:
        page.goto(cli.address)
        expect(page.get_by_text(cli.shown)).to_be_visible()
        expect(page.get_by_text("bea@example.org")).to_be_visible()
        look(page, names(page, "question"))
        page.get_by_role("button", name="Yes, let it in").click()
        expect(page.get_by_role("heading", name="Back to the terminal")).to_be_visible()
        status, said = cli.end()
        assert status == 0, said
        assert cli.session["name"] == "bea@example.org"


def test_a_code_is_shown_to_be_carried_and_a_no_shows_none(
    centre: Centre, provider: Provider, page: Any, tmp_path: Path
) -> None:
    provider.reset()
    sign_on.as_person(provider, "cem")
    with CommandLine(centre, tmp_path, "--paste") as cli:
        page.goto(cli.address)
        page.get_by_role("button", name="No, I did not start this").click()
        expect(page.get_by_role("heading", name="Nobody was let in")).to_be_visible()
        page.goto(cli.address)
        page.get_by_role("button", name="Yes, let it in").click()
        shown = page.locator("p.code")
        expect(shown).to_have_text(re.compile(r"[a-z2-7]{4}(-[a-z2-7]{4}){3}"))
        look(page, names(page, "code"))
        status, said = cli.end(f"{shown.inner_text()}\n")
        assert status == 0, said
        assert cli.session["name"] == "cem@example.org"


def test_another_place_that_is_posted_from_gets_nothing(
    centre: Centre, provider: Provider, page: Any, tmp_path: Path
) -> None:
    """A page of somebody else's posts the form of its own, and frames ours."""
    provider.reset()
    with CommandLine(centre, tmp_path) as cli:
        page.goto(cli.address)
        place = page.url
        page.goto(f"{provider.address}/nothing")
        page.set_content(
            f'<iframe src="{place}"></iframe><form method="post" action="{place}">'
            '<input name="answer" value="yes"><button>Win</button></form>'
        )
        page.wait_for_load_state()
        assert "Let a command line in?" not in page.frames[-1].content()
        page.get_by_role("button", name="Win").click()
        expect(page.get_by_role("heading", name="There is no question here")).to_be_visible()
        assert cli.process.poll() is None, "it goes on waiting"
