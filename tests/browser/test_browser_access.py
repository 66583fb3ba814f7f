"""Second factors as people use them: Chromium's virtual authenticator, and an app's codes."""

import base64
import re
import sqlite3
import time
from collections.abc import Iterator
from typing import Any

import pytest
from playwright import sync_api

from sentienguard.controlplane import evaluation
from sentienguard.model.ids import PlaybookName, digest
from sentienguard.trust import totp
from sentienguard.trust.catalogue import Proven, ProvingRecord
from tests.browser.test_browser_pages import CHROMIUM, FLAGS, SCREENSHOTS
from tests.support import centre_process, page_forms
from tests.support.centre_process import PASSWORD, Centre

pytestmark = [pytest.mark.stories, pytest.mark.timeout(180)]
REMEDY = PlaybookName("disk_cleanup_rotated_logs")
CALM = {("system.cpu_percent", ""): 3.0, ("system.disk_usage_percent", "/srv"): 40.0}
FULL = {**CALM, ("system.disk_usage_percent", "/srv"): 98.0}
expect = sync_api.expect


@pytest.fixture(scope="module")
def centre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Centre]:
    data = tmp_path_factory.mktemp("access")
    stored = (centre_process.PLAYBOOKS / REMEDY / "playbook.yaml").read_bytes()
    with centre_process.prepared(data) as start:
        proven = ProvingRecord(REMEDY, "1.0.0", digest(stored), (Proven("disk-full", 20, 20),))
        evaluation.sign_proving(data / "controlplane", data / "offline-keys", proven)
        with start() as running:
            with_people(running)
            yield running


def with_people(running: Centre) -> None:
    """Add who the tests are about."""
    admin = running.login("admin@local")
    for name, roles in {"key@local": {"*": "administrator"}, "app@local": {"*": "observer"},
                        "stay@local": {"*": "observer"}, "gone@local": {"*": "observer"},
                        "boss@local": {"*": "administrator"},
                        "keep@local": {"*": "administrator"}}.items():  # fmt: skip
        body = {"name": name, "password": PASSWORD, "roles": roles}
        assert admin.post("/api/v1/users", json=body).status_code == 201


@pytest.fixture
def page(centre: Centre) -> Iterator[Any]:
    """A page at localhost: passkeys are bound to a name, never to 127.0.0.1."""
    with sync_api.sync_playwright() as driver:
        launched = driver.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        made = launched.new_context(base_url=centre.people.replace("127.0.0.1", "localhost"))
        opened = made.new_page()
        opened.set_default_timeout(20_000)
        yield opened
        launched.close()


def authenticator(page: Any) -> None:
    """Plug in an authenticator that verifies its person."""
    devtools = page.context.new_cdp_session(page)
    devtools.send("WebAuthn.enable")
    options = {"protocol": "ctap2", "transport": "usb", "hasUserVerification": True,
               "isUserVerified": True, "automaticPresenceSimulation": True}  # fmt: skip
    devtools.send("WebAuthn.addVirtualAuthenticator", {"options": options})


def sign_in(page: Any, name: str) -> None:
    page.goto("/login")
    page.get_by_label("Name").fill(name)
    page.get_by_role("textbox", name="Password").fill(PASSWORD)
    page.get_by_role("button", name=re.compile("sign in", re.IGNORECASE)).click()


def name_second_factor(page: Any, label: str) -> None:
    """Go to one's account, and say what the second factor that comes next is called."""
    page.get_by_role("link", name="Account").click()
    page.get_by_label("A name for it").fill(label)
    page.get_by_label("Your password").fill(PASSWORD)


def with_passkey(page: Any, name: str) -> None:
    """Sign in and register a passkey; the recovery codes are shown."""
    authenticator(page)
    sign_in(page, name)
    name_second_factor(page, "my key")
    page.get_by_role("button", name="Register a passkey").click()
    expect(page.get_by_label("Recovery codes", exact=True)).to_contain_text("-")


def step_up(page: Any) -> None:
    """Show the passkey where it is asked for again, in place."""
    asked = page.get_by_role("dialog", name="Show that it is you")
    asked.get_by_role("button", name="Use a passkey").click()


def look(page: Any, name: str) -> None:
    """Keep what is shown, and let axe look at it."""
    page.wait_for_timeout(300)
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)
    assert page_forms.barriers(page) == []


def test_a_passkey_is_registered_opens_the_account_and_steps_up(centre: Centre, page: Any) -> None:
    with_passkey(page, "key@local")
    expect(page.get_by_role("cell", name="passkey", exact=True)).to_be_visible()
    look(page, "account")
    page.get_by_role("button", name="I have kept them").click()
    page.locator("nav").get_by_role("button", name="Sign out").click()
    sign_in(page, "key@local")
    expect(page.get_by_role("heading", name="Show that it is you")).to_be_visible()
    look(page, "login-second-step")
    page.get_by_role("button", name="Use a passkey").click()
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    page.get_by_role("link", name="Users and roles").click()
    expect(page.get_by_role("cell", name="app@local", exact=True)).to_be_visible()
    look(page, "users")
    # Minutes later the same login is asked again, in place, and goes on.
    age_second_factors(centre)
    page.get_by_label("What it is for").fill("grafana")
    page.get_by_role("button", name="Make a token for 90 days").click()
    step_up(page)
    expect(page.get_by_label("New token")).to_contain_text("sgr_")


