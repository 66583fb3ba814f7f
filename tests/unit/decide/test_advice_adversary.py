"""Proof (a): whatever stands in the adviser's place, nothing outside the permitted set happens.

The permitted set is worked out from the facts by a second policy (tests/support/advice_world.py).
"""

import collections
import random

import pytest

from sentienguard.model.advice import May
from sentienguard.model.decision import Route, Verdict
from sentienguard.stages.decide import advice, advice_answer, advice_prompt, decide
from tests.support import adversary, advice_world, effort

OUTPUTS = effort.pick(6_000, thorough=120_000)
WORLDS = advice_world.worlds()


def attacked(chance, world, may):
    """Let the adversary speak once; return the decision, or None if it was not even read."""
    offered = advice_prompt.offered(world.plain.candidates)
    known = [one.name for one in world.library.playbooks]
    if chance.random() < 0.5:  # past the reader: as if it had a hole
        return world.decide(adversary.opinion(chance, offered, known), may)
    try:
        opinion = advice_answer.read(adversary.answer(chance, offered, known), offered)
    except advice_answer.AnswerWrong:
        return None
    assert opinion.choice is None or opinion.choice in offered
    return world.decide(opinion, may)


def harm(outputs, seed=20_261_121):
    """Return what went wrong, and what happened how often."""
    chance, seen, wrong = random.Random(seed), collections.Counter(), []
    for _ in range(outputs):
        world, may = chance.choice(WORLDS), chance.choice(list(May))
        made = attacked(chance, world, may)
        if made is None:
            seen["not read"] += 1
            continue
        if said := world.wrong(made):
            wrong.append((said, made.opinion))
        if made.route > world.plain.route:
            wrong.append((f"lifted to {made.route.name}", made.opinion))
        seen["read"] += 1
        seen["restricted"] += made.route < world.plain.route
        seen["another"] += made.playbook != world.plain.playbook
        if may is May.SHOWN and (made.route, made.playbook) != (
            world.plain.route,
            world.plain.playbook,
        ):
            wrong.append(("shown only, and it changed something", made.opinion))
    return wrong, seen


@pytest.mark.timeout(effort.pick(120, thorough=3_600))
def test_no_output_leads_outside_the_permitted_set():
    wrong, seen = harm(OUTPUTS)
    assert not wrong, wrong[:3]
    for what in ("not read", "read", "restricted", "another"):  # else nothing was tried
        assert seen[what] > OUTPUTS / 100, seen


def lifts(before):
    return Verdict(advice.RULE, Route.RUN, "hole")


def any_playbook(opinion, candidates, may):
    return next((one for one in candidates[1:] if one.playbook == opinion.choice), None)


def always(opinion, first, may):
    return Verdict(advice.RULE, Route.ASK, "hole")


@pytest.mark.parametrize(
    ("module", "name", "hole"),
    [
        (advice, "no_more_than", lifts),
        (advice, "meant", any_playbook),
        (advice, "verdict", always),
        (decide.routing, "route", lambda verdicts: max(one.route for one in verdicts)),
    ],
    ids=["lifts", "any playbook", "restricts when shown", "no meet"],
)
def test_the_proof_notices_a_hole(monkeypatch, module, name, hole):
    """Without its check each of these would do harm, and is seen to."""
    for world in WORLDS:
        assert world.plain is not None
        assert world.permitted is not None
    monkeypatch.setattr(module, name, hole)
    wrong, _ = harm(1_500)
    assert wrong
