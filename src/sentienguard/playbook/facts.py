"""The closed vocabulary of conditions: every fact, what it is, and what it is measured of.

Called by `conditions` (a bare word that is a fact is never a string), by `lint` and by the
executor, which measures them. A name that is neither here nor a tag is an unknown fact, and an
unknown fact means: do not run.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from sentienguard.model.playbook import ParamType
from sentienguard.playbook import objects
from sentienguard.playbook.units import Dimension

TAG_PREFIX = "tag."  # tag.<name> is the text of a tag of the host


class FactType(StrEnum):
    """What values a fact takes."""

    NUMBER = "number"
    TEXT = "text"
    BOOLEAN = "boolean"


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that a condition may ask."""

    name: str
    type: FactType
    meaning: str  # for people
    dimension: Dimension = Dimension.PLAIN  # numbers only
    of: ParamType | None = None  # measured of the playbook's parameter of this type
    default_subject: str | None = None  # measured of this where there is no such parameter
    values: tuple[str, ...] = ()  # text facts with a closed set
    on: tuple[str, ...] = ()  # of a parameter of type object: the kinds that have it


def _host(name: str, meaning: str, dimension: Dimension = Dimension.PERCENT) -> Fact:
    return Fact(name, FactType.NUMBER, meaning, dimension)


def _volume(name: str, meaning: str, dimension: Dimension = Dimension.PERCENT) -> Fact:
    return Fact(name, FactType.NUMBER, meaning, dimension, ParamType.MOUNTPOINT, "/")


def _service(name: str, meaning: str, dimension: Dimension = Dimension.PLAIN) -> Fact:
    return Fact(name, FactType.NUMBER, meaning, dimension, ParamType.SERVICE)


_SERVERS = (
    _service("open_files_percent", "open files of its process, of its limit", Dimension.PERCENT),
    _service(
        "deleted_open_bytes", "in deleted files that the service still writes to", Dimension.SIZE
    ),
    _service("service_leftovers", "processes that its dead main process left running"),
    _service("redis_is_cache", "1: the owner of the host declared this Redis a cache"),
    _service("redis_memory_percent", "memory of the Redis, of maxmemory", Dimension.PERCENT),
    _service("redis_evicts", "1: the Redis evicts keys when its memory is used up"),
    _service("redis_keys", "keys of the Redis, all databases together"),
    _service("redis_unread_bytes", "answers that one client has not read, at most", Dimension.SIZE),
    _service("redis_save_failed", "1: the last snapshot of the Redis failed"),
    _service("redis_link_silent", "since a replica heard its master", Dimension.DURATION),
    _service("haproxy_drained", "servers that are drained although they pass their checks"),
    _service("haproxy_flaps", "times that a serving server was down, at most; 0 if long ago"),
    _service("haproxy_backends_down", "backends without any server that serves"),
    _service("rabbitmq_stuck", "since the most stuck consumer said a word", Dimension.DURATION),
    _service("rabbitmq_queue_messages", "messages that wait in the queue of the service"),
    _service("rabbitmq_queue_consumers", "consumers of the queue of the service"),
    _service("certificate_spent", "of its certificate's time that is over", Dimension.PERCENT),
    _service("certificate_stale", "1: the service serves another certificate than the file has"),
    _service("resolver_silent", "1: the name server answers no question"),
    _service("config_differs", "1: its config_file differs from the copy .last-good beside it"),
)


_DATABASES = (
    Fact(
        "database_kind",
        FactType.TEXT,
        "which language the database of the service speaks",
        of=ParamType.SERVICE,
        values=("postgresql", "mysql"),
    ),
    _service("database_connections", "share of its connections in use", Dimension.PERCENT),
    _service(
        "database_idle",
        "share of its connections that one ordinary role has left idle for 5 minutes",
        Dimension.PERCENT,
    ),
    _service(
        "database_idle_transaction",
        "longest time that a session is idle in a transaction",
        Dimension.DURATION,
    ),
    _service("database_longest_query", "longest time a statement has run", Dimension.DURATION),
    _service("database_lock_wait", "longest time a session waits for a lock", Dimension.DURATION),
    _service(
        "database_dead_rows",
        "share of dead rows in the worst table of 10,000 rows or more",
        Dimension.PERCENT,
    ),
    _service("database_archive_failing", "1: the newest attempt to archive WAL failed"),
    _service("database_slot_wal", "WAL that an inactive slot holds back", Dimension.SIZE),
    _service("database_temporary", "temporary files of running statements", Dimension.SIZE),
    _service("database_binary_logs", "size of its binary logs", Dimension.SIZE),
)


def _object(
    name: str,
    meaning: str,
    *on: str,
    dimension: Dimension = Dimension.PLAIN,
    kind: FactType = FactType.NUMBER,
    values: tuple[str, ...] = (),
) -> Fact:
    return Fact(name, kind, meaning, dimension, ParamType.OBJECT, values=values, on=on)


