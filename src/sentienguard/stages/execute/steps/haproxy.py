"""Have an HAProxy do one thing of a closed list; undo gives servers back as found.

Which servers are meant is asked of the HAProxy itself and recorded first. There is no operation for
a frontend's maxconn: raising that of a full frontend ends HAProxy 2.6.12, Debian 12's, by its own
watchdog (`set maxconn frontend` waits for a lock that it holds).
"""

from sentienguard.model import playbook
from sentienguard.stages.execute import parameters, work
from sentienguard.stages.execute.steps import chosen

KIND = "haproxy"
AT_MOST = 10


class Haproxy:
    """A work.StepKind."""

    def plan(self, action: playbook.Action, bound: parameters.Bound) -> tuple[str, ...]:
        """Return the operation and its operands."""
        return chosen.plan(action, bound)

    def prepare(self, action: playbook.Action, context: work.Context) -> work.Recorded:
        """Record what is meant, how it is and how it is to be."""
        host, name, bound = (
            chosen.port(context),
            chosen.service(action, context),
            context.bound,
        )
        fields = action.fields
        most = bound.integer(fields.get("at_most"), AT_MOST)
        match chosen.operation(fields):
            case "ready_drained":
                keys, after = host.choose(name, KIND, "drained", 0), "ready"
            case "drain_flapping":
                downs = bound.integer(fields.get("min_downs"))
                keys, after = host.choose(name, KIND, "flapping", downs), "drain"
            case unknown:
                raise work.NotPossible(f"haproxy has no operation {unknown!r}")
        changes = [[key, host.setting(name, KIND, key), after] for key in keys[:most]]
        return {"service": name, "changes": changes}

    def run(
        self, action: playbook.Action, context: work.Context, recorded: work.Recorded
    ) -> work.Done:
        """Make the changes."""
        del action
        return chosen.change(KIND, context, recorded)

    def restore(
        self, action: playbook.Action, context: work.Context, recorded: work.Recorded
    ) -> work.Done:
        """Take them back."""
        del action
        return chosen.restore(KIND, context, recorded)
