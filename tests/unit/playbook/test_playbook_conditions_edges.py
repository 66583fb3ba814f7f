"""What lies right beside each rule of conditions, and a short comparison with a second reader.

The long comparison is tests/kernel/test_kernel_conditions.py.
"""

import random

import pytest

from sentienguard.playbook import conditions
from tests.support import condition_texts, second_conditions

HOST = {
    "disk_usage": 91.0,
    "cpu_percent": 91.0,
    "zombies": 3,
    "service_status": "stopped",
    "severity": "critical",
    "process_alive": True,
}
ALIVE = "process_alive"


@pytest.mark.parametrize(
    "text",
    [
        "(" * 63 + ALIVE + ")" * 63,
        "not " * 62 + ALIVE,
        " and ".join(["(" * 63 + ALIVE + ")" * 63] * 3),
        " and ".join([f"not not ({ALIVE})"] * 70),
        ALIVE + " " * 1_987,
        "disk_usage\t>\n85%\r\n",
        "disk_usage == cpu_percent",
        "disk_usage >= cpu_percent and disk_usage <= cpu_percent",
        "disk_usage >= 90 and 90 <= disk_usage and disk_usage > 90 and 90 < disk_usage",
        "severity == 'or' or process_alive",
        "process_alive == true and process_alive != false",
        "not process_alive == false",
        "severity in (critical)",
        "severity not in (info, 'x y', warning)",
    ],
)
def test_what_just_passes(text):
    assert conditions.evaluate(conditions.parse(text), HOST) is True


@pytest.mark.parametrize(
    "text",
    [
        "not process_alive",
        "not " * 63 + ALIVE,
        "disk_usage < cpu_percent or disk_usage > cpu_percent or disk_usage != cpu_percent",
        "disk_usage >= 92 or disk_usage <= 90",
        "disk_usage > 91 or disk_usage < 91",
        "severity not in (critical, info)",
        "process_alive == false",
    ],
)
def test_what_is_just_not_true(text):
    assert conditions.evaluate(conditions.parse(text), HOST) is False


@pytest.mark.parametrize(
    ("text", "column", "message"),
    [
        ("(" * 64 + ALIVE + ")" * 64, 65, "nested deeper than 64"),
        ("not " * 64 + ALIVE, 257, "nested deeper than 64"),
        (ALIVE + " " * 1_988, 2_000, "longer than 2000 characters"),
        ("severity == or", 13, "expected a fact or a value, found 'or'"),
        ("severity == and", 13, "expected a fact or a value, found 'and'"),
        ("severity == not", 13, "expected a fact or a value, found 'not'"),
        ("severity == in", 13, "expected a fact or a value, found 'in'"),
        ("or == x", 1, "expected a fact or a value, found 'or'"),
        ("disk_usage >", 13, "expected a fact or a value, found the end"),
        ("process_alive 'or' process_alive", 15, "expected and, or, or the end"),
        ("process_alive == true 'and' process_alive", 23, "expected and, or, or the end"),
        ("'not' process_alive", 1, "expected a comparison"),
        ("severity 'in' (x)", 1, "expected a comparison"),
        ("severity in '(' x)", 13, "expected a list in parentheses"),
        ("disk_usage '<' 3", 1, "expected a comparison"),
        ("severity in (critical warning)", 23, "expected a comma or a closing parenthesis"),
        ("severity in (critical ',' warning)", 23, "expected a comma"),
        ("severity in (critical')'", 22, "expected a comma"),
        ("(process_alive ')'", 16, "expected a closing parenthesis"),
        ("severity in (x) 'and' process_alive", 17, "expected and, or, or the end"),
        ("severity not == x", 14, "expected in after not"),
        ("process_alive\xa0", 14, r"'\\xa0' is not part of the language"),
        ("disk_usage\xa0> 3", 11, r"'\\xa0' is not part of the language"),
        ("process_alive \x1f", 15, r"'\\x1f' is not part of the language"),
        ("disk_usage > 3 \u2003", 16, "is not part of the language"),
        ("severity < 'x'", 10, "< needs a number, found 'x'"),
        ("true >= process_alive", 6, ">= needs a number, found True"),
        ("'a' in (a)", 1, "in needs a fact on its left"),
        ("service_status", 1, "expected a comparison"),
        ("tag.role", 1, "expected a comparison"),
    ],
)
def test_what_is_just_refused_says_where_and_why(text, column, message):
    with pytest.raises(conditions.ConditionSyntax, match=message) as error:
        conditions.parse(text)
    assert error.value.column == column
    assert f"condition {text[:120]!r}, column {column}: " in str(error.value)


def test_a_metric_check_that_is_no_comparison_is_refused_from_its_start():
    with pytest.raises(conditions.ConditionSyntax, match="one comparison") as error:
        conditions.of_metric("disk_usage", "in (1)")
    assert error.value.column == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("service_status < severity", "< needs numbers"),
        ("process_alive >= process_alive", ">= needs numbers"),
        ("service_status == 3", r"cannot compare text \('stopped'\) with a number \(3.0\)"),
        ("disk_usage == yes", r"a number \(91.0\) with text \('yes'\)"),
        ("process_alive == no", r"true or false \(True\) with text \('no'\)"),
        ("severity in (critical, true)", "text .* with true or false"),
    ],
)
def test_a_wrong_type_is_named(text, message):
    with pytest.raises(conditions.WrongType, match=message):
        conditions.evaluate(conditions.parse(text), HOST)


def test_an_unknown_fact_is_named_with_those_that_are_known():
    with pytest.raises(conditions.UnknownFact, match=r"fact a is not known.*known: \['b', 'c'\]"):
        conditions.evaluate(conditions.parse("a > 1"), {"c": 1, "b": 2})


def test_every_operand_is_told_with_the_part_that_it_stands_in():
    condition = conditions.parse("not (1 < disk_usage or severity in (info, x)) and process_alive")
    found = {
        (type(node).__name__, getattr(operand, "name", getattr(operand, "value", None)))
        for node, operand in conditions.operands(condition)
    }
    assert found == {
        ("Comparison", 1.0),
        ("Comparison", "disk_usage"),
        ("Membership", "severity"),
        ("Membership", "info"),
        ("Membership", "x"),
        ("Fact", "process_alive"),
    }


def test_what_was_closed_before_permits_no_deeper_nesting():
    deep = "(" * 64 + "process_alive" + ")" * 64
    with pytest.raises(conditions.ConditionSyntax, match="deeper than 64"):
        conditions.parse(f"process_alive and process_alive and {deep}")


@pytest.mark.property
def test_a_second_reader_reads_and_judges_the_same():
    chance = random.Random(7)
    for _ in range(1_500):
        _, text = condition_texts.some(chance)
        known = condition_texts.facts(chance)
        try:
            expected = second_conditions.judged(second_conditions.compiled(text), known)
        except second_conditions.Refused:
            with pytest.raises(conditions.ConditionSyntax):
                conditions.parse(text)
            continue
        if isinstance(expected, frozenset):
            with pytest.raises((conditions.UnknownFact, conditions.WrongType)):
                conditions.evaluate(conditions.parse(text), known)
        else:
            assert conditions.evaluate(conditions.parse(text), known) is expected, text
