"""What one channel was told of one incident so far, and what follows from that.

Called by controlplane.notice_desk. Rules:

1. A channel knows an incident that it was told of or will be; a reminder makes nobody know it.
2. Where the first news waits for the end of quiet hours, all that follows waits with it.
3. The order is the log's: of two that happened in the same millisecond, or while a clock was set
   back, the later entry is the later message.
4. What waited and is over by then is told to nobody, and neither is what followed: an alarm that
   comes after its end would stand for ever. Nor is a beginning of which people heard otherwise
   meanwhile: a reminder waits for no morning.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from sentienguard.flow.telling import routes
from sentienguard.model.notice import NoticeKind
from sentienguard.ports.outbox import OutboxStatus, Outgoing

_TOLD: Final = frozenset({OutboxStatus.SENT, OutboxStatus.FOLDED})


def knows(thread: Sequence[Outgoing]) -> bool:
    """Tell whether the channel was or will be told (rule 1)."""
    return bool(_news(thread))


def held(thread: Sequence[Outgoing], now: datetime) -> datetime | None:
    """Return until when everything about the incident waits (rule 2); None: nothing does."""
    news = _news(thread)
    waiting = [one.due_at for one in news if _untried(one) and one.due_at > now]
    return max(waiting) if waiting and len(waiting) == len(news) else None


def after(thread: Sequence[Outgoing], at: datetime) -> datetime:
    """Return when the next message counts as made (rule 3)."""
    return max([at, *(one.made_at + timedelta(microseconds=1) for one in thread)])


def needless(message: Outgoing, thread: Sequence[Outgoing], *, over: bool) -> str:
    """Return why nobody needs a message whose time has come (rule 4); empty: somebody does."""
    kind, told = NoticeKind(message.kind), any(one.status in _TOLD for one in thread)
    if kind is NoticeKind.OPENED and _was_held(message) and (over or told):
        return "people heard of it since" if told else "it was over before anybody was told"
    if kind in routes.FOLLOWS and not told:
        dropped = (one for one in thread if one.status is OutboxStatus.DROPPED)
        if any(one.kind == NoticeKind.OPENED.value for one in dropped):
            return "nobody was told that it had begun"
    return ""


def _news(thread: Sequence[Outgoing]) -> list[Outgoing]:
    """Return what the channel was told or waits to be told, reminders aside."""
    return [
        one
        for one in thread
        if one.status in _TOLD or (one.status is OutboxStatus.WAITING and not one.unanswered)
    ]


def _untried(message: Outgoing) -> bool:
    return message.status is OutboxStatus.WAITING and not message.attempts


def _was_held(message: Outgoing) -> bool:
    """Tell whether a message was due later than it was made; what was tried may have arrived."""
    return _untried(message) and message.due_at > message.made_at
