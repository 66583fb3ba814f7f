"""What people are told about an incident, before any chat or mail service has words for it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sentienguard.model.anomaly import Severity
from sentienguard.model.ids import ApprovalId, Digest, IncidentId


class NoticeKind(StrEnum):
    """Why people hear of it."""

    OPENED = "opened"  # something is wrong
    APPROVAL = "approval"  # a question waits for a person
    AGREED = "agreed"  # one said yes, and more have to: the question stands
    ANSWERED = "answered"  # somebody answered, or the question ended
    RESOLVED = "resolved"  # over: a remedy worked, nothing was needed, or it went by itself
    ESCALATED = "escalated"  # in people's hands now
    HANDLED = "handled"  # a person has it in hand, or closed it
    EMERGENCY = "emergency"  # somebody was given a right for minutes, or asks for one
    UPKEEP = "upkeep"  # a key of ours needs people before its time ends, or an identity
    DIGEST = "digest"  # many at once, in one message
    TEST = "test"  # somebody wants to see whether it arrives


@dataclass(frozen=True, slots=True)
class Question:
    """What a person can answer from a message."""

    approval: ApprovalId
    digest: Digest  # of the playbook that the answer would be about
    playbook: str
    expires_at: datetime
    needs_signature: bool  # a click is not enough: it leads to the page where people sign


@dataclass(frozen=True, slots=True)
class Notice:
    """One message. All text is redacted, printable and bounded; no service's markup is in it."""

    kind: NoticeKind
    incident: IncidentId  # what several messages are about; empty for a digest or a test
    environment: str
    host: str
    severity: Severity
    title: str  # one line
    lines: tuple[str, ...]  # what there is to say, a line each
    at: datetime
    page: str  # address of the incident on the dashboard; empty where nobody said which
    question: Question | None = None  # None: there is nothing to answer (any more)
    over: bool = False  # nobody has to do anything any more
    facts: Mapping[str, str] | None = None  # the same for machines: metric, value, playbook ...
