"""Keep what people are going to be told, until it was delivered.

Called by controlplane.notice_desk. Offered by adapters.sql_store. Every method is one transaction
and durable when it returns.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from sentienguard.model.ids import IncidentId


class OutboxStatus(StrEnum):
    """Where a message is."""

    WAITING = "waiting"
    SENT = "sent"
    FOLDED = "folded"  # told within a digest
    DROPPED = "dropped"  # nobody needs it any more
    FAILED = "failed"  # the service will never take it, or it was tried for too long


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One message for one channel."""

    id: str  # derived from channel and cause: the same cause again is the same message
    channel: str  # its name in the owner's file
    incident: IncidentId  # empty: about none
    kind: str  # model.notice.NoticeKind
    text: str  # the notice, as flow.telling.letters wrote it
    made_at: datetime
    due_at: datetime  # not before
    unanswered: bool = False  # only if nobody has it in hand by then
    attempts: int = 0
    status: OutboxStatus = OutboxStatus.WAITING
    reference: str = ""  # how the service names it
    problem: str = ""  # why the last attempt failed, or why it was dropped
    ended_at: datetime | None = None


class Outbox(Protocol):
    """Messages in the order in which they were caused."""

    def position(self) -> int | None:
        """Return the first entry of the audit log that was not read yet; None: it never was."""

    def add(self, messages: Sequence[Outgoing], *, start: int, end: int) -> bool:
        """Keep the messages of entries start..end and move the position, together.

        False, and nothing is written, where the position is not `start`: another control plane was
        faster. A message that is there already is left as it is. What was to wait longer than a
        later message of its channel and incident is due with that one; reminders aside.
        """

    def put(self, message: Outgoing) -> None:
        """Keep a message that no entry caused; the same id again changes nothing."""

    def due(self, now: datetime, *, limit: int) -> Sequence[Outgoing]:
        """Return what is due, oldest first; of a channel and an incident only the oldest one.

        One that is not finished holds up the later ones whatever its time, so that none overtakes
        what is tried again. A reminder does only once it is due or was tried, and what nobody tried
        yet holds up no reminder before its time.
        """

    def claim(self, message: str, *, now: datetime, until: datetime) -> bool:
        """Take a message that is due for oneself until then; False where another has it."""

    def unclaim(self) -> None:
        """Give back what a process that died had taken; only where no other one can be sending."""

    def end(
        self, message: str, status: OutboxStatus, *, at: datetime, reference: str, problem: str
    ) -> None:
        """Say how a message ended."""

    def again(self, message: str, *, due_at: datetime, problem: str) -> None:
        """Try once more at that time, and count the attempt."""

    def reference(self, channel: str, incident: IncidentId) -> str:
        """Return how the service names the last message about an incident; empty: it does not."""

    def thread(self, channel: str, incident: IncidentId) -> Sequence[Outgoing]:
        """Return what a channel was, will be and was not told of an incident, oldest first."""

    def sent_since(self, channel: str, since: datetime) -> int:
        """Count what a channel was sent since then; a digest is one."""

    def list(self, *, limit: int) -> Sequence[Outgoing]:
        """Return the newest, newest first."""

    def forget(self, before: datetime) -> int:
        """Drop what ended before then; return how many."""
