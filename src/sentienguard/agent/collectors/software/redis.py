"""Redis, and what speaks its protocol: the answer to INFO.

Gives redis.memory_percent (of maxmemory, left out where there is none), redis.memory_bytes,
redis.fragmentation_ratio, redis.clients, redis.clients_percent (of maxclients),
redis.blocked_clients, redis.hit_ratio (since it started), redis.evicted_total,
redis.rejected_connections_total, redis.replica_lag_bytes (the furthest behind),
redis.replication_link_up (of a replica), redis.last_save_ok and redis.seconds_since_save.
"""

from collections.abc import Mapping

from sentienguard.adapters.databases import wire
from sentienguard.agent.collectors.software import asking

_PLAIN = {
    "redis.memory_bytes": "used_memory",
    "redis.fragmentation_ratio": "mem_fragmentation_ratio",
    "redis.clients": "connected_clients",
    "redis.blocked_clients": "blocked_clients",
    "redis.evicted_total": "evicted_keys",
    "redis.rejected_connections_total": "rejected_connections",
}
_REPLICAS = 32


def ask(target: asking.Target, within_s: float) -> asking.Values:
    """Read INFO. Raises OSError, ValueError."""
    password = target.password()
    with wire.Wire(target.address, within_s) as connection:
        if password:
            words = ["AUTH", *([target.user] if target.user else []), password]
            _command(connection, words)
        _command(connection, ["INFO", "everything"])
        text = _bulk(connection)
    return _readings(text)


def _command(connection: wire.Wire, words: list[str]) -> None:
    """Send a command; of AUTH the answer is read here."""
    parts = [f"*{len(words)}\r\n".encode()]
    parts += [b"$%d\r\n%b\r\n" % (len(word), word) for word in map(str.encode, words)]
    connection.send(b"".join(parts))
    if words[0] == "AUTH":
        answer = connection.line()
        if answer != b"+OK":
            raise wire.Refused("redis: it does not take the user or the password")


def _bulk(connection: wire.Wire) -> str:
    head = connection.line()
    if head.startswith((b"-NOAUTH", b"-NOPERM", b"-DENIED")):
        raise wire.Refused(f"redis: {head[1:64].decode('ascii', 'replace')!a}")
    if not head.startswith(b"$") or not head[1:].isdigit():
        raise ValueError(f"redis: expected a text, found {head[:40]!a}")
    return connection.exactly(int(head[1:])).decode("utf-8", "replace")


def _readings(text: str) -> dict[str, float]:
    told = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    values = {metric: float(told[field]) for metric, field in _PLAIN.items() if field in told}
    if (most := _number(told, "maxmemory")) > 0:
        values["redis.memory_percent"] = round(100 * _number(told, "used_memory") / most, 2)
    if (most := _number(told, "maxclients")) > 0:
        share = 100 * _number(told, "connected_clients") / most
        values["redis.clients_percent"] = round(share, 2)
    hits, misses = _number(told, "keyspace_hits"), _number(told, "keyspace_misses")
    if hits + misses > 0:
        values["redis.hit_ratio"] = round(hits / (hits + misses), 4)
    if "rdb_last_bgsave_status" in told:
        values["redis.last_save_ok"] = int(told["rdb_last_bgsave_status"] == "ok")
    if "server_time_usec" in told and "rdb_last_save_time" in told:
        since = _number(told, "server_time_usec") / 1e6 - _number(told, "rdb_last_save_time")
        values["redis.seconds_since_save"] = max(round(since), 0)
    return values | _replication(told)


def _replication(told: Mapping[str, str]) -> dict[str, float]:
    if told.get("role") == "slave":
        return {"redis.replication_link_up": int(told.get("master_link_status") == "up")}
    ours = _number(told, "master_repl_offset")
    replicas = [told[f"slave{index}"] for index in range(_REPLICAS) if f"slave{index}" in told]
    offsets = [
        float(value)
        for replica in replicas
        for field, _, value in (part.partition("=") for part in replica.split(","))
        if field == "offset"
    ]
    return {"redis.replica_lag_bytes": max(ours - min(offsets), 0)} if offsets else {}


def _number(told: Mapping[str, str], field: str) -> float:
    return float(told.get(field, 0))
