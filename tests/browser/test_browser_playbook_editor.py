"""A playbook from its page to version 2 in force, in a browser; the signature is made elsewhere.

Real control plane, Chromium, and `sentienguard trust sign` as a process of its own with the
signer's key, which lies outside of the control plane's directory.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright import sync_api

from tests.browser.test_browser_pages import CHROMIUM, FLAGS, Watched
from tests.support import centre_process, page_forms
from tests.support.centre_process import PASSWORD, Centre

pytestmark = [pytest.mark.stories, pytest.mark.timeout(300)]
NAME = "disk_cleanup_rotated_logs"
WORD = "Another word of the team."
PROVEN_WITHIN_MS = 120_000  # a child at low priority on a busy machine
expect = sync_api.expect


@dataclass
class Login:
    """Who signs in."""

    name: str = "admin@local"
    password: str = PASSWORD


@dataclass
class World:
    """A control plane, and its administrator in a browser."""

    centre: Centre
    watched: Watched
    context: Any

    @property
    def page(self) -> Any:
        return self.watched.page

    def visit(self, path: str, shows: str) -> None:
        self.watched.visit(path, shows)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with (
        centre_process.running(tmp_path / "data") as centre,
        sync_api.sync_playwright() as driver,
    ):
        launched = driver.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        context = launched.new_context(viewport={"width": page_forms.DESK, "height": 900})
        watched = Watched(context.new_page(), centre.people)
        watched.sign_in(Login())
        yield World(centre, watched, context)
        launched.close()
        assert watched.strangers == []
        assert watched.complaints == []


def signed(file: Path, key: Path) -> None:
    """Sign as the signer does, on their machine."""
    subprocess.run(
        [sys.executable, "-m", "sentienguard.cli.main", "trust", "sign", str(file),
         "--key", str(key), "--yes"],
        check=True, capture_output=True, timeout=60,
    )  # fmt: skip


def test_a_playbook_is_edited_proven_signed_elsewhere_and_in_force_as_version_2(
    world: World, tmp_path: Path
) -> None:
    page = world.page
    world.visit(f"/playbooks/{NAME}", "What it is")
    page.get_by_role("link", name="Edit a new version").click()
    page.get_by_role("button", name="Begin from 1.0.0").click()
    text = page.get_by_label("playbook.yaml", exact=True)
    expect(text).to_have_value(re.compile(f"name: {NAME}"))
    findings = page.get_by_role("list", name="Findings")
    expect(findings).to_contain_text("version-taken")
    page_forms.keep_all(page, "playbook-editor-begun")

    # What does not read is named by its line, and nobody can be asked to sign it.
    whole = text.input_value()
    text.fill(whole.replace("risk: SAFE", "risk: HARMLESS"))
    page.keyboard.press("Control+s")
    expect(findings).to_contain_text("HARMLESS")
    expect(page.get_by_role("button", name="Download what is to be signed")).to_be_disabled()
    findings.get_by_role("button", name=re.compile(r"line \d+")).last.click()
    expect(text).to_be_focused()
    picked = "(box) => box.value.slice(box.selectionStart, box.selectionEnd)"
    assert text.evaluate(picked) == "risk: HARMLESS"
    page_forms.keep_all(page, "playbook-editor-findings")

    text.fill(
        whole.replace('version: "1.0.0"', 'version: "2.0.0"').replace(
            "description: >\n", f"description: >\n  {WORD}\n", 1
        )
    )
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("it can be signed; nothing shows yet that it heals")).to_be_visible()
    expect(page.get_by_label("Changed lines")).to_contain_text(f"+   {WORD}")
    page.get_by_role("button", name="Prove it").click()
    expect(page.get_by_text("ready for the signers")).to_be_visible(timeout=PROVEN_WITHIN_MS)
    expect(page.get_by_role("region", name="Proofs")).to_contain_text("dry run")

    with page.expect_download() as made:
        page.get_by_role("button", name="Download what is to be signed").click()
    file = tmp_path / made.value.suggested_filename
    assert file.name == f"trust-{NAME}-2.0.0.json"
    made.value.save_as(file)
    expect(page.get_by_text(f"sentienguard trust sign {file.name}").first).to_be_visible()
    page_forms.keep_all(page, "playbook-editor-ready")

    # Without a signature it is refused, and says so; with it the version counts.
    hand = page.get_by_label("The file with the signatures")
    take = page.get_by_role("button", name="Take it over")
    hand.set_input_files(file)
    take.click()
    expect(page.get_by_role("alert")).to_contain_text("nothing was taken over")
    world.watched.complaints.clear()  # the browser says of every 422 that it came
    signed(file, world.centre.data / "offline-keys/signer.pem")
    hand.set_input_files(file)
    take.click()
    expect(page.get_by_text("It counts from now on")).to_be_visible()
    page_forms.keep_all(page, "playbook-editor-taken-over")

    page.get_by_role("link", name=f"Show {NAME} 2.0.0 and what changed").click()
    shows_both_versions(page)
    world.visit("/audit", "playbook.taken_over")


def shows_both_versions(page: Any) -> None:
    listed = page.get_by_role("region", name="Listed versions")
    expect(listed.get_by_role("row", name=re.compile("2.0.0"))).to_contain_text("in force")
    expect(listed.get_by_role("row", name=re.compile("2.0.0"))).to_contain_text("tried here")
    expect(listed.get_by_role("row", name=re.compile("1.0.0"))).not_to_contain_text("in force")
    changed = page.get_by_label("Changed lines")
    expect(changed).to_contain_text(f"+   {WORD}")
    expect(changed).to_contain_text('- version: "1.0.0"')
    page_forms.keep_all(page, "playbook-versions")


def test_a_playbook_that_there_is_not_yet_begins_on_the_list_and_can_be_dropped(
    world: World,
) -> None:
    page = world.page
    world.watched.foreseen.append("/playbooks/mine_of_the_team/versions")  # 404: none is listed
    world.visit("/playbooks", "disk_cleanup")
    page.get_by_label("Name of a new playbook").fill("mine_of_the_team")
    page.get_by_role("button", name="Write a new one").click()
    page.get_by_role("button", name="Begin from nothing").click()
    expect(page.get_by_label("playbook.yaml", exact=True)).to_have_value(
        re.compile("name: mine_of_the_team")
    )
    expect(page.get_by_text("All of it is new")).to_be_visible()
    page.get_by_role("button", name="Drop this draft").click()
    page.get_by_role("button", name="Drop it").click()
    expect(page.get_by_text("was dropped by admin@local")).to_be_visible()
