"""What crosses the public API about silences and maintenance, as OpenAPI sees it."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from sentienguard.controlplane.api import incident_schemas


class MatcherView(BaseModel):
    """One condition on one label, as Alertmanager writes it."""

    label: str = Field(
        max_length=120,
        description="host, environment, tag.<name>; of silences also metric, subject, severity",
    )
    comparison: Literal["=", "!=", "=~", "!~"] = "="
    value: str = Field(max_length=300, description="with =~ and !~ a regular expression of it all")


class RecurrenceView(BaseModel):
    """When it opens again and again."""

    cron: str = Field(
        max_length=120,
        description="minute, hour, day of month, month, day of week; 0 2 * * sun: Sundays at 2",
    )
    zone: str = Field(max_length=64, description="IANA time zone, such as Europe/Berlin")
    minutes: int = Field(ge=1, le=7 * 24 * 60, description="how long each time")


class WindowRequest(BaseModel):
    """A new silence or maintenance: what, from when, until when, and why."""

    matchers: list[MatcherView] = Field(default_factory=list, max_length=20)
    host_pattern: str | None = Field(
        default=None, max_length=200, description="short for a matcher; * and ? as in web-*"
    )
    metric_pattern: str | None = Field(default=None, max_length=200, description="the same")
    starts_at: datetime | None = Field(default=None, description="null: now")
    ends_at: datetime | None = Field(default=None, description="or `minutes`")
    minutes: int | None = Field(default=None, ge=1, le=366 * 24 * 60)
    recurrence: RecurrenceView | None = None
    reason: str = Field(min_length=1, max_length=500)


class WindowView(BaseModel):
    """A silence or a maintenance."""

    id: str
    matchers: list[MatcherView]
    starts_at: datetime
    ends_at: datetime
    recurrence: RecurrenceView | None
    state: Literal["active", "waiting", "ended"] = Field(
        description="waiting: it begins later, or it recurs and is closed now"
    )
    next_starts_at: datetime | None = Field(description="of the span that stands or comes next")
    next_ends_at: datetime | None
    by: str
    reason: str


class WindowList(BaseModel):
    """Silences or maintenance, those that have not ended by when they begin."""

    items: list[WindowView]


class PreviewRequest(BaseModel):
    """Matchers to try."""

    matchers: list[MatcherView] = Field(default_factory=list, max_length=20)
    host_pattern: str | None = Field(default=None, max_length=200)
    metric_pattern: str | None = Field(default=None, max_length=200)
    recurrence: RecurrenceView | None = None


class SpanView(BaseModel):
    """One time during which it would stand."""

    starts_at: datetime
    ends_at: datetime


class WindowPreview(BaseModel):
    """What matchers would cover now, of what the caller may see."""

    hosts: list[str] = Field(description="at most 200")
    hosts_total: int
    open_incidents: list[incident_schemas.IncidentSummary] = Field(
        description="not closed now; a silence leaves them as they are"
    )
    recent_incidents: list[incident_schemas.IncidentSummary] = Field(
        description="closed ones of the last 7 days that would not have been opened; at most 50"
    )
    spans: list[SpanView] = Field(description="the next times of a recurrence, at most 5")
