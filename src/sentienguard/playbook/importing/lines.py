"""Command lines of others to actions of ours. Called by the readers of this package.

A line becomes a typed action where its meaning is known for certain (`systemctl restart nginx`),
argv where no shell is needed to read it, and otherwise stays the text it is: `command`, which no
executor runs and which lint names. A template is filled in by nobody; one that is a whole argument
and stands for a parameter of a closed type becomes that parameter.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sentienguard.playbook import fields
from sentienguard.playbook.document import Node
from sentienguard.playbook.importing import reading
from sentienguard.playbook.importing.drafts import Draft, Fields, Lost, plain

_LONGEST_S: Final = 3_600  # of a step
MOST_TEXT: Final = 3_000  # characters of a command that a draft shows
_SUDO = re.compile(r"^sudo\s+(?:-[nEH]+\s+)*(?!-)")
_UNIT = re.compile(r"([A-Za-z0-9_][A-Za-z0-9_.@-]{0,120}?)(?:\.service)?", re.ASCII)
_VERBS: Final = {
    "start": "start",
    "stop": "stop",
    "restart": "restart",
    "reload": "reload",
    "started": "start",
    "stopped": "stop",
    "restarted": "restart",
    "reloaded": "reload",
}
_SYSTEMCTL: Final = frozenset({"systemctl", "/bin/systemctl", "/usr/bin/systemctl"})
_SERVICE: Final = frozenset({"service", "/sbin/service", "/usr/sbin/service"})
_BUILT_IN: Final = re.compile(
    r"^(?:if|then|else|elif|fi|for|while|until|do|done|case|esac|function|cd|export|exit|set|"
    r"source|\.|test|\[|trap|shift|local|return|read|unset|ulimit|umask|exec|eval)\b|"
    r"^[A-Za-z_][A-Za-z0-9_]*="
)
_HOLDER = "\N{WHITE SQUARE}"  # stands for a parameter while a line is split


@dataclass(frozen=True, slots=True)
class Place:
    """Where a command stands in its source."""

    line: int
    name: str  # of the step
    timeout_s: int = 0  # limit that the source gives a step; 0: none


def add(draft: Draft, place: Place, text: str, templates: re.Pattern[str]) -> None:
    """Add the step, or the steps, that a command text is. `templates` finds its placeholders."""
    wanted = [one for one in text.replace("\r", "").split("\n") if _counts(one)]
    joined = "\n".join(wanted).replace("\\\n", " ")
    wanted = joined.split("\n")
    if reading.TAGGED in text:
        what = "a value under a tag, perhaps an encrypted one, is not read"
        placeholder(draft, place, Lost.SECRET, what, "a value that is not read")
    elif not joined.strip():
        draft.lose(place.line, place.name, Lost.OTHER, "there is no command in it")
    elif len(wanted) == 1:
        draft.add(place.name, *_step(draft, place, wanted[0].strip(), templates))
    elif all(_alone(draft, one.strip(), templates) for one in wanted):
        for number, one in enumerate(wanted, start=1):
            step = _step(draft, place, one.strip(), templates)
            draft.add(f"{place.name} {number}", *step)
    else:
        what = f"a script of {len(wanted)} lines that only a shell can run"
        draft.lose(place.line, place.name, Lost.SCRIPT, what)
        _say_templates(draft, place, joined, templates)
        draft.add(place.name, _as_text(joined), place.line)


def service(draft: Draft, place: Place, name: str, verb: str) -> bool:
    """Add the step that controls a service; tell whether that could be said."""
    operation = _VERBS.get(verb)
    unit = _UNIT.fullmatch(name)
    if operation is None or unit is None:
        return False
    action, line, undo = _service(unit[1], operation, place.line)
    draft.add(place.name, action, line, undo)
    check = {"type": "process", "service": unit[1], "state": "running"}
    if operation in {"start", "restart"} and check not in draft.checks:
        draft.checks.append(check)
    return True


def placeholder(draft: Draft, place: Place, kind: Lost, what: str, shown: str) -> None:
    """Add a step that says what is missing here; no executor runs it."""
    draft.lose(place.line, place.name, kind, what)
    draft.add(place.name, _as_text(f"# {plain(shown, 400)}"), place.line)


def limit(node: Node | None) -> int:
    """Return a limit in seconds that a step may have; 0 where the source gives none such."""
    text = reading.text_of(node)
    return int(text) if text.isdecimal() and 0 < int(text[:9]) <= _LONGEST_S else 0


def _service(unit: str, operation: str, line: int) -> tuple[Fields, int, Fields | None]:
    action = {"action": "service", "operation": operation, "service": unit}
    back = {"action": "service", "operation": "restore", "service": unit}
    return action, line, back if operation in {"start", "stop"} else None


def _counts(line: str) -> bool:
    """Tell whether a line of a script does something."""
    bare = line.strip()
    return (
        bool(bare) and not bare.startswith("#") and not re.fullmatch(r"set\s+-[a-z]+( .*)?", bare)
    )


def _alone(draft: Draft, line: str, templates: re.Pattern[str]) -> bool:
    """Tell whether a line means the same without the others and without a shell."""
    if _BUILT_IN.match(line):
        return False
    try:
        fields.split_command(_held(draft, line, templates)[0])
    except fields.NeedsShell:
        return False
    return True


def _step(
    draft: Draft, place: Place, text: str, templates: re.Pattern[str]
) -> tuple[Fields, int, Fields | None]:
    text = text.replace(_HOLDER, "_")
    without = _SUDO.sub("", text)
    if without != text:
        what = "it asks for more rights with sudo; that is left out"
        draft.lose(place.line, place.name, Lost.PRIVILEGE, what)
    held, names = _held(draft, without, templates)
    _say_templates(draft, place, held, templates)
    try:
        argv = fields.split_command(held)
    except fields.NeedsShell as needs:
        what = f"{plain(without, 120)!r} needs a shell: {needs}"
        draft.lose(place.line, place.name, Lost.SHELL, what)
        return _as_text(without), place.line, None
    if _BUILT_IN.match(held):
        what = f"{plain(without, 120)!r} is for a shell alone"
        draft.lose(place.line, place.name, Lost.SHELL, what)
        return _as_text(f"{without} ;"), place.line, None
    if (known := _controls(argv)) is not None:
        return _service(*known, place.line)
    if not argv[0].startswith("/"):
        what = f"{plain(argv[0], 60)!r} is looked for on a path, which differs from host to host"
        draft.lose(place.line, place.name, Lost.OTHER, what)
    order = iter(names)
    elements: list[Any] = [{"param": next(order)} if one == _HOLDER else one for one in argv]
    limited = {"timeout": f"{place.timeout_s}s"} if place.timeout_s else {}
    return {"action": "ssh_command", "argv": elements, **limited}, place.line, None


def _controls(argv: tuple[str, ...]) -> tuple[str, str] | None:
    """Return unit and operation of a command that controls one service."""
    match argv:
        case (program, verb, unit) if program in _SYSTEMCTL:
            pass
        case (program, unit, verb) if program in _SERVICE:
            pass
        case _:
            return None
    found = _UNIT.fullmatch(unit)
    operation = _VERBS.get(verb) if verb in {"start", "stop", "restart", "reload"} else None
    return (found[1], operation) if found is not None and operation is not None else None


def _held(draft: Draft, text: str, templates: re.Pattern[str]) -> tuple[str, list[str]]:
    """Return the text with a sign for each whole argument that is a declared parameter."""
    names: list[str] = []

    def hold(found: re.Match[str]) -> str:
        name = (found["name"] or "").lower()
        before, after = text[: found.start()][-1:], text[found.end() :][:1]
        if name not in draft.parameters or before.strip() or after.strip():
            return found[0]
        names.append(name)
        return _HOLDER

    return templates.sub(hold, text), names


def _say_templates(draft: Draft, place: Place, text: str, templates: re.Pattern[str]) -> None:
    for found in sorted({one[0] for one in templates.finditer(text)}):
        what = f"{plain(found, 80)} would be filled in from outside"
        draft.lose(place.line, place.name, Lost.TEMPLATE, what)


def _as_text(text: str) -> Mapping[str, Any]:
    """Return the draft's action for what no executor runs."""
    shown = text.replace("\t", " ").replace(reading.TAGGED, "")
    if len(shown) > MOST_TEXT:
        shown = shown[:MOST_TEXT] + "\n# the rest is left out"
    return {"action": "ssh_command", "command": shown}
