"""Nezha TrainTicket (IntelligentDDS): spans, logs and one-minute metrics around each fault."""

import functools
import json
import re
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.diagnosis_sets import case
from sentienguard.model import diagnosis

NAME = "nezha_tt"

_POD = re.compile(r"-[0-9a-f]{6,10}-[0-9a-z]{5}$")
_LINE = re.compile(r"^\S+ (\w+)\s+(\S+#\d+) TraceID: \S* SpanID: \S* ?(.*)", re.DOTALL)
_METRICS = {"CpuUsage(m)": "cpu", "MemoryUsage(Mi)": "memory"}
_HOUR_MS = 3_600_000
_AFTER_MS = 180_000  # of metrics after the alert, as long as the spans and logs that there are

# The set's own words for kinds of faults.
_CAUSES = {
    "cpu": "cpu_contention",
    "network": "network_delay",
    "aborted": "exception",
    "wrong_answer": "return",
}

_Key = tuple[str, str]


@dataclass(slots=True)
class _Profile:
    """What requests do, counted."""

    calls: Counter[tuple[str, str, str, str]] = field(default_factory=Counter)
    self_ms: dict[_Key, list[float]] = field(default_factory=lambda: defaultdict(list))
    total_ms: dict[_Key, list[float]] = field(default_factory=lambda: defaultdict(list))
    wire_ms: dict[tuple[str, str], list[float]] = field(default_factory=lambda: defaultdict(list))
    lines: Counter[tuple[str, str, str, str]] = field(default_factory=Counter)
    texts: dict[tuple[str, str], str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Span:
    id: str
    parent: str
    service: str
    operation: str
    start: int
    end: int


def cases(directory: Path) -> Iterator[case.Case]:
    """Read each fault beside the fault-free minute of its day."""
    for day in sorted(path for path in directory.glob("*") if path.is_dir()):
        quiet = _read(day / "baseline")
        metrics = _metrics(day / "metric")
        for folder in sorted(day.glob("*/")):
            if (folder / "case.json").exists():
                name = f"{NAME}/{day.name}/{folder.name}"
                yield case.guarded(name, functools.partial(_snapshot, name, folder, quiet, metrics))


def predict(_: case.Case, verdict: diagnosis.Verdict) -> dict[str, Any]:
    """Give the ranking in the set's words for causes."""
    return {
        "ranked": [
            {"object": one.object, "cause": _CAUSES.get(one.cause, one.cause)}
            for one in verdict.ranked
        ]
    }


def _snapshot(
    name: str,
    folder: Path,
    quiet: tuple[list[_Span], list[tuple[int, str, str, str]]],
    metrics: list[tuple[str, str, str, int, float]],
) -> dict[str, Any]:
    told = case.load(folder / "case.json")
    at_ms = case.millis(told["alert_time_utc"])
    spans, logs = _read(folder)
    usual = _Profile()
    _count(usual, *quiet, 0, 1 << 62)
    quiet_wire = {pair: list(waits) for pair, waits in usual.wire_ms.items()}
    _count(usual, spans, logs, 0, at_ms)
    usual.wire_ms.update(_lower(quiet_wire, usual.wire_ms))
    now = _Profile()
    _count(now, spans, logs, at_ms, 1 << 62)
    window = [one for one in metrics if at_ms - _HOUR_MS < one[3] < at_ms + _AFTER_MS]
    services = {one[0] for one in metrics} | {span.service for span in (*spans, *quiet[0])}
    return {
        "v": 1,
        "id": name,
        "since_ms": at_ms - _HOUR_MS,
        "until_ms": at_ms + _AFTER_MS,
        "symptom": {"kind": "other", "at_ms": at_ms},
        "objects": [{"name": one} for one in sorted(services)],
        "series": case.series(window),
        "traces": list(_traces(now, usual)),
        "logs": list(_logs(now, usual)),
    }


def _read(folder: Path) -> tuple[list[_Span], list[tuple[int, str, str, str]]]:
    spans = [
        _Span(
            row["SpanID"],
            row["ParentID"],
            _service(row["PodName"]),
            row["OperationName"],
            int(row["StartTimeUnixNano"]),
            int(row["EndTimeUnixNano"]),
        )
        for path in sorted(folder.glob("*_trace.csv.xz"))
        for row in case.rows(path)
    ]
    logs = [
        (int(row["TimeUnixNano"]), _service(row["PodName"]), row["SpanID"], _text(row["Log"]))
        for path in sorted(folder.glob("*_log.csv.xz"))
        for row in case.rows(path)
    ]
    return spans, logs


def _text(raw: str) -> str:
    try:
        return str(json.loads(raw).get("log", ""))
    except (ValueError, AttributeError):
        return raw


def _service(pod: str) -> str:
    return _POD.sub("", pod)


def _count(
    profile: _Profile,
    spans: Iterable[_Span],
    logs: Iterable[tuple[int, str, str, str]],
    since_ms: int,
    until_ms: int,
) -> None:
    """Count what the requests do that began in this time."""
    by_id = {span.id: span for span in spans}
    children: dict[str, list[_Span]] = defaultdict(list)
    for span in by_id.values():
        children[span.parent].append(span)
    entries = _entries(by_id)
    wanted = {
        span.id: since_ms * 1_000_000 <= entries[span.id].start < until_ms * 1_000_000
        for span in by_id.values()
    }
    made: set[tuple[str, str, str]] = set()
    for span in by_id.values():
        if entries[span.id] is not span or not wanted[span.id]:
            continue
        above = by_id.get(span.parent)
        within = entries[above.id] if above else None
        profile.total_ms[span.service, span.operation].append((span.end - span.start) / 1e6)
        if above and within:
            if span.end <= above.end:  # otherwise nobody waited for it
                wait = (span.start - above.start) + (above.end - span.end)
                profile.wire_ms[above.service, span.service].append(wait / 1e6)
            if (within.id, span.service, span.operation) in made:
                continue
            made.add((within.id, span.service, span.operation))
        profile.calls[
            within.service if within else "",
            within.operation if within else "",
            span.service,
            span.operation,
        ] += 1
    written: set[tuple[str, str, str]] = set()
    for _, service, span_id, text in logs:
        entry = entries.get(span_id)
        if entry is None or entry.service != service or not wanted[entry.id]:
            continue
        parts = _LINE.match(text)
        if parts is None or (entry.id, parts[1], parts[2]) in written:
            continue
        written.add((entry.id, parts[1], parts[2]))
        profile.lines[service, entry.operation, parts[1].lower(), parts[2]] += 1
        profile.texts.setdefault((service, parts[2]), f"{parts[2]} {parts[3].strip()}"[:160])


def _lower(
    quiet: Mapping[tuple[str, str], list[float]], both: Mapping[tuple[str, str], list[float]]
) -> Mapping[tuple[str, str], list[float]]:
    """Take the lower of two usual waits: what comes right before an alert may hold its onset."""
    return {
        pair: waits
        for pair, waits in quiet.items()
        if waits and statistics.median(waits) < statistics.median(both[pair])
    }


def _entries(by_id: Mapping[str, _Span]) -> Mapping[str, _Span]:
    """Map each span to the one with which its request entered the service."""
    entries: dict[str, _Span] = {}
    for first in by_id.values():
        path = []
        span = first
        while span.id not in entries:
            path.append(span.id)
            above = by_id.get(span.parent)
            if above is None or above.service != span.service:
                entries[span.id] = span
                break
            span = above
        for one in path:
            entries[one] = entries[span.id]
    return entries


def _traces(now: _Profile, usual: _Profile) -> Iterator[dict[str, Any]]:
    wires: set[tuple[str, str]] = set()
    for key in sorted({*now.calls, *usual.calls}):
        caller, within, callee, operation = key
        pair = (caller, callee)
        wire = now.wire_ms.get(pair), usual.wire_ms.get(pair)
        first = pair not in wires
        wires.add(pair)
        yield {
            "caller": caller,
            "within": within,
            "callee": callee,
            "operation": operation,
            "calls": now.calls[key],
            "usual_calls": usual.calls[key],
            "total_ms": statistics.median(now.total_ms.get((callee, operation)) or [0.0]),
            "wire_ms": statistics.median(wire[0]) if first and wire[0] else None,
            "usual_wire_ms": statistics.median(wire[1]) if first and wire[1] else None,
        }


def _logs(now: _Profile, usual: _Profile) -> Iterator[dict[str, Any]]:
    for key in sorted({*now.lines, *usual.lines}):
        service, operation, severity, place = key
        yield {
            "object": service,
            "operation": operation,
            "severity": severity,
            "text": now.texts.get((service, place)) or usual.texts[service, place],
            "count": now.lines[key],
            "usual": usual.lines[key],
        }


def _metrics(folder: Path) -> list[tuple[str, str, str, int, float]]:
    """Read each pod's series; their stamps are UTC, only the text of logs is local."""
    return [
        (
            _service(row["PodName"]),
            kind,
            column,
            int(float(row["TimeStamp"])) * 1000,
            float(row[column]),
        )
        for path in sorted(folder.glob("*_metric.csv.xz"))
        for row in case.rows(path)
        for column, kind in _METRICS.items()
        if row[column] and row[column] != "NaN"
    ]
