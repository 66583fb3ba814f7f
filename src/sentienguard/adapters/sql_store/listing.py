"""What lists have in common: a text that people look for, and where their next page begins. Pure.

Called by the stores whose lists have pages. A cursor is the key of the last row before it, so that
a late page costs what an early one costs; it is no secret, and what comes back is judged as
anything from outside.
"""

import base64
import binascii
from collections.abc import Callable
from typing import TypeVar

from sentienguard.model import errors

Place = TypeVar("Place")
MAX_SEARCH = 200  # characters of a text filter; a longer one is a mistake and slow


def pattern(wanted: str) -> str:
    """Return the pattern for `LIKE :pattern ESCAPE '!'` of a text, whose own wildcards are none.

    What it is compared with is case-folded too. Raises Rejected where the text is too long.
    """
    if len(wanted) > MAX_SEARCH:
        raise errors.Rejected(
            f"search for {len(wanted)} characters: expected at most {MAX_SEARCH}; shorten it"
        )
    escaped = "".join(f"!{letter}" if letter in "!%_" else letter for letter in wanted.casefold())
    return f"%{escaped}%"


def cursor(place: str) -> str:
    """Return what names this place to people's programs."""
    return base64.urlsafe_b64encode(place.encode()).decode().rstrip("=")


def read_cursor(given: str, read: Callable[[str], Place]) -> Place:
    """Return the place behind which a page begins, as `read` takes it out of its text.

    `read` raises ValueError on what is no place. Raises Rejected where the cursor is not ours.
    """
    try:
        padded = given.encode("ascii") + b"=" * (-len(given) % 4)
        return read(base64.b64decode(padded, altchars=b"-_", validate=True).decode())
    except (ValueError, binascii.Error) as error:
        raise errors.Rejected(
            f"cursor {given[:80]!a} is none that a page gave; begin again without a cursor"
        ) from error
