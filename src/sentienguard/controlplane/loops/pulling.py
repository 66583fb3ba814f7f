"""Pull readings of other systems; where no file asks for any, nothing is asked."""

import asyncio
import logging

from sentienguard.controlplane.centre import Centre
from sentienguard.controlplane.cloud_metrics import CloudMetrics

log = logging.getLogger(__name__)


async def run(_centre: Centre, pull: CloudMetrics | None) -> None:
    """Pull until cancelled."""
    while pull is not None:
        try:
            await pull.round(asyncio.to_thread)
        except Exception:  # a fault of ours in one round must not end them for good
            log.exception("readings were not pulled")
        await asyncio.sleep(pull.pause_s)
