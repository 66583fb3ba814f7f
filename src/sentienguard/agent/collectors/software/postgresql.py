"""PostgreSQL: its statistics views, over protocol 3 with one simple query each.

Gives database.connections_active, database.connections_idle,
database.connections_idle_in_transaction, database.connections_waiting (for a lock),
database.connections_max, database.connections_utilization (all, of what ordinary users may have),
database.cache_hit_ratio (since the statistics began), database.longest_transaction_s,
database.longest_idle_in_transaction_s, database.deadlocks_total, database.dead_rows_percent (of the
worst table of at least 10,000 rows), database.replication_lag_s and database.replication_lag_bytes,
database.wal_bytes, database.wal_kept_by_slots_bytes, database.archive_failures_total,
database.archive_failing (1: the newest attempt failed), database.oldest_xid_percent (of the age at
which it stops) and database.size_bytes.

The user needs no more than the role `pg_monitor`. What it may not see is left out.
"""

import hashlib
import secrets
import struct
from collections.abc import Iterator

from sentienguard.agent.collectors.software import asking, scram, wire

_PROTOCOL = 196_608  # 3.0
_OK, _CLEAR_TEXT, _MD5, _SASL, _SASL_GOES_ON, _SASL_ENDS = 0, 3, 5, 10, 11, 12

# Each gives one row; the columns are the metrics behind `database.`. NULL: left out.
_QUERIES = (
    """SELECT count(*) FILTER (WHERE state = 'active') AS connections_active,
              count(*) FILTER (WHERE state = 'idle') AS connections_idle,
              count(*) FILTER (WHERE state LIKE 'idle in transaction%')
                  AS connections_idle_in_transaction,
              count(*) FILTER (WHERE wait_event_type = 'Lock') AS connections_waiting,
              max(m.room) AS connections_max,
              round(count(*) / max(m.room)::numeric, 4) AS connections_utilization,
              round(extract(epoch FROM max(now() - xact_start))::numeric, 1)
                  AS longest_transaction_s,
              round(coalesce(extract(epoch FROM max(now() - state_change)
                  FILTER (WHERE state LIKE 'idle in transaction%')), 0)::numeric, 1)
                  AS longest_idle_in_transaction_s
         FROM pg_stat_activity, (SELECT current_setting('max_connections')::int
              - current_setting('superuser_reserved_connections')::int AS room) m
        WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()""",
    """SELECT round(sum(blks_hit) / nullif(sum(blks_hit) + sum(blks_read), 0), 4)
                  AS cache_hit_ratio,
              sum(deadlocks) AS deadlocks_total
         FROM pg_stat_database""",
    """SELECT sum(pg_database_size(oid)) AS size_bytes,
              round(max(age(datfrozenxid)) / 20000000.0, 2) AS oldest_xid_percent
         FROM pg_database WHERE has_database_privilege(oid, 'CONNECT')""",
    """SELECT round(max(100.0 * n_dead_tup / (n_live_tup + n_dead_tup)), 2) AS dead_rows_percent
         FROM pg_stat_user_tables WHERE n_live_tup + n_dead_tup >= 10000""",
    """SELECT failed_count AS archive_failures_total,
              (last_failed_time > coalesce(last_archived_time, '-infinity'))::int
                  AS archive_failing
         FROM pg_stat_archiver WHERE current_setting('archive_mode') <> 'off'""",
    "SELECT sum(size) AS wal_bytes FROM pg_ls_waldir()",
    """SELECT CASE WHEN pg_is_in_recovery()
                   THEN CASE WHEN pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() THEN 0
                        ELSE round(extract(epoch FROM now()
                             - pg_last_xact_replay_timestamp())::numeric, 1) END
              END AS replication_lag_s""",
    """SELECT max(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)) AS wal_kept_by_slots_bytes
         FROM pg_replication_slots WHERE NOT pg_is_in_recovery()""",
    """SELECT max(pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn)) AS replication_lag_bytes,
              round(max(extract(epoch FROM replay_lag))::numeric, 1) AS replication_lag_s
         FROM pg_stat_replication WHERE NOT pg_is_in_recovery()""",
)


def ask(target: asking.Target, within_s: float) -> asking.Values:
    """Run the queries. Raises OSError, ValueError, wire.Refused where we are not let in."""
    user = target.user or "sentienguard"
    values: dict[str, float] = {}
    with wire.Wire(target.address, within_s) as connection:
        _log_in(connection, user, target)
        for query in _QUERIES:
            values |= _row(connection, query)
        connection.send(_message(b"X"))
    return values


