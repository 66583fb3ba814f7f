"""Readings that are bad whatever the history says, so that the first sample can be judged.

A limit has a lower level at which it counts as over: between the two, an anomaly that stands goes
on standing and none begins.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from sentienguard.model.anomaly import Severity


@dataclass(frozen=True, slots=True)
class Limit:
    """One bound on one metric."""

    reached: float  # the reading that breaks it
    cleared: float  # the reading at which it counts as over
    severity: Severity
    says: str  # what a reading past it means, for people
    samples: int = 1  # readings in a row before it is believed
    held_s: int = 0  # seconds it must have lasted as well
    falling: bool = False  # true: broken by readings at or below `reached`

    def broken(self, value: float) -> bool:
        """Tell whether a reading breaks the limit."""
        return value <= self.reached if self.falling else value >= self.reached

    def over(self, value: float) -> bool:
        """Tell whether a reading is far enough back to count as recovered."""
        return value >= self.cleared if self.falling else value <= self.cleared


LIMITS: Mapping[str, Limit] = {
    "system.disk_usage_percent": Limit(95.0, 90.0, Severity.CRITICAL, "the volume is full"),
    "system.inode_usage_percent": Limit(
        95.0, 90.0, Severity.CRITICAL, "the volume has no room for further files"
    ),
    "system.memory_percent": Limit(97.0, 92.0, Severity.CRITICAL, "memory is used up", samples=2),
    "system.swap_percent": Limit(90.0, 80.0, Severity.WARNING, "swap is used up", samples=3),
    # A busy minute is work, not a fault.
    "system.cpu_percent": Limit(
        97.0, 85.0, Severity.WARNING, "the processors are saturated", samples=3, held_s=60
    ),
    "system.zombies": Limit(51.0, 25.0, Severity.WARNING, "dead processes are not collected"),
    "system.open_files_percent": Limit(
        90.0, 80.0, Severity.CRITICAL, "the host can hardly open further files"
    ),
    "system.conntrack_percent": Limit(
        90.0, 80.0, Severity.CRITICAL, "the host can hardly track further connections"
    ),
    "system.oom_kills": Limit(
        1.0, 0.0, Severity.WARNING, "the kernel killed a process for want of memory"
    ),
    "certificate.days_left": Limit(
        7.0, 14.0, Severity.WARNING, "the certificate ends within a week", falling=True
    ),
    "service.up": Limit(0.0, 1.0, Severity.CRITICAL, "the service is not running", falling=True),
    "service.healthy": Limit(
        0.0, 1.0, Severity.CRITICAL, "the service does not answer", samples=2, falling=True
    ),
    # One odd line is for people who look; ten in one sample are something new that goes wrong.
    "log.new_trouble": Limit(
        10.0, 0.0, Severity.WARNING, "messages of trouble that were never seen before"
    ),
    "probe.up": Limit(
        0.0, 1.0, Severity.CRITICAL, "the address does not answer", samples=2, falling=True
    ),
    "software.up": Limit(
        0.0, 1.0, Severity.CRITICAL, "the program does not answer", samples=2, falling=True
    ),
    "database.archive_failing": Limit(
        1.0, 0.0, Severity.WARNING, "the write-ahead log cannot be archived", samples=2
    ),
    # Locks are waited for all the time; what waits for half a minute stands in a queue.
    "database.longest_lock_wait_s": Limit(
        45.0, 5.0, Severity.CRITICAL, "sessions wait behind a lock that is not given up", samples=2
    ),
    "database.longest_idle_in_transaction_s": Limit(
        660.0,
        60.0,
        Severity.WARNING,
        "a session holds its transaction open and does nothing",
        samples=2,
    ),
    "database.oldest_xid_percent": Limit(
        50.0, 40.0, Severity.CRITICAL, "old transactions hold back the numbers of new ones"
    ),
    "database.replication_running": Limit(
        0.0, 1.0, Severity.WARNING, "replication has stopped", samples=3, falling=True
    ),
    "redis.replication_link_up": Limit(
        0.0, 1.0, Severity.WARNING, "replication has stopped", samples=3, falling=True
    ),
    "redis.last_save_ok": Limit(
        0.0, 1.0, Severity.WARNING, "its data could not be saved", falling=True
    ),
    "rabbitmq.alarm": Limit(1.0, 0.0, Severity.CRITICAL, "publishers are blocked", samples=2),
    "database.connections_utilization": Limit(
        0.98, 0.9, Severity.CRITICAL, "no connections are left", samples=2
    ),
}


@dataclass(frozen=True, slots=True)
class Approach:
    """How close to its end, in level and in time, a filling resource may come."""

    level: float  # fraction of the ceiling that is used already
    hours: float  # until it is used up, at its present rate
    severity: Severity


# Worst first. 85 % growing by 10 points an hour leaves an hour and a half: time enough to act.
APPROACHES: tuple[Approach, ...] = (
    Approach(0.85, 0.5, Severity.CRITICAL),
    Approach(0.85, 1.5, Severity.WARNING),
    Approach(0.70, 0.25, Severity.WARNING),
)
LOWEST_APPROACH = min(approach.level for approach in APPROACHES)
FORETOLD_HOURS = 7 * 24.0  # a ramp that takes longer is nobody's concern yet


def approach(level: float, hours: float) -> Severity | None:
    """Return how bad it is to be this full, this many hours from the end."""
    for rule in APPROACHES:
        if level >= rule.level and hours <= rule.hours:
            return rule.severity
    return None


def foretold(level: float, hours: float) -> Severity | None:
    """Return how bad it is to climb like never before, this full, this many hours from the end."""
    if hours > FORETOLD_HOURS:
        return None
    return approach(level, hours) or Severity.INFO
