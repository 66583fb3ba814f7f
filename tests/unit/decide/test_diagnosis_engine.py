import dataclasses
import json
import os
import random
import subprocess
import sys

import pytest

from sentienguard.model import diagnosis
from sentienguard.stages.decide.diagnosis import engine, report, snapshot
from tests.support import diagnosis_cases as cases

BEFORE = cases.ALERT - 12 * cases.MINUTE


def diagnose(document):
    return engine.diagnose(snapshot.parse(document))


def errors(name, after=0.4, **fields):
    return cases.series(name, "errors", 0.002, after, **fields)


@pytest.mark.parametrize("slow", ["web", "cart", "search", "pay", "store", "index"])
def test_what_is_slow_by_itself_is_blamed_and_not_who_waits_for_it(slow):
    verdict = diagnose(cases.shop(slow))
    first = verdict.ranked[0]
    assert (first.object, first.cause) == (slow, "latency")
    assert first.share > 0.8
    assert (first.path[0], first.path[-1]) == (slow, "web")
    assert "of the excess latency is its own" in first.evidence[0]


def test_more_requests_are_the_doing_of_who_makes_them():
    document = cases.shop("cart")
    document["objects"].append({"name": "bucket"})
    document["edges"].append(cases.edge("cart", "bucket"))
    document["series"] += [
        cases.series(
            "bucket", "latency", 40, 70
        ),  # slower, for it is asked a hundred times as often
        cases.series("bucket", "traffic", 1, 100),
    ]
    assert diagnose(document).ranked[0].object == "cart"


def test_an_effect_counts_only_if_its_mediators_moved():
    """What is slow and wavers has much time in excess of usual at any moment, by chance."""
    document = cases.shop("pay")
    document["objects"].append({"name": "batch"})
    document["edges"].append(cases.edge("web", "batch"))
    wavering = cases.series("batch", "latency", 1000, 1400)
    wavering["values"] = [
        value if time > cases.ALERT - 6 * cases.MINUTE else value * (0.6 + place % 9 / 10)
        for place, (time, value) in enumerate(
            zip(wavering["times_ms"], wavering["values"], strict=True)
        )
    ]
    document["series"] += [wavering, cases.series("batch", "traffic", 30, 30)]
    assert diagnose(document).ranked[0].object == "pay"


def shared_store(**parts):
    """Two services fail because of a store; a third that uses it may not."""
    return cases.document(
        objects=["gate", "login", "basket", "catalog", "store"],
        symptom=cases.symptom("login", "errors"),
        edges=[
            cases.edge("gate", "login"),
            cases.edge("login", "store", "datastore"),
            cases.edge("basket", "store", "datastore"),
            cases.edge("gate", "catalog"),
        ],
        **parts,
    )


def test_a_shared_store_is_blamed_for_all_that_use_it_and_only_those():
    verdict = diagnose(
        shared_store(
            series=[
                cases.series("store", "saturation", 10, 90, onset=BEFORE),
                errors("login"),
                errors("basket"),
                errors("catalog", after=0.002),
            ]
        )
    )
    assert verdict.ranked[0].object == "store"
    assert set(verdict.edges) == {("store", "login"), ("store", "basket")}
    assert verdict.ranked[0].share == 1.0
    assert verdict.runner_up is not None
    assert verdict.runner_up.object == "login"
    assert verdict.runner_up.against


def test_effects_that_are_predicted_and_absent_count_against_a_hypothesis():
    moved = [cases.series("store", "saturation", 10, 90, onset=BEFORE), errors("login")]
    with_effect = diagnose(shared_store(series=[*moved, errors("basket")])).ranked[0]
    without = diagnose(shared_store(series=[*moved, errors("basket", after=0.002)])).ranked[0]
    assert with_effect.score > without.score
    assert without.against == ("basket depends on it and is as usual",)


def test_what_nobody_observes_is_blamed_if_all_that_use_it_moved():
    verdict = diagnose(shared_store(series=[errors("login"), errors("basket")]))
    assert verdict.ranked[0].object == "store"


def test_load_flows_down_so_the_asker_is_blamed_for_a_callee_that_is_asked_more():
    """A cache that lost its entries asks its database far more."""
    verdict = diagnose(
        cases.document(
            objects=["edge", "cache", "base"],
            symptom=cases.symptom("edge", "errors"),
            edges=[cases.edge("edge", "cache"), cases.edge("cache", "base", "datastore")],
            series=[
                cases.series("cache", "hit_ratio", 95, 5, onset=BEFORE),
                cases.series("base", "traffic", 50, 900, onset=BEFORE),
                cases.series("base", "latency", 10, 800, onset=BEFORE + cases.MINUTE),
                errors("edge"),
            ],
        )
    )
    assert verdict.ranked[0].object == "cache"
    assert set(verdict.edges) == {("cache", "edge"), ("cache", "base")}


