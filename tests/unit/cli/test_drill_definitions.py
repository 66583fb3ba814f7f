"""Drills that lie in directories: reading them, and what the bundled ones are."""

import pathlib

import pytest
import yaml

from sentienguard.cli.drills import definition, shelf

BUNDLED = shelf.bundled()
ROOT = pathlib.Path(__file__).resolve().parents[3]
WHOLE = {
    "name": "my-drill",
    "kind": "fault",
    "about": "Something\n breaks.",
    "beds": ["sandbox"],
    "inject": "touch broken",
    "present": "[ -e broken ]",
    "gone": "[ ! -e broken ]",
    "symptom": {"metric": "service.up", "subject": "web"},
    "expect": {"outcome": "resolved", "playbook": "service_start_stopped"},
}


def write(tmp_path, found, name="my-drill"):
    directory = tmp_path / name
    directory.mkdir()
    text = found if isinstance(found, str) else yaml.safe_dump(found)
    (directory / definition.FILE).write_text(text)
    return directory


def test_a_drill_is_read_with_what_it_leaves_out(tmp_path):
    found = definition.read(write(tmp_path, WHOLE))
    assert found.about == "Something breaks."
    assert found.expected == definition.Expected(("resolved",), "service_start_stopped")
    assert found.expected.sentence == "resolved by service_start_stopped"
    assert (found.prepare, found.invariants, found.limit_s) == ("", {}, 120)
    assert not found.is_decoy


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ("not: [yaml", "cannot be read as YAML"),
        ("- a list", "expected a mapping"),
        ({**WHOLE, "name": "other"}, "name: expected my-drill"),
        ({**WHOLE, "kind": "joke"}, "kind: expected one of fault, decoy"),
        ({**WHOLE, "inject": " "}, "inject: expected a shell script"),
        ({**WHOLE, "present": ""}, "present: expected a shell script: a fault needs one"),
        ({**WHOLE, "symptom": {}}, r"symptom\.metric: expected"),
        ({**WHOLE, "beds": ["cloud"]}, r"beds\[0\]: expected one of node, sandbox"),
        ({**WHOLE, "needs": ["nginx"]}, r"needs\[0\]: expected an absolute path"),
        ({**WHOLE, "colour": "red"}, "'colour' is no key"),
        ({**WHOLE, "expect": {"outcome": "magic"}}, r"expect\.outcome\[0\]: expected one of"),
        ({**WHOLE, "expect": {"outcome": []}}, r"expect\.outcome: expected one of"),
        ({**WHOLE, "expect": {"outcome": "resolved", "person": "maybe"}}, r"expect\.person"),
        ({**WHOLE, "volumes": {"data": {"size": "9TB"}}}, r"volumes\.data\.size: expected a size"),
        ({**WHOLE, "volumes": {"../x": {"size": "1MB"}}}, "volumes: expected a name"),
        ({**WHOLE, "volumes": {"d": {"size": "1MB", "inodes": 0}}}, "inodes: expected a number"),
        ({**WHOLE, "services": {"web": {"start": ["rm"]}}}, "begins with an absolute path"),
        ({**WHOLE, "controls": ["redis"]}, "controls: expected a mapping by service"),
        ({**WHOLE, "calm_s": 0}, "calm_s: expected seconds from 1 to 600"),
        ({**WHOLE, "limit_s": 100000}, "limit_s: expected seconds from 1 to 600"),
        ({**WHOLE, "invariants": {"x": 3}}, r"invariants\.x: expected a text"),
        ({**WHOLE, "about": "x" * definition.MOST_BYTES}, "expected at most"),
    ],
)
def test_a_mistake_is_named_with_its_file_and_key(tmp_path, changed, said):
    directory = write(tmp_path, changed)
    with pytest.raises(definition.BadDrill, match=said) as caught:
        definition.read(directory)
    assert str(directory / definition.FILE) in str(caught.value)


def test_a_decoy_needs_neither_symptom_nor_repair(tmp_path):
    decoy = {key: WHOLE[key] for key in ("name", "about", "beds", "inject")}
    decoy |= {"kind": "decoy", "expect": {"outcome": "left_alone"}}
    assert definition.read(write(tmp_path, decoy)).is_decoy


def test_a_drill_is_found_by_name_and_by_directory_and_by_file(tmp_path):
    directory = write(tmp_path, WHOLE)
    for named in (str(directory), str(directory / definition.FILE)):
        assert shelf.find(named).name == "my-drill"
    assert shelf.find("web-service-crashed").kind == "fault"
    for wrong in ("no-such-drill", "../drills/web-service-crashed/..", str(tmp_path)):
        with pytest.raises(shelf.NoSuchDrill, match="drill list"):
            shelf.find(wrong)


def test_there_are_thirty_faults_and_twenty_decoys_and_each_guards_something():
    decoys = [one for one in BUNDLED.values() if one.is_decoy]
    assert len(BUNDLED) - len(decoys) >= 30
    assert len(decoys) >= 20
    assert all(one.invariants for one in decoys)


@pytest.mark.parametrize("name", sorted(BUNDLED))
def test_a_bundled_drill_expects_a_playbook_that_is_there(name):
    one = BUNDLED[name]
    if one.expected.playbook:
        assert (ROOT / "playbooks" / one.expected.playbook / "playbook.yaml").is_file()
    assert one.about.endswith(".")


def test_faults_run_before_what_fails_on_purpose():
    turn = [one.name for one in shelf.chosen(())]
    assert turn.index("web-service-crashed") < turn.index("safe-mode-does-not-help")
    assert turn.index("safe-mode-does-not-help") < turn.index("long-batch-computes")
    assert turn.index("long-batch-computes") < turn.index("backups-fill-volume")


def test_a_drill_whose_files_or_shared_files_changed_is_another_one(tmp_path, monkeypatch):
    shared = tmp_path / "lib"
    shared.mkdir()
    monkeypatch.setattr(shelf, "directory", lambda: tmp_path)
    found = definition.read(write(tmp_path, WHOLE))
    seen = {shelf.digest(found)}
    for file in (found.directory / definition.FILE, found.directory / "fault.py", shared / "a.sh"):
        with file.open("a") as opened:
            opened.write("# more\n")
        seen.add(shelf.digest(found))
    assert len(seen) == 4
    (shared / "__pycache__").mkdir()
    (shared / "__pycache__/a.pyc").touch()
    assert shelf.digest(found) in seen, "what Python leaves there changes nothing"
