"""Who moves bytes is what an anomaly of a disk asks."""

import dataclasses

import pytest

from sentienguard.model.telemetry import ProcessUse
from sentienguard.stages.decide import evidence
from tests.support import decide_cases as cases

BUSY = ProcessUse(7, "spinner", 99.0, 10_000)
MOVER = ProcessUse(8, "mysqld", 3.0, 10_000, 52_428_800.0)


@pytest.mark.parametrize(
    ("metric", "subject", "first"),
    [
        ("system.disk_latency_ms", "sda", MOVER),
        ("system.disk_busy_percent", "sda", MOVER),
        ("system.disk_write_bytes_per_s", "sda", MOVER),
        ("system.pressure_percent", "io", MOVER),
        ("system.pressure_percent", "cpu", BUSY),
        ("system.cpu_percent", "", BUSY),
    ],
)
def test_the_first_process_is_the_one_that_uses_what_is_short(metric, subject, first):
    found = assembled(metric, subject, (MOVER,))
    assert found.top_processes[0] == first
    assert ("50.0 MiB a second to and from disks" in found.text) == (first is MOVER)


def test_an_agent_that_does_not_say_who_moves_bytes_still_names_the_busiest():
    assert assembled("system.disk_latency_ms", "sda", ()).top_processes == (BUSY,)


def assembled(metric, subject, movers):
    anomaly = cases.anomaly(metric, subject)
    sample = dataclasses.replace(cases.sample(anomaly, top_cpu=(BUSY,)), top_io=movers)
    return evidence.assemble(cases.incident(anomaly), cases.NOW, sample=sample)
