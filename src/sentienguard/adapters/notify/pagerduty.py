"""PagerDuty: Events API v2, one alert for each incident, acknowledged and resolved as it moves.

Source: developer.pagerduty.com, Events API v2. Its own deduplication by `dedup_key` makes a message
that is sent twice one alert.
"""

from typing import Any, Final

from sentienguard.adapters.notify import posting
from sentienguard.adapters.notify.said import Key, Said
from sentienguard.model.anomaly import Severity
from sentienguard.model.notice import Notice, NoticeKind
from sentienguard.ports.notifier import Letter
from sentienguard.ports.outbound import Outbound, Wanted

KIND: Final = "pagerduty"
URL: Final = "https://events.pagerduty.com/v2/enqueue"
_SUMMARY: Final = 1024  # characters, as published
_SEVERITIES: Final = {
    Severity.INFO: "info", Severity.WARNING: "warning", Severity.CRITICAL: "critical",
}  # fmt: skip


def wanted(said: Said) -> list[Wanted]:
    """Return where the channel wants to connect."""
    return [Wanted(said.text("url", URL), said.private)]


def open_channel(said: Said, way: Outbound) -> "PagerDuty":
    """Return the channel."""
    return PagerDuty(said.text("url", URL), said.secret("routing_key"), way)


class PagerDuty:
    """One integration of one service."""

    def __init__(self, url: str, routing_key: Key, way: Outbound) -> None:
        """Send events with this key."""
        self._url = url
        self._key = routing_key
        self._way = way

    def send(self, letter: Letter) -> str:
        """Trigger, acknowledge or resolve; returns the key of the alert.

        That one of several said yes is no event: nobody is paged, and nobody has it in hand.
        """
        if letter.notice.kind is NoticeKind.AGREED:
            return letter.previous
        key = self._key.text()
        found = event(letter.notice, key, letter.id)
        posting.post(self._way, self._url, found, at=letter.at, hide=key)
        return str(found["dedup_key"])


def event(notice: Notice, routing_key: str, letter: str) -> dict[str, Any]:
    """Return the event of a notice."""
    made: dict[str, Any] = {
        "routing_key": routing_key,
        "event_action": action(notice),
        "dedup_key": notice.incident or letter,
    }
    if made["event_action"] != "trigger":
        return made
    made["client"] = "SentienGuard"
    if notice.page:
        made["client_url"] = notice.page
        made["links"] = [{"href": notice.page, "text": "Incident"}]
    made["payload"] = {
        "summary": posting.cut(notice.title, _SUMMARY),
        "source": notice.host or "sentienguard",
        "severity": _SEVERITIES[notice.severity],
        "timestamp": notice.at.isoformat(),
        "group": notice.environment or "all",
        "class": (notice.facts or {}).get("metric") or notice.kind.value,
        "custom_details": {
            "incident": notice.incident, "event": notice.kind.value, "lines": list(notice.lines),
        },
    }  # fmt: skip
    return made


def action(notice: Notice) -> str:
    """Return what an event asks PagerDuty to do."""
    if notice.over:
        return "resolve"
    in_hand = notice.kind in {NoticeKind.HANDLED, NoticeKind.ANSWERED}
    return "acknowledge" if in_hand else "trigger"
