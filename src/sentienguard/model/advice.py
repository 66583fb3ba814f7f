"""What a language model thinks of an incident: an opinion, which decides nothing.

It names no command, no host, no value and no person: a cause in words, the reasons in words, and
at most one name out of the list that it was given.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sentienguard.model.ids import PlaybookName


class May(StrEnum):
    """What an opinion may do, as the owner of the policy says. None of these permits more."""

    SHOWN = "shown"  # recorded and shown, asked for after the decision
    RESTRICT = "restrict"  # where it disagrees a person is asked
    CHOOSE = "choose"  # and among playbooks that match alike it may name the one that is meant


@dataclass(frozen=True, slots=True)
class Opinion:
    """What was said, cleaned and bounded. Untrusted text."""

    hypothesis: str  # the likeliest cause, in a sentence
    reasoning: str  # how the evidence leads there
    choice: PlaybookName | None  # one of those that were offered; None: none of them


@dataclass(frozen=True, slots=True)
class Spent:
    """What asking cost."""

    took_ms: int = 0
    turns: int = 0  # requests that were sent
    tokens_in: int = 0  # as counted for the budget: told by the endpoint, or estimated
    tokens_out: int = 0
    microdollars: int = 0  # millionths, by the prices in the settings


@dataclass(frozen=True, slots=True)
class Advice:
    """What came of asking about one incident. Without an opinion, why there is none."""

    model: str  # name and address
    at: datetime
    may: May  # in force when it was asked
    offered: tuple[PlaybookName, ...]  # the closed list, in the order of matching
    opinion: Opinion | None
    absent: str  # why there is no opinion; empty: there is one
    spent: Spent
    asked: tuple[str, ...] = ()  # what it asked of its tools, in words
