"""Every page of the dashboard in a real Chromium against the real server, after a real drill.

Each page is opened at its address, must show what it is for, must not write to the console's error
list, and may ask nobody but the server. Screenshots are kept in `.artifacts/screenshots`.
"""

import re
from pathlib import Path

import pytest
from playwright import sync_api

from tests.support import installation

pytestmark = [pytest.mark.stories, pytest.mark.timeout(180)]
SCREENSHOTS = Path(__file__).resolve().parents[2] / ".artifacts/screenshots"
CHROMIUM = "/usr/bin/chromium"
FLAGS = (
    "--no-sandbox",  # tests may run as root
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


class Watched:
    """A page, with what it complained about and whom it asked."""

    def __init__(self, page, server):
        self.page, self.server = page, server
        self.complaints, self.strangers = [], []
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", self._asked)

    def _said(self, message):
        if message.type == "error":
            self.complaints.append(message.text)

    def _asked(self, request):
        if not request.url.startswith((self.server, "data:")):
            self.strangers.append(request.url)

    def open(self, path, name, shows):
        self.page.goto(self.server + path)
        sync_api.expect(self.page.get_by_text(re.compile(shows)).first).to_be_visible(
            timeout=15_000
        )
        self.page.wait_for_timeout(300)  # charts draw after the text
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    with installation.running(tmp_path_factory.mktemp("browser")) as found:
        found.result = found.perform("disk-full")
        found.failed = found.perform("service-broken-fix")
        yield found


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as driver:
        launched = driver.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield launched
        launched.close()


@pytest.fixture
def watched(installed, browser, request):
    context = browser.new_context(
        color_scheme=getattr(request, "param", "light"), viewport={"width": 1280, "height": 900}
    )
    page = Watched(context.new_page(), installed.running.address)
    login = installed.running.login
    page.page.goto(page.server)
    page.page.get_by_label("Name").fill(login.name)
    page.page.get_by_role("textbox", name="Password").fill(login.password)
    page.page.get_by_role("button", name=re.compile("log in|sign in", re.IGNORECASE)).click()
    sync_api.expect(page.page.get_by_role("heading").first).to_be_visible()
    sync_api.expect(page.page.get_by_role("textbox", name="Password")).to_have_count(0)
    page.complaints.clear()  # the first question who one is was answered with 401
    yield page
    context.close()
    assert page.complaints == []
    assert page.strangers == []


PAGES = [
    ("/", "overview", "Latest incidents"),
    ("/incidents", "incidents", "Service health drill-web"),
    ("/approvals", "approvals", "[Nn]othing|[Nn]o "),
    ("/playbooks", "playbooks", "disk_cleanup_rotated_logs"),
    ("/playbooks/disk_cleanup_rotated_logs", "playbook", "max_per_hour"),
    ("/hosts", "hosts", "drill"),
    ("/audit", "audit", "incident.closed"),
    ("/questions?text=What+was+tried%3F", "questions", "entry|\\[[0-9]+\\]"),
    ("/notices", "notices", "Nobody is told of anything"),
    ("/backtests", "backtests", "No server to read"),
]


@pytest.mark.parametrize(("path", "name", "shows"), PAGES, ids=[page[1] for page in PAGES])
def test_page_shows_what_it_is_for(watched, path, name, shows):
    watched.open(path, name, shows)


@pytest.mark.parametrize("watched", ["light", "dark"], indirect=True)
def test_a_resolved_incident_is_told_from_the_fault_to_the_proof(installed, watched, request):
    name = request.node.callspec.params["watched"]
    watched.open(f"/incidents/{installed.result.incident}", f"story-{name}", "delete.numbered.logs")
    for claim in ("disk_cleanup_rotated_logs", "earned_autonomy", "confidence", "/logs"):
        found = watched.page.get_by_text(re.compile(claim, re.IGNORECASE)).first
        sync_api.expect(found).to_be_attached()


def test_a_failed_remedy_shows_its_undo(installed, watched):
    watched.open(f"/incidents/{installed.failed.incident}", "story-rolled-back", "rolled back")
    undo = watched.page.get_by_text(re.compile("undo", re.IGNORECASE)).first
    sync_api.expect(undo).to_be_visible()


def test_the_log_verifies_at_a_click(watched):
    watched.open("/audit", "audit-verify", "incident.closed")
    watched.page.get_by_role("button", name=re.compile("verify", re.IGNORECASE)).first.click()
    sync_api.expect(watched.page.get_by_text(re.compile("hash to the signed root"))).to_be_visible()
    watched.page.screenshot(path=SCREENSHOTS / "audit-verified.png", full_page=True)


def test_the_kill_switch_is_in_reach_and_shown(watched):
    watched.open("/", "before-freeze", "Latest incidents")
    page, expect = watched.page, sync_api.expect
    page.get_by_role("button", name="Freeze", exact=True).click()
    page.get_by_role("textbox").fill("trying the switch")
    page.get_by_role("button", name="Freeze everything").click()
    expect(page.get_by_text("trying the switch").first).to_be_visible()
    page.screenshot(path=SCREENSHOTS / "frozen.png", full_page=True)
    page.get_by_role("button", name="Unfreeze", exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name="Unfreeze").click()
    expect(page.get_by_role("button", name="Freeze", exact=True)).to_be_visible()
