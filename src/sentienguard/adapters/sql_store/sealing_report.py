"""What of a database is sealed and what is in the clear, without opening anything.

Called by `sentienguard doctor`. It needs no key: a sealed value says of itself that it is one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import sqlalchemy
from sqlalchemy import text

from sentienguard.adapters.sql_store.connections import Connections, Transaction
from sentienguard.adapters.sql_store.data_keys import PREFIX, SEALED, Column

# Columns with words or with what is personal that are kept in the clear, and why.
CLEAR: Final[Mapping[str, tuple[str, ...]]] = {
    "is searched, filtered or counted by the database": (
        "incidents.anomaly", "incidents.search", "incidents.summary", "incidents.tags",
        "orders.report",
    ),
    "has a signature of its own or is what a signed order says": (
        "orders.order_json", "approvals.parameters", "approval_agreements.signature",
        "audit_cosigned.note", "audit_entries.stored",
    ),
    "people wrote it about an incident, an approval or a rule of theirs": (
        "approval_agreements.note", "approvals.note", "approvals.question", "approvals.reason",
        "changes.summary", "emergencies.reason", "incident_care.settled_because",
        "kill_switch.reason", "silences.reason",
    ),
    "says what went wrong with a delivery, an order or a proof": (
        "orders.counts_because", "orders.refused_because", "outbox.problem",
        "playbook_proofs.report",
    ),
    "is measured": (
        "agents.tags", "detector_states.state", "episodes.sample", "profiles.content",
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Report:
    """How much of the columns that are to be sealed is."""

    sealed: int  # values
    clear: Mapping[str, int]  # table.column -> values that are in the clear; only where there are
    columns: int  # that are to be sealed


def look(url: str) -> Report | None:
    """Count; None: there are no tables yet. Raises Rejected (URL), Unavailable, Broken."""
    connections = Connections(url)
    try:
        with connections.read() as transaction:
            there = set(sqlalchemy.inspect(transaction.connection).get_table_names())
            found = {
                f"{one.table}.{one.name}": _count(transaction, one)
                for one in SEALED
                if one.table in there
            }
    finally:
        connections.close()
    if not found:
        return None
    return Report(
        sealed=sum(values - clear for values, clear in found.values()),
        clear={name: clear for name, (_, clear) in found.items() if clear},
        columns=len(SEALED),
    )


def _count(transaction: Transaction, column: Column) -> tuple[int, int]:
    """Return how many values a column has, and how many of them are in the clear."""
    # PostgreSQL shows the first bytes of what is no text in hex.
    head = f"CAST(substr({column.name}, 1, {len(PREFIX)}) AS TEXT)"
    statement = text(
        f"SELECT count({column.name}) AS found, "  # noqa: S608 - our names
        f"count(CASE WHEN {head} IN (:plain, :shown) THEN 1 END) AS sealed FROM {column.table}"
    )
    row = transaction.row(statement, plain=PREFIX.decode(), shown=rf"\x{PREFIX.hex()}")
    return (0, 0) if row is None else (int(row.found), int(row.found) - int(row.sealed))
