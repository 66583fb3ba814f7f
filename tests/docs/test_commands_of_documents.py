"""Every command that a document shows is one that the program would take."""

import re
import shlex
from pathlib import Path

import pytest
from typer.exceptions import TyperException

from sentienguard.cli import main

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    *(ROOT / name for name in ("README.md", "SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
PROGRAM = r"(?:\$ )?(?:sudo )?(?:\.venv/bin/)?sentienguard "
FENCED = re.compile(r"^```\w*\n(.*?)^```", re.MULTILINE | re.DOTALL)
IN_LINE = re.compile(rf"`({PROGRAM}[^`]+)`")
ENDS = re.compile(r"\s+(?:#|\||<|>|2>|&&?|;)(?:\s|$).*", re.DOTALL)  # from there on it is not ours
NUMBERS = {"INDEX", "N", "DAYS", "LIMIT", "MINUTES"}  # placeholders of numbers
MANY = 250  # commands; they had been 358 when this was written
WHOLE = main.program()


def shown(page):
    """Yield every command of a page, and whether it stands in prose."""
    text = page.read_text()
    for block in FENCED.findall(text):
        for line in re.sub(r"\\\n\s*", " ", block).splitlines():
            if re.match(PROGRAM, line.strip()):
                yield line.strip(), False
    for command in IN_LINE.findall(FENCED.sub("", text)):
        if "..." not in command and "[" not in command:  # a form, not a command
            yield " ".join(command.split()), True


def refused(command, *, named_only):
    """Return why the program would not take it; empty where it would. Nothing is done.

    With `named_only` it may lack what it needs: prose names a command, and does not type it.
    """
    words = shlex.split(ENDS.sub("", re.sub(rf"^{PROGRAM}", "", command)))
    words = main._shared_last(["1" if one in NUMBERS else one for one in words])
    inner, context = WHOLE, WHOLE.make_context(main.PROGRAM, words)
    try:
        while hasattr(inner, "commands"):
            name, inner, rest = inner.resolve_command(
                context, [*context._protected_args, *context.args]
            )
            if named_only and not rest:
                return ""
            context = inner.make_context(name, rest, parent=context)
    except (TyperException, ValueError) as error:
        if named_only and type(error).__name__ == "MissingParameter":
            return ""
        return f"{type(error).__name__}: {error}"
    return ""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_is_one_that_the_program_would_take(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    problems = [
        f"{command}: {why}"
        for command, prose in shown(page)
        if (why := refused(command, named_only=prose))
    ]
    assert not problems


def test_the_documents_show_many():
    assert sum(1 for page in PAGES for _ in shown(page)) > MANY


@pytest.mark.parametrize(
    ("command", "prose", "taken"),
    [("sentienguard up --drills", False, True),
     ("sentienguard up --drils", False, False),
     ("sentienguard incidents shw X", True, False),
     ("sentienguard incidents show", True, True),
     ("sentienguard incidents show", False, False),
     ("sentienguard trust", True, True),
     ("$ .venv/bin/sentienguard incidents list --nonsense > x", False, False),
     ("sentienguard audit prove INDEX", True, True)],
)  # fmt: skip
def test_a_command_that_is_not_there_is_noticed(command, prose, taken):
    assert (refused(command, named_only=prose) == "") is taken
