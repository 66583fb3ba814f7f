"""`playbook test --real`: the same proofs on real services, by whatever drill breaks them."""

import json
import shutil

import pytest

from sentienguard.cli import main
from sentienguard.cli.drills import proving, real, shelf
from sentienguard.cli.drills.beds import choice, node_image
from sentienguard.cli.installation import bundled

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]
REAL = {"real: dry run", "real: heals", "real: twice"}


def tried(capsys, *words):
    status = main.main(["playbook", "test", *words, "--real", "--json"])
    (item,) = json.loads(capsys.readouterr().out)["items"]
    seen = {one["name"]: one["reason"] for one in item["proofs"] if one["name"].startswith("real")}
    return status, item, seen


@pytest.mark.parametrize(
    "name",
    [
        "service_restart_hung",  # by a drill of the program
        "inode_cleanup_sessions",  # by a directory
    ],
)
def test_a_fault_is_mended_by_a_real_executor(capsys, name):
    status, item, seen = tried(capsys, name)
    assert status == 0, item
    assert item["passed"]
    assert item["not_tried_here"] is None
    assert seen["real: dry run"].startswith("DRY_RUN")
    assert "gone False, changed nothing" in seen["real: dry run"]
    assert seen["real: heals"].startswith("SUCCESS, gone True, changed nothing")
    assert set(seen) == REAL


def test_a_playbook_that_no_drill_has_a_fault_for_is_not_passed(capsys):
    status, item, seen = tried(capsys, "clock_resync")
    assert (status, item["passed"], seen) == (3, False, {})
    assert "no drill has a fault that it has to mend" in item["not_tried_here"]


def test_the_program_or_right_that_is_missing_is_named(capsys, monkeypatch):
    monkeypatch.setattr(node_image, "why_not", lambda: "nodes need root")
    monkeypatch.setattr(choice.shutil, "which", lambda _: None)
    status, item, seen = tried(capsys, "mysql_service_restart")
    assert (status, item["passed"], seen) == (3, False, {})
    assert "this machine has no /usr/sbin/mariadbd" in item["not_tried_here"]
    status, item, _ = tried(capsys, "core_dump_cleanup")
    assert status == 3
    assert "nodes need root" in item["not_tried_here"]


def test_other_bytes_under_a_bundled_name_are_not_tried(capsys, tmp_path):
    shutil.copytree(bundled.directory() / "inode_cleanup_sessions", tmp_path / "mine")
    file = tmp_path / "mine/playbook.yaml"
    file.write_text(file.read_text() + "# mine\n")
    status, item, seen = tried(capsys, str(tmp_path / "mine"))
    assert (status, item["passed"], seen) == (3, False, {})
    assert "not the bytes that come with the program" in item["not_tried_here"]


def test_a_playbook_that_does_not_hold_outweighs_one_that_could_not_be_tried(capsys, tmp_path):
    shutil.copy(bundled.directory() / "clock_resync/playbook.yaml", tmp_path)
    status, item, _ = tried(capsys, str(tmp_path))  # no case, and no drill
    assert (status, item["passed"]) == (1, False)
    assert item["not_tried_here"]


def test_every_playbook_that_a_drill_expects_to_heal_has_a_way():
    drills = real.by_playbook(tuple(shelf.bundled().values()))
    expected = {
        one.expected.playbook
        for one in shelf.bundled().values()
        if not one.is_decoy and one.expected.outcomes == ("resolved",)
    }
    assert set(drills) == expected - {""}
    assert set(proving.PROVEN_BY) < expected
    assert expected - {""} <= set(bundled.names())
