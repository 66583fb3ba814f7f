"""Judge what a log may hold, and sign what it holds. Memory and arithmetic, no storage.

Called by adapters that store the log, one call at a time, from one thread or under one lock.
Offered by stages.audit.ledger. An adapter that stores bytes therefore needs to know no rule of the
log, and a second one (object storage, a simulated disk) keeps exactly the same log.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from sentienguard.ports.audit_log import Entry


@dataclass(frozen=True, slots=True)
class Admitted:
    """What becomes of an entry."""

    index: int
    leaf_hash: bytes
    stored: bytes | None  # to be written now; None: it is in the log already


class AuditLedger(Protocol):
    """The log in memory: it grows with each entry that it admits or replays."""

    @property
    def verifier_keys(self) -> str:
        """The log's name and public keys, a line each in C2SP vkey form, what goes on first."""

    def goes_on(self, verifier_keys: str) -> str:
        """Return the keys to keep where a storage claims these: ours, or theirs if they are newer.

        Raises audit_log.EntryRefused for keys of another log.
        """

    def size(self) -> int:
        """Return how many entries it holds, durable or not."""

    def admit(self, entry: Entry) -> Admitted:
        """Judge an entry, give it its place and its bytes. Raises audit_log.EntryRefused."""

    def replay(self, stored: bytes) -> None:
        """Take in the next stored entry when a log is opened. Raises audit_log.EntryRefused."""

    def of_incident(self, incident: str) -> Sequence[int]:
        """Return the indices of an incident's entries, rising."""

    def leaf_hash(self, index: int) -> bytes:
        """Return the hash of an entry."""

    def inclusion(self, index: int, size: int) -> Sequence[bytes]:
        """Prove that an entry is in the tree of that size."""

    def consistency(self, old: int, new: int) -> Sequence[bytes]:
        """Prove that one size grew into the other."""

    def row(self, height: int, start: int, count: int) -> bytes:
        """Return neighbouring roots of complete subtrees of 2**height leaves, concatenated."""

    def sign(self, size: int) -> str:
        """Return the signed checkpoint of the first `size` entries."""

    def signed_anew(self, note: str) -> str:
        """Return a note of ours as the key of its size signs it, cosignatures kept.

        Raises audit_log.EntryRefused for what `recognise` refuses.
        """

    def recognise(self, note: str) -> int:
        """Return the size in a checkpoint that this log signed and that its entries bear out.

        Raises audit_log.EntryRefused for any other note.
        """

    def checkpointed_size(self, note: str) -> int:
        """Return the size in a checkpoint that this log's key signed, the entries not looked at.

        Raises audit_log.EntryRefused for any other note.
        """

    def cosigned_by(self, note: str) -> Sequence[str]:
        """Return the names of known witnesses who validly cosigned a note, none twice."""

    def merged(self, one: str, other: str) -> str:
        """Return the checkpoint of two notes of the same size with all valid cosignatures."""
