import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentienguard.playbook import conditions, facts

HOST = {
    "disk_usage": 91.0,
    "disk_free": 5e9,
    "zombies": 3,
    "service_status": "stopped",
    "process_alive": True,
    "anomaly_sigma": 3.0,
    "severity": "critical",
    "tag.role": "primary",
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("disk_usage > 85%", True),
        ("disk_usage>85%", True),
        ("85% < disk_usage", True),
        ("disk_usage <= 90.5%", False),
        ("disk_free > 2GiB", True),
        ("anomaly_sigma >= 3.0", True),
        ("service_status != active", True),
        ("service_status == 'stopped'", True),
        ("service_status == stopped and disk_usage < 50%", False),
        ("service_status == running or disk_usage > 50%", True),
        ("not disk_usage > 85%", False),
        ("not not process_alive", True),
        ("process_alive == true", True),
        ("process_alive != false", True),
        ("severity in (warning, critical)", True),
        ("severity not in (info, warning)", True),
        ("zombies in (1, 2)", False),
        ('tag.role == "primary"', True),
        ("(disk_usage > 85% or zombies > 9) and process_alive", True),
        ("disk_usage > 95% or zombies > 9 and process_alive", False),
        ("disk_usage > 85% or zombies > 9 and severity == info", True),
    ],
)
def test_conditions_are_judged(text, expected):
    assert conditions.evaluate(conditions.parse(text), HOST) is expected


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("", 1),
        ("disk_usage", 1),
        ("true", 1),
        ("85%", 1),
        ("'text'", 1),
        ("3 == 3", 1),
        ("disk_usage >", 13),
        ("disk_usage > 85% extra", 18),
        ("1 < disk_usage < 3", 16),
        ("disk_usage = 3", 12),
        ("disk_usage > 85q", 14),
        ("disk_usage > abc", 12),
        ("disk_usage > true", 12),
        ("(disk_usage > 1", 16),
        ("severity in critical", 13),
        ("severity in ()", 14),
        ("severity in (critical", 22),
        ("severity in (zombies)", 14),
        ("severity not critical", 14),
        ("3 in (3)", 1),
        ("and > 3", 1),
        ("disk_usage > 1; rm", 15),
        ("__import__('os').system('x')", 17),
        ("disk_usage > -1", 14),
        ("severity == 'open", 13),
        ("disk_usage > 1 + 1", 16),
        ("disk_usage > ٣", 14),
    ],
)
def test_what_is_no_condition_is_refused_with_its_column(text, column):
    with pytest.raises(conditions.ConditionSyntax) as error:
        conditions.parse(text)
    assert error.value.column == column


@pytest.mark.parametrize(
    "text",
    [
        "disk_usage == text",
        "service_status > 3",
        "service_status == 3",
        "process_alive == 1",
        "severity in (critical, 3)",
    ],
)
def test_types_are_strict(text):
    with pytest.raises(conditions.WrongType):
        conditions.evaluate(conditions.parse(text), HOST)


def test_yes_is_not_the_number_one():
    with pytest.raises(conditions.WrongType):
        conditions.evaluate(conditions.parse("zombies == 1"), {"zombies": True})


def test_a_number_is_not_a_yes():
    with pytest.raises(conditions.WrongType):
        conditions.evaluate(conditions.parse("process_alive"), {"process_alive": 1})


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_reading_that_is_no_finite_number_is_refused(value):
    with pytest.raises(conditions.WrongType):
        conditions.evaluate(conditions.parse("disk_usage > 1"), {"disk_usage": value})


@pytest.mark.parametrize(
    "text",
    [
        "no_such_fact > 3",
        "disk_usage > 85% or no_such_fact > 3",
        "disk_usage < 85% and no_such_fact > 3",
    ],
)
def test_an_unknown_fact_is_an_error_even_where_the_rest_settles_it(text):
    with pytest.raises(conditions.UnknownFact):
        conditions.evaluate(conditions.parse(text), HOST)


def test_a_fact_that_comes_with_an_order_cannot_change_what_a_bare_word_means():
    condition = conditions.parse("service_status == running")
    assert not conditions.evaluate(condition, {"service_status": "stopped", "running": "stopped"})


def test_nesting_is_bounded():
    assert conditions.parse("(" * 60 + "process_alive" + ")" * 60)
    for text in ("(" * 65 + "process_alive" + ")" * 65, "not " * 65 + "process_alive"):
        with pytest.raises(conditions.ConditionSyntax, match="nested"):
            conditions.parse(text)


def test_a_long_condition_is_refused_before_it_is_read():
    with pytest.raises(conditions.ConditionSyntax, match="longer"):
        conditions.parse("process_alive or " * 200 + "process_alive")


def test_names_are_the_facts_and_nothing_else():
    condition = conditions.parse("a > 1 and not (b == text or severity in (x, y)) or process_alive")
    assert conditions.names(condition) == {"a", "b", "severity", "process_alive"}


