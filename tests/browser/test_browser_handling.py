"""What people do besides answering, in a real Chromium against a real control plane.

Alerts, silences and maintenance, an incident in people's hands, the topology: each page is used as
a person would, looked at by axe, and kept as a screenshot.
"""

import contextlib
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright import sync_api

from sentienguard.controlplane import evaluation
from sentienguard.model.ids import PlaybookName, digest
from sentienguard.stages.observe import payload, wire
from sentienguard.trust.catalogue import Proven, ProvingRecord
from tests.browser.test_browser_pages import CHROMIUM, FLAGS, SCREENSHOTS, Watched
from tests.support import centre_process, otlp_bodies, page_forms, webhooks
from tests.support.centre_process import PASSWORD, Centre, Host

pytestmark = [pytest.mark.stories, pytest.mark.timeout(180)]
REMEDY = PlaybookName("disk_cleanup_rotated_logs")
CALM = {("system.cpu_percent", ""): 3.0, ("system.disk_usage_percent", "/srv"): 40.0}
FULL = {**CALM, ("system.disk_usage_percent", "/srv"): 98.0}
expect = sync_api.expect


@pytest.fixture(scope="module")
def centre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Centre]:
    data = tmp_path_factory.mktemp("handling")
    stored = (centre_process.PLAYBOOKS / REMEDY / "playbook.yaml").read_bytes()
    with centre_process.prepared(data) as start:
        proven = ProvingRecord(REMEDY, "1.0.0", digest(stored), (Proven("disk-full", 20, 20),))
        evaluation.sign_proving(data / "controlplane", data / "offline-keys", proven)
        with start() as running:
            yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as driver:
        launched = driver.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield launched
        launched.close()


@contextlib.contextmanager
def signed_in(
    centre: Centre, browser: Any, scheme: str = "light", width: int = 1280
) -> Iterator[Watched]:
    """Open the dashboard as its administrator; nothing may be complained about at the end."""
    context = browser.new_context(
        color_scheme=scheme, viewport={"width": width, "height": 900}, timezone_id="Europe/Berlin"
    )
    page = Watched(context.new_page(), centre.people)
    page.page.goto(page.server)
    page.page.get_by_label("Name").fill("admin@local")
    page.page.get_by_role("textbox", name="Password").fill(PASSWORD)
    page.page.get_by_role("button", name=re.compile("sign in", re.IGNORECASE)).click()
    expect(page.page.get_by_role("textbox", name="Password")).to_have_count(0)
    page.complaints.clear()  # the first question who one is was answered with 401
    yield page
    context.close()
    assert page.complaints == []
    assert page.strangers == []


@pytest.fixture
def watched(centre: Centre, browser: Any, request: pytest.FixtureRequest) -> Iterator[Watched]:
    with signed_in(centre, browser, *getattr(request, "param", ())) as page:
        yield page


def keep(watched: Watched, name: str) -> None:
    watched.page.wait_for_timeout(300)
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    watched.page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)
    assert page_forms.barriers(watched.page) == []


def incident_of(centre: Centre, host: str, status: str) -> str:
    admin = centre.login("admin@local")
    until = time.monotonic() + 60
    while time.monotonic() < until:
        found = admin.get("/api/v1/incidents", params={"host": host}).json()["items"]
        if found and found[0]["status"] == status:
            return str(found[0]["id"])
        time.sleep(0.05)
    raise AssertionError(f"{host}: {found}")


def traced(centre: Centre) -> None:
    """Let traces tell of a small shop."""
    sender = webhooks.sender(centre, "drill", purpose="otlp")
    calls = [("frontend", "checkout"), ("frontend", "catalogue"), ("checkout", "payments"),
             ("checkout", "stock"), ("catalogue", "stock"), ("payments", "bank")]  # fmt: skip
    for number, (caller, callee) in enumerate(calls):
        out = otlp_bodies.span("a", kind=3, trace=f"t{number}")
        into = otlp_bodies.span("b", "a", trace=f"t{number}")
        body = {
            "resourceSpans": [
                *otlp_bodies.spans(caller, out)["resourceSpans"],
                *otlp_bodies.spans(callee, into)["resourceSpans"],
            ]
        }
        headers = {"Authorization": f"Bearer {sender.token}", "Content-Type": "application/json"}
        answer = sender.client.post("/v1/traces", content=json.dumps(body), headers=headers)
        assert answer.status_code == 200, answer.text


EMPTY = [
    ("/alerts", "alerts-empty", "No alert has come"),
    ("/silences", "silences-empty", "Nothing is silenced"),
    ("/silences?kind=maintenance", "maintenance-empty", "No maintenance is planned"),
    ("/topology", "topology-empty", "No call was told of"),
]


