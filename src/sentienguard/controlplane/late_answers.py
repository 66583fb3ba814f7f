"""Answers to questions from a chat that take longer than the chat service waits.

Made and fed by slack_desk, from `start` to `close`. Rules:

1. What is acknowledged is in a file of its own before, and until it was answered: a start answers
   what an end left. Where a crash falls between the answer and the file, the person reads it twice.
2. They are answered one after another; at most `MOST_WAITING` wait, `A_PERSON` of one person.
3. Who asks is looked up when it is answered, and the answer holds what they may see then.
4. The service takes an answer for half an hour. What waited longer is not asked of anybody: the
   person is told that it was lost. The same where the service does not take it any more.
5. What the service cannot take now is tried `TRIES` times; it takes five messages for one command.
6. Where an answer goes came from outside: `Whisperer.takes_late` judges it before it is kept, and
   `answer_late` again before it is asked.
"""

import hashlib
import json
import logging
import queue
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, Protocol

from sentienguard.controlplane import chat_answers, private_files
from sentienguard.controlplane.centre import Centre
from sentienguard.model import errors
from sentienguard.model.access import User
from sentienguard.ports.notifier import Late, NotNow, NotTaken, Run, Whisper, Whisperer

log = logging.getLogger(__name__)
MOST_WAITING: Final = 8
A_PERSON: Final = 2
TAKEN_FOR: Final = timedelta(minutes=25)  # of the thirty that the service says
TRIES: Final = 3
PAUSE_S: Final = 2.0  # before the second try, where the service names none
LONGEST_PAUSE_S: Final = 30.0
ENDS_WITHIN_S: Final = 5.0
LOST: Final = "This question was not answered in time. Ask it again."


class Asking(Protocol):
    """Answers questions about incidents, within what their asker may see."""

    def at_once(self, text: str, user: User) -> Sequence[Run]:
        """Answer without anybody who takes seconds."""

    def takes_longer(self, text: str, user: User) -> bool:
        """Tell whether `in_time` may know more than `at_once`."""

    def in_time(self, text: str, user: User) -> Sequence[Run]:
        """Answer, however many seconds it takes."""


@dataclass(frozen=True, slots=True)
class Question:
    """What somebody asked and was told to wait for."""

    team: str
    person: str  # the service's id
    channel: str  # the service's id; empty: unknown
    text: str
    where: str  # the address that takes the answer
    at: datetime  # when it was asked

    @property
    def name(self) -> str:
        """The same for the same command, which may come twice."""
        return hashlib.sha256(self.where.encode()).hexdigest()[:32]


