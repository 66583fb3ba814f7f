"""Judge a playbook before somebody signs it.

Called by `sentienguard playbook lint`, by import and by signing, which refuses any ERROR. Each
rule is one function that yields findings; `RULES` is the list of them. To add a rule: write it
here or in `lint_safety`, name it in RULES, give it a row in docs/reference/playbooks.md and a case
in tests/unit/playbook.

A reason for the risk may also stand in the README beside a playbook (`readme`): the caller who has
one hands it in, because judging reads no files.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from sentienguard.model.playbook import FailAction, Param, ParamType, Playbook
from sentienguard.playbook import (
    conditions,
    facts,
    kinds,
    lint_objects,
    lint_safety,
    lint_statements,
    slots,
)
from sentienguard.playbook.findings import Finding, Level, error, warning
from sentienguard.playbook.parse import Draft
from sentienguard.playbook.places import actions, checks, condition_texts, step_path
from sentienguard.playbook.problems import nearest
from sentienguard.playbook.units import Dimension

__all__ = ["Finding", "Level", "lint", "signable"]

SHORT = 60  # characters of a description; below it the bundled matcher finds next to nothing
FEW_WORDS = 12  # different words of a description


def lint(subject: Draft | Playbook, *, reason_beside: str = "") -> tuple[Finding, ...]:
    """Return every finding, in the order of the document where its lines are known.

    `reason_beside` is what the README beside it says of the risk, where the playbook says nothing.
    """
    playbook = subject.playbook if isinstance(subject, Draft) else subject
    if not playbook.risk_reason:
        playbook = replace(playbook, risk_reason=reason_beside)
    lines = subject.lines if isinstance(subject, Draft) else {}
    found = [finding for rule in RULES for finding in rule(playbook)]
    placed = [finding.on(_line(finding.path, lines)) for finding in found]
    if isinstance(subject, Draft):
        placed += _unread(subject)
    return tuple(sorted(set(placed), key=lambda f: (f.line or 0, f.path, f.rule, f.message)))


def signable(findings: tuple[Finding, ...]) -> bool:
    """Tell whether nothing stands against signing."""
    return all(finding.level is not Level.ERROR for finding in findings)


def _line(path: str, lines: Mapping[str, int]) -> int | None:
    while path:
        if path in lines:
            return lines[path]
        path = path.rpartition(".")[0]
    return None


def _unread(draft: Draft) -> Iterator[Finding]:
    for problem in draft.problems:
        text = f"expected {problem.expected}, found {problem.found}"
        yield error("language", problem.path, text, "write it as expected").on(problem.line)
    for problem in draft.missing:
        text = f"a playbook to sign needs {problem.expected}; there is {problem.found}"
        way_out = f"add it where docs/reference/playbooks.md shows {problem.expected.split()[0]}"
        yield error("unfinished", problem.path, text, way_out).on(problem.line)


def _description(playbook: Playbook) -> Iterator[Finding]:
    words = {word.lower() for word in re.findall(r"[A-Za-z0-9%]+", playbook.description)}
    if not playbook.description:
        return  # `unfinished` says so
    if len(playbook.description) < SHORT or len(words) < FEW_WORDS:
        yield error(
            "weak-description",
            "description",
            f"{len(words)} different words; matching finds a playbook by its description",
            "say which symptom it is for, in the words of alerts and logs, what it does and "
            "what it leaves alone",
        )


def _risk_reason(playbook: Playbook) -> Iterator[Finding]:
    if not playbook.risk_reason:
        yield warning(
            "no-risk-reason",
            "risk",
            f"nothing says why it is {playbook.risk}; who approves it reads the level alone",
            "write risk_reason: what the act does to the service, what is lost, and what bounds it",
        )


def _slots(playbook: Playbook) -> Iterator[Finding]:
    for name, value, known in (
        ("system", playbook.slots.system, slots.SYSTEMS),
        ("resource", playbook.slots.resource, slots.RESOURCES),
        ("symptom", playbook.slots.symptom, slots.SYMPTOMS),
    ):
        if value not in known:
            yield warning(
                "unusual-slot",
                "match",
                f"{name} {value!r} is none of the usual ones{nearest(value, known)}",
                "use one of " + ", ".join(sorted(known)),
            )


def _undo(playbook: Playbook) -> Iterator[Finding]:
    for at, step in enumerate(playbook.steps):
        path = f"{step_path(at)}.rollback"
        if step.undo.action is None and not step.undo.reason:
            yield error(
                "no-undo",
                path,
                f"step {step.name} has neither an undo nor a reason why there is none",
                "write rollback: {action: ...}, or rollback: {skip: why it cannot be undone}",
            )
        if step.undo.action is not None and step.undo.timeout > step.timeout:
            yield warning(
                "slow-undo",
                path,
                f"the undo of {step.name} may take longer than the step",
                "lower rollback_timeout: while it runs, the system stays broken",
            )


def _verification(playbook: Playbook) -> Iterator[Finding]:
    if not playbook.verification:
        yield error(
            "no-verification",
            "verification",
            "nothing shows that the remedy worked",
            "check the symptom, and also what must not have changed",
        )
    elif len(playbook.verification) == 1:
        yield warning(
            "one-verification",
            "verification",
            "one check sees the symptom only",
            "add a check of what must not have changed: a service, a log, another volume",
        )


def _guard(playbook: Playbook) -> Iterator[Finding]:
    if playbook.guard is None:
        yield error(
            "no-guard",
            "guard",
            "the host has nothing to check before it runs this",
            "write guard: with a condition over facts that is true only while the symptom is there",
        )
        return
    used = conditions.names(conditions.parse(playbook.guard))
    if told := sorted(used & facts.FROM_ORDER):
        yield error(
            "guard-not-measured",
            "guard",
            f"the guard asks for {', '.join(told)}, which the order itself says; the host never "
            "finds it true",
            "use facts that the host measures, such as disk_usage or service_status; a pre-check "
            "of type condition may ask the rest",
        )


def _facts(playbook: Playbook) -> Iterator[Finding]:
    types = {parameter.type for parameter in playbook.parameters}
    for path, text in condition_texts(playbook):
        for part, operand in conditions.operands(conditions.parse(text)):
            if isinstance(operand, conditions.Fact):
                yield from _fact(path, operand.name, types)
            else:
                yield from _literal(path, part, operand)


def _fact(path: str, name: str, types: set[ParamType]) -> Iterator[Finding]:
    known = facts.lookup(name)
    if known is None:
        yield error(
            "unknown-fact",
            path,
            f"{name} is no fact{nearest(name, facts.KNOWN)}",
            "use one of " + ", ".join(sorted(facts.KNOWN)) + " or tag.<name>",
        )
    elif known.of is not None and known.of not in types and known.default_subject is None:
        yield error(
            "fact-of-nothing",
            path,
            f"{name} is measured of a {known.of} parameter, and there is none",
            f"declare a parameter of type {known.of}",
        )


def _literal(path: str, part: conditions.Node, literal: conditions.Literal) -> Iterator[Finding]:
    match part:
        case conditions.Comparison(left=conditions.Fact(name=name)):
            known = facts.lookup(name)
        case conditions.Comparison(right=conditions.Fact(name=name)):
            known = facts.lookup(name)
        case conditions.Membership(fact=conditions.Fact(name=name)):
            known = facts.lookup(name)
        case _:
            return
    if known is None:
        return
    value = literal.value
    number = isinstance(value, float) and not isinstance(value, bool)
    fits = {
        facts.FactType.NUMBER: number,
        facts.FactType.TEXT: isinstance(value, str),
        facts.FactType.BOOLEAN: isinstance(value, bool),
    }[known.type]
    if not fits:
        yield error(
            "wrong-type",
            path,
            f"{known.name} is {known.type}, and {value!r} is not",
            f"compare it with a {known.type}",
        )
    elif known.values and value not in known.values:
        yield error(
            "impossible-value",
            path,
            f"{known.name} is never {value!r}",
            "use one of " + ", ".join(known.values),
        )
    elif number and literal.dimension not in {Dimension.PLAIN, known.dimension}:
        yield error(
            "wrong-unit",
            path,
            f"{known.name} is in {known.dimension}, the number in {literal.dimension}",
            "use the unit of the fact",
        )


def _availability(playbook: Playbook) -> Iterator[Finding]:
    for path, action in actions(playbook):
        kind = kinds.STEPS.get(action.kind)
        if kind is not None and (why := kinds.unrunnable(action)) is not None:
            yield error("unavailable", path, why, kind.instead)
    for path, check in checks(playbook):
        kind = kinds.CHECKS.get(check.kind)
        if kind is not None and not kind.available:
            yield error(
                "unavailable", path, f"this release cannot check {check.kind}", kind.instead
            )


def _parameters(playbook: Playbook) -> Iterator[Finding]:
    used = {
        value.name
        for _, fields in (
            *((path, action.fields) for path, action in actions(playbook)),
            *((path, check.fields) for path, check in checks(playbook)),
        )
        for content in fields.values()
        for value in (content if isinstance(content, tuple) else (content,))
        if isinstance(value, Param)
    }
    asked = {
        known.of
        for _, text in condition_texts(playbook)
        for name in conditions.names(conditions.parse(text))
        if (known := facts.lookup(name)) is not None
    }
    for parameter in playbook.parameters:
        path = f"parameters.{parameter.name}"
        if parameter.name not in used and parameter.type not in asked:
            yield warning("unused-parameter", path, "nothing uses it", "leave it out")
        bounded = parameter.minimum is not None and parameter.maximum is not None
        if parameter.type in {ParamType.INTEGER, ParamType.DURATION} and not bounded:
            yield error(
                "unbounded-parameter",
                path,
                "an order may give any number",
                "add minimum and maximum",
            )
    types = [parameter.type for parameter in playbook.parameters]
    for kind in (ParamType.MOUNTPOINT, ParamType.SERVICE, ParamType.PID, ParamType.OBJECT):
        if types.count(kind) > 1:
            yield error(
                "two-subjects",
                "parameters",
                f"two parameters of type {kind}: facts would not know which one is meant",
                "keep one of them",
            )


def _waiting(playbook: Playbook) -> Iterator[Finding]:
    for at, check in enumerate(playbook.pre_checks):
        if check.fail_action is FailAction.WAIT and not check.max_wait:
            yield error(
                "endless-wait",
                f"pre_execution_checks[{at}]",
                f"{check.name} waits without a limit",
                "add max_wait_seconds",
            )


RULES: tuple[Callable[[Playbook], Iterator[Finding]], ...] = (
    _description,
    _risk_reason,
    _slots,
    _undo,
    _verification,
    _guard,
    _facts,
    _availability,
    _parameters,
    _waiting,
    *lint_objects.RULES,
    *lint_statements.RULES,
    *lint_safety.RULES,
)
