"""Our nouns as the API shows them. Translation only."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal, TypeAlias

from sentienguard.controlplane.api import audit_schemas, care_schemas, incident_schemas, schemas
from sentienguard.model.anomaly import Anomaly, Baseline
from sentienguard.model.approval import Agreement, Approval
from sentienguard.model.care import Care, needs_people
from sentienguard.model.decision import Candidate, Confidence, Decision, Route, ScoreItem
from sentienguard.model.incident import Incident
from sentienguard.model.order import ExecutionReport, StepRecord
from sentienguard.ports.audit_log import StoredEntry
from sentienguard.ports.order_store import KeptOrder
from sentienguard.stages.audit import merkle

STAGE_OF_KIND = {
    "incident.opened": "detect",
    "evidence.taken": "decide",
    "decision.made": "decide",
    "advice.given": "decide",
    "approval.requested": "decide",
    "approval.agreed": "decide",
    "approval.decided": "decide",
    "order.intent": "execute",
    "order.delivered": "execute",
    "order.admitted": "execute",
    "order.refused": "execute",
    "precheck.done": "execute",
    "step.done": "execute",
    "verify.done": "execute",
    "undo.done": "execute",
    "order.finished": "execute",
    "incident.acknowledged": "decide",
    "incident.assigned": "decide",
    "incident.noted": "decide",
    "incident.settled": "audit",
    "incident.reopened": "audit",
    "incident.verified": "audit",
    "outcome.judged": "audit",
    "incident.closed": "audit",
}


TITLES = {
    "incident.opened": "{reason}",
    "evidence.taken": "evidence snapshot: {recent} readings, {log_lines} log lines",
    "decision.made": "{route}: {playbook}",
    "advice.given": "an adviser's opinion: {hypothesis}{absent}",
    "approval.requested": "a person is asked about {playbook}",
    "approval.agreed": "one of several yeses: {approvers}",
    "approval.decided": "{decision}",
    "order.intent": "about to release {playbook} {version}",
    "order.delivered": "handed to the host",
    "order.admitted": "the host checked the order and began",
    "order.refused": "refused ({rule}): {reason}",
    "precheck.done": "{name}: {status}",
    "step.done": "{name}: {status}",
    "verify.done": "{name}: {status}",
    "undo.done": "{name}: {status}",
    "order.finished": "{outcome}: {reason}",
    "incident.acknowledged": "somebody has it in hand. {note}",
    "incident.assigned": "assigned to {to}",
    "incident.noted": "{text}",
    "incident.settled": "closed by hand: {reason}",
    "incident.reopened": "goes on as {as}: {reason}",
    "incident.verified": "{detail}",
    "outcome.judged": "whether the recovery counts for the remedy: {because}",
    "incident.closed": "{outcome}: {summary}",
}
RouteName: TypeAlias = Literal["RUN", "RUN_AND_VERIFY", "ASK", "DRY_RUN", "ESCALATE"]
ROUTES: Mapping[Route, RouteName] = {
    Route.RUN: "RUN",
    Route.RUN_AND_VERIFY: "RUN_AND_VERIFY",
    Route.ASK: "ASK",
    Route.DRY_RUN: "DRY_RUN",
    Route.ESCALATE: "ESCALATE",
}


def care(incident: Incident, found: Care) -> care_schemas.CareView:
    """Show who looks after an incident."""
    return care_schemas.CareView(
        needs_people=needs_people(incident, found),
        reminders_stopped=found.stops_reminders,
        acknowledged_by=found.acknowledged.by if found.acknowledged else None,
        acknowledged_at=found.acknowledged.at if found.acknowledged else None,
        assigned_to=found.assigned_to,
        assigned_by=found.assigned.by if found.assigned else None,
        assigned_at=found.assigned.at if found.assigned else None,
        settled_by=found.settled.by if found.settled else None,
        settled_at=found.settled.at if found.settled else None,
        settled_because=found.settled_because,
        reopens=incident.reopens,
        reopened_as=found.reopened_as,
    )


def summary(incident: Incident, cared: Care | None = None) -> incident_schemas.IncidentSummary:
    """Show one row of the list, with who looks after it where that is asked for."""
    ended = incident.closed_at
    return incident_schemas.IncidentSummary(
        id=incident.id,
        host=incident.host,
        environment=incident.environment,
        status=incident.status.value,
        outcome=incident.outcome.value if incident.outcome else None,
        severity=incident.anomaly.severity.value,
        metric=incident.anomaly.series.metric,
        subject=incident.anomaly.series.subject,
        value=incident.anomaly.value,
        summary=incident.summary,
        opened_at=incident.opened_at,
        closed_at=ended,
        duration_s=(ended - incident.opened_at).total_seconds() if ended else None,
        earlier=list(incident.earlier),
        assigned_to=cared.assigned_to if cared else None,
        acknowledged_by=cared.acknowledged.by if cared and cared.acknowledged else None,
    )


def baseline(found: Baseline | None) -> incident_schemas.Baseline | None:
    """Show a baseline."""
    if found is None:
        return None
    return incident_schemas.Baseline(
        mean=found.mean,
        stddev=found.stddev,
        p50=found.p50,
        p95=found.p95,
        p99=found.p99,
        samples=found.samples,
        seasonal=found.seasonal,
    )


def band(parts: Sequence[tuple[datetime, Baseline]]) -> list[schemas.BandPart]:
    """Show what is usual in each part of a span."""
    return [schemas.BandPart(at=at, mean=one.mean, stddev=one.stddev) for at, one in parts]


def anomaly(found: Anomaly) -> incident_schemas.Anomaly:
    """Show the reading that opened an incident."""
    trend = found.trend
    return incident_schemas.Anomaly(
        metric=found.series.metric,
        subject=found.series.subject,
        at=found.at,
        value=found.value,
        severity=found.severity.value,
        ground=found.ground.value,
        sigma=found.sigma,
        baseline=baseline(found.baseline),
        trend=incident_schemas.Trend(
            per_hour=trend.per_hour,
            hours_to_exhaustion=trend.hours_to_exhaustion,
            soonest_hours=trend.soonest_hours,
            latest_hours=trend.latest_hours,
        )
        if trend
        else None,
        reason=found.reason,
    )


def _items(items: tuple[ScoreItem, ...]) -> list[incident_schemas.Score]:
    return [
        incident_schemas.Score(name=it.name, value=it.value, because=it.because) for it in items
    ]


def _candidate(found: Candidate) -> incident_schemas.CandidateView:
    return incident_schemas.CandidateView(
        playbook=found.playbook,
        version=found.version,
        digest=found.digest,
        score=found.score,
        items=_items(found.items),
    )


def _confidence(found: Confidence | None) -> incident_schemas.ConfidenceView | None:
    if found is None:
        return None
    return incident_schemas.ConfidenceView(
        value=found.value, low=found.low, high=found.high, items=_items(found.items)
    )


def _evidence(decision: Decision) -> incident_schemas.EvidenceView:
    seen = decision.evidence
    return incident_schemas.EvidenceView(
        taken_at=seen.taken_at,
        recent=list(seen.recent),
        related=dict(seen.related),
        top_processes=[
            incident_schemas.ProcessView(
                pid=use.pid,
                name=use.name,
                cpu_percent=use.cpu_percent,
                memory_bytes=use.memory_bytes,
                io_bytes_per_s=use.io_bytes_per_s,
            )
            for use in seen.top_processes
        ],
        top_paths=[
            incident_schemas.PathView(
                path=use.path, bytes=use.bytes, growth_bytes_per_hour=use.growth_bytes_per_hour
            )
            for use in seen.top_paths
        ],
        log_lines=[
            incident_schemas.LogView(at=line.at, file=line.file, text=line.text)
            for line in seen.log_lines
        ],
        similar=[
            incident_schemas.PastView(
                id=past.id,
                opened_at=past.opened_at,
                playbook=past.playbook,
                outcome=past.outcome,
            )
            for past in seen.similar
        ],
        changes=[
            incident_schemas.ChangeSeen(
                id=change.id,
                at=change.at,
                service=change.service,
                kind=change.kind,
                version=change.version,
                by=change.by,
                summary=change.summary,
            )
            for change in seen.changes
        ],
        text=seen.text,
    )


def decision(made: Decision | None) -> incident_schemas.DecisionView | None:
    """Show a decision with every reason."""
    if made is None:
        return None
    return incident_schemas.DecisionView(
        at=made.at,
        route=ROUTES[made.route],
        playbook=made.playbook,
        version=made.version,
        digest=made.digest,
        parameters=dict(made.parameters),
        confidence=_confidence(made.confidence),
        candidates=[_candidate(found) for found in made.candidates],
        verdicts=[
            incident_schemas.VerdictView(
                rule=verdict.rule,
                route=ROUTES[verdict.route],
                reason=verdict.reason,
                deciding=verdict.route == made.route,
            )
            for verdict in made.verdicts
        ],
        evidence=_evidence(made),
    )


def approval(
    asked: Approval,
    agreed: Sequence[Agreement],
    requested_by: str | None,
    lapsed: Sequence[str] = (),
) -> incident_schemas.ApprovalView:
    """Show a question to people."""
    return incident_schemas.ApprovalView(
        id=asked.id,
        incident=asked.incident,
        environment=asked.environment,
        playbook=asked.playbook,
        question=asked.question,
        reason=asked.reason,
        opened_at=asked.opened_at,
        expires_at=asked.expires_at,
        status=asked.status.value,
        decided_by=asked.decided_by,
        decided_at=asked.decided_at,
        note=asked.note,
        parameters=dict(asked.parameters),
        needed=asked.needed,
        agreed=[one.by for one in agreed],
        lapsed=list(lapsed),
        agreements=[
            incident_schemas.AgreementView(by=one.by, at=one.at, note=one.note) for one in agreed
        ],
        signed=asked.signed,
        requested_by=requested_by,
    )


def _step(record: StepRecord) -> incident_schemas.StepView:
    return incident_schemas.StepView(
        phase=record.phase.value,
        name=record.name,
        status=record.status.value,
        detail=record.detail,
        started_at=record.started_at,
        duration_ms=record.duration_ms,
        exit_code=record.exit_code,
        stdout=record.stdout,
        stderr=record.stderr,
    )


def order(kept: KeptOrder, steps: tuple[StepRecord, ...]) -> incident_schemas.OrderView:
    """Show an order with the steps that the host has reported so far."""
    report: ExecutionReport | None = kept.report
    return incident_schemas.OrderView(
        id=kept.order.id,
        status=kept.status.value,
        released_at=kept.released_at,
        dry_run=kept.order.dry_run,
        refused_because=kept.refused_because,
        stop_requested_by=kept.stop_requested_by,
        outcome=report.outcome.value if report else None,
        reason=report.reason if report else None,
        left_behind=list(report.left_behind) if report else [],
        steps=[_step(record) for record in steps],
    )


def timeline(entry: StoredEntry) -> incident_schemas.TimelineEntry:
    """Show one leaf as one fact of the story."""
    leaf = entry.fields
    data: Mapping[str, Any] = leaf.get("data", {})
    return incident_schemas.TimelineEntry(
        index=entry.index,
        at=_moment(leaf),
        stage=STAGE_OF_KIND.get(leaf["kind"], "audit"),  # type: ignore[arg-type]  # table values
        kind=leaf["kind"],
        source=leaf["src"],
        actor=leaf["actor"],
        title=title(leaf["kind"], data),
        data=dict(data),
    )


def audit_entry(entry: StoredEntry, host: str) -> audit_schemas.AuditEntryView:
    """Show one leaf of the audit log, and the host whose agent wrote it."""
    leaf = entry.fields
    return audit_schemas.AuditEntryView(
        index=entry.index,
        at=_moment(leaf),
        kind=leaf["kind"],
        source=leaf["src"],
        actor=leaf["actor"],
        host=host,
        incident=leaf["incident"],
        leaf_hash=merkle.leaf_hash(entry.stored).hex(),
        data=dict(leaf.get("data", {})),
    )


def title(kind: str, data: Mapping[str, Any]) -> str:
    """Say one fact in a short sentence."""
    pattern = TITLES.get(kind, kind.replace(".", " "))
    said = _Said(data)
    if kind == "decision.made":
        said["route"] = str(data.get("route", "")).lower().replace("_", " ")
        said["playbook"] = data.get("playbook") or "no playbook"
    return pattern.format_map(said)


class _Said(dict[str, Any]):
    """What an entry says; what it does not say shows as nothing."""

    def __missing__(self, _key: str) -> str:
        return ""


def _moment(leaf: Mapping[str, Any]) -> datetime:
    return datetime.fromtimestamp(leaf["ts_ms"] / 1000, UTC)
