"""What crosses the public API, as OpenAPI sees it. The dashboard's client is generated from this.

Here: hosts, playbooks, people, tokens, switches, alerts. Incidents and the audit log have files of
their own, incident_schemas and audit_schemas.

Times are RFC 3339 in UTC. Lists are pages: `items` and an opaque `next_cursor`.
"""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, Field

from sentienguard.controlplane.api import access_schemas, incident_schemas


class Problem(BaseModel):
    """An error as RFC 9457 problem+json."""

    type: str
    title: str
    status: int
    detail: str
    instance: str | None = None


class HostView(BaseModel):
    """One enrolled host."""

    agent_id: str
    host: str
    environment: str
    tags: dict[str, str]
    enrolled_at: datetime
    last_seen: datetime | None
    silent: bool = Field(description="nothing heard for three sampling intervals")
    certificate_ends: datetime | None = Field(
        description="when its certificate ends unless it is renewed; null: not known"
    )
    quarantined: str = Field(
        description="why no order goes there until a person has looked; empty: orders do"
    )
    struck_off: datetime | None = Field(description="when its key was refused; null: it is known")
    root_version: int = Field(
        description="of the root document that its executor goes by; 0: it never said"
    )
    open_incidents: int
    metrics: dict[str, float] = Field(description="latest values by `metric` or `metric[subject]`")


class BandPart(BaseModel):
    """What is usual from one moment on, until the next part begins."""

    at: datetime
    mean: float
    stddev: float


class SeriesView(BaseModel):
    """Readings of one series with its baseline."""

    metric: str
    subject: str
    points: list[tuple[datetime, float]]
    baseline: incident_schemas.Baseline | None = Field(description="for this time of day")
    band: list[BandPart] = Field(
        description="what is usual at each time of day within the span; empty: not learned"
    )


class ParameterView(BaseModel):
    """A parameter that a playbook declares."""

    name: str
    type: str
    description: str
    default: str | None = Field(description="signed with it; null: it has to be given or measured")


class PlaybookView(BaseModel):
    """One playbook of the signed catalogue."""

    name: str
    version: str
    digest: str
    description: str
    risk: Literal["SAFE", "WARNING", "CRITICAL"]
    risk_reason: str = Field(
        description="why, as the signed bytes say, else as the README of this release says about "
        "exactly these bytes; empty: nobody wrote it"
    )
    system: str
    resource: str
    symptom: str
    approval_required: bool
    steps: list[str]
    runs: int = Field(description="finished orders")
    resolved: int
    parameters: list[ParameterView]
    yaml: str | None = Field(default=None, description="only when one playbook is asked for")


class Me(BaseModel):
    """Who is asking, and what they may do where."""

    name: str
    roles: dict[str, str]
    permissions: dict[str, list[str]]
    evaluation_trust: bool = Field(
        description="true: all keys were made on this machine and the offline ones are still here"
    )


class AnswerNote(BaseModel):
    """Why a person approved, denied or stopped."""

    note: str = Field(default="", max_length=2000)


class DenyNote(BaseModel):
    """Why a person says no."""

    note: str = Field(
        default="", max_length=2000, description="why; a denial without a reason is refused"
    )


class ApproveNote(AnswerNote):
    """A yes, signed where hosts want that."""

    signature: access_schemas.SignedYes | None = None


class FreezeView(BaseModel):
    """The kill switch."""

    frozen: bool
    by: str | None = None
    at: datetime | None = None
    reason: str | None = None


class FreezeRequest(BaseModel):
    """Why everything shall stop."""

    reason: str = Field(min_length=1, max_length=500)


class UserView(BaseModel):
    """An account."""

    name: str
    roles: dict[str, str]
    ends: dict[str, datetime] = Field(description="when a role is over, by environment")


class UserRequest(BaseModel):
    """A new account."""

    name: str = Field(min_length=1, max_length=200)
    password: str = Field(min_length=12, max_length=1000)
    roles: dict[str, access_schemas.RoleName]
    ends: dict[str, AwareDatetime] = Field(
        default={}, description="when a role is over, by environment; an auditor's within 30 days"
    )


class RolesRequest(BaseModel):
    """New roles by environment."""

    roles: dict[str, access_schemas.RoleName]
    ends: dict[str, AwareDatetime] = Field(
        default={}, description="when a role is over, by environment; an auditor's within 30 days"
    )


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

    purpose: Literal[
        "alertmanager",
        "changes",
        "cloudevents",
        "datadog",
        "eventbridge",
        "eventgrid",
        "grafana",
        "otlp",
        "pagerduty",
        "prometheus",
    ]
    environment: str = Field(min_length=1, max_length=64)


SigningSecret = Annotated[str, Field(min_length=8, max_length=256)]


class SigningSecretsRequest(BaseModel):
    """The secrets with which a sender signs: the old and the new one while it changes them."""

    secrets: list[SigningSecret] = Field(max_length=3)


class WebhookTokenView(BaseModel):
    """A token without its secret."""

    id: str
    purpose: str
    environment: str
    made_by: str
    made_at: datetime
    revoked_at: datetime | None
    signing_secrets: int  # how many are registered; they are never shown


class WebhookTokenAnswer(WebhookTokenView):
    """A new token, shown once, and the path that it opens."""

    token: str
    path: str


class AlertView(BaseModel):
    """One alert from outside, and what became of it."""

    number: int
    name: str
    sender: str = Field(description="kind of system, such as grafana; empty: not known any more")
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
    quarantined_hosts: int = Field(description="no order goes there until a person has looked")
    left_to_people_7d: list[incident_schemas.IncidentSummary] = Field(
        description="the newest 5 that closed without a remedy that worked, and that nobody has "
        "acknowledged, closed by hand or reopened"
    )
    frozen: bool
