"""Sock Shop 1 (RCD): one-second metrics of a shop with processor and memory faults, no topology."""

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.diagnosis_sets import case
from sentienguard.model import diagnosis

NAME = "sockshop1"

_BETWEEN_MS = 900_000  # beyond any guard gap, so that all that is fault-free counts as such
_KINDS = {"cpu": "cpu", "mem": "memory", "lod": "traffic", "lat": "latency"}
_CAUSES = {"memory": "mem"}  # the set's words where they are not ours


def cases(directory: Path) -> Iterator[case.Case]:
    """Read each fault."""
    for folder in sorted(directory.glob("*/")):
        if (folder / "anomalous.csv.xz").exists():
            name = f"{NAME}/{folder.name}"
            yield case.guarded(name, functools.partial(_snapshot, name, folder))


def predict(_: case.Case, verdict: diagnosis.Verdict) -> dict[str, Any]:
    """Give the ranking in the set's words for causes."""
    return {
        "ranked": [
            {"object": one.object, "cause": _CAUSES.get(one.cause, one.cause)}
            for one in verdict.ranked
        ]
    }


def _snapshot(name: str, folder: Path) -> dict[str, Any]:
    normal = list(case.rows(folder / "normal.csv.xz"))
    faulty = list(case.rows(folder / "anomalous.csv.xz"))
    at_ms = int(faulty[0]["time"]) * 1000
    # The fault-free readings are of another day: they are moved to end shortly before the fault.
    shift = at_ms - _BETWEEN_MS - int(normal[-1]["time"]) * 1000
    readings = [
        (*_series(column), int(row["time"]) * 1000 + moved, float(value))
        for rows, moved in ((normal, shift), (faulty, 0))
        for row in rows
        for column, value in row.items()
        if column != "time" and value
    ]
    return {
        "v": 1,
        "id": name,
        "since_ms": min(one[3] for one in readings),
        "until_ms": max(one[3] for one in readings),
        "symptom": {"kind": "other", "at_ms": at_ms},
        "objects": [{"name": one} for one in sorted({one[0] for one in readings})],
        "series": case.series(readings),
    }


def _series(column: str) -> tuple[str, str, str]:
    thing, _, metric = column.partition("_")
    return thing, _KINDS[metric.partition("_")[0]], metric
