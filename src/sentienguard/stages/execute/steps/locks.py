"""Remove lock files whose process is gone; undo writes them back as they were."""

import dataclasses

from sentienguard.model import order, playbook
from sentienguard.ports import locks as port
from sentienguard.stages.execute import parameters, work
from sentienguard.stages.execute.steps import chosen

MAX_FILES = 100


class Locks:
    """A work.StepKind."""

    def plan(self, action: playbook.Action, bound: parameters.Bound) -> tuple[str, ...]:
        """Return the operation and its operands."""
        return chosen.plan(action, bound)

    def prepare(self, action: playbook.Action, context: work.Context) -> work.Recorded:
        """Record each lock file that is meant."""
        age = context.bound.seconds(action.fields.get("min_age"))
        most = min(context.bound.integer(action.fields.get("max_files"), MAX_FILES), MAX_FILES)
        found = _offered(context).stale(age)[:most]
        return {"locks": [dataclasses.asdict(one) for one in found]}

    def run(
        self, action: playbook.Action, context: work.Context, recorded: work.Recorded
    ) -> work.Done:
        """Remove those that are still stale."""
        del action
        meant = _meant(recorded)
        removed = _offered(context).remove(meant)
        names = ", ".join(one.path for one in meant[:4])
        return work.Done(
            order.StepStatus.SUCCESS,
            f"removed {removed} of {len(meant)} stale lock files {names}".rstrip(),
            changed=removed > 0,
        )

    def restore(
        self, action: playbook.Action, context: work.Context, recorded: work.Recorded
    ) -> work.Done:
        """Write them back where nobody has taken the lock meanwhile."""
        del action
        meant = _meant(recorded)
        back = _offered(context).put_back(meant)
        detail = f"{back} of {len(meant)} lock files are there again"
        status = order.StepStatus.SUCCESS if back == len(meant) else order.StepStatus.FAILED
        return work.Done(status, detail, changed=True)


def _meant(recorded: work.Recorded) -> tuple[port.Lock, ...]:
    return tuple(port.Lock(**one) for one in recorded["locks"])  # written by asdict


def _offered(context: work.Context) -> port.Locks:
    if context.host.locks is None:
        raise work.NotPossible("this host has no lock directories; see agent.json")
    return context.host.locks
