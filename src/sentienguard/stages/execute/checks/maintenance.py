"""Neither a maintenance window nor a do-not-remediate mark is on."""

from sentienguard.model import playbook
from sentienguard.stages.execute import work


class Maintenance:
    """A work.CheckKind."""

    only_looks = True

    def judge(self, check: playbook.Check, context: work.Context) -> work.Finding:
        """Ask the host."""
        del check
        why = context.host.forbidden()
        return work.Finding(why is None, why or "no maintenance, not marked do-not-remediate")
