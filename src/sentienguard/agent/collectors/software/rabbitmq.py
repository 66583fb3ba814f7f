"""RabbitMQ: what its plugin `rabbitmq_prometheus` says, on port 15692.

Gives rabbitmq.messages_ready, rabbitmq.messages_unacknowledged, rabbitmq.consumers,
rabbitmq.connections, rabbitmq.channels, rabbitmq.queues, rabbitmq.memory_percent (of the watermark
at which it blocks publishers), rabbitmq.disk_free_bytes, rabbitmq.disk_limit_bytes,
rabbitmq.open_files_percent, and rabbitmq.alarm (1: it blocks publishers).
"""

import re

from sentienguard.agent.collectors.software import asking, http

_LINE = re.compile(r"(rabbitmq_[a-z_]+)(?:\{[^}]*\})? (-?[0-9.]+(?:e[+-]?\d+)?)", re.IGNORECASE)
_PLAIN = {
    "rabbitmq.messages_ready": "rabbitmq_queue_messages_ready",
    "rabbitmq.messages_unacknowledged": "rabbitmq_queue_messages_unacked",
    "rabbitmq.consumers": "rabbitmq_consumers",
    "rabbitmq.connections": "rabbitmq_connections",
    "rabbitmq.channels": "rabbitmq_channels",
    "rabbitmq.queues": "rabbitmq_queues",
    "rabbitmq.disk_free_bytes": "rabbitmq_disk_space_available_bytes",
    "rabbitmq.disk_limit_bytes": "rabbitmq_disk_space_available_limit_bytes",
}
_SHARES = {
    "rabbitmq.memory_percent": (
        "rabbitmq_process_resident_memory_bytes",
        "rabbitmq_resident_memory_limit_bytes",
    ),
    "rabbitmq.open_files_percent": ("rabbitmq_process_open_fds", "rabbitmq_process_max_fds"),
}
_ALARMS = (
    "rabbitmq_alarms_memory_used_watermark",
    "rabbitmq_alarms_free_disk_space_watermark",
    "rabbitmq_alarms_file_descriptor_limit",
)


def ask(target: asking.Target, within_s: float) -> asking.Values:
    """Read the page. Raises OSError, ValueError."""
    told: dict[str, float] = {}
    for line in http.get(target, within_s).splitlines():
        match = _LINE.fullmatch(line)
        if match is not None:  # the same name with other labels: parts of one whole
            told[match[1]] = told.get(match[1], 0.0) + float(match[2])
    if "rabbitmq_connections" not in told:
        raise ValueError(f"{target.name}: {target.address} is not a page of rabbitmq_prometheus")
    values = {metric: told[name] for metric, name in _PLAIN.items() if name in told}
    for metric, (used, most) in _SHARES.items():
        if told.get(most, 0) > 0 and used in told:
            values[metric] = round(100 * told[used] / told[most], 2)
    values["rabbitmq.alarm"] = int(any(told.get(name, 0) > 0 for name in _ALARMS))
    return values
