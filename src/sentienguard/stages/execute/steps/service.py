"""Start, stop, restart or reload a service; undo is running or stopped, as the step found it."""

from sentienguard.model import errors, order, playbook
from sentienguard.ports import services
from sentienguard.stages.execute import parameters, work

END_SHARE = 0.5  # of a restart's limit goes to ending the old one, at most
HUNG_S = 6.0  # a hung service is not waited for longer: it has not answered for a while already


class ServiceStep:
    """A work.StepKind."""

    def plan(self, action: playbook.Action, bound: parameters.Bound) -> tuple[str, ...]:
        """Return `service`, the operation and the name."""
        return ("service", _operation(action), bound.text(action.fields.get("service")))

    def prepare(self, action: playbook.Action, context: work.Context) -> work.Recorded:
        """Record whether it runs."""
        name = context.bound.text(action.fields.get("service"))
        state = context.host.services.state(name)
        return {"service": name, "alive": state.alive, "status": state.status.value}

    def run(
        self, action: playbook.Action, context: work.Context, recorded: work.Recorded
    ) -> work.Done:
        """Do it; a service that is already as it should be is left alone."""
        host, name = context.host.services, recorded["service"]
        operation, limit = _operation(action), context.limit_s
        before = host.state(name)
        try:
            match operation:
                case "start" if before.alive:
                    return _done(f"{name} already runs", changed=False)
                case "start":
                    host.start(name, limit)
                case "stop" if not before.alive:
                    return _done(f"{name} is already stopped", changed=False)
                case "stop":
                    host.stop(name, limit)
                case "restart":
                    host.stop(name, limit * END_SHARE)
                    host.start(name, limit * (1 - END_SHARE))
                case "kill_and_start":
                    host.stop(name, min(HUNG_S, limit * END_SHARE))
                    host.start(name, limit * (1 - END_SHARE))
                case "reload":
                    host.reload(name, limit)
                case "end_leftovers":
                    ended = host.end_leftovers(name, limit)
                    return _done(f"ended {ended} processes left of {name}", changed=ended > 0)
                case _:
                    raise work.NotPossible(f"service has no operation {operation!r}")
        except services.ServiceFailed as error:
            return work.Done(order.StepStatus.FAILED, str(error), changed=None)
        return self._looked_at(context, name, operation, before)

    def restore(
        self, action: playbook.Action, context: work.Context, recorded: work.Recorded
    ) -> work.Done:
        """Have it run if it ran, and not if it did not."""
        del action
        host, name, limit = context.host.services, recorded["service"], context.limit_s
        wanted = bool(recorded["alive"])
        try:
            if wanted:
                host.start(name, limit)
            else:
                host.stop(name, limit)
            alive = host.state(name).alive
        except errors.SentienGuardError as error:
            return work.Done(order.StepStatus.FAILED, str(error))
        if alive != wanted:
            return work.Done(
                order.StepStatus.FAILED,
                f"{name} should be {_word(alive=wanted)} as before and is {_word(alive=alive)}",
            )
        return _done(f"{name} is {_word(alive=wanted)} as before", changed=True)

    @staticmethod
    def _looked_at(
        context: work.Context, name: str, operation: str, before: services.State
    ) -> work.Done:
        after = context.host.services.state(name)
        wanted = operation != "stop"
        if after.alive != wanted:
            return work.Done(
                order.StepStatus.FAILED, f"{name} is {after.status.value} after {operation}"
            )
        was = f"was {before.status.value}, process {before.pid or 'none'}"
        return _done(
            f"{operation} {name}: {was}; now {_word(alive=wanted)}, process {after.pid or 'none'}",
            changed=True,
        )


def _operation(action: playbook.Action) -> str:
    return str(action.fields.get("operation"))


def _word(*, alive: bool) -> str:
    return "running" if alive else "stopped"


def _done(detail: str, *, changed: bool) -> work.Done:
    return work.Done(order.StepStatus.SUCCESS, detail, changed)
