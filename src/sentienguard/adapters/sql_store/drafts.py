"""Keep drafts of playbooks and what proofs showed.

Called through ports.draft_store, whose rules are cited here. Text and case of a draft are sealed.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, text

from sentienguard.adapters.sql_store import codec
from sentienguard.adapters.sql_store.connections import Connections, Transaction
from sentienguard.adapters.sql_store.data_keys import DataKeys
from sentienguard.adapters.sql_store.sealed_columns import DRAFT, DRAFT_CASE
from sentienguard.model.ids import Digest, PlaybookName
from sentienguard.ports.draft_store import (
    Draft,
    DraftId,
    DraftMoved,
    DraftState,
    NoSuchDraft,
    Proof,
)

ADD = text("""
    INSERT INTO playbook_drafts
        (id, name, base, body, sim_case, revision, made_by, made_us, changed_by, changed_us,
         state, ended_by)
    VALUES (:id, :name, :base, :body, :sim_case, :revision, :made_by, :made_us, :changed_by,
        :changed_us, :state, '')
""")

GET = text("SELECT * FROM playbook_drafts WHERE id = :id")

# The open ones first, then the newest that ended.
LIST = text("""
    SELECT * FROM playbook_drafts
    ORDER BY CASE state WHEN 'open' THEN 0 ELSE 1 END, made_us DESC, id LIMIT 200
""")

COUNT_OPEN = text("SELECT count(*) AS found FROM playbook_drafts WHERE state = 'open'")

# Keep a change of what was read (rules 1 and 2).
CHANGE = text("""
    UPDATE playbook_drafts
    SET body = :body, sim_case = :sim_case, revision = revision + 1,
        changed_by = :changed_by, changed_us = :changed_us
    WHERE id = :id AND revision = :revision AND state = 'open'
""")

# End an open one (rule 2).
END = text("""
    UPDATE playbook_drafts SET state = :state, ended_by = :ended_by, ended_us = :ended_us
    WHERE id = :id AND state = 'open'
""")

# Keep the newest proof of the same bytes (rule 3).
PUT_PROOF = text("""
    INSERT INTO playbook_proofs
        (digest, case_digest, at_us, asked_by, release, held, failed, report)
    VALUES (:digest, :case_digest, :at_us, :asked_by, :release, :held, :failed, :report)
    ON CONFLICT (digest, case_digest) DO UPDATE
    SET at_us = :at_us, asked_by = :asked_by, release = :release, held = :held, failed = :failed,
        report = :report
""")

PROOF = text("SELECT * FROM playbook_proofs WHERE digest = :digest AND case_digest = :case_digest")

PROOFS = text("""
    SELECT * FROM playbook_proofs WHERE digest = :digest ORDER BY at_us DESC, case_digest LIMIT 20
