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


@pytest.mark.parametrize("lane", ["deviation", "novelty", "joined"])
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


def test_without_a_lane_one_metric_gets_the_joined_score_and_several_that_of_a_host(
    readings, tmp_path, capsys
):
    wide, out = tmp_path / "host.csv", tmp_path / "out.csv"
    wide.write_text("timestamp,a,b\n0,1,2\n60,1,2\n")
    lanes = []
    for source in (readings, wide):
        main.main(["detect", "score", str(source), "--out", str(out), "--json"])
        lanes.append(json.loads(capsys.readouterr().out)["lane"])
    assert lanes == ["joined", "host"]


def test_a_host_s_metrics_give_one_score_and_what_stands_out_is_named(tmp_path):
    path, out = tmp_path / "host.csv", tmp_path / "out.csv"
    lines = ["timestamp,a,b,c,label"]
    for at in range(300):
        missing = "" if at == 100 else str(20 + at % 3)
        lines.append(f"{60 * at},{90 if at >= 290 else 10 + at % 4},{missing},{5 + at % 2},1")
    path.write_text("\n".join(lines) + "\n")
    assert main.main(["detect", "score", str(path), "--out", str(out)]) == 0
    rows = scored(out)
    assert list(rows[0]) == [*lines[0].split(","), "anomaly_score", "anomaly_metrics"]
    raised = [row["anomaly_metrics"] for row in rows if float(row["anomaly_score"]) >= 0.5]
    assert raised
    assert set(raised) == {"a"}
    assert rows[10]["anomaly_metrics"] == ""


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "expected columns timestamp,value"),
        ("time,value\n1,2\n", "expected columns timestamp,value"),
        ("timestamp,value\n2026-02-12 11:26:00,much\n", "row 1: value is 'much'"),
        ("timestamp,value\nyesterday,1\n", "row 1: timestamp is 'yesterday'"),
        ("timestamp,value\n,1\n", "row 1: timestamp is '', expected a time"),
    ],
)
def test_a_row_that_cannot_be_read_is_named_and_leaves_no_output(content, said, tmp_path, capsys):
    path, out = tmp_path / "bad.csv", tmp_path / "out.csv"
    path.write_text(content)
    assert main.main(["detect", "score", str(path), "--out", str(out)]) == 1
    assert said in capsys.readouterr().err
    assert not out.exists()


def test_the_joined_score_has_what_is_new_on_top_and_what_deviates_below(readings, tmp_path):
    found = {}
    for lane in ("joined", "novelty", "deviation"):
        out = tmp_path / f"{lane}.csv"
        main.main(["detect", "score", str(readings), "--out", str(out), "--lane", lane])
        found[lane] = [float(row["anomaly_score"]) for row in scored(out)]
    for joined, new, off in zip(*found.values(), strict=True):
        assert joined == pytest.approx(new if new >= 0.5 else off / 2, abs=1e-3)
        assert (joined >= 0.5) == (new >= 0.5)
