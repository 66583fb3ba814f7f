"""What the documents say is there, is there; what is there, they say."""

import ast
import dataclasses
import re
from pathlib import Path

import click
import pytest

from sentienguard.agent import settings as agent_settings
from sentienguard.cli import main
from sentienguard.controlplane import settings
from sentienguard.stages.audit import entry
from sentienguard.stages.decide import policy
from sentienguard.stages.execute import admission

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src/sentienguard"
AT_THE_TOP = ("README", "ARCHITECTURE", "CONTRIBUTING", "SECURITY", "CHANGELOG")
DOCUMENTS = [
    *(ROOT / f"{name}.md" for name in AT_THE_TOP),
    *sorted((ROOT / "docs").rglob("*.md")),
]
METRICS = "docs/reference/metrics.md"
DECISIONS = sorted((ROOT / "docs/adr").glob("[0-9]*.md"))
TREES = ("src", "tests", "docs", "playbooks", "tools", "benchmarks", "scripts", "requirements")
HEADINGS = ["Context", "Drivers", "Options", "Outcome", "Negative consequences"]
FORBIDDEN = re.compile(r"\brobust|\bsimply\b|\beasy to\b", re.IGNORECASE)
PLACEHOLDER = re.compile(r"[A-Z]{2,}|<|\*\*")  # playbooks/NAME/, <size>

every_document = pytest.mark.parametrize(
    "document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT))
)


def text_of(path):
    return (ROOT / path).read_text(encoding="utf-8")


def without_code_blocks(text):
    return re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)


def anchors(document):
    """Return the anchors that a Markdown page offers, as GitHub makes them."""
    titles = re.findall(r"^#+ (.+)$", without_code_blocks(document.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def named_paths(text):
    """Yield what stands in backticks and looks like a path of this repository."""
    for named in re.findall(r"`([^`\s]+)`", text):
        path, _, test = named.partition("::")
        if PLACEHOLDER.search(path.rpartition("/")[0]) or PLACEHOLDER.search(Path(path).stem):
            continue
        if path.split("/")[0] in TREES and "/" in path:
            yield path, test, ROOT
        elif path.endswith(".py") and "/" in path:
            yield path, test, PACKAGE


def names_of_tests(file):
    return {
        node.name
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.FunctionDef)
    }


def commands():
    """Return every command of the command line by its words."""
    found = {}

    def walk(command, words):
        if isinstance(command, click.Group) or hasattr(command, "commands"):
            for name, inner in command.commands.items():
                walk(inner, (*words, name))
        else:
            found[" ".join(words)] = command

    walk(main.program(), ("sentienguard",))
    return found


def row(text, first_cell):
    """Return the cells of the table row that begins with this one."""
    found = re.search(rf"^\| {re.escape(first_cell)} \|(.*)\|$", text, re.MULTILINE)
    assert found, f"no table row begins with {first_cell}"
    return [cell.strip() for cell in found[1].split(" | ")]


@every_document
def test_every_relative_link_leads_somewhere(document):
    for target in re.findall(r"\]\(([^)\s]+)\)", without_code_blocks(document.read_text())):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        found = (document.parent / path).resolve() if path else document
        assert found.exists(), f"{document.name}: no {target}"
        if anchor:
            assert anchor in anchors(found), f"{document.name}: no heading {target}"


@every_document
def test_every_path_and_every_test_in_backticks_exists(document):
    for path, test, base in named_paths(document.read_text()):
        if "*" in path:
            assert list(base.glob(path)), f"{document.name}: nothing matches {path}"
            continue
        assert (base / path).exists(), f"{document.name}: no {path}"
        if test:
            assert test in names_of_tests(base / path), f"{document.name}: no {test} in {path}"


@every_document
def test_the_words_are_plain(document):
    found = FORBIDDEN.search(document.read_text())
    assert found is None, f"{document.name}: say it without {found}"


@every_document
def test_no_line_is_endless_outside_of_tables_and_code(document):
    for line in without_code_blocks(document.read_text()).splitlines():
        assert len(line) <= 120 or line.lstrip().startswith("|"), f"{document.name}: {line[:60]}"


def test_the_readme_shows_both_commands_and_the_place_of_the_demo():
    readme = text_of("README.md")
    assert re.search(r"^make demo\b", readme, re.MULTILINE)
    assert re.search(r"^make test\b", readme, re.MULTILINE)
    assert readme.index("<!-- demo output -->") < readme.index("<!-- end of demo output -->")


@pytest.mark.parametrize("name", sorted(settings.sentences()))
def test_every_setting_of_the_control_plane_is_documented_with_its_sentence(name):
    sentence, default = settings.sentences()[name]
    shown = "empty" if default == "" else f"`{default}`"
    allowed = "any"
    [field] = [one for one in dataclasses.fields(settings.Settings) if one.name == name]
    if bounds := field.metadata.get("bounds"):
        allowed = f"{bounds[0]} to {bounds[1]}"
    elif choices := field.metadata.get("choices"):
        allowed = ", ".join(choices)
    assert row(text_of("docs/reference/settings.md"), f"`{name}`") == [shown, allowed, sentence]


def test_no_setting_is_documented_that_is_not_there():
    page = text_of("docs/reference/settings.md").partition("## The agent")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)) == set(settings.sentences())


