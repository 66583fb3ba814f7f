"""The search finds what it looks for: each planted bug, within the kills of the short form.

A search that is never wrong about a sound product says nothing, unless it is right about a broken
one. What is planted stands in tests/support/kill_bugs.py.
"""

import pathlib

import pytest

from tests.support import effort, kill_bugs, kill_harness, kill_writing

pytestmark = [
    pytest.mark.stories,
    pytest.mark.timeout(900),
    # The HTTP client drops, unclosed, a socket whose peer was killed in the handshake.
    pytest.mark.filterwarnings("ignore:unclosed .ssl.SSLSocket:ResourceWarning"),
]
KILLS = 100
KILLS_A_ROUND = 12  # judged after each, so that a bug is told soon
# What each bug must be caught at; several rules may see one bug.
CAUGHT: dict[str, set[str]] = {
    "log-answers-early": {"lost", "refused"},
    "receipts-answer-early": {"lost", "refused"},
    "readings-buffered": {"lost"},
    "order-without-intent": {"no_intent"},
    "spool-emptied": {"lost"},
    "orders-forgotten": {"twice", "stuck"},
    "delivered-once": {"stuck", "outcome"},
}
QUICK = ("readings-buffered",)  # the others when there is time for them
SEARCHED = effort.pick(QUICK, thorough=tuple(CAUGHT))


@pytest.mark.parametrize("bug", SEARCHED)
def test_a_planted_bug_is_found_by_killing_the_product(
    tmp_path_factory: pytest.TempPathFactory, bug: str
) -> None:
    place = tmp_path_factory.mktemp("k")
    wish = kill_harness.Wish(kills=KILLS, seed=5, kills_a_round=KILLS_A_ROUND, bug=bug)
    report = kill_harness.run(place, wish, print)
    found = {one.rule for one in report.findings}
    assert found & CAUGHT[bug], f"{report.kills.total()} kills found {report.findings[:5]}"


@pytest.mark.parametrize(
    ("kind", "bug"), [("log", "log-answers-early"), ("journal", "journal-buffered")]
)
def test_a_planted_bug_is_found_by_killing_writers(
    tmp_path: pathlib.Path, kind: str, bug: str
) -> None:
    figures = kill_writing.run(kind, kills=200, seed=1, directory=tmp_path, bug=bug)
    assert figures["lost"] > 0
    assert figures["kills"] < 200


def test_every_bug_has_its_search() -> None:
    assert set(CAUGHT) == set(kill_bugs.FULL_STACK)
