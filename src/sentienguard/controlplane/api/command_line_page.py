"""The pages on which somebody lets a command line in: the question, and what became of it.

They are written here and need neither the dashboard nor a script, so their content security policy
allows none. Every text from outside is escaped.
"""

import base64
import hashlib
from html import escape
from typing import Final

from sentienguard.controlplane import command_line_request
from sentienguard.controlplane.command_line import Question
from sentienguard.trust import code_challenge

STYLE: Final = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 36rem; margin: 3rem auto; padding: 0 1rem;
  color: #1c2530; background: #fafbfc; overflow-wrap: anywhere; }
.code { font: 600 1.6rem/1.6 ui-monospace, monospace; letter-spacing: .06em; margin: .25rem 0; }
dt { color: #52606f; font-size: .875rem; margin-top: .75rem; } dd { margin: 0; }
.warn { border-left: 4px solid #b45309; padding: .25rem 0 .25rem 1rem; }
form { display: flex; flex-wrap: wrap; gap: .75rem; margin-top: 1.5rem; }
button { font: inherit; padding: .6rem 1.1rem; border-radius: 6px; border: 1px solid #6b7785;
  background: #fff; color: #1c2530; cursor: pointer; }
button[value=yes] { background: #1d4ed8; border-color: #1d4ed8; color: #fff; }
button:focus-visible { outline: 3px solid #b45309; outline-offset: 2px; }
@media (prefers-color-scheme: dark) { body { color: #dfe5ec; background: #14181d; }
  dt { color: #9aa7b5; } button { background: #262c34; color: #dfe5ec; } }
"""
_STYLE_HASH: Final = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
_PAGE: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title} - SentienGuard</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>{style}</style></head><body><main>
<h1>{title}</h1>
{body}
</main></body></html>"""
_QUESTION: Final = """<p>Somebody at a terminal wants to act as you. Yours has to show this:</p>
<p class="code">{compared}</p>
<dl><dt>as</dt><dd>{user}</dd>
<dt>a machine that calls itself</dt><dd>{machine}</dd>
<dt>its code goes</dt><dd>{place}</dd></dl>
<p class="warn">Say yes only if you typed <code>sentienguard login --sso</code> yourself just now
and your terminal shows the same eight characters. Whoever is let in can do what you can do. If a
message, a call or a web page sent you here, say no.{by_hand}</p>
<form method="post" action="{action}"><input type="hidden" name="mark" value="{mark}">
<button name="answer" value="no">No, I did not start this</button>
<button name="answer" value="yes">Yes, let it in</button></form>"""
_BY_HAND: Final = " Nobody ever needs you to read the code to them."
_SHOWN: Final = """<p>Paste this into the terminal that shows {compared}:</p>
<p class="code">{code}</p>
<p class="warn">It counts once, for 60 seconds. Give it to nobody: it is of use in your own terminal
alone.</p>"""
_REFUSED: Final = "<p>No command line was let in; your no is on record. You can close this.</p>"
_OVER: Final = """<p>This question was answered, took longer than five minutes, or was asked in
another browser. Begin again at the terminal.</p>"""


def policy(port: int) -> str:
    """Return the content security policy of a page whose form may lead to this port of loopback."""
    after = "" if port == command_line_request.BY_HAND else f" {loopback(port)}"
    return (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self'{after}; "
        "base-uri 'none'; frame-ancestors 'none'"
    )


def loopback(port: int) -> str:
    """Return where the browser's own machine listens for the code."""
    return f"http://127.0.0.1:{port}"


def question(asked: Question, mark: str, action: str) -> str:
    """Return the page that asks."""
    wanted = asked.wanted
    by_hand = wanted.port == command_line_request.BY_HAND
    place = "onto the next page, for you to paste" if by_hand else f"to {loopback(wanted.port)}"
    return _page(
        "Let a command line in?",
        _QUESTION.format(
            compared=escape(code_challenge.compared(wanted.challenge)),
            user=escape(asked.user),
            machine=escape(wanted.machine),
            place=escape(place if by_hand else f"{place}, this computer"),
            by_hand=_BY_HAND if by_hand else "",
            action=escape(action),
            mark=escape(mark),
        ),
    )


def code(asked: Question, shown: str) -> str:
    """Return the page with the code to paste."""
    compared = escape(code_challenge.compared(asked.wanted.challenge))
    return _page("The code for your terminal", _SHOWN.format(compared=compared, code=escape(shown)))


def refused() -> str:
    """Return the page after a no."""
    return _page("Nobody was let in", _REFUSED)


def over() -> str:
    """Return the page where there is no question."""
    return _page("There is no question here", _OVER)


def _page(title: str, body: str) -> str:
    return _PAGE.format(title=title, style=STYLE, body=body)
