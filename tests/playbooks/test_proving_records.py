"""A proving record counts for the bytes that were proven and for no others."""

import json
from pathlib import Path

import pytest

from sentienguard.playbook import parse
from tools import prove_playbooks

PLAYBOOKS = Path(__file__).resolve().parents[2] / "playbooks"
LEAST_RUNS = 20


@pytest.mark.parametrize("name", sorted(prove_playbooks.PROVEN_BY))
def test_record_is_of_these_bytes_and_every_run_was_verified(name):
    stored = (PLAYBOOKS / name / "playbook.yaml").read_bytes()
    playbook = parse.load(stored, origin=name)
    record = json.loads((PLAYBOOKS / name / "proving.json").read_text())
    assert record["digest"] == playbook.digest, (
        "the playbook changed after it was proven; run "
        f"python tools/prove_playbooks.py --write {name}"
    )
    assert (record["playbook"], record["version"]) == (playbook.name, playbook.version)
    [proven] = record["proven"]
    assert proven["drill"] == prove_playbooks.PROVEN_BY[name]
    assert proven["verified"] == proven["runs"] >= LEAST_RUNS


def test_no_playbook_claims_a_record_that_nothing_proves():
    recorded = {path.parent.name for path in PLAYBOOKS.glob("*/proving.json")}
    assert recorded == set(prove_playbooks.PROVEN_BY)
