"""The complete record of one incident, rendered from the entries of the log.

Called by the API (`GET /incidents/ID/record`), by `incidents show` and by evidence packages.
Nothing is remembered elsewhere: what the log does not hold, the record does not claim. A member
that nobody recorded is null, so that a reader can tell "not known" from "no".

Members of an entry's `data` that are read, all optional (decimals as strings):
    incident.opened     host, tags, metric, subject, value, baseline_mean, baseline_stddev, sigma,
                        severity, reason
    decision.made       playbook, version, digest, route, confidence, rationale, approval_required,
                        parameters, verdicts
    approval.requested  approval_id
    approval.decided    decision, role, ip_address, latency_seconds, note     (approver: `actor`)
                        signed_with                            (by which key, where hosts want it)
    order.intent        order_id, playbook, version, dry_run
    order.refused       order_id, rule, reason
    precheck.done, step.done, verify.done, undo.done
                        order_id, name, status, detail, duration_ms, exit_code, result, http_status
    order.finished      order_id, outcome, reason, left_behind, duration_ms
    incident.verified   passed, detail
    incident.closed     outcome, summary
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sentienguard.ports import audit_log
from sentienguard.stages.audit import merkle

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NUMBER: Final = re.compile(r"-?[0-9]{1,30}(\.[0-9]{1,30})?(e[+-]?[0-9]{1,2})?\Z")
_MODES: Final = {  # route of the decision -> how the seed's format names it
    "RUN": "autonomous",
    "RUN_AND_VERIFY": "autonomous",
    "ASK": "approval",
    "DRY_RUN": "dry_run",
    "ESCALATE": "escalated",
}
_UNDONE: Final = {"ROLLED_BACK", "PARTIALLY_ROLLED_BACK"}
_DETAILS: Final = ("detail", "duration_ms", "exit_code", "http_status", "rows_inserted")


@dataclass(frozen=True, slots=True)
class Commitment:
    """What the log can show for the record; each part says what is really configured."""

    checkpoint: str | None = None  # signed note that covers the entries
    cosigned_by: tuple[str, ...] = ()  # witnesses of that checkpoint
    log_key_id: str | None = None
    previous_hash: bytes | None = None  # of the entry before the incident's last one, in the log
    lock_mode: str = "NONE"  # of an object store: COMPLIANCE, GOVERNANCE, or NONE
    retain_until: str | None = None  # date, where an object store keeps the entries


def render(
    entries: Sequence[audit_log.StoredEntry],
    commitment: Commitment | None = None,
    *,
    blobs: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return the record of the incident that all these entries belong to, oldest first.

    `blobs` maps digests (hex) to text to be shown in full; others are shown by digest. Raises
    audit_log.NoSuchEntry without entries. The result is plain JSON; floats stand in it for people.
    """
    if not entries:
        raise audit_log.NoSuchEntry("the log holds nothing about this incident")
    story = _Story(believed(entries), blobs or {})
    started, ended = story.span()
    return {
        "incident_id": story.fields[0]["incident"],
        "timestamp_start": _timestamp(started),
        "timestamp_end": _timestamp(ended),
        "duration_seconds": _seconds(None if ended is None else ended - started),
        "incident_context": story.context(),
        "decision": story.decision(),
        **story.approval(),
        "executions": story.executions(),
        "execution_log": story.log("precheck.done") + story.log("step.done"),
        "verification_log": story.log("verify.done"),
        "rollback_log": story.log("undo.done"),
        "outcome": story.outcome(started, ended),
        "audit_metadata": _metadata(entries, story, commitment or Commitment()),
    }


def believed(entries: Sequence[audit_log.StoredEntry]) -> list[dict[str, Any]]:
    """Return the members of an incident's entries, hosts heard only where its orders went to them.

    The log keeps whatever a host signs, also what it says about the incident of another host.
    """
    found = [one.fields for one in entries]
    hosts = {
        f"agent:{one['data']['agent']}"
        for one in found
        if one["kind"] == "order.intent" and "agent" in one["data"]
    }
    return [one for one in found if not one["src"].startswith("agent:") or one["src"] in hosts]


