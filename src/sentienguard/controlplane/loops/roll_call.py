"""Call the roll of hosts every few seconds: who says nothing any more, and who is back."""

import asyncio
import logging

from sentienguard.controlplane.centre import Centre
from sentienguard.controlplane.intake import Intake
from sentienguard.controlplane.roll_call import RollCall
from sentienguard.model import errors

log = logging.getLogger(__name__)
LOOKS = 24  # in the patience with a host: what is told is late by a twenty-fourth of it, at most
LEAST_S, MOST_S = 0.5, 5.0  # between two looks


async def run(centre: Centre, intake: Intake) -> None:
    """Look until cancelled."""
    roll = RollCall(centre, intake)
    pause_s = min(max(centre.settings.host_silence_s / LOOKS, LEAST_S), MOST_S)
    while True:
        await asyncio.sleep(pause_s)
        try:
            await asyncio.to_thread(roll.look)
        except (errors.Unavailable, errors.Broken) as problem:
            roll.forget()  # what could not be heard is nobody's silence
            log.warning("the roll of hosts was not called: %s", problem)
