"""A question to people, and its life: PENDING -> APPROVED | DENIED | EXPIRED | WITHDRAWN.

Where several people have to say yes, each yes is an `Agreement` and the last one approves.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

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
    parameters: Mapping[str, str] = field(default_factory=dict)  # of the order that a yes releases
    needed: int = 1  # people who have to say yes
    signed: bool = False  # hosts take a yes that an approver of the root signed, and no other


@dataclass(frozen=True, slots=True)
class Agreement:
    """One person's yes to a question that needs several, or that hosts want signed."""

    approval: ApprovalId
    by: str
    at: datetime
    note: str = ""
    signature: Mapping[str, Any] | None = None  # the envelope that hosts judge; None: unsigned
