import json

import pytest

from sentienguard.cli import main
from tests.support import diagnosis_cases as cases


@pytest.fixture
def shop(tmp_path):
    path = tmp_path / "snapshot.json"
    changes = [{"id": "abc", "object": "pay", "kind": "deploy", "at_ms": cases.ALERT - 600_000}]
    alerts = [{"id": "A1", "object": "web", "at_ms": cases.ALERT}]
    path.write_text(json.dumps(cases.shop("pay", changes=changes, alerts=alerts)))
    return path


def test_it_tells_path_share_evidence_and_runner_up(shop, capsys):
    assert main.main(["diagnose", str(shop)]) == 0
    told = capsys.readouterr().out
    assert "pay: latency" in told
    assert "pay -> web" in told
    assert "explains 100% of the symptom" in told
    assert "runner-up: " in told
    assert "no change at all" in told
    assert "alerts: 1 of 1 are worth a page" in told


def test_json_and_the_file_hold_the_same(shop, tmp_path, capsys):
    out = tmp_path / "verdict.json"
    assert main.main(["diagnose", str(shop), "--out", str(out), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert json.loads(out.read_text()) == document
    assert document["ranked"][0]["object"] == "pay"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_healthy_system_is_said_to_be_so(tmp_path, capsys):
    path = tmp_path / "snapshot.json"
    path.write_text(json.dumps(cases.shop("nobody")))
    assert main.main(["diagnose", str(path)]) == 0
    assert "nobody is blamed" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "expected JSON"),
        ("\xff", "expected JSON"),
        ("[" * 100_000, "expected JSON"),
        ("[]", "snapshot: expected an object"),
        (json.dumps({"v": 1, "since_ms": 0}), "snapshot.until_ms: is missing"),
    ],
)
def test_what_is_no_snapshot_is_refused_in_words(text, said, tmp_path, capsys):
    path = tmp_path / "snapshot.json"
    path.write_bytes(text.encode("latin-1"))
    assert main.main(["diagnose", str(path)]) == 1
    assert said in capsys.readouterr().err


def test_a_file_that_is_not_there_is_refused(tmp_path, capsys):
    assert main.main(["diagnose", str(tmp_path / "none.json")]) == 1
    assert "none.json" in capsys.readouterr().err


def test_control_characters_of_a_log_line_do_not_reach_the_terminal(tmp_path, capsys):
    document = cases.shop("pay")
    document["objects"].append({"name": "\x1b[31mred"})
    for one in document["series"]:
        if one["object"] == "pay":
            one["object"] = "\x1b[31mred"
    for one in document["edges"]:
        if one["target"] == "pay":
            one["target"] = "\x1b[31mred"
    path = tmp_path / "snapshot.json"
    path.write_text(json.dumps(document))
    assert main.main(["diagnose", str(path)]) == 0
    told = capsys.readouterr().out
    assert "red" in told
    assert "\x1b" not in told
