"""Run one program on this host, argv as signed, never through a shell.

The name is that of the playbook language; the executor runs the program itself, because a login to
its own host would need a key, a shell and a listening port.
"""

from sentienguard.model import order, playbook
from sentienguard.ports import command_runner
from sentienguard.stages.execute import parameters, work
from sentienguard.stages.execute.steps import on_objects

_STATUS = {
    command_runner.Ending.TIMED_OUT: order.StepStatus.TIMED_OUT,
    command_runner.Ending.STOPPED: order.StepStatus.STOPPED,
}


class SshCommand(on_objects.OnObject):
    """A work.StepKind. With an `object` it acts on an agentless host, over real SSH."""

    def plan(self, action: playbook.Action, bound: parameters.Bound) -> tuple[str, ...]:
        """Return argv."""
        if "object" in action.fields:
            return super().plan(action, bound)
        return bound.argv(action.fields.get("argv"))

    def prepare(self, action: playbook.Action, context: work.Context) -> work.Recorded:
        """Look whether the program is there."""
        if "object" in action.fields:
            return super().prepare(action, context)
        argv = self.plan(action, context.bound)
        if not argv or context.host.commands.locate(argv[0]) is None:
            raise work.NotPossible(
                f"{argv[0] if argv else 'no program'} is not on this host; install it or use "
                "another playbook"
            )
        return {}

    def rehearse(self, action: playbook.Action, context: work.Context) -> str:
        """Start nothing on this host; ask about an agentless one."""
        if "object" in action.fields:
            return super().rehearse(action, context)
        return ""

    def run(
        self, action: playbook.Action, context: work.Context, recorded: work.Recorded
    ) -> work.Done:
        """Run it; status 0 is success."""
        if "object" in action.fields:
            return super().run(action, context, recorded)
        argv = self.plan(action, context.bound)
        user = action.fields.get("user")
        result = context.host.commands.run(
            argv,
            limit=context.limit_s,
            mark=context.mark,
            interrupt=context.interrupt,
            as_user="" if user is None else context.bound.text(user),
            started=context.started,
        )
        if result.ending is not command_runner.Ending.EXITED:
            status = _STATUS[result.ending]
            detail = f"{argv[0]} was ended after {result.duration_ms / 1000:.1f} s ({status})"
        elif result.exit_code == 0:
            status, detail = order.StepStatus.SUCCESS, f"{argv[0]} ended with status 0"
        else:
            status = order.StepStatus.FAILED
            detail = f"{argv[0]} ended with status {result.exit_code}"
        return work.Done(status, detail, None, result.exit_code, result.stdout, result.stderr)

    def restore(
        self, action: playbook.Action, context: work.Context, recorded: work.Recorded
    ) -> work.Done:
        """Say that a program's effects are known to its playbook alone."""
        if "object" in action.fields:
            return super().restore(action, context, recorded)
        return work.Done(
            order.StepStatus.NOT_UNDOABLE, "a program has no state to restore; give it a rollback"
        )
