"""Keep questions to people and their answers.

Called through ports.approval_store. One UPDATE decides who answered first: it changes the row only
while the question is pending, and a person's answer only until the question expires. What people
are asked and what they wrote is sealed; nothing here searches in it.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import BindParameter, Row, bindparam, text

from sentienguard.adapters.sql_store import codec, grouping
from sentienguard.adapters.sql_store.connections import Connections, Transaction
from sentienguard.adapters.sql_store.data_keys import DataKeys
from sentienguard.adapters.sql_store.sealed_columns import (
    AGREEMENT_NOTE,
    ANSWER_NOTE,
    QUESTION,
    QUESTION_REASON,
)
from sentienguard.model import errors
from sentienguard.model.approval import Agreement, Approval, ApprovalStatus
from sentienguard.model.ids import ApprovalId, Digest, IncidentId, PlaybookName
from sentienguard.ports.approval_store import AlreadyDecided, NoSuchApproval

PLACES: BindParameter[str] = bindparam("places", expanding=True)
MAX_LISTED = 500  # more than people can look through; ports.approval_store says so too

# Keep a question, unless it was asked before.
OPEN = text("""
    INSERT INTO approvals
        (id, incident, environment, playbook, digest, question, reason, opened_us, expires_us,
         status, decided_by, decided_us, note, parameters, needed, signed)
    VALUES
        (:id, :incident, :environment, :playbook, :digest, :question, :reason, :opened_us,
         :expires_us, :status, :decided_by, :decided_us, :note, :parameters, :needed, :signed)
    ON CONFLICT (id) DO NOTHING
""")

# One question by its id.
GET = text("SELECT * FROM approvals WHERE id = :id")

# The last question of an incident.
OF_INCIDENT = text("""
    SELECT * FROM approvals WHERE incident = :incident ORDER BY opened_us DESC, id DESC LIMIT 1
""")

# A person's answer, in time and the first.
ANSWER = text("""
    UPDATE approvals
    SET status = :status, decided_by = :decided_by, decided_us = :decided_us, note = :note
    WHERE id = :id AND status = 'pending' AND expires_us >= :decided_us
""")

# The end of a question without an answer: expired or withdrawn.
END = text("""
    UPDATE approvals
    SET status = :status, decided_by = :decided_by, decided_us = :decided_us, note = :note
    WHERE id = :id AND status = 'pending'
""")

# A person's yes, the last of each: an earlier one may have lapsed.
AGREE = text("""
    INSERT INTO approval_agreements (approval, person, at_us, note, signature)
    VALUES (:approval, :person, :at_us, :note, :signature)
    ON CONFLICT (approval, person)
        DO UPDATE SET at_us = excluded.at_us, note = excluded.note, signature = excluded.signature
""")

# Who said yes, in their order.
AGREEMENTS = text("""
    SELECT * FROM approval_agreements WHERE approval = :approval ORDER BY at_us, person
""")

# The same of several questions.
AGREEMENTS_OF = text("""
    SELECT * FROM approval_agreements WHERE approval IN :approvals ORDER BY at_us, person
""").bindparams(bindparam("approvals", expanding=True))

# Questions of some environments, newest first; of several of these the index by time is followed.
LIST = text("""
    SELECT * FROM approvals WHERE environment IN :places
    ORDER BY opened_us DESC, id DESC LIMIT :limit
""").bindparams(PLACES)

# Those in one state.
LIST_BY_STATUS = text("""
    SELECT * FROM approvals WHERE status = :status AND environment IN :places
    ORDER BY opened_us DESC, id DESC LIMIT :limit
