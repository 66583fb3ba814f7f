import csv
import json

import pytest

from sentienguard.cli import main


def scored(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def readings(tmp_path):
    path = tmp_path / "in.csv"
    lines = ["timestamp,value"]
    for at in range(400):
        value = 90 if at in range(350, 356) else 50 + (at * 7) % 5
        lines.append(f"2026-02-12 {at // 60:02d}:{at % 60:02d}:00,{value}")
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize("lane", ["deviation", "novelty"])
def test_each_row_comes_back_with_its_score(lane, readings, tmp_path, capsys):
    out = tmp_path / "out.csv"
    arguments = ["detect", "score", str(readings), "--out", str(out), "--lane", lane, "--json"]
    assert main.main(arguments) == 0
    rows = scored(out)
    assert list(rows[0]) == ["timestamp", "value", "anomaly_score"]
    assert len(rows) == 400
    assert max(float(row["anomaly_score"]) for row in rows[350:356]) >= 0.5
    answer = json.loads(capsys.readouterr().out)
    assert (answer["rows"], answer["lane"]) == (400, lane)
    assert answer["raised"] == sum(float(row["anomaly_score"]) >= 0.5 for row in rows)


def test_a_host_s_metrics_give_one_score_and_a_label_is_not_looked_at(tmp_path):
    path, out = tmp_path / "host.csv", tmp_path / "out.csv"
    path.write_text("timestamp,a,b,label\n0,1,2,0\n60,1,,1\n")
    assert main.main(["detect", "score", str(path), "--out", str(out)]) == 0
    assert list(scored(out)[0]) == ["timestamp", "a", "b", "label", "anomaly_score"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "expected columns timestamp,value"),
        ("time,value\n1,2\n", "expected columns timestamp,value"),
        ("timestamp,value\n2026-02-12 11:26:00,much\n", "row 1: value is 'much'"),
        ("timestamp,value\nyesterday,1\n", "row 1: timestamp is 'yesterday'"),
        ("timestamp,value\n,1\n", "row 1: timestamp '' is no time"),
    ],
)
def test_a_row_that_cannot_be_read_is_named_and_leaves_no_output(content, said, tmp_path, capsys):
    path, out = tmp_path / "bad.csv", tmp_path / "out.csv"
    path.write_text(content)
    assert main.main(["detect", "score", str(path), "--out", str(out)]) == 1
    assert said in capsys.readouterr().err
    assert not out.exists()
