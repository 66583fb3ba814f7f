"""Ask a language model for the next turn of a short conversation.

Called by flow.advising, which owns the conversation: what is asked, what a tool answers, what is
believed. Offered by adapters.adviser_endpoint for two protocols. A model sees what it is sent and
does nothing: it has no tools but those that the caller answers for it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from sentienguard.model import errors


@dataclass(frozen=True, slots=True)
class Tool:
    """A question that the model may ask back."""

    name: str
    description: str
    schema: Mapping[str, Any]  # JSON schema of its arguments, an object


@dataclass(frozen=True, slots=True)
class Call:
    """The model asks a tool. Untrusted."""

    id: str
    name: str
    arguments: str  # JSON, or whatever it wrote


@dataclass(frozen=True, slots=True)
class Round:
    """One turn in which the model asked tools, and what they answered."""

    text: str  # what it said beside its calls
    calls: tuple[Call, ...]
    answers: tuple[str, ...]  # one for each call, in their order


@dataclass(frozen=True, slots=True)
class Question:
    """All that the model is told for one turn."""

    instructions: str  # ours alone, no foreign text in it
    prompt: str  # with the evidence in it
    rounds: tuple[Round, ...]  # what went before, oldest first
    tools: tuple[Tool, ...]
    may_ask: bool  # False: it has to answer now
    answer: Mapping[str, Any]  # JSON schema of the answer, an object
    most_tokens: int  # of what it writes


@dataclass(frozen=True, slots=True)
class Reply:
    """One turn of the model. Untrusted text."""

    text: str  # its answer, JSON if it kept to the schema; empty where it asks tools
    calls: tuple[Call, ...]
    refusal: str  # in its words or the protocol's; empty: it did not refuse
    is_whole: bool  # False: it was cut off at most_tokens
    tokens_in: int | None  # as the endpoint counted; None: it did not say
    tokens_out: int | None
    sent: bytes  # the request's body, exactly
    heard: bytes  # the answer's body, exactly


class NoReply(errors.SentienGuardError):
    """No turn came of it; what crossed until then is kept for the record."""

    def __init__(self, message: str, *, sent: bytes = b"", heard: bytes = b"") -> None:
        """Say why; `sent` and `heard` are the bodies as far as they went."""
        super().__init__(message)
        self.sent = sent
        self.heard = heard


class AdviserAway(NoReply, errors.Unavailable):
    """Nobody answered, or not in time, or only half."""


class AdviserBusy(AdviserAway):
    """It asks to be left alone for a while."""

    def __init__(
        self, message: str, *, retry_after_s: float, sent: bytes = b"", heard: bytes = b""
    ) -> None:
        """Say why, and for how many seconds."""
        super().__init__(message, sent=sent, heard=heard)
        self.retry_after_s = retry_after_s


class AdviserDeclined(NoReply, errors.Rejected):
    """The endpoint will not take this request: the key, the model's name, the request itself."""


class AdviserGarbled(NoReply, errors.Rejected):
    """What came is not the protocol, or is longer than an answer may be."""


class Adviser(Protocol):
    """One model behind one address."""

    @property
    def model(self) -> str:
        """Its name and address, for the record."""

    def turn(self, question: Question, *, limit_s: float) -> Reply:
        """Return the model's next turn, or raise NoReply, no later than `limit_s` from now."""
