"""What a metric measures, by its name: which direction is worse, and how it travels.

A metric that is not told here is not looked at, unless it is the symptom itself. Metrics that count
log lines are left out on purpose: who writes the lines would decide who is blamed.
"""

import re
from collections.abc import Mapping
from typing import Final

from sentienguard.model.diagnosis import MetricKind

# Of our agents' metrics, by name.
KINDS: Final[Mapping[str, MetricKind]] = {
    "system.cpu_percent": MetricKind.CPU,
    "system.load_average_1m": MetricKind.SATURATION,
    "system.memory_percent": MetricKind.MEMORY,
    "system.swap_percent": MetricKind.MEMORY,
    "system.disk_usage_percent": MetricKind.DISK,
    "system.inode_usage_percent": MetricKind.DISK,
    "system.disk_latency_ms": MetricKind.DISK,
    "system.disk_busy_percent": MetricKind.DISK,
    "system.network_rx_bytes_per_s": MetricKind.NETWORK,
    "system.network_tx_bytes_per_s": MetricKind.NETWORK,
    "system.tcp_retransmit_percent": MetricKind.SATURATION,
    "system.listen_drops_per_s": MetricKind.SATURATION,
    "system.oom_kills": MetricKind.RESTARTS,
    "system.zombies": MetricKind.SATURATION,
    "service.up": MetricKind.AVAILABILITY,
    "service.healthy": MetricKind.AVAILABILITY,
    "service.http_ms": MetricKind.LATENCY,
    "software.up": MetricKind.AVAILABILITY,
    "software.answer_ms": MetricKind.LATENCY,
    "database.connections_active": MetricKind.SATURATION,
    "database.connections_idle_in_transaction": MetricKind.SATURATION,
    "database.connections_waiting": MetricKind.SATURATION,
    "database.cache_hit_ratio": MetricKind.HIT_RATIO,
    "database.longest_transaction_s": MetricKind.SATURATION,
    "database.longest_idle_in_transaction_s": MetricKind.SATURATION,
    "database.lock_waits": MetricKind.SATURATION,
    "database.replication_lag_s": MetricKind.BACKLOG,
    "redis.memory_percent": MetricKind.MEMORY,
    "redis.clients_percent": MetricKind.SATURATION,
    "redis.hit_ratio": MetricKind.HIT_RATIO,
    "redis.replica_lag_bytes": MetricKind.BACKLOG,
    "nginx.connections_active": MetricKind.TRAFFIC,
    "rabbitmq.messages_ready": MetricKind.BACKLOG,
    "rabbitmq.messages_unacknowledged": MetricKind.BACKLOG,
    "rabbitmq.memory_percent": MetricKind.MEMORY,
    "rabbitmq.open_files_percent": MetricKind.SATURATION,
}

# Families whose subject is a service of the host, where it has one.
OF_SERVICES: Final = ("service", "software", "database", "redis", "nginx", "rabbitmq")

# Words in the names of other systems' metrics; the first that is found decides.
_WORDS: Final[tuple[tuple[frozenset[str], MetricKind], ...]] = (
    (frozenset({"error", "errors", "failed", "failures", "exceptions"}), MetricKind.ERRORS),
    (frozenset({"duration", "latency"}), MetricKind.LATENCY),
    (frozenset({"restarts"}), MetricKind.RESTARTS),
    (frozenset({"lag", "backlog", "queue", "pending"}), MetricKind.BACKLOG),
    (frozenset({"cpu"}), MetricKind.CPU),
    (frozenset({"memory"}), MetricKind.MEMORY),
    (frozenset({"requests", "calls"}), MetricKind.TRAFFIC),
    (frozenset({"utilization", "saturation"}), MetricKind.SATURATION),
)
_SPLIT: Final = re.compile(r"[^a-z0-9]+")
SUM, COUNT, TOTAL, BUCKET = "_sum", "_count", "_total", "_bucket"


def ours(metric: str) -> MetricKind | None:
    """Return what a metric of our agents measures; None: it is not looked at."""
    return KINDS.get(metric)


def others(metric: str) -> MetricKind | None:
    """Return what a metric of another system measures, by the words of its name."""
    words = frozenset(_SPLIT.split(metric.lower()))
    return next((kind for some, kind in _WORDS if words & some), None)


def is_of_service(metric: str) -> bool:
    """Tell whether the subject of a metric of ours is a service."""
    return metric.partition(".")[0] in OF_SERVICES
