"""Leave checkpoints of the audit log outside, wherever it is time."""

import asyncio
import logging

from sentienguard.controlplane.centre import Centre

log = logging.getLogger(__name__)
INTERVAL_S = 5.0  # between two looks at what is due; each anchor has its own interval


async def run(centre: Centre) -> None:
    """Anchor until cancelled."""
    while centre.anchoring is not None:
        try:
            await asyncio.to_thread(centre.anchoring.round)
        except Exception:  # a fault of ours in one round must not end the anchors for good
            log.exception("the log was not anchored")
        await asyncio.sleep(INTERVAL_S)
