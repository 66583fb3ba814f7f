"""Learn each host's baselines again every ten minutes, hosts one after another."""

import asyncio
import logging

from sentienguard.controlplane.centre import Centre
from sentienguard.model import errors

log = logging.getLogger(__name__)
INTERVAL_S = 600.0  # a baseline looks back seven days: ten minutes are a thousandth of that


async def run(centre: Centre) -> None:
    """Learn until cancelled."""
    while True:
        for agent in await asyncio.to_thread(centre.agents.list):
            try:
                await asyncio.to_thread(centre.baselines.learn, agent.host, centre.clock.now())
            except (errors.Unavailable, errors.Broken) as problem:
                log.warning("baselines of %s were not learned: %s", agent.host, problem)
        await asyncio.sleep(INTERVAL_S)
