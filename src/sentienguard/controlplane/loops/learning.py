"""Learn each host's baselines again every ten minutes, hosts one after another.

After each host comes a rest (`RESTS`): with thousands of hosts a round takes longer than ten
minutes, and never more than its share of a core from samples and people.

What other systems send of enrolled hosts is learned once an hour: there may be a hundred times as
many series, read over seven days, and nothing is remedied by them.
"""

import asyncio
import logging

from sentienguard.controlplane.centre import Centre
from sentienguard.model import errors

log = logging.getLogger(__name__)
INTERVAL_S = 600.0  # a baseline looks back seven days: ten minutes are a thousandth of that
RESTS = 4.0  # times as long as it learned: a fifth of a core at most
OUTSIDE_ROUNDS = 6  # of which one learns what other systems send


async def run(centre: Centre) -> None:
    """Learn until cancelled."""
    rounds = 0
    while True:
        for agent in await asyncio.to_thread(centre.agents.list):
            began = centre.clock.monotonic()
            try:
                await asyncio.to_thread(centre.baselines.learn, agent.host, centre.clock.now())
            except (errors.Unavailable, errors.Broken) as problem:
                log.warning("baselines of %s were not learned: %s", agent.host, problem)
            await asyncio.sleep(RESTS * (centre.clock.monotonic() - began))
        if rounds % OUTSIDE_ROUNDS == 0:
            await _learn_outside(centre)
        rounds += 1
        await asyncio.sleep(INTERVAL_S)


async def _learn_outside(centre: Centre) -> None:
    """Learn the outside series of enrolled hosts; those of others are nobody's to see here."""
    enrolled = {
        (one.environment, one.host.casefold())
        for one in await asyncio.to_thread(centre.agents.list)
    }
    for place, series in (await asyncio.to_thread(centre.baselines.outside_series)).items():
        environment, host = place
        if (environment, host.casefold()) not in enrolled:
            continue
        try:
            now = centre.clock.now()
            await asyncio.to_thread(centre.baselines.learn_outside, place, series, now)
        except (errors.Unavailable, errors.Broken) as problem:
            log.warning("outside series of %s were not learned: %s", host, problem)
