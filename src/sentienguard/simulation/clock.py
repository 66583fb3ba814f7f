"""A machine's clocks: a wall clock that people and faults set, a monotonic one that nobody can.

Called by `host` and `centre`. Both are functions of true time, so that reading them costs nothing
and a jump of the wall clock moves no deadline that is kept in monotonic time.
"""

from datetime import datetime, timedelta

from sentienguard.ports import interrupt
from sentienguard.simulation import remedies
from sentienguard.simulation.scheduler import Scheduler


class SimulatedClock:
    """A ports.clock.Clock."""

    def __init__(self, scheduler: Scheduler, ahead_s: float = 0.0) -> None:
        """`ahead_s`: how far the wall clock is ahead of true time."""
        self._scheduler = scheduler
        self.ahead_s = ahead_s
        self.jumped_at = -1e9  # true seconds

    def now(self) -> datetime:
        """Return wall time."""
        seconds = self._scheduler.now + self.ahead_s
        return remedies.START + timedelta(microseconds=round(seconds * 1e6))

    def monotonic(self) -> float:
        """Return seconds since the world began."""
        return self._scheduler.now

    def sleep(self, seconds: float, until: interrupt.Interrupt | None = None) -> None:
        """Let the world go on; see the port."""
        fiber = self._scheduler.current
        if fiber is None:
            raise AssertionError("only work in a fiber may sleep")
        if until is None or until.requested() is None:
            fiber.sleep(seconds)

    def jump(self, seconds: float) -> None:
        """Set the wall clock."""
        self.ahead_s += seconds
        self.jumped_at = self._scheduler.now


class SimulatedInterrupt:
    """A ports.interrupt.Interrupt that wakes whoever sleeps when it is requested."""

    def __init__(self, clock: SimulatedClock, scheduler: Scheduler) -> None:
        """Begin with nobody asking."""
        self._clock = clock
        self._scheduler = scheduler
        self._by: str | None = None
        self._sleeper = scheduler.current

    def watched_by(self) -> None:
        """Remember the fiber that looks at this; called by the fiber itself."""
        self._sleeper = self._scheduler.current

    def request(self, by: str) -> None:
        """Ask to stop; the first who asks stays named."""
        if self._by is None:
            self._by = by
            if self._sleeper is not None and not self._sleeper.over:
                self._sleeper.hurry()

    def requested(self) -> str | None:
        """Return who asked."""
        return self._by

    def wait(self, seconds: float) -> bool:
        """Wait; see the port."""
        self._clock.sleep(seconds, self)
        return self._by is not None
