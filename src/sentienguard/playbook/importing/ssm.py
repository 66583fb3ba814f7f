"""AWS Systems Manager documents of schema 2.0 and 2.2: each becomes one draft. Called by `sources`.

Written after the documentation of SSM document syntax and of command plugins. Automation runbooks
(0.3) call AWS itself and are none of these.
"""

import re
from typing import Final

from sentienguard.playbook.document import Node, Table
from sentienguard.playbook.importing import choices, lines, reading
from sentienguard.playbook.importing.drafts import Draft, Lost
from sentienguard.playbook.problems import BrokenPlaybook, Problem

TEMPLATES: Final = re.compile(r"\{\{\s*(?P<name>[A-Za-z][A-Za-z0-9_]*)?[^}]*\}\}")
SCHEMAS: Final = ("2.0", "2.2")
_FLOW: Final = ("onFailure", "onSuccess", "isEnd", "nextStep", "finallyStep", "maxAttempts")
_QUIET: Final = frozenset({"action", "name", "inputs", "precondition", "settings"})


def read(found: Node) -> tuple[Draft, ...]:
    """Read one document. Raises BrokenPlaybook for another schema."""
    document = reading.table(found)
    schema = reading.text_of(document.entries.get("schemaVersion"))
    if schema not in SCHEMAS:
        expected = " or ".join(SCHEMAS)
        problem = Problem(document.line, "schemaVersion", expected, schema or "nothing")
        raise BrokenPlaybook("SSM document", [problem])
    about = reading.text_of(document.entries.get("description"))
    draft = Draft("ssm_document", about, document.line)
    for name, node in reading.table(document.entries.get("parameters")).entries.items():
        _parameter(draft, name, reading.table(node))
    for key in sorted(set(document.entries) - {"schemaVersion", "description", "parameters",
                                               "mainSteps"}):  # fmt: skip
        draft.lose(document.key_lines[key], "the document", Lost.OTHER, key)
    for at, node in enumerate(reading.items(document.entries.get("mainSteps")), start=1):
        _step(draft, reading.table(node), at)
    return (draft.whole(),)


def recognises(found: Node) -> bool:
    """Tell whether a document is surely one of these."""
    return "schemaVersion" in reading.table(found).entries


def _parameter(draft: Draft, name: str, body: Table) -> None:
    entries = body.entries
    values = tuple(reading.text_of(one) for one in reading.items(entries.get("allowedValues")))
    kind = reading.text_of(entries.get("type"))
    about, default = (reading.text_of(entries.get(key)) for key in ("description", "default"))
    wish = choices.Wish(name.lower(), about, values if kind == "String" else (), default)
    choices.add(draft, lines.Place(body.line, f"parameter {name}"), wish)


def _step(draft: Draft, step: Table, at: int) -> None:
    entries = step.entries
    title = reading.text_of(entries.get("name")) or f"step {at}"
    for key in sorted(set(entries) - _QUIET):
        kind = Lost.FLOW if key in _FLOW else Lost.OTHER
        draft.lose(step.key_lines[key], title, kind, f"{key}: {reading.text_of(entries[key])}")
    if not _for_linux(draft, step, title):
        return
    action = reading.text_of(entries.get("action"))
    inputs = reading.table(entries.get("inputs"))
    place = lines.Place(step.line, title, lines.limit(inputs.entries.get("timeoutSeconds")))
    if action != "aws:runShellScript":
        what = f"there is no counterpart of {action or 'a step without an action'}"
        lines.placeholder(draft, place, Lost.MODULE, what, action)
        return
    if "workingDirectory" in inputs.entries:
        where = reading.text_of(inputs.entries["workingDirectory"])
        draft.lose(inputs.line, title, Lost.OTHER, f"workingDirectory: {where}")
    run = inputs.entries.get("runCommand")
    listed = [reading.text_of(one) for one in reading.items(run)] or [reading.text_of(run)]
    lines.add(draft, place, "\n".join(listed), TEMPLATES)


def _for_linux(draft: Draft, step: Table, title: str) -> bool:
    """Tell whether a step is for Linux; others are lost."""
    condition = reading.table(step.entries.get("precondition"))
    for operator, node in condition.entries.items():
        said = [reading.text_of(one) for one in reading.items(node)]
        if operator != "StringEquals" or "platformType" not in said:
            what = f"precondition: {operator} of {', '.join(said)}"
            draft.lose(condition.line, title, Lost.CONDITION, what)
        elif "Linux" not in said:
            draft.lose(condition.line, title, Lost.TARGET, f"the step is for {', '.join(said)}")
            return False
    return True
