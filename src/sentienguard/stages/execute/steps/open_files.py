"""Empty deleted files that a service still writes to: the space comes back, the service goes on."""

import fnmatch

from sentienguard.model import order, playbook
from sentienguard.ports import open_files as port
from sentienguard.stages.execute import parameters, work
from sentienguard.stages.execute.steps import chosen

MAX_FILES = 100


class OpenFiles:
    """A work.StepKind."""

    def plan(self, action: playbook.Action, bound: parameters.Bound) -> tuple[str, ...]:
        """Return the operation and its operands."""
        return chosen.plan(action, bound)

    def prepare(self, action: playbook.Action, context: work.Context) -> work.Recorded:
        """Look whether the files of the service can be read."""
        name = chosen.service(action, context)
        _offered(context).deleted(name)
        return {"service": name}

    def run(
        self, action: playbook.Action, context: work.Context, recorded: work.Recorded
    ) -> work.Done:
        """Cut what matches now."""
        host, bound = _offered(context), context.bound
        pattern = bound.text(action.fields.get("pattern"))
        least = bound.size(action.fields.get("min_size"))
        most = min(bound.integer(action.fields.get("max_files"), MAX_FILES), MAX_FILES)
        meant = [
            held
            for held in host.deleted(recorded["service"])
            if held.size >= max(least, 1)
            and fnmatch.fnmatchcase(held.path.rpartition("/")[2], pattern)
        ][:most]
        cut = [held for held in meant if host.truncate(held)]
        return work.Done(
            order.StepStatus.SUCCESS,
            f"emptied {len(cut)} of {len(meant)} deleted files of {recorded['service']}, "
            f"{sum(held.size for held in cut)} bytes",
            changed=bool(cut),
        )

    def restore(
        self, action: playbook.Action, context: work.Context, recorded: work.Recorded
    ) -> work.Done:
        """Say that a deleted file's bytes are gone."""
        del action, context, recorded
        return chosen.gone("what a deleted file held cannot come back")


def _offered(context: work.Context) -> port.OpenFiles:
    if context.host.open_files is None:
        raise work.NotPossible("this host does not offer its services' open files")
    return context.host.open_files
