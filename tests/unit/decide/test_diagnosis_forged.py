"""Who holds a host writes its logs, and must not be able to frame it or another with them."""

import random

import pytest

from benchmarks import diagnosis_forgery
from benchmarks.diagnosis_sets import case
from sentienguard.stages.decide.diagnosis import engine, snapshot
from tests.support import diagnosis_cases as cases

CASES = 150
FRAMED = 3


def made_up(number):
    """Give a random tree of services of which one breaks: code, wire or processor."""
    chance = random.Random(number)
    names = [f"s{place}" for place in range(chance.randint(6, 14))]
    above = {name: names[chance.randrange(place)] for place, name in enumerate(names) if place}
    guilty = chance.choice(names[1:])
    kind = chance.choice(["code", "wire", "cpu"])
    usual = {name: chance.randint(30, 120) for name in names}
    slow = {"wire_ms": 500, "usual_wire_ms": 3}
    quick = {"wire_ms": 3, "usual_wire_ms": 3}
    traces = [
        cases.trace(
            above.get(name, ""),
            name,
            calls=usual[name] + chance.randint(-5, 5),
            usual_calls=usual[name],
            **(slow if kind == "wire" and guilty in {name, above.get(name)} else quick),
        )
        for name in names
    ]
    logs = [
        cases.line(
            name,
            "handled",
            count=0 if (kind, name) == ("code", guilty) else usual[name] - chance.randint(0, 3),
            usual=usual[name],
        )
        for name in names
    ]
    series = [
        cases.series(name, "cpu", 10, 95 if (kind, name) == ("cpu", guilty) else 10, seed=number)
        for name in names
    ]
    document = cases.document(
        objects=names,
        symptom={"kind": "other", "at_ms": cases.ALERT},
        traces=traces,
        logs=logs,
        series=series,
    )
    return guilty, case.Case(f"case {number}", document)


def first(document):
    ranked = engine.diagnose(snapshot.parse(document)).ranked
    return ranked[0].object if ranked else ""


def test_forged_error_logs_cost_at_most_five_points_and_frame_nobody():
    clean = right = framed = 0
    for number in range(CASES):
        guilty, one = made_up(number)
        forged = diagnosis_forgery.frame(one, {guilty}, FRAMED)
        assert len(forged.names) == FRAMED
        clean += first(one.snapshot) == guilty
        told = first(forged.document)
        right += told == guilty
        framed += told in forged.names
    assert clean >= 0.9 * CASES  # else there would be little to lose
    assert right >= clean - 0.05 * CASES
    assert framed <= 0.01 * CASES


@pytest.mark.parametrize("number", range(10))
def test_a_healthy_system_with_forged_logs_is_answered_with_an_abstention(number):
    _, one = made_up(number)
    quiet = dict(one.snapshot)
    quiet["logs"] = [line | {"count": line["usual"]} for line in quiet["logs"]]
    quiet["traces"] = [trace | {"wire_ms": 3} for trace in quiet["traces"]]
    quiet["series"] = []
    forged = diagnosis_forgery.frame(case.Case(one.id, quiet), set(), FRAMED)
    verdict = engine.diagnose(snapshot.parse(forged.document))
    assert verdict.ranked == ()
    assert verdict.abstained
