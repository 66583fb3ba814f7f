"""The examples in the documents are read by the parser they describe."""

import re
from pathlib import Path

import pytest

from sentienguard.playbook import facts, kinds, lint, parse

DOCS = Path(__file__).parents[2] / "docs"
EXAMPLES = [
    pytest.param(text, id=f"{file.stem}-{at}")
    for file in (DOCS / "reference/playbooks.md", DOCS / "how-to/write-a-playbook.md")
    for at, text in enumerate(re.findall(r"```yaml\n(.*?)```", file.read_text(), re.DOTALL))
]
DRAFTS = {"nginx_restart", "sleeping_accounts"}  # under "Drafts"; one step of a whole
REFERENCE = (DOCS / "reference/playbooks.md").read_text()


def test_there_are_examples():
    assert len(EXAMPLES) == 4


@pytest.mark.parametrize("text", EXAMPLES)
def test_an_example_is_a_clean_playbook_or_an_honest_draft(text):
    draft = parse.load_draft(text.encode(), origin="docs")
    assert draft.problems == ()
    if draft.complete:
        assert lint.lint(draft) == ()
    else:
        assert draft.playbook.name in DRAFTS


def test_every_key_and_fact_is_in_the_reference():
    missing = {name for name in (*parse.KEYS, *facts.KNOWN) if f"`{name}`" not in REFERENCE}
    assert missing == set()


@pytest.mark.parametrize("kind", list(kinds.STEPS.values()), ids=list(kinds.STEPS))
def test_the_risk_of_each_action_is_the_one_in_the_reference(kind):
    section = REFERENCE.partition("## Steps")[2].partition("## Checks")[0]
    rows = [row for row in section.splitlines() if row.startswith("| ") and "`" in row]
    start = next(at for at, row in enumerate(rows) if f"`{kind.name}`" in row)
    end = next(
        (at for at in range(start + 1, len(rows)) if not rows[at].startswith("| |")), len(rows)
    )
    for operation in kind.operations:
        if operation.undo_only:
            continue
        row = next(r for r in rows[start:end] if f"`{operation.name or kind.name}`" in r)
        assert row.rstrip(" |").endswith(operation.risk)