""").bindparams(PLACES)


class SqlApprovalStore:
    """Approvals in the relational store; see ports.approval_store for what each method promises."""

    def __init__(self, connections: Connections, keys: DataKeys) -> None:
        self._connections = connections
        self._keys = keys

    def open(self, approval: Approval) -> None:
        """Keep a question; the same id again changes nothing."""
        said = {
            QUESTION: approval.question,
            QUESTION_REASON: approval.reason,
            ANSWER_NOTE: approval.note,
        }
        sealed = self._keys.seal_row(approval.id, said)
        with self._connections.write() as transaction:
            transaction.change(OPEN, **_columns(approval), **sealed)

    def get(self, approval: ApprovalId) -> Approval:
        """Return one. Raises NoSuchApproval."""
        with self._connections.read() as transaction:
            return self._get(transaction, approval)

    def of(self, incident: IncidentId) -> Approval | None:
        """Return the question of an incident, the last one where it had several."""
        with self._connections.read() as transaction:
            row = transaction.row(OF_INCIDENT, incident=incident)
        return None if row is None else self._approval(row)

    def decide(
        self, approval: ApprovalId, status: ApprovalStatus, *, by: str, at: datetime, note: str
    ) -> Approval:
        """Answer a pending question, once. Raises NoSuchApproval, AlreadyDecided."""
        if status is ApprovalStatus.PENDING:
            raise errors.Rejected(
                f"approval {approval}: pending is no answer; expected approved, denied, expired "
                "or withdrawn"
            )
        by_person = status in {ApprovalStatus.APPROVED, ApprovalStatus.DENIED}
        sealed = self._keys.seal_text(note, ANSWER_NOTE, approval)
        with self._connections.write() as transaction:
            changed = transaction.change(
                ANSWER if by_person else END,
                id=approval,
                status=status,
                decided_by=by,
                decided_us=codec.micros(at),
                note=sealed,
            )
            now = self._get(transaction, approval)
        if not changed:
            raise AlreadyDecided(_why_not(now, at))
        return now

    def agree(self, agreement: Agreement) -> None:
        """Keep a person's yes. Raises NoSuchApproval, AlreadyDecided."""
        signature, at_us = agreement.signature, codec.micros(agreement.at)
        note = self._keys.seal_text(agreement.note, AGREEMENT_NOTE, agreement.approval, at_us)
        with self._connections.write() as transaction:
            found = self._get(transaction, agreement.approval)
            late = agreement.at > found.expires_at
            if found.status is not ApprovalStatus.PENDING or late:
                raise AlreadyDecided(_why_not(found, agreement.at))
            transaction.change(
                AGREE,
                approval=agreement.approval,
                person=agreement.by,
                at_us=at_us,
                note=note,
                signature=None if signature is None else codec.ENVELOPE.encode(signature),
            )

    def agreements(self, approval: ApprovalId) -> Sequence[Agreement]:
        """Return who said yes, in their order."""
        with self._connections.read() as transaction:
            rows = transaction.rows(AGREEMENTS, approval=approval)
        return tuple(self._agreement(row) for row in rows)

    def agreements_of(
        self, approvals: Collection[ApprovalId]
    ) -> Mapping[ApprovalId, Sequence[Agreement]]:
        """Return the same of several questions; those without a yes are left out."""
        if not approvals:
            return {}
        with self._connections.read() as transaction:
            rows = transaction.rows(AGREEMENTS_OF, approvals=sorted(approvals))
        return grouping.grouped(rows, lambda row: ApprovalId(row.approval), self._agreement)

    def list(self, status: ApprovalStatus | None, *, within: Collection[str]) -> Sequence[Approval]:
        """List those of some environments newest first, at most 500."""
        if not within:
            return ()
        values = {"places": sorted(within), "limit": MAX_LISTED}
        with self._connections.read() as transaction:
            if status is None:
                rows = transaction.rows(LIST, **values)
            else:
                rows = transaction.rows(LIST_BY_STATUS, status=status, **values)
        return tuple(self._approval(row) for row in rows)

    def _get(self, transaction: Transaction, approval: ApprovalId) -> Approval:
        """Return one inside a transaction. Raises NoSuchApproval."""
        row = transaction.row(GET, id=approval)
        if row is None:
            raise NoSuchApproval.called(approval)
        return self._approval(row)

    def _agreement(self, row: Row[Any]) -> Agreement:
        """Read a row of a yes."""
        signature = row.signature
        return Agreement(
            approval=ApprovalId(row.approval),
            by=row.person,
            at=codec.instant(row.at_us),
            note=self._keys.readable_text(row.note, AGREEMENT_NOTE, row.approval, row.at_us),
            signature=None if signature is None else codec.ENVELOPE.decode(signature),
        )

    def _approval(self, row: Row[Any]) -> Approval:
        """Read a row."""
        return Approval(
            id=ApprovalId(row.id),
            incident=IncidentId(row.incident),
            environment=row.environment,
            playbook=PlaybookName(row.playbook),
            digest=Digest(row.digest),
            question=self._keys.readable_text(row.question, QUESTION, row.id),
            reason=self._keys.readable_text(row.reason, QUESTION_REASON, row.id),
            opened_at=codec.instant(row.opened_us),
            expires_at=codec.instant(row.expires_us),
            status=codec.member(ApprovalStatus, row.status),
            decided_by=row.decided_by,
            decided_at=codec.instant_or_none(row.decided_us),
            note=self._keys.readable_text(row.note, ANSWER_NOTE, row.id),
            parameters={} if row.parameters is None else codec.TAGS.decode(row.parameters),
            needed=row.needed or 1,
            signed=bool(row.signed),
        )


def _why_not(approval: Approval, at: datetime) -> str:
    """Say why a question takes no answer any more."""
    if approval.status is ApprovalStatus.PENDING:
        return (
            f"approval {approval.id} expired at {approval.expires_at.isoformat()} and the answer "
            f"came at {at.isoformat()}; nothing will run"
        )
    return f"approval {approval.id} is {approval.status} already, by {approval.decided_by}"


def _columns(approval: Approval) -> dict[str, str | int | None]:
    """Return what the row of an approval holds beside its texts."""
    decided_at = approval.decided_at
    return {
        "id": approval.id,
        "incident": approval.incident,
        "environment": approval.environment,
        "playbook": approval.playbook,
        "digest": approval.digest,
        "opened_us": codec.micros(approval.opened_at),
        "expires_us": codec.micros(approval.expires_at),
        "status": approval.status,
        "decided_by": approval.decided_by,
        "decided_us": None if decided_at is None else codec.micros(decided_at),
        "parameters": codec.TAGS.encode(approval.parameters),
        "needed": approval.needed,
        "signed": int(approval.signed),
    }
