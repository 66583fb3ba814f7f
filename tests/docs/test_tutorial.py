"""The tutorial, typed as it stands: each command runs in one shell and prints what the page says.

`make demo` is `scripts/bootstrap.py` and then `sentienguard demo`; here the packages are installed
already, so the second half runs.
"""

import re

import pytest

from tests.support import typed_pages

TUTORIAL = typed_pages.ROOT / "docs/tutorial/first-incident.md"
COMING_FROM = typed_pages.ROOT / "docs/how-to/coming-from.md"


@pytest.fixture
def shell(tmp_path):
    opened = typed_pages.Shell(tmp_path)
    try:
        yield opened
    finally:
        opened.close()


@pytest.mark.integration
@pytest.mark.timeout(900)
def test_each_command_of_the_tutorial_prints_what_the_page_says(shell):
    typed_pages.play(TUTORIAL, shell)


@pytest.mark.integration
@pytest.mark.timeout(120)
def test_each_command_for_those_who_come_from_elsewhere_prints_what_the_page_says(shell):
    typed_pages.play(COMING_FROM, shell)


@pytest.mark.parametrize(
    ("shown", "said", "same"),
    [("took 0.8 s\n", "took 12 ms\n", True),
     ("took 0.8 s\n", "takes 12 ms\n", False),
     ("a\n...\nb\n", "a\nx\ny\nb\n", True),
     ("a\n...\nb\n", "a\nb\n", True),
     ("a\n...\nb\n", "a\nx\ny\n", False),
     ("a\nb\n", "a\nx\nb\n", False),
     ("", "x\n", False),
     ("volume is 97.1\n", "volume is 97.2\n", False),
     ("inc_20261121_133059_11c5c280 is inc_20261121_133059_11c5c280\n",
      "inc_20270101_000000_00000000 is inc_20270101_000000_00000000\n", True),
     ("inc_20261121_133059_11c5c280 is inc_20261121_133059_11c5c280\n",
      "inc_20270101_000000_00000000 is inc_20270101_000000_00000001\n", False),
     ("confidence 0.97\n", "confidence 0.85\n", True),
     ("42 entries\n", "7 entries\n", True)],
)  # fmt: skip
def test_the_comparison_tells_what_differs(shown, said, same):
    assert bool(typed_pages.pattern(shown, {})[0].match(said)) is same


def test_every_rule_is_used_and_named_on_the_page():
    page = TUTORIAL.read_text()
    shown = "".join(one.shown for one in typed_pages.typed(TUTORIAL))
    for name, (given, _) in typed_pages.RULES.items():
        assert re.search(given, shown), name
    said = " ".join(page.partition("## 1.")[0].split()).lower()
    for name in ("ids", "times", "durations", "counts", "confidences", "passwords"):
        assert name in said


def compared():
    """Return the rows of the comparison: ours, theirs, and what is said of measuring."""
    table = COMING_FROM.read_text().partition("## Compared")[2]
    rows = [line.strip("|").split("|") for line in table.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in row] for row in rows[1:]]


@pytest.mark.parametrize("row", compared(), ids=lambda row: row[0][:40])
def test_each_figure_of_the_comparison_is_one_of_the_benchmarks_or_marked_as_not_measured(row):
    what, ours, theirs, marked = row
    assert "measured" in marked, what
    benchmark = re.search(r"`(\w+)`", marked)
    figures = re.findall(
        r"\d[\d.,]*\d|\d", re.sub(r"\S+ \d+\.\d+(?:\.\d+)?(?=[ :])", "", ours + " " + theirs)
    )
    if not figures:
        return
    assert benchmark, f"{what}: a figure needs the benchmark that measured it"
    said = (typed_pages.ROOT / "benchmarks/README.md").read_text()
    section = said.partition(f"## {benchmark[1]}\n")[2].partition("\n## ")[0]
    assert section, f"benchmarks/README.md has no section {benchmark[1]}"
    for figure in figures:
        assert figure in section, f"{what}: {figure} is not in {benchmark[1]}"