def test_a_person_is_forgotten_after_their_name_was_typed_and_a_passkey_shown(
    centre: Centre, page: Any
) -> None:
    with_passkey(page, "boss@local")
    age_second_factors(centre)
    page.get_by_role("link", name="Users and roles").click()
    expect(page.get_by_role("button", name="Forget boss@local")).to_have_count(0)
    page.get_by_role("button", name="Forget gone@local").click()
    dialog = page.get_by_role("dialog", name="Forget gone@local?")
    dialog.get_by_label("Reason").fill("request 17")
    deed = dialog.get_by_role("button", name="Forget them for good")
    expect(deed).to_be_disabled()
    dialog.get_by_label("Type gone@local to confirm").fill("gone@local")
    look(page, "users-forget")
    deed.click()
    step_up(page)
    told = page.get_by_role("status").filter(has_text="gone@local was forgotten")
    expect(told).to_be_focused()
    expect(page.get_by_role("cell", name="gone@local", exact=True)).to_have_count(0)
    page_forms.keep_all(page, "users-forgotten")
    pseudonym = told.locator("code").first.inner_text()
    page.get_by_label("Pseudonym or name").fill(pseudonym)
    page.get_by_role("button", name="Look it up").click()
    expect(page.get_by_text("nobody's here, or of somebody who was forgotten")).to_be_visible()
    (entry,) = (
        centre.login("admin@local")
        .get("/api/v1/audit/entries", params={"kind": "user.erased"})
        .json()["items"]
    )
    assert entry["actor"] == "boss@local"
    assert entry["data"]["user"] == pseudonym
    assert entry["data"]["reason"] == "request 17"


def decided(centre: Centre) -> tuple[int, str]:
    """Let an incident come and end; return the entry of its decision and a content it names."""
    admin, host = centre.login("admin@local"), centre.enrol("leak-1", "staging")
    host.push(CALM)
    host.push(FULL)
    until = time.monotonic() + 60
    while time.monotonic() < until:
        for asked in admin.get("/api/v1/approvals?status=pending").json()["items"]:
            admin.post(f"/api/v1/approvals/{asked['id']}/deny", json={"note": "by hand"})
        listed = admin.get("/api/v1/incidents?host=leak-1&status=CLOSED").json()["items"]
        made = admin.get("/api/v1/audit/entries?kind=decision.made").json()["items"]
        if listed and made:
            index = made[0]["index"]
            proof = admin.get(f"/api/v1/audit/proof/{index}").json()
            return index, proof["contents"][0]["sha256"]
        time.sleep(0.1)
    raise AssertionError((listed, made))


def test_a_content_is_erased_after_its_digest_was_typed_and_a_passkey_shown(
    centre: Centre, page: Any
) -> None:
    index, sha256 = decided(centre)
    with_passkey(page, "keep@local")
    age_second_factors(centre)
    page.goto(f"/audit?kind=decision.made&entry={index}")
    page.get_by_role("link", name=f"#{index} proof").click()
    expect(page.get_by_text("Verified in your browser")).to_be_visible()
    page.get_by_role("button", name=f"Erase content {sha256[:8]}").click()
    dialog = page.get_by_role("dialog", name=f"Erase content {sha256[:8]} for good?")
    expect(dialog.get_by_label("Reason")).to_be_focused()
    dialog.get_by_label("Reason").fill("request 18")
    deed = dialog.get_by_role("button", name="Erase it for good")
    dialog.get_by_label(f"Type {sha256[:8]} to confirm").fill(sha256[:7])
    expect(deed).to_be_disabled()
    dialog.get_by_label(f"Type {sha256[:8]} to confirm").fill(sha256[:8])
    look(page, "audit-erase")
    deed.click()
    step_up(page)
    told = page.get_by_role("status").filter(has_text=f"Content {sha256[:8]} was erased")
    expect(told).to_be_focused()
    expect(page.get_by_text("erased on purpose")).to_be_visible()
    expect(page.get_by_text("Verified in your browser")).to_be_visible()
    page_forms.keep_all(page, "audit-erased")
    (entry,) = (
        centre.login("admin@local")
        .get("/api/v1/audit/entries", params={"kind": "blob.erased"})
        .json()["items"]
    )
    assert entry["actor"] == "keep@local"
    assert (
        entry["data"] | {"entry": index, "sha256": sha256, "reason": "request 18"} == entry["data"]
    )


def age_second_factors(centre: Centre) -> None:
    """Let ten minutes pass for what was shown."""
    with sqlite3.connect(centre.data / "controlplane/sentienguard.db", timeout=20) as database:
        database.execute("UPDATE logins SET strong_us = strong_us - 600000000")
    database.close()


def test_an_app_is_registered_and_its_code_opens_the_account(page: Any) -> None:
    sign_in(page, "app@local")
    name_second_factor(page, "telephone")
    page.get_by_role("button", name="Register an app with codes").click()
    secret = page.get_by_label("Secret for the app").inner_text().strip()
    raw = base64.b32decode(secret + "=" * (-len(secret) % 8))
    page.get_by_label("Code that the app shows").fill(totp.code(raw, int(time.time()) // 30))
    page.get_by_role("button", name="Register the app").click()
    expect(page.get_by_label("Recovery codes", exact=True)).to_contain_text("-")
    page.locator("nav").get_by_role("button", name="Sign out").click()
    sign_in(page, "app@local")
    page.get_by_label("Code of your app").fill("000000")
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_role("alert")).to_contain_text("try again")
    page.get_by_label("Code of your app").fill(totp.code(raw, int(time.time()) // 30 + 1))
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()


def test_a_token_that_is_over_is_renewed_without_asking(page: Any) -> None:
    sign_in(page, "stay@local")
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    kept = [one for one in page.context.cookies() if one["name"] != "sentienguard_session"]
    page.context.clear_cookies()
    page.context.add_cookies(kept)
    page.goto("/hosts")
    expect(page.get_by_role("heading", name="Hosts")).to_be_visible()
    assert any(one["name"] == "sentienguard_session" for one in page.context.cookies())
