"""Ask an address on this host to do something: one request, judged by its status."""

from sentienguard.model import order, playbook
from sentienguard.stages.execute import parameters, targets, work


class Http:
    """A work.StepKind."""

    def plan(self, action: playbook.Action, bound: parameters.Bound) -> tuple[str, ...]:
        """Return method and address, or the service whose address it is."""
        fields = action.fields
        url = fields.get("url", fields.get("url_of"))
        return (str(fields.get("method", "GET")), bound.text(url))

    def prepare(self, action: playbook.Action, context: work.Context) -> work.Recorded:
        """Find the address."""
        return {"url": targets.url(action.fields, context)}

    def run(
        self, action: playbook.Action, context: work.Context, recorded: work.Recorded
    ) -> work.Done:
        """Send one request and compare the status."""
        method = str(action.fields.get("method", "GET"))
        expected = context.bound.integer(action.fields.get("expected_status"), 200)
        answer = context.host.http.ask(recorded["url"], context.limit_s, method)
        right = answer.status == expected
        detail = (
            f"{method} {recorded['url']} answered {answer.status or 'nothing'}, expected {expected}"
        )
        return work.Done(
            order.StepStatus.SUCCESS if right else order.StepStatus.FAILED,
            f"{detail}: {answer.detail}" if answer.detail else detail,
            stdout=answer.body,
        )

    def restore(
        self, action: playbook.Action, context: work.Context, recorded: work.Recorded
    ) -> work.Done:
        """Say that a request cannot be taken back."""
        del action, context, recorded
        return work.Done(order.StepStatus.NOT_UNDOABLE, "a request cannot be taken back")
