"""`playbook import`: files in, drafts and a report out, nothing overwritten, nothing run."""

import json
from pathlib import Path

import pytest

from sentienguard.cli import main

IMPORTED = Path(__file__).resolve().parents[1] / "playbook/imported"


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("ansible.yml", "calm_the_web_tier"),
        ("rundeck.yaml", "restart_shop"),
        ("stackstorm.yaml", "restart_shop"),
        ("ssm.json", "ssm_document"),
    ],
)
def test_drafts_and_both_reports_are_written(file, name, tmp_path, capsys):
    out = tmp_path / "drafts"
    assert main.main(["playbook", "import", str(IMPORTED / file), "--out", str(out)]) == 0
    assert "not carried over" in capsys.readouterr().out
    found = json.loads((out / "import-report.json").read_text())
    assert [one["playbook"] for one in found["drafts"]] == [name]
    assert (out / "import-report.md").read_text().startswith(f"# Import of `{file}`")
    assert main.main(["playbook", "lint", str(out / name / "playbook.yaml")]) == 1


def test_without_a_directory_everything_is_printed(capsys):
    file = str(IMPORTED / "ssm.json")
    assert main.main(["playbook", "import", file, "--from", "ssm", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["kind"] == "ssm"
    assert found["playbooks"]["ssm_document"].startswith("# A draft, imported from ssm.json.")


def test_what_is_there_already_is_not_overwritten(tmp_path, capsys):
    mine = tmp_path / "restart_shop/playbook.yaml"
    mine.parent.mkdir()
    mine.write_text("mine")
    file = str(IMPORTED / "rundeck.yaml")
    assert main.main(["playbook", "import", file, "--out", str(tmp_path)]) == 1
    assert "is there already" in capsys.readouterr().err
    assert mine.read_text() == "mine"
    assert list(tmp_path.rglob("import-report*")) == []


@pytest.mark.parametrize(
    ("more", "message"),
    [(["--from", "puppet"], "expected one of ansible"), ([], "say which with --from")],
)
def test_an_unknown_kind_is_refused(more, message, tmp_path, capsys):
    file = tmp_path / "x.yml"
    file.write_text("a: b")
    assert main.main(["playbook", "import", str(file), *more]) == 1
    assert message in capsys.readouterr().err
