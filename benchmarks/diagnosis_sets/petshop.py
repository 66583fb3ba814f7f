"""PetShop (amazon-science): five-minute metrics of an AWS shop with its call graph."""

import csv
import functools
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks.diagnosis_sets import case
from sentienguard.model import diagnosis

NAME = "petshop"

_KINDS = {"latency": "latency", "requests": "traffic", "availability": "availability"}
_STATISTICS = frozenset({"Average", "Sum"})  # quantiles of different objects do not add up


def cases(directory: Path) -> Iterator[case.Case]:
    """Read each issue beside the fault-free readings of its traffic level."""
    for level in sorted(path for path in directory.glob("*") if path.is_dir()):
        quiet = _readings(level / "noissue" / "metrics.csv")
        edges = _edges(level / "graph.csv")
        for folder in sorted(level.glob("*/")):
            if (folder / "target.json").exists():
                name = f"{NAME}/{level.name}/{folder.name}"
                yield case.guarded(name, functools.partial(_snapshot, name, folder, quiet, edges))


def predict(_: case.Case, verdict: diagnosis.Verdict) -> dict[str, Any]:
    """Give the ranking."""
    return case.ranking(verdict)


def _snapshot(
    name: str,
    folder: Path,
    quiet: Mapping[tuple[str, str, str], Mapping[int, float]],
    edges: list[tuple[str, str]],
) -> dict[str, Any]:
    target = case.load(folder / "target.json")["target"]
    issue = _readings(folder / "metrics.csv")
    at_ms = int(target["timestamp"]) * 1000
    first = min(time for points in issue.values() for time in points)
    last = max(time for points in quiet.values() for time in points)
    shift = first - last - 300_000  # the quiet days, moved to end where the issue begins
    merged = {
        key: {time + shift: value for time, value in quiet.get(key, {}).items()}
        | dict(issue.get(key, {}))
        for key in sorted({*quiet, *issue})
    }
    objects = sorted({key[0] for key in merged} | {end for edge in edges for end in edge})
    return {
        "v": 1,
        "id": name,
        "since_ms": min(time for points in merged.values() for time in points),
        "until_ms": max(time for points in merged.values() for time in points),
        "symptom": {
            "object": target["node"],
            "kind": _KINDS[target["metric"]],
            "at_ms": at_ms,
            "metric": target["metric"],
        },
        "objects": [{"name": one, "kind": _kind(one)} for one in objects],
        "edges": [{"source": a, "target": b, "kind": "call"} for a, b in edges],
        "series": case.series(
            (thing, kind, metric, time, value)
            for (thing, kind, metric), points in merged.items()
            for time, value in points.items()
        ),
    }


def _kind(name: str) -> str:
    """X-Ray's suffixes: who calls from outside, and what has no tracing of its own."""
    if name.endswith("_client"):
        return "client"
    return "remote" if name.endswith("_remote") else "service"


def _readings(path: Path) -> dict[tuple[str, str, str], dict[int, float]]:
    with path.open(newline="", encoding="utf-8") as file:
        table = list(csv.reader(file))
    heads = list(zip(*table[:3], strict=True))
    found: dict[tuple[str, str, str], dict[int, float]] = {}
    for line in table[3:]:
        if not line[0].replace(".", "").isdigit():
            continue
        time = int(float(line[0])) * 1000
        for (node, metric, statistic), text in zip(heads[1:], line[1:], strict=True):
            if statistic in _STATISTICS and text and not math.isnan(value := float(text)):
                found.setdefault((node, _KINDS[metric], metric), {})[time] = value
    return found


def _edges(path: Path) -> list[tuple[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        table = list(csv.reader(file))
    names = table[0][1:]
    return sorted(
        (line[0], callee)
        for line in table[1:]
        for callee, there in zip(names, line[1:], strict=True)
        if float(there)
    )
