"""Log lines that another system keeps, for one incident and within a time.

Called by `diagnosing`. Rules:

1. A decision waits at most `limit_s` for all lines together; what did not come is named.
2. Who did not answer is not asked again for `AWAY_S`: an outage of it costs few decisions anything.
3. Lines are redacted here, before anything counts, keeps or shows them.
4. The bounds are counts: services that are asked for, the nearest first, and lines of each.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sentienguard.ports.clock import Clock
from sentienguard.ports.log_search import LogSearch, LogSearchAway
from sentienguard.stages.observe import redact

LIMIT_S: Final = 1.0
AWAY_S: Final = 30.0
LEAST_S: Final = 0.02  # with less time left nobody is asked
MOST_SERVICES: Final = 8  # of the 32 that are looked at: each costs a request
MOST_LINES: Final = 1000  # of one service
_LONGEST: Final = 120  # characters of a reason


@dataclass(frozen=True, slots=True)
class Told:
    """One line, redacted."""

    service: str
    at: datetime  # UTC
    where: str  # stream or file
    text: str


@dataclass(frozen=True, slots=True)
class Found:
    """What came of asking."""

    lines: tuple[Told, ...] = ()
    missing: tuple[str, ...] = ()  # what did not come, and why, for people
    is_whole: bool = True  # false: a service had more lines than were read, or did not answer


class LinesElsewhere:
    """Asks one search, and remembers when it was away."""

    def __init__(self, search: LogSearch, clock: Clock, *, limit_s: float = LIMIT_S) -> None:
        """Ask this one, for at most `limit_s` seconds a decision."""
        self._search = search
        self._clock = clock
        self._limit_s = limit_s
        self._away_until = float("-inf")  # monotonic

    def of(
        self,
        environment: str,
        services: Sequence[str],
        start: datetime,
        end: datetime,
        *,
        most: int = MOST_LINES,
    ) -> Found:
        """Return lines of these services with start <= at < end; raises nothing."""
        now = self._clock.monotonic()
        if not services:
            return Found()
        if now < self._away_until:  # rule 2
            return Found((), ("lines kept elsewhere: no answer a moment ago",), is_whole=False)
        until = now + self._limit_s
        lines: list[Told] = []
        missing: list[str] = []
        if len(services) > MOST_SERVICES:
            missing.append(f"lines kept elsewhere of {len(services) - MOST_SERVICES} services")
        is_whole = True
        for number, service in enumerate(services[:MOST_SERVICES]):
            left = until - self._clock.monotonic()
            if left < LEAST_S:  # rule 1
                late = len(services[:MOST_SERVICES]) - number
                missing.append(f"lines kept elsewhere of {late} services: the time was over")
                is_whole = False
                break
            try:
                found = self._search.lines(
                    environment, service, start, end, limit=most, limit_s=left
                )
            except LogSearchAway as cause:
                self._away_until = self._clock.monotonic() + AWAY_S
                missing.append(f"lines kept elsewhere: {cause}"[:_LONGEST])
                is_whole = False
                break
            is_whole = is_whole and len(found) < most
            lines += [
                Told(service, one.at, redact.line(one.where), redact.line(one.text))
                for one in found
            ]
        return Found(tuple(lines), tuple(missing), is_whole)
