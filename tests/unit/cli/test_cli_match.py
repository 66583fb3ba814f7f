"""`match eval` ranks a foreign library and looks at nothing but texts."""

import json

import pytest

from sentienguard.adapters.minilm import embedder as minilm
from sentienguard.cli import main
from sentienguard.cli import match_commands as commands
from tests.support import match_library as library

QUERIES = (
    {"id": "q1", "text": "Redis uses nearly all of its memory", "service": "redis"},
    {"id": "q2", "text": "postgresql: the standby is behind its primary", "service": None},
    {"id": "q3", "text": "npm cannot resolve the tree", "service": "ci"},
)


@pytest.fixture
def files(tmp_path):
    rows = [{"id": one.id, "title": one.title, "service": one.service, "text": one.text,
             "path": "x.md"} for one in library.DOCUMENTS]  # fmt: skip
    for name, kept in (("c", rows), ("q", QUERIES)):
        (tmp_path / f"{name}.jsonl").write_text("\n".join(map(json.dumps, kept)) + "\n")
    return tmp_path


@pytest.fixture(params=["words", "vectors"])
def model(request, monkeypatch):
    made = library.HashedWords() if request.param == "vectors" else None
    monkeypatch.setattr(minilm, "installed", lambda: made)
    return made


def run(files, *more):
    argv = ["match", "eval", "--corpus", str(files / "c.jsonl"), "--queries",
            str(files / "q.jsonl"), "--out", str(files / "r.jsonl"), *more]  # fmt: skip
    return main.main(argv)


def answers(files):
    return [json.loads(line) for line in (files / "r.jsonl").read_text().splitlines()]


def test_each_alert_has_a_ranking_a_confidence_and_a_route(files, model, capsys):
    assert run(files, "--json") == 0
    rows = answers(files)
    assert [row["id"] for row in rows] == ["q1", "q2", "q3"]
    assert [row["ranking"][0] for row in rows[:2]] == ["redis-memory", "pg-replica"]
    assert all(set(row) == {"id", "ranking", "confidence", "route"} for row in rows)
    assert all(0 <= row["confidence"] < 0.90 for row in rows)  # neither is calibrated
    assert rows[2]["route"] == "escalate"
    said = json.loads(capsys.readouterr().out)
    assert said["model"] == ("hashed-words" if model else "words alone")
    assert said["queries"] == 3


def test_right_answers_in_the_rows_are_not_looked_at(files, model):
    run(files)
    plain = answers(files)
    told = [{**row, "gold": ["etcd"], "kind": "match", "variant": "am"} for row in QUERIES]
    (files / "q.jsonl").write_text("\n".join(map(json.dumps, told)))
    run(files)
    assert answers(files) == plain


def test_explained_answers_name_the_parts_and_what_holds_them_down(files, model):
    run(files, "--explain")
    first = answers(files)[0]
    assert len(first["explained"]) == 5
    assert {"name", "value", "because"} == set(first["explained"][0]["parts"][0])
    assert first["caps"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "line 1: expected a JSON object"),
        ("[1]", "line 1: expected a JSON object, found list"),
        ('{"id": "a"}', "row 1: expected a text in 'text'"),
        ('{"text": "a"}', "row 1: expected a text in 'id'"),
        ('{"id": "a", "text": "x"}\n{"id": "a", "text": "x"}', "the id 'a' stands there twice"),
    ],
)
def test_a_row_that_cannot_be_read_is_named(files, capsys, line, said):
    (files / "c.jsonl").write_text(line)
    assert run(files, "--words-only") == main.REFUSED
    assert said in capsys.readouterr().err
    assert not (files / "r.jsonl").exists()


def test_prepare_tells_how_far_it_is():
    told = []
    commands.prepare(library.DOCUMENTS, library.HashedWords(), told.append)
    assert told == ["embedding text 5 of 12", "embedding text 10 of 12"]
