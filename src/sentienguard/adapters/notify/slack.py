"""Slack: Block Kit messages that are updated in place, with buttons whose clicks come back.

Web API methods chat.postMessage, chat.update, chat.postEphemeral and views.open with a bot token
(scope chat:write). Source: docs.slack.dev, reference of methods and blocks.

Rules:

1. All text of ours stands in `plain_text` objects or runs of `rich_text`, which know no markup; the
   fallback `text`, which notifications show, is escaped (& < >) and sent with `parse: none` and
   without unfurling. So is what answers a command and what one person alone reads.
2. A question is a new message, because people are to hear of it; what follows changes that message.
   What ends in people's hands is told in its thread as well, shown in the channel.
3. A button carries the approval and the digest of the playbook that was asked about, and no right:
   who clicked is looked up when it comes back.
4. Where an answer needs a signature, the button leads to the page where people sign.
5. A command's `response_url` came from outside: it is asked where it lies below the address that
   the channel names (`hooks`) and nowhere else, whatever other channels may connect to. It takes
   five messages in thirty minutes.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sentienguard.adapters.notify import posting, slack_whispers
from sentienguard.adapters.notify.said import Key, Said
from sentienguard.adapters.notify.slack_whispers import escape, plain_text
from sentienguard.model.notice import Notice, NoticeKind
from sentienguard.ports.notifier import Form, Late, Letter, NotNow, NotTaken, Run, Whisper
from sentienguard.ports.outbound import Outbound, Wanted

KIND: Final = "slack"
API: Final = "https://slack.com/api"
SOCKETS: Final = "wss://slack.com"  # below it: wss-primary.slack.com and others
HOOKS: Final = "https://hooks.slack.com/commands"  # below it: where commands are answered late
APPROVE, DENY, DETAILS, SIGN = "approve", "deny", "details", "sign"
_BELOW_HOOKS: Final = re.compile(r"(/[A-Za-z0-9_\-]{1,100}){1,8}\Z", re.ASCII)  # no dots or escapes
_HEADER: Final = 150  # characters, as published
_SECTION: Final = 2900  # of 3000
_BLOCKS: Final = 45  # of 50
_AGAIN: Final = frozenset({
    "internal_error", "fatal_error", "service_unavailable", "request_timeout", "ratelimited",
    "rate_limited", "team_added_to_org", "accesslimited",
})  # fmt: skip
_GONE: Final = frozenset({
    "message_not_found", "cant_update_message", "edit_window_closed", "update_failed",
})  # fmt: skip
_SIGNS: Final = {
    NoticeKind.OPENED: "Detected",
    NoticeKind.APPROVAL: "Approval Required",
    NoticeKind.AGREED: "Approval Required",
    NoticeKind.ANSWERED: "Answered",
    NoticeKind.RESOLVED: "Resolved",
    NoticeKind.ESCALATED: "Needs a person",
    NoticeKind.HANDLED: "In hand",
    NoticeKind.EMERGENCY: "Break-glass",
    NoticeKind.UPKEEP: "Upkeep",
    NoticeKind.DIGEST: "Digest",
    NoticeKind.TEST: "Test",
}


@dataclass(frozen=True, slots=True)
class Workspace:
    """Where a Slack channel is and with what it is asked."""

    api: str
    token: Key  # of the bot, xoxb-
    channel: str  # its id, C...
    team: str  # id of the workspace, T...: clicks from another are refused
    signing_secret: Key | None = None  # of signed HTTP; None: no clicks by HTTP
    app_token: Key | None = None  # of Socket Mode, xapp-; None: no clicks by socket
    sockets: str = SOCKETS
    hooks: str = HOOKS
    private: bool = False


def workspace(said: Said) -> Workspace:
    """Read the channel. Raises said.ChannelWrong."""
    return Workspace(
        api=said.text("api", API).rstrip("/"),
        token=said.secret("token"),
        channel=said.text("channel"),
        team=said.text("team"),
        signing_secret=said.optional_secret("signing_secret"),
        app_token=said.optional_secret("app_token"),
        sockets=said.text("sockets", SOCKETS),
        hooks=said.text("hooks", HOOKS).rstrip("/"),
        private=said.private,
    )


def wanted(said: Said) -> list[Wanted]:
    """Return where the channel wants to connect."""
    found = workspace(said)
    asked = [
        Wanted(f"{found.api}/chat.postMessage", found.private),
        Wanted(found.hooks, found.private),
    ]
    if found.app_token:
        asked.append(Wanted(found.sockets, found.private, below=found.sockets == SOCKETS))
    return asked


def open_channel(said: Said, way: Outbound) -> "Slack":
    """Return the channel."""
    return Slack(workspace(said), way)


class Slack:
    """One channel of one workspace."""

    def __init__(self, space: Workspace, way: Outbound) -> None:
        """Write to this channel."""
        self.space = space
        self._way = way

    def send(self, letter: Letter) -> str:
        """Post or update; returns CHANNEL/TS of the message that the next one updates."""
        notice = letter.notice
        message = {"text": fallback(notice), "blocks": blocks(notice), **_PLAIN}
        if letter.previous and notice.kind is not NoticeKind.APPROVAL:  # rule 2
            channel, _, ts = letter.previous.partition("/")
            kept = self._update(letter, channel, ts, message)
            if kept and notice.kind is NoticeKind.ESCALATED:
                self._call(
                    letter,
                    "chat.postMessage",
                    {"channel": channel, "thread_ts": ts, "reply_broadcast": True, **message},
                )
            if kept:
                return letter.previous
        answer = self._call(letter, "chat.postMessage", {"channel": self.space.channel, **message})
        return f"{answer.get('channel', self.space.channel)}/{answer.get('ts', '')}"

    def whisper(self, whisper: Whisper) -> None:
        """Tell one person something in a channel, seen by nobody else."""
        self._call(
            whisper,
            "chat.postEphemeral",
            {
                "channel": whisper.channel,
                "user": whisper.person,
                **slack_whispers.message(whisper.said),
                **_PLAIN,
            },
        )

    def ask_why(self, form: Form) -> None:
        """Show one person a form; Slack takes it for three seconds after the click."""
        view = slack_whispers.view(form)
        self._call(form, "views.open", {"trigger_id": form.trigger, "view": view})

    def answer(self, said: Sequence[Run]) -> Mapping[str, Any]:
        """Return what answers a command; the person alone reads it."""
        return {"response_type": "ephemeral", **slack_whispers.message(said), **_PLAIN}

    def takes_late(self, where: str) -> bool:
        """Tell whether a `response_url` lies where Slack gives them (rule 5)."""
        hooks = self.space.hooks
        return where.startswith(hooks) and bool(_BELOW_HOOKS.match(where.removeprefix(hooks)))

    def answer_late(self, late: Late) -> None:
        """Answer a command at its `response_url`."""
        if not self.takes_late(late.where):
            raise NotTaken("slack: response_url: expected an address below the channel's `hooks`")
        posting.post(self._way, late.where, self.answer(late.said), at=late.at)

    def wrong(self, problem: str) -> Mapping[str, Any]:
        """Return what leaves the form open."""
        return slack_whispers.wrong(problem)

    def _update(self, letter: Letter, channel: str, ts: str, message: Mapping[str, Any]) -> bool:
        try:
            self._call(letter, "chat.update", {"channel": channel, "ts": ts, **message})
        except _Refused as refused:
            if refused.code in _GONE:  # somebody took it away: write a new one
                return False
            raise
        return True

    def _call(
        self, about: Letter | Whisper | Form, method: str, arguments: Mapping[str, Any]
    ) -> dict[str, Any]:
        answer = posting.document(
            posting.post(
                self._way,
                f"{self.space.api}/{method}",
                arguments,
                at=about.at,
                headers={"authorization": f"Bearer {self.space.token.text()}"},
            )
        )
        if answer.get("ok") is True:
            return answer
        code = posting.shown(str(answer.get("error", "nothing")).encode())
        if code in _AGAIN:
            raise NotNow(f"slack {method}: {code}")
        raise _Refused(method, code)


class _Refused(NotTaken):
    """Slack said no, with a code."""

    def __init__(self, method: str, code: str) -> None:
        super().__init__(f"slack {method}: {code}; see docs/how-to/connect-slack.md")
        self.code = code


_PLAIN: Final[Mapping[str, Any]] = {  # rule 1
    "parse": "none", "link_names": False, "unfurl_links": False, "unfurl_media": False,
    "mrkdwn": False,
}  # fmt: skip


def fallback(notice: Notice) -> str:
    """Return what a notification shows."""
    return escape(posting.cut(f"[SentienGuard] {notice.title}", 300))


def blocks(notice: Notice) -> list[dict[str, Any]]:
    """Return the message as Block Kit."""
    heading = f"[SentienGuard] {_SIGNS[notice.kind]}"
    made: list[dict[str, Any]] = [{"type": "header", "text": plain_text(heading, _HEADER)}]
    if notice.kind not in {NoticeKind.APPROVAL, NoticeKind.AGREED}:  # the heading says it
        made.append({"type": "section", "text": plain_text(notice.title, _SECTION)})
    made += [
        {"type": "section", "text": plain_text(part, _SECTION)} for part in _parts(notice.lines)
    ]
    about = " · ".join(
        one for one in (notice.environment, notice.severity.value, notice.incident) if one
    )
    made.append({"type": "context", "elements": [plain_text(about, _SECTION)]})
    buttons = _buttons(notice)
    if buttons:
        made.append({"type": "actions", "block_id": "answer", "elements": buttons})
    return made


def _parts(lines: Sequence[str]) -> list[str]:
    """Return the lines in as few texts as fit."""
    parts: list[str] = []
    for line in lines:
        short = posting.cut(line, _SECTION)
        if parts and len(parts[-1]) + 1 + len(short) <= _SECTION:
            parts[-1] += f"\n{short}"
        else:
            parts.append(short)
    return parts[:_BLOCKS]


def _buttons(notice: Notice) -> list[dict[str, Any]]:
    asked, made = notice.question, []
    if asked is not None and asked.needs_signature:  # rule 4
        if notice.page:
            made.append({**_button("Sign to approve", SIGN), "url": notice.page})
    elif asked is not None:
        value = f"{asked.approval} {asked.digest}"  # rule 3
        made.append({**_button("Approve", APPROVE), "style": "primary", "value": value})
    if asked is not None:
        value = f"{asked.approval} {asked.digest}"
        made.append({**_button("Deny", DENY), "style": "danger", "value": value})
    if notice.page:
        made.append({**_button("View details", DETAILS), "url": notice.page})
    return made


def _button(label: str, action: str) -> dict[str, Any]:
    return {"type": "button", "action_id": action, "text": plain_text(label, 75)}