def test_an_empty_page_says_what_would_fill_it(tmp_path: Path, browser: Any) -> None:
    with centre_process.running(tmp_path) as fresh, signed_in(fresh, browser) as watched:
        for path, name, says in EMPTY:
            watched.open(path, name, says)
            assert page_forms.barriers(watched.page) == []


def test_alerts_show_who_sent_them_and_lead_to_their_incident(centre, watched) -> None:
    centre.enrol("alert-1")
    sender = webhooks.sender(centre)
    known = webhooks.alert("DiskFull", instance="alert-1:9100")
    unknown = webhooks.alert("PodCrashing", instance="moon:9100", team="shop")
    assert sender.send(webhooks.body(known, unknown)).status_code == 200
    incident_of(centre, "alert-1", "CLOSED")
    watched.open("/alerts", "alerts", "PodCrashing")
    page = watched.page
    expect(page.get_by_text("names no host of ours")).to_be_visible()
    expect(page.get_by_text("opened an incident")).to_be_visible()
    expect(page.get_by_role("cell", name="alertmanager drill").first).to_be_visible()
    page_forms.keep_all(page, "alerts")
    page.get_by_role("link", name="its incident").first.click()
    told = page.get_by_text(re.compile("alert DiskFull fires")).filter(visible=True)
    expect(told.first).to_be_visible(timeout=20_000)
    page_forms.keep_all(page, "incident-escalated")


@pytest.mark.parametrize("watched", [("light", 1280), ("dark", 400)], indirect=True)
def test_a_silence_is_built_tried_made_and_ended(centre, watched, request) -> None:
    scheme, _ = request.node.callspec.params["watched"]
    host = centre.enrol(f"shop-{scheme}", tags={"role": "db"})
    host.push(CALM)
    host.push(FULL)
    page = watched.page
    page.goto(f"{watched.server}/silences")
    page.get_by_role("button", name="New silence").click()
    page.get_by_label("Comparison 1").select_option("=~")
    page.get_by_label("Value 1").fill(f"shop-{scheme}.*")
    page.get_by_role("button", name="Add a condition").click()
    page.get_by_label("Label 2").select_option("tag.")
    page.get_by_label("Tag name 2").fill("role")
    page.get_by_label("Value 2").fill("db")
    page.get_by_label("Why").fill("moving the shop's disks")
    page.get_by_role("button", name="What would it cover?").click()
    covered = page.get_by_role("status", name="What it would cover")
    expect(covered).to_contain_text(f"1 host: shop-{scheme}")
    keep(watched, f"silence-builder-{scheme}")
    page.get_by_role("button", name="Silence it").click()
    table = page.get_by_role("region", name="Silences")
    expect(table).to_contain_text('tag.role="db"')
    expect(table).to_contain_text("stands now")
    keep(watched, f"silences-{scheme}")
    table.get_by_role("button", name="Expire").click()
    page.get_by_role("button", name="End it now").click()
    expect(page.get_by_text("Nothing is silenced")).to_be_visible()


def test_a_weekly_maintenance_is_made_and_shown_in_words(watched) -> None:
    page = watched.page
    page.goto(f"{watched.server}/silences?kind=maintenance")
    page.get_by_role("button", name="New maintenance").click()
    page.get_by_label("Value 1").fill("db-1")
    page.get_by_label("It stands").select_option("weekly")
    page.get_by_label("sat", exact=True).check()
    page.get_by_label("Why").fill("patch night")
    page.get_by_role("button", name="What would it cover?").click()
    expect(page.get_by_text("It covers no host that is enrolled now.")).to_be_visible()
    keep(watched, "maintenance-builder")
    page.get_by_role("button", name="Begin maintenance").click()
    words = "Saturday, Sunday at 02:00 (Europe/Berlin), 2 h each time"
    expect(page.get_by_role("region", name="Maintenance")).to_contain_text(words)
    page_forms.keep_all(page, "maintenance")


