"""`playbook sign` and `playbook verify`, beside the real ssh-keygen."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from sentienguard.cli import main

BUNDLED = Path(__file__).resolve().parents[3] / "playbooks"


@pytest.fixture
def place(tmp_path):
    shutil.copy(BUNDLED / "zombie_parent_reap/playbook.yaml", tmp_path)
    words = ["/usr/bin/ssh-keygen", "-t", "ed25519", "-N", "", "-q", "-f", str(tmp_path / "id")]
    subprocess.run(words, check=True, timeout=20)
    (tmp_path / "allowed").write_text(f"pat {(tmp_path / 'id.pub').read_text()}")
    return tmp_path


def run(*words):
    return main.main(["playbook", *(str(word) for word in words)])


def test_a_signed_file_is_verified_and_a_changed_one_is_not(place, capsys):
    file = place / "playbook.yaml"
    assert run("sign", file, "--key", place / "id") == 0
    assert run("verify", file, "--signers", place / "allowed", "--json") == 0
    shown = capsys.readouterr().out
    assert json.loads(shown[shown.index("{") :])["principals"] == ["pat"]
    file.write_text(file.read_text().replace("risk: SAFE", "risk: WARNING"))
    assert run("verify", file, "--signers", place / "id.pub") == 1
    assert "rule 5" in capsys.readouterr().err


def test_it_is_the_signature_of_ssh_keygen(place):
    file = place / "playbook.yaml"
    assert run("sign", file, "--key", place / "id") == 0
    words = ["/usr/bin/ssh-keygen", "-Y", "verify", "-f", place / "allowed", "-I", "pat",
             "-n", "sentienguard.playbook", "-s", f"{file}.sig"]  # fmt: skip
    with file.open("rb") as stored:
        assert subprocess.run(words, check=False, stdin=stored, timeout=20).returncode == 0


def test_nobody_else_counts(place, capsys):
    file = place / "playbook.yaml"
    assert run("sign", file, "--key", place / "id") == 0
    words = ["/usr/bin/ssh-keygen", "-t", "ed25519", "-N", "", "-q", "-f", place / "other"]
    subprocess.run(words, check=True, timeout=20)
    assert run("verify", file, "--signers", place / "other.pub") == 1
    assert "rule 4" in capsys.readouterr().err


def test_what_lint_refuses_is_not_signed(place, capsys):
    file = place / "playbook.yaml"
    file.write_text(file.read_text().replace("guard: zombies > 20 and process_alive\n", ""))
    assert run("sign", file, "--key", place / "id") == 1
    assert "no-guard" in capsys.readouterr().err
    assert not (place / "playbook.yaml.sig").exists()


def test_a_signature_that_is_there_is_not_overwritten(place, capsys):
    file = place / "playbook.yaml"
    assert run("sign", file, "--key", place / "id") == 0
    assert run("sign", file, "--key", place / "id") == 1
    assert "is there already" in capsys.readouterr().err


def test_a_missing_signature_is_said(place, capsys):
    assert run("verify", place / "playbook.yaml", "--signers", place / "id.pub") == 1
    assert "playbook.yaml.sig: cannot be read" in capsys.readouterr().err
