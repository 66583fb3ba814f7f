"""One case of a data set."""

import csv
import json
import lzma
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from sentienguard.model import diagnosis


@dataclass(frozen=True, slots=True)
class Case:
    """What is diagnosed."""

    id: str  # as the scorer spells it
    snapshot: Mapping[str, Any]  # the neutral JSON
    extra: Mapping[str, Any] = field(default_factory=dict)  # what `predict` needs beside it


def guarded(name: str, read: Callable[[], Mapping[str, Any]]) -> Case:
    """Read one case; one that is unlike its set's others is told of and does not end the run."""
    try:
        return Case(name, read())
    except (ValueError, TypeError, LookupError, OSError, csv.Error, lzma.LZMAError) as error:
        return Case(name, {}, {"unreadable": f"{type(error).__name__}: {error}"})


def ranking(verdict: diagnosis.Verdict) -> dict[str, Any]:
    """Give the line of a task that asks for objects in order."""
    return {"ranked": [{"object": one.object, "cause": one.cause} for one in verdict.ranked]}


def open_text(path: Path) -> TextIO:
    """Open plain or xz text."""
    return (
        lzma.open(path, "rt", encoding="utf-8")
        if path.suffix == ".xz"
        else path.open(encoding="utf-8")
    )


def rows(path: Path) -> Iterator[dict[str, str]]:
    """Read CSV with a header."""
    with open_text(path) as file:
        yield from csv.DictReader(file)


def load(path: Path, default: object = None) -> Any:
    """Read JSON; the default where there is no such file."""
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else default


def millis(text: str) -> int:
    """Read an ISO time."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return round(moment.timestamp() * 1000)


def series(
    readings: Iterable[tuple[str, str, str, int, float]],
) -> list[dict[str, Any]]:
    """Gather (object, kind, name, time, value) into the snapshot's series."""
    groups: dict[tuple[str, str, str], dict[int, float]] = {}
    for thing, kind, name, at_ms, value in readings:
        groups.setdefault((thing, kind, name), {})[at_ms] = value
    return [
        {
            "object": thing,
            "kind": kind,
            "name": name,
            "times_ms": sorted(points),
            "values": [points[at] for at in sorted(points)],
        }
        for (thing, kind, name), points in sorted(groups.items())
    ]