def test_who_is_slow_first_is_blamed_for_the_retries_that_follow():
    verdict = diagnose(
        cases.document(
            objects=["page", "advice"],
            symptom=cases.symptom("page", "errors"),
            edges=[cases.edge("page", "advice")],
            series=[
                cases.series("advice", "latency", 50, 4000, onset=BEFORE),
                cases.series("advice", "traffic", 300, 1200, onset=BEFORE + 2 * cases.MINUTE),
                errors("page", onset=BEFORE + cases.MINUTE),
            ],
        )
    )
    assert verdict.ranked[0].object == "advice"
    assert verdict.edges == (("advice", "page"),)
    assert verdict.runner_up is not None
    assert verdict.runner_up.against == ("advice moved no later and explains it",)


def test_what_moved_long_after_its_caller_is_no_cause():
    verdict = diagnose(
        cases.document(
            objects=["caller", "callee"],
            symptom=cases.symptom("caller", "errors"),
            edges=[cases.edge("caller", "callee")],
            series=[errors("caller", onset=BEFORE), errors("callee", onset=cases.ALERT)],
        )
    )
    assert [one.object for one in verdict.ranked] == ["caller"]


def requests(*traces, logs):
    names = sorted({one["callee"] for one in traces} | {one["caller"] for one in traces} - {""})
    return cases.document(
        objects=names,
        symptom={"kind": "other", "at_ms": cases.ALERT},
        traces=list(traces),
        logs=logs,
    )


def test_the_deepest_whose_requests_changed_is_blamed_and_the_kind_of_change_told():
    traces = [cases.trace("", "a"), cases.trace("a", "b"), cases.trace("b", "c")]
    callers = [
        cases.line("a", "done", count=0, usual=60),
        cases.line("b", "got it", count=0, usual=60),
    ]
    vanished = cases.line("c", "query answered", count=0, usual=60)
    other_way = cases.line("c", "no such thing", count=60, usual=0, severity="error")
    aborted = diagnose(requests(*traces, logs=[*callers, vanished])).ranked[0]
    wrong = diagnose(requests(*traces, logs=[*callers, vanished, other_way])).ranked[0]
    assert (aborted.object, aborted.cause) == ("c", "aborted")
    assert (wrong.object, wrong.cause) == ("c", "wrong_answer")
    assert wrong.score == aborted.score  # what it wrote made it no more guilty


def test_lines_that_half_of_the_requests_miss_are_what_people_ask_for():
    traces = [cases.trace("", "a"), cases.trace("", "b")]
    logs = [cases.line("a", "x", count=30, usual=60), cases.line("b", "y", count=1, usual=60)]
    ranked = diagnose(requests(*traces, logs=logs)).ranked
    assert ranked[0].object == "b"
    assert all(one.score < ranked[0].score / 2 for one in ranked[1:])


def test_slow_wires_are_put_down_to_the_end_that_they_share():
    slow = {"wire_ms": 1000, "usual_wire_ms": 3}
    quick = {"wire_ms": 3, "usual_wire_ms": 3}
    verdict = diagnose(
        requests(
            cases.trace("", "gate"),
            cases.trace("gate", "mid", **slow),
            cases.trace("mid", "low", **slow),
            cases.trace("gate", "other", **quick),
            cases.trace("other", "low", **quick),
            logs=[],
        )
    )
    assert (verdict.ranked[0].object, verdict.ranked[0].cause) == ("mid", "network")


def test_an_end_pays_for_its_wires_that_are_not_slow():
    others = [f"s{number}" for number in range(5)]
    quick = {"wire_ms": 3, "usual_wire_ms": 3}
    verdict = diagnose(
        requests(
            cases.trace("lonely", "hub", wire_ms=1000, usual_wire_ms=3),
            *(cases.trace(one, "hub", **quick) for one in others),
            logs=[],
        )
    )
    assert verdict.ranked[0].object == "lonely"


def test_the_largest_jump_counts_not_the_quietest_series():
    noisy = cases.series("b", "cpu", 40, 99)
    noisy["values"] = [value + place % 5 for place, value in enumerate(noisy["values"])]
    verdict = diagnose(
        cases.document(
            objects=["a", "b"],
            symptom={"kind": "other", "at_ms": cases.ALERT},
            series=[cases.series("a", "cpu", 1, 21), noisy],
        )
    )
    assert [one.object for one in verdict.ranked] == ["b", "a"]


@pytest.mark.parametrize(
    ("gained", "cause"),
    [(2e8, "memory"), (1e7, "cpu")],  # bytes; a process that spins gains a few as well
)
def test_what_allocates_burns_and_what_burns_allocates_little(gained, cause):
    verdict = diagnose(
        cases.document(
            objects=["a", "b", "c"],
            symptom={"kind": "other", "at_ms": cases.ALERT},
            series=[
                cases.series("a", "cpu", 1, 99),
                cases.series("a", "memory", 2e7, 2e7 + gained),
                cases.series("b", "cpu", 0.01, 0.9),  # far from usual, and next to nothing
                cases.series("b", "memory", 3e8, 3e8),
                cases.series("c", "memory", 4e8, 4e8),
            ],
        )
    )
    assert (verdict.ranked[0].object, verdict.ranked[0].cause) == ("a", cause)


