"""MySQL and MariaDB: their status variables, over the classic protocol.

Gives database.connections_active (threads that run), database.connections_idle,
database.connections_max, database.connections_utilization, database.cache_hit_ratio (of the InnoDB
buffer pool, since it started), database.slow_queries_total, database.aborted_connections_total,
database.deadlocks_total, database.lock_waits, database.replication_lag_s, and
database.replication_running (1: both of its threads run).

The user needs no privilege but PROCESS, and REPLICATION CLIENT for the lag. A password goes over
the connection only as a hash, or in clear text over a Unix socket.
"""

import hashlib
from collections.abc import Iterator

from sentienguard.agent.collectors.software import asking, wire

_PROTOCOL_41, _SECURE, _PLUGIN_AUTH, _CONNECT = 0x200, 0x8000, 0x80000, 0x1
_OK, _ERROR, _END, _MORE, _NULL = 0x00, 0xFF, 0xFE, 0x01, 0xFB
_FAST_OK, _FULL = 3, 4  # what caching_sha2_password says next
_UTF8 = 33
_LONGEST_PACKET = 1 << 24
_NATIVE, _SHA2 = b"mysql_native_password", b"caching_sha2_password"
_PEER = frozenset({b"unix_socket", b"auth_socket"})  # the server asks the kernel who we are
_DENIED = frozenset({1044, 1045, 1698})

_STATUS = (
    *("Threads_connected", "Threads_running", "Slow_queries", "Aborted_connects"),
    *("Innodb_buffer_pool_reads", "Innodb_buffer_pool_read_requests"),
    *("Innodb_row_lock_current_waits", "Innodb_deadlocks"),
)


def ask(target: asking.Target, within_s: float) -> asking.Values:
    """Read the variables. Raises OSError, ValueError, wire.Refused where we are not let in."""
    with wire.Wire(target.address, within_s) as connection:
        _log_in(connection, target)
        wanted = ", ".join(f"'{name}'" for name in _STATUS)
        rows = _query(connection, f"SHOW GLOBAL STATUS WHERE Variable_name IN ({wanted})")
        told = {row[0] or "": row[1] or "0" for row in rows}
        [[most]] = _query(connection, "SELECT @@max_connections")
        replica = _replica(connection)
        _send(connection, 0, b"\x01")
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


def _replica(connection: wire.Wire) -> dict[str, float]:
    """Return how far a replica is behind; nothing on a primary, or where we may not see it."""
    try:
        names, rows = _table(connection, "SHOW SLAVE STATUS")
    except wire.Refused:
        return {}
    for row in rows:
        told = dict(zip(names, row, strict=True))
        running = {told.get("Slave_IO_Running"), told.get("Slave_SQL_Running")} == {"Yes"}
        values: dict[str, float] = {"database.replication_running": int(running)}
        behind = told.get("Seconds_Behind_Master")
        if behind is not None:
            values["database.replication_lag_s"] = float(behind)
        return values
    return {}


def _log_in(connection: wire.Wire, target: asking.Target) -> None:
    number, greeting = _receive(connection)
    if greeting[:1] == bytes([_ERROR]):
        raise _error(greeting, target.name)
    if greeting[:1] != b"\x0a":
        raise ValueError(f"{target.name}: expected protocol 10, found {greeting[:1]!r}")
    end = greeting.index(b"\0", 1)
    salt = greeting[end + 5 : end + 13]
    rest = greeting[end + 14 :]  # flags, character set, status, flags, length, ten zeros
    salt += rest[18:30]
    plugin = rest[31:].rstrip(b"\0") if len(rest) > 31 else _NATIVE  # noqa: PLR2004 - layout
    flags = _PROTOCOL_41 | _SECURE | _PLUGIN_AUTH | _CONNECT
    user, password = target.user or "sentienguard", target.password().encode()
    plugin = plugin if plugin in {_NATIVE, _SHA2} else _NATIVE
    proof = _proof(plugin, password, salt)
    packet = flags.to_bytes(4, "little") + (1 << 24).to_bytes(4, "little") + bytes([_UTF8])
    packet += bytes(23) + user.encode() + b"\0" + bytes([len(proof)]) + proof + plugin + b"\0"
    _send(connection, number + 1, packet)
    while True:
        number, answer = _receive(connection)
        if answer[:1] == bytes([_OK]):
            return
        if answer[:1] == bytes([_ERROR]):
            raise _error(answer, target.name)
        reply = _next_proof(answer, password, target)
        if reply is not None:
            _send(connection, number + 1, reply)


