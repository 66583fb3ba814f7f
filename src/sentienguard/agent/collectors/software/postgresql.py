"""PostgreSQL: its statistics views, over protocol 3 with one simple query each.

Gives database.connections_active, database.connections_idle,
database.connections_idle_in_transaction, database.connections_waiting (for a lock),
database.longest_lock_wait_s (from PostgreSQL 14 on),
database.connections_max, database.connections_utilization (all, of what ordinary users may have),
database.cache_hit_ratio (since the statistics began), database.longest_transaction_s,
database.longest_idle_in_transaction_s, database.deadlocks_total, database.dead_rows_percent (of the
worst table of at least 10,000 rows), database.replication_lag_s and database.replication_lag_bytes,
database.wal_bytes, database.wal_kept_by_slots_bytes, database.archive_failures_total,
database.archive_failing (1: the newest attempt failed), database.oldest_xid_percent (of the age at
which it stops) and database.size_bytes.

The user needs no more than the role `pg_monitor`. What it may not see is left out.
"""

from sentienguard.adapters.databases import login, postgresql
from sentienguard.agent.collectors.software import asking

_OPTIONS = {"statement_timeout": "2000", "default_transaction_read_only": "on"}

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
    """SELECT round(coalesce(max(extract(epoch FROM clock_timestamp() - waitstart)), 0)::numeric, 1)
                  AS longest_lock_wait_s
         FROM pg_locks WHERE NOT granted""",
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
    to = login.Login(target.name, target.address, user, target.password())
    values: dict[str, float] = {}
    with postgresql.Connection(to, within_s, _OPTIONS) as connection:
        for query in _QUERIES:
            values |= _row(connection, query)
    return values


def _row(connection: postgresql.Connection, query: str) -> dict[str, float]:
    """Return the numbers of the one row of a query; nothing where it may not be seen."""
    try:
        told = connection.told(query)
    except login.Failed:
        return {}
    values: dict[str, float] = {}
    for row in told.rows:
        numbers = zip(told.columns, row, strict=True)
        values = {f"database.{name}": float(text) for name, text in numbers if text is not None}
    return values
