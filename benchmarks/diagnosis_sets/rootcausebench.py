"""root-cause-bench (edgedelta): which of many commits broke it, or none."""

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.diagnosis_sets import case, edgedelta
from sentienguard.model import diagnosis

NAME = "rootcausebench"


def cases(directory: Path) -> Iterator[case.Case]:
    """Read each scenario."""
    for folder in sorted(directory.glob("*/")):
        if (folder / "context" / "commits.json").exists():
            name = f"{NAME}/{folder.name}"
            yield case.guarded(name, functools.partial(_snapshot, name, folder))


def predict(_: case.Case, verdict: diagnosis.Verdict) -> dict[str, Any]:
    """Give the shortlist of changes."""
    return {"ranked": [{"object": one.object, "cause": one.cause} for one in verdict.changes]}


def _snapshot(name: str, folder: Path) -> dict[str, Any]:
    alert = case.load(folder / "alert.json")
    metrics = list(edgedelta.readings(folder / "metrics.csv"))
    context = folder / "context"
    rollouts = case.load(context / "deploys.json")
    traces = case.load(folder / "traces.json", [])
    calls = _calls(traces)
    objects = dict.fromkeys((end for edge in calls for end in edge), "service")
    objects |= {thing: "service" for thing, *_ in metrics}
    objects |= {thing: kind for thing, _, metric, *_ in metrics if (kind := _kind(thing, metric))}
    for one in edgedelta.listed(rollouts, "deploys"):
        objects.setdefault(one["service"], "service")
    known = {thing: thing for thing in objects}
    times = [one[3] for one in metrics]
    return {
        "v": 1,
        "id": name,
        "since_ms": min(times),
        "until_ms": max(times),
        "symptom": {
            "object": known.get(alert["service"], ""),
            "kind": edgedelta.kind_of(alert["metric"]),
            "at_ms": case.millis(alert["fired_at"]),
            "metric": alert["metric"],
            "text": alert.get("summary", ""),
        },
        "objects": [{"name": thing, "kind": objects[thing]} for thing in sorted(objects)],
        "edges": [{"source": a, "target": b, "kind": "call"} for a, b in sorted(calls)],
        "series": case.series(metrics),
        "logs": edgedelta.lines(case.load(folder / "patterns.json"), known),
        "changes": [
            *edgedelta.deploys(rollouts, known),
            *(
                {
                    "id": one["sha"],
                    "object": "",
                    "kind": "commit",
                    "at_ms": case.millis(one["timestamp"]),
                    "summary": one["message"],
                    "files": one["files_changed"],
                    "diff": one.get("diff") or "",
                }
                for one in edgedelta.listed(case.load(context / "commits.json"), "commits")
            ),
        ],
    }


def _kind(name: str, metric: str) -> str:
    """A node's and a resolver's series name what they are."""
    if metric.startswith("node_"):
        return "node"
    return "resolver" if "dns" in name else ""


def _calls(told: Any) -> set[tuple[str, str]]:
    spans = [span for one in edgedelta.listed(told, "traces") for span in one.get("spans", [one])]
    by_id = {(span.get("trace_id"), span["span_id"]): span for span in spans}
    found = set()
    for span in spans:
        above = by_id.get((span.get("trace_id"), span.get("parent_id")))
        if above and above["service"] != span["service"]:
            found.add((above["service"], span["service"]))
    return found
