"""What a witness policy covers, as a table and as properties."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentienguard.stages.audit import exposure
from sentienguard.stages.audit.exposure import Policy, Seen

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def seen(*sizes, sort="a"):
    return [
        Seen(f"{sort}{number}", size, NOON + timedelta(seconds=size))
        for number, size in enumerate(sizes)
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("3 agents and 1 external", Policy(3, 1)),
        ("1 external and 3 agents", Policy(3, 1)),
        ("1 agent", Policy(1, 0)),
        ("2 externals", Policy(0, 2)),
        ("0 agents", Policy(0, 0)),
        (" 10 agents and 0 external ", Policy(10, 0)),
    ],
)
def test_a_policy_is_read_as_people_write_it(text, expected):
    assert exposure.read_policy(text) == expected
    assert exposure.read_policy(expected.text) == expected


@pytest.mark.parametrize(
    "text",
    ["", "agents", "3", "3 agents, 1 external", "-1 agents", "1 agent and 2 agents",
     "3 agents and",
     "01 agents", "3  agents", "1001 agents", "three agents", "3 agents and 1 friend"],
)  # fmt: skip
def test_what_is_no_policy_is_refused(text):
    with pytest.raises(exposure.PolicyWrong, match="3 agents and 1 external"):
        exposure.read_policy(text)


@pytest.mark.parametrize(
    ("policy", "agents", "external", "covered", "lacking"),
    [
        ((3, 1), (90, 80, 70, 60), (75,), 70, ""),
        ((3, 1), (90, 80, 78), (75,), 75, ""),
        ((3, 1), (90, 80), (75,), 0, "1 more agent"),
        ((3, 1), (90,), (), 0, "2 more agents and 1 more external"),
        ((1, 0), (90,), (), 90, ""),
        ((0, 1), (), (75, 99), 99, ""),
        ((0, 0), (), (), 100, ""),
        ((1, 0), (120,), (), 100, ""),  # the log of a copy that was set back
    ],
)
def test_a_policy_covers_what_enough_outsiders_have_seen(
    policy, agents, external, covered, lacking
):
    found = exposure.judge(Policy(*policy), 100, seen(*agents), seen(*external, sort="e"))
    assert (found.covered, found.lacking) == (covered, lacking)
    assert found.exposed == 100 - covered


def test_nobody_counts_twice():
    twice = [Seen("a", 90, NOON), Seen("a", 80, NOON)]
    assert exposure.judge(Policy(2, 0), 100, twice, []).lacking == "1 more agent"


SIZES = st.lists(st.integers(0, 100), max_size=6)


@given(SIZES, SIZES, st.integers(0, 4), st.integers(0, 4), st.integers(0, 100))
def test_more_witnesses_never_cover_less_and_a_stricter_policy_never_more(
    agents, external, wanted, outside, more
):
    policy = Policy(wanted, outside)
    found = exposure.judge(policy, 100, seen(*agents), seen(*external, sort="e")).covered
    joined = exposure.judge(policy, 100, seen(*agents, more), seen(*external, sort="e")).covered
    stricter = exposure.judge(
        Policy(wanted + 1, outside), 100, seen(*agents), seen(*external, sort="e")
    ).covered
    assert stricter <= found <= joined


@given(SIZES, st.integers(1, 4))
def test_what_is_covered_was_seen_by_as_many_as_the_policy_says(agents, wanted):
    found = exposure.judge(Policy(wanted, 0), 100, seen(*agents), [])
    if found.covered:
        assert sum(size >= found.covered for size in agents) >= wanted
