"""The centre's questions to people in memory, with who said yes.

Called by `centre`. `database` has the rules of all stores.
"""

import dataclasses
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime

from sentienguard.model.approval import Agreement, Approval, ApprovalStatus
from sentienguard.model.ids import ApprovalId, IncidentId
from sentienguard.ports import approval_store
from sentienguard.simulation.stores.database import Database, unwatched


class Approvals:
    """A ports.approval_store.ApprovalStore."""

    def __init__(self, database: Database) -> None:
        """Begin empty."""
        self._database = database
        self.rows: dict[ApprovalId, Approval] = {}
        self.yeses: dict[tuple[ApprovalId, str], Agreement] = {}
        self.decided: Callable[[Approval], None] = unwatched

    def open(self, approval: Approval) -> None:
        """Keep a question; the same id again changes nothing."""
        self._database.write("question")
        self.rows.setdefault(approval.id, approval)
        self._database.wrote("question")

    def get(self, approval: ApprovalId) -> Approval:
        """Return one. Raises NoSuchApproval."""
        self._database.read()
        found = self.rows.get(approval)
        if found is None:
            raise approval_store.NoSuchApproval(f"no question {approval}")
        return found

    def of(self, incident: IncidentId) -> Approval | None:
        """Return the question of an incident, where one was asked."""
        self._database.read()
        return next((one for one in self.rows.values() if one.incident == incident), None)

    def agree(self, agreement: Agreement) -> None:
        """Keep a yes. Raises NoSuchApproval, AlreadyDecided."""
        self._database.write("agreement")
        found = self.get(agreement.approval)
        if found.status is not ApprovalStatus.PENDING or self.late(found, agreement.at):
            raise approval_store.AlreadyDecided(f"{found.id} is {found.status}")
        self.yeses[found.id, agreement.by] = agreement
        self._database.wrote("agreement")

    def agreements(self, approval: ApprovalId) -> Sequence[Agreement]:
        """Return who said yes, in their order."""
        self._database.read()
        return [one for one in self.yeses.values() if one.approval == approval]

    def agreements_of(
        self, approvals: Collection[ApprovalId]
    ) -> Mapping[ApprovalId, Sequence[Agreement]]:
        """Return the same of several questions."""
        found = {approval: self.agreements(approval) for approval in approvals}
        return {approval: agreed for approval, agreed in found.items() if agreed}

    def decide(
        self, approval: ApprovalId, status: ApprovalStatus, *, by: str, at: datetime, note: str
    ) -> Approval:
        """Answer a pending question, once. Raises NoSuchApproval, AlreadyDecided."""
        self._database.write("answer")
        found = self.get(approval)
        person = status in {ApprovalStatus.APPROVED, ApprovalStatus.DENIED}
        if found.status is not ApprovalStatus.PENDING or (person and self.late(found, at)):
            raise approval_store.AlreadyDecided(f"{approval} is {found.status}")
        decided = dataclasses.replace(found, status=status, decided_by=by, decided_at=at, note=note)
        self.rows[approval] = decided
        self.decided(decided)
        self._database.wrote("answer")
        return decided

    def late(self, approval: Approval, at: datetime) -> bool:
        """Tell whether a person's answer comes too late."""
        return at > approval.expires_at

    def list(self, status: ApprovalStatus | None, *, within: Collection[str]) -> Sequence[Approval]:
        """List newest first."""
        self._database.read()
        found = [one for one in reversed(self.rows.values()) if status in {None, one.status}]
        return [one for one in found if one.environment in within]
