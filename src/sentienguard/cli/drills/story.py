"""An incident's story as lines of five stages, told while it happens.

Pure: the answer of GET /api/v1/incidents/{id} in, lines out. Each line has a key, so that a second
look at a longer story gives the lines that are new.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sentienguard.cli import frame

STAGES = ("observe", "detect", "decide", "execute", "audit")
_GOOD = frozenset({"success", "passed", "would_run", "resolved", "skipped"})
_BAD = frozenset({"failed", "timed_out", "stopped", "not_undoable"})
_WHAT = {
    "precheck.done": "pre-check",
    "step.done": "step",
    "verify.done": "verification",
    "undo.done": "undo",
}
_LONGEST_SUBJECT = 24  # characters of a path that fit beside the rest of a line


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that happened."""

    key: str
    at: datetime
    stage: str  # one of STAGES, or "drill"
    text: str
    tone: str = ""  # "good", "bad" or nothing


def lines(story: Mapping[str, Any]) -> list[Line]:
    """Tell everything that the story holds so far, in its order."""
    incident, anomaly = story["incident"], story["anomaly"]
    series = series_name(incident["metric"], incident["subject"])
    subject = short_subject(incident["subject"])
    told = [
        Line(
            "anomaly",
            frame.parse_time(anomaly["at"]),
            "observe",
            f"{series} is {frame.number(anomaly['value'])}",
        )
    ]
    for entry in story["timeline"]:
        text = _text(entry, story).replace(incident["subject"] or "\0", subject)
        if text:
            told.append(
                Line(
                    str(entry["index"]),
                    frame.parse_time(entry["at"]),
                    _stage(entry),
                    text,
                    _tone(entry),
                )
            )
    return told


def series_name(metric: str, subject: str) -> str:
    """Name a series so that it fits a line."""
    return f"{metric} of {short_subject(subject)}" if subject else metric


def short_subject(subject: str) -> str:
    """Return the end of a long path, from the beginning of a name on."""
    if len(subject) <= _LONGEST_SUBJECT:
        return subject
    end = subject[-_LONGEST_SUBJECT:]
    return "…" + (end[end.index("/") :] if "/" in end else end)


def _stage(entry: Mapping[str, Any]) -> str:
    return str(entry["stage"]) if entry["stage"] in STAGES else "audit"


def _text(entry: Mapping[str, Any], story: Mapping[str, Any]) -> str:
    special = _SPECIAL.get(entry["kind"])
    if special:
        return special(entry, story)
    what = _WHAT.get(entry["kind"])
    if what:
        return _step(what, entry)
    return str(entry["title"])


def _opened(_: Mapping[str, Any], story: Mapping[str, Any]) -> str:
    anomaly = story["anomaly"]
    return f"{anomaly['severity']}: {anomaly['reason']}"


def _evidence(entry: Mapping[str, Any], _: Mapping[str, Any]) -> str:
    data = entry["data"]
    counts = (
        (data.get("recent"), "readings"),
        (data.get("processes"), "processes"),
        (data.get("paths"), "paths"),
        (data.get("log_lines"), "log lines"),
    )
    parts = [f"{count} {name}" for count, name in counts if count]
    similar = len(data.get("similar") or ())
    if similar:
        parts.append(f"{similar} earlier incident{'s' if similar > 1 else ''} like it")
    return "evidence: " + (", ".join(parts) or "the reading alone")


def _decision(entry: Mapping[str, Any], story: Mapping[str, Any]) -> str:
    data, made = entry["data"], story["decision"]
    playbook = data.get("playbook") or "no playbook"
    sure = f", confidence {float(data['confidence']):.2f}" if data.get("confidence") else ""
    route = str(data.get("route", "")).lower().replace("_", " ")
    return f"{route}: {playbook}{sure}" + (f" ({because(made)})" if made else "")


def because(decision: Mapping[str, Any]) -> str:
    """Say what decided the route: the strictest rules, or that none was stricter than RUN."""
    verdicts = decision["verdicts"]
    deciding = [one["reason"] for one in verdicts if one["deciding"]]
    if len(deciding) == len(verdicts):
        return f"all {len(verdicts)} rules of the policy permit it"
    return "; ".join(deciding)


def _finished(entry: Mapping[str, Any], _: Mapping[str, Any]) -> str:
    data = entry["data"]
    outcome = str(data.get("outcome", "")).replace("_", " ").lower()
    return f"{outcome}: {data.get('reason', '')}".removesuffix(": ")


def _closed(entry: Mapping[str, Any], story: Mapping[str, Any]) -> str:
    data = entry["data"]
    outcome = data.get("outcome") or story["incident"]["outcome"] or "closed"
    told = ", people have to look" if data.get("escalated") else ""
    return f"incident closed: {str(outcome).replace('_', ' ')}{told}"


def _says(text: str) -> Callable[[Mapping[str, Any], Mapping[str, Any]], str]:
    return lambda _entry, _story: text


_SPECIAL: Mapping[str, Callable[[Mapping[str, Any], Mapping[str, Any]], str]] = {
    "incident.opened": _opened,
    "evidence.taken": _evidence,
    "decision.made": _decision,
    "order.intent": _says("intent to act is durable in the audit log"),
    "order.delivered": _says("signed order fetched by the host"),
    "order.admitted": _says("the host checked the order by itself and admits it"),
    "order.finished": _finished,
    "incident.verified": _says("the control plane sees the symptom gone as well"),
    "incident.closed": _closed,
}


def _step(what: str, entry: Mapping[str, Any]) -> str:
    data = entry["data"]
    name = str(data.get("name", "")).replace("_", " ")
    status = str(data.get("status", "")).replace("_", " ")
    detail = str(data.get("detail") or "")
    return f"{what} {name}: {status}" + (f", {detail}" if detail else "")


def _tone(entry: Mapping[str, Any]) -> str:
    data = entry["data"]
    said = str(data.get("status") or data.get("outcome") or "").lower()
    if said in _BAD | {"rolled_back", "partially_rolled_back", "escalated", "refused"}:
        return "bad"
    return "good" if said in _GOOD else ""


@dataclass(frozen=True, slots=True)
class Timing:
    """How long one stage took."""

    stage: str
    seconds: float | None  # None: the story has no such point


def timings(story: Mapping[str, Any], injected_at: datetime) -> list[Timing]:
    """Return the seconds of each stage, from the fault to the closed incident."""
    when = {entry["kind"]: frame.parse_time(entry["at"]) for entry in reversed(story["timeline"])}
    closed = story["incident"]["closed_at"]
    points: Sequence[datetime | None] = (
        injected_at,
        frame.parse_time(story["anomaly"]["at"]),
        when.get("incident.opened"),
        when.get("decision.made"),
        when.get("order.finished", when.get("order.refused")),
        frame.parse_time(closed) if closed else None,
    )
    found, last = [], injected_at
    for stage, point in zip(STAGES, points[1:], strict=True):
        took = None if point is None else max(0.0, (point - last).total_seconds())
        found.append(Timing(stage, None if took is None else round(took, 3)))
        last = point or last
    return found
