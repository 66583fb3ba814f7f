"""What PostgreSQL costs beside SQLite and files, and how soon another replica goes on.

A PostgreSQL server of its own on this machine, with fsync, default settings otherwise. Rates and
times on one machine say nothing of a network between control plane and database: each write of a
control plane adds a round trip or two of it.
"""

import contextlib
import pathlib
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from benchmarks import order_latency
from sentienguard.adapters.audit_files.log import AuditFiles
from sentienguard.adapters.audit_shared.log import AuditShared
from sentienguard.adapters.sql_store import open_database
from sentienguard.ports import audit_log
from sentienguard.stages.audit import ledger
from sentienguard.trust.keys import SigningKey
from sentienguard.trust.log_keys import LogSigners
from tests.servers import postgresql
from tests.support import centre_process, replica_set
from tests.support.replica_story import Story

WRITERS = 64
ORIGIN = "bench.example/log"
KEY = SigningKey.from_seed(b"benchmark key, worth nothing....")
NOW = datetime(2026, 2, 12, 11, 26, tzinfo=UTC)
Logs = Sequence[audit_log.AuditLog]


def run(options: Mapping[str, Any]) -> dict[str, Any]:
    """Measure; options `rounds` (60 faults each), `appends` (6,000), `ends` (5 of each kind)."""
    rounds = int(options.get("rounds", 60))
    appends = int(options.get("appends", 6_000))
    ends = int(options.get("ends", 5))
    with postgresql.running(durable=True) as server, tempfile.TemporaryDirectory() as made:
        place = pathlib.Path(made)
        return {
            "append": _appending(place, server, appends),
            "sample_to_order": _ordering(place, server, rounds),
            "takeover": _takeovers(place, server, ends),
        }


# --- appending to the log


def _appending(place: pathlib.Path, server: postgresql.Server, appends: int) -> dict[str, Any]:
    ways: Mapping[str, Callable[[], contextlib.AbstractContextManager[Logs]]] = {
        "files": lambda: _files(place / "audit"),
        "postgresql_1_replica": lambda: _shared(server.new_database(), 1),
        "postgresql_2_replicas": lambda: _shared(server.new_database(), 2),
        "postgresql_3_replicas": lambda: _shared(server.new_database(), 3),
    }
    found: dict[str, Any] = {"writers": WRITERS}
    for name, way in ways.items():
        with way() as logs:
            found[name] = _written(logs, appends)
    return found


@contextlib.contextmanager
def _files(place: pathlib.Path) -> Iterator[Logs]:
    with AuditFiles(place, ledger.Ledger(ORIGIN, LogSigners.of(KEY))) as log:
        yield [log]


@contextlib.contextmanager
def _shared(url: str, count: int) -> Iterator[Logs]:
    with contextlib.ExitStack() as opened:
        stores = [
            opened.enter_context(contextlib.closing(open_database(url))) for _ in range(count)
        ]
        yield [
            opened.enter_context(
                AuditShared(one.audit, lambda: ledger.Ledger(ORIGIN, LogSigners.of(KEY)))
            )
            for one in stores
        ]


def _written(logs: Logs, appends: int) -> dict[str, float]:
    waits: list[float] = []

    def write(writer: int) -> None:
        for number in range(appends // WRITERS):
            entry = audit_log.NewEntry(
                "log.started", NOW, "production", "cp", "benchmark", f"{writer}/{number}",
                data={"text": "x" * 300},
            )  # fmt: skip
            asked = time.perf_counter()
            logs[writer % len(logs)].append(entry)
            waits.append(time.perf_counter() - asked)

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(WRITERS)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took = time.perf_counter() - began
    return {
        "per_s": round(len(waits) / took),
        "p50_ack_ms": round(statistics.median(waits) * 1000, 2),
        "p99_ack_ms": round(statistics.quantiles(waits, n=100)[98] * 1000, 2),
    }


# --- from the sample to the order


def _ordering(place: pathlib.Path, server: postgresql.Server, rounds: int) -> dict[str, Any]:
    found: dict[str, Any] = {"sqlite_and_files": order_latency.measure(rounds)}
    usual = {"fleet_budget_per_hour": "100000", "takeover_s": "5"}
    with replica_set.running(place / "pair", server.new_database(), 2, **usual) as (one, other):
        found["postgresql"] = order_latency.spread(one, one, rounds)
        found["postgresql_poll_at_the_other_replica"] = order_latency.spread(one, other, rounds)
    return found


# --- taking over


def _takeovers(place: pathlib.Path, server: postgresql.Server, ends: int) -> dict[str, Any]:
    found: dict[str, list[float]] = {"killed_s": [], "frozen_takeover_s_5_s": []}
    with replica_set.running(place / "ends", server.new_database(), 2, takeover_s="5") as (
        first,
        second,
    ):
        for number in range(ends):
            found["killed_s"].append(_gone(first, second, f"killed-{number}", first.kill))
            first.restart()
            took = _gone(first, second, f"frozen-{number}", lambda: replica_set.freeze(first))
            found["frozen_takeover_s_5_s"].append(took)
            replica_set.thaw(first)
            first.process.wait(20)
            first.restart()
    return {
        name: {"median": round(statistics.median(each), 2), "most": round(max(each), 2)}
        for name, each in found.items()
    } | {"of": ends}


def _gone(
    first: centre_process.Centre,
    second: centre_process.Centre,
    host: str,
    end: Callable[[], None],
) -> float:
    """Return seconds from the end of one replica to the order that a yes at the other releases."""
    story = Story(first.enrol(host, "staging"))
    story.fill(first)
    story.question(second)
    end()
    began = time.perf_counter()
    story.approve(second)
    story.order(second)
    return time.perf_counter() - began
