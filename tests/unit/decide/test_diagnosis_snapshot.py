import copy
import dataclasses
import math

import pytest

from sentienguard.model import diagnosis
from sentienguard.stages.decide.diagnosis import snapshot
from tests.support import diagnosis_cases as cases


def whole():
    return cases.document(
        objects=[{"name": "redis:one", "kind": "datastore", "aliases": ["one"]}, "web"],
        symptom=cases.symptom("web"),
        edges=[cases.edge("web", "one", "datastore")],
        series=[cases.series("one", "latency", 1, 1)],
        logs=[cases.line("web", "timeout", count=3, usual=None, severity="ERROR")],
        traces=[cases.trace("", "web")],
        changes=[{"id": "abc", "object": "web", "kind": "deploy", "at_ms": cases.START}],
        alerts=[{"id": "A1", "object": "web", "at_ms": cases.ALERT, "severity": "SEV1"}],
        known=[{"id": "INC-1", "object": "web", "since_ms": cases.START}],
        kubernetes={"namespace": "shop", "objects": {"Pod": [{"metadata": {"name": "a"}}]}},
    )


def test_every_part_is_read_and_aliases_become_names():
    read = snapshot.parse(whole())
    assert read.edges == (diagnosis.Edge("web", "redis:one", diagnosis.EdgeKind.DATASTORE),)
    assert read.series[0].object == "redis:one"
    assert read.logs[0].severity == "error"
    assert read.alerts[0].severity == "sev1"
    assert read.kubernetes is not None
    assert read.kubernetes.objects["Pod"][0]["metadata"] == {"name": "a"}
    assert {field.name for field in dataclasses.fields(read)} - {"id", "since_ms", "until_ms"} == {
        name for name in whole() if name not in {"v", "id", "since_ms", "until_ms"}
    }


def put(path, value):
    def change(document):
        here = document
        for step in path[:-1]:
            here = here[step]
        if value is ...:
            del here[path[-1]]
        else:
            here[path[-1]] = value

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (put(["v"], 2), "snapshot.v: expected 1, found 2"),
        (put(["since_ms"], ...), "snapshot.since_ms: is missing"),
        (put(["since_ms"], True), "snapshot.since_ms: expected a whole number"),
        (put(["until_ms"], 0), "snapshot.until_ms: 0 lies before since_ms"),
        (put(["surprise"], 1), "snapshot: 'surprise' is unknown"),
        (put(["series", 0, "unit"], "s"), "snapshot.series[0]: 'unit' is unknown"),
        (put(["series", 0, "object"], "ghost"), "snapshot.series[0].object: expected the name"),
        (put(["series", 0, "kind"], "speed"), "snapshot.series[0].kind: expected one of latency"),
        (put(["series", 0, "values"], [1.0]), "snapshot.series[0].values: expected one for each"),
        (put(["series", 0, "values", 3], math.nan), "snapshot.series[0].values: expected a finite"),
        (put(["series", 0, "values", 3], 10**400), "expected a finite number"),
        (put(["series", 0, "times_ms", 3], 5), "snapshot.series[0].times_ms: expected rising"),
        (put(["edges", 0, "target"], "ghost"), "snapshot.edges[0].target: expected the name"),
        (put(["objects", 1, "name"], ""), "snapshot.objects[1].name: expected a name"),
        (
            put(["objects", 1, "name"], "redis:one"),
            "snapshot.objects[1].name: 'redis:one' is there",
        ),
        (put(["objects", 1, "aliases"], ["one"]), "snapshot.objects[1].aliases: 'one' is also"),
        (put(["objects", 1, "aliases"], "one"), "snapshot.objects[1].aliases: expected a list"),
        (put(["logs", 0, "text"], None), "snapshot.logs[0].text: expected a text, found None"),
        (put(["logs"], {}), "snapshot.logs: expected a list"),
        (put(["kubernetes", "objects", "Pod"], {}), "snapshot.kubernetes.objects.Pod: expected a"),
        (put(["kubernetes", "objects", "Pod", 0], 1), "snapshot.kubernetes.objects.Pod[0]: expect"),
        (put(["kubernetes", "outputs"], {"x": 1}), "snapshot.kubernetes.outputs.x: expected a te"),
        (put(["symptom"], []), "snapshot.symptom: expected an object"),
    ],
)
def test_what_is_wrong_is_refused_by_its_name(change, said):
    document = copy.deepcopy(whole())
    change(document)
    with pytest.raises(snapshot.NotASnapshot) as refused:
        snapshot.parse(document)
    assert said in str(refused.value)


@pytest.mark.parametrize("found", [None, [], "text", 3])
def test_other_json_is_no_snapshot(found):
    with pytest.raises(snapshot.NotASnapshot, match="snapshot: expected an object"):
        snapshot.parse(found)


@pytest.mark.parametrize("part", sorted(set(snapshot.LIMITS) - {"points", "text"}))
def test_there_is_a_limit_to_every_part(part, monkeypatch):
    monkeypatch.setattr(snapshot, "LIMITS", {**snapshot.LIMITS, part: 0})
    with pytest.raises(snapshot.NotASnapshot, match=f"snapshot.{part}: . entries, at most 0"):
        snapshot.parse(whole())


def test_there_is_a_limit_to_readings(monkeypatch):
    monkeypatch.setattr(snapshot, "LIMITS", {**snapshot.LIMITS, "points": 10})
    with pytest.raises(snapshot.NotASnapshot, match="135 readings, at most 10"):
        snapshot.parse(whole())


def test_long_text_is_cut_and_not_refused():
    document = whole()
    document["logs"][0]["text"] = "x" * 100_000
    assert len(snapshot.parse(document).logs[0].text) == snapshot.LIMITS["text"]
