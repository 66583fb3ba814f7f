"""Ask another system over HTTP, where the owner allowed it.

Called by every adapter of the control plane that asks something outside. Offered by
adapters.outbound_http, which refuses every destination that nobody configured.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from sentienguard.model import errors


class NotAllowed(errors.Rejected):
    """The destination is not one that the owner configured, or is never one."""


class NoAnswer(errors.Unavailable):
    """No connection, no answer in time, or more of it than anybody reads."""

    def __init__(self, message: str, heard: bytes = b"") -> None:
        """Keep what came of a body before it broke off."""
        super().__init__(message)
        self.heard = heard


class TooLong(NoAnswer):
    """More came than anybody reads."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked."""

    method: str  # GET, POST or PUT
    url: str  # absolute
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    limit_s: float | None = None  # from the start to the last byte; None: what the way allows


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, whatever its status."""

    status: int
    headers: Mapping[str, str]  # names in lower case
    body: bytes  # bounded


@dataclass(frozen=True, slots=True)
class Wanted:
    """A destination that a configured channel names."""

    url: str  # whose scheme, host and port count
    private: bool = False  # its addresses need not be public: the owner said so
    below: bool = False  # and every name below its host


class Outbound(Protocol):
    """One way out."""

    def send(self, request: Request) -> Answer:
        """Ask and return the answer; a redirect is an answer. Raises NotAllowed, NoAnswer."""
