"""Read the parts of a playbook: parameters, checks, steps and their undo.

Called by `parse`. What each kind may hold comes from `kinds`; how a value is read from `fields`.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import timedelta

from sentienguard.model.playbook import (
    STEP_TIMEOUT,
    Action,
    Check,
    FailAction,
    Field,
    Parameter,
    ParamType,
    Step,
    Undo,
)
from sentienguard.playbook import fields, kinds, objects
from sentienguard.playbook.document import Node, Scalar, Sequence, Table, describe
from sentienguard.playbook.problems import nearest

CHECK_TIMEOUT = timedelta(seconds=10)  # a check without a timeout of its own
MAX_STEPS = 32  # the longest bundled playbook has four
MAX_RETRY = 20
SHELL_FIELD = "command"  # in drafts alone: command text that only a shell could run
_PARAMETER_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}", re.ASCII)
_CHOICE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@/-]{0,127}", re.ASCII)
_PARAMETER_KEYS = ("type", "description", "choices", "minimum", "maximum", "default")
_CHECK_KEYS = (
    *("name", "type", "fail_action", "reason", "timeout", "timeout_seconds"),
    *("max_wait", "max_wait_seconds", "retry", "retry_delay"),
)
_STEP_KEYS = (
    *("name", "action", "only_if", "timeout", "verify", "verification"),
    *("rollback", "rollback_timeout"),
)


def unknown_keys(table: Table, path: str, known: Iterable[str], notes: fields.Notes) -> None:
    """Note every key that is none of these, with the nearest one that is."""
    names = tuple(known)
    for key, node in table.entries.items():
        if key not in names:
            inner = f"{path}.{key}" if path else key
            listed = ", ".join(names)
            expected = f"one of {listed}"
            notes.wrong(node, inner, expected, f"the unknown key {key!r}{nearest(key, names)}")


def parameters(node: Node, path: str, notes: fields.Notes) -> dict[str, Parameter]:
    """Read the mapping of parameter names to their types."""
    declared: dict[str, Parameter] = {}
    if not isinstance(node, Table):
        notes.wrong(node, path, "a mapping of names to types")
        return declared
    for name, body in node.entries.items():
        inner = f"{path}.{name}"
        notes.lines[inner] = node.key_lines[name]
        if not _PARAMETER_NAME.fullmatch(name):
            notes.wrong(body, inner, "a name of lower-case letters, digits and _", repr(name))
        elif isinstance(body, Table):
            parameter = _parameter(name, body, inner, notes)
            if parameter is not None:
                declared[name] = parameter
        else:
            notes.wrong(body, inner, "a mapping with at least a type")
    return declared


def checks(node: Node, path: str, notes: fields.Notes) -> tuple[Check, ...]:
    """Read a list of pre-checks or verifications."""
    if not isinstance(node, Sequence):
        notes.wrong(node, path, "a list of checks")
        return ()
    found = []
    for at, item in enumerate(node.items):
        inner = f"{path}[{at}]"
        notes.lines[inner] = item.line
        check = _check(item, at, inner, notes)
        if check is not None:
            found.append(check)
    return tuple(found)


def steps(node: Node, path: str, notes: fields.Notes) -> tuple[Step, ...]:
    """Read the list of steps; an undo that names a step becomes that step's action."""
    if not isinstance(node, Sequence) or len(node.items) > MAX_STEPS:
        notes.wrong(node, path, f"a list of at most {MAX_STEPS} steps")
        return ()
    tables: dict[str, tuple[Table, str]] = {}
    for at, item in enumerate(node.items):
        inner = f"{path}[{at}]"
        notes.lines[inner] = item.line
        if not isinstance(item, Table):
            notes.wrong(item, inner, "a step: a mapping")
            continue
        name = _name(item, inner, notes, f"step_{at + 1}", needed=True)
        if name in tables:
            notes.wrong(item, f"{inner}.name", "a name that no other step has", repr(name))
            continue
        tables[name] = (item, inner)
    actions = {name: _action(table, inner, notes) for name, (table, inner) in tables.items()}
    return tuple(
        _step(name, table, inner, actions, notes) for name, (table, inner) in tables.items()
    )


