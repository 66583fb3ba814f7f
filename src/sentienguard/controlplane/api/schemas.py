"""What crosses the public API, as OpenAPI sees it. The dashboard's client is generated from this.

Times are RFC 3339 in UTC. Lists are pages: `items` and an opaque `next_cursor`.
"""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field


class Problem(BaseModel):
    """An error as RFC 9457 problem+json."""

    type: str
    title: str
    status: int
    detail: str
    instance: str | None = None


class Trend(BaseModel):
    """Where the series is going."""

    per_hour: float
    hours_to_exhaustion: float | None


class Baseline(BaseModel):
    """What is normal at this time of day."""

    mean: float
    stddev: float
    p50: float
    p95: float
    p99: float
    samples: int
    seasonal: bool


class Anomaly(BaseModel):
    """The reading that opened the incident."""

    metric: str
    subject: str
    at: datetime
    value: float
    severity: Literal["info", "warning", "critical"]
    ground: Literal["baseline", "limit", "trend", "alert"]
    sigma: float | None
    baseline: Baseline | None
    trend: Trend | None
    reason: str


class IncidentSummary(BaseModel):
    """One row of the list of incidents."""

    id: str
    host: str
    environment: str
    status: Literal["OPEN", "ANALYZING", "AWAITING_APPROVAL", "MITIGATING", "VERIFYING", "CLOSED"]
    outcome: str | None = Field(
        description="resolved, no_action_needed, rolled_back, failed, rejected, escalated, "
        "expired or self_recovered; null while it is not closed"
    )
    severity: Literal["info", "warning", "critical"]
    metric: str
    subject: str
    value: float
    summary: str
    opened_at: datetime
    closed_at: datetime | None
    duration_s: float | None
    earlier: list[str]


class IncidentPage(BaseModel):
    """One page of incidents, newest first."""

    items: list[IncidentSummary]
    next_cursor: str | None


class Score(BaseModel):
    """One part of a score or of the confidence."""

    name: str
    value: float
    because: str


class CandidateView(BaseModel):
    """A playbook that was considered."""

    playbook: str
    version: str
    digest: str
    score: float
    items: list[Score]


class ConfidenceView(BaseModel):
    """The probability that the playbook resolves the incident."""

    value: float
    low: float
    high: float
    items: list[Score]


class VerdictView(BaseModel):
    """What one policy rule would allow at most."""

    rule: str
    route: Literal["RUN", "RUN_AND_VERIFY", "ASK", "DRY_RUN", "ESCALATE"]
    reason: str
    deciding: bool


class ProcessView(BaseModel):
    """A process among the top consumers."""

    pid: int
    name: str
    cpu_percent: float
    memory_bytes: int


class PathView(BaseModel):
    """A file or directory among the top consumers."""

    path: str
    bytes: int
    growth_bytes_per_hour: float


class LogView(BaseModel):
    """A log line, redacted on the host."""

    at: datetime
    file: str
    text: str


class PastView(BaseModel):
    """An earlier incident of the same kind."""

    id: str
    opened_at: datetime
    playbook: str | None
    outcome: str | None


class EvidenceView(BaseModel):
    """What was known when the decision was made."""

    taken_at: datetime
    recent: list[tuple[datetime, float]]
    related: dict[str, float]
    top_processes: list[ProcessView]
    top_paths: list[PathView]
    log_lines: list[LogView]
    similar: list[PastView]
    text: str


class DecisionView(BaseModel):
    """What was decided, with every reason."""

    at: datetime
    route: Literal["RUN", "RUN_AND_VERIFY", "ASK", "DRY_RUN", "ESCALATE"]
    playbook: str | None
    version: str | None
    digest: str | None
    parameters: dict[str, str]
    confidence: ConfidenceView | None
    candidates: list[CandidateView]
    verdicts: list[VerdictView]
    evidence: EvidenceView


class StepView(BaseModel):
    """What one pre-check, step, verification or undo did."""

    phase: Literal["pre_check", "step", "verify", "undo"]
    name: str
    status: str = Field(
        description="success, skipped, failed, timed_out, stopped, not_undoable, would_run, warned"
    )
    detail: str
    started_at: datetime
    duration_ms: int
    exit_code: int | None
    stdout: str
    stderr: str


class OrderView(BaseModel):
    """The order and the host's report."""

    id: str
    status: str = Field(description="released, delivered, admitted, refused, finished or withdrawn")
    released_at: datetime
    dry_run: bool
    refused_because: str | None
    stop_requested_by: str | None
    outcome: str | None = Field(
        description="SUCCESS, SUCCESS_NO_ACTION, DRY_RUN, REFUSED, ABORTED, ROLLED_BACK, "
        "PARTIALLY_ROLLED_BACK or UNKNOWN; null before the report"
    )
    reason: str | None
    left_behind: list[str]
    steps: list[StepView]


class ApprovalView(BaseModel):
    """A question to people."""

    id: str
    incident: str
    environment: str
    playbook: str
    question: str
    reason: str
    opened_at: datetime
    expires_at: datetime
    status: Literal["pending", "approved", "denied", "expired", "withdrawn"]
    decided_by: str | None
    decided_at: datetime | None
    note: str


class TimelineEntry(BaseModel):
    """One fact of the incident's story, from the audit log."""

    index: int = Field(description="leaf index in the audit log")
    at: datetime
    stage: Literal["observe", "detect", "decide", "execute", "audit"]
    kind: str
    source: str
    actor: str
    title: str
    data: dict[str, Any]


class IncidentStory(BaseModel):
    """One incident, whole."""

    incident: IncidentSummary
    agent_id: str
    tags: dict[str, str]
    anomaly: Anomaly
    decision: DecisionView | None
    approval: ApprovalView | None
    order: OrderView | None
    timeline: list[TimelineEntry]


