"""Fuzzed conditions: two implementations accept the same texts and give the same answers."""

import random

import pytest

from sentienguard.playbook import conditions
from tests.support import condition_texts, effort, second_conditions

TEXTS = effort.pick(20_000, thorough=1_000_000)
ERRORS = {
    conditions.UnknownFact: "unknown",
    conditions.WrongType: "type",
}


def first(text, known):
    """Say what the product says: refused, an error by its kind, or the answer."""
    try:
        condition = conditions.parse(text)
    except conditions.ConditionSyntax:
        return "refused"
    try:
        return conditions.evaluate(condition, known)
    except (conditions.UnknownFact, conditions.WrongType) as error:
        return ERRORS[type(error)]


def second(text, known):
    """Say what the second implementation says; of several errors, all."""
    try:
        program = second_conditions.compiled(text)
    except second_conditions.Refused:
        return "refused"
    return second_conditions.judged(program, known)


def agree(one, other):
    return (
        one in other if isinstance(other, frozenset) else one is other or one == other == "refused"
    )


@pytest.mark.timeout(effort.pick(60, thorough=3_600))
def test_both_implementations_agree_on_every_text_and_answer():
    chance = random.Random(20_260_212)
    counts = {}
    for _ in range(TEXTS):
        kind, text = condition_texts.some(chance)
        known = condition_texts.facts(chance)
        one, other = first(text, known), second(text, known)
        assert agree(one, other), f"{text!r} on {known}: first {one}, second {other}"
        counts[kind, one] = counts.get((kind, one), 0) + 1
    answered = sum(counts.get(("whole", answer), 0) for answer in (True, False))
    wholes = sum(count for (kind, _), count in counts.items() if kind == "whole")
    assert answered > wholes / 3, counts  # else the search looks at errors alone
    for kind in condition_texts.KINDS:
        assert counts.get((kind, "refused"), 0) < TEXTS, counts
    assert all(counts.get(("whole", answer), 0) > TEXTS / 50 for answer in (True, False)), counts
    assert counts.get(("damaged", "refused"), 0) > TEXTS / 50, counts


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("disk_usage > 85%", True),
        ("disk_usage > 85%and process_alive", True),
        ("not disk_usage > 85% or process_alive", True),
        ("not (disk_usage > 85% or process_alive)", False),
        ("severity not in (info, 'warning')", True),
        ("severity in (info, 3)", "type"),
        ("disk_usage > 1 or nope > 2", "unknown"),
        ("disk_usage > 1.5.5", "refused"),
        ("disk_usage > 1 ,", "refused"),
        ("process_alive\xa0", "refused"),
        ("\x1cprocess_alive", "refused"),
        ("(" * 63 + "process_alive" + ")" * 63, True),
        ("(" * 64 + "process_alive" + ")" * 64, "refused"),
        ("not " * 63 + "process_alive", False),
        ("not " * 64 + "process_alive", "refused"),
        ("process_alive" + " " * 1987, True),
        ("process_alive" + " " * 1988, "refused"),
    ],
)
def test_both_say_what_the_page_says(text, expected):
    known = {"disk_usage": 91.0, "process_alive": True, "severity": "critical"}
    assert first(text, known) == expected
    assert agree(expected, second(text, known))