class _Story:
    """The entries of one incident, by kind."""

    def __init__(self, fields: list[dict[str, Any]], blobs: Mapping[str, str]) -> None:
        self.fields = fields
        self._blobs = blobs

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [one for one in self.fields if one["kind"] == kind]

    def last(self, kind: str) -> dict[str, Any]:
        """The data of the last entry of a kind; empty where there is none."""
        found = self.of(kind)
        data: dict[str, Any] = found[-1]["data"] if found else {}
        return data

    def span(self) -> tuple[int, int | None]:
        closed = self.of("incident.closed")
        return self.fields[0]["ts_ms"], closed[-1]["ts_ms"] if closed else None

    def context(self) -> dict[str, Any]:
        opened = self.last("incident.opened")
        anomaly = ("value", "baseline_mean", "baseline_stddev", "sigma")
        return {
            "host": opened.get("host"),
            "environment": self.fields[0]["env"],
            "tags": opened.get("tags", {}),
            "anomaly": {name: opened.get(name) for name in ("metric", "subject")}
            | {name: _number(opened.get(name)) for name in anomaly}
            | {"severity": opened.get("severity"), "reason": opened.get("reason")},
        }

    def decision(self) -> dict[str, Any]:
        made = self.last("decision.made")
        route = made.get("route")
        asked = bool(self.of("approval.requested"))
        return {
            "playbook_selected": made.get("playbook") or None,
            "playbook_version": made.get("version") or None,
            "playbook_digest": made.get("digest") or None,
            "confidence": _number(made.get("confidence")),
            "decision_rationale": made.get("rationale"),
            "execution_mode": _MODES.get(str(route)),
            "route": route,
            "approval_required": made.get("approval_required", asked or route == "ASK"),
            "parameters": made.get("parameters", {}),
            "verdicts": made.get("verdicts", []),
        }

    def approval(self) -> dict[str, Any]:
        found = self.of("approval.decided")
        if not found:
            return {
                "approved_by": None,
                "role": None,
                "ip_address": None,
                "approval_latency_seconds": None,
                "approval_decision": None,
            }
        data = found[-1]["data"]
        asked = self.of("approval.requested")
        waited = _seconds(found[-1]["ts_ms"] - asked[-1]["ts_ms"]) if asked else None
        decision = data.get("decision")
        return {
            "approved_by": found[-1]["actor"] if decision == "approved" else None,
            "decided_by": found[-1]["actor"],
            "role": data.get("role"),
            "ip_address": data.get("ip_address"),
            "approval_latency_seconds": _number(data.get("latency_seconds", waited)),
            "approval_decision": decision,
            "approval_timestamp": _timestamp(found[-1]["ts_ms"]),
        }

    def executions(self) -> list[dict[str, Any]]:
        ended = {one["data"].get("order_id"): one for one in self.of("order.finished")}
        refused = {one["data"].get("order_id"): one for one in self.of("order.refused")}
        return [_execution(intent, ended, refused) for intent in self.of("order.intent")]

    def log(self, kind: str) -> list[dict[str, Any]]:
        return [self._step(one) for one in self.of(kind)]

    def _step(self, one: Mapping[str, Any]) -> dict[str, Any]:
        data = one["data"]
        shown = {
            "step": data.get("name"),
            "result": data.get("result", data.get("status")),
            "status": data.get("status"),
            "timestamp": _timestamp(one["ts_ms"]),
            "execution_id": data.get("order_id"),
        }
        shown |= {name: data[name] for name in _DETAILS if name in data}
        if one["blobs"]:
            shown["outputs"] = [self._blob(blob) for blob in one["blobs"]]
        return shown

    def _blob(self, blob: Mapping[str, Any]) -> dict[str, Any]:
        text = self._blobs.get(blob["sha256"])
        return dict(blob) if text is None else {**blob, "text": text}

    def outcome(self, started: int, ended: int | None) -> dict[str, Any]:
        closed, finished = self.last("incident.closed"), self.last("order.finished")
        checks = self.of("verify.done")
        failed = [one for one in checks if one["data"].get("status") != "success"]
        centre = self.last("incident.verified").get("passed")
        passed = centre if centre is not None else (not failed if checks else None)
        outcome = closed.get("outcome")
        return {
            "status": "success" if outcome in {"resolved", "no_action_needed"} else outcome,
            "outcome": outcome,
            "summary": closed.get("summary"),
            "resolution_time_seconds": _seconds(None if ended is None else ended - started),
            "verification_passed": passed,
            "rollback_triggered": bool(self.of("undo.done")) or finished.get("outcome") in _UNDONE,
            "left_behind": finished.get("left_behind", []),
            "human_intervention_required": bool(self.of("approval.requested"))
            or outcome in {"failed", "escalated", "expired"},
        }