def _parameter(name: str, table: Table, path: str, notes: fields.Notes) -> Parameter | None:
    unknown_keys(table, path, _PARAMETER_KEYS, notes)
    entries = table.entries
    if "type" not in entries:
        notes.wrong(table, path, "a type", "none")
        return None
    spec = kinds.FieldSpec("type", kinds.Shape.CHOICE, "", choices=tuple(ParamType))
    given = fields.read(spec, entries["type"], f"{path}.type", notes)
    if given is None:
        return None
    kind = ParamType(str(given))
    choices = _choices(entries.get("choices"), f"{path}.choices", notes)
    if (kind in {ParamType.ENUM, ParamType.OBJECT}) != bool(choices):
        notes.wrong(table, path, "choices for types enum and object, no other", f"type {kind}")
    if kind is ParamType.OBJECT and (strange := sorted(set(choices) - set(objects.KINDS))):
        notes.wrong(table, path, "choices: one of " + ", ".join(objects.KINDS), strange[0])
    bounds = {
        bound: fields.number(entries[bound], f"{path}.{bound}", notes)
        for bound in ("minimum", "maximum")
        if bound in entries
    }
    description = ""
    if "description" in entries:
        description = fields.text(entries["description"], f"{path}.description", notes) or ""
    default = entries.get("default")
    if default is not None and (not isinstance(default, Scalar) or default.value is None):
        notes.wrong(default, f"{path}.default", "a single value")
        default = None
    return Parameter(
        name,
        kind,
        description,
        choices,
        bounds.get("minimum"),
        bounds.get("maximum"),
        str(default.value) if isinstance(default, Scalar) else None,
    )


def _choices(node: Node | None, path: str, notes: fields.Notes) -> tuple[str, ...]:
    if node is None:
        return ()
    values = node.items if isinstance(node, Sequence) else ()
    texts = [item.value for item in values if isinstance(item, Scalar)]
    good = [text for text in texts if isinstance(text, str) and _CHOICE.fullmatch(text)]
    if not good or len(good) != len(values):
        notes.wrong(node, path, "a list of plain words")
    return tuple(good)


def _name(table: Table, path: str, notes: fields.Notes, default: str, *, needed: bool) -> str:
    if "name" in table.entries:
        node = table.entries["name"]
        if isinstance(node, Scalar) and isinstance(node.value, str):
            return fields.text(node, f"{path}.name", notes) or default
        notes.wrong(node, f"{path}.name", "text")
    elif needed:
        notes.absent(table, path, "a name")
    return default


def _check(node: Node, at: int, path: str, notes: fields.Notes) -> Check | None:
    if not isinstance(node, Table):
        notes.wrong(node, path, "a check: a mapping")
        return None
    entries = node.entries
    given = entries.get("type")
    if not isinstance(given, Scalar) or not isinstance(given.value, str):
        notes.wrong(node, path, "a type: one of " + ", ".join(kinds.CHECKS))
        return None
    kind = kinds.CHECKS.get(given.value)
    if kind is None:
        expected = "one of " + ", ".join(kinds.CHECKS)
        found = f"{given.value!r}{nearest(given.value, kinds.CHECKS)}"
        notes.wrong(given, f"{path}.type", expected, found)
        return None
    operation = _without_name(kind.operations[0], entries)
    unknown_keys(node, path, _keys(kind, operation, *_CHECK_KEYS), notes)
    body = _fields(node, kind, operation, path, notes)
    waits = {key: _limit(entries, key, path, notes) for key in ("timeout", "max_wait")}
    spec = kinds.FieldSpec("fail_action", kinds.Shape.CHOICE, "", choices=tuple(FailAction))
    action = _optional(spec, entries, path, notes)
    retry = 3
    if "retry" in entries:
        retry = fields.integer(entries["retry"], f"{path}.retry", notes, 1, MAX_RETRY) or retry
    delay = None
    if "retry_delay" in entries:
        delay = fields.duration(entries["retry_delay"], f"{path}.retry_delay", notes)
    reason = ""
    if "reason" in entries:
        reason = fields.text(entries["reason"], f"{path}.reason", notes) or ""
    name = f"{kind.name}_{at + 1}"
    if operation.spec("name") is None:  # else `name` says which process is meant
        name = _name(node, path, notes, name, needed=False)
    return Check(
        name,
        kind.name,
        body,
        waits["timeout"] or CHECK_TIMEOUT,
        FailAction(str(action)) if action is not None else FailAction.ABORT,
        waits["max_wait"] or timedelta(0),
        retry,
        delay if delay is not None else timedelta(seconds=3),
        reason,
    )


