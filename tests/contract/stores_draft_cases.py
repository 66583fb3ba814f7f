"""What ports.draft_store promises, on every engine."""

from dataclasses import replace

import pytest

from sentienguard.adapters.sql_store import Database
from sentienguard.model import ids
from sentienguard.model.ids import PlaybookName
from sentienguard.ports.draft_store import (
    Draft,
    DraftId,
    DraftMoved,
    DraftState,
    NoSuchDraft,
    Proof,
)
from tests.contract.stores_nouns import NOW, later
from tests.contract.stores_threads import at_once

TEXT, CASE = "name: a\n# 日本\n", "host: {}\n"


def draft(name: str = "drf_1", after: float = 0.0) -> Draft:
    at = later(after)
    return Draft(DraftId(name), PlaybookName("disk_cleanup"), "", TEXT, CASE, 1, "ana", at,
                 "ana", at)  # fmt: skip


def proof(text: str = TEXT, case: str = CASE, after: float = 0.0, failed: int = 0) -> Proof:
    return Proof(
        ids.digest(text.encode()), ids.digest(case.encode()), later(after), "ana", "1.0", 9,
        failed, "[]",
    )  # fmt: skip


class DraftCases:
    def test_a_draft_reads_back_as_it_was_kept(self, database: Database) -> None:
        database.drafts.add(draft())
        assert database.drafts.get(DraftId("drf_1")) == draft()
        with pytest.raises(NoSuchDraft, match="drf_2"):
            database.drafts.get(DraftId("drf_2"))

    def test_a_change_is_the_next_revision(self, database: Database) -> None:
        database.drafts.add(draft())
        wanted = replace(draft(), text="b", case="", changed_by="bo", changed_at=later(1))
        kept = database.drafts.change(wanted)
        assert kept == replace(wanted, revision=2)
        assert database.drafts.get(kept.id) == kept

    def test_a_change_of_what_somebody_changed_meanwhile_is_refused(
        self, database: Database
    ) -> None:
        database.drafts.add(draft())
        database.drafts.change(replace(draft(), text="b", changed_by="bo"))
        with pytest.raises(DraftMoved, match="revision 2, changed by bo"):
            database.drafts.change(replace(draft(), text="c"))
        assert database.drafts.get(draft().id).text == "b"
        with pytest.raises(NoSuchDraft):
            database.drafts.change(draft("drf_2"))

    def test_one_of_many_changes_is_kept(self, database: Database) -> None:
        database.drafts.add(draft())

        def change(at: int) -> bool:
            try:
                database.drafts.change(replace(draft(), text=f"text {at}"))
            except DraftMoved:
                return False
            return True

        assert sum(at_once(change, 8)) == 1
        assert database.drafts.get(draft().id).revision == 2

    def test_what_has_ended_never_changes_again(self, database: Database) -> None:
        store = database.drafts
        store.add(draft())
        store.end(draft().id, DraftState.TAKEN_OVER, by="bo", at=later(1))
        found = store.get(draft().id)
        assert (found.state, found.ended_by, found.ended_at) == (
            DraftState.TAKEN_OVER, "bo", later(1),
        )  # fmt: skip
        with pytest.raises(DraftMoved, match="taken over by bo"):
            store.change(replace(draft(), text="b"))
        with pytest.raises(DraftMoved, match="taken over by bo"):
            store.end(draft().id, DraftState.DROPPED, by="ana", at=NOW)
        with pytest.raises(NoSuchDraft):
            store.end(DraftId("drf_2"), DraftState.DROPPED, by="ana", at=NOW)
        assert store.get(draft().id) == found

    def test_open_ones_are_listed_first_and_counted(self, database: Database) -> None:
        store = database.drafts
        for number in range(3):
            store.add(draft(f"drf_{number}", after=number))
        store.end(DraftId("drf_2"), DraftState.DROPPED, by="bo", at=later(9))
        assert [one.id for one in store.list()] == ["drf_1", "drf_0", "drf_2"]
        assert store.count_open() == 2

    def test_a_proof_is_of_exact_bytes_and_the_newest_counts(self, database: Database) -> None:
        store = database.drafts
        assert store.proof(proof().digest, proof().case) is None
        store.put_proof(proof(failed=1))
        store.put_proof(proof(after=1))
        store.put_proof(proof(case="another host", after=2))
        assert store.proof(proof().digest, proof().case) == proof(after=1)
        assert store.proofs(proof().digest) == (
            proof(case="another host", after=2), proof(after=1),
        )  # fmt: skip
        assert store.proofs(ids.digest(b"other")) == ()
