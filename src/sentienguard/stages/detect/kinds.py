"""What each metric is: which direction is bad, how much it may wander, where it ends.

A low disk is no anomaly, a quiet host is no anomaly, and two metrics that say the same thing make
one anomaly, not two: those facts about metrics stand in the table below and nowhere else.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

_NAMES_REMEMBERED = 4096  # names of metrics come from hosts, so what we remember of them is bounded


class Direction(StrEnum):
    """Which deviation from normal is bad."""

    UP = "up"
    DOWN = "down"
    EITHER = "either"


@dataclass(frozen=True, slots=True)
class Kind:
    """What one metric is."""

    direction: Direction = Direction.EITHER
    floor: float = 1e-9  # smallest standard deviation believed, in the metric's unit
    relative_floor: float = 0.05  # the same as a fraction of the mean
    material: float | None = None  # an upward deviation below this level harms nobody
    ceiling: float | None = None  # where the resource ends
    confirm: int = 2  # samples in a row before a deviation from the baseline is believed
    by_baseline: bool = True  # false: says what another metric says already, or only counts up
    by_trend: bool = False  # true: a store that fills up; false: also rates, as of a processor


_UNJUDGED = Kind(by_baseline=False)
_PERCENT = Kind(Direction.UP, floor=2.0, material=50.0, ceiling=100.0)
_FILLS = Kind(Direction.UP, floor=2.0, material=50.0, ceiling=100.0, by_trend=True)
_SHARE = Kind(Direction.UP, floor=0.02, material=0.5, ceiling=1.0)
_FEW = Kind(Direction.UP, floor=1.0, material=3.0, confirm=3)
_SOME = Kind(Direction.UP, floor=5.0, relative_floor=0.25, material=20.0, confirm=3)
_QUEUE = Kind(Direction.UP, floor=10.0, relative_floor=0.5, material=100.0, confirm=3)
_LONG = Kind(Direction.UP, floor=30.0, material=300.0)  # seconds
_PILE = Kind(Direction.UP, floor=1e6, relative_floor=0.5, material=1e9, confirm=3)  # bytes

KINDS: Mapping[str, Kind] = {
    # A processor at 40 % serves everybody: the level is half a two-core host's one busy core.
    "system.cpu_percent": Kind(Direction.UP, floor=5.0, material=40.0, ceiling=100.0, confirm=3),
    "system.memory_percent": Kind(
        Direction.UP, floor=2.0, material=60.0, ceiling=100.0, by_trend=True
    ),
    "system.swap_percent": Kind(
        Direction.UP, floor=5.0, material=30.0, ceiling=100.0, by_trend=True
    ),
    "system.open_files_percent": _FILLS,
    "system.conntrack_percent": _FILLS,
    "system.disk_usage_percent": Kind(
        Direction.UP, floor=2.0, material=60.0, ceiling=100.0, confirm=1, by_trend=True
    ),
    "system.inode_usage_percent": Kind(
        Direction.UP, floor=2.0, material=60.0, ceiling=100.0, confirm=1, by_trend=True
    ),
    "system.disk_free_bytes": _UNJUDGED,  # the other side of disk_usage_percent
    "system.load_average_1m": Kind(
        Direction.UP, floor=0.5, relative_floor=0.25, material=2.0, confirm=3
    ),
    "system.load_average_5m": _UNJUDGED,  # follows the 1-minute load
    "system.load_average_15m": _UNJUDGED,  # follows the 1-minute load
    "system.network_rx_bytes_per_s": _UNJUDGED,  # traffic is what hosts are for
    "system.network_tx_bytes_per_s": _UNJUDGED,  # traffic is what hosts are for
    "system.network_errors_per_s": Kind(Direction.UP, floor=1.0, material=5.0, confirm=3),
    "system.interface_up": Kind(Direction.DOWN, floor=0.05, relative_floor=0.0, ceiling=1.0),
    "system.tcp_retransmit_percent": Kind(
        Direction.UP, floor=0.5, material=5.0, ceiling=100.0, confirm=3
    ),
    "system.listen_drops_per_s": Kind(Direction.UP, floor=0.1, material=1.0, confirm=3),
    "system.disk_latency_ms": Kind(
        Direction.UP, floor=1.0, relative_floor=0.25, material=20.0, confirm=3
    ),
    "system.disk_busy_percent": Kind(
        Direction.UP, floor=5.0, material=80.0, ceiling=100.0, confirm=3
    ),
    "system.disk_read_bytes_per_s": _UNJUDGED,  # latency says when it is too much
    "system.disk_write_bytes_per_s": _UNJUDGED,  # latency says when it is too much
    "system.oom_kills": _UNJUDGED,  # a limit: see limits.LIMITS
    "system.clock_synchronised": Kind(Direction.DOWN, floor=0.05, relative_floor=0.0, ceiling=1.0),
    "system.clock_error_s": _UNJUDGED,  # grows between two looks of the time service
    "system.clock_step_s": Kind(floor=5.0, relative_floor=0.0, confirm=1),
    "certificate.days_left": _UNJUDGED,  # a limit: see limits.LIMITS
    "system.processes": Kind(
        Direction.UP, floor=10.0, relative_floor=0.1, material=200.0, confirm=3
    ),
    "system.zombies": Kind(Direction.UP, floor=5.0, material=20.0, confirm=3),
    "system.zombie_children": _UNJUDGED,  # system.zombies by parent: says whom, not how bad
    "system.uptime_s": _UNJUDGED,  # always grows
    "service.up": _UNJUDGED,  # a limit: see limits.LIMITS
    "service.healthy": _UNJUDGED,  # a limit: see limits.LIMITS
    "service.http_status": _UNJUDGED,  # says how service.healthy is 0; 0: no answer at all
    "service.http_ms": Kind(
        Direction.UP, floor=10.0, relative_floor=0.25, material=100.0, confirm=3
    ),
    "systemd.units_failed": Kind(Direction.UP, floor=0.2, relative_floor=0.0, material=1.0),
    "systemd.unit_failed": _UNJUDGED,  # systemd.units_failed by unit: says which
    "log.messages_per_s": Kind(
        Direction.UP, floor=5.0, relative_floor=0.5, material=50.0, confirm=3
    ),
    "log.trouble_per_s": Kind(Direction.UP, floor=0.2, relative_floor=0.5, material=1.0),
    "log.new_trouble": _UNJUDGED,  # a limit: see limits.LIMITS
    "agent.statsd_accepted_per_s": _UNJUDGED,
    "agent.statsd_dropped_per_s": Kind(Direction.UP, floor=10.0, material=100.0, confirm=3),
    "probe.up": _UNJUDGED,  # a limit: see limits.LIMITS
    "probe.status": _UNJUDGED,  # says how probe.up is 0
    "probe.ms": Kind(Direction.UP, floor=10.0, relative_floor=0.5, material=500.0, confirm=3),
    "software.up": _UNJUDGED,  # a limit: see limits.LIMITS
    "software.answer_ms": Kind(
        Direction.UP, floor=10.0, relative_floor=0.5, material=500.0, confirm=3
    ),
    "database.connections_utilization": Kind(
        Direction.UP, floor=0.02, material=0.5, ceiling=1.0, by_trend=True
    ),
    "database.oldest_xid_percent": _FILLS,
    "database.connections_active": _SOME,
    "database.connections_idle": _SOME,
    "database.connections_idle_in_transaction": _FEW,
    "database.connections_waiting": _FEW,
    "database.connections_max": _UNJUDGED,  # a setting
    "database.cache_hit_ratio": Kind(Direction.DOWN, floor=0.02, ceiling=1.0, confirm=3),
    "database.longest_transaction_s": _LONG,
    "database.longest_lock_wait_s": _UNJUDGED,  # a limit: see limits.LIMITS
    "database.longest_idle_in_transaction_s": _LONG,
    "database.dead_rows_percent": Kind(
        Direction.UP, floor=2.0, material=20.0, ceiling=100.0, confirm=3
    ),
    "database.lock_waits": _FEW,
    "database.replication_lag_s": Kind(Direction.UP, floor=5.0, material=30.0, confirm=3),
    "database.replication_lag_bytes": _PILE,
    "database.wal_bytes": _PILE,
    "database.wal_kept_by_slots_bytes": _PILE,
    "database.archive_failing": _UNJUDGED,  # a limit: see limits.LIMITS
    "database.replication_running": _UNJUDGED,  # a limit: see limits.LIMITS
    "database.size_bytes": _UNJUDGED,  # data is what databases are for
    "redis.memory_bytes": _UNJUDGED,  # memory_percent, where there is a bound
    "redis.clients_percent": _FILLS,
    "redis.fragmentation_ratio": _UNJUDGED,  # without meaning where little is stored
    "redis.clients": _SOME,
    "redis.blocked_clients": _UNJUDGED,  # workers that wait for work
    "redis.hit_ratio": Kind(Direction.DOWN, floor=0.05, ceiling=1.0, confirm=3),
    "redis.replica_lag_bytes": _PILE,
    "redis.replication_link_up": _UNJUDGED,  # a limit: see limits.LIMITS
    "redis.last_save_ok": _UNJUDGED,  # a limit: see limits.LIMITS
    "redis.seconds_since_save": _UNJUDGED,  # a setting decides
    "nginx.connections_active": Kind(
        Direction.UP, floor=10.0, relative_floor=0.5, material=100.0, confirm=3
    ),
    "nginx.connections_reading": _UNJUDGED,  # parts of connections_active
    "nginx.connections_writing": _UNJUDGED,
    "nginx.connections_waiting": _UNJUDGED,
    "rabbitmq.messages_ready": _QUEUE,
    "rabbitmq.messages_unacknowledged": _QUEUE,
    "rabbitmq.consumers": Kind(Direction.DOWN, floor=0.5, relative_floor=0.0),
    "rabbitmq.connections": _UNJUDGED,  # consumers and queues say what is wrong with them
    "rabbitmq.channels": _UNJUDGED,
    "rabbitmq.queues": _UNJUDGED,
    "rabbitmq.disk_free_bytes": _UNJUDGED,  # the alarm says when it is too little
    "rabbitmq.disk_limit_bytes": _UNJUDGED,
    "rabbitmq.memory_percent": _FILLS,
    "rabbitmq.open_files_percent": _FILLS,
    "rabbitmq.alarm": _UNJUDGED,  # a limit: see limits.LIMITS
}

_BY_ENDING: tuple[tuple[str, Kind], ...] = (
    ("used_percent", _FILLS),
    ("_percent", _PERCENT),
    ("utilization", _SHARE),
    ("_ratio", Kind(floor=0.02)),
    ("_total", _UNJUDGED),  # counters only grow; their rates are what can be abnormal
)


@lru_cache(maxsize=_NAMES_REMEMBERED)
def kind_of(metric: str) -> Kind:
    """Return what this metric is; an unknown name is judged by its ending."""
    known = KINDS.get(metric)
    if known is not None:
        return known
    for ending, kind in _BY_ENDING:
        if metric.endswith(ending):
            return kind
    return Kind()
