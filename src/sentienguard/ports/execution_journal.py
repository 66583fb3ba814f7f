"""Remember what an executor did, through any crash.

Called by stages.execute.engine, stages.execute.desk and stages.execute.recovery. Offered by
adapters.execution_journal_files. Records are flat JSON objects with a field `t` that says what they
are; stages.execute.memory tells what each means.

What is appended survives the death of the process at once, and the loss of power once `durable` was
asked for: an intent and the data an undo needs are durable before the effect.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol, TypeAlias

from sentienguard.model import errors

Record: TypeAlias = Mapping[str, Any]


class JournalBroken(errors.Broken):
    """A write or a sync failed, or a record before the end is damaged.

    A failed sync is never tried again: the kernel may have dropped the pages. Restart the executor;
    it reads what really reached the disk. No order is run meanwhile.
    """


class JournalFull(errors.Unavailable):
    """There is no room for a rewrite; the journal goes on as it was."""


class ExecutionJournal(Protocol):
    """An append-only list of records."""

    def append(self, records: Sequence[Record], *, durable: bool) -> None:
        """Add records in this order, all or (after a crash) a first part. Raises JournalBroken."""

    def records(self) -> Iterator[Record]:
        """Yield every record from the first; a torn one at the end is left out."""

    def rewrite(self, records: Iterable[Record]) -> None:
        """Replace the whole journal at once by these records. Raises JournalFull, JournalBroken."""

    def cramped(self) -> str | None:
        """Say why there is too little room to begin an order; None: enough is set aside for one.

        What is set aside stays usable on a full disk, so that the remedy for one can be journaled.
        """
