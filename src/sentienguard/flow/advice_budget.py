"""What asking an adviser about one incident may cost, in time, tokens and money.

Called by `advising`. Nothing that an endpoint says of its own cost is believed where it cannot be:
a token is at most eight bytes of what crossed, on the average of any text.
"""

import math
from dataclasses import dataclass, replace
from typing import Final

from sentienguard.model import errors
from sentienguard.model.advice import Spent
from sentienguard.ports.adviser import Question, Reply

_BYTES_EXPECTED: Final = 2  # of a token before a request: JSON with numbers has 2.5, English 4
_BYTES_COUNTED: Final = 3  # of a token after it, where the endpoint does not say
_BYTES_MOST: Final = 8  # of a token that is believed
_LEAST_ANSWER: Final = 200  # tokens: with less room no answer is worth its question
_AROUND: Final = 2_000  # bytes of schema and names around the texts of a request
_MILLION: Final = 1_000_000


class BudgetSpent(errors.Rejected):
    """Nothing is left for another turn."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one incident may cost."""

    seconds: float = 20.0  # from the first request to the last byte
    tokens: int = 60_000  # of all requests and answers together
    dollars: float = 0.25  # by the prices below; with prices of 0 nothing is counted
    dollars_in: float = 0.0  # for a million tokens that are sent
    dollars_out: float = 0.0  # for a million tokens that are written
    answer_tokens: int = 1_500  # of one answer
    rounds: int = 4  # turns in which tools may be asked


class Budget:
    """Counts the turns of one incident."""

    def __init__(self, limits: Limits, started: float) -> None:
        """Begin at a monotonic time."""
        self._limits = limits
        self._started = started
        self.spent = Spent()

    def seconds_left(self, now: float) -> float:
        """Return the time that is left. Raises BudgetSpent."""
        self.spent = replace(self.spent, took_ms=round((now - self._started) * 1000))
        left = self._started + self._limits.seconds - now
        if left <= 0:
            raise BudgetSpent(f"the {self._limits.seconds:g} s of an incident are over")
        return left

    def answer_tokens(self, question: Question) -> int:
        """Return how many tokens the next answer may have. Raises BudgetSpent."""
        limits = self._limits
        asking = math.ceil(_size(question) / _BYTES_EXPECTED)
        by_tokens = limits.tokens - self.spent.tokens_in - self.spent.tokens_out - asking
        if by_tokens < _LEAST_ANSWER:
            raise BudgetSpent(f"the {limits.tokens} tokens of an incident do not last for a turn")
        money = limits.dollars * _MILLION - self.spent.microdollars - asking * limits.dollars_in
        by_money = money / limits.dollars_out if limits.dollars_out else math.inf
        if money < 0 or by_money < _LEAST_ANSWER:
            raise BudgetSpent(f"the {limits.dollars:g} dollars of an incident do not last")
        return int(min(limits.answer_tokens, by_tokens, by_money))

    def count(self, sent: bytes, heard: bytes, reply: Reply | None = None) -> None:
        """Count a turn, also one that failed: what was sent may have been paid for."""
        tokens_in = _tokens(reply.tokens_in if reply else None, len(sent))
        tokens_out = _tokens(
            reply.tokens_out if reply else None,
            len(heard)
            if reply is None
            else len(reply.text) + sum(len(one.arguments) for one in reply.calls),
        )
        cost = tokens_in * self._limits.dollars_in + tokens_out * self._limits.dollars_out
        self.spent = replace(
            self.spent,
            turns=self.spent.turns + 1,
            tokens_in=self.spent.tokens_in + tokens_in,
            tokens_out=self.spent.tokens_out + tokens_out,
            microdollars=self.spent.microdollars + math.ceil(cost),
        )


def _tokens(told: int | None, size: int) -> int:
    if told is None or told < 0:
        return math.ceil(size / _BYTES_COUNTED)
    return max(told, size // _BYTES_MOST)


def _size(question: Question) -> int:
    rounds = sum(
        len(one.text)
        + sum(len(call.arguments) for call in one.calls)
        + sum(len(answer) for answer in one.answers)
        for one in question.rounds
    )
    return len(question.instructions) + len(question.prompt) + rounds + _AROUND