def _execution(
    intent: Mapping[str, Any],
    ended: Mapping[str, Mapping[str, Any]],
    refused: Mapping[str, Mapping[str, Any]],
) -> dict[str, Any]:
    data = intent["data"]
    order_id = data.get("order_id")
    end = ended.get(order_id) or refused.get(order_id)
    said = end["data"] if end else {}
    result = said.get("outcome", "REFUSED" if order_id in refused else None)
    measured = said.get("duration_ms")
    if measured is None and end is not None:
        measured = end["ts_ms"] - intent["ts_ms"]
    return {
        "execution_id": order_id,
        "timestamp": _timestamp(intent["ts_ms"]),
        "playbook": data.get("playbook"),
        "dry_run": data.get("dry_run", False),
        "result": None if result is None else str(result).lower(),
        "duration": _seconds(measured),
        "reason": said.get("reason"),
    }


def _metadata(
    entries: Sequence[audit_log.StoredEntry], story: _Story, commitment: Commitment
) -> dict[str, Any]:
    lines = (commitment.checkpoint or "").split("\n")
    signed = len(lines) > 2  # noqa: PLR2004 - origin, size, root
    return {
        "s3_object_lock": {
            "mode": commitment.lock_mode,
            "retain_until": commitment.retain_until,
            "note": "no object store is configured; the log and its witnesses are the evidence"
            if commitment.lock_mode == "NONE"
            else "verify by version id; a lock does not hide later versions",
        },
        "hash_chain": {
            "current_hash": f"sha256:{merkle.leaf_hash(entries[-1].stored).hex()}",
            "previous_hash": None
            if commitment.previous_hash is None
            else f"sha256:{commitment.previous_hash.hex()}",
        },
        "merkle_log": {
            "origin": lines[0] if signed else None,
            "tree_size": int(lines[1]) if signed else None,
            "root": lines[2] if signed else None,
            "entries": [one.index for one in entries],
            "witnesses": list(commitment.cosigned_by),
        },
        "signature": {
            "algorithm": "Ed25519",
            "key_id": commitment.log_key_id,
            "checkpoint": commitment.checkpoint,
        },
        "compliance_tags": sorted({control for one in story.fields for control in one["controls"]}),
    }


def _timestamp(ms: int | None) -> str | None:
    if ms is None:
        return None
    at = _EPOCH + timedelta(milliseconds=ms)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _seconds(ms: int | None) -> int | float | None:
    if ms is None:
        return None
    return ms // 1000 if ms % 1000 == 0 else ms / 1000


def _number(value: Any) -> Any:
    """Show a decimal that travelled as text as a number, empty text as null."""
    if value == "":
        return None
    if isinstance(value, str) and _NUMBER.match(value):
        return float(value) if any(c in value for c in ".e") else int(value)
    return value
