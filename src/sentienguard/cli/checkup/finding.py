"""What a look returns."""

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """How it stands with one thing."""

    OK = "ok"
    NOTE = "note"  # as somebody wanted it, or no harm yet; status 0
    WRONG = "wrong"  # something does not work, or will not much longer; status 1


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    what: str
    state: State
    detail: str
    way_out: str = ""  # what to do; empty only where nothing is to be done

    @property
    def good(self) -> bool:
        """Tell whether it is not wrong."""
        return self.state is not State.WRONG


def ok(what: str, detail: str) -> Finding:
    """Return that nothing is to be done."""
    return Finding(what, State.OK, detail)


def note(what: str, detail: str, way_out: str) -> Finding:
    """Return something to know, and how to change it."""
    return Finding(what, State.NOTE, detail, way_out)


def wrong(what: str, detail: str, way_out: str) -> Finding:
    """Return something that does not work, and how to mend it."""
    return Finding(what, State.WRONG, detail, way_out)
