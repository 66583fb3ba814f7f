"""Mattermost: an incoming webhook.

It takes Markdown alone, so every sign of it is escaped, and an at sign is parted from its word:
neither a link nor a mention can come of a host's text.

Source: developers.mattermost.com, "Incoming webhooks". Nothing is updated in place.
"""

import re
from typing import Any, Final

from sentienguard.adapters.notify import posting
from sentienguard.adapters.notify.said import Key, Said
from sentienguard.model.notice import Notice
from sentienguard.ports.notifier import Letter
from sentienguard.ports.outbound import Outbound, Wanted

KIND: Final = "mattermost"
_LONGEST: Final = 12_000  # characters, of 16,383
_SIGNS: Final = re.compile(r"([\\`*_{}\[\]()#+\-.!|~<>:$&=/])")
_APART: Final = "\N{ZERO WIDTH SPACE}"


def wanted(said: Said) -> list[Wanted]:
    """Return where the channel wants to connect; the address itself is the secret."""
    return [Wanted(said.secret("url").text(), said.private)]


def open_channel(said: Said, way: Outbound) -> "Mattermost":
    """Return the channel."""
    return Mattermost(said.secret("url"), way)


class Mattermost:
    """One incoming webhook."""

    def __init__(self, url: Key, way: Outbound) -> None:
        """Post to this webhook."""
        self._url = url
        self._way = way

    def send(self, letter: Letter) -> str:
        """Post a message."""
        url = self._url.text()
        hidden = posting.path_of(url)
        posting.post(self._way, url, message(letter.notice), at=letter.at, hide=hidden)
        return ""


def escape(text: str) -> str:
    """Return text that Mattermost shows as it is."""
    plain = _SIGNS.sub(r"\\\1", text)
    return plain.replace("@", f"@{_APART}").replace("www\\.", f"www{_APART}\\.")


def message(notice: Notice) -> dict[str, Any]:
    """Return the body that the webhook takes."""
    lines = [f"**{escape(f'[SentienGuard] {notice.title}')}**"]
    lines += [escape(line) for line in notice.lines]
    about = [one for one in (notice.environment, notice.severity.value, notice.incident) if one]
    lines.append(escape(" ".join(about)))
    if notice.page:
        lines.append(f"<{notice.page}>")
    return {
        "text": posting.cut("\n".join(lines), _LONGEST),
        "props": {"disable_group_highlight": True},
    }
