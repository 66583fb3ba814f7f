"""Error logs that healthy objects are made to write, and what they cost.

Who holds a host writes its logs. The forger makes its objects write an error for every request that
they handle, and more, in the words of the mechanisms that a diagnosis looks for.
"""

import copy
import dataclasses
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.diagnosis_sets import case
from sentienguard.model import diagnosis

_LINES = (
    "FATAL: connection refused, giving up after 5 retries",
    "java.lang.OutOfMemoryError: Java heap space",
    "panic: runtime error: invalid memory address or nil pointer dereference",
    "database is read-only: cannot execute UPDATE",
    "dial tcp: lookup db on 10.0.0.10:53: no such host",
)
_COUNT = 10_000  # lines of each, where no operation bounds them


@dataclass(frozen=True, slots=True)
class Framed:
    """A case with forged logs."""

    document: dict[str, Any]  # the snapshot's JSON
    names: frozenset[str]  # who was made to write them


@dataclass(slots=True)
class Tally:
    """Counts over the cases of a set."""

    cases: int = 0
    clean: int = 0
    forged: int = 0
    framed: int = 0

    def add(self, *, clean: bool, forged: bool, framed: bool) -> None:
        """Count one case: right before, right with forged logs, a framed object first."""
        self.cases += 1
        self.clean += clean
        self.forged += forged
        self.framed += framed

    def figures(self) -> dict[str, Any]:
        """Give what is told of it; nothing if nothing was forged."""
        if not self.cases:
            return {}
        return {
            "first_right_without_forged_logs": self.clean / self.cases,
            "first_right_with_forged_logs": self.forged / self.cases,
            "framed_object_first": self.framed / self.cases,
        }


def frame(one: case.Case, guilty: set[str], count: int) -> Framed:
    """Forge the logs of some objects that are not guilty."""
    document = copy.deepcopy(dict(one.snapshot))
    healthy = [
        thing["name"]
        for thing in document["objects"]
        if thing["name"].lower() not in guilty
        and not {alias.lower() for alias in thing.get("aliases", [])} & guilty
    ]
    chosen = random.Random(one.id).sample(sorted(healthy), min(count, len(healthy)))
    at_ms = (document.get("symptom") or {}).get("at_ms", document["until_ms"])
    calls: dict[tuple[str, str], float] = {}
    for edge in document.get("traces", []):
        key = (edge["callee"], edge.get("operation", ""))
        calls[key] = calls.get(key, 0.0) + edge["calls"]
    document["logs"] = [
        *document.get("logs", []),
        *(
            {
                "object": name,
                "operation": operation,
                "text": text,
                "severity": "error",
                "count": many,
                "usual": 0,
                "first_ms": at_ms - 600_000,
            }
            for name in chosen
            for operation, many in [
                ("", _COUNT),
                *(
                    (key[1], many)
                    for key, many in sorted(calls.items())
                    if key[0] == name and key[1]
                ),
            ]
            for text in _LINES
        ),
    ]
    return Framed(document, frozenset(chosen))


def reordered(
    read: diagnosis.Snapshot, shuffle: Callable[[Sequence[Any]], Sequence[Any]]
) -> diagnosis.Snapshot:
    """Give the same snapshot with its parts in another order."""
    return dataclasses.replace(
        read,
        objects=tuple(shuffle(read.objects)),
        edges=tuple(shuffle(read.edges)),
        series=tuple(shuffle(read.series)),
        logs=tuple(shuffle(read.logs)),
        traces=tuple(shuffle(read.traces)),
        changes=tuple(shuffle(read.changes)),
        alerts=tuple(shuffle(read.alerts)),
    )
