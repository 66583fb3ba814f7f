"""Compact recent readings into blocks, and drop what is past its retention."""

import asyncio
import logging
from datetime import timedelta

from sentienguard.controlplane.centre import Centre
from sentienguard.controlplane.settings import Settings
from sentienguard.model import errors
from sentienguard.ports.metric_store import Retention

log = logging.getLogger(__name__)
INTERVAL_S = 300.0
FINE_SUMMARIES = timedelta(days=365)  # of five minutes each; older ones are of an hour each
ALERTS_KEPT = timedelta(days=30)  # of alerts that were dealt with; the log keeps what they opened
NOTICES_KEPT = timedelta(days=30)  # messages to people, since they ended
CHANGES_KEPT = timedelta(days=90)  # that pipelines told of
CALLS_KEPT = timedelta(days=90)  # between services, since they were last seen
LIVES_KEPT = timedelta(days=1)  # the engine's records of an incident, since it ended


async def run(centre: Centre) -> None:
    """Keep house until cancelled."""
    settings = centre.settings
    lines_kept = timedelta(days=settings.keep_log_lines_days)
    while True:
        await asyncio.sleep(INTERVAL_S)
        try:
            await asyncio.to_thread(centre.metrics.compact)
            await asyncio.to_thread(centre.metrics.age, centre.clock.now(), retention(settings))
        except (errors.Unavailable, errors.Broken) as problem:
            log.warning("the metric store was not tidied: %s", problem)
        try:
            await asyncio.to_thread(centre.outbox.forget, centre.clock.now() - NOTICES_KEPT)
        except (errors.Unavailable, errors.Broken) as problem:
            log.warning("old messages were not dropped: %s", problem)
        try:
            engine = centre.messages.engine()
            await asyncio.to_thread(engine.forget, centre.clock.now() - LIVES_KEPT)
        except (errors.Unavailable, errors.Broken) as problem:
            log.warning("old records of the engine were not dropped: %s", problem)
        try:
            await asyncio.to_thread(centre.alerts.forget, centre.clock.now() - ALERTS_KEPT)
        except (errors.Unavailable, errors.Broken) as problem:
            log.warning("old alerts were not dropped: %s", problem)
        try:
            await asyncio.to_thread(
                centre.outside_logs.forget,
                centre.clock.now() - lines_kept,
                most=settings.keep_log_lines,
            )
            await asyncio.to_thread(centre.topology.forget, centre.clock.now() - CALLS_KEPT)
            await asyncio.to_thread(centre.changes.forget, centre.clock.now() - CHANGES_KEPT)
        except (errors.Unavailable, errors.Broken) as problem:
            log.warning("old lines and calls of other systems were not dropped: %s", problem)


def retention(settings: Settings) -> Retention:
    """Return how long readings are kept: singly, then as summaries of growing spans."""
    raw = timedelta(days=settings.keep_readings_days)
    whole = max(raw, timedelta(days=settings.keep_summaries_days))
    return Retention(raw=raw, five_minutes=max(raw, min(whole, FINE_SUMMARIES)), hours=whole)
