"""How long things are kept: what the settings say, in the store's terms."""

import dataclasses
from datetime import timedelta

import pytest

from sentienguard.controlplane.loops import housekeeping
from sentienguard.controlplane.settings import Settings


@pytest.mark.parametrize(
    ("readings", "summaries", "kept"),
    [
        (90, 5 * 365, (90, 365, 5 * 365)),
        (90, 200, (90, 200, 200)),
        (90, 0, (90, 90, 90)),  # nothing after the readings
        (1000, 2000, (1000, 1000, 2000)),  # single readings of that time need no five minutes
        (1000, 500, (1000, 1000, 1000)),
    ],
)
def test_older_readings_are_folded_and_then_dropped(readings, summaries, kept):
    wanted = dataclasses.replace(
        Settings(), keep_readings_days=readings, keep_summaries_days=summaries
    )
    found = housekeeping.retention(wanted)
    spans = (found.raw, found.five_minutes, found.hours)
    assert spans == tuple(timedelta(days=days) for days in kept)
