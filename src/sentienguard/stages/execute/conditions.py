"""Judge a signed condition on facts measured now.

Called by `admission` (the guard), by `engine` (`only_if`) and by the checks `condition` and
`metric`. What the host can measure it measures; what the order brings along is used only for what
it alone can know (`playbook.facts.FROM_ORDER`) and for tags that the host's owner did not set.
An unknown fact, or one that cannot be measured, is an error, and an error means: do not run.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from sentienguard.playbook import conditions
from sentienguard.playbook import facts as vocabulary
from sentienguard.ports import facts
from sentienguard.stages.execute import host as hosts
from sentienguard.stages.execute import parameters

_OF_PROCESS = "process_"  # facts of the process that a parameter names


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a condition holds, and on which facts."""

    holds: bool
    seen: str  # the facts with their values, for people


def judge(
    condition: conditions.Condition,
    bound: parameters.Bound,
    brought: Mapping[str, str],
    host: hosts.Host,
) -> Verdict:
    """Measure what the condition asks and judge it. Raises errors.SentienGuardError."""
    known = {name: fact(name, bound, brought, host) for name in sorted(conditions.names(condition))}
    seen = ", ".join(f"{name} is {_shown(value)}" for name, value in known.items())
    return Verdict(conditions.evaluate(condition, known), seen)


def fact(
    name: str, bound: parameters.Bound, brought: Mapping[str, str], host: hosts.Host
) -> facts.Fact:
    """Return one fact. Raises facts.UnknownFact, facts.FactNotMeasured."""
    if name.startswith(vocabulary.TAG_PREFIX):
        return _tag(name, brought, host)
    if name.startswith(_OF_PROCESS) and _number_changed_hands(bound, host):
        if name == "process_alive":
            return False
        raise facts.FactNotMeasured(f"process {bound.subjects['pid']} has ended")
    if name in vocabulary.OF_DATABASES:
        return host.databases.measure(_service(name, bound), name)
    if name in vocabulary.OF_OBJECTS:
        return host.remotes.measure(_object(name, bound), name)
    if name not in vocabulary.FROM_ORDER:
        return host.facts.measure(name, bound.subjects)
    return _brought(name, brought)


def _brought(name: str, brought: Mapping[str, str]) -> facts.Fact:
    if name not in brought:
        raise facts.UnknownFact(f"fact {name} did not come with the order")
    known = vocabulary.lookup(name)
    if known is None or known.type is not vocabulary.FactType.NUMBER:
        return brought[name]
    try:
        return float(brought[name])
    except ValueError as error:
        raise facts.UnknownFact(f"fact {name} is {brought[name][:40]!r}, no number") from error


def _service(name: str, bound: parameters.Bound) -> str:
    if "service" not in bound.subjects:
        raise facts.UnknownFact(f"{name} is measured of a parameter of type service")
    return bound.subjects["service"]


def _object(name: str, bound: parameters.Bound) -> str:
    if "object" not in bound.subjects:
        raise facts.UnknownFact(f"{name} is measured of a parameter of type object")
    return bound.subjects["object"]


def _number_changed_hands(bound: parameters.Bound, host: hosts.Host) -> bool:
    """Tell whether the process that was meant ended and its number is another one's now."""
    pid = bound.subjects.get("pid")
    found = None if pid is None else host.processes.find(int(pid))
    meant = {bound.started[name] for name in bound.started if bound.values[name] == pid}
    return found is not None and bool(meant) and found.started not in meant


def _tag(name: str, brought: Mapping[str, str], host: hosts.Host) -> str:
    tag = name.removeprefix(vocabulary.TAG_PREFIX)
    if tag in host.tags:
        return host.tags[tag]
    if name in brought:
        return brought[name]
    raise facts.UnknownFact(f"this host has no tag {tag}")


def _shown(value: facts.Fact) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
