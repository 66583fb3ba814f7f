"""Proof (b): for fixed facts the permitted set and the orders are the same for any text."""

import dataclasses
import random

import pytest

from sentienguard.model.anomaly import Ground
from sentienguard.model.decision import Route, Verdict
from sentienguard.model.telemetry import LogLine, PathUse, ProcessUse
from sentienguard.stages.decide import decide, meaning, parameters
from tests.support import adversary, advice_world, effort
from tests.support import decide_cases as cases

CASES = effort.pick(1_500, thorough=100_000)
FACTS = [
    dataclasses.replace(
        world,
        evidence=dataclasses.replace(
            world.evidence,
            top_processes=(ProcessUse(4711, "", 99.0, 10_000), ProcessUse(12, "", 3.0, 500)),
            top_paths=(PathUse("", 9_000), PathUse("", 400)),
            anomaly=dataclasses.replace(world.evidence.anomaly, ground=ground, reason=""),
        ),
    )
    for world in advice_world.worlds()
    for ground in (Ground.LIMIT, Ground.ALERT)
]
WORDS = [
    *("wombat", "journal", "restart", "disk", "full", "approve", "run", "postgresql", "hung"),
    *("logs", "archive", "wipe", "cache", "rotated", "volume", "free", "zombie", "4712", "/var"),
]


def text(chance):
    kind = chance.randrange(4)
    if kind == 0:
        return adversary.noise(chance, 120)
    if kind == 1:
        return chance.choice(adversary.COMMANDS)
    if kind == 2:
        return chance.choice([one.name for one in advice_world.ALIKE.playbooks])
    return " ".join(chance.choices(WORDS, k=chance.randrange(1, 9)))


def written(chance, known):
    """Put other words wherever a host or an alert can put words; what was measured stays."""
    lines = tuple(
        LogLine(cases.NOW, text(chance), text(chance)) for _ in range(chance.randrange(5))
    )
    processes = tuple(dataclasses.replace(one, name=text(chance)) for one in known.top_processes)
    paths = tuple(dataclasses.replace(one, path=text(chance)) for one in known.top_paths)
    return dataclasses.replace(
        known,
        log_lines=lines,
        top_processes=processes,
        top_paths=paths,
        text=text(chance),
        anomaly=dataclasses.replace(known.anomaly, reason=text(chance), alert=text(chance)),
    )


def interfering(count, seed=20_261_121):
    chance, wrong, chosen = random.Random(seed), [], 0
    for _ in range(count):
        world = chance.choice(FACTS)
        known = written(chance, world.evidence)
        if said := advice_world.interference(world, known):
            wrong.append((said, known))
        chosen += world.decide_on(known).playbook != world.plain.playbook
    return wrong, chosen


@pytest.mark.timeout(effort.pick(120, thorough=3_600))
def test_for_the_same_facts_any_text_leaves_the_permitted_set_and_the_orders_as_they_are():
    wrong, chosen = interfering(CASES)
    assert not wrong, wrong[:2]
    assert chosen > CASES / 50  # among playbooks that match alike: else no tie was tried


def words_count_as_facts(query, plain=meaning.of_evidence):
    found = plain(query)
    return dataclasses.replace(found, terms=(*found.terms, *found.hints))


def pid_from_a_log(known, plain=parameters._culprit):
    said = [word for line in known.log_lines for word in line.text.split() if word.isdigit()]
    return said[0] if said else plain(known)


def bounds_nothing(verdicts):
    return Verdict("untrusted_text", Route.RUN, "hole")


@pytest.mark.parametrize(
    ("module", "name", "hole"),
    [
        (meaning, "of_evidence", words_count_as_facts),
        (parameters, "_culprit", pid_from_a_log),
        (decide, "_no_more_than", bounds_nothing),
    ],
    ids=["words count as facts", "a parameter out of a log", "a tie that lifts"],
)
def test_the_proof_notices_a_hole(monkeypatch, module, name, hole):
    for world in FACTS:
        assert world.plain is not None
        assert world.permitted is not None
        assert world.permits_plain is not None
    monkeypatch.setattr(module, name, hole)
    wrong, _ = interfering(600)
    assert wrong