def _without_name(operation: kinds.Operation, entries: Mapping[str, Node]) -> kinds.Operation:
    """Leave `name` to the check where another field says which process is meant."""
    rivals = [name for group in operation.one_of if "name" in group for name in group]
    if not any(name in entries for name in rivals if name != "name"):
        return operation
    specs = tuple(spec for spec in operation.fields if spec.name != "name")
    groups = tuple(group for group in operation.one_of if "name" not in group)
    return replace(operation, fields=specs, one_of=groups)


def _limit(
    entries: Mapping[str, Node], key: str, path: str, notes: fields.Notes
) -> timedelta | None:
    """Read `key`, or `key_seconds` as the seeds also write it."""
    both = [name for name in (key, f"{key}_seconds") if name in entries]
    if len(both) == 2:  # noqa: PLR2004 - the two spellings
        notes.wrong(entries[both[1]], f"{path}.{both[1]}", f"{key} or {key}_seconds", "both")
    if not both:
        return None
    limit = fields.duration(entries[both[0]], f"{path}.{both[0]}", notes)
    if limit is not None and not limit:
        notes.wrong(entries[both[0]], f"{path}.{both[0]}", "more than 0s")
    return limit


def _optional(
    spec: kinds.FieldSpec, entries: Mapping[str, Node], path: str, notes: fields.Notes
) -> Field | None:
    if spec.name not in entries:
        return None
    return fields.read(spec, entries[spec.name], f"{path}.{spec.name}", notes)


def _action(table: Table, path: str, notes: fields.Notes, *, undo: bool = False) -> Action:
    entries = table.entries
    common: tuple[str, ...] = ("action",) if undo else _STEP_KEYS
    given = entries.get("action")
    if given is None and "command" in entries:
        name = "ssh_command"
    elif given is None:
        notes.absent(table, path, "an action: one of " + ", ".join(kinds.STEPS))
        return Action("", {})
    else:
        name = given.value if isinstance(given, Scalar) and isinstance(given.value, str) else ""
    kind = kinds.STEPS.get(name)
    if kind is None:
        expected = "one of " + ", ".join(kinds.STEPS)
        found = (describe(given) if given is not None else "") + nearest(name, kinds.STEPS)
        notes.wrong(given or table, f"{path}.action", expected, found)
        return Action("", {})
    operation = kind.single
    if operation is None:
        operation = _operation(table, kind, path, notes, undo=undo)
        if operation is None:
            return Action(kind.name, {})
        common = (*common, "operation")
    unknown_keys(table, path, _keys(kind, operation, *common), notes)
    body = _fields(table, kind, operation, path, notes)
    return Action(kind.name, {"operation": operation.name, **body} if operation.name else body)


def _operation(
    table: Table, kind: kinds.Kind, path: str, notes: fields.Notes, *, undo: bool
) -> kinds.Operation | None:
    known = [known.name for known in kind.operations if undo or not known.undo_only]
    given = table.entries.get("operation")
    name = given.value if isinstance(given, Scalar) and isinstance(given.value, str) else ""
    if name in known:
        return kind.operation(name)
    found = describe(given) + nearest(name, known) if given is not None else "nothing"
    notes.wrong(given or table, f"{path}.operation", "one of " + ", ".join(known), found)
    return None


