"""What a backtest has fetched and judged so far: one SQLite file in its directory.

Rules:

1. A page and the mark that it is there are one transaction, so that a page is there whole or not.
2. A directory belongs to one plan. Another plan is refused: its readings would be mixed.
3. The end of the time is that of the first start: what goes on after an interruption is the same.
"""

import json
import sqlite3
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from sentienguard.cli.backtest.plan import Plan
from sentienguard.cli.history_sources import Stretch
from sentienguard.model import errors

FILE: Final = "backtest.db"
_TABLES: Final = """
    CREATE TABLE IF NOT EXISTS plan (identity TEXT NOT NULL, end_s INTEGER NOT NULL);
    CREATE TABLE IF NOT EXISTS page (
        what TEXT, start INTEGER, finish INTEGER, PRIMARY KEY (what, start)
    );
    CREATE TABLE IF NOT EXISTS reading (
        host TEXT, metric TEXT, subject TEXT, start INTEGER, readings BLOB,
        PRIMARY KEY (host, metric, subject, start)
    ) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS alert (labels TEXT, first INTEGER, last INTEGER);
    CREATE TABLE IF NOT EXISTS judged (
        host TEXT, options TEXT, found TEXT, PRIMARY KEY (host, options)
    );
"""


class AnotherPlan(errors.Rejected):
    """The directory holds another backtest."""


class State:
    """One backtest's file. A context manager."""

    def __init__(self, directory: Path, plan: Plan) -> None:
        """Begin, or go on. Raises AnotherPlan."""
        directory.mkdir(parents=True, exist_ok=True)
        self._connection = sqlite3.connect(directory / FILE, isolation_level=None)
        self._connection.executescript(_TABLES)
        kept = self._connection.execute("SELECT identity, end_s FROM plan").fetchone()
        if kept is None:
            self._connection.execute(
                "INSERT INTO plan VALUES (?, ?)", (plan.identity(), plan.end_s)
            )
        elif kept[0] != plan.identity():
            self._connection.close()
            raise AnotherPlan(
                f"{directory} holds a backtest with other options; choose another --out, or remove "
                "that directory"
            )
        self.goes_on = kept is not None
        self.plan = plan if kept is None else replace(plan, end_s=kept[1])

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        self._connection.close()

    def has_page(self, what: str, start: int) -> bool:
        """Tell whether a page was fetched."""
        asked = self._connection.execute(
            "SELECT 1 FROM page WHERE what = ? AND start = ?", (what, start)
        )
        return asked.fetchone() is not None

    def keep_readings(self, what: str, span: tuple[int, int], found: Sequence[Stretch]) -> None:
        """Keep a page of readings (rule 1)."""
        with self._transaction():
            for one in found:
                row = np.full((span[1] - span[0]) // self.plan.step_s, np.nan)
                at = (np.array(one.times_ms) // 1000 - span[0]) // self.plan.step_s
                inside = (at >= 0) & (at < len(row))
                row[at[inside]] = np.array(one.values)[inside]
                if not np.isfinite(row).any():
                    continue
                self._connection.execute(
                    "INSERT OR IGNORE INTO reading VALUES (?, ?, ?, ?, ?)",
                    (one.host, one.metric, one.subject, span[0], zlib.compress(row.tobytes(), 1)),
                )
            self._mark(what, span)

    def keep_alerts(
        self,
        what: str,
        span: tuple[int, int],
        found: Sequence[tuple[Mapping[str, str], int, int]],
    ) -> None:
        """Keep a page of alerts: labels, first and last moment of each run (rule 1)."""
        with self._transaction():
            self._connection.executemany(
                "INSERT INTO alert VALUES (?, ?, ?)",
                [
                    (json.dumps(dict(one), sort_keys=True), first, last)
                    for one, first, last in found
                ],
            )
            self._mark(what, span)

    def alerts(self) -> list[tuple[dict[str, str], int, int]]:
        """Return all runs of alerts, by labels and time."""
        rows = self._connection.execute("SELECT * FROM alert ORDER BY labels, first, last")
        return [(json.loads(labels), first, last) for labels, first, last in rows]

    def hosts(self) -> list[str]:
        """Return the hosts that have readings, by name."""
        rows = self._connection.execute("SELECT DISTINCT host FROM reading ORDER BY host")
        return [host for (host,) in rows if host]

    def history(self, host: str) -> dict[tuple[str, str], NDArray[np.float64]]:
        """Return all readings of a host on the plan's moments; NaN where one is missing."""
        found: dict[tuple[str, str], NDArray[np.float64]] = {}
        rows = self._connection.execute(
            "SELECT metric, subject, start, readings FROM reading WHERE host = ?", (host,)
        )
        for metric, subject, start, readings in rows:
            row = np.frombuffer(zlib.decompress(readings), dtype=np.float64)
            whole = found.setdefault((metric, subject), np.full(self.plan.steps, np.nan))
            at = (start - self.plan.start_s) // self.plan.step_s
            whole[at : at + len(row)] = row
        return dict(sorted(found.items()))

    def judged(self, host: str, options: str) -> Any:
        """Return what was found of a host under these options; None: it was not judged."""
        asked = self._connection.execute(
            "SELECT found FROM judged WHERE host = ? AND options = ?", (host, options)
        )
        row = asked.fetchone()
        return None if row is None else json.loads(row[0])

    def keep_judged(self, host: str, options: str, found: Any) -> None:
        """Keep what was found of a host."""
        self._connection.execute(
            "INSERT OR REPLACE INTO judged VALUES (?, ?, ?)", (host, options, json.dumps(found))
        )

    def _mark(self, what: str, span: tuple[int, int]) -> None:
        self._connection.execute("INSERT INTO page VALUES (?, ?, ?)", (what, *span))

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")
