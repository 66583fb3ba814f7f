"""Something wrong in the safety kernel is noticed by the tests of the module that it is in."""

import random

import pytest

from tests.support import effort, equivalent_mutants, kernel, mutants, mutation_runs
from tests.support.mutation_runs import Fate, Subject

SEED = 20_260_212
EACH = 8  # mutants of each sampled module
CHOSEN = [
    one for one in kernel.SUBJECTS if effort.pick(one.module in kernel.SAMPLED, thorough=True)
]


def told(judged):
    lines = [
        f"{one.mutant.site.module} line {one.mutant.site.line}: {one.mutant.name!r}"
        for one in kernel.unexplained(judged)
    ]
    return "not noticed; write the test, or review it in equivalent_mutants:\n" + "\n".join(lines)


@pytest.mark.timeout(effort.pick(180, thorough=7_200))
@pytest.mark.parametrize("subject", CHOSEN, ids=[one.module for one in CHOSEN])
def test_mutants_are_noticed(subject):
    sites = mutants.sites(subject.module)
    assert len(sites) > EACH
    chosen = effort.pick(random.Random(SEED).sample(sites, EACH), thorough=sites)
    given = list(mutants.made(chosen))
    judged = mutation_runs.run(subject, given)
    print(kernel.summary(subject.module, judged))
    assert kernel.share(judged) >= kernel.LEAST_KILLED, told(judged)
    if effort.THOROUGH:
        reviewed = set(equivalent_mutants.REVIEWED.get(subject.module, {}))
        survived = {one.mutant.name for one in judged if one.fate is Fate.SURVIVED}
        assert reviewed <= survived, f"reviewed, and gone or noticed: {reviewed - survived}"


@pytest.mark.timeout(60)
def test_a_mutant_that_no_test_looks_at_survives():
    module = "sentienguard.stages.decide.routing"
    looks_elsewhere = Subject(
        module, ("tests/unit/decide/test_decide_policy.py::test_no_rules_permit_nothing",)
    )
    sites = [one for one in mutants.sites(module) if one.place == "reasons"]
    judged = mutation_runs.run(looks_elsewhere, list(mutants.made(sites[:3])))
    assert [one.fate for one in judged] == [Fate.SURVIVED] * 3
    assert kernel.share(judged) == 0
    assert len(kernel.unexplained(judged)) == 3
