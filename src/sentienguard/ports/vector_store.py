"""Keep in one place what an embedding model made, for all control planes of a database.

Called by controlplane.meanings. Offered by adapters.sql_store.vectors on PostgreSQL's extension
`vector`. Vectors go in and come out as whole numbers, so that nothing is lost on the way and a
ranking is the same wherever they lay; which ones are alike is asked of the database, how much
alike is said by whoever compares them exactly.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sentienguard.model import errors
from sentienguard.model.ids import IncidentId

Whole = tuple[int, ...]  # a vector in the caller's steps; at most 2**24 each, which float32 holds


class NoVectors(errors.Rejected):
    """This database cannot keep vectors; the message says what it lacks and the way out."""


@dataclass(frozen=True, slots=True)
class KeptTexts:
    """What a model made of a library, in the order of its documents."""

    model: str
    titles: Sequence[Whole]
    texts: Sequence[Whole]


@dataclass(frozen=True, slots=True)
class KeptIncident:
    """What a model made of the measured facts of one incident."""

    incident: IncidentId
    environment: str
    opened_at: datetime
    model: str
    vector: Whole


class VectorStore(Protocol):
    """The vectors of one database."""

    def texts(self, library: str) -> KeptTexts | None:
        """Return those of a library by the digest of what they were made of; None: not kept."""

    def keep_texts(self, library: str, kept: KeptTexts) -> None:
        """Keep those of a library; those of the same digest are the same, so again is a no-op."""

    def keep_incident(self, kept: KeptIncident) -> None:
        """Keep that of an incident, in place of an earlier one."""

    def incident(self, incident: IncidentId) -> KeptIncident | None:
        """Return that of an incident; None: not kept."""

    def near(self, kept: KeptIncident, most: int) -> list[KeptIncident]:
        """Return the most alike earlier incidents of its environment and model, at most `most`.

        By the database's own arithmetic, newest first where it finds them equally alike.
        """
