"""The benchmark's own machinery, on two made-up cases in the format of one set."""

import json
import lzma

import pytest

from benchmarks import diagnosis

SCORER = """
import json, sys
told = [json.loads(line) for line in open(sys.argv[2])]
print(json.dumps({"made-up": {"lines": len(told), "truth": sys.argv[1].endswith("truth")}}))
"""


def rows(path, *lines):
    with lzma.open(path, "wt") as file:
        file.write("time,a_cpu,a_mem,b_cpu,b_mem\n")
        file.writelines(",".join(map(str, line)) + "\n" for line in lines)


@pytest.fixture
def data(tmp_path):
    case = tmp_path / "data/sockshop1/c1"
    case.mkdir(parents=True)
    rows(case / "normal.csv.xz", *((at, 1 + at % 3 / 10, 5e8, 2, 5e8) for at in range(200)))
    rows(case / "anomalous.csv.xz", *((at, 95, 5e8, 2, 5e8) for at in range(9000, 9200)))
    broken = case.with_name("c2")
    broken.mkdir()
    (broken / "anomalous.csv.xz").write_bytes(b"not xz")
    (broken / "normal.csv.xz").write_bytes(b"not xz")
    truth = tmp_path / "data/truth"
    truth.mkdir()
    told = {"id": "sockshop1/c1", "task": "object+cause", "objects": ["a"], "cause": "cpu"}
    (truth / "sockshop1.jsonl").write_text(json.dumps(told) + "\n")
    (tmp_path / "data/score.py").write_text(SCORER)
    return tmp_path / "data"


def lines(path):
    return {one["id"]: one for one in map(json.loads, path.read_text().splitlines())}


def test_each_case_gets_a_line_and_one_that_cannot_be_read_an_abstention(data, tmp_path, capsys):
    out = tmp_path / "predictions.jsonl"
    figures = diagnosis.run({"data": str(data), "out": str(out), "forged": "1", "shuffled": "1"})
    told = lines(out)
    assert told["sockshop1/c1"]["ranked"][0] == {"object": "a", "cause": "cpu"}
    assert told["sockshop1/c2"]["ranked"] == []
    assert "sockshop1/c2: LZMAError" in capsys.readouterr().err
    assert figures["sockshop1"]["unreadable"] == 1
    assert figures["sockshop1"]["first_right_with_forged_logs"] == 1
    assert figures["sockshop1"]["framed_object_first"] == 0
    assert figures["sockshop1"]["verdicts_that_differ_when_shuffled"] == 0
    assert figures["scores"] == {"made-up": {"lines": 2, "truth": True}}


def test_without_truth_there_are_predictions_and_no_scores(data, tmp_path):
    (data / "score.py").unlink()
    out = tmp_path / "predictions.jsonl"
    figures = diagnosis.run({"data": str(data), "out": str(out), "sets": "sockshop1,petshop"})
    assert len(lines(out)) == 2
    assert "scores" not in figures


def test_a_set_that_nobody_knows_is_told_of(data, capsys):
    assert diagnosis.run({"data": str(data), "sets": "made-up"})["cases"] == 0
    assert "no set 'made-up'" in capsys.readouterr().err
