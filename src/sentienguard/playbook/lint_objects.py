"""The rules of lint about objects beyond the host: is this act one of that object, and whole?

Called by `lint`.
"""

from collections.abc import Callable, Iterator

from sentienguard.model.playbook import Action, Param, Parameter, ParamType, Playbook
from sentienguard.playbook import conditions, facts, objects
from sentienguard.playbook.findings import Finding, error
from sentienguard.playbook.places import actions, condition_texts, step_path

ALWAYS_ASKED = frozenset({"kubectl_rollout_undo"})  # an older template is no smaller change


def _acts(playbook: Playbook) -> Iterator[Finding]:
    declared = {one.name: one for one in playbook.parameters}
    for path, action in actions(playbook):
        value = action.fields.get("object")
        if isinstance(value, Param) and value.name in declared:
            yield from _fits(path, action, declared[value.name])


def _fits(path: str, action: Action, parameter: Parameter) -> Iterator[Finding]:
    call = str(action.fields.get("call", ""))
    written = f"{action.kind} {call}".rstrip()
    given = (objects.ARGUMENTS | {"user"}) & action.fields.keys()
    for kind in parameter.choices:
        act = objects.act(action.kind, call, kind)
        if act is None:
            known = sorted(
                f"{one.step} {one.call}".rstrip() for one in objects.ACTS if one.of == kind
            )
            way_out = f"to a {kind} may be done: {', '.join(known) or 'nothing'}"
            yield error("wrong-object", path, f"{written} does nothing to a {kind}", way_out)
            continue
        if missing := sorted(set(act.needs) - given):
            message = f"{written} of a {kind} has no {', '.join(missing)}"
            yield error("unbounded-act", path, message, "say how far it may go")
        if strange := sorted(given - {*act.needs, *act.may}):
            message = f"{written} of a {kind} knows no {', '.join(strange)}"
            yield error("wrong-object", path, message, "leave it out")


def _undo(playbook: Playbook) -> Iterator[Finding]:
    declared = {one.name: one.choices for one in playbook.parameters}
    for at, step in enumerate(playbook.steps):
        undo, value = step.undo.action, step.action.fields.get("object")
        if undo is None or undo.kind != "object":
            continue
        kinds = declared.get(value.name, ()) if isinstance(value, Param) else ()
        call = str(step.action.fields.get("call", ""))
        acts = [objects.act(step.action.kind, call, kind) for kind in kinds]
        if not acts or not all(act is not None and act.undoable for act in acts):
            yield error(
                "no-undo",
                f"{step_path(at)}.rollback",
                f"what {step.name} does cannot be put back",
                "write rollback: {skip: why it cannot be undone}",
            )


def _facts(playbook: Playbook) -> Iterator[Finding]:
    kinds = {kind for one in playbook.parameters for kind in _kinds(one)}
    for path, text in condition_texts(playbook):
        for name in sorted(conditions.names(conditions.parse(text))):
            known = facts.lookup(name)
            if known is None or not known.on:
                continue
            if strange := sorted(kinds - set(known.on)):
                message = f"{name} is not measured of a {', '.join(strange)}"
                way_out = f"it is measured of: {', '.join(known.on)}"
                yield error("fact-of-nothing", path, message, way_out)


def _kinds(parameter: Parameter) -> tuple[str, ...]:
    return parameter.choices if parameter.type is ParamType.OBJECT else ()


def _asked(playbook: Playbook) -> Iterator[Finding]:
    for at, step in enumerate(playbook.steps):
        if step.action.kind in ALWAYS_ASKED and not playbook.approval_required:
            yield error(
                "no-approval",
                step_path(at),
                f"{step.action.kind} is for a person to decide, every time",
                "write approval_gate: {required: true}",
            )


RULES: tuple[Callable[[Playbook], Iterator[Finding]], ...] = (_acts, _undo, _facts, _asked)
