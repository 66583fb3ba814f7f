"""StackStorm actions: the metadata of one action becomes a draft. Called by `sources`.

Written after the documentation of actions and of action runners. Shell runners carry their command
as the default of `cmd`; scripts, Python actions and workflows lie in files that are not read.
"""

import re
from typing import Final

from sentienguard.playbook.document import Node, Table
from sentienguard.playbook.importing import choices, lines, reading
from sentienguard.playbook.importing.drafts import Draft, Lost, word

TEMPLATES: Final = re.compile(
    r"\{\{\s*(?P<name>[A-Za-z_][A-Za-z0-9_]*)?.*?\}\}|\{%.*?%\}|<%.*?%>", re.DOTALL
)
_COMMANDS: Final = frozenset({"local-shell-cmd", "remote-shell-cmd"})
_SCRIPTS: Final = frozenset({"local-shell-script", "remote-shell-script", "python-script"})
_OF_RUNNER: Final = {
    "hosts": (Lost.TARGET, "the hosts it was for"),
    "bastion_host": (Lost.TARGET, "how hosts are reached"),
    "port": (Lost.TARGET, "how hosts are reached"),
    "parallel": (Lost.TARGET, "that many hosts do it at once"),
    "username": (Lost.PRIVILEGE, "as which user it runs"),
    "sudo": (Lost.PRIVILEGE, "that it runs with other rights"),
    "sudo_password": (Lost.SECRET, "a password"),
    "password": (Lost.SECRET, "a password"),
    "private_key": (Lost.SECRET, "a key"),
    "passphrase": (Lost.SECRET, "a passphrase"),
    "cwd": (Lost.OTHER, "the directory it runs in"),
    "dir": (Lost.OTHER, "where its script is put"),
    "env": (Lost.OTHER, "environment variables"),
    "kwarg_op": (Lost.OTHER, "how parameters become options"),
}
_QUIET: Final = frozenset(
    {
        *("name", "description", "runner_type", "parameters", "pack", "enabled", "entry_point"),
        *("tags", "ref", "uid", "id", "metadata_file", "output_schema", "output_key"),
    }
)


def read(found: Node) -> tuple[Draft, ...]:
    """Read the metadata of one action."""
    action = reading.table(found)
    entries = action.entries
    title = reading.text_of(entries.get("name"))
    about = reading.text_of(entries.get("description"))
    draft = Draft(word(title) or "stackstorm_action", about or title, action.line)
    for key in entries:
        if key not in _QUIET:
            kind = Lost.NOTICE if key == "notify" else Lost.OTHER
            draft.lose(action.key_lines[key], "the action", kind, key)
    if "enabled" in entries and not reading.true(entries["enabled"]):
        draft.lose(action.key_lines["enabled"], "the action", Lost.OTHER, "it is switched off")
    given = reading.table(entries.get("parameters"))
    for name, node in given.entries.items():
        _parameter(draft, name, reading.table(node))
    _run(draft, action, given, title or "run")
    return (draft.whole(),)


def recognises(found: Node) -> bool:
    """Tell whether a document is surely one of these."""
    return "runner_type" in reading.table(found).entries


def _parameter(draft: Draft, name: str, body: Table) -> None:
    entries = body.entries
    place = lines.Place(body.line, f"parameter {name}")
    if name in {"cmd", "timeout"}:
        return
    if name in _OF_RUNNER:
        off = name == "sudo" and not reading.true(entries.get("default"))
        if not off:
            draft.lose(body.line, place.name, *_OF_RUNNER[name])
        return
    if reading.true(entries.get("secret")):
        draft.lose(body.line, place.name, Lost.SECRET, "it is a secret")
        return
    values = tuple(reading.text_of(one) for one in reading.items(entries.get("enum")))
    bounds = [reading.text_of(entries.get(key)) for key in ("minimum", "maximum")]
    number = reading.text_of(entries.get("type")) == "integer" and all(
        one.isdecimal() for one in bounds
    )
    about, default = (reading.text_of(entries.get(key)) for key in ("description", "default"))
    wish = choices.Wish(
        name.lower(), about, values, default, (int(bounds[0]), int(bounds[1])) if number else None
    )
    choices.add(draft, place, wish)


def _run(draft: Draft, action: Table, given: Table, title: str) -> None:
    runner = reading.text_of(action.entries.get("runner_type"))
    cmd = reading.table(given.entries.get("cmd"))
    timeout = reading.table(given.entries.get("timeout")).entries.get("default")
    place = lines.Place(cmd.line, title, lines.limit(timeout))
    text = reading.text_of(cmd.entries.get("default"))
    if runner in _COMMANDS and text:
        if not reading.true(cmd.entries.get("immutable")):
            what = "whoever starts it may write another command; the draft has the default"
            draft.lose(cmd.line, "parameter cmd", Lost.PARAMETER, what)
        lines.add(draft, place, text, TEMPLATES)
        return
    where = reading.text_of(action.entries.get("entry_point"))
    place = lines.Place(action.line, title)
    if runner in _COMMANDS:
        what = "whoever starts it writes the command; nothing like that is ever run"
        lines.placeholder(draft, place, Lost.PARAMETER, what, runner)
    elif runner in _SCRIPTS:
        what = "its script lies elsewhere"
        lines.placeholder(draft, place, Lost.SCRIPT, what, f"{runner} {where}")
    else:
        what = f"there is no counterpart of the runner {runner or 'that is not named'}"
        lines.placeholder(draft, place, Lost.MODULE, what, f"{runner} {where}")
