"""Raise one setting of the kernel up to a cap that is written here; undo gives it back."""

from sentienguard.model import order, playbook
from sentienguard.playbook import server_kinds
from sentienguard.ports import kernel_settings as port
from sentienguard.stages.execute import parameters, work
from sentienguard.stages.execute.steps import chosen


class Kernel:
    """A work.StepKind."""

    def plan(self, action: playbook.Action, bound: parameters.Bound) -> tuple[str, ...]:
        """Return the operation and its operands."""
        return chosen.plan(action, bound)

    def prepare(self, action: playbook.Action, context: work.Context) -> work.Recorded:
        """Record the value. Raises work.NotPossible for one above the cap."""
        name = context.bound.text(action.fields.get("setting"))
        wanted = context.bound.integer(action.fields.get("value"))
        cap = server_kinds.KERNEL_CAPS.get(name)
        if cap is None or wanted > cap:
            raise work.NotPossible(f"{name} may be raised to {cap or 'nothing'}, not to {wanted}")
        return {"setting": name, "before": _offered(context).value(name), "after": wanted}

    def run(
        self, action: playbook.Action, context: work.Context, recorded: work.Recorded
    ) -> work.Done:
        """Raise it; what is as high already stays."""
        del action
        host, name, after = _offered(context), recorded["setting"], recorded["after"]
        before = host.value(name)
        if before >= after:
            return work.Done(order.StepStatus.SUCCESS, f"{name} is {before} already", changed=False)
        host.change(name, after)
        return work.Done(order.StepStatus.SUCCESS, f"{name}: {before} -> {after}", changed=True)

    def restore(
        self, action: playbook.Action, context: work.Context, recorded: work.Recorded
    ) -> work.Done:
        """Give it its former value, unless somebody else set it meanwhile."""
        del action
        host, name, before = _offered(context), recorded["setting"], recorded["before"]
        now = host.value(name)
        if now == recorded["after"] != before and before < now:
            host.change(name, before)
            now = host.value(name)
        if now != before:
            return work.Done(order.StepStatus.FAILED, f"{name} is {now}, was {before}")
        return work.Done(order.StepStatus.SUCCESS, f"{name} is {before} as before", changed=True)


def _offered(context: work.Context) -> port.KernelSettings:
    if context.host.kernel is None:
        raise work.NotPossible("the agent of this host may not change the kernel's settings")
    return context.host.kernel
