"""noise-bench (edgedelta): which pages of a storm are worth waking somebody for."""

import functools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks.diagnosis_sets import case, edgedelta
from sentienguard.model import diagnosis

NAME = "noisebench"


def cases(directory: Path) -> Iterator[case.Case]:
    """Read each storm."""
    for folder in sorted(directory.glob("*/")):
        if (folder / "pages.json").exists():
            name = f"{NAME}/{folder.name}"
            yield case.guarded(name, functools.partial(_snapshot, name, folder))


def predict(_: case.Case, verdict: diagnosis.Verdict) -> dict[str, Any]:
    """Give the alerts that page."""
    return {"page": [one.alert for one in verdict.triage if one.page]}


def _snapshot(name: str, folder: Path) -> dict[str, Any]:
    pages = case.load(folder / "pages.json")
    metrics = [
        (
            one["service"],
            edgedelta.kind_of(one["metric"]),
            one["metric"],
            case.millis(one["timestamp"]),
            float(one["value"]),
        )
        for one in case.rows(folder / "metrics.csv")
    ]
    known = [
        one
        for one in case.load(folder / "incidents_open.json", [])
        if one.get("kind", "incident") == "incident"
    ]
    patterns = {one["pattern_id"]: one for one in case.load(folder / "patterns.json", [])}
    objects = {one[0] for one in metrics} | {one["service"] for one in (*pages, *known)}
    deploys = case.load(folder / "deploys.json", [])
    times = [one[3] for one in metrics] + [case.millis(one["fired_at"]) for one in pages]
    return {
        "v": 1,
        "id": name,
        "since_ms": min(times),
        "until_ms": max(times),
        "objects": [{"name": one} for one in sorted(objects)],
        "series": case.series(metrics),
        "changes": edgedelta.deploys(deploys, {one: one for one in objects}),
        "alerts": [_alert(one, patterns) for one in pages],
        "known": [
            {
                "id": one["incident_id"],
                "object": one["service"],
                "metric": "" if one["metric"] == "*" else one["metric"],
                "since_ms": case.millis(one["opened_at"]),
            }
            for one in known
        ],
    }


def _alert(page: Mapping[str, Any], patterns: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    topic = page.get("related_pattern") or ""
    pattern = patterns.get(topic)
    return {
        "id": page["id"],
        "object": page["service"],
        "name": page.get("monitor") or page["metric"],
        "at_ms": case.millis(page["fired_at"]),
        "severity": page["severity"],
        "metric": page["metric"],
        "value": page.get("value"),
        "threshold": page.get("threshold"),
        "resolved_after_s": page.get("auto_resolved_after_s"),
        "fired_last_hour": page.get("fired_count_last_1h", 1),
        "topic": topic,
        "errors_grew": None if pattern is None else _grew(pattern),
    }


def _grew(pattern: Mapping[str, Any]) -> float:
    """Lines that are no errors did not grow, however many there are."""
    return (
        float(pattern["delta_vs_baseline_pct"]) / 100 if pattern["sentiment"] == "negative" else 0.0
    )
