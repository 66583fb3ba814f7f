"""What an entry of the log means to people: one notice, or nothing.

Called by controlplane.notice_desk for each entry, in order. Rules:

1. Only what the log holds is told. Text of hosts and alerts is redacted and printable
   (stages.observe.redact) before it stands in a notice; no service's markup is meant by it.
2. A question can be answered from its message only while it is open; every later message about the
   incident carries none.
3. What ends in people's hands carries what was tried, and what the playbook would have done.
4. It also carries what people did about the same before, in their words: whoever is called at night
   begins where the last one ended.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sentienguard.model.anomaly import Severity
from sentienguard.model.approval import Approval, ApprovalStatus
from sentienguard.model.care import HANDED_TO_PEOPLE, Care
from sentienguard.model.incident import Incident, Outcome
from sentienguard.model.notice import Notice, NoticeKind, Question
from sentienguard.ports.audit_log import StoredEntry
from sentienguard.stages.audit import record
from sentienguard.stages.observe import redact

MOST_LINES: Final = 40
MOST_SETTLED: Final = 3  # earlier ones of which people hear how they were settled
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MARKS: Final = {"success": "done", "SUCCESS": "done"}


@dataclass(frozen=True, slots=True)
class Known:
    """What a notice is made from besides its entry."""

    incident: Incident
    approval: Approval | None  # the question of this incident as it is now
    entries: Sequence[StoredEntry]  # all that the log knows of this incident
    # What the decided playbook would do, a line each step, and what people did about it before.
    runbook: Sequence[str]
    base: str  # address of the dashboard without a slash at its end; empty: unknown
    needs_signature: bool  # an approval counts only with a person's signature


def notice(entry: StoredEntry, known: Known) -> Notice | None:
    """Return what people hear of an entry; None: nothing."""
    fields = entry.fields
    tell = TOLD.get(fields["kind"])
    return None if tell is None else tell(fields, known)


def clean(text: object) -> str:
    """Return text as people may see it (rule 1)."""
    return redact.line(str(text))


def tried(entries: Sequence[StoredEntry]) -> list[str]:
    """Return what was tried, a line each: steps, checks, undoing, and what was left behind."""
    said: list[str] = []
    for one in record.believed(entries):
        data = one["data"]
        match one["kind"]:
            case "order.intent":
                mode = "dry run of " if data.get("dry_run") else ""
                said.append(f"{mode}{clean(data.get('playbook'))} {clean(data.get('version', ''))}")
            case "order.refused":
                said.append(f"the host refused: {clean(data.get('reason'))}")
            case "precheck.done" | "step.done" | "verify.done" | "undo.done":
                said.append(_step(one["kind"], data))
            case "order.finished":
                said.append(f"ended as {clean(data.get('outcome'))}: {clean(data.get('reason'))}")
                said += [f"not undone: {clean(left)}" for left in data.get("left_behind", [])]
            case _:
                continue
    return said


def settled_before(found: Sequence[Care]) -> list[str]:
    """Return how people settled earlier incidents of the same kind, newest first (rule 4)."""
    lines = []
    for one in found:
        if one.settled is not None:
            why = f": {clean(one.settled_because)}" if one.settled_because else ""
            who = redact.printable(one.settled.by)[:200]
            lines.append(f"- {one.settled.at:%Y-%m-%d} {who} fixed it by hand{why}")
    return ["Settled before:", *lines[:MOST_SETTLED]] if lines else []


def _step(kind: str, data: Mapping[str, Any]) -> str:
    what = {"precheck.done": "check", "step.done": "step", "verify.done": "verify"}.get(
        kind, "undo"
    )
    status = str(data.get("status", data.get("result", "")))
    detail = f": {clean(data['detail'])}" if data.get("detail") else ""
    return f"{what} {clean(data.get('name', ''))} {_MARKS.get(status, clean(status))}{detail}"


def _made(
    fields: Mapping[str, Any],
    known: Known,
    kind: NoticeKind,
    title: str,
    lines: Sequence[str],
    **more: Any,
) -> Notice:
    incident = known.incident
    series = incident.anomaly.series
    return Notice(
        kind=kind,
        incident=incident.id,
        environment=incident.environment,
        host=clean(incident.host),
        severity=incident.anomaly.severity,
        title=title,
        lines=tuple(line for line in lines if line)[:MOST_LINES],
        at=_EPOCH + timedelta(milliseconds=fields["ts_ms"]),
        page=f"{known.base}/incidents/{incident.id}" if known.base else "",
        facts={
            "metric": clean(series.metric),
            "subject": clean(series.subject),
            "value": f"{incident.anomaly.value:.6g}",
            "ground": incident.anomaly.ground.value,
            "status": incident.status.value,
            "outcome": incident.outcome.value if incident.outcome else "",
        },
        **more,
    )


def _opened(fields: Mapping[str, Any], known: Known) -> Notice:
    incident = known.incident
    title = f"{clean(incident.host)}: {clean(incident.anomaly.reason)}"
    lines = [f"Environment: {incident.environment}", f"Severity: {incident.anomaly.severity.value}"]
    if incident.earlier:
        lines.append(f"Seen {len(incident.earlier)} times in the last 30 days")
    return _made(fields, known, NoticeKind.OPENED, title, lines)


def _asked(fields: Mapping[str, Any], known: Known) -> Notice | None:
    return _question(fields, known, NoticeKind.APPROVAL, [])


def _agreed(fields: Mapping[str, Any], known: Known) -> Notice | None:
    data = fields["data"]
    names = [one for one in str(data.get("approvers", "")).split(", ") if one]
    who = redact.printable(str(fields["actor"]))[:200]
    note = f": {clean(data['note'])}" if data.get("note") else ""
    said = f"{len(names)} of {clean(data.get('needed', ''))}: {who} agreed{note}"
    return _question(fields, known, NoticeKind.AGREED, [said])


def _question(
    fields: Mapping[str, Any], known: Known, kind: NoticeKind, first: Sequence[str]
) -> Notice | None:
    asked = known.approval
    if asked is None or asked.status is not ApprovalStatus.PENDING:
        return None  # read late: what became of it is told by its own entry
    lines = [*first, *(clean(line) for line in asked.question.splitlines())]
    lines.append(f"Answer until {asked.expires_at:%Y-%m-%d %H:%M} UTC")
    question = Question(
        approval=asked.id,
        digest=asked.digest,
        playbook=asked.playbook,
        expires_at=asked.expires_at,
        needs_signature=known.needs_signature,
    )
    return _made(fields, known, kind, "Approval Required", lines, question=question)


def _answered(fields: Mapping[str, Any], known: Known) -> Notice | None:
    data = fields["data"]
    decision, asked = str(data.get("decision", "")), known.approval
    if decision not in {"approved", "denied"} or asked is None:
        return None  # it expired or was withdrawn: the incident's end says so
    who = str(fields["actor"])
    note = f": {clean(data['note'])}" if data.get("note") else ""
    title = f"{decision.capitalize()}: {asked.playbook} on {clean(known.incident.host)}"
    lines = [f"{decision.capitalize()} by {redact.printable(who)[:200]}{note}"]
    return _made(fields, known, NoticeKind.ANSWERED, title, lines)


def _closed(fields: Mapping[str, Any], known: Known) -> Notice:
    data, incident = fields["data"], known.incident
    outcome = Outcome(data["outcome"])
    seconds = round(int(data.get("duration_ms", 0)) / 1000)
    host, summary = clean(incident.host), clean(data.get("summary", ""))
    done = tried(known.entries)
    if outcome in HANDED_TO_PEOPLE:  # rule 3
        lines = [summary, f"What is wrong: {clean(incident.anomaly.reason)}"]
        lines += (
            ["What was tried:", *(f"- {line}" for line in done)] if done else ["Nothing was tried."]
        )
        if known.runbook:
            lines += ["Runbook:", *known.runbook]
        title = f"Needs a person: {host}: {clean(incident.anomaly.reason)}"
        return _made(fields, known, NoticeKind.ESCALATED, title, lines)
    ran = next((one for one in record.believed(known.entries) if one["kind"] == "order.intent"), {})
    playbook = clean(ran["data"].get("playbook")) if ran else ""
    title = {
        Outcome.RESOLVED: f"Auto-resolved: {playbook} on {host} ({seconds}s)",
        Outcome.NO_ACTION_NEEDED: f"No action needed on {host} ({seconds}s)",
        Outcome.SELF_RECOVERED: f"Recovered by itself: {host} ({seconds}s)",
        Outcome.FIXED_BY_PERSON: f"Closed by a person: {host}",
    }.get(outcome, f"{outcome.value}: {host}")
    kind = NoticeKind.HANDLED if outcome is Outcome.FIXED_BY_PERSON else NoticeKind.RESOLVED
    return _made(fields, known, kind, title, [summary], over=True)


def _acknowledged(fields: Mapping[str, Any], known: Known) -> Notice:
    who = redact.printable(str(fields["actor"]))[:200]
    title = f"{who} has it in hand: {clean(known.incident.host)}"
    note = fields["data"].get("note")
    return _made(fields, known, NoticeKind.HANDLED, title, [clean(note)] if note else [])


def _settled(fields: Mapping[str, Any], known: Known) -> Notice:
    who = redact.printable(str(fields["actor"]))[:200]
    title = f"Closed by {who}: {clean(known.incident.host)}"
    lines = [clean(fields["data"].get("reason", ""))]
    return _made(fields, known, NoticeKind.HANDLED, title, lines, over=True)


TOLD: Final[Mapping[str, Callable[[Mapping[str, Any], Known], Notice | None]]] = {
    "incident.opened": _opened,
    "approval.requested": _asked,
    "approval.agreed": _agreed,
    "approval.decided": _answered,
    "incident.closed": _closed,
    "incident.acknowledged": _acknowledged,
    "incident.settled": _settled,
}


def trial(at: datetime, by: str, base: str) -> Notice:
    """Return the notice with which somebody tries a channel."""
    return Notice(
        kind=NoticeKind.TEST,
        incident="",  # type: ignore[arg-type]  # about none
        environment="",
        host="",
        severity=Severity.INFO,
        title="SentienGuard can reach this channel",
        lines=(f"Sent by {redact.printable(by)[:200]} to try it.",),
        at=at,
        page=base,
        over=True,
    )
