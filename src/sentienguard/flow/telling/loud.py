"""What every channel hears of, whatever its routes say.

Called by controlplane.notice_desk for each entry. Rights that people give in emergencies: no route
leaves them out, no quiet time holds them back, no storm folds them, so that whoever breaks glass is
seen doing it. Keys of the control plane that need people: they belong to no environment, so no
route could name them, and each is told twice in its life. And hosts in quarantine: an identity that
two use may be a stolen one.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sentienguard.flow import key_ages
from sentienguard.model.anomaly import Severity
from sentienguard.model.ids import IncidentId
from sentienguard.model.notice import Notice, NoticeKind
from sentienguard.stages.observe import redact

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
KEY_DUE: Final = "key.due"
QUARANTINED: Final = "agent.quarantined"


def notice(fields: Mapping[str, Any], base: str) -> Notice | None:
    """Return what everybody hears of an entry; None: it is not loud."""
    if fields["kind"] == KEY_DUE:
        return _key_due(fields, base)
    if fields["kind"] == QUARANTINED:
        return _quarantined(fields, base)
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


def _key_due(fields: Mapping[str, Any], base: str) -> Notice:
    data = fields["data"]
    late = data["stage"] == key_ages.Stage.DUE
    title = f"The {data['name']} {'is due' if late else 'is due soon'}: people have to renew it"
    lines = [
        f"Key: {data['key_id']}, {data['age_days']} days old",
        f"Due: {data['due']}",
        f"What to do: {data['way']}",
    ]
    return Notice(
        kind=NoticeKind.UPKEEP,
        incident=IncidentId(""),
        environment="",
        host="",
        severity=Severity.CRITICAL if late else Severity.WARNING,
        title=redact.line(title),
        lines=tuple(redact.line(line) for line in lines),
        at=_EPOCH + timedelta(milliseconds=fields["ts_ms"]),
        page=f"{base}/settings" if base else "",
    )


def _quarantined(fields: Mapping[str, Any], base: str) -> Notice:
    data = fields["data"]
    lines = [
        f"Agent: {data['agent']}",
        f"Why: {data['reason']}",
        f"No order goes there until somebody looked: sentienguard hosts show {data['agent']}",
        f"It is one host: sentienguard hosts release {data['agent']} --reason WHY",
        f"It may be two: sentienguard hosts strike-off {data['agent']} --reason WHY, enrol again",
    ]
    return Notice(
        kind=NoticeKind.UPKEEP,
        incident=IncidentId(""),
        environment=str(fields["env"]),
        host=str(data["host"]),
        severity=Severity.CRITICAL,
        title=redact.line(f"{data['host']} is in quarantine: two hosts may use its identity"),
        lines=tuple(redact.line(line) for line in lines),
        at=_EPOCH + timedelta(milliseconds=fields["ts_ms"]),
        page=f"{base}/hosts/{data['agent']}" if base else "",
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
KINDS: Final = frozenset({*TOLD, KEY_DUE, QUARANTINED})
