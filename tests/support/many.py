"""A control plane's database with thousands of incidents and hosts, written before it starts.

One of each kind is kept through the stores, so that its texts are the product's own; the others are
copies of those rows, made by the database. A tenth of the incidents failed in some way.
"""

import contextlib
import sqlite3
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sentienguard.adapters.metric_blocks.store import BlockStore
from sentienguard.adapters.sql_store import open_database
from sentienguard.model.ids import Digest, OrderId, PlaybookName
from sentienguard.model.incident import Outcome, Status
from sentienguard.model.telemetry import Series
from sentienguard.ports.metric_store import Moment
from tests.contract import stores_nouns as nouns

LESS_WATCHED = 164  # series of a host that no list shows: a real one has 168 in all
APART_S = 400  # between two incidents: 10,000 reach back 46 days
ENDS = (
    ("resolved", "SUCCESS"), ("resolved", "SUCCESS"), ("resolved", "SUCCESS"),
    ("resolved", "SUCCESS"), ("resolved", "SUCCESS"), ("resolved", "SUCCESS"),
    ("escalated", "SUCCESS"), ("rolled_back", "ROLLED_BACK"), ("self_recovered", "DRY_RUN"),
    ("failed", "UNKNOWN"),
)  # fmt: skip


def fill(
    controlplane: Path, playbook: PlaybookName, digest: Digest, *, incidents: int, hosts: int
) -> None:
    """Write them below the control plane's directory; the newest incident ended a moment ago."""
    path = controlplane / "sentienguard.db"
    with contextlib.closing(open_database(f"sqlite:///{path}")) as stores:
        stores.agents.add(replace(nouns.agent(1), host="web-00001.example.net"))
        of = replace(nouns.incident(), agent=nouns.agent(1).id, host="web-00001.example.net")
        stores.incidents.open(of)
        made = replace(nouns.decision(of, playbook=playbook), digest=digest)
        stores.incidents.put_decision(made)
        order = replace(nouns.order(), incident=of.id, playbook=playbook, digest=digest)
        order = replace(order, agent=of.agent, id=OrderId("ord_template"))
        stores.orders.release(order, at=of.opened_at)
        stores.orders.finished(nouns.report(order))
        stores.incidents.move(
            of.id, Status.CLOSED, summary="Disk /var is filling up", outcome=Outcome.RESOLVED,
            at=of.opened_at + timedelta(seconds=60),
        )  # fmt: skip
    with contextlib.closing(sqlite3.connect(path)) as database, database:
        _copy(database, incidents, hosts)
    _readings(controlplane / "metrics.db", hosts)


def _copy(database: sqlite3.Connection, incidents: int, hosts: int) -> None:
    now_us = int(time.time() * 1e6)
    opened = f"({now_us} - (i + 1) * {APART_S * 1_000_000})"
    name = f"printf('inc_20200101_000000_%08x', {incidents} - i)"
    host = f"printf('web-%05d.example.net', 1 + i % {hosts})"
    agent = f"printf('00000000-0000-4000-8000-%012d', 1 + i % {hosts})"
    outcome = _by_number([end for end, _ in ENDS])
    execution = _by_number([end for _, end in ENDS])
    _copies(database, "agents", hosts - 1, {
        "id": "printf('00000000-0000-4000-8000-%012d', 2 + i)",
        "host": "printf('web-%05d.example.net', 2 + i)",
        "tls_pin": "printf('%064x', 2 + i)",
        "search": "replace(search, 'web-00001', printf('web-%05d', 2 + i))",
    })  # fmt: skip
    _copies(database, "incidents", incidents, {
        "id": name, "agent": agent, "host": host, "fingerprint": "'fp-' || i",
        "opened_us": opened, "closed_us": f"{opened} + (40 + i * 37 % 200) * 1000000",
        "outcome": outcome,
    })  # fmt: skip
    _copies(database, "decisions", incidents, {
        "incident": name,
        "decision": "replace(decision, '\"confidence\":{\"value\":0.91',"
                    " '\"confidence\":{\"value\":0.' || (70 + i % 30))",
        "confidence": "(70 + i % 30) / 100.0",
    })  # fmt: skip
    _copies(database, "orders", incidents, {
        "id": "'ord_' || i", "incident": name, "agent": agent, "released_us": f"{opened} + 5000000",
        "ended": execution,
    })  # fmt: skip


def _by_number(values: list[str]) -> str:
    cases = " ".join(f"WHEN {number} THEN '{value}'" for number, value in enumerate(values))
    return f"CASE i % {len(values)} {cases} END"


def _copies(database: sqlite3.Connection, table: str, count: int, others: dict[str, str]) -> None:
    """Copy the one row of a table, with expressions of `i` for some of its columns."""
    columns = [row[1] for row in database.execute(f"PRAGMA table_info({table})")]
    values = ", ".join(others.get(column, f"{table}.{column}") for column in columns)
    database.execute(
        f"WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {count})"
        f" INSERT INTO {table} ({', '.join(columns)}) SELECT {values} FROM n, {table}"
    )


def _readings(path: Path, hosts: int) -> None:
    now = datetime.now(UTC)
    moments = []
    for number in range(hosts):
        host = f"web-{number + 1:05d}.example.net"
        values = [
            (Series(host, "system.cpu_percent", ""), float(number % 100)),
            (Series(host, "system.memory_percent", ""), 50.0),
            (Series(host, "system.disk_usage_percent", "/"), 41.0),
            (Series(host, "system.disk_usage_percent", "/var"), 60.0 + number % 30),
            *((Series(host, "service.http_ms", f"s{at}"), 3.0) for at in range(LESS_WATCHED)),
        ]
        moments.append(Moment(now, values))
    with contextlib.closing(BlockStore(path)) as store:
        store.append_all(moments)
