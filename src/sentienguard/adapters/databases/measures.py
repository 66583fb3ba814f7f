"""The facts of a database, one fixed statement each; its answer is one number.

Called by `access`. What the role may not see counts as nothing, so a role without the rights of
docs/how-to/repair-databases.md finds no fault, and no playbook runs.
"""

from collections.abc import Mapping

KIND = "database_kind"  # told by the declaration, asked of nobody

_POSTGRESQL: Mapping[str, str] = {
    "database_connections": """SELECT 100.0 * count(*) / (current_setting('max_connections')::int
            - current_setting('superuser_reserved_connections')::int)
         FROM pg_stat_activity WHERE backend_type = 'client backend'""",
    "database_idle": """
       SELECT coalesce(max(n), 0) * 100.0 / (current_setting('max_connections')::int
            - current_setting('superuser_reserved_connections')::int)
         FROM (SELECT count(*) AS n FROM pg_stat_activity a JOIN pg_roles r ON r.oid = a.usesysid
                WHERE backend_type = 'client backend' AND state = 'idle' AND NOT rolsuper
                  AND application_name !~* '(pgbouncer|pgpool|odyssey|pgcat|supavisor)'
                  AND now() - state_change > interval '5 minutes'
                GROUP BY a.usesysid) AS each_role""",
    "database_idle_transaction": """
       SELECT coalesce(max(extract(epoch FROM now() - state_change)), 0)
         FROM pg_stat_activity
        WHERE backend_type = 'client backend' AND state LIKE 'idle in transaction%'""",
    "database_longest_query": """SELECT coalesce(max(extract(epoch FROM now() - query_start)), 0)
         FROM pg_stat_activity
        WHERE backend_type = 'client backend' AND state = 'active' AND pid <> pg_backend_pid()""",
    "database_lock_wait": """SELECT coalesce(max(extract(epoch FROM now() - waitstart)), 0)
         FROM pg_locks WHERE NOT granted""",
    "database_dead_rows": """SELECT coalesce(max(100.0 * n_dead_tup / (n_live_tup + n_dead_tup)), 0)
         FROM pg_stat_user_tables WHERE n_live_tup + n_dead_tup >= 10000""",
    "database_archive_failing": """SELECT count(*) FROM pg_stat_archiver
        WHERE current_setting('archive_mode') <> 'off'
          AND last_failed_time > coalesce(last_archived_time, '-infinity')""",
    "database_slot_wal": """
       SELECT coalesce(max(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)), 0)
         FROM pg_replication_slots WHERE NOT active AND NOT pg_is_in_recovery()""",
    "database_temporary": """SELECT coalesce(sum(size), 0) FROM pg_ls_tmpdir()""",
}
_MYSQL: Mapping[str, str] = {
    "database_connections": """SELECT 100 * count(*) / @@max_connections
         FROM information_schema.processlist""",
    "database_idle": """
       SELECT coalesce(max(n), 0) * 100 / @@max_connections
         FROM (SELECT count(*) AS n FROM information_schema.processlist
                WHERE command = 'Sleep' AND time > 300
                  AND user NOT IN ('root', 'mariadb.sys', 'mysql', 'mysql.session',
                                   'event_scheduler', 'system user')
                  AND id NOT IN (SELECT trx_mysql_thread_id FROM information_schema.innodb_trx)
                GROUP BY user) AS each_user""",
    "database_idle_transaction": """SELECT coalesce(max(p.time), 0)
         FROM information_schema.innodb_trx t
         JOIN information_schema.processlist p ON p.id = t.trx_mysql_thread_id
        WHERE p.command = 'Sleep'""",
    "database_longest_query": """SELECT coalesce(max(time), 0)
         FROM information_schema.processlist
        WHERE command IN ('Query', 'Execute') AND id <> connection_id()""",
    "database_lock_wait": """SELECT coalesce(max(timestampdiff(SECOND, trx_wait_started, now())), 0)
         FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'""",
    "database_binary_logs": "SHOW BINARY LOGS",
}
NUMBER: Mapping[str, int] = {"database_binary_logs": 1}  # column of the number, if not the first
STATEMENTS: Mapping[str, Mapping[str, str]] = {"postgresql": _POSTGRESQL, "mysql": _MYSQL}
