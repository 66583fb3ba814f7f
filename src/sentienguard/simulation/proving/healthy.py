"""What the facts of server programs, open files and the kernel are on a host without a fault.

Called by `stage`. A case says otherwise under `levels`.
"""

from collections.abc import Mapping
from typing import Final

PROGRAMS: Final[Mapping[str, float]] = {
    "conntrack_percent": 5.0,
    "open_files_percent": 5.0,
    "deleted_open_bytes": 0.0,
    "service_leftovers": 0.0,
    "redis_is_cache": 0.0,
    "redis_memory_percent": 40.0,
    "redis_evicts": 1.0,
    "redis_keys": 1_000.0,
    "redis_unread_bytes": 0.0,
    "redis_save_failed": 0.0,
    "redis_link_silent": 0.0,
    "haproxy_drained": 0.0,
    "haproxy_flaps": 0.0,
    "haproxy_backends_down": 0.0,
    "rabbitmq_stuck": 0.0,
    "rabbitmq_queue_messages": 0.0,
    "rabbitmq_queue_consumers": 1.0,
    "certificate_spent": 30.0,
    "certificate_stale": 0.0,
    "resolver_silent": 0.0,
}