def _log_in(connection: wire.Wire, user: str, target: asking.Target) -> None:
    pairs = {
        "user": user,
        "database": "postgres",
        "application_name": "sentienguard-agent",
        "options": "-c statement_timeout=2000 -c default_transaction_read_only=on",
    }
    words = b"".join(f"{key}\0{value}\0".encode() for key, value in pairs.items())
    body = struct.pack("!i", _PROTOCOL) + words + b"\0"
    connection.send(struct.pack("!i", len(body) + 4) + body)
    exchange = scram.Exchange(target.password(), secrets.token_urlsafe(18))
    for kind, body in _messages(connection):
        if kind == b"E":
            raise wire.Refused(f"{target.name}: {_reason(body)}")
        if kind == b"Z":
            return
        if kind == b"R":
            _authenticate(connection, body, user, target, exchange)
    raise ConnectionError(f"{target.name}: it closed the connection during the login")


def _authenticate(
    connection: wire.Wire, body: bytes, user: str, target: asking.Target, exchange: scram.Exchange
) -> None:
    """Answer one request of the server for proof."""
    (asked,), rest = struct.unpack("!i", body[:4]), body[4:]
    if asked == _CLEAR_TEXT and target.address.startswith("/"):
        connection.send(_message(b"p", target.password().encode() + b"\0"))
    elif asked == _MD5:
        inner = hashlib.md5((target.password() + user).encode()).hexdigest()  # noqa: S324 - its protocol
        outer = hashlib.md5(inner.encode() + rest[:4]).hexdigest()  # noqa: S324 - as above
        connection.send(_message(b"p", f"md5{outer}".encode() + b"\0"))
    elif asked == _SASL and scram.MECHANISM in rest.split(b"\0"):
        first = exchange.first()
        length = struct.pack("!i", len(first))
        connection.send(_message(b"p", scram.MECHANISM + b"\0" + length + first))
    elif asked == _SASL_GOES_ON:
        connection.send(_message(b"p", exchange.final(rest)))
    elif asked == _SASL_ENDS:
        exchange.check(rest)
    elif asked != _OK:
        raise wire.Refused(
            f"{target.name}: it asks for authentication of kind {asked}; expected peer, trust, md5"
            " or scram-sha-256 (a password in clear text is given over a Unix socket only)"
        )


def _row(connection: wire.Wire, query: str) -> dict[str, float]:
    """Return the numbers of the one row of a query; nothing where it may not be seen."""
    connection.send(_message(b"Q", query.encode() + b"\0"))
    names: list[str] = []
    values: dict[str, float] = {}
    for kind, body in _messages(connection):
        if kind == b"T":
            names = _names(body)
        elif kind == b"D":
            numbers = zip(names, _fields(body), strict=True)
            values = {f"database.{name}": float(text) for name, text in numbers if text is not None}
        elif kind == b"Z":
            break
    return values


def _message(kind: bytes, body: bytes = b"") -> bytes:
    return kind + struct.pack("!i", len(body) + 4) + body


def _messages(connection: wire.Wire) -> Iterator[tuple[bytes, bytes]]:
    while True:
        kind = connection.exactly(1)
        (length,) = struct.unpack("!i", connection.exactly(4))
        if length < 4:  # noqa: PLR2004 - it counts itself
            raise ValueError(f"PostgreSQL: a message of {length} bytes")
        yield kind, connection.exactly(length - 4)


def _names(body: bytes) -> list[str]:
    (count,), at = struct.unpack("!h", body[:2]), 2
    names = []
    for _ in range(count):
        end = body.index(b"\0", at)
        names.append(body[at:end].decode("ascii"))
        at = end + 19  # the end of the text, and 18 bytes about the type
    return names


def _fields(body: bytes) -> Iterator[bytes | None]:
    (count,), at = struct.unpack("!h", body[:2]), 2
    for _ in range(count):
        (length,) = struct.unpack("!i", body[at : at + 4])
        at += 4
        yield None if length < 0 else body[at : at + length]
        at += max(length, 0)


def _reason(body: bytes) -> str:
    """Return the text of an error, short and in ASCII."""
    parts = {part[:1]: part[1:] for part in body.split(b"\0") if part}
    text = parts.get(b"M", b"refused").decode("utf-8", "replace")
    return ascii(text)[:120]
