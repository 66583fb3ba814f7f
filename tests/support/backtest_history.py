"""Two weeks of two hosts as OpenMetrics: quiet, but for the faults that are planted on one.

The first week is what baselines are learned from. Readings are each `STEP_S`, with a rhythm of the
day and noise from a seed, so that two calls give the same.
"""

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass

STEP_S = 120
DAY_S = 86_400
DAYS = 7  # judged
LEARNED = 7
GIB = 2**30


@dataclass(frozen=True)
class Fault:
    """Something that goes wrong on a host for a while."""

    host: str
    metric: str
    day: float  # after the first judged one
    hours: float


DISK = Fault("web-1", "system.disk_usage_percent", 2.4, 5.0)
CPU = Fault("web-1", "system.cpu_percent", 4.6, 0.75)
SERVICE = Fault("web-1", "service.up", 1.2, 0.5)
FAULTS = (SERVICE, DISK, CPU)  # by time
HOSTS = ("web-1", "web-2")


def moments(end_s: int) -> range:
    """Return the times of all readings."""
    end = end_s // STEP_S * STEP_S
    return range(end - (DAYS + LEARNED) * DAY_S, end, STEP_S)


def during(fault: Fault, end_s: int) -> tuple[int, int]:
    """Return when a fault begins and ends."""
    start = moments(end_s)[0] + LEARNED * DAY_S + round(fault.day * DAY_S)
    return start, start + round(fault.hours * 3600)


def openmetrics(end_s: int) -> Iterator[str]:
    """Yield the whole text."""
    for host in HOSTS:
        yield from _host(host, end_s)
    yield from _alerts(end_s)
    yield "# EOF\n"


def full_disk(end_s: int, *, days: int, step_s: int = 240) -> Iterator[str]:
    """Yield days of one volume of web-1 that is quiet until it fills up, six hours before the end.

    Less than `openmetrics`, for who asks whether a backtest runs and not what it finds.
    """
    chance = random.Random("history of a volume")
    labels = 'instance="web-1:9100",mountpoint="/var",fstype="ext4",device="/dev/sda1"'
    times = range(end_s - days * DAY_S, end_s, step_s)
    yield from (f"node_filesystem_size_bytes{{{labels}}} {100 * GIB} {at}\n" for at in times)
    for at in times:
        filled = max(0.0, at - end_s + 6 * 3600) / 7200
        used = min(0.42 + chance.gauss(0, 0.001) + 0.56 * filled, 0.98)
        free = 100 * GIB * (1 - used)
        yield f"node_filesystem_avail_bytes{{{labels}}} {free:.0f} {at}\n"
    yield "# EOF\n"


def _host(host: str, end_s: int) -> Iterator[str]:
    chance = random.Random(f"history of {host}")
    where = f'instance="{host}:9100"'
    disk, cpu, service = (
        during(one, end_s) if one.host == host else None for one in (DISK, CPU, SERVICE)
    )
    idle = 0.0
    lines: dict[str, list[str]] = {}

    def say(name: str, labels: str, value: float, at: int) -> None:
        lines.setdefault(f"{name}{{{where}{labels}}}", []).append(f"{value:.6g} {at}")

    for at in moments(end_s):
        wave = math.sin(2 * math.pi * (at % DAY_S) / DAY_S)
        busy = 0.22 + 0.1 * wave + chance.gauss(0, 0.02)
        if _inside(cpu, at):
            busy = 0.995
        idle += STEP_S * (1 - min(max(busy, 0.0), 1.0))
        lines.setdefault(f'node_cpu_seconds_total{{{where},cpu="0",mode="idle"}}', []).append(
            f"{idle:.3f} {at}"
        )
        say("node_memory_MemTotal_bytes", "", 16 * GIB, at)
        say("node_memory_MemAvailable_bytes", "", 16 * GIB * (0.5 + chance.gauss(0, 0.01)), at)
        say("node_load1", "", 4 * busy if not _inside(cpu, at) else 1.2, at)
        used = 0.42 + chance.gauss(0, 0.001)
        if disk and _inside(disk, at):
            used = min(0.42 + 0.56 * (at - disk[0]) / 7200, 0.98)
        mount = ',mountpoint="/var",fstype="ext4",device="/dev/sda1"'
        say("node_filesystem_size_bytes", mount, 100 * GIB, at)
        say("node_filesystem_avail_bytes", mount, 100 * GIB * (1 - used), at)
        unit = ',name="nginx.service",state="failed",type="forking"'
        say("node_systemd_unit_state", unit, float(_inside(service, at)), at)
    for name, readings in lines.items():
        yield from (f"{name} {reading}\n" for reading in readings)


def _alerts(end_s: int) -> Iterator[str]:
    """Yield the alerts of the owner: of the full disk, and one of nothing that we see."""
    start, end = during(DISK, end_s)
    disk = (
        'ALERTS{alertname="HostOutOfDiskSpace",alertstate="firing",instance="web-1:9100",'
        'mountpoint="/var"}'
    )
    yield from (f"{disk} 1 {at}\n" for at in moments(end_s) if start + 6600 <= at < end)
    noise = 'ALERTS{alertname="Moody",alertstate="firing",instance="web-2:9100"}'
    begin = moments(end_s)[0] + (LEARNED + 3) * DAY_S
    yield from (f"{noise} 1 {at}\n" for at in moments(end_s) if begin <= at < begin + 3600)


def _inside(span: tuple[int, int] | None, at: int) -> bool:
    return span is not None and span[0] <= at < span[1]
