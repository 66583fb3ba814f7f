"""Renew a certificate with the program that the owner of the host declared for its service."""

from sentienguard.model import playbook
from sentienguard.stages.execute import parameters, work
from sentienguard.stages.execute.steps import chosen

KIND = "certificate"


class Certificate:
    """A work.StepKind."""

    def plan(self, action: playbook.Action, bound: parameters.Bound) -> tuple[str, ...]:
        """Return the operation and the service; the program stands in agent.json."""
        return chosen.plan(action, bound)

    def prepare(self, action: playbook.Action, context: work.Context) -> work.Recorded:
        """Record the service."""
        chosen.port(context)
        return {"service": chosen.service(action, context), "chosen": [""]}

    def run(
        self, action: playbook.Action, context: work.Context, recorded: work.Recorded
    ) -> work.Done:
        """Run the renewal."""
        del action
        return chosen.each(KIND, "renew", context, recorded, "renewal")

    def restore(
        self, action: playbook.Action, context: work.Context, recorded: work.Recorded
    ) -> work.Done:
        """Say that the former certificate was about to end."""
        del action, context, recorded
        return chosen.gone("the former certificate was about to end; keys are never copied")
