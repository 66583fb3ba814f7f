"""Tell people through one service.

Called by controlplane.notice_desk, which repeats, folds and remembers. Offered by adapters.notify,
one module for each service.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from sentienguard.model import errors
from sentienguard.model.notice import Notice


class NotTaken(errors.Rejected):
    """The service will never take this message as it is: wrong key, unknown channel, too large."""


class NotNow(errors.Unavailable):
    """The service does not answer or has enough for now."""

    def __init__(self, message: str, *, after_s: float | None = None) -> None:
        """Say why, and after how many seconds the service wants to be asked again."""
        super().__init__(message)
        self.after_s = after_s


@dataclass(frozen=True, slots=True)
class Letter:
    """One message on its way."""

    id: str  # the same each time that it is tried, so that the service can tell
    notice: Notice
    at: datetime  # now, for signatures and headers
    previous: str  # what the service called the last message about this incident; empty: none


@dataclass(frozen=True, slots=True)
class Run:
    """A run of text, which means what it says: no service's markup is in it."""

    text: str
    link: str = ""  # an address of the dashboard that it leads to; empty: to none


@dataclass(frozen=True, slots=True)
class Whisper:
    """Something that one person alone is to read."""

    channel: str  # the service's id
    person: str  # the service's id
    said: tuple[Run, ...]
    at: datetime


@dataclass(frozen=True, slots=True)
class Form:
    """What one person is shown who has to say why."""

    trigger: str  # what the service gave with the click; it is good for seconds
    about: str  # what the reason is for, one line
    kept: str  # comes back with the reason
    at: datetime


@dataclass(frozen=True, slots=True)
class Late:
    """What answers a command after its time; the person alone reads it."""

    where: str  # the address that the service gave with the command; it came from outside
    said: tuple[Run, ...]
    at: datetime


class Notifier(Protocol):
    """One configured channel of one service."""

    def send(self, letter: Letter) -> str:
        """Deliver, and return how the service names the message for later ones; empty: not at all.

        Raises NotTaken, NotNow.
        """


class Whisperer(Protocol):
    """A service in which one person can be told something that the others do not see."""

    def whisper(self, whisper: Whisper) -> None:
        """Tell it. Raises NotTaken, NotNow."""

    def ask_why(self, form: Form) -> None:
        """Show the form; the reason comes back as a message of the service. Raises as `whisper`."""

    def answer(self, said: Sequence[Run]) -> Mapping[str, Any]:
        """Return the document that answers a command with this text."""

    def takes_late(self, where: str) -> bool:
        """Tell whether an address that came with a command is one that the service gives."""

    def answer_late(self, late: Late) -> None:
        """Answer at that address. Raises NotTaken, also of any other address, and NotNow."""

    def wrong(self, problem: str) -> Mapping[str, Any]:
        """Return the document that leaves a form open and says what is wrong in it."""


@dataclass(frozen=True, slots=True)
class Channel:
    """One configured place where people hear of incidents."""

    name: str  # in the owner's file
    kind: str  # which service
    notifier: Notifier
    folds: bool  # many messages become a digest
