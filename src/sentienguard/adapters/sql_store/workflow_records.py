"""Put what the workflows' engine keeps under the newest data key, and count what is sealed of it.

Called by data_keys when it seals everything anew, and by sealing_report. The tables are DBOS's: a
file of their own beside SQLite's, a schema of the same database in PostgreSQL. controlplane.engine
writes them; ports.sealing names the places. Rules:

1. Only events are touched: a sealed text, or the object with a member `event` that an earlier
   release recorded. Times, numbers and names of steps are none.
2. A value is replaced only where it still is what was read: the engine may run meanwhile.
3. The engine reads both forms, so nothing has to stop, and a pass that was cut off does no harm.
"""

import json
import pathlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy
from sqlalchemy import TextClause, text

from sentienguard.adapters.sql_store.connections import Connections, Transaction
from sentienguard.ports import sealing

SCHEMA: Final = "sentienguard_flow"  # in PostgreSQL
FILE: Final = "flow.db"  # else: in the control plane's directory
_BATCH: Final = 500  # rows of a transaction
_HEARD: Final = "DBOS.recv"  # the step that recorded a message as it came
_SEALED: Final = '"sg1.'  # how a sealed text begins, as JSON
_CLEAR: Final = '{"event"'  # how an event of an earlier release begins


@dataclass(frozen=True, slots=True)
class _Kind:
    """A table with events."""

    table: str
    key: tuple[str, str]  # that orders its rows, each unique with the other
    value: str
    place: Callable[[Any], str]  # of a row


_KINDS: Final = (
    _Kind(
        "operation_outputs", ("workflow_uuid", "function_id"), "output",
        lambda row: _step_place(row.workflow_uuid, row.function_name),
    ),
    _Kind(
        "notifications", ("destination_uuid", "message_uuid"), "message",
        lambda row: sealing.message_place(row.destination_uuid),
    ),
)  # fmt: skip


def _step_place(incident: str, step: str) -> str:
    if step == _HEARD:
        return sealing.message_place(incident)
    return sealing.step_place(incident, step)


class WorkflowRecords:
    """The events that the engine keeps, as data_keys.Beside."""

    def __init__(self, connections: Connections, file: pathlib.Path | None) -> None:
        """Look in the database, or in this file beside a SQLite one; None: there are none."""
        self._connections = connections
        self._file = file

    def reseal(self, ours: str, renewed: Callable[[bytes, str], bytes]) -> int:
        """Put every event under the key whose values begin with `ours`; return how many."""
        if self._connections.dialect == "postgresql":
            return _reseal(self._connections, f"{SCHEMA}.", ours, renewed)
        if self._file is None or not self._file.exists():
            return 0
        beside = Connections(f"sqlite:///{self._file}")
        try:
            count = _reseal(beside, "", ours, renewed)
            beside.forget_replaced()
        finally:
            beside.close()
        return count


def count(connections: Connections) -> tuple[int, int]:
    """Return how many events a database's workflows keep sealed, and how many in the clear."""
    found = [0, 0]
    schema = f"{SCHEMA}." if connections.dialect == "postgresql" else ""
    with connections.read() as transaction:
        for kind in _there(transaction):
            for number, begin in enumerate((_SEALED, _CLEAR)):
                statement = text(
                    f"SELECT count(*) AS found FROM {schema}{kind.table} "  # noqa: S608 - our names
                    f"WHERE substr({kind.value}, 1, :length) = :begin"
                )
                row = transaction.row(statement, length=len(begin), begin=begin)
                found[number] += 0 if row is None else int(row.found)
    return found[0], found[1]


def _there(transaction: Transaction) -> list[_Kind]:
    """Return the kinds whose tables exist: the engine makes them at its first start."""
    schema = SCHEMA if transaction.connection.dialect.name == "postgresql" else None
    names = set(sqlalchemy.inspect(transaction.connection).get_table_names(schema=schema))
    return [kind for kind in _KINDS if kind.table in names]


def _reseal(
    connections: Connections, schema: str, ours: str, renewed: Callable[[bytes, str], bytes]
) -> int:
    with connections.read() as transaction:
        kinds = _there(transaction)
    total = 0
    for kind in kinds:
        replace = _replacing(kind, schema)
        for rows in _stale(connections, kind, schema, ours):
            changes = [_change(kind, row, renewed) for row in rows]
            with connections.write() as transaction:
                connections.erasing(transaction)
                total += transaction.change_all(replace, changes)
    return total


def _stale(connections: Connections, kind: _Kind, schema: str, ours: str) -> Iterator[list[Any]]:
    """Yield the rows whose event is in the clear or under another key, some at a time."""
    first, second = kind.key
    head = f"substr({kind.value}, 1, {len(_SEALED)})"
    begin = text(
        f"SELECT * FROM {schema}{kind.table} "  # noqa: S608 - our names, here and below
        f"WHERE (substr({kind.value}, 1, {len(_CLEAR)}) = :clear OR ({head} = :sealed "
        f"AND substr({kind.value}, 1, :length) <> :ours)) "
        f"AND ({first} > :first OR ({first} = :first AND {second} > :second)) "
        f"ORDER BY {first}, {second} LIMIT {_BATCH}"
    )
    values: dict[str, Any] = {
        "clear": _CLEAR, "sealed": _SEALED, "ours": f'"{ours}', "length": len(ours) + 1,
        "first": "", "second": -1 if second == "function_id" else "",
    }  # fmt: skip
    while True:
        with connections.read() as transaction:
            rows = list(transaction.rows(begin, **values))
        if not rows:
            return
        values |= {"first": getattr(rows[-1], first), "second": getattr(rows[-1], second)}
        yield rows


def _replacing(kind: _Kind, schema: str) -> TextClause:
    first, second = kind.key
    return text(
        f"UPDATE {schema}{kind.table} SET {kind.value} = :kept "  # noqa: S608 - our names
        f"WHERE {first} = :first AND {second} = :second AND {kind.value} = :was"
    )


def _change(kind: _Kind, row: Any, renewed: Callable[[bytes, str], bytes]) -> dict[str, Any]:
    was = getattr(row, kind.value)
    said = json.loads(was)
    plain = said if isinstance(said, str) else json.dumps(said)
    kept = renewed(plain.encode(), kind.place(row)).decode()
    first, second = (getattr(row, name) for name in kind.key)
    return {"was": was, "kept": json.dumps(kept), "first": first, "second": second}
