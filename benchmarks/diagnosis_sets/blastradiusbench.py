"""blast-radius-bench (edgedelta): sparse metrics, lines and traces around a typed service map."""

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.diagnosis_sets import case, edgedelta
from sentienguard.model import diagnosis

NAME = "blastradiusbench"

# Fields of a service that name what it uses, and the kind of edge that this is.
_USES = (
    ("datastores", "datastore"),
    ("kafka_cluster", "queue"),
    ("queues", "queue"),
    ("resolver", "resolver"),
    ("node", "node"),
)


def cases(directory: Path) -> Iterator[case.Case]:
    """Read each scenario."""
    for folder in sorted(directory.glob("*/")):
        if (folder / "service_map.json").exists():
            name = f"{NAME}/{folder.name}"
            yield case.guarded(name, functools.partial(_snapshot, name, folder))


def predict(_: case.Case, verdict: diagnosis.Verdict) -> dict[str, Any]:
    """Give the ranking and how the fault travelled."""
    return case.ranking(verdict) | {"path": [list(edge) for edge in verdict.edges]}


def _snapshot(name: str, folder: Path) -> dict[str, Any]:
    alert = case.load(folder / "alert.json")
    told = case.load(folder / "service_map.json")
    metrics = list(edgedelta.readings(folder / "metrics.csv"))
    objects = {one[0]: "service" for one in metrics}
    edges = _edges(told, objects)
    aliases = {thing: thing.rpartition(":")[2] for thing in objects if ":" in thing}
    known = {thing: thing for thing in objects} | {short: long for long, short in aliases.items()}
    times = [one[3] for one in metrics]
    return {
        "v": 1,
        "id": name,
        "since_ms": min(times),
        "until_ms": max(times),
        "symptom": {
            "object": alert["service"],
            "kind": edgedelta.kind_of(alert["metric"]),
            "at_ms": case.millis(alert["fired_at"]),
            "text": alert.get("summary", ""),
        },
        "objects": [
            {
                "name": thing,
                "kind": objects[thing],
                "aliases": [aliases[thing]] if thing in aliases else [],
            }
            for thing in sorted(objects)
        ],
        "edges": [{"source": a, "target": b, "kind": kind} for a, b, kind in sorted(edges)],
        "series": case.series(metrics),
        "logs": edgedelta.lines(case.load(folder / "patterns.json"), known),
        "changes": edgedelta.deploys(case.load(folder / "context" / "deploys.json"), known),
    }


def _edges(told: dict[str, Any], objects: dict[str, str]) -> set[tuple[str, str, str]]:
    """Read the map's edges, and those that hide in the fields of its services."""
    edges: set[tuple[str, str, str]] = set()
    spellings = {thing.rpartition(":")[2]: thing for thing in objects if ":" in thing}

    def use(source: str, target: str, kind: str) -> None:
        target = spellings.get(target, target)
        objects.setdefault(source, "service")
        if objects.setdefault(target, kind) == "service" and kind != "call":
            objects[target] = kind
        edges.add((source, target, kind))

    stores = told.get("datastores", [])
    for one in [*told.get("resolvers", []), *(stores if isinstance(stores, list) else [])]:
        objects[one["name"]] = one.get("kind", "datastore")
        spellings.setdefault(one["name"].rpartition(":")[2], one["name"])
    for service in told["services"]:
        fields = service if isinstance(service, dict) else {"name": service}
        objects.setdefault(fields["name"], "service")
        for word, kind in _USES:
            targets = fields.get(word) or []
            for target in [targets] if isinstance(targets, str) else targets:
                use(fields["name"], target, kind)
    for source, targets in (stores if isinstance(stores, dict) else {}).items():
        for target in targets:
            use(source, target, "datastore")
    for edge in told["edges"]:
        use(edge["from"], edge["to"], "call")
    return edges
