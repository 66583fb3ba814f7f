"""Keep the bytes of an audit log where several processes append to it, one at a time.

Called by adapters.audit_shared, which knows the threads and asks ports.audit_ledger for the rules.
Offered by adapters.sql_store. Nothing here knows what an entry means.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Head:
    """Where the log ends."""

    size: int  # entries, all durable
    checkpoint: str | None  # newest signed note
    checkpoint_size: int  # what it covers; -1: none was signed


@dataclass(frozen=True, slots=True)
class Blob:
    """A blob as it is kept."""

    sealed: bytes
    secret: bytes | None  # None: erased


class Turn(Protocol):
    """The right to append, held by one process at a time until the block ends."""

    @property
    def head(self) -> Head:
        """Where the log ends; nobody moves it during the turn."""

    def append(self, records: Sequence[bytes]) -> None:
        """Put records behind the end, once in a turn."""


class AuditStorage(Protocol):
    """One log. Every method raises Unavailable, Broken, and where it writes TakenOver."""

    def claim(self, verifier_keys: str) -> str:
        """Begin the log of these keys where there is none; return those of the log that is here."""

    def verifier_keys(self) -> str | None:
        """Return the keys of the log that is here, if one was begun."""

    def put_verifier_keys(self, before: str, verifier_keys: str) -> None:
        """Keep other keys of the same log, unless somebody changed them since `before`."""

    def turn(self) -> AbstractContextManager[Turn]:
        """Take the turn; what was appended is durable when the block has ended without an error.

        An error at the end of the block leaves open whether it is.
        """

    def head(self) -> Head:
        """Return where the log ends."""

    def entries(self, start: int, end: int) -> Sequence[bytes]:
        """Return stored entries start..end, the end left out; fewer where the log ends before."""

    def put_checkpoint(self, size: int, note: str) -> None:
        """Keep a signed checkpoint, unless one of this size or more is kept."""

    def cosigned(self) -> Sequence[str]:
        """Return the cosigned checkpoints, by rising size."""

    def cosign(self, size: int, merge: Callable[[str | None], str], *, keep: int) -> str:
        """Replace the cosigned checkpoint of a size by what `merge` makes of it; return that.

        Only the `keep` biggest sizes stay.
        """

    def put_blob(self, sha256: str, blob: Blob) -> None:
        """Keep a blob, unless one with its secret is kept."""

    def blob(self, sha256: str) -> Blob | None:
        """Return a blob."""

    def erase_blob(self, sha256: str) -> bool:
        """Forget the secret of a blob; False where there is no such blob."""
