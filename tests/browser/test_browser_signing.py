"""A yes signed by passkey in the dashboard, until the host has checked it and run the step.

Real control plane, collector and executor; Chromium with its virtual authenticator. The root names
the passkey. An order that was changed after the person signed is refused by the executor, even if
it is sealed with the control plane's own key.
"""

import contextlib
import signal
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pytest
from playwright import sync_api

from sentienguard.adapters.sql_store import database
from sentienguard.agent import executor_link
from sentienguard.cli.installation import ports
from sentienguard.controlplane import evaluation, trust_exchange, trust_store
from sentienguard.model import ids
from sentienguard.trust import bundle as bundles
from sentienguard.trust import ceremony, keys, passkeys
from sentienguard.trust import root as roots
from sentienguard.trust.catalogue import Proven, ProvingRecord
from tests.browser.test_browser_access import look, sign_in, with_passkey
from tests.browser.test_browser_pages import CHROMIUM, FLAGS
from tests.support import centre_process, installation
from tests.support.centre_process import PASSWORD
from tests.support.installation import Installation, wait_for

pytestmark = [pytest.mark.stories, pytest.mark.timeout(300)]
REMEDY = ids.PlaybookName("log_flood_truncate")
SIGNER = "rita@local"
HUGE = 1_100_000_000  # bytes that the log claims to have; few of them are written
expect = sync_api.expect


@dataclass
class World:
    """An installation whose root names the passkey of one person, who is signed in."""

    installed: Installation
    page: Any

    @property
    def volume(self) -> Any:
        return self.installed.sandbox.volume

    def agent(self) -> dict[str, Any]:
        with self.installed.client() as asked:
            return dict(asked.get("/hosts")["items"][0])

    def request(self, mount: str) -> str:
        """Ask for the remedy as somebody else, wait for its question, return the incident."""
        wanted = {"host": self.agent()["agent_id"], "parameters": {"mount": mount}}
        with self.installed.client() as asked:
            opened = asked.post(f"/playbooks/{REMEDY}/runs", wanted)
            name = str(opened["id"])
            wait_for(lambda: self.story(name)["approval"], "a question")
        return name

    def story(self, incident: str) -> dict[str, Any]:
        with self.installed.client() as asked:
            return dict(asked.get(f"/incidents/{incident}"))

    def approve(self, incident: str) -> None:
        """Open the incident's page and sign its question."""
        self.page.goto(f"/incidents/{incident}")
        question = self.page.get_by_role("region", name="Approval").first
        expect(question).to_contain_text("asks your passkey to sign this order")
        question.get_by_role("button", name="Approve").click()
        wait_for(lambda: self.story(incident)["approval"]["status"] == "approved", "a signed yes")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with installation.running(tmp_path_factory.mktemp("signing")) as running:
        places = running.places
        stored = (centre_process.PLAYBOOKS / REMEDY / "playbook.yaml").read_bytes()
        version = stored.decode().partition('version: "')[2].partition('"')[0]
        proven = (Proven("current-log-floods-volume", 20, 20),)
        record = ProvingRecord(REMEDY, version, ids.digest(stored), proven)
        evaluation.sign_proving(places.centre, places.offline, record)
        with running.client() as asked:
            roles_of = {"*": "remediation_authority"}
            asked.post("/users", {"name": SIGNER, "password": PASSWORD, "roles": roles_of})
        yield running


@pytest.fixture(scope="module")
def world(installed: Installation) -> Iterator[World]:
    port = ports.read_settings(installed.places.centre)["people_port"]
    with sync_api.sync_playwright() as driver:
        launched = driver.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        page = launched.new_context(base_url=f"http://localhost:{port}").new_page()
        page.set_default_timeout(20_000)
        with_passkey(page, SIGNER)
        name_in_root(installed, for_the_root(page))
        sign_in(page, SIGNER)
        page.get_by_role("button", name="Use a passkey").click()
        expect(page.get_by_role("heading", name="Overview")).to_be_visible()
        yield World(installed, page)
        launched.close()


def for_the_root(page: Any) -> passkeys.ApproverKey:
    """Return what the dashboard shows the root's holders of the new passkey, and sign out."""
    page.get_by_role("button", name="I have kept them").click()
    page.get_by_text("For signing approvals").click()
    line = page.get_by_role("region", name="Second factors").locator("code").first.inner_text()
    page.locator("nav").get_by_role("button", name="Sign out").click()
    return passkeys.ApproverKey.from_text(line)


