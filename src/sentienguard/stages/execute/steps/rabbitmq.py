"""Close connections whose consumers hold messages and acknowledge none of them.

The broker puts those messages back into their queues, so nothing is lost; a client connects again
by itself, or its service has to be restarted.
"""

from sentienguard.model import playbook
from sentienguard.stages.execute import parameters, work
from sentienguard.stages.execute.steps import chosen

KIND = "rabbitmq"
AT_MOST = 10


class Rabbitmq:
    """A work.StepKind."""

    def plan(self, action: playbook.Action, bound: parameters.Bound) -> tuple[str, ...]:
        """Return the operation and its operands."""
        return chosen.plan(action, bound)

    def prepare(self, action: playbook.Action, context: work.Context) -> work.Recorded:
        """Record which connections are meant."""
        name = chosen.service(action, context)
        idle = context.bound.seconds(action.fields.get("min_idle"))
        most = context.bound.integer(action.fields.get("at_most"), AT_MOST)
        found = chosen.port(context).choose(name, KIND, "stuck", idle)
        return {"service": name, "chosen": list(found[:most])}

    def run(
        self, action: playbook.Action, context: work.Context, recorded: work.Recorded
    ) -> work.Done:
        """Close them."""
        del action
        return chosen.each(KIND, "close", context, recorded, "connections closed")

    def restore(
        self, action: playbook.Action, context: work.Context, recorded: work.Recorded
    ) -> work.Done:
        """Say that there is nothing to put back."""
        del action, context, recorded
        return chosen.gone("a closed connection is opened again by its client")
