"""What crosses the public API about incidents, as OpenAPI sees it: from reading to report.

Times are RFC 3339 in UTC. Lists are pages: `items` and an opaque `next_cursor`.
"""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from sentienguard.controlplane.api import advice_schemas, care_schemas


class Trend(BaseModel):
    """Where the series is going."""

    per_hour: float
    hours_to_exhaustion: float | None
    soonest_hours: float | None = Field(description="the interval; null where there is none")
    latest_hours: float | None = Field(description="the same; null also where it may be never")


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
    ground: Literal["baseline", "limit", "trend", "alert", "silence", "deviation", "request"]
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
        "expired, self_recovered or fixed_by_person; null while it is not closed"
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
    assigned_to: str | None = None
    acknowledged_by: str | None = None


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
    io_bytes_per_s: float = 0.0  # 0: not measured, or nothing moved


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


class ChangeSeen(BaseModel):
    """Something that somebody changed before the decision. Untrusted text, redacted."""

    id: str
    at: datetime
    service: str = Field(description="that was changed; empty if nobody said")
    kind: str = Field(description="deploy, commit, flag, config, scale or event")
    version: str
    by: str
    summary: str


class EvidenceView(BaseModel):
    """What was known when the decision was made."""

    taken_at: datetime
    recent: list[tuple[datetime, float]]
    related: dict[str, float]
    top_processes: list[ProcessView]
    top_paths: list[PathView]
    log_lines: list[LogView]
    similar: list[PastView]
    changes: list[ChangeSeen] = Field(description="before the decision, newest first")
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


class AgreementView(BaseModel):
    """One yes of several that a question needs."""

    by: str
    at: datetime
    note: str


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
    parameters: dict[str, str] = Field(description="of the order that a yes releases")
    needed: int = Field(description="people who have to say yes")
    agreed: list[str] = Field(description="who said yes so far, where several have to")
    agreements: list[AgreementView] = Field(description="the same with their times, in their order")
    lapsed: list[str] = Field(
        default=[],
        description="whose yes counts no more while the question waits, and why: they lost their "
        "role, or what they signed is over and they have to sign again",
    )
    signed: bool = Field(description="hosts take a yes that an approver of the root signed")
    requested_by: str | None = Field(
        description="who asked for this playbook by name, while the question waits: they may "
        "withdraw it with a no, and somebody else has to approve it"
    )


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
    care: care_schemas.CareView
    anomaly: Anomaly
    decision: DecisionView | None
    approval: ApprovalView | None
    order: OrderView | None
    advice: advice_schemas.AdviceView | None = Field(
        default=None, description="What an adviser thinks of it; null: none was asked"
    )
    timeline: list[TimelineEntry]


class AlikeView(BaseModel):
    """An earlier incident that is about much the same."""

    incident: IncidentSummary
    cosine: float = Field(description="How alike, 1 is the same; for showing, decides nothing")
