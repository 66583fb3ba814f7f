"""A few drills of the benchmark, whole: bed, agent, control plane, fault, verdict, report."""

import json
import shutil
import tempfile
from pathlib import Path

import pytest

from sentienguard.cli import client
from sentienguard.cli.drills import campaign, case, report, shelf, sites
from sentienguard.cli.drills.beds import leftovers
from sentienguard.cli.installation import bundled
from sentienguard.model import ids
from sentienguard.playbook import parse
from sentienguard.trust import catalogue

pytestmark = [pytest.mark.stories, pytest.mark.timeout(240)]

FEW = (
    "rotated-logs-fill-volume",  # resolved
    "safe-mode-does-not-help",  # undone, restored
    "owner-said-do-not-remediate",  # left to people
    "database-fills-its-volume",  # tried in vain, nothing harmed
)
ILL_BEFORE = """
name: ill-before
kind: decoy
about: Its service ended before anything was done to it.
beds: [sandbox]
services:
  web: {start: [/bin/sleep, "2"]}
prepare: touch ready
inject: touch broken
calm_s: 5
expect: {outcome: left_alone}
"""


@pytest.fixture(scope="module")
def short():
    """A directory whose name is short: a Unix socket's path has at most 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="sg-") as name:
        yield Path(name)


@pytest.fixture(scope="module")
def ran(short):
    wanted = campaign.Campaign(shelf.chosen(FEW), short / "few", kind="sandbox", trials=0)
    return wanted, wanted.run(lambda *_: None)


@pytest.mark.parametrize("name", FEW)
def test_each_ends_as_it_should(ran, name):
    (found,) = [one for one in ran[1]["cases"] if one["name"] == name]
    assert found["passed"], json.dumps(found, indent=1)
    assert found["bed"] == "sandbox"


def test_nothing_was_harmed_and_what_was_tried_in_vain_was_undone(ran):
    totals = ran[1]["totals"]
    assert totals["harmful"] == 0
    assert totals["rollbacks"] == totals["rollbacks_restored"] >= 1
    assert ran[1]["audit"]["passed"]


def test_nothing_is_left_and_the_report_is_there(ran):
    wanted, found = ran
    assert not list((wanted.directory / "sites").glob("*"))
    assert leftovers.of(wanted.directory) == []
    assert json.loads((wanted.directory / "report.json").read_bytes()) == found
    assert "Drills" in (wanted.directory / "report.html").read_text()


def test_a_second_run_goes_on_where_the_first_ended(ran, tmp_path):
    first, _ = ran
    shutil.copytree(first.directory / "cases", tmp_path / "benchmark/cases")
    came = []
    again = campaign.Campaign(first.drills, tmp_path, kind="sandbox", trials=0)
    found = again.run(lambda *one: came.append(one))
    assert came == []
    assert found["totals"]["passed"] == len(FEW)


@pytest.fixture(scope="module")
def harmful():
    """Give the bundled playbooks, of which one also deletes a database, with proof for it."""
    name = "disk_cleanup_rotated_logs"
    key = f"playbooks/{name}/{bundled.PLAYBOOK}"
    playbooks = bundled.playbooks()
    right = playbooks[key].decode()
    wrong = right.replace('pattern: "[!a]*.log.[0-9]*"', 'pattern: "*.db"').encode()
    assert wrong != right.encode()
    record = catalogue.ProvingRecord(
        ids.PlaybookName(name),
        parse.load(wrong, origin=name).version,
        ids.digest(wrong),
        (catalogue.Proven("a lie", 20, 20),),
    )
    return {**playbooks, key: wrong}, record


def test_a_remedy_that_heals_and_harms_is_noticed(harmful, short, monkeypatch):
    playbooks, record = harmful
    monkeypatch.setattr(bundled, "playbooks", lambda: playbooks)
    site = sites.raise_up(short / "site", [record])
    wanted = shelf.find("rotated-logs-fill-volume")
    try:
        with client.connect(site.places.data, here=True) as asked:
            found = case.run(wanted, site, asked, kind="sandbox")
    finally:
        sites.take_down(short / "site")
    assert found.ended == "resolved", json.dumps(found.document(), indent=1)
    assert not found.passed
    assert found.harmed == ("the database",)
    assert not found.unattended, "it counts for nothing"
    assert report.totals([found.document()])["harmful"] == 1


def test_a_bed_that_was_ill_before_it_was_broken_teaches_nothing(short):
    drill = short / "ill-before"
    drill.mkdir()
    (drill / "drill.yaml").write_text(ILL_BEFORE)
    ill = campaign.Campaign(shelf.chosen([str(drill)]), short / "ill", kind="sandbox", trials=0)
    [found] = ill.run(lambda *_: None)["cases"]
    assert not found["passed"]
    assert "was wrong before the fault" in found["trouble"]
