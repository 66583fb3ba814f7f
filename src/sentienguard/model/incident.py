"""An incident and its life.

OPEN -> ANALYZING -> (AWAITING_APPROVAL) -> MITIGATING -> VERIFYING -> CLOSED

From MITIGATING back to ANALYZING where the host said, before anything ran, that the remedy is not
for what it sees.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sentienguard.model.anomaly import Anomaly
from sentienguard.model.ids import AgentId, Fingerprint, IncidentId


class Status(StrEnum):
    """Where in its life an incident is."""

    OPEN = "OPEN"
    ANALYZING = "ANALYZING"
    AWAITING_APPROVAL = "AWAITING_APPROVAL"
    MITIGATING = "MITIGATING"
    VERIFYING = "VERIFYING"
    CLOSED = "CLOSED"


class Outcome(StrEnum):
    """How an incident ended."""

    RESOLVED = "resolved"  # a remedy ran, and host and centre both saw the symptom gone
    NO_ACTION_NEEDED = "no_action_needed"  # the host found the desired state already there
    ROLLED_BACK = "rolled_back"  # the remedy failed and everything it did was undone
    FAILED = "failed"  # the remedy failed and something could not be undone
    REJECTED = "rejected"  # a person said no
    ESCALATED = "escalated"  # handed to people: nothing safe to run, or it did not help
    EXPIRED = "expired"  # nobody answered in time
    SELF_RECOVERED = "self_recovered"  # gone before anything ran
    FIXED_BY_PERSON = "fixed_by_person"  # a person closed it by hand, with a reason


NEXT: Mapping[Status, frozenset[Status]] = {
    Status.OPEN: frozenset({Status.ANALYZING, Status.CLOSED}),
    Status.ANALYZING: frozenset({Status.AWAITING_APPROVAL, Status.MITIGATING, Status.CLOSED}),
    Status.AWAITING_APPROVAL: frozenset({Status.MITIGATING, Status.CLOSED}),
    Status.MITIGATING: frozenset({Status.ANALYZING, Status.VERIFYING, Status.CLOSED}),
    Status.VERIFYING: frozenset({Status.CLOSED}),
    Status.CLOSED: frozenset(),
}


@dataclass(frozen=True, slots=True)
class Incident:
    """One thing that went wrong at one place."""

    id: IncidentId
    agent: AgentId
    host: str
    environment: str
    tags: Mapping[str, str]
    fingerprint: Fingerprint
    anomaly: Anomaly  # the one that opened it
    opened_at: datetime
    status: Status = Status.OPEN
    outcome: Outcome | None = None
    closed_at: datetime | None = None
    summary: str = ""  # one sentence on how it stands, for lists
    earlier: tuple[IncidentId, ...] = ()  # same fingerprint in the last 30 days, newest first
    reopens: IncidentId | None = None  # the closed incident that a person let this one go on with