def name_in_root(installed: Installation, key: passkeys.ApproverKey) -> None:
    """Let the holders of the root name the passkey, until the host has that root."""
    places, now = installed.places, datetime.now(UTC)
    ends = trust_exchange.read(places.centre).last.expires_at
    change = ceremony.Change(expires_at=ends, passkeys=(key,))
    bundle = ceremony.rotate(trust_exchange.read(places.centre), change)
    root = keys.SigningKey.from_pem((places.offline / "root.pem").read_bytes())
    bundle, _ = bundles.sign(bundle, root)
    trust_exchange.take_over(places.centre, bundle, now=now)
    host = places.agent / "executor/trust/root.json"
    before = host.stat().st_mtime_ns
    installed.kill("control plane")
    installed.restart("control plane")
    wait_for(lambda: host.stat().st_mtime_ns != before, "the new root on the host", 90)
    assert roots.RoleName.APPROVER in bundle.last.roles


def changed(world: World, incident: str) -> dict[str, Any]:
    """Seal the approved order again, for another volume, with the person's own signature on it."""
    places = world.installed.places
    link = executor_link.ExecutorLink(places.agent / "run/executor.sock")
    store = f"sqlite:///{places.centre / 'sentienguard.db'}"
    with contextlib.closing(database.open_database(store)) as stores:
        agent = stores.agents.list()[0]
        waits = [one for one in stores.orders.waiting(agent.id) if one.order.incident == incident]
        if not waits:
            return {}  # it is not released yet
        [kept] = waits
        asked = ids.approval_id(kept.order.incident, kept.order.digest)
        given = [one.signature for one in stores.approvals.agreements(asked) if one.signature]
        assert given
        trust = trust_store.load(places.centre, agents_address="x", now=datetime.now(UTC))
        other = replace(kept.order, parameters={"mount": str(world.volume)})
        assert other != kept.order
        ticket = link.ask("ticket")
        seq = stores.orders.next_seq(agent.id)
        answer = link.ask("order", envelope=trust.seal_order(other, ticket["nonce"], seq, given))
    link.close()
    return answer


def test_a_changed_order_is_refused_and_the_one_that_was_signed_runs(world: World) -> None:
    # One test: the host starts this remedy once an hour, and what it refused did not count.
    changed_order_is_refused(world)
    signed_order_runs(world)


def changed_order_is_refused(world: World) -> None:
    incident = world.request("/")
    collector = world.installed.process("collector")
    assert collector is not None
    collector.send(signal.SIGSTOP)  # so that the order is not fetched as it was signed
    try:
        world.approve(incident)
        answer = wait_for(lambda: changed(world, incident), "an answer of the executor")
    finally:
        collector.send(signal.SIGCONT)
    assert (answer["admitted"], answer["rule"]) == (False, "approved"), answer
    wait_for(lambda: world.story(incident)["incident"]["status"] == "CLOSED", "its end")
    assert world.story(incident)["incident"]["outcome"] != "resolved"


def signed_order_runs(world: World) -> None:
    silent = {"matchers": [{"label": "metric", "comparison": "=~", "value": "system.*"}],
              "minutes": 30, "reason": "the volume is filled on purpose"}  # fmt: skip
    with world.installed.client() as asked:
        asked.post("/silences", silent)
    huge = world.volume / "shop.log"
    with huge.open("wb") as file:
        file.write(bytes(62 << 20))
        file.truncate(HUGE)
    incident = world.request(str(world.volume))
    world.approve(incident)
    told = wait_for(
        lambda: found if (found := world.story(incident))["incident"]["outcome"] else None,
        "the end of the run",
        60,
    )
    assert huge.stat().st_size < HUGE
    assert told["order"]["status"] == "finished", told["order"]
    assert told["order"]["steps"][0]["status"] == "success", told["order"]
    admitted = [one for one in told["timeline"] if one["kind"] == "order.admitted"]
    assert len(admitted) == 1
    world.page.goto(f"/incidents/{incident}")
    expect(world.page.get_by_text("empty_huge_logs").first).to_be_visible()
    look(world.page, "signed-and-run")
