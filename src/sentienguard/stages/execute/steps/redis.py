"""Have a Redis do one thing of a closed list.

set_policy     undo gives back the former policy; only for a declared cache
flush          cannot be undone; only for a declared cache
drop_clients   cannot be undone: a client connects again by itself
save           needs no undo: a snapshot more is written
reconnect      needs no undo: the master stays the same
"""

from sentienguard.model import playbook
from sentienguard.stages.execute import parameters, work
from sentienguard.stages.execute.steps import chosen

KIND = "redis"
_OF_CACHES = frozenset({"set_policy", "flush"})
AT_MOST = 10  # clients that one run closes where the playbook does not say
_GONE = {
    "flush": "deleted keys cannot come back",
    "drop_clients": "a closed client connects again by itself",
    "save": "a snapshot is as good as the one before",
    "reconnect": "the replica has the master that it had",
}


class Redis:
    """A work.StepKind."""

    def plan(self, action: playbook.Action, bound: parameters.Bound) -> tuple[str, ...]:
        """Return the operation and its operands."""
        return chosen.plan(action, bound)

    def prepare(self, action: playbook.Action, context: work.Context) -> work.Recorded:
        """Record the policy, or which clients are meant. Raises work.NotPossible."""
        host, name = chosen.port(context), chosen.service(action, context)
        operation = chosen.operation(action.fields)
        if operation in _OF_CACHES and not host.is_cache(name):
            raise work.NotPossible(
                f"{name} is not declared a cache; say `holds: cache` under controls in agent.json"
                " if everything in it can be made again"
            )
        if operation == "set_policy":
            policy = context.bound.text(action.fields.get("policy"))
            before = host.setting(name, KIND, "policy")
            return {"service": name, "changes": [["policy", before, policy]]}
        if operation == "drop_clients":
            least = context.bound.size(action.fields.get("min_buffer"))
            most = context.bound.integer(action.fields.get("at_most"), AT_MOST)
            found = host.choose(name, KIND, "slow_clients", least)
            return {"service": name, "chosen": list(found[:most])}
        host.setting(name, KIND, "policy")  # it answers, or the step fails before it acts
        return {"service": name, "chosen": [""]}

    def run(
        self, action: playbook.Action, context: work.Context, recorded: work.Recorded
    ) -> work.Done:
        """Do it."""
        match chosen.operation(action.fields):
            case "set_policy":
                return chosen.change(KIND, context, recorded)
            case "flush":
                return chosen.each(KIND, "flush", context, recorded, "flush")
            case "drop_clients":
                return chosen.each(KIND, "drop", context, recorded, "clients closed")
            case "save":
                return chosen.each(KIND, "save", context, recorded, "snapshot")
            case "reconnect":
                return chosen.each(KIND, "reconnect", context, recorded, "link")
            case unknown:
                raise work.NotPossible(f"redis has no operation {unknown!r}")

    def restore(
        self, action: playbook.Action, context: work.Context, recorded: work.Recorded
    ) -> work.Done:
        """Give back the former policy."""
        operation = chosen.operation(action.fields)
        if operation == "set_policy":
            return chosen.restore(KIND, context, recorded)
        return chosen.gone(_GONE[operation])
