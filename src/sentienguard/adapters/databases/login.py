"""What both protocols are given to log in with, and what they tell: answers and failures.

Called by `postgresql`, `mysql` and whoever uses them. Every failure is a ValueError, so that a
collector, which leaves out what it cannot read, needs to know no more of it.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Login:
    """Where a server is, and as whom it is asked."""

    name: str  # for messages
    address: str  # host:port of loopback, or the path of a Unix socket
    user: str
    password: str = ""
    database: str = ""  # empty: the one that every server has


@dataclass(frozen=True, slots=True)
class Told:
    """What a server answered to one statement."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str | None, ...], ...]  # texts as the server writes them; None: NULL
    changed: int  # rows that it says the statement touched


class Failed(ValueError):
    """The server refused the statement, or it failed; nothing of it stays."""


class Denied(Failed):
    """The role may not do that."""


class CutOff(Failed):
    """The server ended it: its time was over, it was cancelled, or the server shuts down."""


class Gone(Failed):
    """The session that was to be ended has ended already."""


class TooMany(Failed):
    """The answer has more rows than were asked for."""
