"""What every channel hears of, whatever its routes say: rights that people give in emergencies.

Called by controlplane.notice_desk for each entry. No route leaves it out, no quiet time holds it
back, no storm folds it: whoever breaks glass is seen doing it.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sentienguard.model.anomaly import Severity
from sentienguard.model.ids import IncidentId
from sentienguard.model.notice import Notice, NoticeKind
from sentienguard.stages.observe import redact

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def notice(fields: Mapping[str, Any], base: str) -> Notice | None:
    """Return what everybody hears of an entry; None: it is not loud."""
    say = TOLD.get(fields["kind"])
    if say is None:
        return None
    data = fields["data"]
    title = say(fields["actor"], data)
    lines = [
        f"Environment: {fields['env']}",
        f"For: {data['purpose']}, {data['minutes']} minutes",
        f"Reason: {data['reason']}",
        f"Emergency: {data['emergency']}",
    ]
    return Notice(
        kind=NoticeKind.EMERGENCY,
        incident=IncidentId(""),
        environment=str(fields["env"]),
        host="",
        severity=Severity.CRITICAL,
        title=redact.line(title),
        lines=tuple(redact.line(line) for line in lines),
        at=_EPOCH + timedelta(milliseconds=fields["ts_ms"]),
        page=f"{base}/users" if base else "",
    )


def _asked(actor: str, data: Mapping[str, Any]) -> str:
    del data
    return f"Break-glass asked for by {actor}: a second person has to agree"


def _agreed(actor: str, data: Mapping[str, Any]) -> str:
    return f"Break-glass: {data['user']} may {data['purpose']}, agreed to by {actor}"


def _ended(actor: str, data: Mapping[str, Any]) -> str:
    because = "its time is up" if data.get("because") == "time" else f"ended by {actor}"
    return f"Break-glass of {data['user']} is over: {because}"


TOLD: Final[Mapping[str, Callable[[str, Mapping[str, Any]], str]]] = {
    "emergency.asked": _asked,
    "emergency.agreed": _agreed,
    "emergency.ended": _ended,
}
