"""No other playbook runs on this host.

The executor runs one order at a time and refuses a second one, so this holds by the time that
pre-checks are judged; the check states it where the playbook asks, and in simulations.
"""

from sentienguard.model import playbook
from sentienguard.stages.execute import work


class ConcurrencyCheck:
    """A work.CheckKind."""

    only_looks = True

    def judge(self, check: playbook.Check, context: work.Context) -> work.Finding:
        """Ask which other orders run."""
        del check
        others = sorted(context.host.running() - {context.order})
        return work.Finding(
            not others, f"{', '.join(others)} still runs" if others else "no other playbook runs"
        )
