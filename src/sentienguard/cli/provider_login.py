"""Log in through the organisation's provider: the person signs in in a browser, we get a code.

Called by login_commands. Nothing secret leaves this process before the code comes: the control
plane is told a digest, and gives tokens for the code and what the digest is of. See
controlplane.command_line for what it holds.
"""

import re
import socket
import sys
import webbrowser
from typing import Final
from urllib.parse import urlencode

from sentienguard.adapters.local_host.entropy import SystemEntropy
from sentienguard.cli import client, frame, loopback
from sentienguard.model import addresses, errors
from sentienguard.trust import code_challenge
from sentienguard.trust.encoding import base64url

WAIT_S: Final = 600.0  # as long as the control plane lets a sign-in take
STATE_BYTES: Final = 32
BROWSER, PASTE = "browser", "paste"
_NOT_OF_A_NAME: Final = re.compile(r"[^A-Za-z0-9._-]+")
_LONGEST_NAME: Final = 64


class NoCode(errors.Unavailable):
    """Nobody said yes in time."""


def log_in(
    asked: client.Client, shown: frame.Frame, *, paste: bool, open_browser: bool
) -> client.Granted:
    """Return a login's tokens, with `asked` using them from now on.

    Raises NoCode, NotLoggedIn, Refused where the control plane has no such way.
    """
    begin_at = _beginning(asked, PASTE if paste else BROWSER)
    verifier = base64url(SystemEntropy().bytes(code_challenge.VERIFIER_BYTES))
    state = base64url(SystemEntropy().bytes(STATE_BYTES))
    told = code_challenge.challenge(verifier)
    said = {"challenge": told, "state": state, "machine": _machine()}
    if paste:
        _show(shown, f"{begin_at}?{urlencode(said)}", told, "on any machine")
        code = _pasted()
    else:
        with loopback.Listener(state) as listener:
            address = f"{begin_at}?{urlencode({**said, 'port': listener.port})}"
            _show(shown, address, told, "on this machine; elsewhere: --paste")
            if open_browser:
                webbrowser.open(address)
            heard = listener.wait(WAIT_S)
        if heard == "":
            raise client.NotLoggedIn("no was said in the browser; nobody is logged in here")
        code = heard or ""
    if not code:
        raise NoCode("no code came; run it again, and say yes in the browser")
    return asked.redeem(code, verifier)


def _beginning(asked: client.Client, way: str) -> str:
    """Return where browsers begin. Raises Refused."""
    ways = asked.get("/auth/ways")
    if not ways.get("provider"):
        raise client.Refused(
            f"{asked.server} knows no identity provider; log in with --name, or set one up: "
            "docs/how-to/single-sign-on.md"
        )
    if way not in ways.get("command_line", ()):
        other = " without --paste" if way == PASTE else " with --paste"
        open_way = other if ways.get("command_line") else ""
        raise client.Refused(
            f"{asked.server} has closed this way to command lines"
            + (f"; log in{open_way}" if open_way else "; use the browser")
        )
    found = str(ways.get("command_line_at", ""))
    safe = addresses.crosses_no_network_in_the_clear(found) and found.isprintable()
    if not safe or addresses.names_somebody(found):
        raise client.Refused(
            f"{asked.server} names {found[:200]!a} as the place to begin; expected https://, or "
            "http:// of this machine"
        )
    return found


def _show(shown: frame.Frame, address: str, told: str, where: str) -> None:
    """Say where to go; on standard error, because standard output is for the answer."""
    for line in (
        f"Open this in a browser {where}:",
        f"  {address}",
        f"The page has to show {code_challenge.compared(told)}. If it does not, say no there.",
    ):
        shown.err.print(frame.plain(line), soft_wrap=True)


def _pasted() -> str:
    """Read the code; it is of no use without what this process keeps, so it may be seen."""
    if sys.stdin.isatty():
        sys.stderr.write("code of the page: ")
        sys.stderr.flush()
    return sys.stdin.readline().strip()


def _machine() -> str:
    named = _NOT_OF_A_NAME.sub("-", socket.gethostname())[:_LONGEST_NAME]
    return named or "unnamed"
