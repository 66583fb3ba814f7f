"""What of a database is sealed and what is in the clear, without opening anything.

Called by `sentienguard doctor`. It needs no key: a sealed value says of itself that it is one.
"""

import pathlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import sqlalchemy
from sqlalchemy import text

from sentienguard.adapters.sql_store import workflow_records
from sentienguard.adapters.sql_store.connections import Connections, Transaction
from sentienguard.adapters.sql_store.data_keys import PREFIX
from sentienguard.adapters.sql_store.sealed_columns import SEALED, Column

WORKFLOWS: Final = "workflows' records"  # as a report calls what the engine keeps

# Columns with words or with what is personal that are kept in the clear, and why.
CLEAR: Final[Mapping[str, tuple[str, ...]]] = {
    "is searched, filtered or counted by the database": (
        "agents.search", "incidents.anomaly", "incidents.search", "incidents.summary",
        "incidents.tags",
    ),
    "has a signature of its own or is what a signed order says": (
        "orders.order_json", "approvals.parameters", "approval_agreements.signature",
        "audit_cosigned.note", "audit_entries.stored",
    ),
    "says what went wrong with a delivery, an order or a proof": (
        "orders.counts_because", "outbox.problem", "playbook_proofs.report",
    ),
    "is measured": (
        "agents.tags", "detector_states.state", "episodes.sample", "profiles.content",
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Report:
    """How much of the columns that are to be sealed is."""

    sealed: int  # values
    clear: Mapping[str, int]  # table.column, or WORKFLOWS -> values in the clear, where there are
    columns: int  # that are to be sealed


def look(url: str, workflows: pathlib.Path | None = None) -> Report | None:
    """Count, also in the workflows' file beside a SQLite one; None: there are no tables yet.

    Raises Rejected (URL), Unavailable, Broken.
    """
    connections = Connections(url)
    try:
        with connections.read() as transaction:
            there = set(sqlalchemy.inspect(transaction.connection).get_table_names())
            found = {
                f"{one.table}.{one.name}": _count(transaction, one)
                for one in SEALED
                if one.table in there
            }
        records = _of_workflows(connections, workflows)
    finally:
        connections.close()
    if not found:
        return None
    found[WORKFLOWS] = records
    return Report(
        sealed=sum(values - clear for values, clear in found.values()),
        clear={name: clear for name, (_, clear) in found.items() if clear},
        columns=len(SEALED),
    )


def _of_workflows(connections: Connections, file: pathlib.Path | None) -> tuple[int, int]:
    """Return how many events the engine keeps, and how many of them are in the clear."""
    if connections.dialect == "postgresql":
        sealed, clear = workflow_records.count(connections)
    elif file is None or not file.exists():
        return 0, 0
    else:
        beside = Connections(f"sqlite:///{file}")
        try:
            sealed, clear = workflow_records.count(beside)
        finally:
            beside.close()
    return sealed + clear, clear


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