def test_a_metric_check_is_one_comparison():
    assert conditions.evaluate(conditions.of_metric("disk_usage", "< 95%"), HOST)
    for threshold in ("80%", "< 80% or zombies > 0", "", "in (1)"):
        with pytest.raises(conditions.ConditionSyntax):
            conditions.of_metric("disk_usage", threshold)


_WORDS = st.sampled_from(
    [
        *("disk_usage", "process_alive", "severity", "tag.x", "word", "and", "or", "not", "in"),
        *(
            "true",
            "false",
            "(",
            ")",
            ",",
            "==",
            "!=",
            "<",
            "<=",
            ">",
            ">=",
            "85%",
            "3",
            "7d",
            "1XB",
        ),
        *("'a'", '"b"', "'", "=", "!", "-", ".", "\t", "\n", "\x00", "é", "💥", " "),
    ]
)
_TEXTS = st.one_of(
    st.text(max_size=200),
    st.lists(_WORDS, max_size=40).map(" ".join),
    st.lists(_WORDS, max_size=40).map("".join),
)
_VALUES = st.one_of(st.floats(), st.text(max_size=5), st.booleans(), st.integers())


@pytest.mark.property
@settings(max_examples=800)
@given(
    text=_TEXTS, known=st.dictionaries(st.sampled_from([*facts.KNOWN, "tag.x", "word"]), _VALUES)
)
def test_any_text_is_a_condition_with_a_yes_or_no_or_one_of_three_errors(text, known):
    try:
        condition = conditions.parse(text)
        answer = conditions.evaluate(condition, known)
    except (conditions.ConditionSyntax, conditions.UnknownFact, conditions.WrongType):
        return
    assert isinstance(answer, bool)
    assert conditions.names(condition) <= known.keys()


def _shown(node) -> str:  # noqa: PLR0911 - one return for each kind of node
    match node:
        case conditions.Fact(name=name):
            return name
        case conditions.Literal(value=bool(value)):
            return str(value).lower()
        case conditions.Literal(value=str(value)):
            return f"'{value}'"
        case conditions.Literal(value=value):
            return f"{value:.3f}"
        case conditions.Comparison():
            return f"{_shown(node.left)} {node.operator} {_shown(node.right)}"
        case conditions.Membership():
            options = ", ".join(map(_shown, node.options))
            return f"{_shown(node.fact)} {'not ' if node.negated else ''}in ({options})"
        case conditions.Not():
            return f"not ({_shown(node.part)})"
        case conditions.Every():
            return " and ".join(f"({_shown(part)})" for part in node.parts)
        case conditions.Some():
            return " or ".join(f"({_shown(part)})" for part in node.parts)
    raise AssertionError(node)


_NUMBER = st.integers(0, 999).map(lambda n: conditions.Literal(float(n)))
_LEAVES = st.one_of(
    st.just(conditions.Fact("process_alive")),
    st.builds(
        conditions.Comparison,
        st.just(conditions.Fact("disk_usage")),
        st.sampled_from(["==", "!=", "<", "<=", ">", ">="]),
        _NUMBER,
    ),
    st.builds(
        conditions.Membership,
        st.just(conditions.Fact("zombies")),
        st.lists(_NUMBER, min_size=1, max_size=3).map(tuple),
        st.booleans(),
    ),
)
_TREES = st.recursive(
    _LEAVES,
    lambda inner: st.one_of(
        st.builds(conditions.Not, inner),
        st.lists(inner, min_size=2, max_size=3).map(lambda p: conditions.Every(tuple(p))),
        st.lists(inner, min_size=2, max_size=3).map(lambda p: conditions.Some(tuple(p))),
    ),
    max_leaves=12,
)


@pytest.mark.property
@given(tree=_TREES, usage=st.floats(0, 100), zombies=st.integers(0, 9), alive=st.booleans())
def test_a_written_tree_is_read_and_judged_as_python_judges_it(tree, usage, zombies, alive):
    text = _shown(tree)
    if len(text) > conditions.MAX_LENGTH:
        return
    known = {"disk_usage": usage, "zombies": zombies, "process_alive": alive}
    expected = _python(tree, known)
    assert conditions.evaluate(conditions.parse(text), known) is bool(expected)


def _python(node, known) -> bool:
    match node:
        case conditions.Fact():
            return known[node.name]
        case conditions.Comparison():
            return eval(f"{known[node.left.name]!r} {node.operator} {node.right.value!r}")
        case conditions.Membership():
            inside = known[node.fact.name] in [option.value for option in node.options]
            return inside != node.negated
        case conditions.Not():
            return not _python(node.part, known)
        case conditions.Every():
            return all(_python(part, known) for part in node.parts)
        case conditions.Some():
            return any(_python(part, known) for part in node.parts)
    raise AssertionError(node)
