"""Asks one target in a thread, and gives each sample the newest answer.

Gives `software.up` (1 or 0) and `software.answer_ms` by target, beside what the program says. A
target that the owner declared is 0 while it does not answer. One that was only tried says nothing
until it answered once; it is tried again after a minute, or after an hour where it let us not in,
because each try may stand in its log.
"""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from sentienguard.adapters.databases import wire
from sentienguard.agent import collectors

LIMIT_S = 2.0  # for connecting and all answers together
TRY_AGAIN_S = 60.0
REFUSED_S = 3600.0
_LONGEST_PASSWORD = 1024

Values = Mapping[str, float]  # by metric


@dataclass(frozen=True, slots=True)
class Target:
    """One program that is asked."""

    kind: str  # a key of `kinds.KINDS`
    name: str  # the subject of its metrics
    address: (
        str  # host:port, a path of a Unix socket, or for nginx and RabbitMQ http://host:port/path
    )
    user: str = ""
    password_file: str | None = None  # absolute; the first line is the password
    declared: bool = True  # false: tried because programs of this kind usually are there

    def password(self) -> str:
        """Return the password, empty where none is declared. Raises OSError."""
        if self.password_file is None:
            return ""
        with Path(self.password_file).open(encoding="utf-8") as file:
            return file.readline(_LONGEST_PASSWORD).rstrip("\r\n")


Ask = Callable[[Target, float], Values]  # (target, seconds) -> readings; OSError, ValueError


class Software:
    """Keeps the newest answer of one target."""

    spare = True

    def __init__(self, target: Target, ask: Ask) -> None:
        self.name = f"software {target.name}"
        self._target = target
        self._ask = ask
        self._thread: threading.Thread | None = None
        self._seen = False  # it answered once
        self._again = 0.0  # monotonic: not before
        self._answer: tuple[Values, float] | None = None
        self._told: Exception | None = None
        self._began = 0.0

    def prepare(self) -> None:
        """Ask, unless an answer is still awaited or the target is given a rest."""
        if (self._thread is not None and self._thread.is_alive()) or time.monotonic() < self._again:
            return
        self._began = time.monotonic()
        self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)
        self._thread.start()

    def read(self, into: collectors.Reading) -> None:
        """Add what is known now; waits for nothing. Raises what asking raised."""
        awaited = self._thread is not None and self._thread.is_alive()
        overdue = awaited and time.monotonic() - self._began > LIMIT_S
        answer = None if overdue else self._answer
        subject = self._target.name
        if answer is not None:
            values, milliseconds = answer
            into.values["software.up", subject] = 1
            into.values["software.answer_ms", subject] = milliseconds
            into.values.update({(metric, subject): value for metric, value in values.items()})
        elif self._missed and self._thread is not None and (overdue or not awaited):
            into.values["software.up", subject] = 0
        told, self._told = self._told, None
        if told is not None and self._missed:
            raise told

    @property
    def _missed(self) -> bool:
        return self._target.declared or self._seen

    def _run(self) -> None:
        try:
            values = self._ask(self._target, LIMIT_S)
        except (OSError, ValueError) as error:
            self._answer, self._told = None, error
            if not self._missed:
                rest = REFUSED_S if isinstance(error, wire.Refused) else TRY_AGAIN_S
                self._again = time.monotonic() + rest
        else:
            self._seen = True
            milliseconds = round((time.monotonic() - self._began) * 1000, 1)
            self._answer = (values, milliseconds)
