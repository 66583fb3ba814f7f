"""Microsoft Teams: an Adaptive Card to the webhook of a workflow.

The workflow begins with "When a Teams webhook request is received". Workflows answer 202 and name
no message, so nothing is updated in place.

Text stands in RichTextBlock's runs, which know no Markdown. Source: adaptivecards.io, schema 1.4;
learn.microsoft.com, "Create incoming webhooks with Workflows".
"""

from typing import Any, Final

from sentienguard.adapters.notify import posting
from sentienguard.adapters.notify.said import Key, Said
from sentienguard.model.anomaly import Severity
from sentienguard.model.notice import Notice
from sentienguard.ports.notifier import Letter
from sentienguard.ports.outbound import Outbound, Wanted

KIND: Final = "teams"
_LINE: Final = 800  # characters; a card has at most 28 KB
_LINES: Final = 24
_COLOURS: Final = {
    Severity.INFO: "default", Severity.WARNING: "warning", Severity.CRITICAL: "attention",
}  # fmt: skip


def wanted(said: Said) -> list[Wanted]:
    """Return where the channel wants to connect; the address itself is the secret."""
    return [Wanted(said.secret("url").text(), said.private)]


def open_channel(said: Said, way: Outbound) -> "Teams":
    """Return the channel."""
    return Teams(said.secret("url"), way)


class Teams:
    """One workflow."""

    def __init__(self, url: Key, way: Outbound) -> None:
        """Post to this workflow."""
        self._url = url
        self._way = way

    def send(self, letter: Letter) -> str:
        """Post a card."""
        url = self._url.text()
        hidden = posting.path_of(url)
        posting.post(self._way, url, message(letter.notice), at=letter.at, hide=hidden)
        return ""


def message(notice: Notice) -> dict[str, Any]:
    """Return the body that a workflow takes."""
    lines = [_block(posting.cut(line, _LINE)) for line in notice.lines[:_LINES]]
    about = " · ".join(
        one for one in (notice.environment, notice.severity.value, notice.incident) if one
    )
    card: dict[str, Any] = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": [
            _block(
                posting.cut(f"[SentienGuard] {notice.title}", _LINE),
                weight="bolder",
                color="good" if notice.over else _COLOURS[notice.severity],
            ),
            *lines,
            _block(about or "SentienGuard", isSubtle=True),
        ],
    }
    if notice.page:
        title = "Review and answer" if notice.question else "View details"
        card["actions"] = [{"type": "Action.OpenUrl", "title": title, "url": notice.page}]
    attachment = {
        "contentType": "application/vnd.microsoft.card.adaptive",
        "contentUrl": None,
        "content": card,
    }
    return {"type": "message", "attachments": [attachment]}


def _block(text: str, **style: Any) -> dict[str, Any]:
    return {"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": text or " ", **style}]}
