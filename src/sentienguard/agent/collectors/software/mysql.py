"""MySQL and MariaDB: their status variables, over the classic protocol.

Gives database.connections_active (threads that run), database.connections_idle,
database.connections_max, database.connections_utilization, database.cache_hit_ratio (of the InnoDB
buffer pool, since it started), database.slow_queries_total, database.aborted_connections_total,
database.deadlocks_total, database.lock_waits, database.replication_lag_s, and
database.replication_running (1: both of its threads run).

The user needs no privilege but PROCESS, and REPLICATION CLIENT for the lag.
"""

from sentienguard.adapters.databases import login, mysql
from sentienguard.agent.collectors.software import asking

_MOST_ROWS = 64  # of one answer; the longest has a row for each status variable asked for

_STATUS = (
    *("Threads_connected", "Threads_running", "Slow_queries", "Aborted_connects"),
    *("Innodb_buffer_pool_reads", "Innodb_buffer_pool_read_requests"),
    *("Innodb_row_lock_current_waits", "Innodb_deadlocks"),
)


def ask(target: asking.Target, within_s: float) -> asking.Values:
    """Read the variables. Raises OSError, ValueError, wire.Refused where we are not let in."""
    user = target.user or "sentienguard"
    to = login.Login(target.name, target.address, user, target.password())
    with mysql.Connection(to, within_s) as connection:
        wanted = ", ".join(f"'{name}'" for name in _STATUS)
        rows = _rows(connection, f"SHOW GLOBAL STATUS WHERE Variable_name IN ({wanted})")
        told = {row[0] or "": row[1] or "0" for row in rows}
        [[most]] = _rows(connection, "SELECT @@max_connections")
        replica = _replica(connection)
    return _readings({name: float(told[name]) for name in told}, float(most or 0)) | replica


def _readings(told: dict[str, float], most: float) -> dict[str, float]:
    connected, running = told.get("Threads_connected", 0.0), told.get("Threads_running", 0.0)
    values = {
        "database.connections_active": running,
        "database.connections_idle": max(connected - running, 0.0),
        "database.connections_max": most,
        "database.connections_utilization": round(connected / most, 4) if most > 0 else 0.0,
        "database.slow_queries_total": told.get("Slow_queries", 0.0),
        "database.aborted_connections_total": told.get("Aborted_connects", 0.0),
        "database.lock_waits": told.get("Innodb_row_lock_current_waits", 0.0),
    }
    if "Innodb_deadlocks" in told:
        values["database.deadlocks_total"] = told["Innodb_deadlocks"]
    if asked := told.get("Innodb_buffer_pool_read_requests"):
        missed = told.get("Innodb_buffer_pool_reads", 0.0)
        values["database.cache_hit_ratio"] = round(max(1 - missed / asked, 0.0), 4)
    return values


def _rows(connection: mysql.Connection, statement: str) -> tuple[tuple[str | None, ...], ...]:
    return connection.run(statement, (), _MOST_ROWS).rows


def _replica(connection: mysql.Connection) -> dict[str, float]:
    """Return how far a replica is behind; nothing on a primary, or where we may not see it."""
    try:
        answer = connection.run("SHOW SLAVE STATUS", (), _MOST_ROWS)
    except login.Denied:
        return {}
    for row in answer.rows:
        told = dict(zip(answer.columns, row, strict=True))
        running = {told.get("Slave_IO_Running"), told.get("Slave_SQL_Running")} == {"Yes"}
        values: dict[str, float] = {"database.replication_running": int(running)}
        behind = told.get("Seconds_Behind_Master")
        if behind is not None:
            values["database.replication_lag_s"] = float(behind)
        return values
    return {}
