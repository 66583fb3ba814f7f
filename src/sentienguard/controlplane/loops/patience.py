"""End waits that the wall clock would never end.

The engine computes a wait's end from the wall clock. Set back by a year, it would let an incident
wait that year. This loop measures by the monotonic clock how long an incident has stood in one
status, and tells it that nothing came once that is longer than any of its waits can be meant to be.
It also records that the time of a right given in an emergency is up: the right itself ends by the
clock at each request, whether or not this loop runs.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from datetime import timedelta

from sentienguard.controlplane import break_glass
from sentienguard.controlplane.centre import Centre
from sentienguard.flow import incident as flow
from sentienguard.model import errors
from sentienguard.model.incident import Incident, Status

log = logging.getLogger(__name__)
INTERVAL_S = 60.0
MARGIN = timedelta(minutes=2)  # the wait itself ends it first, where the clock is right
LONGEST_ORDER = timedelta(days=1)  # the format of orders allows no later deadline


class Patience:
    """How long each incident has stood in its status, as this process has seen it."""

    def __init__(self, limits: Mapping[Status, timedelta]) -> None:
        """Take how long an incident may stand in a status; one without a limit may stand there."""
        self._limits = limits
        self._since: dict[tuple[str, Status], float] = {}

    def overdue(self, incidents: Sequence[Incident], now_s: float) -> list[Incident]:
        """Return those that stand too long. `now_s` is monotonic; all unfinished ones are given."""
        standing = {(one.id, one.status): one for one in incidents if one.status in self._limits}
        self._since = {key: self._since.get(key, now_s) for key in standing}
        return [
            one
            for key, one in standing.items()
            if now_s - self._since[key] > self._limits[one.status].total_seconds()
        ]


def limits(approval: timedelta) -> dict[Status, timedelta]:
    """Return how long an incident may stand in each status that waits."""
    return {
        Status.AWAITING_APPROVAL: approval + MARGIN,
        Status.MITIGATING: flow.DELIVERY_PATIENCE + LONGEST_ORDER + flow.REPORT_MARGIN + MARGIN,
        Status.VERIFYING: max(flow.RECOVERY_PATIENCE, flow.ALERT_PATIENCE) + MARGIN,
    }


async def run(centre: Centre) -> None:
    """Look every minute until cancelled."""
    patience = Patience(limits(timedelta(minutes=centre.settings.approval_minutes)))
    while True:
        await asyncio.sleep(INTERVAL_S)
        try:
            await asyncio.to_thread(_look, centre, patience)
        except (errors.Unavailable, errors.Broken) as problem:
            log.warning("waits were not looked at: %s", problem)
        try:
            await asyncio.to_thread(break_glass.record_over, centre)
        except (errors.Unavailable, errors.Broken) as problem:
            log.warning("the end of emergencies was not recorded: %s", problem)


def _look(centre: Centre, patience: Patience) -> None:
    for one in patience.overdue(centre.incidents.unfinished(), centre.clock.monotonic()):
        log.warning("incident %s stands in %s for too long: its wait ends", one.id, one.status)
        centre.tell(one.id, flow.NothingCame(), key=f"overdue/{one.status.value}")