def _fields(
    table: Table,
    kind: kinds.Kind,
    operation: kinds.Operation,
    path: str,
    notes: fields.Notes,
) -> dict[str, Field]:
    """Read the fields that belong to the kind; the caller has looked for unknown keys."""
    body: dict[str, Field] = {}
    for spec in operation.fields:
        if spec.key in table.entries:
            value = fields.read(spec, table.entries[spec.key], f"{path}.{spec.key}", notes)
            if value is not None:
                body[spec.name] = value
        elif spec.default is not None:
            seconds = spec.shape is kinds.Shape.DURATION
            body[spec.name] = float(spec.default) if seconds else spec.default
    if kind.shorthand and SHELL_FIELD in table.entries:
        body |= _shorthand(table, kind.shorthand, path, notes)
    _complete(table, operation, body, path, notes)
    return body


def _keys(kind: kinds.Kind, operation: kinds.Operation, *common: str) -> tuple[str, ...]:
    shorthand = (SHELL_FIELD,) if kind.shorthand else ()
    own = tuple(spec.key for spec in operation.fields if spec.key not in common)
    return (*common, *own, *shorthand)


def _complete(
    table: Table,
    operation: kinds.Operation,
    body: Mapping[str, Field],
    path: str,
    notes: fields.Notes,
) -> None:
    for spec in operation.fields:
        there = spec.key in table.entries or spec.name in body or SHELL_FIELD in body
        if spec.required and not there:
            notes.wrong(table, path, f"{spec.key} ({spec.meaning})", "none")
    for group in operation.one_of:
        given = [name for name in group if name in table.entries]
        if len(given) != 1:
            found = " and ".join(given) or "neither"
            notes.wrong(table, path, "exactly one of " + ", ".join(group), found)


def _shorthand(table: Table, target: str, path: str, notes: fields.Notes) -> dict[str, Field]:
    node = table.entries[SHELL_FIELD]
    inner = f"{path}.{SHELL_FIELD}"
    if target in table.entries:
        notes.wrong(node, inner, f"either {SHELL_FIELD} or {target}", "both")
        return {}
    command = fields.text(node, inner, notes, "a command line")
    return _command(command, node, inner, notes) if command is not None else {}


def _command(command: str, node: Node, path: str, notes: fields.Notes) -> dict[str, Field]:
    try:
        return {"argv": fields.split_command(command)}
    except fields.NeedsShell as error:
        notes.absent(node, path, "argv, which no shell reads", str(error))
        return {SHELL_FIELD: command}


def _step(
    name: str, table: Table, path: str, actions: Mapping[str, Action], notes: fields.Notes
) -> Step:
    entries = table.entries
    timeout = _limit(entries, "timeout", path, notes) or STEP_TIMEOUT
    limit = _limit(entries, "rollback_timeout", path, notes) or STEP_TIMEOUT
    only_if = None
    if "only_if" in entries:
        only_if = fields.condition(entries["only_if"], f"{path}.only_if", notes)
    both = [key for key in ("verify", "verification") if key in entries]
    if len(both) == 2:  # noqa: PLR2004 - the two spellings
        notes.wrong(table, path, "verify or verification", "both")
    verify = checks(entries[both[0]], f"{path}.{both[0]}", notes) if both else ()
    undo = Undo(None, "", limit)
    if "rollback" in entries:
        undo = _undo(entries["rollback"], f"{path}.rollback", limit, actions, notes)
    return Step(name, actions[name], undo, only_if, timeout, verify)


def _undo(
    node: Node,
    path: str,
    limit: timedelta,
    actions: Mapping[str, Action],
    notes: fields.Notes,
) -> Undo:
    notes.lines[path] = node.line
    if isinstance(node, Table):
        if "skip" in node.entries:
            unknown_keys(node, path, ("skip",), notes)
            reason = fields.text(node.entries["skip"], f"{path}.skip", notes, "a reason")
            return Undo(None, reason or "", limit)
        return Undo(_action(node, path, notes, undo=True), "", limit)
    written = fields.text(node, path, notes, "skip, {skip: reason}, a step or an action")
    if written is None or written == "skip":
        return Undo(None, "", limit)
    if written in actions:
        return Undo(actions[written], "", limit)
    return Undo(Action("ssh_command", _command(written, node, path, notes)), "", limit)