@pytest.mark.parametrize(
    "kind",
    [
        agent_settings.Settings,
        agent_settings.Volume,
        agent_settings.Service,
        agent_settings.Limits,
    ],
    ids=lambda kind: kind.__name__,
)
def test_every_field_of_agent_json_is_documented(kind):
    page = text_of("docs/reference/settings.md").partition("## The agent")[2]
    for field in dataclasses.fields(kind):
        cells = row(page, f"`{field.name}`")
        if kind is agent_settings.Limits:
            least, most = agent_settings.BOUNDS[field.name]
            assert cells[0] == f"`{field.default}`", field.name
            assert cells[1] == f"{least:g} to {most:g}" or cells[1] == f"{least} to {most}"


def test_every_kind_of_entry_is_documented_with_who_says_it_and_its_controls():
    page = text_of("docs/reference/audit-log.md").partition("## Kinds")[2]
    for name, kind in entry.KINDS.items():
        said_by, controls = row(page, f"`{name}`")[:2]
        assert said_by == ", ".join(sorted(kind.sources)), name
        assert set(re.findall(r"`([^`]+)`", controls)) == set(kind.controls), name
    documented = re.findall(r"^\| `([a-z]+\.[a-z_]+)` \|", page, re.MULTILINE)
    assert set(documented) == set(entry.KINDS)


@pytest.mark.parametrize("words", sorted(commands()))
def test_every_command_is_documented_with_its_help_and_its_options(words):
    page = text_of("docs/reference/cli.md")
    command = commands()[words]
    heading = rf"^### `{re.escape(words)}[^`]*`\n"
    found = re.search(rf"{heading}(.*?)(?=^##|\Z)", page, re.MULTILINE | re.DOTALL)
    assert found, f"docs/reference/cli.md has no heading for {words}"
    said = re.sub(r"\s+", " ", found[1])
    assert re.sub(r"\s+", " ", (command.help or "").split("\n\n")[0]) in said
    for parameter in command.params:
        if parameter.param_type_name == "option" and parameter.name not in {"data", "as_json"}:
            option = parameter.opts[0]
            assert re.search(rf"`{re.escape(option)}[ `]", said), f"{words}: {option}"


def test_no_command_is_documented_that_is_not_there():
    page = text_of("docs/reference/cli.md")
    headings = re.findall(r"^### `(sentienguard [^`]*)`", page, re.MULTILINE)
    known = commands()
    for heading in headings:
        assert re.match(r"[a-z -]+[a-z]", heading)[0].split(" -")[0] in known, heading


def test_every_check_of_admission_stands_in_security_in_its_order():
    page = text_of("SECURITY.md")
    listed = re.findall(r"^\| \d+ \| `(\w+)` \|", page, re.MULTILINE)
    assert listed == [check.name for check in admission.TABLE]


def test_every_rule_of_policy_is_explained():
    page = text_of("docs/explanation/decisions.md")
    listed = re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)
    assert [name for name in listed if name != "untrusted_text"] == [
        rule.__name__ for rule in policy.RULES
    ]


def test_every_port_stands_in_the_architecture():
    page = text_of("ARCHITECTURE.md")
    for file in (PACKAGE / "ports").glob("*.py"):
        if file.stem != "__init__":
            assert f"| `{file.stem}` |" in page, f"ARCHITECTURE.md has no row for port {file.stem}"


@pytest.mark.parametrize("decision", DECISIONS, ids=lambda path: path.stem)
def test_a_decision_has_the_five_headings_and_thirty_to_sixty_lines(decision):
    text = decision.read_text()
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == HEADINGS
    assert text.startswith(f"# {decision.stem[:4]} ")
    assert 30 <= len(text.splitlines()) <= 60


def test_decisions_are_numbered_without_a_gap_and_listed():
    assert [int(path.stem[:4]) for path in DECISIONS] == list(range(1, len(DECISIONS) + 1))
    index = text_of("docs/README.md")
    for path in DECISIONS:
        assert f"(adr/{path.name})" in index


def test_every_page_is_listed():
    index = text_of("docs/README.md")
    for path in (ROOT / "docs").rglob("*.md"):
        if path.name != "README.md":
            assert f"({path.relative_to(ROOT / 'docs').as_posix()})" in index, path.name


GROUPS = (
    r"(?:agent(?=\.statsd_)|system|service|certificate|log|probe|software|database|redis|nginx"
    r"|rabbitmq|systemd(?=\.unit))"
)


def test_every_metric_of_the_agent_is_in_the_reference_and_no_other():
    named = set(re.findall(rf"`({GROUPS}\.[a-z0-9_]+)`", text_of(METRICS)))
    given = set()
    for source in (PACKAGE / "agent/collectors").rglob("*.py"):
        text = source.read_text()
        charter = ast.get_docstring(ast.parse(text)) or ""
        given |= set(re.findall(rf'"({GROUPS}\.[a-z0-9_]+)"', text))
        given |= set(re.findall(rf"\b({GROUPS}\.[a-z0-9_]+)", charter))
    given.discard("log.level")  # a key in other programs' JSON
    assert given - named == set()
    assert named - given == set()
