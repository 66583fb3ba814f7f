"""Signal or slow down exactly the process that was meant when the order was admitted.

The parameter is a number; numbers are used again, so the process's start was tied to it then. What
ended meanwhile has ended: success for a step that wanted that, failure for one that did not.
"""

from sentienguard.model import order, playbook
from sentienguard.ports import processes
from sentienguard.stages.execute import parameters, work

GRACE_S = 10.0  # for a process to end by itself after SIGTERM
_SIGNALS = {
    "terminate": processes.Signal.TERMINATE,
    "kill": processes.Signal.KILL,
    "continue": processes.Signal.CONTINUE,
    "reap": processes.Signal.CHILD,
}
_ENDS = frozenset({"terminate", "kill"})
NICE = 10  # of a renice that does not say


class ProcessStep:
    """A work.StepKind."""

    def plan(self, action: playbook.Action, bound: parameters.Bound) -> tuple[str, ...]:
        """Return `process`, the operation and the number."""
        nice = (str(_nice(action, bound)),) if action.fields.get("operation") == "renice" else ()
        pid = bound.text(action.fields.get("pid"))
        return ("process", str(action.fields.get("operation")), pid, *nice)

    def prepare(self, action: playbook.Action, context: work.Context) -> work.Recorded:
        """Record which process it is, its niceness and whether it was stopped."""
        pid = int(context.bound.text(action.fields.get("pid")))
        found = self._meant(action, context)
        if found is None:
            return {"pid": pid, "gone": True}
        expected = action.fields.get("name")
        if expected is not None and found.name != context.bound.text(expected):
            raise work.NotPossible(
                f"process {pid} is {found.name!r}, expected {context.bound.text(expected)!r}"
            )
        return {
            "pid": pid,
            "started": found.started,
            "nice": found.nice,
            "stopped": found.state in {"T", "t"},
            "name": found.name,
        }

    def run(
        self, action: playbook.Action, context: work.Context, recorded: work.Recorded
    ) -> work.Done:
        """Do it, and for an end wait for the end."""
        operation = str(action.fields.get("operation"))
        found = None if recorded.get("gone") else _same(context, recorded)
        if found is None:
            ended = f"process {recorded['pid']} has ended already"
            status = order.StepStatus.SUCCESS if operation in _ENDS else order.StepStatus.FAILED
            return work.Done(status, ended, changed=False)
        try:
            if operation == "renice":
                nice = _nice(action, context.bound)
                context.host.processes.renice(found, nice)
                return _done(f"{_named(found)} has niceness {nice}, before {found.nice}")
            context.host.processes.send(found, _SIGNALS[operation])
        except processes.NoSuchProcess as error:
            status = order.StepStatus.SUCCESS if operation in _ENDS else order.StepStatus.FAILED
            return work.Done(status, str(error), changed=False)
        if operation not in _ENDS:
            return _done(f"sent {_SIGNALS[operation]} to {_named(found)}")
        grace = context.bound.seconds(action.fields.get("grace"), GRACE_S)
        if context.host.processes.wait_gone(found, min(grace, context.limit_s)):
            return _done(f"{_named(found)} ended after {_SIGNALS[operation]}")
        return work.Done(
            order.StepStatus.FAILED,
            f"{_named(found)} still runs {grace:g} s after {_SIGNALS[operation]}",
        )

    def restore(
        self, action: playbook.Action, context: work.Context, recorded: work.Recorded
    ) -> work.Done:
        """Give it back its niceness, and stop it again if it was stopped."""
        operation = str(action.fields.get("operation"))
        if operation in _ENDS or operation == "reap":
            return work.Done(
                order.StepStatus.NOT_UNDOABLE, f"process {recorded['pid']} cannot be brought back"
            )
        found = None if recorded.get("gone") else _same(context, recorded)
        if found is None:
            return _done(f"process {recorded['pid']} has ended; nothing to put back")
        if found.nice != recorded["nice"]:
            context.host.processes.renice(found, recorded["nice"])
        if recorded["stopped"] and operation == "continue":
            context.host.processes.send(found, processes.Signal.STOP)
        return _done(f"{_named(found)} is as before")

    @staticmethod
    def _meant(action: playbook.Action, context: work.Context) -> processes.Process | None:
        field = action.fields.get("pid")
        found = context.host.processes.find(int(context.bound.text(field)))
        if isinstance(field, playbook.Param) and found is not None:
            return found if found.started == context.bound.started[field.name] else None
        return found


def _same(context: work.Context, recorded: work.Recorded) -> processes.Process | None:
    found = context.host.processes.find(recorded["pid"])
    return found if found is not None and found.started == recorded["started"] else None


def _nice(action: playbook.Action, bound: parameters.Bound) -> int:
    return bound.integer(action.fields.get("nice"), NICE)


def _named(found: processes.Process) -> str:
    return f"process {found.pid} ({found.name})"


def _done(detail: str) -> work.Done:
    return work.Done(order.StepStatus.SUCCESS, detail, changed=True)