""")


class SqlDraftStore:
    """Drafts in the relational store; see ports.draft_store."""

    def __init__(self, connections: Connections, keys: DataKeys) -> None:
        self._connections = connections
        self._keys = keys

    def add(self, draft: Draft) -> None:
        """Keep a new draft."""
        body, case = self._sealed(draft)
        with self._connections.write() as transaction:
            transaction.change(
                ADD,
                id=draft.id,
                name=draft.name,
                base=draft.base,
                body=body,
                sim_case=case,
                revision=draft.revision,
                made_by=draft.by,
                made_us=codec.micros(draft.made_at),
                changed_by=draft.changed_by,
                changed_us=codec.micros(draft.changed_at),
                state=draft.state.value,
            )

    def get(self, draft: DraftId) -> Draft:
        """Return one. Raises NoSuchDraft."""
        with self._connections.read() as transaction:
            return self._found(transaction, draft)

    def list(self) -> Sequence[Draft]:
        """Return the open ones and the newest that ended, newest first; at most 200."""
        with self._connections.read() as transaction:
            return tuple(self._draft(row) for row in transaction.rows(LIST))

    def count_open(self) -> int:
        """Return how many are open."""
        with self._connections.read() as transaction:
            row = transaction.row(COUNT_OPEN)
        return 0 if row is None else int(row.found)

    def change(self, draft: Draft) -> Draft:
        """Keep text and case as the next revision. Raises NoSuchDraft and DraftMoved."""
        body, case = self._sealed(draft)
        with self._connections.write() as transaction:
            done = transaction.change(
                CHANGE,
                id=draft.id,
                revision=draft.revision,
                body=body,
                sim_case=case,
                changed_by=draft.changed_by,
                changed_us=codec.micros(draft.changed_at),
            )
            found = self._found(transaction, draft.id)
            if not done:
                raise _moved(found, draft.revision)
            return found

    def end(self, draft: DraftId, state: DraftState, *, by: str, at: datetime) -> None:
        """End an open draft. Raises NoSuchDraft and DraftMoved."""
        with self._connections.write() as transaction:
            if not transaction.change(
                END, id=draft, state=state.value, ended_by=by, ended_us=codec.micros(at)
            ):
                found = self._found(transaction, draft)
                raise _moved(found, found.revision)

    def put_proof(self, proof: Proof) -> None:
        """Keep what a proof showed; a newer one of the same bytes takes its place."""
        with self._connections.write() as transaction:
            transaction.change(
                PUT_PROOF,
                digest=proof.digest,
                case_digest=proof.case,
                at_us=codec.micros(proof.at),
                asked_by=proof.by,
                release=proof.release,
                held=proof.held,
                failed=proof.failed,
                report=proof.report,
            )

    def proof(self, digest: Digest, case: Digest) -> Proof | None:
        """Return what is known of exactly these bytes."""
        with self._connections.read() as transaction:
            row = transaction.row(PROOF, digest=digest, case_digest=case)
        return None if row is None else _proof(row)

    def proofs(self, digest: Digest) -> Sequence[Proof]:
        """Return what is known of a playbook's bytes, with whatever case; newest first."""
        with self._connections.read() as transaction:
            return tuple(_proof(row) for row in transaction.rows(PROOFS, digest=digest))

    def _sealed(self, draft: Draft) -> tuple[str, str]:
        return (
            self._keys.seal_text(draft.text, DRAFT, draft.id),
            self._keys.seal_text(draft.case, DRAFT_CASE, draft.id),
        )

    def _found(self, transaction: Transaction, draft: DraftId) -> Draft:
        row = transaction.row(GET, id=draft)
        if row is None:
            raise NoSuchDraft(f"no draft has the id {draft[:60]!r}")
        return self._draft(row)

    def _draft(self, row: Row[Any]) -> Draft:
        return Draft(
            id=DraftId(row.id),
            name=PlaybookName(row.name),
            base=row.base,
            text=self._keys.unseal_text(row.body, DRAFT, row.id),
            case=self._keys.unseal_text(row.sim_case, DRAFT_CASE, row.id),
            revision=row.revision,
            by=row.made_by,
            made_at=codec.instant(row.made_us),
            changed_by=row.changed_by,
            changed_at=codec.instant(row.changed_us),
            state=DraftState(row.state),
            ended_by=row.ended_by,
            ended_at=None if row.ended_us is None else codec.instant(row.ended_us),
        )


def _moved(found: Draft, revision: int) -> DraftMoved:
    if found.state is not DraftState.OPEN:
        how = "taken over" if found.state is DraftState.TAKEN_OVER else "dropped"
        return DraftMoved(f"draft {found.id} was {how} by {found.ended_by}; begin another one")
    return DraftMoved(
        f"draft {found.id} is at revision {found.revision}, changed by {found.changed_by}, and "
        f"this change was made from revision {revision}; read it again and change that"
    )


def _proof(row: Row[Any]) -> Proof:
    return Proof(
        digest=Digest(row.digest),
        case=Digest(row.case_digest),
        at=codec.instant(row.at_us),
        by=row.asked_by,
        release=row.release,
        held=row.held,
        failed=row.failed,
        report=row.report,
    )
