"""What one person alone reads in Slack: answers, and the form that asks why.

Called by `slack`, whose rule 1 holds here. Text is made of runs: Slack shows a run of `rich_text`
as it is written, and only an address of ours makes a link of one.

Source: docs.slack.dev, rich text blocks, modal views, responses to view_submission.
"""

from collections.abc import Sequence
from typing import Any, Final

from sentienguard.adapters.notify import posting
from sentienguard.ports.notifier import Form, Run

MOST: Final = 2900  # characters of one answer
DENY_FORM: Final = "deny"  # names the form when its reason comes back
REASON: Final = "reason"  # the block of the form that people write into
MOST_REASON: Final = 1500  # characters, so that an entry of the log holds it
_ABOUT: Final = 2900  # of 3000
_LINKS: Final = ("https://", "http://")


def escape(text: str) -> str:
    """Return text that Slack shows as it is: no mention, no link, no channel-wide call."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def plain_text(text: str, most: int) -> dict[str, Any]:
    """Return text that knows no markup."""
    return {"type": "plain_text", "emoji": False, "text": posting.cut(text, most) or " "}


def message(said: Sequence[Run]) -> dict[str, Any]:
    """Return the text of a message, and the same with its links."""
    whole = posting.cut("".join(one.text for one in said), MOST) or " "
    return {
        "text": escape(whole),
        "blocks": [{
            "type": "rich_text",
            "elements": [{"type": "rich_text_section", "elements": _elements(said)}],
        }],
    }  # fmt: skip


def _elements(said: Sequence[Run]) -> list[dict[str, Any]]:
    """Return the runs, as many as fit."""
    left, made = MOST, []
    for one in said:
        if not one.text:
            continue
        if len(one.text) > left:
            made.append({"type": "text", "text": posting.cut(one.text, max(left, 3))})
            break
        left -= len(one.text)
        linked = one.link.startswith(_LINKS)
        made.append(
            {"type": "link", "url": one.link, "text": one.text}
            if linked
            else {"type": "text", "text": one.text}
        )
    return made or [{"type": "text", "text": " "}]


def view(form: Form) -> dict[str, Any]:
    """Return the form that asks why somebody says no."""
    return {
        "type": "modal",
        "callback_id": DENY_FORM,
        "private_metadata": form.kept,
        "title": plain_text("Deny", 24),
        "submit": plain_text("Deny", 24),
        "close": plain_text("Cancel", 24),
        "blocks": [
            {"type": "section", "text": plain_text(form.about, _ABOUT)},
            {
                "type": "input",
                "block_id": REASON,
                "label": plain_text("Why? It is kept in the audit log.", 2000),
                "element": {
                    "type": "plain_text_input",
                    "action_id": REASON,
                    "multiline": True,
                    "min_length": 1,
                    "max_length": MOST_REASON,
                },
            },
        ],
    }


def wrong(problem: str) -> dict[str, Any]:
    """Return what leaves the form open, with what is wrong below its field."""
    return {"response_action": "errors", "errors": {REASON: escape(posting.cut(problem, 300))}}
