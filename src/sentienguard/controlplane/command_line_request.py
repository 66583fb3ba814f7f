"""What a command line asks of the browser in which its person signs in: all of it its own word.

Called by single_sign_on, whose cookie carries it, command_line and its API. Pure.
"""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, urlencode

from sentienguard.controlplane.sign_on_file import WAYS_OF_COMMAND_LINES
from sentienguard.model import errors

PAGE: Final = "/api/v1/auth/command-line/confirm"  # which asks the person
BROWSER, PASTE = WAYS_OF_COMMAND_LINES  # how a code comes back: through loopback, or by hand
DIGEST: Final = r"^[A-Za-z0-9_\-]{43}$"  # base64url of 32 bytes
MACHINE: Final = r"^[A-Za-z0-9._\-]{1,64}$"
BY_HAND: Final = 0  # instead of a port
LOWEST_PORT: Final = 1024  # below, something else than a person's command line listens
HIGHEST_PORT: Final = 65535


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a command line asks for; all of it is its own word."""

    challenge: str  # base64url of the SHA-256 of its verifier
    state: str  # comes back with the code; the command line takes no other
    port: int  # of 127.0.0.1; BY_HAND: nobody listens
    machine: str  # what it calls its machine

    @property
    def way(self) -> str:
        """How its code comes back."""
        return PASTE if self.port == BY_HAND else BROWSER

    @property
    def page(self) -> str:
        """Where the login leads, as the cookie of its browser holds it."""
        said = {
            "challenge": self.challenge,
            "state": self.state,
            "port": self.port,
            "machine": self.machine,
        }
        return f"{PAGE}?{urlencode(said)}"


def read(challenge: str, state: str, port: int, machine: str) -> Wanted:
    """Return what was asked for. Raises Rejected."""
    for name, form, found in (
        ("challenge", DIGEST, challenge), ("state", DIGEST, state), ("machine", MACHINE, machine),
    ):  # fmt: skip
        if not re.fullmatch(form, found):
            raise errors.Rejected(f"{name}: expected {form}, found {found[:80]!a}")
    if port != BY_HAND and not LOWEST_PORT <= port <= HIGHEST_PORT:
        raise errors.Rejected(
            f"port: expected {LOWEST_PORT} to {HIGHEST_PORT} of 127.0.0.1, or {BY_HAND}"
        )
    return Wanted(challenge, state, port, machine)


def of_page(page: str) -> Wanted | None:
    """Return what the command line asks for whose login leads to this page; None: another page."""
    path, _, query = page.partition("?")
    if path != PAGE:
        return None
    said = dict(parse_qsl(query))
    try:
        found = read(said["challenge"], said["state"], int(said["port"]), said["machine"])
    except (KeyError, ValueError, errors.Rejected):
        return None
    return found if found.page == page else None