def test_an_incident_is_taken_given_noted_closed_and_reopened(centre, watched) -> None:
    host = centre.enrol("people-1", "staging")
    host.push(CALM)
    host.push(FULL)
    incident = incident_of(centre, "people-1", "AWAITING_APPROVAL")
    page = watched.page
    page.goto(f"{watched.server}/incidents/{incident}")
    people = page.get_by_role("region", name="People")
    dialog = page.get_by_role("dialog")
    people.get_by_role("button", name="Acknowledge").click()
    keep(watched, "incident-acknowledge")
    dialog.get_by_role("button", name="Acknowledge").click()
    expect(people).to_contain_text("admin@local has it in hand")
    people.get_by_role("button", name="Assign").click()
    dialog.get_by_label("Person").fill("nobody@local")
    dialog.get_by_role("button", name="Assign").click()
    expect(dialog.get_by_role("alert")).to_contain_text("nobody@local")
    watched.complaints.clear()  # the browser reports the refusal as an error of the network
    dialog.get_by_label("Person").fill("admin@local")
    dialog.get_by_role("button", name="Assign").click()
    expect(people).to_contain_text("Assigned to admin@local")
    people.get_by_role("button", name="Note").click()
    dialog.get_by_label("Note").fill("the old rotation\nnever ran")
    dialog.get_by_role("button", name="Add the note").click()
    expect(people).to_contain_text("never ran")
    people.get_by_role("button", name="Close by hand").click()
    dialog.get_by_label("Reason").fill("removed the old logs")
    dialog.get_by_role("button", name="Close it").click()
    expect(page.get_by_text("fixed by a person").first).to_be_visible()
    expect(people).to_contain_text("Closed by admin@local: removed the old logs")
    page_forms.keep_all(page, "incident-by-hand")
    people.get_by_role("button", name="Reopen").click()
    dialog.get_by_label("Reason").fill("it is full again")
    dialog.get_by_role("button", name="Reopen").click()
    expect(people).to_contain_text(f"It goes on with {incident}")
    assert incident not in page.url


def test_the_topology_is_a_picture_and_a_table(centre, watched) -> None:
    traced(centre)
    watched.open("/topology", "topology", "^6 calls$")
    page = watched.page
    expect(page.get_by_role("img", name=re.compile("6 services and 6 calls"))).to_be_visible()
    expect(page.get_by_role("region", name="Calls in drill").get_by_role("row")).to_have_count(7)
    page_forms.keep_all(page, "topology")


def copied(centre: Centre, host: Host) -> None:
    """Let two hosts speak in the name of one, until it is in quarantine."""
    copy = centre.another_client(host)
    for number in range(1, 5):
        for one, cpu in ((host, 3.0), (copy, 4.0)):
            sample = one.sample({("system.cpu_percent", ""): cpu}, seq=number)
            assert one.send(wire.encode(payload.encode(sample), number)).status_code == 204


@pytest.mark.parametrize("watched", [("light", 1280), ("dark", 390)], indirect=True)
def test_a_host_in_quarantine_is_seen_released_and_struck_off(centre, watched, request) -> None:
    scheme, _ = request.node.callspec.params["watched"]
    host = centre.enrol(f"zz-copied-{scheme}")
    copied(centre, host)
    page = watched.page
    watched.open("/", f"overview-quarantine-{scheme}", "1 in quarantine")
    page.goto(f"{watched.server}/hosts")
    page.get_by_role("link", name="1 in quarantine").click()
    listed = page.get_by_role("region", name="Hosts")
    expect(listed.get_by_text("in quarantine")).to_have_count(1)
    keep(watched, f"hosts-quarantine-{scheme}")
    listed.get_by_role("link", name=host.host).click()
    banner = page.get_by_role("region", name="Quarantine")
    expect(banner).to_contain_text("two hosts use this identity")
    keep(watched, f"host-quarantine-{scheme}")
    banner.get_by_role("button", name="Release").click()
    page.get_by_label("Reason").fill("put back from its snapshot")
    page.get_by_role("button", name="Release it").click()
    expect(page.get_by_text(f"Orders go to {host.host} again.")).to_be_visible()
    expect(banner).to_have_count(0)
    admin = centre.login("admin@local")
    assert admin.get(f"/api/v1/hosts/{host.agent}").json()["quarantined"] == ""
    page.get_by_role("region", name="Strike off").get_by_role("button", name="Strike off").click()
    page.get_by_label("Reason").fill("its disk was copied")
    deed = page.get_by_role("button", name="Strike it off")
    expect(deed).to_be_disabled()
    page.get_by_label(f"Type {host.host} to confirm").fill(host.host)
    keep(watched, f"host-strike-off-{scheme}")
    deed.click()
    expect(page.get_by_text(f"{host.host} was struck off")).to_be_visible()
    keep(watched, f"host-struck-off-{scheme}")
    assert host.push(CALM).status_code == 403
    listed_now = admin.get("/api/v1/hosts").json()["items"]
    assert host.agent not in {one["agent_id"] for one in listed_now}


@pytest.mark.parametrize("watched", [("light", 390)], indirect=True)
def test_settings_show_the_keys_that_are_online(watched) -> None:
    watched.open("/settings", "keys", "Keys that are online")
    keys = watched.page.get_by_role("region", name="Keys", exact=True)
    expect(keys).to_contain_text("dispatch key")
    expect(keys).to_contain_text("with the root keys")
    keep(watched, "keys")
    assert watched.page.evaluate("document.documentElement.scrollWidth") <= 390
