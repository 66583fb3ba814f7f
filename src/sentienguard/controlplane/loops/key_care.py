"""Look each hour whether a key that is online is due."""

import asyncio
import logging

from sentienguard.controlplane.centre import Centre
from sentienguard.model import errors

log = logging.getLogger(__name__)
INTERVAL_S = 3600.0


async def run(centre: Centre) -> None:
    """Look at once, as one that was off when a key was due, and then each hour."""
    while centre.keys is not None:
        try:
            await asyncio.to_thread(centre.keys.round, centre)
        except (errors.Unavailable, errors.Broken, errors.Rejected, OSError) as problem:
            log.warning("keys were not looked after: %s", problem)
        except Exception:  # a fault of ours in one look must not end them for good
            log.exception("keys were not looked after")
        await asyncio.sleep(INTERVAL_S)
