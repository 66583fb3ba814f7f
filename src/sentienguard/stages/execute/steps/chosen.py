"""What the steps on server programs share: the port, and one change of a setting with its undo.

Called by `redis`, `haproxy`, `rabbitmq` and `certificate`. A change is recorded as
[key, before, after] before it is made. The undo gives a setting its former value only where it
still has the one that the step gave it: what somebody set meanwhile is theirs.
"""

from collections.abc import Mapping

from sentienguard.model import order, playbook
from sentienguard.ports import servers
from sentienguard.stages.execute import parameters, work

Change = tuple[str, str, str]  # key, before, after


def port(context: work.Context) -> servers.Servers:
    """Return the port. Raises work.NotPossible where this host has none."""
    if context.host.servers is None:
        raise work.NotPossible("this host controls no server programs; see agent.json, controls")
    return context.host.servers


def operation(fields: Mapping[str, playbook.Field]) -> str:
    """Return the name of the operation."""
    return str(fields.get("operation", ""))


def service(action: playbook.Action, context: work.Context) -> str:
    """Return the service that is meant."""
    return context.bound.text(action.fields.get("service"))


def plan(action: playbook.Action, bound: parameters.Bound) -> tuple[str, ...]:
    """Return the kind, the operation and its operands as `name=value`."""
    operands = (
        f"{name}={bound.text(value)}"
        for name, value in sorted(action.fields.items())
        if name != "operation"
    )
    return (action.kind, operation(action.fields), *operands)


def change(kind: str, context: work.Context, recorded: work.Recorded) -> work.Done:
    """Make the recorded changes; what somebody else changed since they were recorded stays."""
    host, name = port(context), recorded["service"]
    made = 0
    for key, before, after in recorded["changes"]:
        now = host.setting(name, kind, key)
        if now not in {before, after}:
            return work.Done(
                order.StepStatus.FAILED,
                f"{key} of {name} became {now} meanwhile, expected {before}",
                changed=made > 0,
            )
        if now != after:
            host.change(name, kind, key, after)
            made += 1
    return work.Done(order.StepStatus.SUCCESS, _told(recorded["changes"], name), made > 0)


def restore(kind: str, context: work.Context, recorded: work.Recorded) -> work.Done:
    """Give everything its former value back, and look."""
    host, name = port(context), recorded["service"]
    foreign: list[str] = []
    for key, before, after in recorded["changes"]:
        now = host.setting(name, kind, key)
        if now == after != before:
            host.change(name, kind, key, before)
            now = host.setting(name, kind, key)
        if now != before:
            foreign.append(f"{key} is {now}, was {before}")
    if foreign:
        return work.Done(order.StepStatus.FAILED, f"{name}: {', '.join(foreign)}")
    return work.Done(order.StepStatus.SUCCESS, f"{name} is set as before", changed=True)


def each(
    kind: str, deed: str, context: work.Context, recorded: work.Recorded, what: str
) -> work.Done:
    """Do a deed to everything that was chosen; what went away by itself counts as nothing."""
    host, name = port(context), recorded["service"]
    done = [one for one in recorded["chosen"] if host.do(name, kind, deed, one, context.limit_s)]
    return work.Done(
        order.StepStatus.SUCCESS,
        f"{len(done)} of {len(recorded['chosen'])} {what} of {name}",
        changed=bool(done),
    )


def gone(sentence: str) -> work.Done:
    """Say why there is nothing to put back."""
    return work.Done(order.StepStatus.NOT_UNDOABLE, sentence)


def _told(changes: list[Change], name: str) -> str:
    if not changes:
        return f"nothing to change at {name}"
    return f"{name}: " + ", ".join(f"{key} {before} -> {after}" for key, before, after in changes)