class HostView(BaseModel):
    """One enrolled host."""

    agent_id: str
    host: str
    environment: str
    tags: dict[str, str]
    enrolled_at: datetime
    last_seen: datetime | None
    silent: bool = Field(description="nothing heard for three sampling intervals")
    open_incidents: int
    metrics: dict[str, float] = Field(description="latest values by `metric` or `metric[subject]`")


class SeriesView(BaseModel):
    """Readings of one series with its baseline."""

    metric: str
    subject: str
    points: list[tuple[datetime, float]]
    baseline: Baseline | None


class PlaybookView(BaseModel):
    """One playbook of the signed catalogue."""

    name: str
    version: str
    digest: str
    description: str
    risk: Literal["SAFE", "WARNING", "CRITICAL"]
    system: str
    resource: str
    symptom: str
    approval_required: bool
    steps: list[str]
    runs: int = Field(description="finished orders")
    resolved: int
    yaml: str | None = Field(default=None, description="only when one playbook is asked for")


class CheckpointView(BaseModel):
    """The newest signed checkpoint of the audit log."""

    origin: str
    size: int
    root: str
    signed_at: datetime | None
    note: str
    cosigned_by: list[str]
    exposure_s: float | None = Field(description="age of the newest checkpoint a witness holds")


class AuditEntryView(BaseModel):
    """One leaf of the audit log."""

    index: int
    at: datetime
    kind: str
    source: str
    actor: str
    incident: str
    leaf_hash: str
    data: dict[str, Any]


class AuditPage(BaseModel):
    """One page of leaves, newest first."""

    items: list[AuditEntryView]
    next_cursor: str | None


class ProofView(BaseModel):
    """An inclusion proof that anyone can check against the checkpoint."""

    index: int
    leaf: str = Field(description="the stored bytes of the leaf, as text")
    leaf_hash: str
    tree_size: int
    path: list[str]
    checkpoint: str


class Finding(BaseModel):
    """One result of a verification."""

    check: str
    passed: bool
    detail: str


class VerificationView(BaseModel):
    """The result of a full verification of the audit log."""

    passed: bool
    entries: int
    seconds: float
    findings: list[Finding]


class Me(BaseModel):
    """Who is asking, and what they may do where."""

    name: str
    roles: dict[str, str]
    permissions: dict[str, list[str]]
    evaluation_trust: bool = Field(
        description="true: all keys were made on this machine and the offline ones are still here"
    )


class Login(BaseModel):
    """Name and password."""

    name: str = Field(min_length=1, max_length=200)
    password: str = Field(min_length=1, max_length=1000)


class LoginAnswer(BaseModel):
    """A session token; browsers get it as a cookie as well."""

    token: str
    expires_at: datetime


class AnswerNote(BaseModel):
    """Why a person approved, denied or stopped."""

    note: str = Field(default="", max_length=2000)


class FreezeView(BaseModel):
    """The kill switch."""

    frozen: bool
    by: str | None = None
    at: datetime | None = None
    reason: str | None = None


class FreezeRequest(BaseModel):
    """Why everything shall stop."""

    reason: str = Field(min_length=1, max_length=500)


class SilenceView(BaseModel):
    """What shall not be acted on for a while."""

    id: str
    host_pattern: str
    metric_pattern: str
    starts_at: datetime
    ends_at: datetime
    by: str
    reason: str


class SilenceRequest(BaseModel):
    """A new silence, from now on."""

    host_pattern: str = Field(min_length=1, max_length=200)
    metric_pattern: str = Field(default="*", min_length=1, max_length=200)
    minutes: int = Field(ge=1, le=30 * 24 * 60)
    reason: str = Field(min_length=1, max_length=500)


class UserView(BaseModel):
    """An account."""

    name: str
    roles: dict[str, str]


class UserRequest(BaseModel):
    """A new account."""

    name: str = Field(min_length=1, max_length=200)
    password: str = Field(min_length=12, max_length=1000)
    roles: dict[str, Literal["observer", "remediation_authority", "administrator"]]


class RolesRequest(BaseModel):
    """New roles by environment."""

    roles: dict[str, Literal["observer", "remediation_authority", "administrator"]]


class TokenRequest(BaseModel):
    """A join token for one agent."""

    environment: str = Field(min_length=1, max_length=64)
    host: str | None = Field(default=None, max_length=253)


class TokenAnswer(BaseModel):
    """A join token, shown once, and what `sentienguard-agent enroll` needs beside it."""

    token: str
    expires_at: datetime
    server: str
    pin: str
    root_digest: str


class WebhookTokenRequest(BaseModel):
    """A token for a system that sends to a webhook."""

    purpose: Literal["alertmanager"]
    environment: str = Field(min_length=1, max_length=64)


class WebhookTokenView(BaseModel):
    """A token without its secret."""

    id: str
    purpose: str
    environment: str
    made_by: str
    made_at: datetime
    revoked_at: datetime | None


class WebhookTokenAnswer(WebhookTokenView):
    """A new token, shown once, and the path that it opens."""

    token: str
    path: str


class AlertView(BaseModel):
    """One alert from outside, and what became of it."""

    number: int
    name: str
    status: Literal["firing", "resolved"]
    environment: str
    labels: dict[str, str]
    reason: str
    starts_at: datetime
    received_at: datetime
    result: str | None  # null: it waits to be dealt with
    incident: str | None


class Overview(BaseModel):
    """The numbers at the top of the dashboard."""

    open: int
    awaiting_approval: int
    closed_7d: int
    resolved_7d: int
    unattended_7d: int = Field(description="resolved with no person involved")
    median_seconds_to_resolve_7d: float | None
    hosts: int
    silent_hosts: int
    frozen: bool
