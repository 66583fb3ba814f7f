"""Every page of the dashboard in a real Chromium against the real server, after a real drill.

Each page is opened at its address, must show what it is for, must not write to the console's error
list, and may ask nobody but the server. It is looked at dark and light, on a desk and on a phone.
Screenshots are kept in `.artifacts/screenshots`. What needs people at work or other senders
(alerts, topology, maintenance, quarantine) is looked at in test_browser_handling.py.
"""

import contextlib
import re
from datetime import UTC, datetime, timedelta

import pytest
from playwright import sync_api

from tests.support import installation, page_forms
from tests.support.page_forms import SCREENSHOTS

pytestmark = [pytest.mark.stories, pytest.mark.timeout(240)]
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
        self.foreseen = []  # ends of addresses whose refusals the browser reports: no complaints
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", self._asked)

    def _said(self, message):
        where = message.location.get("url", "")
        if message.type == "error" and not where.endswith(tuple(self.foreseen)):
            self.complaints.append(message.text)

    def _asked(self, request):
        if not request.url.startswith((self.server, "data:")):
            self.strangers.append(request.url)

    def visit(self, path, shows):
        self.page.goto(self.server + path)
        shown = self.page.get_by_text(re.compile(shows)).filter(visible=True)
        sync_api.expect(shown.first).to_be_visible()

    def sign_in(self, login):
        self.page.goto(self.server)
        self.page.get_by_label("Name").fill(login.name)
        self.page.get_by_role("textbox", name="Password").fill(login.password)
        self.page.get_by_role("button", name=re.compile("log in|sign in", re.IGNORECASE)).click()
        sync_api.expect(self.page.get_by_role("heading").first).to_be_visible()
        sync_api.expect(self.page.get_by_role("textbox", name="Password")).to_have_count(0)
        self.complaints.clear()  # the first question who one is was answered with 401

    def open(self, path, name, shows):
        self.visit(path, shows)
        self.page.wait_for_timeout(300)  # charts draw after the text
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    with installation.running(tmp_path_factory.mktemp("browser")) as found:
        found.result = found.perform("disk-full")
        found.failed = found.perform("service-broken-fix")
        found.asked = furnish(found)
        yield found


def furnish(installed):
    """Let there be something to look at on pages that a drill does not fill; ask for a run."""
    silence = {"matchers": [{"label": "metric", "comparison": "=~", "value": "system.load.*"}],
               "minutes": 60, "reason": "the nightly batch"}  # fmt: skip
    person = {
        "name": "rita.with-a-rather-long-name@example-company.test",
        "password": "a password for tests",
        "roles": {"*": "remediation_authority"},
    }
    today = datetime.now(UTC).date()
    days = {"from": str(today - timedelta(days=1)), "to": str(today)}
    with installed.client() as asked:
        asked.post("/silences", silence)
        asked.post("/users", person)
        asked.post("/evidence", {"framework": "soc2", **days})
        wanted = {"host": asked.get("/hosts")["items"][0]["agent_id"],
                  "parameters": {"service": "drill-web"}}  # fmt: skip
        opened = asked.post("/playbooks/service_restart_hung/runs", wanted)["id"]
        installation.wait_for(lambda: asked.get(f"/incidents/{opened}")["approval"], "a question")
        installation.wait_for(
            lambda: asked.get("/evidence")["items"][0]["state"] == "done", "a package"
        )
    return {"asked": opened, "host": wanted["host"]}


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as driver:
        launched = driver.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield launched
        launched.close()


@pytest.fixture
def watched(installed, browser):
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = Watched(context.new_page(), installed.running.address)
    page.sign_in(installed.running.login)
    yield page
    context.close()
    assert page.complaints == []
    assert page.strangers == []


@pytest.fixture(scope="module")
def session(installed, browser):
    """A page that is signed in once: a login is slow by intent, and most tests only look."""
    context = browser.new_context()
    page = Watched(context.new_page(), installed.running.address)
    page.sign_in(installed.running.login)
    yield page
    context.close()


@pytest.fixture
def signed_in(session):
    session.complaints.clear()
    session.strangers.clear()
    return session


