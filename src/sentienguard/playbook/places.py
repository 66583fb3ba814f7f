"""Walk through a playbook with the path of each part. Called by the rules of `lint`."""

from collections.abc import Iterator

from sentienguard.model.playbook import Action, Check, Playbook


def step_path(at: int) -> str:
    """Name the step at this index, counted from 0, as messages do."""
    return f"steps[{at}]"


def actions(playbook: Playbook) -> Iterator[tuple[str, Action]]:
    """Yield the action of every step and of every undo."""
    for at, step in enumerate(playbook.steps):
        yield step_path(at), step.action
        if step.undo.action is not None:
            yield f"{step_path(at)}.rollback", step.undo.action


def checks(playbook: Playbook) -> Iterator[tuple[str, Check]]:
    """Yield every pre-check, every check after a step and every verification."""
    for at, check in enumerate(playbook.pre_checks):
        yield f"pre_execution_checks[{at}]", check
    for at, step in enumerate(playbook.steps):
        for inner, check in enumerate(step.verify):
            yield f"{step_path(at)}.verify[{inner}]", check
    for at, check in enumerate(playbook.verification):
        yield f"verification[{at}]", check


def condition_texts(playbook: Playbook) -> Iterator[tuple[str, str]]:
    """Yield every condition: guard, only_if, condition checks and metric checks as text."""
    if playbook.guard is not None:
        yield "guard", playbook.guard
    for at, step in enumerate(playbook.steps):
        if step.only_if is not None:
            yield f"{step_path(at)}.only_if", step.only_if
    for path, check in checks(playbook):
        if check.kind == "condition" and "condition" in check.fields:
            yield path, str(check.fields["condition"])
        if check.kind == "metric" and {"metric", "threshold"} <= set(check.fields):
            yield path, f"{check.fields['metric']} {check.fields['threshold']}"
