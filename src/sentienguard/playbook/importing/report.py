"""What became of an imported file: one document, and the same for people as Markdown.

Called by the CLI. Text of the source is shown as code and never as markup.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from sentienguard.playbook import lint, parse
from sentienguard.playbook.importing.drafts import plain
from sentienguard.playbook.importing.sources import Imported

_ABOUT = (
    "Drafts: {}. None can be signed or run: a person finishes each, `sentienguard playbook lint` "
    "says what is left, and `sentienguard playbook test` shows what it does."
)


def document(made: Imported, texts: Mapping[str, str], source: str) -> dict[str, Any]:
    """Return everything as plain data. `texts`: name of a draft -> its playbook.yaml."""
    return {
        "source": source,
        "kind": made.kind,
        "drafts": [
            {
                "playbook": draft.name,
                "steps": [step.name for step in draft.steps],
                "lost": [
                    {
                        "line": loss.line,
                        "where": loss.where,
                        "kind": loss.kind.value,
                        "what": loss.what,
                        "way_out": loss.way_out,
                    }
                    for loss in draft.losses
                ],
                "lint": _findings(texts[draft.name], draft.name),
            }
            for draft in made.drafts
        ],
    }


def _findings(text: str, name: str) -> list[dict[str, Any]]:
    draft = parse.load_draft(text.encode(), origin=name)
    return [
        {
            "level": one.level.value,
            "line": one.line,
            "path": one.path,
            "rule": one.rule,
            "message": one.message,
            "way_out": one.way_out,
        }
        for one in lint.lint(draft)
    ]


def markdown(found: Mapping[str, Any]) -> str:
    """Return the report for people."""
    drafts = found["drafts"]
    parts = [f"# Import of {code(found['source'])} ({found['kind']})", _ABOUT.format(len(drafts))]
    for draft in drafts:
        parts += [f"## {draft['playbook']}", _count(draft["lost"])]
        if draft["lost"]:
            rows = [
                (str(one["line"]), one["where"], one["kind"], one["what"], one["way_out"])
                for one in draft["lost"]
            ]
            parts.append(_table(("line", "where", "lost", "what", "way out"), rows))
        rows = [
            (one["level"], str(one["line"] or ""), one["rule"], one["message"], one["way_out"])
            for one in draft["lint"]
        ]
        parts += ["Lint of the draft:", _table(("level", "line", "rule", "what", "way out"), rows)]
    return "\n\n".join(parts) + "\n"


def code(text: str) -> str:
    """Show text of others as code, so that nothing in it is markup."""
    shown = plain(text, 400).replace("`", "'").replace("|", "\N{BROKEN BAR}")
    return f"`{shown}`" if shown else ""


def _count(lost: Sequence[Mapping[str, Any]]) -> str:
    counted = Counter(one["kind"] for one in lost)
    listed = ", ".join(f"{number} {kind}" for kind, number in sorted(counted.items()))
    return f"Not carried over, or not as it was: {listed or 'nothing'}."


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    lines += ["| " + " | ".join(code(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines)
