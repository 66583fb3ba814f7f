"""`playbook draft`: from a version in force to one that signers may be asked for, by command."""

import contextlib
import json

import pytest

from sentienguard.cli import client, main
from tests.support import centre_process

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]
NAME = "zombie_parent_reap"


@pytest.fixture(scope="module")
def centre(tmp_path_factory):
    with centre_process.running(tmp_path_factory.mktemp("draft-commands")) as running:
        yield running


@pytest.fixture
def run(centre, monkeypatch, capsys):
    """Run a command as an administrator; return its status and its document."""
    token = centre.login("admin@local").headers["Authorization"].removeprefix("Bearer ")

    @contextlib.contextmanager
    def connect(_data, **_more):
        with client.Client(centre.people, token) as made:
            yield made

    monkeypatch.setattr(client, "connect", connect)

    def command(*words):
        status = main.main(["playbook", "draft", *map(str, words), "--json"])
        said = capsys.readouterr()
        return status, json.loads(said.out) if said.out else said.err

    return command


@pytest.fixture
def begun(run):
    status, made = run("new", NAME)
    assert status == 0, made
    yield made
    run("drop", made["id"])


def test_a_draft_begins_from_the_version_in_force_and_leaves_as_files(run, begun, tmp_path):
    assert (begun["name"], begun["state"], bool(begun["base"])) == (NAME, "open", True)
    assert run("show", begun["id"], "--out", tmp_path / "mine")[0] == 0
    assert (tmp_path / "mine/playbook.yaml").read_text() == begun["yaml"]
    assert (tmp_path / "mine/simulation.yaml").read_text() == begun["case"]
    status, said = run("show", begun["id"], "--out", tmp_path / "mine")
    assert status == 1
    assert "is there already and stays" in said
    assert begun["id"] in [one["id"] for one in run("list")[1]["items"]]


def test_what_was_edited_is_put_back_judged_and_tried(run, begun, tmp_path):
    file = tmp_path / "playbook.yaml"
    file.write_text(begun["yaml"].replace('version: "1.0.0"', 'version: "1.9.0"'))
    status, kept = run("put", begun["id"], file)
    assert status == 0, kept
    assert (kept["version"], kept["revision"]) == ("1.9.0", begun["revision"] + 1)
    assert kept["case"] == begun["case"]
    status, tried = run("test", begun["id"])
    assert (status, tried["proof"]["failed"]) == (0, 0), tried
    assert run("show", begun["id"])[1]["signable"]


def test_a_draft_that_does_not_hold_is_status_1(run, begun, tmp_path):
    case = tmp_path / "case.yaml"
    file = tmp_path / "playbook.yaml"
    file.write_text(begun["yaml"].replace('version: "1.0.0"', 'version: "1.9.1"'))
    case.write_text(begun["case"].replace("may_change:", "may_change: []\nwas_allowed:"))
    assert run("put", begun["id"], file, "--case", case)[0] == 0
    status, tried = run("test", begun["id"])
    assert status == 1, tried


def test_what_somebody_else_changed_is_not_overwritten(run, begun, tmp_path):
    file = tmp_path / "playbook.yaml"
    file.write_text(begun["yaml"] + "# mine\n")
    assert run("put", begun["id"], file)[0] == 0
    status, said = run("put", begun["id"], file, "--revision", begun["revision"])
    assert status == 1
    assert begun["id"] in said or "revision" in said


def test_a_draft_that_is_dropped_takes_no_text(run, tmp_path):
    made = run("new", "not_there_yet")[1]
    assert made["base"] == ""
    assert run("drop", made["id"])[1] == {"id": made["id"], "state": "dropped"}
    file = tmp_path / "playbook.yaml"
    file.write_text(made["yaml"])
    assert run("put", made["id"], file)[0] == 1
    assert run("show", "drf_nobody_has_it")[0] == 1


def test_people_see_text_findings_and_the_way_to_the_signers(run, begun, tmp_path, capsys):
    file = tmp_path / "playbook.yaml"
    file.write_text(begun["yaml"].replace('version: "1.0.0"', 'version: "1.9.2"'))
    assert run("put", begun["id"], file)[0] == 0
    assert main.main(["playbook", "draft", "show", begun["id"]]) == 0
    shown = capsys.readouterr().out
    assert f"name: {NAME}" in shown
    assert "sentienguard" in shown
    assert main.main(["playbook", "draft", "list"]) == 0
    assert begun["id"] in capsys.readouterr().out