def test_one_reading_that_is_off_is_a_blip():
    blip = cases.series("a", "cpu", 10, 10)
    blip["values"][-8] = 100.0
    steady = cases.series("b", "cpu", 10, 60)
    symptom = {"kind": "other", "at_ms": cases.ALERT}
    verdict = diagnose(cases.document(objects=["a", "b"], symptom=symptom, series=[blip, steady]))
    assert [one.object for one in verdict.ranked] == ["b"]


def test_an_alert_that_comes_late_does_not_hide_the_onset():
    """Without the guard gap the fault would be its own baseline."""
    late = cases.shop("pay")
    late["symptom"] = {"kind": "other", "at_ms": cases.ALERT}
    late["edges"], late["traces"] = [], []
    late["series"] = [
        cases.series("pay", "cpu", 5, 95, onset=cases.ALERT - 9 * cases.MINUTE),
        cases.series("web", "cpu", 5, 5),
    ]
    assert diagnose(late).ranked[0].object == "pay"


HEALTHY = {
    "calls": cases.shop("nobody"),
    "no series": cases.document(objects=["a"], symptom=cases.symptom("a")),
    "nothing": cases.document(objects=[]),
    "no symptom": cases.shop("nobody") | {"symptom": None},
    "shared": shared_store(
        series=[
            cases.series("store", "cpu", 10, 90),  # moved, but nobody suffers
            errors("login", after=0.002),
        ]
    ),
    "requests": requests(cases.trace("", "a"), logs=[cases.line("a", "fine", count=57, usual=60)]),
    "lines": requests(
        cases.trace("", "a"),
        logs=[cases.line("a", "FATAL: it was me", count=60, usual=0, severity="error")],
    ),
}


@pytest.mark.parametrize("name", sorted(HEALTHY))
def test_a_healthy_system_is_answered_with_an_abstention(name):
    verdict = diagnose(HEALTHY[name])
    assert verdict.ranked == ()
    assert verdict.abstained
    assert verdict.confidence == 0


@pytest.mark.parametrize("seed", range(40))
def test_noise_alone_convicts_nobody(seed):
    assert diagnose(cases.shop("nobody", seed=seed)).ranked == ()


def sick():
    """Give one snapshot for each way of looking."""
    yield cases.shop("pay")
    yield shared_store(series=[cases.series("store", "cpu", 10, 90, onset=BEFORE), errors("login")])
    yield shared_store(
        series=[cases.series("store", "cpu", 10, 90, onset=BEFORE), errors("login")],
        changes=[{"id": "c", "object": "login", "kind": "deploy", "at_ms": cases.START}],
        logs=[
            cases.line("login", f"x509: {who} is not valid", count=9, usual=0, severity="error")
            for who in "abcdef"
        ],
    )
    yield requests(
        cases.trace("", "a"),
        cases.trace("a", "b", wire_ms=400, usual_wire_ms=2),
        logs=[cases.line("b", "x", count=0, usual=60), cases.line("a", "y", count=9, usual=60)],
    )


def test_only_objects_of_the_inventory_are_blamed():
    for document in sick():
        names = {one["name"] for one in document["objects"]}
        verdict = diagnose(document)
        assert verdict.ranked
        assert {one.object for one in verdict.ranked} <= names
        assert {name for one in verdict.ranked for name in one.path} <= names


def test_what_a_cluster_blames_outside_the_inventory_is_left_out(monkeypatch):
    blamed = tuple(
        diagnosis.Suspect(object=name, cause="x", score=0.9, share=1.0) for name in ("ghost", "pay")
    )
    verdict = diagnosis.Verdict("case", blamed, confidence=0.9)
    monkeypatch.setattr(engine.kubernetes, "diagnose", lambda _: verdict)
    document = cases.shop("cart", kubernetes={"namespace": "shop", "objects": {}})
    assert [one.object for one in diagnose(document).ranked] == ["pay"]


@pytest.mark.parametrize("seed", range(5))
def test_the_order_of_a_snapshot_s_parts_is_nothing(seed):
    chance = random.Random(seed)
    for document in sick():
        read = snapshot.parse(document)
        parts = {
            field.name: tuple(chance.sample(found, len(found)))
            for field in dataclasses.fields(read)
            if isinstance(found := getattr(read, field.name), tuple)
        }
        assert engine.diagnose(dataclasses.replace(read, **parts)) == engine.diagnose(read)


def test_the_hash_seed_is_nothing(tmp_path):
    (tmp_path / "cases.json").write_text(json.dumps(list(sick())))
    program = (
        "import json, sys\n"
        "from sentienguard.stages.decide.diagnosis import engine, report, snapshot\n"
        "for one in json.load(open(sys.argv[1])):\n"
        "    print(json.dumps(report.document(engine.diagnose(snapshot.parse(one)))))\n"
    )
    told = {
        subprocess.run(
            [sys.executable, "-c", program, str(tmp_path / "cases.json")],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "77")
    }
    assert len(told) == 1
    expected = [report.document(engine.diagnose(snapshot.parse(one))) for one in sick()]
    assert [json.loads(line) for line in told.pop().splitlines()] == expected