class LateAnswers:
    """Answers what was acknowledged, in a thread of its own."""

    def __init__(
        self,
        centre: Centre,
        service: str,
        whisperers: Mapping[str, Whisperer],
        asking: Asking,
        place: Path,
    ) -> None:
        """Answer for these workspaces; files are kept in `place`, which need not be there yet."""
        self._centre = centre
        self._service = service
        self._whisperers = whisperers
        self._asking = asking
        self._place = place
        self._lock = threading.Lock()
        self._waiting: dict[str, Question] = {}
        self._line: queue.Queue[str | None] = queue.Queue()
        self._stop = threading.Event()
        self._worker = threading.Thread(target=self._work, name="late-answers", daemon=True)

    def start(self) -> None:
        """Begin, with what an earlier end left (rule 1)."""
        found = sorted(_left(self._place), key=lambda one: one.at)
        with self._lock:
            left = [one for one in found if one.name not in self._waiting]
            self._waiting |= {one.name: one for one in left}
        for one in left:
            self._line.put(one.name)
        self._worker.start()

    def close(self) -> None:
        """Begin nothing more; what waits is answered after the next start."""
        self._stop.set()
        self._line.put(None)
        if self._worker.is_alive():
            self._worker.join(ENDS_WITHIN_S)

    def take(self, question: Question) -> bool:
        """Keep a question, so that it is answered; False: there is no room. Raises OSError."""
        with self._lock:
            if question.name in self._waiting:
                return True
            same = [one for one in self._waiting.values() if _asks(one) == _asks(question)]
            if len(self._waiting) >= MOST_WAITING or len(same) >= A_PERSON:  # rule 2
                return False
            self._place.mkdir(parents=True, exist_ok=True, mode=0o700)
            private_files.write(self._file(question.name), _written(question))
            self._waiting[question.name] = question
        self._line.put(question.name)
        return True

    def _work(self) -> None:
        while (name := self._line.get()) is not None and not self._stop.is_set():
            try:
                ended = self._one(self._waiting[name])
            except Exception:  # one question must not end the answering of others
                log.exception("late answers")
                ended = True
            if ended:
                with self._lock:
                    self._file(name).unlink(missing_ok=True)
                    self._waiting.pop(name)

    def _one(self, question: Question) -> bool:
        """Answer one; False: it waits for the next start."""
        whisperer = self._whisperers.get(question.team)
        if whisperer is None:
            log.warning("late answers: workspace %a has no channel any more", question.team[:40])
            return True
        if self._centre.clock.now() - question.at > TAKEN_FOR:  # rule 4
            self._whisper(whisperer, question, LOST)
            return True
        return self._deliver(whisperer, question, self._answer(question))

    def _answer(self, question: Question) -> tuple[Run, ...]:
        asked = Run(f"You asked: {question.text}\n")
        person = chat_answers.Person(self._service, question.team, question.person)
        user = chat_answers.account(self._centre, person)  # rule 3
        if user is None:
            return asked, Run("Your user is linked to no account here any more.")
        try:
            return asked, *self._asking.in_time(question.text, user)
        except errors.SentienGuardError as cause:
            return asked, Run(f"{cause}")
        except Exception:
            log.exception("late answers: %s", question.name)
            return asked, Run("The answer failed. The control plane's own log says why.")

    def _deliver(self, whisperer: Whisperer, question: Question, said: tuple[Run, ...]) -> bool:
        for number in range(1, TRIES + 1):
            try:
                whisperer.answer_late(Late(question.where, said, self._centre.clock.now()))
            except NotNow as cause:  # rule 5
                log.warning("late answers: try %d of %d: %s", number, TRIES, cause)
                pause = PAUSE_S * number if cause.after_s is None else cause.after_s
                if number < TRIES and self._stop.wait(min(pause, LONGEST_PAUSE_S)):
                    return False
            except NotTaken as cause:
                log.warning("late answers: %s", cause)
                break
            else:
                return True
        self._whisper(whisperer, question, LOST)
        return True

    def _whisper(self, whisperer: Whisperer, question: Question, text: str) -> None:
        """Say it in the channel to the person alone, where the service lets us (rule 4)."""
        said = (Run(f"You asked: {question.text}\n"), Run(text))
        whisper = Whisper(question.channel, question.person, said, self._centre.clock.now())
        try:
            whisperer.whisper(whisper)
        except (NotNow, NotTaken) as cause:
            log.warning("late answers: a person was not told that a question was lost: %s", cause)

    def _file(self, name: str) -> Path:
        return self._place / f"{name}.json"


def _asks(question: Question) -> tuple[str, str]:
    return question.team, question.person


def _left(place: Path) -> Sequence[Question]:
    """Return what was acknowledged and not answered; what is no question is removed."""
    found = []
    for path in sorted(place.glob("*.json")):
        try:
            found.append(_read(json.loads(path.read_bytes())))
        except (OSError, ValueError, KeyError, TypeError) as cause:
            log.warning("%s is left over and removed (%s)", path, cause)
            path.unlink(missing_ok=True)
    return found


def _written(question: Question) -> bytes:
    return json.dumps({**asdict(question), "at": question.at.isoformat()}).encode()


def _read(document: Any) -> Question:
    return Question(**{**document, "at": datetime.fromisoformat(document["at"])})