def _next_proof(answer: bytes, password: bytes, target: asking.Target) -> bytes | None:
    """Answer another request for proof; None where nothing is to be sent."""
    if answer[:1] == bytes([_END]) and len(answer) > 1:
        plugin, _, salt = answer[1:].partition(b"\0")
        if plugin in _PEER:
            return b""
        return _proof(plugin, password, salt.rstrip(b"\0"))
    if answer[:1] == bytes([_MORE]) and answer[1:2] == bytes([_FAST_OK]):
        return None
    if answer[:1] == bytes([_MORE]) and answer[1:2] == bytes([_FULL]):
        if target.address.startswith("/"):
            return password + b"\0"
        raise wire.Refused(
            f"{target.name}: it wants the password in clear text; declare its Unix socket instead"
        )
    raise ValueError(f"{target.name}: an answer to the login that is not understood")


def _proof(plugin: bytes, password: bytes, salt: bytes) -> bytes:
    """Return what shows that we know the password. Raises wire.Refused."""
    if plugin not in {_NATIVE, _SHA2}:
        raise wire.Refused(f"the login plugin {ascii(plugin.decode('ascii', 'replace'))[:64]}")
    if not password:
        return b""
    digest = hashlib.sha1 if plugin == _NATIVE else hashlib.sha256
    once = digest(password).digest()
    twice = digest(once).digest()
    mask = digest(salt + twice if plugin == _NATIVE else twice + salt).digest()
    return bytes(one ^ other for one, other in zip(once, mask, strict=True))


def _query(connection: wire.Wire, statement: str) -> list[list[str | None]]:
    return _table(connection, statement)[1]


def _table(connection: wire.Wire, statement: str) -> tuple[list[str], list[list[str | None]]]:
    """Return the names of the columns, and the rows as texts. Raises wire.Refused, ValueError."""
    _send(connection, 0, b"\x03" + statement.encode())
    head = _receive(connection)[1]
    if head[:1] == bytes([_ERROR]):
        raise _error(head, "MySQL")
    names = []
    for _ in range(head[0]):
        parts = list(_texts(_receive(connection)[1][:-13]))  # 13 bytes about its type
        names.append(parts[4] or "")
    if not _ends(_receive(connection)[1]):
        raise ValueError("MySQL: expected the end of the columns")
    rows = []
    while not _ends(packet := _receive(connection)[1]):
        if packet[:1] == bytes([_ERROR]):
            raise _error(packet, "MySQL")
        rows.append(list(_texts(packet)))
    return names, rows


def _ends(packet: bytes) -> bool:
    return packet[:1] == bytes([_END]) and len(packet) < 9  # noqa: PLR2004 - longer: a long text


def _texts(packet: bytes) -> Iterator[str | None]:
    at = 0
    while at < len(packet):
        length = packet[at]
        at += 1
        if length == _NULL:
            yield None
            continue
        if length > _NULL:
            size = {0xFC: 2, 0xFD: 3, 0xFE: 8}[length]
            length = int.from_bytes(packet[at : at + size], "little")
            at += size
        yield packet[at : at + length].decode("utf-8", "replace")
        at += length


def _send(connection: wire.Wire, number: int, packet: bytes) -> None:
    connection.send(len(packet).to_bytes(3, "little") + bytes([number & 0xFF]) + packet)


def _receive(connection: wire.Wire) -> tuple[int, bytes]:
    head = connection.exactly(4)
    length = int.from_bytes(head[:3], "little")
    if length == 0 or length == _LONGEST_PACKET - 1:
        raise ValueError(f"MySQL: a packet of {length} bytes")
    return head[3], connection.exactly(length)


def _error(packet: bytes, name: str) -> ValueError:
    """Return the error that a packet tells; whoever may not, is refused."""
    code = int.from_bytes(packet[1:3], "little")
    text = ascii(packet[3:].decode("utf-8", "replace"))[:120]
    refused = code in _DENIED or 1142 <= code <= 1227  # noqa: PLR2004 - privileges
    return (wire.Refused if refused else ValueError)(f"{name}: {text}")
