"""What the three sets of edgedelta share: metric names in words, and how changes are told."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.diagnosis_sets import case

# The first that matches says what a series measures. Names are words, so words decide.
_KINDS: Sequence[tuple[re.Pattern[str], str]] = tuple(
    (re.compile(words), kind)
    for words, kind in (
        (r"hit_ratio|hit_rate", "hit_ratio"),
        (r"until_expiry|uptime|available|result_count|max_conn", "other"),
        (r"lag|queue|backlog|depth", "backlog"),
        (r"conn_reset|retr(y|ies)|throttl", "errors"),
        (r"error|fail|5xx|4xx|\d\d\d_|servfail|reject|timeout|missing|exhaust|evict", "errors"),
        (r"under_replicated|stale|pressure_events", "errors"),
        (r"latency|wait|duration|pause|p99|p95", "latency"),
        (r"rps|qps|requests?_per|request_rate|query_count", "traffic"),
        (r"cpu", "cpu"),
        (r"mem|heap|rss", "memory"),
        (r"disk|filesystem|log_dir|pvc", "disk"),
        (r"conn|blocked|pool|slots|utilization", "saturation"),
    )
)


def kind_of(name: str) -> str:
    """Say what a series of this name measures."""
    return next((kind for words, kind in _KINDS if words.search(name.lower())), "other")


def readings(path: Path) -> Iterator[tuple[str, str, str, int, float]]:
    """Read metrics.csv, percentages of errors as shares."""
    for row in case.rows(path):
        kind = kind_of(row["metric"])
        percent = kind == "errors" and "pct" in row["metric"]
        value = float(row["value"]) / (100 if percent else 1)
        yield row["service"], kind, row["metric"], case.millis(row["timestamp"]), value


def deploys(told: Any, known: Mapping[str, str]) -> list[dict[str, Any]]:
    """Read deployments, with or without an envelope around them."""
    return [
        {
            "id": str(one.get("commit_sha") or one.get("version")),
            "object": known.get(one["service"], ""),
            "kind": "deploy",
            "at_ms": case.millis(one["timestamp"]),
            "summary": " ".join(str(one.get(word, "")) for word in ("version", "change")).strip(),
        }
        for one in listed(told, "deploys")
    ]


def listed(told: Any, name: str) -> Iterable[dict[str, Any]]:
    """Give the list, whether it stands alone or under its name."""
    if isinstance(told, dict):
        told = told.get(name, [])
    return told or []


def lines(told: Any, known: Mapping[str, str]) -> list[dict[str, Any]]:
    """Read patterns of log lines."""
    return [
        {
            "object": known[one["service"]],
            "text": one["signature"],
            "severity": "error" if one.get("sentiment") == "negative" else "info",
            "count": float(one["count"]),
            "usual": max(0.0, float(one["count"]) - float(str(one["delta_vs_baseline"]))),
            "first_ms": case.millis(one["first_seen"]) if one.get("first_seen") else None,
        }
        for one in listed(told, "patterns")
        if one.get("service") in known
    ]
