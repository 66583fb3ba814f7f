"""Keep questions to people and their answers.

Called by controlplane (engine, api). Offered by adapters.sql_store.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from sentienguard.model import errors
from sentienguard.model.approval import Agreement, Approval, ApprovalStatus
from sentienguard.model.ids import ApprovalId, IncidentId


class NoSuchApproval(errors.Rejected):
    """No approval has this id."""

    @classmethod
    def called(cls, approval: str) -> "NoSuchApproval":
        """Return what is said alike of one that is not there and of one that may not be seen."""
        return cls(f"no approval is called {approval[:80]!a}; list approvals to find its id")


class AlreadyDecided(errors.Rejected):
    """The question was answered, has expired or was withdrawn; see its status."""


class ApprovalStore(Protocol):
    """Approvals by id and by incident."""

    def open(self, approval: Approval) -> None:
        """Keep a question; the same id again changes nothing."""

    def get(self, approval: ApprovalId) -> Approval:
        """Return one. Raises NoSuchApproval."""

    def of(self, incident: IncidentId) -> Approval | None:
        """Return the question of an incident, where one was asked."""

    def decide(
        self, approval: ApprovalId, status: ApprovalStatus, *, by: str, at: datetime, note: str
    ) -> Approval:
        """Answer a pending question, once. Raises NoSuchApproval, AlreadyDecided.

        APPROVED or DENIED after `expires_at` raises AlreadyDecided too.
        """

    def agree(self, agreement: Agreement) -> None:
        """Keep a person's yes to a pending question; the last of each person counts.

        Raises NoSuchApproval, AlreadyDecided.
        """

    def agreements(self, approval: ApprovalId) -> Sequence[Agreement]:
        """Return who said yes, in their order."""

    def agreements_of(
        self, approvals: Collection[ApprovalId]
    ) -> Mapping[ApprovalId, Sequence[Agreement]]:
        """Return the same of several questions; those without a yes are left out.

        For a few hundred at a time.
        """

    def list(self, status: ApprovalStatus | None, *, within: Collection[str]) -> Sequence[Approval]:
        """List those of some environments newest first, at most 500."""
