"""One replica's copy of the ledger, kept in step with the storage.

Called by log, under its lock. Rules:

1. The copy takes in stored entries in their order and nothing else. After a batch that may or may
   not have been committed it is made again from the storage.
2. Whatever this process acknowledged, signed or saw signed has to be in the storage for ever. Where
   it is not (an old backup was restored, a standby that lagged was promoted), the log has forked:
   AuditBroken, for good.
3. A size is signed only where this copy holds exactly the committed entries of that size; with
   rule 2 no replica can sign two trees of one size.
"""

from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from sentienguard.model import errors
from sentienguard.ports import audit_ledger, audit_log
from sentienguard.ports.audit_storage import AuditStorage, Head

PAGE: Final = 5_000  # entries read at once: at most 20 MB

Make: TypeAlias = Callable[[], audit_ledger.AuditLedger]  # a fresh, empty ledger


class Follower:
    """The ledger of one replica. Not safe for several threads."""

    def __init__(self, storage: AuditStorage, make: Make) -> None:
        self._storage = storage
        self._make = make
        self._doubtful = False
        self._anchors: list[str] = []  # notes that must stay true (rule 2)
        self._noted: str | None = None  # the stored checkpoint that was found true last
        self.ledger = make()
        self.durable = 0  # entries of `ledger` that are known to be committed

    def must_hold(self, note: str) -> None:
        """Demand that the log bear out a note that was signed before, from the next look on."""
        self._anchors.append(note)

    def catch_up(self, head: Head) -> None:
        """Take in what is stored up to this head. Raises AuditBroken (rule 2), Unavailable."""
        if self._doubtful:
            self._begin_again()
        if head.size < self.durable:
            raise audit_log.AuditBroken(
                f"the database's audit log has {head.size} entries, but {self.durable} were "
                "acknowledged: an older state of the database was restored. Bring back the newer "
                "one; this log must not go on"
            )
        while self.ledger.size() < head.size:
            start = self.ledger.size()
            self._replay(self._storage.entries(start, min(start + PAGE, head.size)), start)
        self.durable = self.ledger.size()
        self._check(head)

    def doubt(self) -> None:
        """Make the ledger again before it is used: it may hold what was not committed (rule 1)."""
        if self.ledger.size() != self.durable:
            self._anchors.append(self.ledger.sign(self.durable))
            self._doubtful = True

    def committed(self) -> None:
        """Count everything admitted as durable."""
        self.durable = self.ledger.size()

    def sign(self) -> tuple[int, str]:
        """Return the checkpoint of what is durable (rule 3)."""
        return self.durable, self.ledger.sign(self.durable)

    def _begin_again(self) -> None:
        self.ledger = self._make()
        while True:
            start = self.ledger.size()
            page = self._storage.entries(start, start + PAGE)
            if not page:
                break
            self._replay(page, start)
        if self.ledger.size() < self.durable:
            raise audit_log.AuditBroken(
                f"the database's audit log has {self.ledger.size()} entries, but {self.durable} "
                "were acknowledged: an older state of the database was restored"
            )
        self.durable = self.ledger.size()
        self._doubtful = False

    def _replay(self, records: Sequence[bytes], start: int) -> None:
        if not records:
            raise audit_log.AuditBroken(f"entry {start} of the database's audit log is missing")
        try:
            for record in records:
                self.ledger.replay(record)
        except errors.Rejected as error:
            raise audit_log.AuditBroken(f"the database's audit log: {error}") from error

    def _check(self, head: Head) -> None:  # rule 2
        notes, self._anchors = self._anchors, []
        if head.checkpoint is not None and head.checkpoint != self._noted:
            notes.append(head.checkpoint)
        try:
            for note in notes:
                self.ledger.recognise(note)
        except errors.Rejected as error:
            self._anchors = notes
            raise audit_log.AuditBroken(
                f"the database's audit log is not the one that was signed: {error}. An older "
                "state of the database was restored, or its entries were changed"
            ) from error
        self._noted = head.checkpoint
