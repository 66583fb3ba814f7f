"""Act on one object beyond the host, on a target that the owner of this relay agent declared.

One class for every kind of step that does so: what differs between them is a row of
`playbook.objects.ACTS`, and how it is done is the adapter's. The undo is `object restore`.
"""

from sentienguard.model import errors, order, playbook
from sentienguard.playbook import objects
from sentienguard.ports import remote_objects
from sentienguard.stages.execute import parameters, work


class OnObject:
    """A work.StepKind and a work.Rehearsing."""

    def plan(self, action: playbook.Action, bound: parameters.Bound) -> tuple[str, ...]:
        """Return the step, its call, the object and the arguments."""
        asked = _asked(action, bound)
        arguments = (f"{name}={value}" for name, value in sorted(asked.arguments.items()))
        return tuple(one for one in (asked.step, asked.call, asked.object, *arguments) if one)

    def prepare(self, action: playbook.Action, context: work.Context) -> work.Recorded:
        """Look at the object."""
        return context.host.remotes.look(_asked(action, context.bound), _effort(context))

    def rehearse(self, action: playbook.Action, context: work.Context) -> str:
        """Ask the target what would come of it."""
        return context.host.remotes.rehearse(_asked(action, context.bound), _effort(context))

    def run(
        self, action: playbook.Action, context: work.Context, recorded: work.Recorded
    ) -> work.Done:
        """Do it to the object that `prepare` saw."""
        asked = _asked(action, context.bound)
        try:
            done = context.host.remotes.act(asked, recorded, _effort(context))
        except errors.Rejected as error:
            return work.Done(order.StepStatus.FAILED, str(error), changed=False)
        status = order.StepStatus.SUCCESS
        return work.Done(status, done.detail, done.changed, stdout=done.output)

    def restore(
        self, action: playbook.Action, context: work.Context, recorded: work.Recorded
    ) -> work.Done:
        """Put back what it changed."""
        asked = _asked(action, context.bound)
        known = _act(asked)
        if not known.undoable:
            return work.Done(
                order.StepStatus.NOT_UNDOABLE, f"{known.meaning}: that cannot be taken back"
            )
        done = context.host.remotes.restore(asked, recorded, _effort(context))
        return work.Done(order.StepStatus.SUCCESS, done.detail, done.changed, stdout=done.output)


def _asked(action: playbook.Action, bound: parameters.Bound) -> remote_objects.Asked:
    """Return what is asked, checked once more: of the order only the object's name is its own."""
    fields = action.fields
    if not isinstance(fields.get("object"), playbook.Param):
        raise work.NotPossible(f"{action.kind} has no parameter that names its object")
    asked = remote_objects.Asked(
        object=bound.text(fields["object"]),
        step=action.kind,
        call=str(fields.get("call", "")),
        arguments={
            name: _argument(fields[name], bound) for name in sorted(objects.ARGUMENTS & set(fields))
        },
    )
    _act(asked)
    return asked


def _argument(value: playbook.Field, bound: parameters.Bound) -> str | int:
    if isinstance(value, playbook.Param):
        return bound.integer(value)
    return value if isinstance(value, int) else str(value)


def _act(asked: remote_objects.Asked) -> objects.Act:
    kind = objects.read(asked.object).kind
    known = objects.act(asked.step, asked.call, kind)
    given = set(asked.arguments)
    if known is None or not set(known.needs) <= given <= {*known.needs, *known.may}:
        written = f"{asked.step} {asked.call}".rstrip()
        raise work.NotPossible(
            f"{written} with {', '.join(sorted(given)) or 'no argument'} cannot be done to "
            f"{asked.object}, a {kind}"
        )
    return known


def _effort(context: work.Context) -> remote_objects.Effort:
    return remote_objects.Effort(context.limit_s, context.mark, context.interrupt)
