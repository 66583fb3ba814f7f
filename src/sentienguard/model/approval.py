"""A question to people, and its life: PENDING -> APPROVED | DENIED | EXPIRED | WITHDRAWN."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sentienguard.model.ids import ApprovalId, Digest, IncidentId, PlaybookName


class ApprovalStatus(StrEnum):
    """Where in its life an approval is."""

    PENDING = "pending"
    APPROVED = "approved"
    DENIED = "denied"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"  # the incident ended by itself first


@dataclass(frozen=True, slots=True)
class Approval:
    """One question about one playbook for one incident."""

    id: ApprovalId
    incident: IncidentId
    environment: str
    playbook: PlaybookName
    digest: Digest
    question: str  # what will happen, to what, at which risk
    reason: str  # the verdicts that ask for a person
    opened_at: datetime
    expires_at: datetime
    status: ApprovalStatus = ApprovalStatus.PENDING
    decided_by: str | None = None
    decided_at: datetime | None = None
    note: str = ""
