"""How much of its hourly budgets a host has used: starts of playbooks, as it told them itself.

Called by the API. Rules:

1. Counted is what the host keeps a budget of (`stages.execute.admission`): orders that it admitted
   in the last hour and that are no dry runs, for each playbook by its name, whatever the version.
2. That it admitted one, and when, is what its executor signed. Orders that were released, that wait
   or that it refused count for nothing.
3. What it has not told yet is not known: the answer says when the host was heard last.
4. Nothing is decided by it. The host counts for itself, and by its own clock.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sentienguard.flow.centre import Centre
from sentienguard.model.ids import PlaybookName
from sentienguard.ports.agent_store import Agent
from sentienguard.ports.order_store import KeptOrder

HOUR: Final = timedelta(hours=1)
_LONGEST: Final = timedelta(hours=1)  # between handing an order over and its start, at most


@dataclass(frozen=True, slots=True)
class Used:
    """What a host has used of its budgets."""

    heard_at: datetime | None  # None: never; then nothing is known
    starts: Mapping[PlaybookName, int]  # of the last hour; a playbook that did not start is absent

    @property
    def every(self) -> int:
        """Count the starts of all playbooks together."""
        return sum(self.starts.values())


def of_host(centre: Centre, agent: Agent, now: datetime) -> Used:
    """Return what a host told of the last hour."""
    given = centre.orders.begun_on(agent.id, since=now - HOUR - _LONGEST)
    counted = [one for one in given if not one.order.dry_run and _began(one) > now - HOUR]
    return Used(agent.last_seen, Counter(one.order.playbook for one in counted))


def _began(kept: KeptOrder) -> datetime:
    """Return when it began: as the host reported, or since when it had it while it still runs."""
    if kept.report is not None:
        return kept.report.started_at
    # A centre that died in between knows that it was released and not that it was handed over.
    return kept.delivered_at or kept.released_at
