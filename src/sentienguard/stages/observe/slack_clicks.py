"""What comes back from Slack: clicks, reasons and slash commands, read strictly.

Called by controlplane.slack_desk; who sent it was checked before, by a signature or by the socket
that Slack named. Nothing that the person typed or that the message shows names an account: the ids
of workspace and person do. A click's response_url is not used: what follows it goes through the Web
API. A command's is handed on as text from outside; whoever writes there looks where it leads.
"""

import json
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sentienguard.model import errors

_MOST: Final = 3000  # characters of anything we keep of a payload
_KEPT: Final = 3  # what `kept` puts together


class NotAClick(errors.Rejected):
    """The payload is none that a button or a command of ours makes."""


@dataclass(frozen=True, slots=True)
class Click:
    """Somebody pressed a button."""

    team: str
    person: str
    channel: str
    action: str  # approve or deny
    approval: str
    digest: str
    trigger: str = ""  # opens a form within three seconds; empty: none came


@dataclass(frozen=True, slots=True)
class Reason:
    """Somebody handed in the form that asks why they say no."""

    team: str
    person: str
    channel: str  # where they had pressed the button
    approval: str
    digest: str
    text: str  # empty: they said nothing


@dataclass(frozen=True, slots=True)
class Command:
    """Somebody typed /sentienguard."""

    team: str
    person: str
    text: str
    channel: str = ""  # where it was typed; empty: it did not say
    where: str = ""  # its response_url, unjudged; empty: none came


def kept(click: Click) -> str:
    """Return what a form carries, so that `Reason` tells what it is about."""
    return f"{click.approval} {click.digest} {click.channel}"


def from_form(body: bytes) -> Click | Reason | Command | None:
    """Read the body of a signed request; None: nothing to do about it. Raises NotAClick."""
    try:
        form = urllib.parse.parse_qs(
            body.decode("utf-8"), keep_blank_values=True, strict_parsing=True, max_num_fields=64
        )
    except (UnicodeDecodeError, ValueError) as cause:
        raise NotAClick(f"slack: expected a form: {cause}") from cause
    if "payload" in form:
        try:
            return from_payload(json.loads(form["payload"][0]))
        except ValueError as cause:
            raise NotAClick(f"slack: payload: expected JSON: {cause}") from cause
    if "command" in form:
        return command({name: values[0] for name, values in form.items()})
    raise NotAClick("slack: expected a payload or a command")


def from_payload(found: Any) -> Click | Reason | None:
    """Read an interaction; None: a button that only opens a page."""
    if _text(found, "type") == "view_submission":
        return _reason(found)
    if _text(found, "type") != "block_actions":
        raise NotAClick("slack: expected block_actions or view_submission")
    actions = found.get("actions")
    if not isinstance(actions, list) or len(actions) != 1:
        raise NotAClick("slack: expected one action")
    action = _text(actions[0], "action_id")
    if action not in {"approve", "deny"}:
        return None
    approval, _, digest = _text(actions[0], "value").partition(" ")
    return Click(
        team=_text(found.get("team"), "id"),
        person=_text(found.get("user"), "id"),
        channel=_text(found.get("container"), "channel_id"),
        action=action,
        approval=approval,
        digest=digest,
        trigger=str(found.get("trigger_id", ""))[:_MOST],
    )


def _reason(found: Any) -> Reason:
    view = found.get("view")
    if _text(view, "callback_id") != "deny":
        raise NotAClick("slack: expected the form of a denial")
    about = _text(view, "private_metadata").split(" ")
    if len(about) != _KEPT:
        raise NotAClick("slack: private_metadata: expected a question, a digest and a channel")
    return Reason(
        team=_text(found.get("team"), "id"),
        person=_text(found.get("user"), "id"),
        channel=about[2],
        approval=about[0],
        digest=about[1],
        text=_written(view),
    )


def _written(view: Mapping[str, Any]) -> str:
    """Return what somebody wrote into the form; an empty field comes as null."""
    field: Any = view
    for name in ("state", "values", "reason", "reason"):
        field = field.get(name) if isinstance(field, Mapping) else None
    if not isinstance(field, Mapping):
        raise NotAClick("slack: expected the field reason")
    value = field.get("value")
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > _MOST:
        raise NotAClick(f"slack: reason: expected a text of at most {_MOST} characters")
    return value.strip()


def command(found: Any) -> Command:
    """Read a slash command."""
    return Command(
        team=_text(found, "team_id"),
        person=_text(found, "user_id"),
        text=str(found.get("text", ""))[:_MOST].strip(),
        channel=_maybe(found, "channel_id"),
        where=_maybe(found, "response_url"),
    )


def _maybe(found: Mapping[str, Any], name: str) -> str:
    """Return a text where one came whole, else nothing."""
    value = found.get(name, "")
    return value if isinstance(value, str) and len(value) <= _MOST else ""


def _text(found: Any, name: str) -> str:
    value = found.get(name) if isinstance(found, Mapping) else None
    if not isinstance(value, str) or not value or len(value) > _MOST:
        raise NotAClick(f"slack: expected a text {name!r}")
    return value
