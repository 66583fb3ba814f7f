"""Ask the adviser which sentences of the record answer a question that no template is for.

Called by controlplane.questions where the settings name an adviser. Rules:

1. Nobody is kept from an answer: whatever goes wrong, the question is answered without a model.
2. At most `AT_ONCE` questions are under way and `AN_HOUR` are begun in an hour; after failures
   nobody asks for a while (`adviser_desk.Breaker`). Each has the time, tokens and money that an
   incident's advice has.
3. The exact bodies that crossed are kept in the audit log, also of what failed, with who asked.
"""

import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import msgspec

from sentienguard.controlplane.adviser_desk import Breaker
from sentienguard.flow.advice_budget import Budget, Limits
from sentienguard.flow.advising import Exchange
from sentienguard.flow.asking import pointing
from sentienguard.flow.asking.answering import Facts, Reply
from sentienguard.flow.asking.sentences import Sentence
from sentienguard.flow.ledger import Ledger
from sentienguard.model import errors
from sentienguard.ports import adviser
from sentienguard.ports.clock import Clock
from sentienguard.stages.decide import advice_answer

KIND: Final = "answer.pointed"
EXCHANGE_TYPE: Final = "application/vnd.sentienguard.pointing+json"
AT_ONCE: Final = 2
AN_HOUR: Final = 120  # questions that reach the model
_HOUR_S: Final = 3600.0
_LONGEST_REASON: Final = 300  # characters


@dataclass(slots=True)
class _Asked:
    """One question on its way."""

    exchange: Exchange = field(default_factory=lambda: Exchange(b"", b""))
    absent: str = ""  # why no answer came of it
    entries: tuple[int, ...] = ()


class PointingDesk:
    """Asks one model; safe to use from many threads."""

    def __init__(self, model: adviser.Adviser, clock: Clock, audit: Ledger, limits: Limits) -> None:
        """Ask `model` within these limits."""
        self._model = model
        self._clock = clock
        self._audit = audit
        self._limits = limits
        self._room = threading.BoundedSemaphore(AT_ONCE)
        self._lock = threading.Lock()
        self._breaker = Breaker()
        self._begun: deque[float] = deque()  # monotonic, of the last hour

    def point(self, text: str, facts: Facts, who: str) -> Reply | None:
        """Return the sentences that answer a question; None: it is answered without a model."""
        choice = pointing.offered(facts)
        if not choice or not self._room.acquire(blocking=False):
            return None
        try:
            if not self._may_begin():
                return None
            said = _Asked()
            reply = self._reply(text, choice, facts, said)
            self._record(facts, who, said)
        except (errors.Unavailable, errors.Broken):  # what cannot be recorded is not shown
            return None
        finally:
            self._room.release()
        return reply

    def _reply(
        self, text: str, choice: Sequence[Sentence], facts: Facts, said: _Asked
    ) -> Reply | None:
        budget = Budget(self._limits, self._clock.monotonic())
        question = pointing.question(text, choice)
        pointed: Sequence[Sentence] = ()
        try:
            room = min(budget.answer_tokens(question), question.most_tokens)
            left = budget.seconds_left(self._clock.monotonic())
            turn = self._model.turn(replace(question, most_tokens=room), limit_s=left)
            said.exchange = Exchange(turn.sent, turn.heard)
            pointed = pointing.chosen(turn, choice)
        except adviser.NoReply as cause:
            said.exchange = Exchange(cause.sent, cause.heard, str(cause))
            said.absent = _reason(cause)
        except (errors.Rejected, errors.Unavailable) as cause:
            said.absent = _reason(cause)
        except Exception as cause:  # noqa: BLE001 - rule 1: what nobody foresaw is a reason too
            said.absent = f"asking failed: {_reason(cause)}"
        with self._lock:
            self._breaker.heard(self._clock.monotonic(), opinion=not said.absent)
        if said.absent:
            return None
        said.entries = tuple(sorted({index for one in pointed for index in one.entries}))
        return pointing.reply(pointed, self._model.model, facts)

    def _may_begin(self) -> bool:
        now = self._clock.monotonic()
        with self._lock:
            while self._begun and now - self._begun[0] >= _HOUR_S:
                self._begun.popleft()
            if len(self._begun) >= AN_HOUR or self._breaker.resting_s(now):
                return False
            self._begun.append(now)
            return True

    def _record(self, facts: Facts, who: str, said: _Asked) -> None:
        blob = self._audit.append_blob(
            msgspec.json.encode(said.exchange, order="deterministic"), EXCHANGE_TYPE
        )
        self._audit.append(
            kind=KIND,
            env=facts.incident.environment,
            incident=facts.incident.id,
            actor=who,
            data={
                "model": self._model.model[:200],
                "given": not said.absent,
                "absent": said.absent,
                "entries": list(said.entries[:100]),
            },
            blobs=(blob,),
        )


def _reason(cause: Exception) -> str:
    return advice_answer.clean(str(cause), _LONGEST_REASON) or type(cause).__name__
