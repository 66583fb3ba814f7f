"""Tell people what the log says, every second; where no channel is configured, nobody is told."""

import asyncio
import logging

from sentienguard.controlplane.centre import Centre
from sentienguard.controlplane.notice_desk import NoticeDesk
from sentienguard.model import errors

log = logging.getLogger(__name__)
INTERVAL_S = 1.0
AFTER_A_FAULT_S = 10.0


async def run(_centre: Centre, desk: NoticeDesk | None) -> None:
    """Tell until cancelled."""
    while desk is not None:
        try:
            await asyncio.to_thread(desk.round)
        except (errors.Rejected, errors.Unavailable, errors.Broken) as problem:
            log.warning("people were not told: %s", problem)
            await asyncio.sleep(AFTER_A_FAULT_S)
        except Exception:  # a fault of ours in one message must not silence all others for good
            log.exception("people were not told")
            await asyncio.sleep(AFTER_A_FAULT_S)
        await asyncio.sleep(INTERVAL_S)
