"""Keep who calls whom; called through ports.topology_store."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, text

from sentienguard.adapters.sql_store import codec
from sentienguard.adapters.sql_store.connections import Connections
from sentienguard.model.topology import CallKind, Edge, SeenEdge

# Remember a call, or that it was seen again.
SAW = text("""
    INSERT INTO service_edges
        (environment, caller, callee, kind, first_seen_us, last_seen_us, calls)
    VALUES (:environment, :caller, :callee, :kind, :at_us, :at_us, :calls)
    ON CONFLICT (environment, caller, callee, kind) DO UPDATE SET
        last_seen_us = CASE WHEN service_edges.last_seen_us > excluded.last_seen_us
            THEN service_edges.last_seen_us ELSE excluded.last_seen_us END,
        calls = service_edges.calls + excluded.calls
""")

# Every call of an environment, by name.
KNOWN = text("SELECT caller, callee, kind FROM service_edges WHERE environment = :environment")

# What was seen since then.
EDGES = """
    SELECT * FROM service_edges WHERE last_seen_us >= :since_us AND environment IN ({places})
    ORDER BY environment, caller, callee, kind
"""

# Drop what was not seen for long.
FORGET = text("DELETE FROM service_edges WHERE last_seen_us < :before_us")


class SqlTopologyStore:
    """Calls between services in the relational store; see ports.topology_store."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def saw(self, environment: str, calls: Mapping[Edge, int], *, at: datetime, most: int) -> int:
        """Remember calls; return how many edges were beyond `most`."""
        if not calls:
            return 0
        with self._connections.write() as transaction:
            rows = transaction.rows(KNOWN, environment=environment)
            known = {(row.caller, row.callee, row.kind) for row in rows}
            room = max(0, most - len(known))
            new = [edge for edge in sorted(calls) if _name(edge) not in known]
            kept = [edge for edge in calls if _name(edge) in known] + new[:room]
            values = [
                {
                    "environment": environment,
                    "caller": edge.caller,
                    "callee": edge.callee,
                    "kind": edge.kind.value,
                    "at_us": codec.micros(at),
                    "calls": calls[edge],
                }
                for edge in kept
            ]
            if values:
                transaction.connection.execute(SAW, values)
        return len(new[room:])

    def edges(self, environments: Sequence[str], *, since: datetime) -> Sequence[SeenEdge]:
        """Return the calls that were seen since then."""
        if not environments:
            return ()
        names = {f"place_{number}": one for number, one in enumerate(environments)}
        statement = text(EDGES.format(places=", ".join(f":{name}" for name in names)))
        with self._connections.read() as transaction:
            rows = transaction.rows(statement, since_us=codec.micros(since), **names)
        return tuple(_seen(row) for row in rows)

    def forget(self, seen_before: datetime) -> int:
        """Drop what was last seen before then."""
        with self._connections.write() as transaction:
            return transaction.change(FORGET, before_us=codec.micros(seen_before))


def _name(edge: Edge) -> tuple[str, str, str]:
    return edge.caller, edge.callee, edge.kind.value


def _seen(row: Row[Any]) -> SeenEdge:
    """Read a row."""
    return SeenEdge(
        environment=row.environment,
        edge=Edge(row.caller, row.callee, codec.member(CallKind, row.kind)),
        first_seen=codec.instant(row.first_seen_us),
        last_seen=codec.instant(row.last_seen_us),
        calls=int(row.calls),
    )
