"""A model, a desk and a clock in memory: what they do is set, what they saw is kept."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

from sentienguard.flow import advising
from sentienguard.ports.adviser import Question, Reply
from tests.support import decide_cases as cases

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime


class Clock:
    """Time that moves when somebody moves it."""

    def __init__(self) -> None:
        self.at = 1000.0
        self.slept: list[float] = []

    def now(self) -> datetime:
        return cases.NOW

    def monotonic(self) -> float:
        return self.at

    def sleep(self, seconds: float, until: Any = None) -> None:
        self.slept.append(seconds)
        self.at += seconds


def says(text: str, **more: Any) -> Reply:
    """Return a turn."""
    given: dict[str, Any] = {
        "calls": (),
        "refusal": "",
        "is_whole": True,
        "tokens_in": 900,
        "tokens_out": 80,
        "sent": b"",
        "heard": text.encode(),
    }
    return Reply(text=text, **(given | more))


def opinion(choice: str, **more: Any) -> Reply:
    """Return a turn with an opinion in it."""
    said = {"reasoning": "It grew.", "hypothesis": "Logs pile up.", "choice": choice}
    return says(json.dumps(said | more))


class Model:
    """Does what the next line of its plan says: a turn, or an error."""

    model = "test@nowhere"

    def __init__(self, plan: list[Reply | Exception], *, takes_s: float = 0.0) -> None:
        self.plan = list(plan)
        self.takes_s = takes_s
        self.clock = Clock()
        self.questions: list[Question] = []
        self.sent: list[bytes] = []
        self.heard: list[bytes] = []

    def turn(self, question: Question, *, limit_s: float) -> Reply:
        self.questions.append(question)
        self.clock.at += self.takes_s
        act = self.plan.pop(0)
        if isinstance(act, Exception):
            raise act
        self.sent.append(json.dumps([question.instructions, question.prompt]).encode())
        self.heard.append(act.heard)
        return dataclasses.replace(act, sent=self.sent[-1])


class Desk:
    """Does the work at once, when it is told to, or never."""

    def __init__(self, *, at_once: bool = True, is_full: bool = False) -> None:
        self._at_once = at_once
        self._is_full = is_full
        self._waiting: list[tuple[Callable[[], Any], Callable[[Any], None]]] = []

    def ask(self, work: Callable[[], Any], *, wait_s: float) -> Any:
        self._check()
        return work()

    def later(self, work: Callable[[], Any], then: Callable[[Any], None]) -> None:
        self._check()
        self._waiting.append((work, then))
        if self._at_once:
            self.go_on()

    def go_on(self) -> None:
        for work, then in self._waiting:
            then(work())
        self._waiting.clear()

    def _check(self) -> None:
        if self._is_full:
            raise advising.AdviserBusy("too many questions")
