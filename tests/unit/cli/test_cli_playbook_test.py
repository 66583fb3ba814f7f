"""`playbook test`: which playbooks are meant, what is shown, and the status."""

import json
import shutil
from pathlib import Path

from sentienguard.cli import main

BUNDLED = Path(__file__).resolve().parents[3] / "playbooks"


def test_a_bundled_playbook_is_proven_by_its_name(capsys):
    assert main.main(["playbook", "test", "service_safe_mode", "--json"]) == 0
    (item,) = json.loads(capsys.readouterr().out)["items"]
    assert (item["playbook"], item["passed"]) == ("service_safe_mode", True)
    failure = [one["step"] for one in item["proofs"] if one["name"] == "failure"]
    assert failure == ["stop_service", "switch_safe_mode_on", "start_service"]


def test_a_directory_of_playbooks_is_proven_and_the_one_that_fails_is_named(tmp_path, capsys):
    for name in ("service_safe_mode", "zombie_parent_reap"):
        shutil.copytree(BUNDLED / name, tmp_path / name)
    broken = tmp_path / "service_safe_mode/playbook.yaml"
    text = broken.read_text()
    undo = "      operation: restore\n"
    assert undo in text
    broken.write_text(
        text.replace(
            undo,
            "      operation: set_setting\n      file_of: {param: "
            'service}\n      key: safe_mode\n      value: "no"\n',
        )
    )
    assert main.main(["playbook", "test", str(tmp_path)]) == 1
    shown = " ".join(capsys.readouterr().out.split())
    assert "FAILS" in shown
    assert "switch_safe_mode_on" in shown
    assert "nobody says so" in shown


def test_a_playbook_without_a_case_proves_nothing(tmp_path, capsys):
    shutil.copy(BUNDLED / "clock_resync/playbook.yaml", tmp_path)
    assert main.main(["playbook", "test", str(tmp_path), "--json"]) == 1
    (item,) = json.loads(capsys.readouterr().out)["items"]
    assert "there is no simulation.yaml" in item["proofs"][0]["reason"]


def test_what_is_no_playbook_is_refused(tmp_path, capsys):
    assert main.main(["playbook", "test", "no_such_playbook"]) == 1
    assert "expected a bundled playbook" in capsys.readouterr().err
    (tmp_path / "playbook.yaml").write_text("name: [")
    assert main.main(["playbook", "test", str(tmp_path)]) == 1
    assert "playbook.yaml" in capsys.readouterr().err