PAGES = [
    ("/", "overview", "Nobody has taken these up"),
    ("/incidents", "incidents", "Service health drill-web"),
    ("/incidents?text=nothing-has-this", "incidents-none", "No incident matches"),
    ("/incidents?severity=critical", "incidents-narrowed", "More filters: 1 set"),
    ("/incidents/{resolved}", "incident-resolved", "delete.numbered.logs"),
    ("/incidents/{undone}", "incident-undone", "all of it was undone"),
    ("/incidents/{asked}", "incident-asked", "service_restart_hung waits for a yes"),
    ("/approvals", "approvals", "Estimated duration"),
    ("/alerts", "alerts-none", "No alert has come"),
    ("/silences", "silences", "the nightly batch"),
    ("/silences?kind=maintenance", "maintenance-none", "No maintenance is planned"),
    ("/topology", "topology-none", "No call was told of"),
    ("/hosts", "hosts", "drill"),
    ("/hosts/{host}", "host", "all [0-9]+ rules"),
    ("/playbooks", "playbooks", "disk_cleanup_rotated_logs"),
    ("/playbooks/disk_cleanup_rotated_logs", "playbook", "max_per_hour"),
    ("/audit", "audit", "incident.closed"),
    ("/audit/proof/3", "proof", "^included$"),
    ("/evidence", "evidence", "SHA-256 of its manifest"),
    ("/calibration", "calibration", "Brier"),
    ("/settings", "settings", "people_port"),
    ("/questions", "questions-none", "Nothing asked yet"),
    ("/questions?text=What+was+tried%3F", "questions", "entry|\\[[0-9]+\\]"),
    ("/notices", "notices-none", "Nobody is told of anything"),
    ("/drills", "drills", "No report of all drills here"),
    ("/backtests", "backtests-none", "No server to read"),
    ("/users", "users", "rita.with-a-rather-long-name"),
    ("/account", "account-without-factors", "Your password alone opens this account"),
    ("/nowhere", "nowhere", "There is no such page"),
]


@pytest.mark.parametrize(("path", "name", "shows"), PAGES, ids=[page[1] for page in PAGES])
def test_page_shows_what_it_is_for_in_each_form(installed, signed_in, path, name, shows):
    ids = {"resolved": installed.result.incident, "undone": installed.failed.incident}
    signed_in.visit(path.format(**ids, **installed.asked), shows)
    page_forms.keep_all(signed_in.page, name)
    assert signed_in.complaints == []
    assert signed_in.strangers == []


def test_the_login_is_readable_in_each_form(installed, browser):
    with contextlib.closing(browser.new_context()) as context:
        page = Watched(context.new_page(), installed.running.address)
        page.visit("/login", "The first login was printed")
        page_forms.keep_all(page.page, "login")


def test_a_resolved_incident_is_told_from_the_fault_to_the_proof(installed, watched):
    watched.open(f"/incidents/{installed.result.incident}", "story", "delete.numbered.logs")
    for claim in ("disk_cleanup_rotated_logs", "earned_autonomy", "confidence", "/logs"):
        found = watched.page.get_by_text(re.compile(claim, re.IGNORECASE)).first
        sync_api.expect(found).to_be_attached()


def test_an_address_leads_to_the_part_that_it_names(installed, watched):
    incident, expect = installed.result.incident, sync_api.expect
    watched.visit(f"/incidents/{incident}#execute", "delete.numbered.logs")
    page = watched.page
    expect(page.locator("#execute")).to_be_in_viewport()
    page.get_by_role("link", name="Post-mortem").click()
    expect(page.locator("#post-mortem")).to_be_in_viewport()
    page.get_by_role("button", name="Show the draft").click()
    expect(page.get_by_label("Draft of the post-mortem")).to_contain_text(incident)
    page_forms.keep_all(page, "post-mortem")


def test_the_log_is_looked_through_by_kind_time_and_number(installed, watched):
    page, expect = watched.page, sync_api.expect
    watched.visit("/audit?kind=order.", "order.finished")
    table = page.get_by_role("region", name="Audit entries")
    expect(table.get_by_text("incident.closed")).to_have_count(0)
    number = table.get_by_role("link", name=re.compile("proof")).last.inner_text()
    entry = re.sub(r"\D", "", number)
    watched.visit(f"/audit?entry={entry}", f"#{entry} proof")
    row = table.get_by_role("row").nth(1)
    expect(row).to_contain_text(f"#{entry} proof")
    expect(row).to_be_in_viewport()
    page.get_by_label("Written before").fill("2020-01-01T00:00")
    expect(page.get_by_text("No entry matches")).to_be_visible()
    page_forms.keep_all(page, "audit-none")


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
    page.get_by_role("dialog").get_by_role("textbox").fill("trying the switch")
    page.get_by_role("button", name="Freeze everything").click()
    expect(page.get_by_text("trying the switch").first).to_be_visible()
    page.screenshot(path=SCREENSHOTS / "frozen.png", full_page=True)
    page.get_by_role("button", name="Unfreeze", exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name="Unfreeze").click()
    expect(page.get_by_role("button", name="Freeze", exact=True)).to_be_visible()
