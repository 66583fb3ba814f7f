"""A proving record counts for the bytes that were proven and for no others."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from sentienguard.cli.drills import shelf, trial
from sentienguard.model.ids import Digest
from sentienguard.playbook import parse
from tools import prove_playbooks

PLAYBOOKS = Path(__file__).resolve().parents[2] / "playbooks"
RECORDED = sorted(path.parent.name for path in PLAYBOOKS.glob(f"*/{prove_playbooks.RECORD}"))


@pytest.mark.parametrize("name", RECORDED)
def test_record_is_of_these_bytes_and_every_run_was_verified(name):
    stored = (PLAYBOOKS / name / "playbook.yaml").read_bytes()
    playbook = parse.load(stored, origin=name)
    record = json.loads((PLAYBOOKS / name / prove_playbooks.RECORD).read_text())
    assert record["digest"] == playbook.digest, (
        "the playbook changed after it was proven; run "
        f"python tools/prove_playbooks.py --write {name}"
    )
    assert (record["playbook"], record["version"]) == (playbook.name, playbook.version)
    [proven] = record["proven"]
    if name in prove_playbooks.PROVEN_BY:
        assert proven["drill"] == prove_playbooks.PROVEN_BY[name]
        least = prove_playbooks.OWN_RUNS
    else:
        drill = shelf.find(proven["drill"])
        assert (drill.expected.playbook, drill.expected.outcomes) == (name, ("resolved",))
        least = trial.RUNS
    assert proven["verified"] == proven["runs"] >= least


def test_what_the_program_s_own_drills_prove_has_a_record():
    assert set(prove_playbooks.PROVEN_BY) <= set(RECORDED)


def drill(name, playbook, *, outcomes=("resolved",), is_decoy=False, beds=("sandbox",)):
    expected = SimpleNamespace(playbook=playbook, outcomes=outcomes)
    return SimpleNamespace(name=name, expected=expected, is_decoy=is_decoy, beds=beds)


def test_a_playbook_is_proven_by_the_first_fault_that_it_has_to_mend_and_can_here():
    own = next(iter(prove_playbooks.PROVEN_BY))
    drills = [
        drill("b", "one"),
        drill("a", "one"),
        drill("c", "two", outcomes=("escalated",)),
        drill("d", "three", is_decoy=True),
        drill("e", "four", beds=()),
        drill("f", ""),
        drill("g", own),
    ]
    found = prove_playbooks.by_playbook(drills)
    assert {name: one.name for name, one in found.items()} == {"one": "a"}
    assert prove_playbooks.drill_of("one", found) == "a"
    assert prove_playbooks.drill_of(own, found) == prove_playbooks.PROVEN_BY[own]


def test_a_record_that_is_written_counts_until_a_byte_changes(tmp_path, monkeypatch):
    monkeypatch.setattr(prove_playbooks, "PLAYBOOKS", tmp_path)
    (tmp_path / "mend").mkdir()
    stored = tmp_path / "mend/playbook.yaml"
    stored.write_text("name: mend\n")
    assert not prove_playbooks.is_proven("mend")
    digest = Digest(prove_playbooks.ids.digest(stored.read_bytes()))
    playbook = SimpleNamespace(name="mend", version="1.0.0", digest=digest)
    prove_playbooks.write("mend", "a", 5, playbook)
    assert prove_playbooks.is_proven("mend")
    stored.write_text("name: mend \n")
    assert not prove_playbooks.is_proven("mend")
