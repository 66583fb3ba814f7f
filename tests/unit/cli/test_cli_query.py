"""`query`: what people see of an answer, and which options go together."""

import contextlib
import json

import pytest

from sentienguard.cli import client, main

VECTOR = {
    "resultType": "vector",
    "result": [
        {"metric": {"__name__": "system_cpu_percent", "host": "web-1"}, "value": [1e9, "42.5"]}
    ],
}
MATRIX = {
    "resultType": "matrix",
    "result": [{"metric": {"host": "web-1"}, "values": [[1e9, "1"], [1e9 + 60, "NaN"]]}],
}


@pytest.fixture
def ask(monkeypatch, capsys):
    asked = []

    def run(data, *words):
        class Asked:
            def get(self, path, **query):
                asked.append((path, {name: value for name, value in query.items() if value}))
                return {"status": "success", "data": data}

        connected = contextlib.nullcontext(Asked())
        monkeypatch.setattr(client, "connect", lambda _: connected)
        status = main.main(["query", *words])
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    run.asked = asked
    return run


def test_a_moment_is_a_table_of_series(ask):
    status, out, _ = ask(VECTOR, "system_cpu_percent", "--at", "1000000000")
    assert status == 0
    assert "system_cpu_percent {host=web-1}" in out
    assert "42.5" in out
    assert ask.asked == [("/query", {"query": "system_cpu_percent", "time": "1000000000"})]


def test_a_range_says_how_many_values_and_their_bounds(ask):
    _, out, _ = ask(MATRIX, "x", "--start", "1000000000", "--end", "1000000060")
    assert "2 values" in " ".join(out.split())
    assert ask.asked[0][0] == "/query_range"
    assert ask.asked[0][1]["step"] == "1m"


def test_a_number_stands_alone_and_json_is_the_data(ask):
    scalar = {"resultType": "scalar", "result": [1e9, "3"]}
    assert ask(scalar, "1 + 2")[1].strip() == "3"
    assert json.loads(ask(VECTOR, "x", "--json")[1]) == VECTOR


@pytest.mark.parametrize("words", [("--end", "5"), ("--step", "5m"), ("--start", "1", "--at", "2")])
def test_options_that_contradict_each_other_are_refused(ask, words):
    status, _, error = ask(VECTOR, "x", *words)
    assert status == 1
    assert "--start" in error
