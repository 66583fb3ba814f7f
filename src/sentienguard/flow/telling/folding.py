"""What becomes one message when there are many: people read one list, and no hundred alarms.

Called by controlplane.notice_desk for one channel at a time. A question is never folded: it has
to be answered where it stands.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sentienguard.flow.telling.routes import Storm
from sentienguard.model.ids import IncidentId
from sentienguard.model.notice import Notice, NoticeKind

FOLDED: Final = frozenset(
    {NoticeKind.OPENED, NoticeKind.RESOLVED, NoticeKind.ESCALATED, NoticeKind.HANDLED}
)
MOST_LISTED: Final = 20


def too_many(storm: Storm, waiting: int, sent_lately: int) -> bool:
    """Tell whether so many messages would be more than a channel is to be sent."""
    return waiting > 1 and waiting + sent_lately > storm.more_than


def fold(notices: Sequence[Notice], at: datetime, base: str) -> Notice:
    """Return the one message in place of these; the most severe are listed, all are counted."""
    worst = sorted(notices, key=lambda one: (-one.severity.rank, one.at))
    counted = Counter((one.environment, one.kind.value) for one in notices)
    lines = [
        f"{environment}: {many} {kind}"
        for (environment, kind), many in sorted(counted.items(), key=lambda one: one[0])
    ]
    lines += [f"- {one.title} ({one.incident})" for one in worst[:MOST_LISTED]]
    if len(worst) > MOST_LISTED:
        lines.append(f"and {len(worst) - MOST_LISTED} more")
    return Notice(
        kind=NoticeKind.DIGEST,
        incident=IncidentId(""),
        environment=worst[0].environment,
        host="",
        severity=worst[0].severity,
        title=f"{len(notices)} messages about {len({one.incident for one in notices})} incidents",
        lines=tuple(lines),
        at=at,
        page=f"{base}/incidents" if base else "",
    )
