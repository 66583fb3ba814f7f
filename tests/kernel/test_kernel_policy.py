"""Random facts: no rule, added or left out, in whatever order, permits what it should not."""

import random

import pytest

from sentienguard.model import decision
from sentienguard.stages.decide import policy, routing
from tests.support import effort, policy_facts, second_policy

FACTS = effort.pick(20_000, thorough=1_000_000)


def added(route):
    """Make a rule that was not there, and that always says the same."""
    verdict = decision.Verdict("added", route, "generated")
    return lambda facts: verdict


ADDED = [added(route) for route in decision.Route]


@pytest.mark.timeout(effort.pick(60, thorough=3_600))
def test_on_random_facts_model_and_policy_agree_and_no_rule_permits_more():
    chance = random.Random(20_260_212)
    shuffled = list(policy.RULES)
    seen = dict.fromkeys(decision.Route, 0)
    deciding = dict.fromkeys((rule.__name__ for rule in policy.RULES), 0)
    for _ in range(FACTS):
        facts = policy_facts.some(chance)
        verdicts = policy.judge(facts)
        found = routing.route(verdicts)
        seen[found] += 1

        expected = second_policy.heights(facts)
        assert {one.rule: int(one.route) for one in verdicts} == expected, facts
        assert int(found) == second_policy.route(facts), facts
        if len(holding := [one.rule for one in verdicts if one.route is found]) == 1:
            deciding[holding[0]] += 1

        chance.shuffle(shuffled)
        assert routing.route(policy.judge(facts, shuffled)) is found, "order matters"
        rest = shuffled[: chance.randrange(len(shuffled))]
        assert routing.route(policy.judge(facts, rest)) >= found or not rest, "a rule less, less"
        extra = chance.choice(ADDED)
        more = routing.route(policy.judge(facts, (*rest, extra)))
        assert more <= routing.route((extra(facts),)), "the added rule is not held to"
        assert not rest or more <= routing.route(policy.judge(facts, rest)), "a rule more, more"
    assert all(count > FACTS / 200 for count in seen.values()), seen
    never = [rule for rule, count in deciding.items() if not count]
    # Without a playbook several rules say so at once, so `match` never stands alone.
    assert set(never) <= {"match"}, never
