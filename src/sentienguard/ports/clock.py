"""Tell the time and wait.

Called by everything that needs either; offered by adapters.local_host.clock and by simulations,
where time obeys. Wall time is for people and records, monotonic time for limits and freshness: a
host whose wall clock is wrong by ten minutes still keeps its limits.
"""

from datetime import datetime
from typing import Protocol

from sentienguard.ports import interrupt


class Clock(Protocol):
    """The time of one machine."""

    def now(self) -> datetime:
        """Return wall time, aware, in UTC."""

    def monotonic(self) -> float:
        """Return seconds since an arbitrary point; never goes back, not comparable over boots."""

    def sleep(self, seconds: float, until: interrupt.Interrupt | None = None) -> None:
        """Return after `seconds`, or as soon as `until` is requested."""
