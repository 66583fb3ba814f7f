"""Compact recent readings into blocks and drop readings and alerts past their retention."""

import asyncio
import logging
from datetime import timedelta

from sentienguard.controlplane.centre import Centre
from sentienguard.model import errors

log = logging.getLogger(__name__)
INTERVAL_S = 300.0
RETENTION = timedelta(days=90)  # of readings; a baseline needs seven days
ALERTS_KEPT = timedelta(days=30)  # of alerts that were dealt with; the log keeps what they opened


async def run(centre: Centre) -> None:
    """Keep house until cancelled."""
    while True:
        await asyncio.sleep(INTERVAL_S)
        try:
            await asyncio.to_thread(centre.metrics.compact)
            await asyncio.to_thread(centre.metrics.prune, centre.clock.now() - RETENTION)
        except (errors.Unavailable, errors.Broken) as problem:
            log.warning("the metric store was not tidied: %s", problem)
        try:
            await asyncio.to_thread(centre.alerts.forget, centre.clock.now() - ALERTS_KEPT)
        except (errors.Unavailable, errors.Broken) as problem:
            log.warning("old alerts were not dropped: %s", problem)
