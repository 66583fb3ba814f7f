"""The network between a host and the centre: late, lost, twice, cut.

Called by `collector` and `people`. A request goes out, is handled, and its answer comes back; each
way can lose it, delay it beyond any nonce, or bring it many times. Whoever asked hears of a failure
when its patience ends. Nothing is ever changed on the way: forging is for `attacker`.
"""

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from sentienguard.model import errors
from sentienguard.simulation.scheduler import Process, Scheduler

Respond = Callable[[Any], None]
Handle = Callable[[Respond], None]


@dataclass(slots=True)
class Weather:
    """How bad the way is now; chances of each message."""

    lost: float = 0.0
    late: float = 0.0  # by up to LATEST_S
    twice: float = 0.0
    tenfold: float = 0.0
    cut: bool = False  # a partition


class Answered(Protocol):
    """Takes an answer."""

    def __call__(self, answer: Any, /, *, awaited: bool) -> None:
        """Hear one copy of it."""


LATEST_S = 90.0  # longer than a nonce lives


class Link:
    """One host's way to the centre."""

    def __init__(
        self, scheduler: Scheduler, chance: random.Random, tally: Counter[str], name: str
    ) -> None:
        """Begin with good weather."""
        self.weather = Weather()
        self._scheduler = scheduler
        self._chance = chance
        self._tally = tally
        self._name = name

    def request(  # noqa: C901 - each way of a message is one small function of its own
        self,
        what: str,
        handle: Callable[[Respond], None],
        *,
        process: Process,
        answered: Answered,
        failed: Callable[[], None],
        patience_s: float = 10.0,
    ) -> None:
        """Send; `answered` hears each copy of an answer, `failed` that none came in time.

        `awaited` tells the copy that was waited for from those that nobody waits for.
        """
        heard = [False]

        def gives_up() -> None:
            if not heard[0]:
                heard[0] = True
                failed()

        def arrives(answer: Any) -> None:
            late, heard[0] = heard[0], True
            if not isinstance(answer, _Refused):
                answered(answer, awaited=not late)
            elif not late:
                failed()

        def respond(answer: Any) -> None:
            for delay in self._copies():
                self._scheduler.after(
                    delay, f"{self._name} hears of {what}", lambda: arrives(answer), process
                )

        def handled() -> None:
            try:
                handle(respond)
            except (errors.SentienGuardError, OSError) as error:
                respond(_Refused(str(error)))

        for delay in self._copies():
            self._scheduler.after(delay, f"centre hears {what} of {self._name}", handled)
        self._scheduler.after(patience_s, f"{self._name} gives {what} up", gives_up, process)

    def _copies(self) -> list[float]:
        """Return the delay of each copy that arrives."""
        weather, chance = self.weather, self._chance
        if weather.cut:
            self._tally["cut"] += 1
            return []
        if weather.lost and chance.random() < weather.lost:
            self._tally["message lost"] += 1
            return []
        copies = 1
        if weather.tenfold and chance.random() < weather.tenfold:
            self._tally["message tenfold"] += 1
            copies = 10
        elif weather.twice and chance.random() < weather.twice:
            self._tally["message twice"] += 1
            copies = 2
        return [self._delay() for _ in range(copies)]

    def _delay(self) -> float:
        if self.weather.late and self._chance.random() < self.weather.late:
            self._tally["message late"] += 1
            return self._chance.uniform(0.0, LATEST_S)
        return 0.02 + self._chance.random() * 0.1


@dataclass(frozen=True, slots=True)
class _Refused:
    """The other side answered with an error."""

    reason: str
