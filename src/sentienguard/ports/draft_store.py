"""Keep what administrators write and nobody has signed, and what proofs on pretended hosts showed.

Called by controlplane.draft_desk and the API. Offered by adapters.sql_store. A draft is no
playbook: nothing matches it, orders it or hands it to a host. Rules:

1. A change names the revision that it was made from; another one in between refuses it.
2. A draft that has ended never changes again.
3. A proof is of exact bytes, of playbook and case; a newer one of the same bytes takes its place.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NewType, Protocol

from sentienguard.model import errors
from sentienguard.model.ids import Digest, PlaybookName

DraftId = NewType("DraftId", str)  # drf_20260401_093000_a8f3b2c1


class DraftState(StrEnum):
    """How far a draft is."""

    OPEN = "open"
    TAKEN_OVER = "taken_over"  # its bytes stand in the signed catalogue
    DROPPED = "dropped"


class NoSuchDraft(errors.Rejected):
    """Nobody made a draft of this id, or it was forgotten."""


class DraftMoved(errors.Rejected):
    """The draft is not as it was when it was read: somebody changed or ended it meanwhile."""


@dataclass(frozen=True, slots=True)
class Draft:
    """What somebody writes, and from what they began."""

    id: DraftId
    name: PlaybookName  # of the playbook that it is to become
    base: str  # digest of the version that it was made from; empty: from nothing
    text: str  # playbook.yaml
    case: str  # simulation.yaml; empty: none is written
    revision: int  # 1, 2, 3, ... with each change
    by: str
    made_at: datetime
    changed_by: str
    changed_at: datetime
    state: DraftState = DraftState.OPEN
    ended_by: str = ""
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Proof:
    """What trying a playbook on a pretended host showed, here."""

    digest: Digest  # of playbook.yaml
    case: Digest  # of simulation.yaml
    at: datetime
    by: str  # who asked for it
    release: str  # of the program that tried it
    held: int  # proofs that held
    failed: int
    report: str  # JSON: a list of {name, passed, step, reason}


class DraftStore(Protocol):
    """Drafts and proofs. Every method is one transaction."""

    def add(self, draft: Draft) -> None:
        """Keep a new draft."""

    def get(self, draft: DraftId) -> Draft:
        """Return one. Raises NoSuchDraft."""

    def list(self) -> Sequence[Draft]:
        """Return the open ones and the newest that ended, newest first; at most 200."""

    def count_open(self) -> int:
        """Return how many are open."""

    def change(self, draft: Draft) -> Draft:
        """Keep text and case as the next revision of `draft.revision` (rules 1 and 2).

        Raises NoSuchDraft and DraftMoved.
        """

    def end(self, draft: DraftId, state: DraftState, *, by: str, at: datetime) -> None:
        """End an open draft (rule 2). Raises NoSuchDraft and DraftMoved."""

    def put_proof(self, proof: Proof) -> None:
        """Keep what a proof showed (rule 3)."""

    def proof(self, digest: Digest, case: Digest) -> Proof | None:
        """Return what is known of exactly these bytes."""

    def proofs(self, digest: Digest) -> Sequence[Proof]:
        """Return what is known of a playbook's bytes, with whatever case; newest first."""
