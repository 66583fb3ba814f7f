"""Jira: an issue when people are needed, comments as the incident moves.

REST API v3 with an API token. Text stands in the Atlassian Document Format's text nodes, which know
no markup. Source: developer.atlassian.com, Jira Cloud REST API v3 (issues, comments).
"""

import re
from dataclasses import dataclass
from typing import Any, Final

from sentienguard.adapters.notify import posting
from sentienguard.adapters.notify.said import Key, Said
from sentienguard.model.notice import Notice, NoticeKind
from sentienguard.ports.notifier import Letter, NotTaken
from sentienguard.ports.outbound import Outbound, Wanted

KIND: Final = "jira"
_SUMMARY: Final = 255  # characters, as published
_KEY: Final = re.compile(r"[A-Z][A-Z0-9_]{1,30}-[0-9]{1,12}\Z", re.ASCII)
_OPENS: Final = frozenset(
    {
        *(NoticeKind.APPROVAL, NoticeKind.ESCALATED, NoticeKind.EMERGENCY),
        *(NoticeKind.UPKEEP, NoticeKind.TEST),
    }
)


def wanted(said: Said) -> list[Wanted]:
    """Return where the channel wants to connect."""
    return [Wanted(said.text("site"), said.private)]


def open_channel(said: Said, way: Outbound) -> "Jira":
    """Return the channel."""
    return Jira(
        said.text("site").rstrip("/"),
        said.text("project"),
        said.text("issue_type", "Task"),
        Login(said.text("user"), said.secret("token")),
        way,
    )


@dataclass(frozen=True, slots=True)
class Login:
    """Who writes."""

    user: str
    token: Key


class Jira:
    """One project of one site."""

    def __init__(
        self, site: str, project: str, issue_type: str, login: Login, way: Outbound
    ) -> None:
        """Write issues into this project."""
        self._site = site
        self._project = project
        self._type = issue_type
        self._login = login
        self._way = way

    def send(self, letter: Letter) -> str:
        """Create an issue or comment on it; returns its key."""
        notice = letter.notice
        if _KEY.match(letter.previous):
            self._post(letter, f"issue/{letter.previous}/comment", {"body": text(notice)})
            return letter.previous
        if notice.kind not in _OPENS:  # nobody has to do anything: no issue is made of it
            return ""
        fields = {
            "project": {"key": self._project},
            "issuetype": {"name": self._type},
            "summary": posting.cut(f"[SentienGuard] {notice.title}", _SUMMARY),
            "description": text(notice),
            "labels": ["sentienguard", notice.incident or "test"],
        }
        key = str(self._post(letter, "issue", {"fields": fields}).get("key", ""))
        if not _KEY.match(key):
            raise NotTaken(f"jira: expected the key of an issue, found {key[:40]!a}")
        return key

    def _post(self, letter: Letter, path: str, body: dict[str, Any]) -> dict[str, Any]:
        url = f"{self._site}/rest/api/3/{path}"
        login = posting.basic(self._login.user, self._login.token.text())
        headers = {"authorization": login, "accept": "application/json"}
        answer = posting.post(self._way, url, body, at=letter.at, headers=headers)
        return posting.document(answer)


def text(notice: Notice) -> dict[str, Any]:
    """Return a notice in the Atlassian Document Format."""
    lines = [notice.title, *notice.lines, notice.page]
    return {
        "type": "doc",
        "version": 1,
        "content": [
            {"type": "paragraph", "content": [{"type": "text", "text": posting.cut(line, 2000)}]}
            for line in lines
            if line
        ],
    }