_CLOUD = tuple(one.name for one in objects.KINDS.values() if one.vendor != "kubernetes")
_OBJECTS = (
    _object(
        *("workload_status", "what its pods say, the worst first", "deployment"),
        kind=FactType.TEXT,
        values=(
            *("config_error", "image_pull", "oom_killed", "crash_loop", "stuck", "progressing"),
            *("degraded", "ok", "missing"),
        ),
    ),
    _object("workload_replicas", "pods that it wants", "deployment"),
    _object("workload_ready", "pods that are ready", "deployment"),
    _object("workload_failing", "pods in a bad state", "deployment"),
    _object(
        *("workload_shared_cause", "every pod of its newest revision fails", "deployment"),
        kind=FactType.BOOLEAN,
    ),
    _object(
        *("workload_earlier_revision", "there is a revision to go back to", "deployment"),
        kind=FactType.BOOLEAN,
    ),
    _object(
        *("workload_memory_limit", "least limit of its containers; 0: none", "deployment"),
        dimension=Dimension.SIZE,
    ),
    _object(
        *("node_status", "its worst condition", "node"),
        kind=FactType.TEXT,
        values=(
            *("not_ready", "memory_pressure", "disk_pressure", "pid_pressure", "ready", "missing"),
        ),
    ),
    _object("node_schedulable", "it takes new pods", "node", kind=FactType.BOOLEAN),
    _object("nodes_elsewhere", "other nodes that are ready and take pods", "node"),
    _object(
        *("autoscaler_at_max", "it wants more than it may set", "autoscaler"),
        kind=FactType.BOOLEAN,
    ),
    _object("autoscaler_max", "the most replicas it may set; 0: it is gone", "autoscaler"),
    _object(
        *("object_status", "what its vendor says of it", *_CLOUD),
        kind=FactType.TEXT,
        values=(
            *("ok", "impaired", "stopped", "failed", "storage_full", "throttled", "degraded"),
            *("updating", "missing"),
        ),
    ),
    _object("object_capacity", "storage in GiB, reserved runs, instances that it wants", *_CLOUD),
    _object("object_healthy", "its instances or tasks that run", *_CLOUD),
)

KNOWN: Mapping[str, Fact] = {
    fact.name: fact
    for fact in (
        *_OBJECTS,
        *_DATABASES,
        _volume("disk_usage", "used share of the volume"),
        _volume("inode_usage", "used share of the volume's inodes"),
        _volume("disk_free", "free space of the volume", Dimension.SIZE),
        _host("cpu_percent", "share of all processor time in use"),
        _host("memory_percent", "share of memory in use, caches left out"),
        _host("swap_percent", "share of swap in use"),
        _host("load_1m", "load average of the last minute", Dimension.PLAIN),
        _host("zombies", "processes that ended and were not collected", Dimension.PLAIN),
        _host("conntrack_percent", "connections that the kernel tracks, of its table"),
        _host("stale_locks", "lock files whose process is gone", Dimension.PLAIN),
        *_SERVERS,
        Fact(
            "service_status",
            FactType.TEXT,
            "state of the service; hung: its process lives and its health_url does not answer",
            of=ParamType.SERVICE,
            values=("running", "stopped", "hung", "missing"),
        ),
        Fact(
            "http_status",
            FactType.NUMBER,
            "status of the service's health_url; 0: no answer",
            of=ParamType.SERVICE,
        ),
        Fact("process_alive", FactType.BOOLEAN, "the process exists", of=ParamType.PID),
        Fact(
            "process_cpu",
            FactType.NUMBER,
            "processor time of the process, in percent of one core",
            Dimension.PERCENT,
            ParamType.PID,
        ),
        Fact(
            "process_memory",
            FactType.NUMBER,
            "resident memory of the process",
            Dimension.SIZE,
            ParamType.PID,
        ),
        _host("anomaly_sigma", "distance from the baseline, given by the order", Dimension.PLAIN),
        _host("anomaly_value", "the anomalous reading, given by the order", Dimension.PLAIN),
        Fact(
            "severity",
            FactType.TEXT,
            "severity of the anomaly, given by the order",
            values=("info", "warning", "critical"),
        ),
    )
}

OF_DATABASES = frozenset(fact.name for fact in _DATABASES)  # by the role its owner declared
OF_OBJECTS = frozenset(fact.name for fact in _OBJECTS)  # measured through a relay's targets
FROM_ORDER = frozenset({"anomaly_sigma", "anomaly_value", "severity"})  # not measured on the host


def lookup(name: str) -> Fact | None:
    """Find a fact by its name; None: there is no such fact."""
    if name.startswith(TAG_PREFIX) and len(name) > len(TAG_PREFIX):
        return Fact(name, FactType.TEXT, "a tag of the host")
    return KNOWN.get(name)
