"""The kinds of steps that speak to a server program, or to the kernel, about one closed thing.

Called by `kinds`, which lists them with all others. Each says what may be asked of the program in
its own protocol; nothing here takes a command, a key or a statement from a playbook.
"""

from typing import Final

from sentienguard.model.playbook import Risk
from sentienguard.playbook.kind import FieldSpec, Kind, Operation, Shape

POLICIES: Final = ("volatile-ttl", "volatile-lru", "volatile-lfu", "allkeys-lru", "allkeys-lfu")
KERNEL_CAPS: Final = {  # setting -> the most that a playbook may raise it to
    "net.netfilter.nf_conntrack_max": 1_048_576,  # some 320 bytes each: 320 MB
    "net.core.somaxconn": 65_535,  # the accept queue of a listening socket
    "net.ipv4.tcp_max_syn_backlog": 65_535,
    "net.core.netdev_max_backlog": 100_000,
}

_SERVICE = FieldSpec("service", Shape.SERVICE, "service whose server program it is", required=True)
_AT_MOST = FieldSpec("at_most", Shape.INTEGER, "at most so many in one run", minimum=1, default=10)
_RESTORE = Operation("restore", "put back what the step found", (), undo_only=True)


def _operation(name: str, meaning: str, risk: Risk, *fields: FieldSpec) -> Operation:
    return Operation(name, meaning, (_SERVICE, *fields), risk, privilege="server")


STEPS: Final = (
    Kind(
        "redis",
        "have a Redis do one thing of a closed list",
        (
            _operation(
                "set_policy",
                "what a cache evicts when its memory is used up",
                Risk.WARNING,
                FieldSpec(
                    "policy", Shape.CHOICE, "maxmemory-policy", required=True, choices=POLICIES
                ),
            ),
            _operation("flush", "delete every key of a cache", Risk.CRITICAL),
            _operation(
                "drop_clients",
                "close clients that do not read what they asked for",
                Risk.WARNING,
                FieldSpec("min_buffer", Shape.SIZE, "unread answers of one client", required=True),
                _AT_MOST,
            ),
            _operation("save", "write a snapshot in the background and wait for it", Risk.SAFE),
            _operation("reconnect", "have a replica connect to its master again", Risk.WARNING),
            _RESTORE,
        ),
    ),
    Kind(
        "haproxy",
        "have an HAProxy do one thing of a closed list",
        (
            _operation(
                "ready_drained",
                "let servers that are drained and pass their checks serve again",
                Risk.WARNING,
                _AT_MOST,
            ),
            _operation(
                "drain_flapping",
                "take servers out whose checks fail again and again; the last one stays",
                Risk.WARNING,
                FieldSpec("min_downs", Shape.INTEGER, "times down", required=True, minimum=2),
                FieldSpec(
                    "at_most", Shape.INTEGER, "at most so many in one run", minimum=1, default=1
                ),
            ),
            _RESTORE,
        ),
    ),
    Kind(
        "rabbitmq",
        "have a RabbitMQ do one thing of a closed list",
        (
            _operation(
                "close_stuck",
                "close connections whose consumers acknowledge nothing; messages are queued again",
                Risk.WARNING,
                FieldSpec("min_idle", Shape.DURATION, "without a word for so long", required=True),
                _AT_MOST,
            ),
        ),
    ),
    Kind(
        "certificate",
        "renew a certificate as the owner of the host declared",
        (_operation("renew", "run the declared renewal", Risk.WARNING),),
    ),
    Kind(
        "open_files",
        "work on files that a service holds open",
        (
            Operation(
                "truncate_deleted",
                "empty deleted files that a service still writes to",
                (
                    _SERVICE,
                    FieldSpec("pattern", Shape.GLOB, "glob for the name it had", required=True),
                    FieldSpec("min_size", Shape.SIZE, "only files at least this big"),
                    FieldSpec(
                        "max_files", Shape.INTEGER, "at most so many", minimum=1, default=100
                    ),
                ),
                Risk.WARNING,
                privilege="open-files",
            ),
        ),
    ),
    Kind(
        "locks",
        "work on lock files in the host's lock directories",
        (
            Operation(
                "release",
                "remove lock files whose process is gone",
                (
                    FieldSpec("min_age", Shape.DURATION, "not modified for so long", required=True),
                    FieldSpec("max_files", Shape.INTEGER, "at most so many", minimum=1, default=20),
                ),
                Risk.WARNING,
                privilege="locks",
            ),
            Operation("restore", "put them back", (), undo_only=True),
        ),
    ),
    Kind(
        "kernel",
        "change one setting of the kernel out of a closed list",
        (
            Operation(
                "raise",
                "raise it, never lower it",
                (
                    FieldSpec(
                        "setting",
                        Shape.CHOICE,
                        "name of the setting",
                        required=True,
                        choices=tuple(KERNEL_CAPS),
                    ),
                    FieldSpec(
                        "value",
                        Shape.INTEGER,
                        "the new value",
                        required=True,
                        minimum=1,
                        maximum=max(KERNEL_CAPS.values()),
                    ),
                ),
                Risk.WARNING,
                privilege="kernel",
            ),
            Operation("restore", "give it back its former value", (), undo_only=True),
        ),
    ),
)
